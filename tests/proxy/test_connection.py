"""What a caller may send: one reading of each connection, and an entry for each attempt."""

import asyncio
import logging
from pathlib import Path

import pytest

from gateway.errors import Code
from gateway.proxy.settings import RequestLimits
from tests.support import said
from tests.support.gate import Gate, gateway, impatient
from tests.support.wire import Caller, Script, calling, request, response

SOUND = b'{"orders": ["mine"]}'
CANARY = b"secret-0b5e55ed"
HOST = b"Host: gateway.test\r\n"
TOKEN = b"Authorization: Bearer me\r\n"


async def passes(gate: Gate) -> None:
    """The pass twin: the same gateway still serves what nothing is wrong with."""
    async with calling(gate.port) as caller:
        await caller.send(request())
        reply = await caller.reply()
        assert (reply.status, reply.body) == (200, SOUND)


def sent(name: str, raw: bytes) -> object:
    return pytest.param(raw, id=name)


@pytest.mark.parametrize(
    "raw",
    [
        sent("bare LF", request().replace(b"\r\n", b"\n")),
        sent("folded line", request(b"/", b"X-A: b\r\n c")),
        sent("space before the colon", request(b"/", b"X-A : b")),
        sent("no name", request(b"/", b": b")),
        sent("no colon", request(b"/", b"X-A")),
        sent("NUL in a value", request(b"/", b"X-A: \0")),  # C17
        sent("CR in a value", request(b"/", b"X-A: a\rb")),
        sent("0x80 in a value", request(b"/", b"X-A: \x80")),
        sent("0x7f in a value", request(b"/", b"X-A: \x7f")),
        sent("0x80 in a name", request(b"/", b"X-\x80: a")),
        sent("NUL in the target", request(b"/\0")),
        sent("0x80 in the target", request(b"/\x80")),
        sent("space in the target", request(b"/a b")),
        sent("no Host", request().replace(HOST, b"")),
        sent("two Hosts", request().replace(HOST, HOST * 2)),  # C11
        sent("two different Hosts", request().replace(HOST, HOST + b"Host: evil.test\r\n")),
        sent("a space in Host", request(host=b"a b")),
        sent("a path in Host", request(host=b"a/../b")),
        sent("credentials in Host", request(host=b"me@a")),
        sent("an empty Host", request(host=b"")),
        sent("absolute-form", request(b"http://evil.test/exports/orders")),
        sent("absolute-form of another kind", request(b"gopher://evil.test/exports/orders")),
        sent("link-local", request(b"http://169.254.169.254/latest/meta-data")),  # C12
        sent("a decimal address", request(b"http://2130706433/")),
        sent("a socket", request(b"unix:/run/app.sock")),
        sent("a mapped address", request(b"http://[::ffff:127.0.0.1]/")),
        sent("authority-form", request(b"evil.test:443", method=b"CONNECT")),  # C13
        sent("CONNECT to a path", request(method=b"CONNECT")),
        sent("asterisk-form", request(b"*", method=b"OPTIONS")),
        sent("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        sent("lower-case method", request(method=b"get")),
        sent("unknown method", request(method=b"EXPORT")),
        sent("HTTP/0.9", request(version=b"HTTP/0.9")),
        sent("HTTP/1.2", request(version=b"HTTP/1.2")),
        sent("HTTP/2.0", request(version=b"HTTP/2.0")),
        sent("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        sent("fragment", request(b"/exports/orders#/skip")),  # C29
        sent("fragment after the query", request(b"/exports/orders?#a")),
        sent("websocket", request(b"/", b"Connection: Upgrade", b"Upgrade: websocket")),  # A27
        sent("h2c", request(b"/", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c")),
        sent("upgrade without a name", request(b"/", b"Connection: keep-alive, upgrade")),
        sent("name without an upgrade", request(b"/", b"Upgrade: websocket")),
        sent("extension", request(b"/", b"Sec-WebSocket-Extensions: permessage-deflate")),
        sent("expectation without a body", request(b"/", b"Expect: 100-continue")),  # C06
        sent("body on GET", request(b"/", b"Content-Length: 2", body=b"hi")),
        sent("chunks on GET", request(b"/", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    ],
)
async def test_a_malformed_request_is_refused_logged_and_its_connection_closed(
    raw: bytes, tmp_path: Path
) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate:
        async with calling(gate.port) as caller:
            await caller.send(raw.replace(b"Bearer me", b"Bearer " + CANARY))
            reply = await caller.reply()
            assert (reply.status, await caller.rest()) == (400, b"")
            assert CANARY not in reply.raw
            assert b"evil" not in reply.raw
        assert len(gate.log.entries) == 1
        assert gate.log.codes[0] in (Code.REQUEST_MALFORMED, Code.REQUEST_AMBIGUOUS)
        assert gate.upstream.connections == 0
        await passes(gate)


@pytest.mark.parametrize(
    "length", [b"+5", b"-1", b"0x5", b"5, 5", b"1_0", "５".encode(), b"18446744073709551616",
               b"18446744073709551615", b"", b"5 5", b"5;", b"0005" + b"0" * 30],
)  # fmt: skip
async def test_a_length_that_is_not_one_number_is_refused(length: bytes, tmp_path: Path) -> None:
    """C05"""
    async with gateway([response(SOUND)], tmp_path) as gate:
        async with calling(gate.port) as caller:
            lines = (b"Content-Type: text/plain", b"Content-Length: " + length)
            await caller.send(request(b"/exports/orders", *lines, method=b"POST", body=b"hello"))
            assert (await caller.reply()).status == 400
            assert await caller.rest() == b""
        assert gate.upstream.connections == 0
        async with calling(gate.port) as caller:
            lines = (b"Content-Type: text/plain", b"Content-Length: 5")
            await caller.send(request(b"/exports/orders", *lines, method=b"POST", body=b"hello"))
            assert (await caller.reply()).status == 200
            assert gate.upstream.requests[0].endswith(b"\r\n\r\nhello")


def obfuscations() -> list[bytes]:
    """Ways to write `Transfer-Encoding: chunked` that some server reads and another doesn't."""
    te, chunked = b"Transfer-Encoding", b"chunked"
    lines = [
        b" " + te + b": " + chunked,
        b"\t" + te + b":\t" + chunked,
        te + b" : " + chunked,
        te + b"\t: " + chunked,
        te + b":" + chunked,
        te + b":  " + chunked,
        te + b": " + chunked + b" ",
        te + b": " + chunked + b"\t",
        te + b":\n " + chunked,
        te + b":\r\n " + chunked,
        te + b"\r\n : " + chunked,
        b"Transfer Encoding: " + chunked,
        b"Transfer_Encoding: " + chunked,
        b"TransferEncoding: " + chunked,
        b"Transfer-Encoding-X: " + chunked,
        b"X: y\r" + te + b": " + chunked,
        b"X: y\n" + te + b": " + chunked,
        b"Content-Encoding: " + chunked,
        te + b': "chunked"',
        te + b": 'chunked'",
        te + b": chunk",
        te + b": cHuNkEd",
        b"TRANSFER-ENCODING: CHUNKED",
        te + b": chunked, cow",
        te + b": cow, chunked",
        te + b": chunked, chunked",
        te + b": chunked,",
        te + b": ,chunked",
        te + b": identity, chunked",
        te + b": chunked, identity",
        te + b": gzip, chunked",
        te + b": chunked;q=1",
        te + b": chunked\r\n" + te + b": cow",
        te + b": cow\r\n" + te + b": chunked",
        te + b": chunked\r\n" + te + b": chunked",
        te + b": identity\r\n" + te + b": chunked",
        te + b":",
        te + b": ",
        te + b": identity",
        te + b"\xff: " + chunked,
        te + b": \xff" + chunked,
    ]
    odd = [bytes([code]) for code in (*range(0x20), 0x22, 0x2C, 0x3B, 0x5C, *range(0x7F, 0x100))]
    for char in odd:
        lines += [
            te + b":" + char + chunked,
            te + b": " + char + chunked,
            te + b": " + chunked + char,
            te + b": " + chunked + char + b"cow",
            char + te + b": " + chunked,
            te + char + b": " + chunked,
            b"X: a" + char + b"\r\n" + te + b": " + chunked + b"\r\nX: b" + char,
        ]
    return lines


@pytest.mark.parametrize("with_length", [True, False])
async def test_no_spelling_of_chunked_smuggles_a_request(with_length: bool, tmp_path: Path) -> None:
    """C01: either 400 and the end, or exactly one request with exactly one body."""
    hidden = b"GET /exports/orders?hidden HTTP/1.1\r\n" + HOST + TOKEN + b"\r\n"
    lines, turn = obfuscations(), asyncio.Semaphore(20)
    whole = b"0\r\n\r\n" + hidden if with_length else b"5\r\nhello\r\n0\r\n\r\n"
    bodies = (whole, b"") if with_length else (b"hello", b"")
    statuses = []

    async def play(number: int, line: bytes) -> None:
        framing = (b"Content-Length: %d" % len(whole), line) if with_length else (line,)
        target = b"/exports/orders?case=%d" % number
        async with turn, calling(gate.port) as caller:
            await caller.send(request(target, *framing, method=b"POST", body=whole))
            statuses.append((await caller.reply()).status)
            caller.writer.write_eof()
            await caller.rest()

    async with gateway([response(SOUND)], tmp_path) as gate:
        async with asyncio.TaskGroup() as group:
            for number, line in enumerate(lines):
                group.create_task(play(number, line))
        await gate.server.stop(grace=5)
        assert len(lines) > 1000
        assert set(statuses) == {200, 400}
        targets = [raw.split(b" ")[1] for raw in gate.upstream.requests]
        assert len(targets) == len(set(targets)) == statuses.count(200)
        for raw in gate.upstream.requests:
            head, body = raw.split(b"\r\n\r\n", 1)
            assert head.startswith(b"POST /exports/orders?case=")
            assert body in bodies
            assert b"cow" not in head


@pytest.mark.parametrize("change", [b"", b"+1"])
async def test_each_limit_holds_to_the_byte(change: bytes, tmp_path: Path) -> None:
    """C16"""
    over = 1 if change else 0
    limits = RequestLimits(target=1000, field=500, head=4000, fields=20)
    path = b"/exports/orders"
    fixed = len(b"Host: gateway.test" + b"Authorization: Bearer me") + 2 * 2
    filler = [b"X-%02d: " % n + b"a" * 490 for n in range(8)]
    rest = 4000 - fixed - sum(len(line) + 2 for line in filler[:7])
    cases = [
        request(path + b"?a=" + b"b" * (1000 - len(path) - 3 + over)),
        request(path, b"X-A: " + b"b" * (497 + over)),
        request(path, *filler[:7], b"X-A: " + b"b" * (rest - len(b"X-A: ") - 2 + over)),
        request(path, *[b"X-A: b"] * (18 + over)),
    ]
    async with gateway([response(SOUND)], tmp_path, limits=limits) as gate:
        for raw in cases:
            async with calling(gate.port) as caller:
                await caller.send(raw)
                assert (await caller.reply()).status == (400 if over else 200)
        assert set(gate.log.codes) == {Code.REQUEST_TOO_LARGE if over else None}
        assert len(gate.log.codes) == len(cases)


async def test_an_endless_line_is_cut_off(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate:
        for start in (b"GET /", b"GET / HTTP/1.1\r\nX-A: "):
            async with calling(gate.port) as caller:
                await caller.send(start, b"a" * 100_000)
                assert (await caller.reply()).status == 400
        assert gate.log.codes == [Code.REQUEST_TOO_LARGE] * 2
        await passes(gate)


async def test_a_head_that_does_not_arrive_is_refused_and_logged(tmp_path: Path) -> None:
    """C20"""
    async with gateway([response(SOUND)], tmp_path, client=impatient(head=0.1)) as gate:
        async with calling(gate.port) as caller:
            await caller.send(request()[:-10])
            assert (await caller.reply()).status == 400
            assert await caller.rest() == b""
        assert gate.log.codes == [Code.REQUEST_INCOMPLETE]
        await passes(gate)


async def test_a_head_may_come_in_pieces(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(*(request()[index : index + 1] for index in range(len(request()))))
        assert (await caller.reply()).status == 200
        await caller.send(b"\r\n", request())
        assert (await caller.reply()).status == 200


async def test_a_caller_that_leaves_in_mid_head_is_logged(tmp_path: Path) -> None:
    """F21"""
    async with gateway([response(SOUND)], tmp_path) as gate:
        for raw in (b"G", request()[:30], request()[:-2]):
            gate.log.appended.clear()
            async with calling(gate.port) as caller:
                await caller.send(raw)
                caller.writer.write_eof()
                await caller.rest()
            await asyncio.wait_for(gate.log.appended.wait(), 5)
        assert gate.log.codes == [Code.REQUEST_INCOMPLETE] * 3
        await passes(gate)


async def test_requests_behind_the_one_at_which_a_caller_leaves_are_logged(tmp_path: Path) -> None:
    """F21"""
    async with gateway([response(SOUND)], tmp_path) as gate:
        gate.log.open.clear()
        async with calling(gate.port) as caller:
            await caller.send(request() * 3 + request()[:30])
            while not gate.log.waiting:
                await asyncio.sleep(0)
        while gate.log.waiting < 3:
            await asyncio.sleep(0)
        gate.log.open.set()
        await passes(gate)
        assert len(gate.upstream.requests) == 2
        assert gate.log.codes.count(Code.REQUEST_INCOMPLETE) == 3
        assert gate.log.codes.count(Code.CALLER_LEFT) == 1
        assert gate.log.codes.count(None) == 1


async def test_a_body_that_a_caller_breaks_off_is_one_exchange(tmp_path: Path) -> None:
    lines = (b"Content-Type: text/plain", b"Content-Length: 5")
    async with gateway([response(SOUND)], tmp_path) as gate:
        async with calling(gate.port) as caller:
            await caller.send(request(b"/exports/orders", *lines, method=b"POST", body=b"hi"))
            await _asked(gate)
        await asyncio.wait_for(gate.log.appended.wait(), 5)
        await passes(gate)
        assert gate.log.codes == [Code.REQUEST_INCOMPLETE, None]


async def test_half_a_head_behind_an_answered_request_is_logged(tmp_path: Path) -> None:
    """F21"""
    async with gateway([response(SOUND)], tmp_path, client=impatient(idle=0.1)) as gate:
        gate.log.open.clear()
        async with calling(gate.port) as caller:
            await caller.send(request() + request()[:30])
            while not gate.log.waiting:
                await asyncio.sleep(0)
            gate.log.open.set()
            assert (await caller.reply()).status == 200
            assert await caller.rest() == b""
        await passes(gate)
        assert sorted(map(str, gate.log.codes)) == ["None", "None", "request_incomplete"]


async def test_what_stands_behind_an_answer_that_closes_was_never_asked(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate:
        gate.log.open.clear()
        async with calling(gate.port) as caller:
            await caller.send(request(b"/;"))
            while not gate.log.waiting:
                await asyncio.sleep(0)
            await caller.send(request(), request()[:30])
            gate.log.open.set()
            assert (await caller.reply()).status == 400
            assert await caller.rest() == b""
        await passes(gate)
        assert gate.log.codes == [Code.REQUEST_AMBIGUOUS, None]


async def test_a_connection_without_a_request_is_no_exchange(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path, client=impatient(idle=0.1)) as gate:
        async with calling(gate.port) as caller:
            assert await caller.rest() == b""
        async with calling(gate.port) as caller:
            await caller.send(b"\r\n")
            assert await caller.rest() == b""
        await passes(gate)
        assert gate.log.codes == [None]


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    """C07"""

    async def echo(raw: bytes) -> Script:
        return [response(raw.split(b" ")[1])]

    async with gateway(echo, tmp_path) as gate, calling(gate.port) as caller:
        targets = [b"/exports/orders?n=%d" % number for number in range(1000)]
        sending = asyncio.create_task(caller.send(*(request(target) for target in targets)))
        for target in targets:
            assert (await caller.reply()).body == target
        await sending


async def test_garbage_behind_a_request_never_becomes_one(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate:
        async with calling(gate.port) as caller:
            await caller.send(request() + b"GARBAGE\r\n\r\n" + request(b"/exports/orders?hidden"))
            assert (await caller.reply()).status in (200, 400)
            await caller.rest()
        assert not any(b"hidden" in raw for raw in gate.upstream.requests)
        assert all(code in (None, Code.REQUEST_MALFORMED) for code in gate.log.codes)
        await passes(gate)


async def test_an_upgrade_with_a_body_smuggles_nothing(tmp_path: Path) -> None:
    """C06"""
    hidden = request(b"/exports/orders?hidden")
    lines = (b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: %d" % len(hidden))
    raw = request(b"/exports/orders", *lines, method=b"POST", body=hidden + hidden)
    async with gateway([response(SOUND)], tmp_path) as gate:
        async with calling(gate.port) as caller:
            await caller.send(raw)
            assert (await caller.reply()).status == 400
            assert await caller.rest() == b""
        assert gate.upstream.connections == 0
        assert len(gate.log.entries) == 1
        await passes(gate)


async def test_nothing_that_a_caller_sent_is_written_to_the_program_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F02: aiohttp logs a trace that quotes the request."""
    caplog.set_level(logging.DEBUG)
    async with gateway([response(SOUND)], tmp_path) as gate:
        for raw in (CANARY + b"\r\n\r\n", request(b"/" + CANARY, b"X : " + CANARY)):
            async with calling(gate.port) as caller:
                await caller.send(raw)
                assert (await caller.reply()).status == 400
    assert CANARY.decode() not in said.text(caplog)
    assert "Traceback" not in said.text(caplog)


async def test_connections_beyond_the_limit_are_closed(tmp_path: Path) -> None:
    few = impatient(connections=2)
    async with (
        gateway([response(SOUND)], tmp_path, client=few) as gate,
        calling(gate.port) as one,
        calling(gate.port) as two,
    ):
        for caller in (one, two):
            await caller.send(request())
            assert (await caller.reply()).status == 200
        async with calling(gate.port) as three:
            assert await three.rest() == b""
        await one.send(request())
        assert (await one.reply()).status == 200
        assert gate.server.facts().connections == 2


@pytest.mark.parametrize(
    ("raw", "stays"),
    [
        (request(), True),
        (request(b"/exports/orders", b"Connection: close"), False),
        (request(version=b"HTTP/1.0"), False),
        (request(version=b"HTTP/1.0").replace(HOST, b""), False),
    ],
)
async def test_a_connection_lasts_as_long_as_the_caller_wants(
    raw: bytes, stays: bool, tmp_path: Path
) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(raw)
        reply = await caller.reply()
        assert reply.status == 200
        assert ("Connection" not in reply) is stays
        if not stays:
            assert await caller.rest() == b""


async def test_a_body_that_breaks_is_refused_at_once(tmp_path: Path) -> None:
    """aiohttp by itself would let the reader of the body wait."""
    lines = (b"Content-Type: text/plain", b"Transfer-Encoding: chunked")
    start = request(b"/exports/orders", *lines, method=b"POST", body=b"2\r\nhi\r\n")
    client = impatient(body=60)
    async with gateway([response(SOUND)], tmp_path, client=client) as gate:
        async with calling(gate.port) as caller:
            await caller.send(start)
            await _asked(gate)
            await caller.send(b"zz\r\n")
            assert (await asyncio.wait_for(caller.reply(), 20)).status == 400
            assert await caller.rest() == b""
        assert gate.log.codes == [Code.REQUEST_MALFORMED]
        await passes(gate)


async def _asked(gate: Gate) -> None:
    """The upstream has a connection: the request's body is being read."""
    while not gate.upstream.connections:
        await asyncio.sleep(0)


async def test_only_one_answer_is_given_to_what_cannot_be_parsed(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate:
        gate.log.open.clear()
        async with calling(gate.port) as caller:
            await _garbage(gate, caller)
        assert gate.log.codes == [Code.REQUEST_MALFORMED]


async def _garbage(gate: Gate, caller: Caller) -> None:
    await caller.send(b"GARBAGE\r\n\r\n")
    while not gate.server.facts().exchanges:
        await asyncio.sleep(0)
    await caller.send(b"MORE\r\n\r\n", request())
    gate.log.open.set()
    assert (await caller.reply()).status == 400
    assert await caller.rest() == b""
