"""Both ends of the wire, byte by byte: an upstream that writes what it is told, a caller that
sends what it is told, and neither of them parses more than it must."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum


class Step(Enum):
    """What an upstream does apart from writing bytes."""

    CLOSE = "close the connection"
    RESET = "reset the connection"
    HOLD = "say nothing until the gateway gives up"


Script = Sequence[bytes | Step | asyncio.Event | Callable[[], None]]
"""Played after each request: bytes are written, an event is waited for, a callable is called."""

Answerer = Callable[[bytes], Awaitable[Script]]


@dataclass
class ScriptedUpstream:
    """Answers each request with a script; keeps every request it read, whole."""

    answer: Script | Answerer
    reads_bodies: bool = True
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever the gateway has closed a connection."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ScriptedUpstream"]:
        tasks: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(task := asyncio.current_task())  # type: ignore[arg-type]
            self.connections += 1
            try:
                await self._serve(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            except asyncio.CancelledError:
                pass
            finally:
                tasks.discard(task)
                writer.transport.abort()
                self.closed.set()

        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**24)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(tasks):
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            self.requests.append(await read_request(reader, self.reads_bodies))
            script = self.answer
            if callable(script):
                script = await script(self.requests[-1])
            for step in script:
                match step:
                    case bytes():
                        writer.write(step)
                        await writer.drain()
                    case asyncio.Event():
                        await step.wait()
                    case Step():
                        await self._end(step, reader, writer)
                        return
                    case _:
                        step()

    async def _end(
        self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        match step:
            case Step.CLOSE:
                writer.close()
                await writer.wait_closed()
            case Step.RESET:
                raw = writer.get_extra_info("socket")
                linger = struct.pack("ii", 1, 0)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            case Step.HOLD:
                await reader.read()


async def read_request(reader: asyncio.StreamReader, body: bool = True) -> bytes:
    """One request as the gateway sends it: well framed, or this fails."""
    head = await reader.readuntil(b"\r\n\r\n")
    names = head.lower()
    if not body:
        return head
    if b"\r\ntransfer-encoding: chunked\r\n" in names:
        chunks = b""
        while True:
            size = int((await reader.readuntil(b"\r\n")).strip(), 16)
            chunks += (await reader.readexactly(size + 2))[:-2]
            if not size:
                return head + chunks
    if b"\r\ncontent-length:" in names:
        length = int(names.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0])
        return head + await reader.readexactly(length)
    return head


@dataclass(frozen=True)
class Reply:
    """A response as a caller got it. `headers` keep their order and their spelling."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes

    def __getitem__(self, name: str) -> str:
        (value,) = [value for key, value in self.headers if key.lower() == name.lower()]
        return value

    def __contains__(self, name: str) -> bool:
        return any(key.lower() == name.lower() for key, _ in self.headers)


class Caller:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def reply(self, method: bytes = b"GET") -> Reply:
        """The next response. Raises IncompleteReadError if there is none."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
        headers = tuple((line.split(": ", 1)[0], line.split(": ", 1)[1]) for line in lines)
        assert status_line.startswith("HTTP/1.1 "), status_line
        reply = Reply(int(status_line.split(" ")[1]), headers, b"", head)
        length = 0 if method == b"HEAD" else int(reply["Content-Length"])
        body = await self.reader.readexactly(length)
        return Reply(reply.status, headers, body, head + body)

    async def rest(self) -> bytes:
        """Everything until the gateway closes the connection."""
        with suppress(ConnectionError):
            return await self.reader.read()
        return b""

    def leave(self) -> None:
        self.writer.transport.abort()

    def reset(self) -> None:
        """Leave without a farewell."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


def request(
    target: bytes = b"/exports/orders",
    *lines: bytes,
    method: bytes = b"GET",
    version: bytes = b"HTTP/1.1",
    host: bytes = b"gateway.test",
    body: bytes = b"",
) -> bytes:
    """A request that nothing is wrong with, but for what the test puts into it."""
    start = b" ".join((method, target, version))
    token = b"Authorization: Bearer me"
    return b"\r\n".join((start, b"Host: " + host, token, *lines, b"", b"")) + body


def response(
    body: bytes = b'{"orders": []}',
    *lines: bytes,
    status: bytes = b"HTTP/1.1 200 OK",
    content_type: bytes = b"application/json",
    chunked: bool = False,
) -> bytes:
    """A response that nothing is wrong with, but for what the test puts into it."""
    framing = b"Content-Length: %d" % len(body)
    if chunked:
        framing, body = b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    fields = (b"Content-Type: " + content_type, framing, *lines)
    return b"\r\n".join((status, *fields, b"", b"")) + body
