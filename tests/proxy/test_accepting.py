"""One port, several acceptors, as several processes have it."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from typing import cast

import pytest

from gateway.proxy.accepting import Acceptor


class Hello(asyncio.Protocol):
    """Says its name and closes."""

    def __init__(self, name: bytes, heard: list[bytes]) -> None:
        self._name, self._heard = name, heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        self._heard.append(self._name)
        transport.write(self._name)
        transport.close()


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


def acceptor(bound: socket.socket, name: bytes, heard: list[bytes]) -> Acceptor:
    return Acceptor([bound.dup()], lambda: Hello(name, heard))


async def call(bound: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_burst_is_shared_out(bound: socket.socket) -> None:
    heard: list[bytes] = []
    both = [acceptor(bound, name, heard) for name in (b"one", b"two")]
    assert sorted(set(await asyncio.gather(*(call(bound) for _ in range(40))))) == [b"one", b"two"]
    assert min(heard.count(b"one"), heard.count(b"two")) >= 10
    for each in both:
        each.close()
        await each.wait_closed()


async def test_when_one_closes_the_other_serves_and_when_all_do_nobody(
    bound: socket.socket,
) -> None:
    heard: list[bytes] = []
    one, two = (acceptor(bound, name, heard) for name in (b"one", b"two"))
    one.close()
    await one.wait_closed()
    assert {await call(bound) for _ in range(10)} == {b"two"}
    address = bound.getsockname()
    two.close()
    await two.wait_closed()
    bound.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_without_descriptors_it_pauses_and_then_goes_on(
    bound: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.proxy.accepting._PAUSE", 0.01)
    failures = 3

    class Poor(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            nonlocal failures
            if failures:
                failures -= 1
                raise OSError(errno.EMFILE, "none left")
            return super().accept()

    heard: list[bytes] = []
    one = Acceptor([Poor(fileno=bound.dup().detach())], lambda: Hello(b"one", heard))
    assert await call(bound) == b"one"
    assert failures == 0
    one.close()
    await one.wait_closed()
