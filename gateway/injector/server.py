"""The webhook's port: HTTP over TLS, one request on each connection.

Without connections that are kept no review ever meets one that is just being closed, and a new
certificate counts at once. Whoever is slow is cut off: the API server waits five seconds at most.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.errors import place
from gateway.injector.admission import Verdict, decide
from gateway.injector.places import Ending, Places
from gateway.injector.review import MAX_REVIEW
from gateway.injector.template import Template
from gateway.injector.tls import Handshakes
from gateway.injector.verdicts import Result, Unanswerable
from gateway.log import Log

PATHS = {"/inject": False, "/inject-required": True}
"""Path → whether a pod must say what it wants."""

_CONNECTION = 10.0
"""Seconds that a connection may last, its handshake apart."""
_MOST_HELD = 4 * MAX_REVIEW
"""Bytes of all reviews that are being read."""
_ORDINARY = 128 * 2**10
"""Bytes up to which a review is read even then: a few large ones must not keep all others out."""
_LOG = Log(__name__)

Count = Callable[[Result], None]


class ReviewServer:
    """Answers reviews with what `template` is at that moment; with 503 where there is none."""

    def __init__(
        self, host: str, port: int, handshakes: Handshakes, template: Callable[[], Template | None],
        count: Count, lasting: float = _CONNECTION,
    ) -> None:  # fmt: skip
        self._host, self._port = host, port
        self._template, self._count, self._lasting = template, count, lasting
        self._held = 0
        self._listener = _Listener(self._serve)
        self._places = Places(self._listener.connection, handshakes.context, lasting)

    @property
    def port(self) -> int:
        """The port that is bound (another one than asked for where 0 was)."""
        return self._places.port

    async def start(self) -> None:
        """Raises OSError where the address can't be bound."""
        self._places.start(self._host, self._port)

    async def stop(self) -> None:
        """Take no more connections; reviews that are there are still answered."""
        await self._places.close()
        self._listener.pre_shutdown()
        await self._listener.shutdown(self._lasting)
        await self._places.end()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        began = time.perf_counter()
        namespace = owner = "none"
        try:
            verdict = await self._verdict(request)
            result, namespace, owner = verdict.result, verdict.namespace, verdict.owner
            answer = _plain(200, verdict.answer, "application/json")
        except Unanswerable as unanswerable:
            result = unanswerable.result
            answer = _plain(unanswerable.status, unanswerable.message.encode(), "text/plain")
        except Exception as error:  # noqa: BLE001 - an HTTP error, never a pod let through
            _LOG.error("review failed", error=place(error))
            result = Result.INTERNAL_ERROR
            answer = _plain(500, b"internal error", "text/plain")
        self._count(result)
        _LOG.info(
            "review", result=result.value, namespace=namespace, owner=owner,
            seconds=round(time.perf_counter() - began, 4),
        )  # fmt: skip
        return answer

    async def _verdict(self, request: web.BaseRequest) -> Verdict:
        if request.path not in PATHS:
            raise Unanswerable(404, Result.PATH_UNKNOWN, "there is /inject and /inject-required")
        if request.method != "POST":
            raise Unanswerable(405, Result.METHOD_NOT_ALLOWED, "reviews are POSTed")
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            raise Unanswerable(415, Result.MEDIA_TYPE, "reviews are application/json, uncoded")
        body = bytearray()
        try:
            await self._read(request, body)
            template = self._template()
            if template is None:
                raise Unanswerable(503, Result.NOT_READY, "there is no sidecar to inject yet")
            return decide(bytes(body), template, required=PATHS[request.path])
        finally:
            self._held -= len(body)

    async def _read(self, request: web.BaseRequest, body: bytearray) -> None:
        try:
            if (request.content_length or 0) > MAX_REVIEW:
                raise _too_large()
            async for chunk in request.content.iter_any():
                body += chunk
                self._held += len(chunk)
                if len(body) > MAX_REVIEW:
                    raise _too_large()
                if self._held > _MOST_HELD and len(body) > _ORDINARY:
                    raise Unanswerable(503, Result.OVERLOADED, "too many reviews at once")
        except (OSError, web.RequestPayloadError):
            raise Unanswerable(400, Result.REVIEW_INCOMPLETE, "the body is incomplete") from None


def _too_large() -> Unanswerable:
    return Unanswerable(413, Result.REVIEW_TOO_LARGE, f"more than {MAX_REVIEW} bytes")


def _plain(status: int, body: bytes, media_type: str) -> web.Response:
    answer = _Silent(status=status, body=body, content_type=media_type)
    answer.force_close()
    return answer


class _Silent(web.Response):
    """An answer that doesn't say what software made it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


class _Listener(web.Server):
    def __init__(self, serve: Any) -> None:
        super().__init__(serve, access_log=None, lingering_time=0, auto_decompress=False)

    def connection(self) -> "_Connection":
        return _Connection(self, asyncio.get_running_loop(), **self._kwargs)


class _Connection(RequestHandler, Ending):
    """aiohttp's, without its page for what it can't parse, which quotes it."""

    __slots__ = ("over",)

    def __init__(
        self, listener: web.Server, loop: asyncio.AbstractEventLoop, **options: Any
    ) -> None:
        super().__init__(listener, loop=loop, **options)
        self.over: asyncio.Future[None] = loop.create_future()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if not self.over.done():
            self.over.set_result(None)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        return _plain(status, b"", "text/plain")

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Nothing: what aiohttp would write quotes the request."""
