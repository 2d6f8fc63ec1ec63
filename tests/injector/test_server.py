"""The webhook's port, asked by hostile clients over real TLS."""

import asyncio
import gzip
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.injector import server
from gateway.injector.generations import Generation, issue
from gateway.injector.review import MAX_REVIEW
from gateway.injector.server import ReviewServer
from gateway.injector.template import Template, load
from gateway.injector.tls import Certificate, Handshakes
from gateway.injector.verdicts import Result
from gateway.telemetry import logs
from tests.support.pods import CANARY, INJECT, answered, ask, pod, review, sidecar
from tests.support.said import restored


@dataclass
class Running:
    port: int
    certificate: Generation
    counted: Counter[Result] = field(default_factory=Counter)
    template: Template | None = field(default_factory=lambda: load(sidecar()))
    held: Callable[[], int] = int

    async def post(self, body: bytes, path: str = "/inject") -> tuple[int, bytes]:
        url = f"https://127.0.0.1:{self.port}"
        return await ask(url, body, self.certificate.ca, path=path)

    async def raw(self, *pieces: bytes) -> bytes:
        """Everything that comes back until the end of the connection."""
        context = ssl.create_default_context(cadata=self.certificate.ca.decode())
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname="injector.system.svc"
        )
        answer = b""
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(30):
                answer = await reader.read()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()
        return answer


@asynccontextmanager
async def serving(lasting: float = 10.0) -> AsyncIterator[Running]:
    handshakes = Handshakes()
    made = issue(["injector.system.svc"], datetime.now(UTC), timedelta(hours=1))
    handshakes.use(Certificate(made.serving, made.not_after))
    running = Running(0, made)

    def count(result: Result) -> None:
        running.counted[result] += 1

    listener = ReviewServer("127.0.0.1", 0, handshakes, lambda: running.template, count, lasting)
    await listener.start()
    running.port, running.held = listener.port, lambda: listener._held
    try:
        yield running
    finally:
        await listener.stop()


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    async with serving() as found:
        yield found


def post(body: bytes, *fields: str, path: str = "/inject") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: x", *fields]
    if not any(each.lower().startswith(("content-length", "transfer")) for each in fields):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


JSON = "Content-Type: application/json"


async def test_a_review_is_answered_and_counted(running: Running) -> None:
    status, body = await running.post(review(pod()))
    assert status == 200
    assert answered(body).patch
    assert running.counted == {Result.INJECTED: 1}


async def test_the_path_says_whether_a_pod_must_decide(running: Running) -> None:
    assert answered((await running.post(review(pod({}))))[1]).allowed
    status, body = await running.post(review(pod({})), "/inject-required")
    assert (status, answered(body).allowed) == (200, False)


async def test_each_connection_takes_one_review(running: Running) -> None:
    request = post(review(pod()), JSON)
    answer = await running.raw(request + request)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"Connection: close" in answer


async def test_without_a_sidecar_nothing_is_allowed(running: Running) -> None:
    running.template = None
    status, _ = await running.post(review(pod({INJECT: "false"})))
    assert status == 503
    assert running.counted == {Result.NOT_READY: 1}


@pytest.mark.parametrize(
    ("request_", "status", "result"),
    [
        (post(b"{}", JSON, path="/"), 404, Result.PATH_UNKNOWN),
        (post(b"{}", JSON, path="/inject/"), 404, Result.PATH_UNKNOWN),
        (b"GET /inject HTTP/1.1\r\nHost: x\r\n\r\n", 405, Result.METHOD_NOT_ALLOWED),
        (post(review(pod())), 415, Result.MEDIA_TYPE),
        (post(review(pod()), "Content-Type: text/json"), 415, Result.MEDIA_TYPE),
        (
            post(gzip.compress(review(pod())), JSON, "Content-Encoding: gzip"),
            415, Result.MEDIA_TYPE,
        ),
        (post(b"", JSON), 400, Result.REVIEW_MALFORMED),
        (post(b"not json", JSON), 400, Result.REVIEW_MALFORMED),
        (post(b"[" * 100_000, JSON), 400, Result.REVIEW_MALFORMED),
        (post(b"{}", JSON, f"Content-Length: {MAX_REVIEW + 1}"), 413, Result.REVIEW_TOO_LARGE),
    ],
)  # fmt: skip
async def test_what_is_no_review_gets_a_clear_status_and_is_never_allowed(
    running: Running, request_: bytes, status: int, result: Result
) -> None:
    answer = await running.raw(request_)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"allowed" not in answer
    assert running.counted == {result: 1}


async def test_a_body_that_grows_too_large_on_the_way_is_cut_off(running: Running) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = post(b"", JSON, "Transfer-Encoding: chunked")
    answer = await running.raw(head, *[chunk] * (MAX_REVIEW // 0x10000 + 1))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413 ")
    assert running.counted == {Result.REVIEW_TOO_LARGE: 1}


@pytest.mark.parametrize(
    "request_",
    [
        CANARY.encode() + b"\r\n\r\n",
        f"GET /{CANARY} HTTP/9.9\r\n\r\n".encode(),
        b"POST /inject HTTP/1.1\r\nContent-Length: " + CANARY.encode() + b"\r\n\r\n",
        f"POST /inject HTTP/1.1\r\n{CANARY}\x00: x\r\n\r\n".encode(),
        post(b"zz\r\n" + CANARY.encode(), JSON, "Transfer-Encoding: chunked"),
    ],
)
async def test_what_is_no_http_is_a_bad_request_that_quotes_nothing(
    running: Running, request_: bytes
) -> None:
    answer = await running.raw(request_)
    assert answer.startswith(b"HTTP/1.")
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert CANARY.encode() not in answer
    assert b"server:" not in answer.lower()


async def test_a_slow_client_is_cut_off_and_others_are_served_meanwhile() -> None:
    async with serving(lasting=0.5) as running:
        slow = asyncio.create_task(running.raw(post(b"", JSON, "Content-Length: 100")))
        headless = asyncio.create_task(running.raw(b"POST /inj"))
        silent = asyncio.create_task(running.raw())
        status, _ = await running.post(review(pod()))
        assert status == 200
        for answer in (await slow, await headless, await silent):
            assert b"200" not in answer


async def test_reviews_that_would_take_too_much_memory_together_are_refused(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_MOST_HELD", 1 << 20)
    most = b" " * ((1 << 20) - 100)
    held = asyncio.create_task(running.raw(post(most, JSON, "Content-Length: 2000000")))
    async with asyncio.timeout(30):
        while running.held() < len(most):
            await asyncio.sleep(0)
    status, _ = await running.post(review(pod({"note": "x" * 200_000})))
    assert status == 503
    status, body = await running.post(review(pod()))  # an ordinary one
    assert status == 200 and answered(body).patch
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    async with asyncio.timeout(30):
        while running.held():
            await asyncio.sleep(0)
    assert (await running.post(review(pod({"note": "x" * 200_000}))))[0] == 200
    assert running.counted[Result.OVERLOADED] == 1


async def test_a_bug_is_an_error_and_not_an_allowance(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError(CANARY)

    monkeypatch.setattr(server, "decide", broken)
    status, body = await running.post(review(pod()))
    assert (status, body) == (500, b"internal error")
    assert running.counted == {Result.INTERNAL_ERROR: 1}


async def test_the_log_names_the_namespace_the_owner_and_the_result_and_nothing_of_the_pod(
    running: Running, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w+") as log:
        with restored():
            logs.configure("debug", log)
            owned = pod()
            owned["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": CANARY}]
            owned["metadata"]["name"] = CANARY
            await running.post(review(owned))
            await running.post(review(pod({INJECT: CANARY})))
            await running.post(review(pod(volumes=[{"name": CANARY}], hostNetwork=True)))
            await running.post(f'{{"{CANARY}": '.encode())
        log.seek(0)
        text = log.read()
    lines = [json.loads(line) for line in text.splitlines()]
    assert CANARY not in text
    assert [line["result"] for line in lines] == [
        "injected", "annotation_invalid", "host_network", "review_malformed",
    ]  # fmt: skip
    assert (lines[0]["namespace"], lines[0]["owner"]) == ("shop", "ReplicaSet")
