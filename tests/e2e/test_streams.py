"""Stream release through real sockets: records leave as they come, and a cut body looks cut."""

import asyncio
import http.client
import json
import os
import signal
import socket
import threading
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import ClientConnectionError, ClientPayloadError, ClientResponse

from tests.e2e.conftest import FOREIGN, ME
from tests.support.flowing import FlowingService, flowing
from tests.support.gateway import RunningGateway, configuration, running
from tests.support.issuer import TestIssuer
from tests.support.opa import running_opa

PATIENCE = 20.0
SUBJECT = {"subject": {"account": "$.customer.id"}}
TABLE = {"subject": {"account": "customer_id"}}
BODIES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "ndjson": ("application/x-ndjson", {"format": "ndjson", **SUBJECT}),
    "json": ("application/json", {"format": "json", "records": "$.orders[*]", **SUBJECT}),
    "json-seq": ("application/json-seq", {"format": "json-seq", **SUBJECT}),
    "sse": ("text/event-stream", {"format": "sse", **SUBJECT}),
    "csv": ("text/csv", {"format": "csv", **TABLE}),
    "fhir": (
        "application/fhir+ndjson",
        {"format": "fhir", "lines": True, "subject": {"account": "urn:customers"}},
    ),
    "multipart": (
        "multipart/mixed; boundary=b",
        {"format": "multipart", "members": [{"match": "*", "format": "ndjson", **SUBJECT}]},
    ),
    "parts": (
        "multipart/form-data; boundary=b",
        {
            "format": "multipart",
            "members": [{"match": "**", "subject_header": {"account": "X-Customer"}}],
        },
    ),
}
PARTS = {
    "ndjson": ("", "{}\n", ""),
    "json": ('{"orders": [', "{}", "]}"),
    "json-seq": ("", "\x1e{}\n", ""),
    "sse": ("", "data: {}\n\n", ""),
    "csv": ("n,customer_id\n", "{}\n", ""),
    "fhir": ("", "{}\n", ""),
    "multipart": (
        '--b\r\nContent-Disposition: attachment; filename="a"\r\n\r\n', "{}\n", "\r\n--b--",
    ),
    "parts": ("", "{}", "--b--\r\n"),
}  # fmt: skip


def record(kind: str, owner: str, n: int = 0) -> bytes:
    if kind == "csv":
        return f"{n},{owner}\n".encode()
    if kind == "parts":
        return f"--b\r\nX-Customer: {owner}\r\n\r\nwave {n}\r\n".encode()
    if kind == "fhir":
        identifier = {"system": "urn:customers", "value": owner}
        about = {"resourceType": "Observation", "id": str(n), "subject": {"identifier": identifier}}
        return json.dumps(about).encode() + b"\n"
    return PARTS[kind][1].format(json.dumps({"customer": {"id": owner}, "n": n})).encode()


def whole(kind: str, *owners: str) -> bytes:
    between = b"," if kind == "json" else b""
    head, _, tail = (part.encode() for part in PARTS[kind])
    return head + between.join(record(kind, o, n) for n, o in enumerate(owners)) + tail


@dataclass
class World:
    """A gateway whose endpoints release as a stream, each as it is and as `-partial` (redacts)."""

    gateway: RunningGateway
    service: FlowingService

    def get(self, kind: str = "ndjson-partial", **headers: str) -> Any:
        self.service.media_type = BODIES[kind.removesuffix("-partial")][0]
        headers["Authorization"] = f"Bearer {self.gateway.token}"
        url = f"{self.gateway.url}/streams/{kind}"
        return self.gateway.session.get(url, headers=headers)

    async def ended(self, entries: int) -> list[dict[str, Any]]:
        """The log's entries, when there are so many."""
        async with asyncio.timeout(PATIENCE):
            while len(found := self.gateway.entries()) < entries:
                await asyncio.sleep(0.02)  # a bounded poll of another process
        return found


@pytest.fixture(params=["embedded"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, issuer: TestIssuer, engine: str
) -> AsyncIterator[World]:
    deployment = {
        "grounds": {"self_access": True},
        "partial": {f"{kind}-partial": "redact" for kind in BODIES},
    }
    policy: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        if engine == "opa":
            binary = request.getfixturevalue("opa_binary")
            opa = await stack.enter_async_context(running_opa(binary, tmp_path, deployment))
            policy = {"engine": "opa", "opa": opa.url, "deadline": "2s"}
        service = FlowingService()
        upstream = await stack.enter_async_context(flowing(service))
        endpoints = [
            {
                "name": f"{kind}{suffix}",
                "path": f"/streams/{kind}{suffix}",
                "release": "stream",
                "body": body,
            }
            for kind, (_, body) in BODIES.items()
            for suffix in ("", "-partial")
        ]
        config = configuration(
            tmp_path,
            issuer,
            upstream,
            endpoints,
            deployment=None if engine == "opa" else deployment,
            policy=policy,
            client={"drain": "0s"},
        )
        gateway = await stack.enter_async_context(running(config))
        gateway.token = issuer.token(sub=ME)
        yield World(gateway, service)


async def first(answer: ClientResponse) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await answer.content.readany()


async def rest(answer: ClientResponse) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await answer.read()


@pytest.mark.parametrize("engine", ["embedded", pytest.param("opa", marks=pytest.mark.opa)])
async def test_the_first_record_is_there_before_the_upstream_has_sent_the_last(
    world: World,
) -> None:
    for kind in BODIES:
        # What proves that a record is whole stands behind it: in JSON a comma, in a sequence RS.
        more = {"json": b",", "json-seq": b"\x1e", "parts": b"--b\r\n"}.get(kind, b"")
        before, _, _ = (part.encode() for part in PARTS[kind])
        last = record(kind, ME, 1)
        last = last[len(more) :] if last.startswith(more) else last
        world.service.send(before + record(kind, ME) + more)
        async with world.get(kind) as answer:
            assert answer.status == 200
            assert "Content-Length" not in answer.headers
            assert await first(answer) == before + record(kind, ME), kind
            world.service.send(last + PARTS[kind][2].encode())
            world.service.end()
            assert await rest(answer) == more + last + PARTS[kind][2].encode()
    entries = await world.ended(2 * len(BODIES))
    assert [entry["stage"] for entry in entries] == ["opening", "end"] * len(BODIES)
    assert [entry["part"] for entry in entries] == [1, 2] * len(BODIES)
    for entry in entries[1::2]:
        assert (entry["outcome"], entry["records"]["released"]) == ("released", 2)
        assert entry["bytes"]["inspected"] == entry["bytes"]["received"]
    assert world.gateway.verify().ok


async def test_a_stranger_s_records_are_left_out_and_the_rest_goes_on(world: World) -> None:
    for kind in BODIES:
        owners = (ME, FOREIGN, FOREIGN, ME, FOREIGN, FOREIGN)  # a policy may block without any ME
        world.service.send(*(bytes([byte]) for byte in whole(kind, *owners)))
        world.service.end()
        async with world.get(f"{kind}-partial") as answer:
            body = await rest(answer)
        assert answer.status == 200, kind
        assert FOREIGN.encode() not in body
        assert body.count(ME.encode()) == 2, body
    for entry in world.gateway.entries():
        counts = entry["records"]
        assert counts["seen"] == counts["released"] + counts["redacted"] + counts["blocked"]
        if entry["stage"] == "end":
            assert (entry["outcome"], counts["seen"], counts["released"]) == ("redacted", 6, 2)


async def test_a_question_is_asked_only_when_something_new_appears(world: World) -> None:
    for n in range(20):
        world.service.send(record("ndjson", ME, n))
    async with world.get() as answer:
        for n in range(20):
            assert json.loads(await answer.content.readline())["n"] == n
        world.service.send(record("ndjson", FOREIGN), record("ndjson", ME, 20))
        assert json.loads(await answer.content.readline())["n"] == 20
        world.service.send(record("ndjson", FOREIGN), record("ndjson", ME, 21))
        world.service.end()
        assert json.loads(await rest(answer))["n"] == 21
    entries = await world.ended(3)
    assert [entry["stage"] for entry in entries] == ["opening", "change", "end"]
    assert len({entry["decision_id"] for entry in entries}) == 1
    assert [entry["result"]["effect"] for entry in entries] == ["allow", "redact", "redact"]
    assert entries[1]["records"] == {"seen": 20, "released": 20, "redacted": 0, "blocked": 0}
    assert entries[2]["records"] == {"seen": 24, "released": 22, "redacted": 2, "blocked": 0}


async def test_a_stranger_s_first_record_is_an_ordinary_refusal(world: World) -> None:
    world.service.send(record("ndjson", FOREIGN))
    async with world.get("ndjson") as answer:
        assert answer.status == 403
        assert (await answer.json())["code"] == "blocked_by_policy"
    async with asyncio.timeout(PATIENCE):
        await world.service.left.wait()
    (entry,) = world.gateway.entries()
    assert "stage" not in entry and entry["outcome"] == "blocked"


async def test_a_block_in_the_midst_breaks_the_connection(world: World) -> None:
    world.service.send(record("ndjson", ME))
    async with world.get("ndjson") as answer:
        assert answer.status == 200
        assert await first(answer) == record("ndjson", ME)
        world.service.send(record("ndjson", FOREIGN))
        with pytest.raises((ClientPayloadError, ClientConnectionError)):
            await rest(answer)
    entries = await world.ended(3)
    assert [entry["outcome"] for entry in entries] == ["released", "blocked", "blocked"]
    assert [entry.get("code") for entry in entries] == [None, *["blocked_by_policy"] * 2]
    assert entries[-1]["records"] == {"seen": 2, "released": 1, "redacted": 0, "blocked": 1}
    async with asyncio.timeout(PATIENCE):
        await world.service.left.wait()
    metrics = await world.gateway.metrics()
    (counted,) = (
        line
        for line in metrics.splitlines()
        if line.startswith("privacy_gateway_exchanges_total{")
        and 'endpoint="ndjson",' in line
        and "blocked_by_policy" in line
    )
    assert counted.endswith(" 1.0")
    assert "privacy_gateway_streams_open 0.0" in metrics


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (b'{"customer": \n', "body_malformed"),
        (b'{"customer": {"id": "A1", "id": "A1"}}\n', "body_ambiguous"),
        (b"", "body_incomplete"),
    ],
    ids=["malformed", "ambiguous", "cut"],
)
async def test_a_fault_in_the_midst_is_no_end_for_any_client(
    world: World, fault: bytes, code: str
) -> None:
    """aiohttp, http.client and curl: none takes what it got for the whole body."""

    def by_http_client() -> bytes:
        where = urlsplit(world.gateway.url)
        client = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
        client.request("GET", "/streams/ndjson", headers=authorized)
        with closing(client), client.getresponse() as response:
            got = response.read(len(sent))
            go_on.set()
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                response.read()
        return got

    async def break_it() -> None:
        await asyncio.to_thread(go_on.wait)
        world.service.cut() if not fault else world.service.send(fault)

    sent = record("ndjson", ME)
    authorized = {"Authorization": f"Bearer {world.gateway.token}"}
    go_on = threading.Event()
    world.service.send(sent)
    breaking = asyncio.create_task(break_it())
    assert await asyncio.to_thread(by_http_client) == sent
    await breaking

    world.service.send(sent)
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sSN", "-H", f"Authorization: Bearer {world.gateway.token}",
        f"{world.gateway.url}/streams/ndjson",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert curl.stdout
    assert await curl.stdout.readline() == sent
    world.service.cut() if not fault else world.service.send(fault)
    await curl.communicate()
    assert curl.returncode in (18, 56)  # a partial file, or a connection that was reset

    entries = await world.ended(4)
    assert [entry.get("code") for entry in entries] == [None, code] * 2
    assert entries[-1]["records"]["released"] == 1


async def test_a_killed_reader_cuts_its_stream_and_no_other(world: World) -> None:
    world.service.send(record("ndjson", ME))
    async with world.get("ndjson") as answer:
        await first(answer)
        for pid in world.gateway.children("flowprocess"):
            os.kill(pid, signal.SIGKILL)
        world.service.send(record("ndjson", ME))
        with pytest.raises((ClientPayloadError, ClientConnectionError)):
            await rest(answer)
    world.service.send(record("ndjson", ME))
    world.service.end()
    async with world.get("ndjson") as answer:
        assert await rest(answer) == record("ndjson", ME)
    entries = await world.ended(4)
    assert [entry.get("code") for entry in entries] == [None, "inspection_failed", None, None]


async def test_a_caller_that_leaves_ends_its_stream(world: World) -> None:
    world.service.send(record("ndjson", ME))
    async with world.get("ndjson") as answer:
        await first(answer)
        answer.close()
    async with asyncio.timeout(PATIENCE):
        await world.service.left.wait()
    entries = await world.ended(2)
    assert (entries[-1]["code"], entries[-1]["stage"]) == ("caller_left", "end")
    assert entries[-1]["records"]["released"] == 1


async def test_a_drain_cuts_what_does_not_end(world: World) -> None:
    world.service.send(record("ndjson", ME))
    async with world.get("ndjson") as answer:
        await first(answer)
        world.gateway.process.send_signal(signal.SIGTERM)
        with pytest.raises((ClientPayloadError, ClientConnectionError)):
            await rest(answer)
        assert await world.gateway.process.wait() == 0
    last = world.gateway.entries()[-1]
    assert (last["stage"], last["code"]) == ("end", "shutting_down")
    assert world.gateway.verify().ok


async def test_a_caller_of_http_1_0_gets_all_or_nothing(world: World) -> None:
    where = urlsplit(world.gateway.url)
    world.service.send(record("ndjson", ME))
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(
        b"GET /streams/ndjson HTTP/1.0\r\nAuthorization: Bearer %b\r\n\r\n"
        % world.gateway.token.encode()
    )
    world.service.send(record("ndjson", ME))
    world.service.end()
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    assert b"Content-Length" in answer and answer.endswith(record("ndjson", ME) * 2)
    (entry,) = world.gateway.entries()
    assert "stage" not in entry


async def test_a_coded_upstream_is_read_through_and_its_records_leave_uncoded(
    world: World,
) -> None:
    encoder = zlib.compressobj(wbits=31)
    world.service.headers = {"Content-Encoding": "gzip"}
    world.service.send(encoder.compress(record("ndjson", ME)) + encoder.flush(zlib.Z_SYNC_FLUSH))
    async with world.get("ndjson") as answer:
        assert "Content-Encoding" not in answer.headers
        assert await first(answer) == record("ndjson", ME)
        world.service.send(encoder.compress(record("ndjson", ME, 1)) + encoder.flush())
        world.service.end()
        assert await rest(answer) == record("ndjson", ME, 1)
    assert world.service.asked[0]["Accept-Encoding"] == "identity"


async def test_a_body_without_records_is_asked_about_at_its_end(world: World) -> None:
    world.service.end()
    async with world.get("ndjson") as answer:
        assert (answer.status, await rest(answer)) == (200, b"")
    entries = await world.ended(2)
    assert [entry["stage"] for entry in entries] == ["opening", "end"]


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


async def test_a_slow_caller_slows_the_upstream_and_memory_stays_bounded(world: World) -> None:
    """100 MB are offered; as long as nobody reads, no more than the buffers take moves."""
    line = json.dumps({"customer": {"id": ME}, "pad": "x" * 1000}).encode() + b"\n"
    piece = line * 256
    pieces = 400
    world.service.send(*([piece] * pieces))
    world.service.end()
    where = urlsplit(world.gateway.url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (where.hostname, where.port))
        await loop.sock_sendall(
            client,
            b"GET /streams/ndjson HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer %b\r\n\r\n"
            % world.gateway.token.encode(),
        )
        await world.ended(1)
        pids = (world.gateway.process.pid, *world.gateway.children("flowprocess"))
        before = sum(map(resident, pids))
        moved = -1
        while moved != world.service.sent:  # until nothing moves any more
            moved = world.service.sent
            await asyncio.sleep(0.3)
        assert moved < len(piece) * pieces / 4
        received, peak, tail = 0, 0, b""
        while not tail.endswith(b"0\r\n\r\n"):
            async with asyncio.timeout(PATIENCE):
                data = await loop.sock_recv(client, 1 << 20)
            assert data
            received, tail = received + len(data), (tail + data)[-5:]
            peak = max(peak, sum(map(resident, pids)))
    assert received > len(piece) * pieces
    assert peak - before < 40 * 2**20


async def test_nothing_of_a_stranger_is_in_what_a_stream_writes_down(world: World) -> None:
    world.service.send(record("ndjson", ME))
    async with world.get("ndjson") as answer:
        await first(answer)
        world.service.send(record("ndjson", FOREIGN))
        with suppress(ClientPayloadError, ClientConnectionError):
            await rest(answer)
    await world.ended(3)
    for text in (
        world.gateway.log.read_text(),
        world.gateway.stderr(),
        await world.gateway.metrics(),
    ):
        assert FOREIGN not in text
