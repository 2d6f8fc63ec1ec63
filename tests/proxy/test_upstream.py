"""What the upstream may say, and what becomes of everything else it says."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader

from gateway.endpoints import Route
from gateway.errors import Code, Refusal, Unavailable
from gateway.inspection.settings import Limits
from gateway.model import Admitted, SubjectRef
from gateway.proxy.settings import UpstreamSettings
from gateway.proxy.upstream import Arriving, UpstreamClient, _small
from gateway.spool import Kept, Spool, SpoolSettings, Writer
from tests.support.gate import ENDPOINTS, gateway, impatient
from tests.support.wire import (
    Script,
    ScriptedUpstream,
    Step,
    calling,
    read_request,
    request,
    response,
)

CANARY = b"foreign-7f3a91"
BODY = b'{"orders": ["' + CANARY + b'"]}'
SOUND = b'{"orders": ["mine"]}'
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
LENGTH = b"Content-Length: %d\r\n" % len(BODY)


def fetch(*scripts: Script):  # type: ignore[no-untyped-def]
    """The first requests get the scripts, every later one a sound response."""
    rest = list(scripts)

    async def answer(_: bytes) -> Script:
        return rest.pop(0) if rest else [response(SOUND)]

    return answer


async def refused(tmp_path: Path, script: Script, code: Code, status: int = 502) -> None:
    """The response is refused, nothing of it arrives, and the next caller gets the next one."""
    async with gateway(fetch(script), tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        reply = await caller.reply()
        assert (reply.status, gate.log.codes) == (status, [code])
        assert CANARY not in reply.raw
        assert b"%b" % code.encode() in reply.body
        await asyncio.wait_for(gate.upstream.closed.wait(), 5)
        await caller.send(request())
        reply = await caller.reply()
        assert (reply.status, reply.body) == (200, SOUND)
        assert len(gate.upstream.requests) == 2
        assert gate.upstream.connections == 2


def said(name: str, head: bytes, body: bytes = BODY) -> object:
    return pytest.param(head + body, id=name)


def with_fields(*lines: bytes) -> bytes:
    head = (OK.rstrip(), b"Content-Type: application/json", LENGTH.rstrip(), *lines, b"", b"")
    return b"\r\n".join(head)


@pytest.mark.parametrize(
    "answer",
    [
        said("status 999", with_fields().replace(b"200", b"999")),  # A37
        said("status 99", with_fields().replace(b"200", b"99")),
        said("status 099", with_fields().replace(b"200", b"099")),
        said("status 600", with_fields().replace(b"200", b"600")),
        said("status 2000", with_fields().replace(b"200", b"2000")),
        said("HTTP/2.0", with_fields().replace(b"HTTP/1.1", b"HTTP/2.0")),
        said("HTTP/0.9", with_fields().replace(b"HTTP/1.1", b"HTTP/0.9")),
        said("no status line", b""),
        said("NUL in the reason", with_fields().replace(b"200 OK", b"200 O\0K")),
        said("CR in the reason", with_fields().replace(b"200 OK", b"200 O\rK")),
        said("escape in the reason", with_fields().replace(b"200 OK", b"200 O\x1bK")),
        said("bare LF", with_fields().replace(b"\r\n", b"\n")),  # C04
        said("folded line", with_fields(b"X-A: b\r\n c")),
        said("two content types", with_fields(b"Content-Type: text/csv")),  # A16
        said("two lengths", with_fields(LENGTH.rstrip())),  # A34
        said("two different lengths", with_fields(b"Content-Length: 3")),
        said("a length and chunks", with_fields(b"Transfer-Encoding: chunked"), CHUNK),
        said("a signed length", with_fields().replace(b"Length: ", b"Length: +")),  # C05
        said("a length in a list", with_fields().replace(LENGTH, b"Content-Length: 27, 27\r\n")),
        said("a length in hex", with_fields().replace(LENGTH, b"Content-Length: 0x1b\r\n")),
        said("gzip, chunked", CHUNKED.replace(b"chunked", b"gzip, chunked"), CHUNK),  # A12
        said("chunked, gzip", CHUNKED.replace(b"chunked", b"chunked, gzip"), CHUNK),
        said("chunked twice", CHUNKED.replace(b"chunked", b"chunked, chunked"), CHUNK),
        said("xchunked", CHUNKED.replace(b"chunked", b"xchunked"), CHUNK),
        said("identity", CHUNKED.replace(b"chunked", b"identity"), CHUNK),
        said("space after the chunk size", CHUNKED, CHUNK.replace(b"\r\n", b" \r\n", 1)),
        said("bare LF after the chunk size", CHUNKED, CHUNK.replace(b"\r\n", b"\n", 1)),
        said("chunk size in words", CHUNKED, b"zz\r\n" + CHUNK),
        said("chunk size with a sign", CHUNKED, b"+" + CHUNK),
        said("NUL in a field", with_fields(b"X-A: \0")),  # C19
        said("CR in a field", with_fields(b"X-A: a\rb")),
        said("control character in a field", with_fields(b"X-A: \x01")),
        said("space before the colon", with_fields(b"X-A : b")),
        said("no name", with_fields(b": b")),
        said("too long a field", with_fields(b"X-A: " + b"a" * 8192)),  # C16
        said("too many fields", with_fields(*[b"X-A: b"] * 128)),
        said("too large a head", with_fields(*[b"X-A: " + b"b" * 8000] * 9)),
        said("content range", with_fields(b"Content-Range: bytes 0-26/99")),  # A22
        said("more than its length", with_fields(), BODY + CANARY),
        said("another response after it", with_fields(), BODY + response(BODY)),
    ],
)
async def test_a_response_that_can_be_read_in_two_ways_is_refused(
    answer: bytes, tmp_path: Path
) -> None:
    """A12 A16 A34 A37 C04 C05 C16 C19"""
    await refused(tmp_path, [answer, Step.HOLD], Code.UPSTREAM_PROTOCOL)


@pytest.mark.parametrize("status", [201, 202, 203, 204, 205, 206, 226, 300, 301, 302, 303, 304])
async def test_only_200_passes(status: int, tmp_path: Path) -> None:
    """A22 A23 A28: not even a location leaks."""
    answer = response(
        BODY,
        b"Location: https://store.test/?X-Amz-Signature=" + CANARY,
        b"Refresh: 0;url=https://store.test/?sig=" + CANARY,
        b"Link: <https://store.test/?sig=" + CANARY + b">; rel=next",
        b"Content-Location: /" + CANARY,
        status=b"HTTP/1.1 %d Hm" % status,
    )
    if status in (204, 304):  # the parser takes a body after these for the next response
        await refused(tmp_path, [answer[: -len(BODY)], Step.HOLD], Code.UPSTREAM_STATUS)
    else:
        await refused(tmp_path, [answer, Step.HOLD], Code.UPSTREAM_STATUS)


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_is_never_followed(status: int, tmp_path: Path) -> None:
    """A29"""
    async with ScriptedUpstream([response(BODY)]).serving() as target:
        location = b"Location: http://127.0.0.1:%d/" % target.port
        answer = response(b"", location, status=b"HTTP/1.1 %d Hm" % status)
        await refused(tmp_path, [answer], Code.UPSTREAM_STATUS)
        assert target.connections == 0


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_a_body_after_a_status_without_one_reaches_nobody(
    status: int, tmp_path: Path
) -> None:
    """A26: whether it comes with the head or after the gateway has read that."""
    head = b"HTTP/1.1 %d Hm\r\nContent-Length: %d\r\n\r\n" % (status, len(response(BODY)))
    for script in ([head + response(BODY), Step.HOLD], [head, response(BODY), Step.HOLD]):
        async with gateway(fetch(script), tmp_path) as gate, calling(gate.port) as caller:
            await caller.send(request())
            first = await caller.reply()
            await caller.send(request())
            second = await caller.reply()
            assert (first.status, second.status, second.body) == (502, 200, SOUND)
            assert CANARY not in first.raw + second.raw


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </" + CANARY + b">; rel=preload\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\nX-A: " + CANARY + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_an_interim_response_is_not_forwarded(interim: bytes, tmp_path: Path) -> None:
    """A25"""
    script = [interim * 3, response(SOUND)]
    async with gateway(script, tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        reply = await caller.reply()
        assert (reply.status, reply.body) == (200, SOUND)
        assert CANARY not in reply.raw and b"103" not in reply.raw


async def test_an_unasked_switch_of_protocols_is_refused(tmp_path: Path) -> None:
    """A25"""
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    await refused(tmp_path, [switch + BODY, Step.HOLD], Code.UPSTREAM_STATUS)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 416, 429, 499, 500, 503, 599])
async def test_an_error_keeps_its_status_and_loses_its_body(status: int, tmp_path: Path) -> None:
    """A36"""
    answer = response(BODY, b"X-Debug: " + CANARY, status=b"HTTP/1.1 %d Hm" % status)
    code = Code.UPSTREAM_ERROR if status >= 500 else Code.UPSTREAM_REFUSED
    await refused(tmp_path, [answer, Step.HOLD], code, status)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param([OK + b"\r\n" + BODY, Step.CLOSE], Code.BODY_INCOMPLETE, id="until close"),
        pytest.param(
            [OK.replace(b"1.1", b"1.0") + b"\r\n" + BODY, Step.CLOSE],
            Code.BODY_INCOMPLETE,
            id="HTTP/1.0 until close",
        ),
        pytest.param(
            [with_fields() + BODY[:-1], Step.CLOSE], Code.BODY_INCOMPLETE, id="shorter than said"
        ),
        pytest.param([CHUNKED + CHUNK, Step.CLOSE], Code.BODY_INCOMPLETE, id="no last chunk"),
        pytest.param([CHUNKED + CHUNK + b"0\r\n", Step.CLOSE], Code.BODY_INCOMPLETE, id="no end"),
        pytest.param([CHUNKED + CHUNK[:-4], Step.CLOSE], Code.BODY_INCOMPLETE, id="half a chunk"),
        pytest.param([with_fields() + BODY[:-1], Step.RESET], Code.BODY_INCOMPLETE, id="reset"),
        pytest.param([Step.CLOSE], Code.UPSTREAM_UNREACHABLE, id="no answer"),
        pytest.param([Step.RESET], Code.UPSTREAM_UNREACHABLE, id="reset before the head"),
        pytest.param([OK, Step.CLOSE], Code.UPSTREAM_UNREACHABLE, id="half a head"),
        pytest.param(
            [OK + b"Content-Length: 18446744073709551615\r\n\r\n" + BODY, Step.HOLD],
            Code.UPSTREAM_PROTOCOL,
            id="the length that llhttp takes for none",
        ),
    ],
)
async def test_a_body_whose_end_is_not_proven_is_refused(
    script: Script, code: Code, tmp_path: Path
) -> None:
    """A34 A35 C21"""
    await refused(tmp_path, script, code)


async def test_a_malformed_chunk_in_mid_body_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiohttp by itself would wait for the rest until the total timeout."""
    read = asyncio.Event()
    monkeypatch.setattr(Writer, "write", lambda *_: read.set())

    async def answer(_: bytes) -> Script:
        return [CHUNKED + CHUNK, read, b"zz\r\n", Step.HOLD]

    patient = {"read": 60, "total": 60}
    async with gateway(answer, tmp_path, upstream=patient) as gate, calling(gate.port) as caller:
        await caller.send(request())
        reply = await asyncio.wait_for(caller.reply(), 20)
        assert (reply.status, gate.log.codes) == (502, [Code.UPSTREAM_PROTOCOL])


@pytest.mark.parametrize(
    "answer",
    [
        response(SOUND),
        response(SOUND, chunked=True),
        response(SOUND, status=b"HTTP/1.0 200 OK"),
        response(SOUND, status=b"HTTP/1.1 200 "),
        response(SOUND, status=b"HTTP/1.1 200"),
        response(SOUND, b"Connection: close"),
        response(SOUND, b"X-Name: J\xc3\xbcrgen", b"X-Name: J\xfcrgen"),
        CHUNKED + b"5;name=" + CANARY + b'\r\n{"ord\r\nf\r\ners": ["mine"]}\r\n'
        b"0\r\nX-Trailer: " + CANARY + b"\r\n\r\n",
        CHUNKED.replace(b"chunked", b"Chunked")
        + b"".join(b"1\r\n%c\r\n" % byte for byte in SOUND)
        + b"0\r\n\r\n",
    ],
)
async def test_every_sound_framing_passes_and_nothing_but_the_body_does(
    answer: bytes, tmp_path: Path
) -> None:
    """A32 A33: extensions and trailers are dropped."""
    async with gateway([answer], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        reply = await caller.reply()
        assert (reply.status, reply.body) == (200, SOUND)
        assert CANARY not in reply.raw


async def test_response_fields_are_an_allow_list(tmp_path: Path) -> None:
    """A21 A31 A41"""
    lines = [
        b"Set-Cookie: id=" + CANARY,
        b"X-User-Email: " + CANARY,
        b"Server-Timing: db;desc=" + CANARY,
        b"Server: " + CANARY,
        b"ETag: " + CANARY,
        b"Digest: " + CANARY,
        b"Cache-Control: public, s-maxage=600",
        b"CDN-Cache-Control: max-age=600",
        b"Age: 5",
        b"Vary: *",
        b"Content-Language: " + CANARY,
        b"Content-Disposition: inline; filename=../" + CANARY,
        b"Alt-Svc: h2=" + CANARY,
        b"Refresh: 0;url=/" + CANARY,
        b"Link: </" + CANARY + b">",
        b"X-Content-Type-Options: none",
        b"X-Exchange-Id: " + CANARY,
    ]
    sound = response(SOUND, *lines, content_type=b"application/json; name=" + CANARY)
    async with gateway([sound], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        reply = await caller.reply()
        assert CANARY not in reply.raw
        assert dict(reply.headers) == {
            "Content-Type": "application/json",
            "Content-Disposition": 'attachment; filename="orders.json"',
            "Cache-Control": "private, no-store",
            "Vary": "Authorization",
            "X-Content-Type-Options": "nosniff",
            "X-Exchange-Id": f"{0:032x}",
            "Content-Length": str(len(SOUND)),
        }


async def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_passes(
    tmp_path: Path,
) -> None:
    limit = 4 * 2**20
    for framed in (False, True):
        over = [response(b"x" * (limit + 1), chunked=framed)]
        await refused(tmp_path, over, Code.BODY_TOO_LARGE)
        exact = [response(b"x" * limit, chunked=framed)]
        async with gateway(exact, tmp_path) as gate, calling(gate.port) as caller:
            await caller.send(request())
            assert (await caller.reply()).body == b"x" * limit


async def test_a_full_spool_refuses_with_503_and_recovers(tmp_path: Path) -> None:
    big = response(b"x" * 2**20)
    spool = {"limit": 2**19, "memory": 2**10}
    answers = fetch([big])
    async with gateway(answers, tmp_path, spool=spool) as gate, calling(gate.port) as caller:
        await caller.send(request())
        assert (await caller.reply()).status == 503
        assert gate.spool.bytes_used == gate.spool.files_open == 0
        await caller.send(request())
        assert (await caller.reply()).body == SOUND
        assert gate.log.codes == [Code.SPOOL_FULL, None]


LARGE = b"x" * (3 * 2**20 + 5)
"""It is received past the parser; see `intake`."""
LARGE_HEAD, _, _ = response(LARGE).partition(b"\r\n\r\n")
LARGE_HEAD += b"\r\n\r\n"


def cut_up(*ends: bytes | Step) -> Script:
    """The large body in pieces of all sizes, then the ends."""
    begin, middle = LARGE[:100], LARGE[100 : 2**20]
    return [LARGE_HEAD, begin, middle, LARGE[2**20 : -1], LARGE[-1:], *ends]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([response(LARGE)], id="at once"),
        pytest.param(cut_up(), id="in pieces"),
        pytest.param([response(LARGE) + b"\r\n"], id="an empty line behind it"),
        pytest.param([response(LARGE, chunked=True)], id="in a chunk"),
    ],
)
async def test_large_bodies_arrive_to_the_byte_and_leave_the_connection_for_the_next(
    script: Script, tmp_path: Path
) -> None:
    async with gateway(fetch(script, script), tmp_path) as gate, calling(gate.port) as caller:
        for body in (LARGE, LARGE, SOUND):
            await caller.send(request())
            reply = await caller.reply()
            assert (reply.status, reply.body) == (200, body)
        assert gate.upstream.connections == 1
        assert gate.spool.files_open == gate.spool.bytes_held == 0


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([response(LARGE)], id="at once"),
        pytest.param(cut_up(), id="in pieces"),
        pytest.param([response(LARGE, chunked=True)], id="of unknown length"),
    ],
)
async def test_a_body_that_fits_into_memory_never_touches_the_disk_and_counts_while_it_is_there(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    def counted(kept: Kept, size: int) -> None:
        sizes.append(size)
        take(kept, size)

    sizes: list[int] = []
    take, spool = Kept.take, {"memory": len(LARGE)}
    monkeypatch.setattr(Spool, "open", never)
    monkeypatch.setattr(Kept, "take", counted)
    async with gateway(fetch(script), tmp_path, spool=spool) as gate, calling(gate.port) as caller:
        await caller.send(request())
        assert (await caller.reply()).body == LARGE
        assert sum(sizes) == len(LARGE)
        assert gate.spool.bytes_held == 0


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param([response(LARGE)[:-1], Step.CLOSE], Code.BODY_INCOMPLETE, id="a byte less"),
        pytest.param([response(LARGE)[:-1], Step.RESET], Code.BODY_INCOMPLETE, id="reset"),
        pytest.param(
            [response(LARGE) + CANARY, Step.HOLD], Code.UPSTREAM_PROTOCOL, id="more than its length"
        ),
        pytest.param([response(LARGE) + b"H", Step.HOLD], Code.UPSTREAM_PROTOCOL, id="a byte more"),
        pytest.param(
            [response(LARGE) + response(BODY), Step.HOLD],
            Code.UPSTREAM_PROTOCOL,
            id="another response after it",
        ),
    ],
)
async def test_a_large_body_with_another_end_than_its_own_is_refused(
    script: Script, code: Code, tmp_path: Path
) -> None:
    await refused(tmp_path, script, code)


async def test_no_more_of_a_small_body_is_read_than_shows_that_it_is_too_long() -> None:
    loop = asyncio.get_running_loop()
    connection = BaseProtocol(loop)
    connection.connection_made(asyncio.Transport())
    content = StreamReader(connection, 2**16, loop=loop)
    reading = asyncio.create_task(_small(content, 150))
    for _ in range(2):
        content.feed_data(b"x" * 100)
        await asyncio.sleep(0)
    assert await reading == b"x" * 200  # and its end never came


@pytest.mark.parametrize("extra", [response(BODY), b"HTTP/1.1 200 OK\r\n", b"H", CANARY])
async def test_what_comes_after_a_large_body_reaches_nobody(extra: bytes, tmp_path: Path) -> None:
    """C22"""
    go, gone = asyncio.Event(), asyncio.Event()
    answers = fetch([response(LARGE), go, extra, gone.set])
    async with gateway(answers, tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        assert (await caller.reply()).body == LARGE
        go.set()
        await gone.wait()
        await caller.send(request())
        reply = await caller.reply()
        assert (reply.status, reply.body) == (200, SOUND)
        assert gate.upstream.connections == 2


async def test_a_large_body_that_stalls_is_late(tmp_path: Path) -> None:
    """C21"""
    answers = fetch([response(LARGE)[:-1], Step.HOLD])
    hasty = {"read": 0.1}
    async with gateway(answers, tmp_path, upstream=hasty) as gate, calling(gate.port) as caller:
        await caller.send(request())
        assert (await caller.reply()).status == 504
        assert gate.log.codes == [Code.UPSTREAM_TIMEOUT]
        assert gate.spool.files_open == gate.spool.bytes_held == 0


async def test_a_large_body_fails_when_the_client_stops(tmp_path: Path) -> None:
    asked = asyncio.Event()
    script: Script = [response(LARGE)[:-1], asked.set, Step.HOLD]
    async with gateway(script, tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        await asked.wait()
        await gate.client.stop()
        assert (await caller.reply()).status == 502
        assert gate.spool.files_open == gate.spool.bytes_held == 0


async def test_a_disk_that_fills_up_under_a_large_body_refuses_with_503(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Unavailable(Code.SPOOL_FULL, "no space left")

    answers = fetch([LARGE_HEAD, LARGE])
    async with gateway(answers, tmp_path) as gate, calling(gate.port) as caller:
        with monkeypatch.context() as patch:
            patch.setattr(Writer, "write_at_once", full)
            await caller.send(request())
            assert (await caller.reply()).status == 503
        assert gate.spool.files_open == gate.spool.bytes_held == 0
        await caller.send(request())
        assert (await caller.reply()).body == SOUND
        assert gate.log.codes == [Code.SPOOL_FULL, None]


@pytest.mark.parametrize("half", [b"", LARGE[:-1]], ids=["before its body", "in its midst"])
async def test_a_caller_that_leaves_stops_a_large_body(half: bytes, tmp_path: Path) -> None:
    """F21"""
    asked = asyncio.Event()
    script: Script = [LARGE_HEAD + half, asked.set, Step.HOLD]
    async with gateway(fetch(script), tmp_path) as gate:
        async with calling(gate.port) as caller:
            await caller.send(request())
            await asked.wait()
            caller.leave()
            await asyncio.wait_for(gate.log.appended.wait(), 5)
        await asyncio.wait_for(gate.upstream.closed.wait(), 5)
        assert gate.log.codes == [Code.CALLER_LEFT]
        assert gate.spool.files_open == gate.spool.bytes_held == 0


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([Step.HOLD], id="silence"),
        pytest.param([OK, Step.HOLD], id="half a head"),
        pytest.param([with_fields() + BODY[:5], Step.HOLD], id="half a body"),
        pytest.param([CHUNKED + CHUNK, Step.HOLD], id="no last chunk"),
    ],
)
async def test_an_upstream_that_stalls_is_late(script: Script, tmp_path: Path) -> None:
    """C21"""
    answers, hasty = fetch(script), {"read": 0.1}
    async with gateway(answers, tmp_path, upstream=hasty) as gate, calling(gate.port) as caller:
        await caller.send(request())
        reply = await caller.reply()
        assert (reply.status, gate.log.codes) == (504, [Code.UPSTREAM_TIMEOUT])
        assert CANARY not in reply.raw
        await asyncio.wait_for(gate.upstream.closed.wait(), 5)
        await caller.send(request())
        assert (await caller.reply()).status == 200


async def test_an_upstream_that_drips_is_late_in_total(tmp_path: Path) -> None:
    """C21 A40: every read is in time, the whole is not."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED)
        try:
            while True:
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with gateway([], tmp_path) as gate, calling(gate.port) as caller:
        await gate.aim(f"http://127.0.0.1:{port}", read=5.0, total=0.3)
        await caller.send(request())
        assert (await caller.reply()).status == 504
        assert gate.log.codes == [Code.UPSTREAM_TIMEOUT]
    server.close()


async def test_an_upstream_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        async with ScriptedUpstream([]).serving() as gone:
            port = gone.port
        await gate.aim(f"http://127.0.0.1:{port}")
        await caller.send(request())
        assert (await caller.reply()).status == 502
        assert gate.log.codes == [Code.UPSTREAM_UNREACHABLE]


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_an_export_is_never_asked_for_twice(method: bytes, tmp_path: Path) -> None:
    """C23: aiohttp would repeat a GET."""
    async with gateway(fetch([Step.CLOSE]), tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request(method=method))
        assert (await caller.reply()).status == 502
        assert len(gate.upstream.requests) == 1
        await caller.send(request(method=method))
        assert (await caller.reply()).status == 200


async def test_connections_are_kept_for_sound_responses(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        for _ in range(5):
            await caller.send(request())
            assert (await caller.reply()).body == SOUND
        assert gate.upstream.connections == 1


async def test_what_goes_upstream_is_what_the_gateway_spelled(tmp_path: Path) -> None:
    """A13 A22 A23 B33 C08 C09 C10 C12"""
    lines = [
        b"Range: bytes=0-1",
        b"If-Range: x",
        b"If-None-Match: *",
        b"If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
        b"Accept-Encoding: *, compress, dcb, zstd;q=9",
        b"Accept: application/json",
        b"Accept-Language: de",
        b"Accept-Language: fr",
        b"User-Agent: probe",
        b"Cookie: session=1",
        b"Connection: close, Authorization, X-Subject, X-Request-Id",
        b"X-User: victim",
        b"X_User: victim",
        b"X-Auth-Subject: victim",
        b"X-Request-Id: forged",
        b"X-Forwarded-For: 10.0.0.1",
        b"X-Forwarded-Uri: /exports/other",
        b"Forwarded: for=10.0.0.1",
        b"X-Original-URL: /admin",
        b"X-Rewrite-URL: /admin",
        b"X-HTTP-Method-Override: DELETE",
        b"Traceparent: 00-1-1-01",
    ]
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request(b"/exports/%6Frders?a=%41+b", *lines, host=b"169.254.169.254"))
        assert (await caller.reply()).status == 200
        head, *sent = gate.upstream.requests[0].split(b"\r\n")
        assert head == b"GET /exports/orders?a=A%20b HTTP/1.1"
        assert sorted(sent) == sorted(
            [
                b"Host: 127.0.0.1:%d" % gate.upstream.port,
                b"Authorization: Bearer me",
                b"Accept: application/json",
                b"Accept-Language: de, fr",
                b"User-Agent: probe",
                b"Accept-Encoding: gzip",
                b"X-Request-Id: %032x" % 0,
                b"",
                b"",
            ]
        )


async def test_what_a_caller_leaves_out_says_nothing_about_the_gateway(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        for method in (b"GET", b"POST"):
            await caller.send(request(method=method))
            assert (await caller.reply()).status == 200
        for sent in gate.upstream.requests:
            assert b"\r\nUser-Agent: privacy-gateway\r\n" in sent
            assert b"\r\nAccept: */*\r\n" in sent
            assert b"aiohttp" not in sent and b"Content-Type" not in sent


async def test_an_archive_is_asked_for_without_a_coding(tmp_path: Path) -> None:
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request(b"/exports/42/archive", b"Accept-Encoding: gzip"))
        reply = await caller.reply()
        assert reply["Content-Disposition"] == 'attachment; filename="archive.zip"'
        assert b"\r\nAccept-Encoding: identity\r\n" in gate.upstream.requests[0]


async def test_a_coded_body_passes_untouched(tmp_path: Path) -> None:
    coded = b"\x1f\x8b not looked at by the proxy"
    answer = response(coded, b"Content-Encoding: X-GZIP, identity")
    async with gateway([answer], tmp_path) as gate, calling(gate.port) as caller:
        await caller.send(request())
        reply = await caller.reply()
        assert (reply.body, reply["Content-Encoding"]) == (coded, "gzip")


async def test_an_answer_before_the_request_is_complete_is_refused(tmp_path: Path) -> None:
    """C22"""
    lines = (b"Content-Type: application/json", b"Content-Length: 10")
    asking = request(b"/exports/orders", *lines, method=b"POST")
    client = impatient(body=0.3)
    early = fetch([response(BODY), Step.HOLD])
    async with gateway(early, tmp_path, reads_bodies=False, client=client) as gate:
        async with calling(gate.port) as caller:
            await caller.send(asking, b"12345")
            reply = await caller.reply()
            assert (reply.status, CANARY in reply.raw) == (502, False)
            assert gate.log.codes == [Code.UPSTREAM_PROTOCOL]
        async with calling(gate.port) as caller:
            await caller.send(request())
            assert (await caller.reply()).body == SOUND


async def test_an_untrusted_certificate_is_refused(tmp_path: Path, tls: ssl.SSLContext) -> None:
    """C24"""

    async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with gateway([response(SOUND)], tmp_path) as gate, calling(gate.port) as caller:
        await gate.aim(f"https://127.0.0.1:{port}")
        await caller.send(request())
        assert (await caller.reply()).status == 502
        assert gate.log.codes == [Code.UPSTREAM_UNREACHABLE]
    server.close()


async def test_a_certificate_of_the_configured_authority_is_trusted(
    tmp_path: Path, tls: ssl.SSLContext, certificate: Path
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                await read_request(reader)
            except asyncio.IncompleteReadError:
                break
            writer.write(response(bodies.pop(0)))
            await writer.drain()
        writer.close()

    bodies = [SOUND, LARGE, LARGE, SOUND]
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with gateway([], tmp_path) as gate, calling(gate.port) as caller:
        await gate.aim(f"https://127.0.0.1:{port}", ca_file=certificate)
        for body in tuple(bodies):
            await caller.send(request())
            assert (await caller.reply()).body == body
    server.close()


async def test_an_unusable_authority_stops_the_start(tmp_path: Path) -> None:
    spool = Spool(SpoolSettings(directory=tmp_path))
    settings = UpstreamSettings(url="https://x.test", ca_file=tmp_path / "missing.pem")
    with pytest.raises(OSError):
        await UpstreamClient(settings, spool).start()


# --- as it comes --------------------------------------------------------------------------------


async def arriving(client: UpstreamClient, *, limit: int = 1024, **subject_header: str) -> Arriving:
    body = replace(ENDPOINTS[0].body, subject_header=subject_header)
    endpoint = replace(ENDPOINTS[0], limits=Limits(body=limit), body=body)
    asked = Admitted("GET", ("exports", "orders"), {}, "/exports/orders", (), ())
    return await client.open(asked, Route(endpoint, {}), "x1")


async def test_a_body_is_read_as_it_comes_and_ends_only_where_that_is_proven(
    tmp_path: Path,
) -> None:
    async with gateway([CHUNKED + CHUNK + b"0\r\n\r\n"], tmp_path) as gate:
        for _ in range(2):
            body = await arriving(gate.client)
            assert dict(body.headers)["Content-Type"] == "application/json"
            assert (await body.read(), body.complete) == (BODY, False)
            assert (await body.read(), body.complete) == (b"", True)
            assert body.received == len(BODY)
            body.close()
            body.close()
        assert gate.upstream.connections == 1


async def test_the_first_records_do_not_wait_for_the_rest_that_is_here(tmp_path: Path) -> None:
    size = 100_000
    sent = CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size))
    async with gateway([sent], tmp_path) as gate:
        body = await arriving(gate.client, limit=size)
        chunks = [await body.read()]
        while not body.complete:
            chunks.append(await body.read())
        assert 0 < len(chunks[0]) <= 16 * 1024 and b"".join(chunks) == bytes(size)
        body.close()


async def test_a_header_names_the_owner_of_what_comes(tmp_path: Path) -> None:
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nX-Owner: A1\r\n\r\n")
    async with gateway([head + CHUNK + b"0\r\n\r\n"], tmp_path) as gate:
        body = await arriving(gate.client, account="X-Owner")
        assert body.payload.owners == (SubjectRef("account", "A1"),)
        body.close()


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param([CHUNKED + CHUNK, Step.CLOSE], Code.BODY_INCOMPLETE, id="cut"),
        pytest.param([CHUNKED + CHUNK + b"zz\r\n"], Code.UPSTREAM_PROTOCOL, id="malformed"),
        pytest.param([CHUNKED + CHUNK, Step.HOLD], Code.UPSTREAM_TIMEOUT, id="a pause"),
        pytest.param(
            [CHUNKED + CHUNK + b"0\r\n\r\nHTTP/1.1 200 OK\r\n"],
            Code.UPSTREAM_PROTOCOL,
            id="more behind it",
        ),
        pytest.param(
            [CHUNKED + CHUNK + b"400\r\n" + b"x" * 1024 + b"\r\n"],
            Code.BODY_TOO_LARGE,
            id="over the limit",
        ),
    ],
)
async def test_what_comes_to_no_proven_end_is_refused_in_the_midst(
    script: Script, code: Code, tmp_path: Path
) -> None:
    async with gateway(script, tmp_path, upstream={"read": 0.2}) as gate:
        body: Arriving | None = None
        with pytest.raises(Refusal) as refused:
            body = await arriving(gate.client)
            while await body.read():
                pass
        assert refused.value.code is code
        if body:  # else it came at once, and nothing of it was handed out
            assert not body.complete
            body.close()
        await asyncio.wait_for(gate.upstream.closed.wait(), 5)


async def test_what_is_given_up_leaves_nothing_to_the_next_request(tmp_path: Path) -> None:
    async with gateway(fetch([CHUNKED + CHUNK, Step.HOLD]), tmp_path) as gate:
        body = await arriving(gate.client)
        body.close()
        await asyncio.wait_for(gate.upstream.closed.wait(), 5)
        body = await arriving(gate.client)
        assert await body.read() == SOUND
        body.close()
