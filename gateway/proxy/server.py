"""The data server: every request goes through `guard`, and what `guard` returns goes out.

    connection ─▶ Request ─▶ guard ─▶ Release or Denial ─▶ bytes

Nothing is sent before `guard` returns, which is when the log entry is durable. Each exchange runs
in a task of its own. A caller that leaves stops it (`caller_left`): the upstream's connection is
closed, the body is given up, and the entry is written although nobody waits for the answer. What is
released already was released, as the log says; how much of it was sent, the program's log says.

A `Stream` is sent as it is delivered, in chunks (RFC 9112 section 7.1). Where it is cut, the chunk
that ends a body never comes, and the connection is reset: no client can take the body for whole.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from msgspec.structs import replace

from gateway.enforcement import Denial, Release
from gateway.errors import BadRequest, Code
from gateway.log import Log
from gateway.model import Request
from gateway.places import Places
from gateway.proxy import fields
from gateway.proxy.accepting import BACKLOG, Acceptor
from gateway.proxy.connection import BLOCK, Answered, Connection, Listener, Received
from gateway.proxy.problem import problem
from gateway.proxy.settings import Address, ProxySettings
from gateway.proxy.upload import Upload
from gateway.stored import InMemory, OnDisk, Stored
from gateway.streaming import Stream

_ENTRIES, _FAREWELL = 5.0, 0.5
"""Seconds after the grace: for the entries of what was cut off, and for the refusals to leave."""

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_CLOSE = {"Connection": "close"}
_CHUNKED = {"Transfer-Encoding": "chunked"}
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST, and drops what the system holds."""
_KEPT, _CLOSED = Answered(keep=True), Answered(keep=False)

_LOG = Log(__name__)

Guard = Callable[[Request], Coroutine[Any, Any, Release | Stream | Denial]]


@dataclass(frozen=True, slots=True)
class Facts:
    """For telemetry."""

    connections: int
    exchanges: int
    largest_share: int


class DataServer:
    """Serves the data port. `guard` is `exchange.guard` with its rooms; `sockets` are those of the
    port where other processes serve it, too."""

    def __init__(
        self, settings: ProxySettings, guard: Guard, sockets: Sequence[socket.socket] = ()
    ) -> None:
        self._listen, self.settings = settings.listen, settings.client
        self._guard, self._sockets = guard, sockets
        self._guarded: set[asyncio.Task[Any]] = set()
        self._notes: set[asyncio.Task[Release | Stream | Denial]] = set()
        self._places = Places(settings.client.exchanges, "client.exchanges")
        self._ended = asyncio.Event()
        self._draining = False
        self._loop: asyncio.AbstractEventLoop  # kept: asking for it costs a system call
        self._listener: Listener | None = None
        self._socket: asyncio.Server | Acceptor | None = None

    async def start(self) -> None:
        """Raises OSError where the address can't be had."""
        self._listener = Listener(self, self._handle)
        self._loop = asyncio.get_running_loop()
        if self._sockets:
            self._socket = Acceptor(self._sockets, self._listener)
            return
        self._socket = await self._loop.create_server(
            self._listener, self._listen.host, self._listen.port, backlog=BACKLOG
        )

    @property
    def address(self) -> Address:
        """Where it listens, with the port the system chose."""
        assert self._socket is not None
        return Address(self._listen.host, self._socket.sockets[0].getsockname()[1])

    @property
    def full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return self.facts().connections >= self.settings.connections

    def facts(self) -> Facts:
        """What telemetry shows."""
        connections = len(self._listener.connections) if self._listener else 0
        return Facts(connections, self._places.taken, self._places.largest)

    def drain(self) -> None:
        """Close each connection with its next answer; go on accepting and serving until `stop`."""
        self._draining = True

    async def stop(self, grace: float | None = None) -> None:
        """Accept nothing more, let exchanges end for `grace` seconds, then cut them off.

        An exchange that is cut off gets its log entry (`shutting_down`) like any other.
        """
        if self._listener is None or self._socket is None:
            return
        self.drain()
        self._socket.close()
        for connection in self._listener.connections:
            cast(Connection, connection).retire()
        grace = self.settings.drain if grace is None else grace
        await self._until(lambda: not self._places.taken, grace)
        for task in tuple(self._guarded):
            task.cancel()
        await self._until(lambda: not self._guarded, _ENTRIES)
        await self._until(lambda: not self._places.taken, _FAREWELL)
        await self._listener.shutdown(timeout=_FAREWELL)
        await self._until(lambda: not self._guarded, _ENTRIES)  # of heads that will never end
        await self._socket.wait_closed()

    async def refuse(self, request: Received, fault: Code) -> None:
        """Answer a request that could not be parsed."""
        await self._exchange(request, _faulty(fault))

    def note(self, fault: Code) -> None:
        """Account for a request that nobody is there to be answered for."""
        task = self._loop.create_task(self._until_logged(_faulty(fault)))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _handle(self, request: Received) -> web.StreamResponse:
        arrived, asks = request.arrived, "Expect" in request.headers
        body = None
        if not request.content.at_eof():
            body = Upload(request.content, self.settings, request.transport if asks else None)
        keep = await self._exchange(
            request,
            Request(
                method=arrived.method,
                target=arrived.path,
                headers=arrived.raw_headers,
                body=body,
                version=arrived.version,
            ),
        )
        return _KEPT if keep else _CLOSED

    async def _exchange(self, request: Received, arrived: Request) -> bool:
        """One exchange, to the last byte. Returns whether the connection may go on."""
        if self._places.full and not arrived.fault:
            arrived = _faulty(Code.OVERLOADED)
        place = self._places.take()
        arrived = replace(arrived, claim=place.claim)
        try:
            outcome = await self._until_logged(arrived, request)
            if isinstance(outcome, Stream):
                return await self._deliver(request, outcome)
            try:
                return await self._send(request, outcome)
            except OSError:
                _tell_cut_off(request, outcome)
                raise
            finally:
                if isinstance(outcome, Release):
                    outcome.body.close()
        except OSError:  # the caller left, or doesn't read, or the spool can't be read
            if request.transport:
                request.transport.abort()
            return False
        finally:
            place.give_back()
            self._ended.set()

    async def _until_logged(
        self, arrived: Request, received: Received | None = None
    ) -> Release | Stream | Denial:
        """`guard`, until its entry is durable."""
        task = self._begin_work(received)
        try:
            return await self._guard(arrived)
        finally:
            self._end_work(task, received)

    def _begin_work(self, received: Received | None) -> asyncio.Task[Any]:
        """The handles by which the end of a drain and a lost connection find this task."""
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._guarded.add(task)
        if received is not None:
            received.exchange = task
            if received.transport is None:  # lost before this began
                received.abandon()
        return task

    def _end_work(self, task: asyncio.Task[Any], received: Received | None) -> None:
        if received is not None:
            received.exchange = None
        self._guarded.discard(task)
        self._ended.set()

    async def _deliver(self, request: Received, stream: Stream) -> bool:
        """Send a stream as it comes. Its entry is durable before its end, whole or cut."""

        async def send(data: bytes) -> None:
            if request.transport is None:
                raise ConnectionAbortedError
            request.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            request.sent += len(data)
            await self._drained(request)

        keep = self._keeps(request)
        framing = _CHUNKED if keep else {**_CHUNKED, **_CLOSE}
        if request.transport:
            request.transport.write(_head(200, dict(stream.headers), framing))
        task = self._begin_work(request)
        try:
            whole = await stream.deliver(send)
        finally:
            self._end_work(task, request)
        if whole and request.transport:
            request.transport.write(b"0\r\n\r\n")
            await self._all_taken(request)
            return keep
        _tell_cut_off(request, stream)
        if request.transport:
            underlying: socket.socket = request.transport.get_extra_info("socket")
            underlying.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            request.transport.abort()
        return False

    def _keeps(self, request: Received) -> bool:
        """Whether the connection may go on after this answer."""
        arrived = request.arrived
        keep = not (arrived.should_close or arrived.upgrade or self._draining)
        return keep and request.content.is_eof()

    async def _send(self, request: Received, outcome: Release | Denial) -> bool:
        keep = self._keeps(request)
        if isinstance(outcome, Release):
            body = outcome.body.stored
            head = _head(200, dict(outcome.headers), _sized(body.size, keep))
        else:
            answer = problem(outcome)
            # Whoever sent something malformed may mean the next bytes as its rest.
            keep = keep and outcome.code not in BadRequest.codes
            head = _head(answer.status, answer.headers, _sized(len(answer.body), keep))
            body = InMemory(b"" if request.arrived.method == "HEAD" else answer.body)
        await self._write(request, head, body, keep)
        return keep

    async def _write(self, request: Received, head: bytes, body: Stored, keep: bool) -> None:
        """Raises OSError, TimeoutError included, where the rest can't be sent."""
        block = body.pread(BLOCK, 0)
        if request.transport is None:
            raise ConnectionAbortedError
        request.transport.write(head + block)
        offset = len(block)
        while offset < body.size:
            request.sent = offset
            await self._drained(request)
            # A caller that reads as fast as we write never makes `drain` wait: without this the
            # other exchanges would wait for the whole body.
            await asyncio.sleep(0)
            passed = _pass_on(request.transport, body, offset) if request.transport else 0
            if not passed:
                raise ConnectionAbortedError
            offset += passed
        if (not keep or body.size > BLOCK) and request.transport:
            # The last block too: whoever never reads it must not hold the body and its place.
            # (Small answers on a kept connection are left to `Connection.force_close`.)
            await self._all_taken(request)

    async def _all_taken(self, request: Received) -> None:
        """Wait until the system has taken every byte. Raises as `_write` does."""
        if request.transport:
            request.transport.set_write_buffer_limits(high=0)
            await self._drained(request)
        if request.transport:
            request.transport.set_write_buffer_limits(high=BLOCK, low=0)

    async def _drained(self, request: Received) -> None:
        async with asyncio.timeout(self.settings.send):
            await request.writer.drain()

    async def _until(self, over: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not over():
                    self._ended.clear()
                    await self._ended.wait()


def _pass_on(transport: asyncio.Transport, body: Stored, offset: int) -> int:
    """Send the next bytes of a body, or have them wait in the transport; returns how many. What the
    system takes at once of a file, it takes without a copy here."""
    taking = not transport.get_write_buffer_size()
    if taking and isinstance(body, OnDisk) and transport.get_extra_info("sslcontext") is None:
        underlying: socket.socket = transport.get_extra_info("socket")
        with suppress(BlockingIOError):
            return os.sendfile(underlying.fileno(), body.fd, offset, min(BLOCK, body.size - offset))
    block = body.pread(BLOCK, offset)
    transport.write(block)
    return len(block)


def _tell_cut_off(request: Received, outcome: Release | Stream | Denial) -> None:
    """A release's entry was durable before the first byte: it can't say how many there were."""
    if isinstance(outcome, Denial):
        return
    exchange_id = dict(outcome.headers).get("X-Exchange-Id")
    size = outcome.body.size if isinstance(outcome, Release) else None
    _LOG.info("release cut off", exchange_id=exchange_id, sent=request.sent, size=size)


def _head(status: int, headers: Mapping[str, str], framing: Mapping[str, str]) -> bytes:
    return fields.spell(f"HTTP/1.1 {status} {_PHRASES.get(status, '')}", {**headers, **framing})


def _sized(length: int, keep: bool) -> dict[str, str]:
    return {"Content-Length": str(length)} if keep else {"Content-Length": str(length), **_CLOSE}


def _faulty(fault: Code) -> Request:
    return Request(method="", target="", headers=(), fault=fault)
