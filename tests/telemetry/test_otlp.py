"""The exporting process's work, in this process, against a real OTLP receiver."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode

from gateway.telemetry.otlp import DECISION_ID, described, serve, spans
from gateway.telemetry.spanmessages import (
    Exchange,
    Exported,
    Setup,
    Step,
    encode,
    read_exported,
)
from gateway.trace import step_id
from tests.support.collector import Collector, collecting

SETUP = Setup("instance-1", "9.9", 5.0)
SCOPE = InstrumentationScope("privacy-gateway", "9.9")
EXCHANGE = Exchange(
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    span_id="00f067aa0ba902b7",
    parent_id="00f067aa0ba902b8",
    name="GET /exports/orders",
    start=1_000,
    end=9_000,
    attributes={DECISION_ID: "x1", "http.response.status_code": 502},
    error=True,
    steps=[
        Step("upstream", 2_000, 5_000, {"server.port": 80}),
        Step("inspection", 5_000, 8_000, {}, True),
    ],
)


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    library = logging.getLogger("opentelemetry")
    handlers, propagate = list(library.handlers), library.propagate
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)
    yield
    library.handlers[:], library.propagate = handlers, propagate


def test_an_exchange_is_a_server_span_with_its_steps_under_it() -> None:
    server, upstream, inspection = spans(EXCHANGE, Resource({}), SCOPE)
    assert server.kind is SpanKind.SERVER and server.status.status_code is StatusCode.ERROR
    assert server.parent is not None and server.parent.is_remote
    assert server.parent.span_id == int(EXCHANGE.parent_id, 16)
    assert upstream.kind is SpanKind.CLIENT and upstream.status.status_code is StatusCode.UNSET
    assert inspection.kind is SpanKind.INTERNAL
    assert inspection.status.status_code is StatusCode.ERROR
    for step in (upstream, inspection):
        assert step.parent == server.context and step.context is not None
        assert step.context.span_id == int(step_id(EXCHANGE.span_id, step.name), 16)
        assert step.attributes is not None and step.attributes[DECISION_ID] == "x1"
    assert (upstream.start_time, upstream.end_time) == (2_000, 5_000)


def test_a_root_has_no_parent() -> None:
    root = Exchange(*[*_fields(EXCHANGE)[:2], "", *_fields(EXCHANGE)[3:]])
    assert next(spans(root, Resource({}), SCOPE)).parent is None


def _fields(exchange: Exchange) -> list[object]:
    return [getattr(exchange, name) for name in exchange.__struct_fields__]


def test_the_resource_is_ours_where_the_environment_says_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = described(SETUP).attributes
    assert ours["service.name"] == "privacy-gateway"
    assert (ours["service.version"], ours["service.instance.id"]) == ("9.9", "instance-1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=pod-7,team=exports")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gateway-of-orders")
    asked = described(SETUP).attributes
    assert asked["service.name"] == "gateway-of-orders"
    assert (asked["service.instance.id"], asked["team"]) == ("pod-7", "exports")


def test_what_the_library_says_of_the_variables_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("RESOURCE_ATTRIBUTES", "EXPORTER_OTLP_HEADERS", "EXPORTER_OTLP_COMPRESSION"):
        monkeypatch.setenv(f"OTEL_{name}", "canary\x01;")
    serve(encode(SETUP))
    assert "canary" not in "".join(capfd.readouterr())


async def exported(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Exported:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret")
    answer = serve(encode(SETUP))
    return read_exported(await asyncio.to_thread(answer, encode([EXCHANGE]), []))


async def test_a_collector_takes_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    async with collecting() as collector:
        assert await exported(collector, monkeypatch) == Exported(True)
        assert [span.name for span in collector.spans] == [
            "GET /exports/orders",
            "upstream",
            "inspection",
        ]
        assert collector.requests[0]["x-key"] == "secret"


async def test_what_a_collector_answers_instead_is_told_as_a_number(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with collecting(status=413) as collector:
        assert await exported(collector, monkeypatch) == Exported(False, 413)
        assert not caplog.records


@asynccontextmanager
async def answering(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Collector]:
    """A collector that answers each request as a test says, byte by byte."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Collector(url=f"http://127.0.0.1:{port}")


async def received(reader: asyncio.StreamReader) -> bytes:
    """The head of a request; its body is read, too."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = re.findall(rb"(?i)content-length: (\d+)", head)
    await reader.readexactly(int(length))
    return head


@pytest.mark.parametrize("status", [301, 307, 204])
async def test_a_collector_that_sends_spans_elsewhere_has_not_taken_them(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """OpenTelemetry's exporter follows no redirect, and counts one as a success."""
    heads = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await received(reader))
        writer.write(b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\n" % status)
        writer.write(b"Content-Length: 0\r\n\r\n" if status != 204 else b"\r\n")

    async with answering(answer) as collector:
        taken = status == 204
        assert await exported(collector, monkeypatch) == Exported(taken, 0 if taken else status)
    assert len(heads) == 1


async def test_of_an_answer_that_never_ends_little_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it would be held in memory, and undone where it is compressed: of a container that
    has 512 MiB in all."""
    sent, block = 0, b"%x\r\n" % 2**16 + bytes(2**16) + b"\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await received(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < 64 * 2**20:
            writer.write(block)
            await writer.drain()
            sent += len(block)

    async with answering(answer) as collector:
        assert await exported(collector, monkeypatch) == Exported(True)
    assert sent < 32 * 2**20  # what the sockets hold


async def test_a_collector_sets_no_cookies_and_a_connection_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heads, connections = [], 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            heads.append(await received(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n")
            writer.write(b"ok")

    async with answering(answer) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        export = serve(encode(SETUP))
        for _ in range(2):
            told = await asyncio.to_thread(export, encode([EXCHANGE]), [])
            assert read_exported(told) == Exported(True)
    assert len(heads) == 2 and b"cookie" not in heads[1].lower() and connections == 1


async def test_an_answer_that_breaks_off_after_its_status_is_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await received(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut")

    async with answering(answer) as collector:
        assert await exported(collector, monkeypatch) == Exported(True)
