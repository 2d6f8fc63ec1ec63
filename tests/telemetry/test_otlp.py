"""The exporting process's work, in this process, against a real OTLP receiver."""

import asyncio
import logging
from collections.abc import Iterator

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
