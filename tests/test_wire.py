"""Connections to the upstream carry one exchange's bytes, and no other's."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from gateway.errors import Code
from gateway.wire import Wire
from tests.support.gate import gateway
from tests.support.wire import Script, ScriptedUpstream, Step, calling, request, response

CANARY = b"foreign-11c0de"
SOUND = b'{"orders": ["mine"]}'


class Surplus:
    """The first response is followed, when the test says so, by another one."""

    def __init__(self, extra: bytes) -> None:
        self.extra, self.asked = extra, 0
        self.go, self.gone = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: bytes) -> Script:
        self.asked += 1
        if self.asked == 1:
            return [response(SOUND), self.go, self.extra, self.gone.set]
        return [response(SOUND)]


EXTRAS = [response(CANARY), b"HTTP/1.1 200 OK\r\n", b"H", CANARY, b"\r\n"]


@pytest.mark.parametrize("extra", EXTRAS)
async def test_an_extra_response_never_reaches_the_next_caller(
    extra: bytes, tmp_path: Path
) -> None:
    """C22"""
    answers = Surplus(extra)
    async with gateway(answers, tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        assert (await caller.reply()).body == SOUND
        answers.go.set()
        await answers.gone.wait()
        for _ in range(3):
            await caller.send(request())
            reply = await caller.reply()
            assert (reply.status, reply.body) == (200, SOUND)
        # An empty line is no response, and means nothing before one (RFC 9112 section 2.2).
        assert gate.upstream.connections == (1 if extra == b"\r\n" else 2)


async def test_aiohttp_alone_would_hand_it_on() -> None:
    """Why there is a `Connector` of our own."""
    answers = Surplus(response(CANARY))
    async with (
        ScriptedUpstream(answers).serving() as upstream,
        aiohttp.ClientSession() as session,
    ):
        url = f"http://127.0.0.1:{upstream.port}/"
        async with session.get(url) as answer:
            assert await answer.read() == SOUND
        answers.go.set()
        await answers.gone.wait()
        async with session.get(url) as answer:
            assert await answer.read() == CANARY


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_connection_that_was_closed_meanwhile_is_not_used(
    method: bytes, tmp_path: Path
) -> None:
    """C23"""
    script = [response(SOUND), Step.CLOSE]
    async with gateway(script, tmp_path) as gate, calling(gate.port) as caller:
        for number in range(1, 4):
            await caller.send(request(method=method))
            assert (await caller.reply()).status == 200
            await asyncio.wait_for(gate.upstream.closed.wait(), 5)
            gate.upstream.closed.clear()
            assert len(gate.upstream.requests) == gate.upstream.connections == number


async def test_an_upstream_that_speaks_first_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C22"""
    monkeypatch.setattr(Wire, "is_quiet", False)
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        assert (await caller.reply()).status == 502
        assert gate.log.codes == [Code.UPSTREAM_PROTOCOL]
        monkeypatch.undo()
        await caller.send(request())
        assert (await caller.reply()).status == 200


async def test_interim_responses_have_an_end(tmp_path: Path) -> None:
    """A25"""
    hint = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    for count, status in ((15, 200), (16, 502)):
        script: Script = [hint * count, response(SOUND)]
        async with gateway(script, tmp_path) as gate, calling(gate.port) as caller:
            await caller.send(request())
            assert (await caller.reply()).status == status


async def test_a_place_is_waited_for_as_long_as_a_connection(tmp_path: Path) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()
    script: Script = [asked.set, answer, response(SOUND)]
    async with (
        gateway(script, tmp_path, upstream={"connections": 1, "connect": 0.1}) as gate,
        calling(gate.port) as one,
        calling(gate.port) as two,
    ):
        await one.send(request())
        await asked.wait()
        await two.send(request())
        assert (await two.reply()).status == 504
        answer.set()
        assert (await one.reply()).status == 200
        await two.send(request())
        assert (await two.reply()).status == 200
        assert gate.upstream.connections == 1


async def test_a_refused_response_gives_its_place_back(tmp_path: Path) -> None:
    script: Script = [response(CANARY, status=b"HTTP/1.1 500 Hm")]
    one = {"connections": 1, "connect": 5.0}
    async with gateway(script, tmp_path, upstream=one) as gate, calling(gate.port) as caller:
        for _ in range(3):
            await caller.send(request())
            assert (await caller.reply()).status == 500
        assert gate.upstream.connections == 3


async def test_a_connection_that_was_idle_for_long_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        assert (await caller.reply()).status == 200
        monkeypatch.setattr("gateway.wire._KEPT", 0.0)
        await caller.send(request())
        assert (await caller.reply()).status == 200
        assert gate.upstream.connections == 2


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_what_is_under_way_fails_when_the_client_stops(sent: bytes, tmp_path: Path) -> None:
    asked = asyncio.Event()
    script: Script = [sent, asked.set, Step.HOLD]
    async with gateway(script, tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        await asked.wait()
        await gate.client.stop()
        assert (await caller.reply()).status == 502


async def test_bytes_that_nobody_read_yet_are_noise() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    transport, wire = await loop.create_connection(lambda: Wire(loop), sock=ours)
    assert wire.is_quiet
    theirs.send(b"H")
    assert not wire.is_quiet
    assert not wire.has_surplus
    transport.abort()
    theirs.close()
    await asyncio.sleep(0)
    assert not wire.is_quiet


async def test_a_closed_connection_is_not_quiet() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    transport, wire = await loop.create_connection(lambda: Wire(loop), sock=ours)
    theirs.close()
    assert not wire.is_quiet
    transport.abort()
