"""A request body on its way to the upstream."""

import asyncio
from pathlib import Path

import pytest

from gateway.errors import Code
from gateway.proxy.settings import RequestLimits
from tests.support.gate import gateway, impatient
from tests.support.wire import calling, request, response

SOUND = b'{"orders": []}'
TYPE = b"Content-Type: application/json"
EXPECT = b"Expect: 100-continue"
CHUNKED = b"Transfer-Encoding: chunked"


def posting(*lines: bytes, body: bytes = b"") -> bytes:
    return request(b"/exports/orders", TYPE, *lines, method=b"POST", body=body)


def chunks(body: bytes, size: int) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, 5, 300_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_arrives_whole(size: int, chunked: bool, tmp_path: Path) -> None:
    body = bytes(index % 251 for index in range(size))
    framing = CHUNKED if chunked else b"Content-Length: %d" % size
    on_the_wire = chunks(body, 70_000) if chunked else body
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        for _ in range(2):  # the connections are good for another one
            await caller.send(posting(framing, body=on_the_wire))
            assert (await caller.reply()).status == 200
        assert gate.upstream.connections == 1
        for raw in gate.upstream.requests:
            head, arrived = raw.split(b"\r\n\r\n", 1)
            assert arrived == body
            assert b"\r\nContent-Type: application/json\r\n" in head + b"\r\n" or not size
            assert head.lower().count(b"content-length") + head.lower().count(b"chunked") == 1


async def test_a_body_is_passed_on_while_it_arrives(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(posting(b"Content-Length: 10"), b"01234")
        while not gate.upstream.connections:
            await asyncio.sleep(0)
        await caller.send(b"56789")
        assert (await caller.reply()).status == 200
        assert gate.upstream.requests[0].endswith(b"0123456789")


async def test_100_continue_comes_when_the_upstream_takes_the_body(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(posting(b"Content-Length: 2", EXPECT))
        assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await caller.send(b"{}")
        assert (await caller.reply()).status == 200
        assert b"Expect" not in gate.upstream.requests[0]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (posting(b"Content-Length: 2", EXPECT).replace(b"Bearer me", b"Bearer you"), 401),
        (posting(b"Content-Length: 2", b"Expect: 200-ok"), 400),
        (posting(b"Content-Length: 2", EXPECT, EXPECT), 400),
        (posting(EXPECT), 400),
        (posting(b"Content-Length: 2", EXPECT).replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    ],
)
async def test_a_refused_request_gets_no_100_continue(
    raw: bytes, status: int, tmp_path: Path
) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(raw)
        reply = await caller.reply()
        assert reply.status == status
        assert reply["Connection"] == "close"
        assert gate.upstream.connections == 0


async def test_a_body_that_stalls_is_refused(tmp_path: Path) -> None:
    """C20"""
    async with gateway([response(SOUND)], tmp_path, client=impatient(body=0.1)) as gate:
        async with calling(gate.port) as caller:
            await caller.send(posting(b"Content-Length: 10"), b"01234")
            assert (await caller.reply()).status == 400
        assert gate.log.codes == [Code.REQUEST_INCOMPLETE]
        await asyncio.wait_for(gate.upstream.closed.wait(), 5)
        assert gate.upstream.requests == []


async def test_a_caller_that_leaves_in_mid_body_is_refused_and_logged(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate:
        async with calling(gate.port) as caller:
            await caller.send(posting(b"Content-Length: 10"), b"01234")
            while not gate.upstream.connections:
                await asyncio.sleep(0)
            caller.leave()
        await asyncio.wait_for(gate.log.appended.wait(), 5)
        await asyncio.wait_for(gate.upstream.closed.wait(), 5)
        assert gate.log.codes == [Code.REQUEST_INCOMPLETE]
        assert gate.upstream.requests == []


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_limit_of_a_body_holds_to_the_byte(
    over: int, chunked: bool, tmp_path: Path
) -> None:
    limits, body = RequestLimits(body=1000), b"x" * (1000 + over)
    framing = CHUNKED if chunked else b"Content-Length: %d" % len(body)
    on_the_wire = chunks(body, 100) if chunked else body
    async with gateway([response(SOUND)], tmp_path, limits=limits) as gate:
        async with calling(gate.port) as caller:
            await caller.send(posting(framing, body=on_the_wire))
            assert (await caller.reply()).status == (400 if over else 200)
        assert gate.log.codes == [Code.REQUEST_TOO_LARGE if over else None]
        assert len(gate.upstream.requests) == (0 if over else 1)


async def test_a_bomb_is_not_even_looked_at(tmp_path: Path) -> None:
    """C26"""
    lines = (b"Content-Encoding: gzip", b"Content-Length: 20")
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(posting(*lines, body=b"\x1f\x8b" + b"\0" * 18))
        assert (await caller.reply()).status == 400
        assert gate.upstream.connections == 0
