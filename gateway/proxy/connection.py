"""One connection of a caller: aiohttp's, with every fault made an exchange of its own.

aiohttp answers what it can't parse by itself: with a page of text, without a log entry, with a
trace in the program's log that quotes the request. Here a fault takes the same way as a request,
through `guard`, so that it is refused, counted and logged like any other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo
from yarl import URL

from gateway.errors import Code, place
from gateway.log import Log
from gateway.proxy.settings import ClientSettings

_LOG = Log(__name__)
_ROOT = URL("/")
_LINGER = 2.0
"""Seconds in which the rest of a refused body is read, so that no reset overtakes the refusal."""

BLOCK = 256 * 1024


class Received(web.BaseRequest):
    """A request as parsed. `arrived` holds the line and the fields as they came, `exchange` is the
    task that makes its answer, while there is none yet. Of an answer that takes several blocks,
    `sent` counts the bytes of the body that the system has taken, and perhaps one block more."""

    arrived: RawRequestMessage
    exchange: "asyncio.Task[Any] | None" = None
    sent = 0

    def abandon(self) -> None:
        """Nobody waits for the answer any more: stop making it.

        Not where the request itself broke off: whoever reads its body finds that out, and says it.
        """
        if self.exchange is not None and self.content.is_eof():
            self.exchange.cancel(Code.CALLER_LEFT)


class Gate(Protocol):
    """What a connection needs from the server."""

    settings: ClientSettings

    @property
    def full(self) -> bool:
        """Whether there are as many connections as there may be."""
        ...

    async def refuse(self, request: Received, fault: Code) -> None:
        """Answer a request that could not be parsed."""
        ...

    def note(self, fault: Code) -> None:
        """Account for a request that nobody is there to be answered for."""
        ...


class Listener(web.Server):
    """Makes a connection of each that is accepted."""

    def __init__(self, gate: Gate, handle: Callable[[Any], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(
            handle,
            request_factory=cast(Any, self._received),
            handler_cancellation=False,  # `Received.abandon` stops what has no entry yet, only that
        )
        self._gate = gate

    def __call__(self) -> RequestHandler:
        return Connection(self, self._gate)

    def _received(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: Any,
        task: "asyncio.Task[None]",
    ) -> Received:
        parsed = message
        if message.url.absolute:  # refused later; aiohttp would try to rewrite it first
            parsed = message._replace(url=_ROOT)
        request = Received(parsed, payload, protocol, writer, task, self._loop)
        request.arrived = message
        return request


class Connection(RequestHandler):
    """Adds to aiohttp's: a deadline for each head, the accounting of faults, and silence."""

    __slots__ = ("_deaf", "_gate", "_head_timer")

    def __init__(self, listener: Listener, gate: Gate) -> None:
        settings = gate.settings
        super().__init__(
            listener,
            loop=asyncio.get_running_loop(),
            access_log=cast(Any, None),
            keepalive_timeout=settings.idle,
            max_line_size=settings.limits.target,
            max_field_size=settings.limits.field,
            max_headers=settings.limits.fields,
            lingering_time=_LINGER,
            auto_decompress=False,  # a request's bomb stays as small as it came
        )
        self._gate = gate
        self._deaf = False
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._gate.full:
            cast(asyncio.Transport, transport).abort()
            return
        super().connection_made(transport)
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=BLOCK, low=0)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        super().data_received(data)
        if self._messages and isinstance(self._messages[-1][0], _ErrInfo):
            self._deaf = True
            # Its frames hold what was read, in a circle that waits for the garbage collector.
            self._messages[-1][0].exc.__traceback__ = None
            self._break_open_body()
        if not self._awaits_head:
            self._stop_head_timer()
        elif data and self._head_timer is None:
            self._head_timer = self._loop.call_later(self._gate.settings.head, self._head_is_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        unanswered = self._unanswered()
        self._stop_head_timer()
        self._message_tail = b""
        received = cast(Received | None, self._current_request)
        super().connection_lost(exc)
        if received is not None:
            received.abandon()
        for fault in unanswered:
            self._gate.note(fault)

    def retire(self) -> None:
        """Close now if idle, else after the exchange under way; hear no further request."""
        if self._awaits_head:
            super().force_close()
        else:
            self.close()

    def force_close(self) -> None:
        """As aiohttp's, but without waiting for a caller that doesn't read what it asked for."""
        transport = self.transport
        super().force_close()
        if transport and transport.get_write_buffer_size():
            transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, HttpProcessingError):
            return Refusing(self._gate, _fault(exc))
        _LOG.error("an exchange could not be answered", error=place(exc) if exc else status)
        return Answered(keep=False)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Nothing: what aiohttp would write quotes the request."""

    @property
    def _awaits_head(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _unanswered(self) -> list[Code]:
        """The fault of each request, or part of one, that is here and that nobody will answer.

        What stands behind an answer that closes the connection is none (RFC 9112 section 9.6).
        """
        if not self._keepalive:
            return []
        waiting = list(self._messages)
        if self._waiter is not None and self._waiter.done() and not self._waiter.cancelled():
            del waiting[:1]  # its exchange is about to begin
        faults = [
            _fault(cast(HttpProcessingError, message.exc))
            if isinstance(message, _ErrInfo)
            else Code.REQUEST_INCOMPLETE
            for message, _ in waiting
        ]
        if not self._deaf and self._open_body() is None and self._has_begun():
            faults.append(Code.REQUEST_INCOMPLETE)
        return faults

    def _has_begun(self) -> bool:
        """Whether a part of a head is here. Ends the parser: ask only when giving up."""
        if self._parser is None:
            return False
        try:
            return self._parser.feed_eof() is not None
        except HttpProcessingError:
            return True

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._awaits_head or not self._has_begun():
            return
        fault = _ErrInfo(status=400, exc=_IncompleteError(), message="")
        self._deaf = True
        self._messages.append((fault, EMPTY_PAYLOAD))
        if self._waiter:
            self._waiter.set_result(None)

    def _stop_head_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _break_open_body(self) -> None:
        """Whoever reads the body that the fault is in would wait for its end until the timeout."""
        body = self._open_body()
        if body is not None and body.exception() is None:
            body.set_exception(RequestPayloadError())

    def _open_body(self) -> StreamReader | None:
        """The body of the last request, if its end isn't here."""
        bodies = [body for message, body in self._messages if not isinstance(message, _ErrInfo)]
        if not bodies and self._current_request is not None:
            bodies = [self._current_request.content]
        return bodies[-1] if bodies and not bodies[-1].is_eof() else None


class Answered(web.StreamResponse):
    """Tells aiohttp that an answer is on the wire, and whether the connection goes on."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
        self._keep = keep

    @property
    def keep_alive(self) -> bool | None:
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class Refusing(Answered):
    """An answer still to be made, for a request that could not be parsed."""

    def __init__(self, gate: Gate, fault: Code) -> None:
        super().__init__(keep=False)
        self._gate, self._fault = gate, fault

    async def prepare(self, request: web.BaseRequest) -> None:
        await self._gate.refuse(cast(Received, request), self._fault)


class _IncompleteError(HttpProcessingError):
    """A head that began and never ended."""


def _fault(error: HttpProcessingError) -> Code:
    if isinstance(error, _IncompleteError):
        return Code.REQUEST_INCOMPLETE
    if isinstance(error, LineTooLong) or error.message == "Too many headers received":
        return Code.REQUEST_TOO_LARGE
    return Code.REQUEST_MALFORMED
