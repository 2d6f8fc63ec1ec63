"""The upstream client: one request, one complete response at rest in the spool.

Nothing of a response is handed on before its last byte is here and its framing is proven. Whatever
is refused closes its connection, so that no later request can read what this one left behind.
"""

import asyncio
from collections.abc import AsyncIterable
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientPayloadError, EofStream
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from gateway.deadlines import Deadlines
from gateway.endpoints import Route
from gateway.errors import BadUpstream, Code, Late, Refusal
from gateway.inspection.formats import FORMATS
from gateway.log import Log
from gateway.model import Admitted, Format
from gateway.policy.contract import Question
from gateway.proxy import fields
from gateway.proxy.framing import client_headers, read_head
from gateway.proxy.parser import require_strict_parsing
from gateway.proxy.settings import UpstreamSettings
from gateway.response import Response
from gateway.spool import Spool, Spooled
from gateway.wire import MalformedBodyError, Pool, ProtocolError, Wire

_LOG = Log(__name__)


class UpstreamClient:
    """Asks one service, at one address from the configuration; no request can name another."""

    def __init__(self, settings: UpstreamSettings, spool: Spool) -> None:
        self._settings, self._spool = settings, spool
        self._host = urlsplit(settings.url).netloc
        self._pool: Pool | None = None
        self._in_total = Deadlines(settings.total)

    async def start(self) -> None:
        """Raises UnfitParserError, or OSError or ssl.SSLError for an unusable `ca_file`."""
        require_strict_parsing()
        settings = self._settings
        self._pool = Pool(
            settings.url,
            connections=settings.connections,
            patience=settings.connect,
            ca_file=settings.ca_file,
        )

    async def stop(self) -> None:
        """Close every connection; fetches under way fail."""
        if self._pool:
            self._pool.close()

    async def fetch(self, request: Admitted, route: Route, question: Question) -> Response:
        """The whole 200 response, for the caller of `question`. Whoever asks closes its body.

        Raises BadUpstream, UpstreamError, Late(UPSTREAM_TIMEOUT), Unavailable(SPOOL_FULL or
        SPOOL_FAILED), and BadRequest where the caller's own body fails under way.
        """
        assert self._pool is not None
        endpoint, exchange_id, caller = route.endpoint, question.exchange_id, question.caller
        head = self._head(request, endpoint.body.format, exchange_id)
        try:
            with self._in_total():
                wire = await self._pool.take()
                try:
                    wire.send(head, self._settings.read)
                    answer, content, early = await _answered(wire, request)
                    version = (answer.version.major, answer.version.minor)
                    subject = endpoint.body.subject_header
                    claims = read_head(
                        version, answer.code, answer.reason, answer.raw_headers, subject
                    )
                    if early:
                        raise _protocol("answered before the request was complete")
                    owner = (caller.issuer, caller.id)
                    limit = endpoint.limits.body
                    body = await self._receive(wire, content, claims.length, limit, owner)
                except BaseException:
                    self._pool.drop(wire)
                    raise
                self._pool.give(wire)
        except TimeoutError:
            raise Late(Code.UPSTREAM_TIMEOUT, "upstream.connect, read or total") from None
        except (ClientError, EofStream, HttpProcessingError, OSError) as error:
            raise _unsound(error) from None
        _LOG.debug("the upstream answered", endpoint=endpoint.name, bytes=body.size)
        headers = client_headers(claims.payload, endpoint, exchange_id)
        return Response(headers, claims.payload, body)

    def _head(self, request: Admitted, wanted: Format, exchange_id: str) -> bytes:
        headers = {"Host": self._host, "Accept": "*/*", "User-Agent": "privacy-gateway"}
        headers.update(request.headers)
        reader = FORMATS.get(wanted)
        if reader and reader.random_access:
            headers["Accept-Encoding"] = "identity"
        headers["X-Request-Id"] = exchange_id
        if request.method == "POST" and "Content-Length" not in headers:
            framing = ("Content-Length", "0") if not request.body else _CHUNKED
            headers.update([framing])
        return fields.spell(f"{request.method} {request.target} HTTP/1.1", headers)

    async def _receive(
        self,
        wire: Wire,
        content: StreamReader,
        length: int | None,
        limit: int,
        owner: tuple[str, str],
    ) -> Spooled:
        if (length or 0) > limit:
            raise BadUpstream(Code.BODY_TOO_LARGE, "Content-Length is over limits.body")
        if length is None:
            writer = self._spool.writer(owner)
        else:
            writer = await self._spool.writer_for(length, owner)
        try:
            while chunk := await content.readany():
                writer.write(chunk)
                if writer.size > limit:
                    raise BadUpstream(Code.BODY_TOO_LARGE, "more bytes than limits.body")
            if length not in (None, writer.size):
                raise BadUpstream(Code.BODY_INCOMPLETE, "not as long as its Content-Length")
            if wire.has_surplus:
                raise _protocol("bytes after the end of the response")
            return writer.finish()
        except BaseException:
            writer.discard()
            raise


_CHUNKED = ("Transfer-Encoding", "chunked")


async def _answered(wire: Wire, request: Admitted) -> tuple[RawResponseMessage, StreamReader, bool]:
    """The response's head and body, and whether it came before the request was complete."""
    if request.body is None:
        wire.start_timeout()
        return *await wire.response(), False
    chunked = not any(name == "Content-Length" for name, _ in request.headers)
    sending = asyncio.create_task(_upload(wire, request.body, chunked))
    try:
        answer, content = await wire.response()
        return answer, content, not sending.done()
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def _upload(wire: Wire, body: AsyncIterable[bytes], chunked: bool) -> None:
    """Pass the caller's body on. What stops it stops the wait for the response too."""
    try:
        async for chunk in body:
            wire.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            await wire.drained()
        if chunked:
            wire.write(b"0\r\n\r\n")
        wire.start_timeout()
    except (Refusal, OSError) as error:
        wire.set_exception(error)


def _unsound(error: Exception) -> BadUpstream:
    """What is wrong, by the kind of error only: aiohttp's texts quote what they choke on."""
    match error:
        case ProtocolError():
            return _protocol(str(error))
        case MalformedBodyError() | HttpProcessingError():
            return _protocol("malformed HTTP")
        case ClientPayloadError():
            return BadUpstream(Code.BODY_INCOMPLETE, "the connection ended before the body did")
        case _:
            return BadUpstream(Code.UPSTREAM_UNREACHABLE, type(error).__name__)


def _protocol(note: str) -> BadUpstream:
    return BadUpstream(Code.UPSTREAM_PROTOCOL, note)
