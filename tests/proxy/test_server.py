"""What leaves through the data port, when, and what happens while callers come and go."""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.decisionlog.entry import Outcome
from gateway.errors import Code
from gateway.model import Request
from gateway.proxy.server import DataServer
from gateway.proxy.settings import Address, ProxySettings, UpstreamSettings
from tests.support import said
from tests.support.gate import gateway, impatient
from tests.support.wire import Script, Step, calling, request, response

SOUND = b'{"orders": ["mine"]}'
BIG = bytes(range(256)) * 12_000  # 3 MB: spooled, and more than the buffers of a socket


async def test_nothing_is_sent_before_the_entry_is_durable(tmp_path: Path) -> None:
    for raw in (request(), request(b"/nowhere"), b"GARBAGE\r\n\r\n"):
        async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
            gate.log.open.clear()
            await caller.send(raw)
            while not gate.log.waiting:
                await asyncio.sleep(0)
            answer = asyncio.create_task(caller.reader.readuntil(b"\r\n"))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not answer.done()
            gate.log.open.set()
            assert (await answer).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("body", [b"", SOUND, BIG])
async def test_a_body_is_released_to_the_byte(body: bytes, tmp_path: Path) -> None:
    async with gateway([response(body)], tmp_path) as gate, calling(gate.port) as caller:
        for _ in range(2):
            await caller.send(request())
            reply = await caller.reply()
            assert (reply.status, reply.body) == (200, body)
        assert gate.released == 2


async def test_a_denial_says_the_same_to_everybody(tmp_path: Path) -> None:
    """B32 F03 F17 F19"""
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        answers = set()
        for target in (b"/nowhere", b"/a/%3Cscript%3E", b"/exports/ordersx?a=b"):
            await caller.send(request(target, b"Accept: text/html", b"Origin: https://x.test"))
            reply = await caller.reply()
            answers.add(reply.raw.replace(reply["X-Exchange-Id"].encode(), b"ID"))
        assert len(answers) == 1
        assert json.loads(reply.body) == {
            "type": "about:blank",
            "status": 404,
            "code": "endpoint_unknown",
            "exchange_id": reply["X-Exchange-Id"],
        }
        assert not any(name in reply for name in ("Server", "Date", "Via", "Set-Cookie"))


async def test_an_unknown_caller_is_told_how_to_become_known(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request().replace(b"Bearer me", b"Bearer you"))
        reply = await caller.reply()
        assert (reply.status, reply["WWW-Authenticate"]) == (401, "Bearer")
        assert json.loads(reply.body)["code"] == "token_rejected"
        await caller.send(request())
        assert (await caller.reply()).status == 200
        assert len(gate.upstream.requests) == 1


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"QUERY"])
async def test_other_methods_are_not_allowed(method: bytes, tmp_path: Path) -> None:
    """A24 C13"""
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request(method=method))
        reply = await caller.reply(method)
        assert reply.status == 405
        await caller.send(request())  # and a HEAD had no body: the next answer is found
        assert (await caller.reply()).body == SOUND
        assert gate.log.codes == [Code.METHOD_NOT_ALLOWED, None]


async def test_a_caller_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    """C20 E28"""
    big = response(BIG * 5)
    patience = impatient(send=0.2)
    endpoint = request(b"/exports/1/archive")
    async with gateway([big], tmp_path, client=patience) as gate, calling(gate.port) as caller:
        caller.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await caller.send(endpoint)
        await asyncio.wait_for(gate.log.appended.wait(), 10)
        while gate.server.facts().exchanges or gate.spool.files_open:
            await asyncio.sleep(0.01)
        caller.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await caller.rest()) < len(BIG * 5)


async def test_a_caller_that_reads_slowly_but_steadily_gets_everything(tmp_path: Path) -> None:
    async with gateway([response(BIG)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        head = await caller.reader.readuntil(b"\r\n\r\n")
        body = b""
        while len(body) < len(BIG):
            body += await caller.reader.read(10_000)
            await asyncio.sleep(0)
        assert (head[:12], body) == (b"HTTP/1.1 200", BIG)


def takes_nothing(*_: int) -> int:
    raise BlockingIOError


def takes_little(out: int, file: int, offset: int, count: int) -> int:
    return sendfile(out, file, offset, min(count, 50_000))


sendfile = os.sendfile


@pytest.mark.parametrize("system", [takes_nothing, takes_little])
async def test_what_the_system_does_not_take_at_once_is_sent_all_the_same(
    system: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sendfile", system)
    async with gateway([response(BIG)], tmp_path) as gate, calling(gate.port) as caller:
        for _ in range(2):
            await caller.send(request())
            assert (await caller.reply()).body == BIG


async def test_a_body_that_is_shorter_than_it_was_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sendfile", lambda *_: 0)
    async with gateway([response(BIG)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await caller.reply()
        assert gate.spool.files_open == 0


@pytest.mark.parametrize("half", [b"", response(BIG)[:2_000_000]], ids=["silent", "half-way"])
@pytest.mark.parametrize("politely", [True, False], ids=["FIN", "RST"])
async def test_a_caller_that_leaves_stops_the_fetch(
    half: bytes, politely: bool, tmp_path: Path
) -> None:
    """F21 E14: the upstream is let go, the spool is given back, and the entry says what happened"""
    asked = asyncio.Event()
    async with gateway([asked.set, half, Step.HOLD], tmp_path) as gate:
        async with calling(gate.port) as caller:
            await caller.send(request())
            await asked.wait()
            while half and not gate.spool.files_open:
                await asyncio.sleep(0)
            caller.writer.close() if politely else caller.reset()
            async with asyncio.timeout(3):  # less than upstream.read: no timer of ours ends it
                await gate.upstream.closed.wait()
                await gate.log.appended.wait()
        while gate.server.facts().exchanges:
            await asyncio.sleep(0)
        assert gate.log.codes == [Code.CALLER_LEFT]
        assert gate.log.entries[0].http_status == 499
        assert gate.log.entries[0].outcome is Outcome.REFUSED
        assert (gate.spool.files_open, gate.spool.bytes_used) == (0, 0)
        gate.upstream.answer = [response(SOUND)]
        async with calling(gate.port) as caller:
            await caller.send(request())
            assert (await caller.reply()).body == SOUND


async def test_a_caller_that_leaves_while_its_entry_is_written_gets_one_that_says_so(
    tmp_path: Path,
) -> None:
    """E14"""
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        gate.log.open.clear()
        await caller.send(request())
        while not gate.log.waiting:
            await asyncio.sleep(0)
        caller.reset()
        await asyncio.wait_for(gate.log.appended.wait(), 5)
        assert gate.log.codes == [Code.CALLER_LEFT]


async def test_a_caller_that_leaves_before_its_exchange_began_is_not_fetched_for(
    tmp_path: Path,
) -> None:
    """E14"""
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port):
        connections: Any = gate.server._listener and gate.server._listener.connections
        while not connections:
            await asyncio.sleep(0)
        (connection,) = connections
        connection.data_received(request())
        connection.transport.abort()  # lost between two turns of the loop
        await asyncio.wait_for(gate.log.appended.wait(), 5)
        assert gate.log.codes == [Code.CALLER_LEFT]
        assert gate.upstream.requests == []


async def test_how_much_of_a_release_was_sent_is_told_where_the_caller_leaves_it(
    tmp_path: Path,
) -> None:
    """E14: the entry was there before the first byte, and stays what it is"""
    with said.capture_logs() as told:
        async with gateway([response(BIG * 5)], tmp_path) as gate, calling(gate.port) as caller:
            await caller.send(request(b"/exports/1/archive"))
            await caller.reader.readexactly(1000)
            caller.reset()
            while gate.server.facts().exchanges or gate.spool.files_open:
                await asyncio.sleep(0)
            assert [entry.outcome for entry in gate.log.entries] == [Outcome.RELEASED]
    (line,) = told
    assert line["event"] == "release cut off"
    assert line["exchange_id"] == gate.log.entries[0].exchange_id
    assert 0 < line["sent"] < line["size"] == len(BIG * 5)


async def test_a_caller_with_many_slow_exports_does_not_keep_anothers_from_being_served(
    tmp_path: Path,
) -> None:
    """200 at once by one caller, where there are 100 places."""
    finish = asyncio.Event()

    async def answer(asked: bytes) -> Script:
        return [finish, response(SOUND)] if b"Bearer me" in asked else [response(SOUND)]

    async with AsyncExitStack() as stack:
        client = impatient(exchanges=100)
        gate = await stack.enter_async_context(gateway(answer, tmp_path, client=client))
        many = [await stack.enter_async_context(calling(gate.port)) for _ in range(200)]
        for caller in many:
            await caller.send(request())
        replies = [asyncio.create_task(caller.reply()) for caller in many]
        while len(gate.log.entries) < 150:
            await asyncio.sleep(0)
        assert gate.server.facts().exchanges == gate.server.facts().largest_share == 50
        other = await stack.enter_async_context(calling(gate.port))
        await other.send(request().replace(b"Bearer me", b"Bearer another"))
        assert (await other.reply()).body == SOUND
        finish.set()
        answers = await asyncio.gather(*replies)
        assert Counter(each.status for each in answers) == {200: 50, 503: 150}
        refused = next(each for each in answers if each.status == 503)
        assert (refused["Retry-After"], json.loads(refused.body)["code"]) == ("5", "overloaded")
        # What the caller had is free again.
        await many[0].send(request())
        assert (await many[0].reply()).status == 200
        assert gate.server.facts().largest_share == 0


async def test_exchanges_beyond_the_limit_are_refused_and_logged(tmp_path: Path) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()
    script: Script = [asked.set, answer, response(SOUND)]
    async with (
        gateway(script, tmp_path, client=impatient(exchanges=1)) as gate,
        calling(gate.port) as one,
        calling(gate.port) as two,
    ):
        await one.send(request())
        await asked.wait()
        await two.send(request())
        assert (await two.reply()).status == 503
        answer.set()
        assert (await one.reply()).status == 200
        await two.send(request())
        assert (await two.reply()).status == 200
        assert gate.log.codes == [Code.OVERLOADED, None, None]


async def test_two_hundred_callers_get_their_own(tmp_path: Path) -> None:
    """A42: unique canaries, random delays, callers that leave, connections used again."""
    dice = random.Random(42)

    async def answer(raw: bytes) -> Script:
        mine = raw.split(b" ")[1].split(b"n=")[1]
        await asyncio.sleep(dice.random() / 50)
        body = mine * dice.choice((1, 100, 20_000))
        return [response(body, chunked=dice.random() < 0.5)]

    async def call(port: int, number: int) -> int:
        async with calling(port) as caller:
            for turn in range(4):
                mine = b"%03d-%d;" % (number, turn)
                await caller.send(request(b"/exports/orders?n=" + mine.replace(b";", b"%3B")))
                if dice.random() < 0.2:
                    caller.leave()
                    return 1
                reply = await caller.reply()
                assert reply.status == 200
                spelled = mine.replace(b";", b"%3B")
                assert reply.body.replace(spelled, b"") == b""
                assert reply.body
            return 0

    async with gateway(answer, tmp_path, upstream={"connections": 20}) as gate:
        left = await asyncio.gather(*(call(gate.port, number) for number in range(200)))
        assert 10 < sum(left) < 190
        while gate.server.facts().exchanges:
            await asyncio.sleep(0.01)
        assert gate.upstream.connections < len(gate.upstream.requests)
        assert len(gate.log.entries) >= len(gate.upstream.requests)


async def test_a_drain_lets_exchanges_end(tmp_path: Path) -> None:
    """E12"""
    asked, answer = asyncio.Event(), asyncio.Event()
    script: Script = [asked.set, answer, response(SOUND)]
    async with (
        gateway(script, tmp_path) as gate,
        calling(gate.port) as busy,
        calling(gate.port) as idle,
    ):
        port = gate.port
        await busy.send(request())
        await asked.wait()
        stopping = asyncio.create_task(gate.server.stop(grace=10))
        assert await idle.rest() == b""
        with pytest.raises(ConnectionError):
            async with calling(port):
                pass
        await busy.send(request())  # too late: not even read
        answer.set()
        reply = await busy.reply()
        assert (reply.status, reply.body, reply["Connection"]) == (200, SOUND, "close")
        assert await busy.rest() == b""
        await stopping
        assert gate.log.codes == [None]


async def test_what_does_not_end_in_time_is_cut_off_and_logged(tmp_path: Path) -> None:
    """E12"""
    asked = asyncio.Event()
    script: Script = [asked.set, Step.HOLD]
    async with gateway(script, tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        await asked.wait()
        await gate.server.stop(grace=0.05)
        reply = await caller.reply()
        assert (reply.status, gate.log.codes) == (503, [Code.SHUTTING_DOWN])


async def test_half_a_head_at_the_end_is_logged(tmp_path: Path) -> None:
    """F21"""
    async with gateway([], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request()[:30])
        connections: Any = gate.server._listener and gate.server._listener.connections
        while not any(each._head_timer for each in connections):
            await asyncio.sleep(0)
        await gate.server.stop(grace=5)
        assert gate.log.codes == [Code.REQUEST_INCOMPLETE]


async def test_a_release_under_way_is_cut_off_visibly(tmp_path: Path) -> None:
    async with gateway([response(BIG * 5)], tmp_path) as gate, calling(gate.port) as caller:
        caller.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await caller.send(request(b"/exports/1/archive"))
        await asyncio.wait_for(gate.log.appended.wait(), 10)
        await gate.server.stop(grace=0.05)
        caller.reader._transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await caller.reply()
        assert gate.log.entries[0].outcome is Outcome.RELEASED


async def test_a_guard_that_fails_answers_with_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It never should; but then no byte leaves, and no text of the error is written."""

    async def broken(_: Request) -> None:
        raise KeyError("canary")

    settings = ProxySettings(Address("127.0.0.1", 0), UpstreamSettings(url="http://127.0.0.1:1"))
    server = DataServer(settings, broken)  # type: ignore[arg-type]
    await server.start()
    async with calling(server.address.port) as caller:
        await caller.send(request())
        assert await caller.rest() == b""
    await server.stop(grace=1)
    assert "KeyError at tests.proxy.test_server" in said.text(caplog)
    assert "canary" not in said.text(caplog)


async def test_the_port_can_be_had_once(tmp_path: Path) -> None:
    async with gateway([], tmp_path) as gate:
        settings = ProxySettings(gate.server.address, UpstreamSettings(url="http://127.0.0.1:1"))
        with pytest.raises(OSError):
            await DataServer(settings, gate.server._guard).start()


async def test_a_server_that_never_started_stops() -> None:
    settings = ProxySettings(Address("127.0.0.1", 0), UpstreamSettings(url="http://127.0.0.1:1"))
    server = DataServer(settings, None)  # type: ignore[arg-type]
    await server.stop()
    assert server.facts().connections == 0
