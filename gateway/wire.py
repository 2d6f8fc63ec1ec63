"""HTTP connections, to the upstream and to OPA, that never carry one answer's bytes into the next.

aiohttp's parser, flow control and read timeout, without its session: that keeps a connection whose
response seemed complete, and hands it out again without looking, so that bytes which came after the
response are read as the answer to the next caller's request; it repeats a GET where a connection
broke, though an export that is asked for twice is made twice; and it leaves whoever reads a body
waiting when a chunk of it is malformed.
"""

import asyncio
import math
import select
import ssl
import time
from collections import deque
from pathlib import Path
from urllib.parse import urlsplit
from weakref import WeakSet

from aiohttp import ClientError, ClientPayloadError, ServerDisconnectedError
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import _EXC_SENTINEL
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from gateway.intake import BLOCK, Intake, Take

_LINE, _FIELDS = 8 * 2**10, 128
"""Bytes of a line and lines of a head that are parsed."""

READ = 256 * 1024
_KEPT = 15.0
"""Seconds after which an idle connection is not used again."""

_INTERIM = 16
"""Responses before the final one: a service may promise that it works, not without end."""


class MalformedBodyError(ClientPayloadError):
    """The framing of a body is broken in its midst."""


class ProtocolError(ClientError):
    """Whoever is at the other end says something that nobody asked for; one line says what."""


class Wire(ResponseHandler):
    """One connection. `uses` counts the requests it was handed out for."""

    uses = 0
    since = 0.0
    _silent_until = math.inf
    _poll: "select.poll | None" = None

    def set_exception(self, exc: BaseException, exc_cause: BaseException = _EXC_SENTINEL) -> None:
        body = self._payload
        super().set_exception(exc, exc_cause)
        if isinstance(exc, HttpProcessingError) and body is not None and not body.is_eof():
            body.set_exception(MalformedBodyError())

    # aiohttp sets a timer at each read and takes it back; here one is set, and looks when it rings
    # whether the time was moved on.

    def _reschedule_timeout(self) -> None:
        loop = self._loop
        self._silent_until = loop.time() + (self._read_timeout or math.inf)
        if self._read_timeout_handle is None and self._read_timeout:
            self._read_timeout_handle = loop.call_at(self._silent_until, self._look)

    def _drop_timeout(self) -> None:
        self._silent_until = math.inf
        if self.transport is None and self._read_timeout_handle is not None:
            self._read_timeout_handle.cancel()
            self._read_timeout_handle = None

    def _look(self) -> None:
        self._read_timeout_handle = None
        if self._loop.time() >= self._silent_until:
            self._on_read_timeout()
        elif self._silent_until < math.inf:
            self._read_timeout_handle = self._loop.call_at(self._silent_until, self._look)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._drop_timeout()

    def fail(self) -> None:
        """End it, and whoever waits for it."""
        body = self._payload
        self.set_exception(ServerDisconnectedError())
        if body is not None and not body.is_eof():
            body.set_exception(ClientPayloadError())
        self.abort()

    def send(self, data: bytes, read_timeout: float) -> None:
        """Begin an exchange: the head of its request, and a parser for its response."""
        self._parse_anew(read_timeout)
        self.write(data)

    def _parse_anew(self, read_timeout: float | None) -> None:
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=read_timeout,
            read_bufsize=READ,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=_FIELDS,
        )

    def write(self, data: bytes) -> None:
        """Raises ConnectionResetError where the connection is gone."""
        if self.transport is None:
            raise ConnectionResetError
        self.transport.write(data)

    async def drained(self) -> None:
        """Wait until the upstream takes more."""
        if self._paused:
            await self._drain_helper()

    async def response(self) -> tuple[RawResponseMessage, StreamReader]:
        """The final response's head, and its body as it comes. Interim ones are dropped.

        Raises ProtocolError or another ClientError, HttpProcessingError, TimeoutError, or what was
        set as the connection's exception.
        """
        for _ in range(_INTERIM):
            message, body = await self.read()
            if message.code == 101 or not 100 <= message.code <= 199:
                return message, body
        raise ProtocolError("too many interim responses")

    def divert(self, left: int, take: Take, buffer: memoryview) -> None:
        """Hand the next `left` bytes, all that is missing of the response's body, to `take` as they
        come; see `Intake`. Whoever reads the body gets none of them, but waits for its end, and
        gets what `take` raises."""
        body, transport = self._payload, self.transport
        if body is None or transport is None:
            return  # lost: the body says so

        def end(behind: bytes, error: Exception | None) -> None:
            if error is not None:
                transport.pause_reading()
                body.set_exception(error)
                return
            transport.set_protocol(self)
            self._parse_anew(self._read_timeout)  # the parser there was is in the midst of the body
            if behind:
                self.data_received(behind)
            body.feed_eof()

        transport.set_protocol(Intake(self, buffer, left, take, self._reschedule_timeout, end))

    @property
    def has_surplus(self) -> bool:
        """Whether anything came after a complete response: another one, a part of one, garbage."""
        if len(self) > 0 or isinstance(self.exception(), HttpProcessingError):
            return True
        return self._begins_another()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came, and nothing waits to be read, that no request asked for."""
        transport = self.transport
        if transport is None or self.should_close or self._begins_another():
            return False
        if self.uses == 0 and transport.get_extra_info("ssl_object") is not None:
            return True  # a TLS server may send session tickets as soon as it is connected
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def _begins_another(self) -> bool:
        try:
            return self._parser is not None and self._parser.feed_eof() is not None
        except HttpProcessingError:
            return True


class Pool:
    """Connections to one address, at most `connections` of them in use; the idle ones are kept."""

    def __init__(
        self, url: str, *, connections: int, patience: float, ca_file: Path | None = None
    ) -> None:
        """`patience` are the seconds that a connection may be waited for, `ca_file` replaces the
        system's trust anchors. Raises OSError or ssl.SSLError for one that is not usable."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=ca_file)
        self._patience = patience
        self._places = asyncio.Semaphore(connections)
        self._idle: deque[Wire] = deque()
        self._all: WeakSet[Wire] = WeakSet()
        self.buffer = memoryview(bytearray(BLOCK))
        """For bodies that are read past the parser, one piece at a time."""

    async def take(self) -> Wire:
        """A connection on which nothing was said that the next request didn't ask for.

        Raises TimeoutError or another OSError where none can be had, and ProtocolError for a peer
        that speaks before it is asked.
        """
        if self._places.locked():
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            wire = self._kept()
            if wire is None:  # not `or`: an idle connection is an empty queue, and so it is false
                wire = await self._connected()
        except BaseException:
            self._places.release()
            raise
        wire.uses += 1
        return wire

    def give(self, wire: Wire) -> None:
        """Back, after a complete exchange."""
        self._places.release()
        if wire.should_close:
            wire.close()
            return
        wire.since = time.monotonic()
        self._idle.append(wire)

    def drop(self, wire: Wire) -> None:
        """Close at once, so that no later request reads what this one left behind."""
        self._places.release()
        wire.abort()

    def close(self) -> None:
        """Close every connection; the exchanges on them fail."""
        self._idle.clear()
        for wire in tuple(self._all):
            wire.fail()

    def _kept(self) -> Wire | None:
        oldest = time.monotonic() - _KEPT
        while self._idle:
            wire = self._idle.pop()
            if wire.since > oldest and wire.is_quiet:
                return wire
            wire.close()
        return None

    async def _connected(self) -> Wire:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._patience):
            _, wire = await loop.create_connection(
                lambda: Wire(loop), self._host, self._port, ssl=self._tls
            )
        self._all.add(wire)
        if not wire.is_quiet:
            wire.abort()
            raise ProtocolError("it speaks before it is asked")
        return wire
