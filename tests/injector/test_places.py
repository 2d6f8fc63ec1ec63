"""Places for connections: silent ones neither use up the memory nor shut anybody out."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from gateway.injector import places
from gateway.injector.generations import Generation, issue
from gateway.injector.places import Ending, Places
from gateway.injector.tls import Certificate, Handshakes

NAME = "injector.system.svc"
MOST = 3

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo(Ending):
    """Sends back what comes, and ends."""

    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


class Running:
    def __init__(self, held: Places, made: Generation) -> None:
        self.held, self.made = held, made
        self.opened: list[asyncio.StreamWriter] = []

    async def silent(self) -> asyncio.StreamReader:
        """A connection that never begins a handshake."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.held.port)
        self.opened.append(writer)
        return reader

    async def shaken(self) -> Stream:
        """One over TLS."""
        context = ssl.create_default_context(cadata=self.made.ca.decode())
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.held.port, ssl=context, server_hostname=NAME
        )
        self.opened.append(writer)
        return reader, writer

    async def echoed(self) -> bytes:
        reader, writer = await self.shaken()
        writer.write(b"review")
        return await reader.read()

    async def taken(self, number: int) -> None:
        async with asyncio.timeout(30):
            while len(self.held._taken) != number:
                await asyncio.sleep(0.01)  # a bounded poll


@asynccontextmanager
async def running(lasting: float = 60.0) -> AsyncIterator[Running]:
    handshakes = Handshakes()
    made = issue([NAME], datetime.now(UTC), timedelta(hours=1))
    handshakes.use(Certificate(made.serving, made.not_after))
    held = Places(Echo, handshakes.context, lasting)
    held.start("127.0.0.1", 0)
    found = Running(held, made)
    try:
        yield found
    finally:
        await held.close()
        await held.end()
        assert not held._taken
        for writer in found.opened:
            writer.transport.abort()


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_PLACES", MOST)
    monkeypatch.setattr(places, "_HANDSHAKE", 60.0)
    monkeypatch.setattr(places, "_HONEST", 0.0)


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(30):
            await reader.read()
            return reader.at_eof()
    except ConnectionError:
        return True


async def test_a_connection_is_served_and_gives_its_place_back() -> None:
    async with running() as found:
        for _ in range(2 * MOST):
            assert await found.echoed() == b"review"
        await found.taken(0)


async def test_silent_connections_make_room_the_oldest_first() -> None:
    async with running() as found:
        readers = [await found.silent() for _ in range(4 * MOST)]
        assert await found.echoed() == b"review"
        assert len(found.held._taken) <= MOST
        assert all([await ended(reader) for reader in readers[: 3 * MOST]])


async def test_so_do_those_that_say_nothing_after_their_handshake() -> None:
    async with running() as found:
        readers = [(await found.shaken())[0] for _ in range(2 * MOST)]
        assert await found.echoed() == b"review"
        assert all([await ended(reader) for reader in readers[:MOST]])


async def test_who_comes_waits_for_those_that_may_be_honest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "_HONEST", 3600.0)
    async with running() as found:
        streams = [await found.shaken() for _ in range(MOST)]
        waiting = asyncio.create_task(found.echoed())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.2)
        reader, writer = streams[1]
        writer.write(b"first")
        assert await reader.read() == b"first"
        async with asyncio.timeout(30):
            assert await waiting == b"review"


async def test_no_connection_outlasts_its_time() -> None:
    async with running(lasting=0.1) as found:
        reader, _ = await found.shaken()
        assert await ended(reader)
        await found.taken(0)


async def test_what_is_no_handshake_gives_its_place_back() -> None:
    async with running() as found:
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"):
            reader = await found.silent()
            found.opened[-1].write(text)
            found.opened[-1].write_eof()
            assert await ended(reader)
        await found.taken(0)
        assert await found.echoed() == b"review"


async def test_a_system_that_gives_no_connection_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has no descriptors left."""
    monkeypatch.setattr(places, "_PAUSE", 0.0)
    loop = asyncio.get_running_loop()
    accept, faults = loop.sock_accept, [OSError(24, "x"), ConnectionAbortedError()]

    async def failing(listening: object) -> object:
        if faults:
            raise faults.pop()
        return await accept(listening)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "sock_accept", failing)
    async with running() as found:
        assert await found.echoed() == b"review"
        assert not faults


async def test_those_that_are_there_end_well_when_no_more_are_taken() -> None:
    async with running() as found:
        reader, writer = await found.shaken()
        await found.held.close()
        with pytest.raises(OSError):
            await found.silent()
        writer.write(b"last")
        assert await reader.read() == b"last"
