"""Evidence as spans, and a queue that can neither fail nor delay an exchange."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from gateway.decisionlog.entry import Evidence, Outcome
from gateway.endpoints import Endpoint
from gateway.errors import Code
from gateway.inspection.settings import BodySpec
from gateway.model import Counts, Decision, Effect, Format, Inspection
from gateway.telemetry.spanmessages import Exchange
from gateway.telemetry.spans import SpanExport, SpanFacts, Spelling, WithSpans, span_readings
from gateway.telemetry.tracing import Sampler, TracingSettings
from gateway.trace import STEPS, Span
from tests.support.collector import Collector, collecting
from tests.support.said import capture_logs

# The exporting process takes what it is told from the environment.
pytestmark = pytest.mark.usefixtures("own_zygote")

AT = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)
NANOSECONDS = int(AT.timestamp()) * 10**9 + 123_456_000
STARTS = {name: n / 1000 for n, name in enumerate(STEPS)}
SPAN = Span("00f067aa0ba902b7", "00f067aa0ba902b8", STARTS)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPELLING = Spelling(
    [Endpoint("archive", "/exports/{id}/archive", BodySpec(Format.ZIP))], "https://service.test"
)
RELEASED = Evidence(
    "x1",
    AT,
    endpoint="archive",
    method="GET",
    inspection=Inspection(Format.ZIP, (), (), 100, 100, 100),
    decision=Decision(Effect.REDACT, frozenset(), False, frozenset(), (), ("canary",), "r1"),
    counts=Counts(seen=5, released=3, redacted=2),
    http_status=200,
    outcome=Outcome.REDACTED,
    bytes_released=60,
    durations=dict.fromkeys(STEPS, 0.0005),
    trace_id=TRACE,
    span=SPAN,
)


def spelled(**changes: Any) -> Exchange:
    return SPELLING.spell(structs.replace(RELEASED, **changes), SPAN)


def test_an_exchange_is_spelled_in_names_of_the_configuration_codes_and_numbers() -> None:
    exchange = spelled()
    assert exchange.name == "GET /exports/{id}/archive" and not exchange.error
    assert (exchange.trace_id, exchange.span_id, exchange.parent_id) == (
        TRACE,
        SPAN.span_id,
        SPAN.parent_id,
    )
    assert exchange.attributes == {
        "http.request.method": "GET",
        "http.route": "/exports/{id}/archive",
        "http.response.status_code": 200,
        "privacy_gateway.decision_id": "x1",
        "privacy_gateway.endpoint": "archive",
        "privacy_gateway.outcome": "redacted",
        "privacy_gateway.effect": "redact",
        "privacy_gateway.format": "zip",
        "privacy_gateway.bytes.received": 100,
        "privacy_gateway.bytes.released": 60,
        "privacy_gateway.records.seen": 5,
        "privacy_gateway.records.released": 3,
        "privacy_gateway.records.redacted": 2,
        "privacy_gateway.records.blocked": 0,
    }


def test_steps_stand_where_they_were_and_the_exchange_around_them() -> None:
    exchange = spelled()
    assert exchange.start == NANOSECONDS
    assert [step.name for step in exchange.steps] == list(STEPS)
    assert exchange.steps[1].start == NANOSECONDS + 1_000_000
    assert exchange.steps[1].end == NANOSECONDS + 1_500_000
    assert exchange.end == exchange.steps[-1].end


def test_the_upstream_is_named_as_it_is_configured() -> None:
    (upstream,) = [step for step in spelled().steps if step.name == "upstream"]
    assert upstream.attributes == {
        "http.request.method": "GET",
        "server.address": "service.test",
        "server.port": 443,
    }


def test_a_method_nobody_knows_and_a_path_nobody_configured_are_not_quoted() -> None:
    exchange = spelled(method="CANARY", endpoint=None, inspection=None, decision=None)
    assert exchange.name == "_OTHER"
    assert exchange.attributes["http.request.method"] == "_OTHER"
    assert "http.route" not in exchange.attributes
    assert "canary" not in str(exchange).lower()
    assert spelled(method=None, endpoint=None).name == "HTTP"


def test_a_block_is_no_error() -> None:
    exchange = spelled(outcome=Outcome.BLOCKED, code=Code.BLOCKED_BY_POLICY, http_status=403)
    assert not exchange.error and not any(step.error for step in exchange.steps)
    assert exchange.attributes["privacy_gateway.code"] == "blocked_by_policy"
    assert "error.type" not in exchange.attributes


def refused(code: Code, status: int, *steps: str) -> Exchange:
    starts = {name: STARTS[name] for name in (*steps, "log")}
    evidence = structs.replace(
        RELEASED,
        outcome=Outcome.REFUSED,
        code=code,
        http_status=status,
        durations=dict.fromkeys(starts, 0.0005),
    )
    return SPELLING.spell(evidence, replace(SPAN, starts=starts))


@pytest.mark.parametrize(
    ("code", "status", "steps", "failed", "error"),
    [
        (Code.TOKEN_EXPIRED, 401, ("admission", "identity"), "identity", False),
        (Code.BODY_MALFORMED, 502, ("admission", "upstream", "inspection"), "inspection", True),
        (Code.LOG_UNAVAILABLE, 503, ("admission", "enforcement"), "log", True),
        (Code.SHUTTING_DOWN, 503, ("admission", "upstream"), "", True),
        (Code.CALLER_LEFT, 499, ("admission", "upstream"), "", False),
    ],
)
def test_a_refusal_names_its_code_and_the_step_and_is_an_error_where_it_is_our_side_that_failed(
    code: Code, status: int, steps: tuple[str, ...], failed: str, error: bool
) -> None:
    exchange = refused(code, status, *steps)
    assert exchange.error is error
    assert exchange.attributes["error.type"] == code.value
    named = [step.name for step in exchange.steps if "error.type" in step.attributes]
    assert named == [failed] * bool(failed)
    assert [step.name for step in exchange.steps if step.error] == named * error


class Seen:
    def __init__(self) -> None:
        self.evidence: list[Evidence] = []

    def exchange(self, evidence: Evidence) -> None:
        self.evidence.append(evidence)


@asynccontextmanager
async def exporting(
    monkeypatch: pytest.MonkeyPatch, collector: Collector, **changes: Any
) -> AsyncIterator[SpanExport]:
    """With the real process."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    settings = TracingSettings(Sampler(), **{"delay": 0.01, **changes})
    export = SpanExport(settings, SPELLING, "instance-1")
    export.start()
    try:
        yield export
    finally:
        await export.stop()


async def test_what_is_traced_is_exported_and_what_is_not_is_only_observed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with collecting() as collector, exporting(monkeypatch, collector) as export:
        seen = Seen()
        observer = WithSpans(seen, export)
        observer.exchange(structs.replace(RELEASED, exchange_id="untraced", trace_id="", span=None))
        observer.exchange(RELEASED)
        await collector.until(lambda received: bool(received.spans))
        assert len(collector.of("x1")) == 9 and not collector.of("untraced")
        assert [evidence.exchange_id for evidence in seen.evidence] == ["untraced", "x1"]


async def test_what_does_not_fit_into_the_queue_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = TracingSettings(Sampler(), queue=20, delay=3600.0)
    export = SpanExport(settings, SPELLING, "instance-1")
    for _ in range(5):
        export.offer(RELEASED, SPAN)
    assert export.facts.dropped == 3 * 9


async def test_evidence_that_can_not_be_spelled_harms_nobody() -> None:
    export = SpanExport(TracingSettings(Sampler()), SPELLING, "instance-1")
    with capture_logs() as lines:
        export.offer(RELEASED, replace(SPAN, starts={}))
    assert [line["event"] for line in lines] == ["an exchange can't be spelled as spans"]


async def test_an_exporting_process_that_can_not_start_is_said_once_and_stops_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.telemetry.spans._ENTRY", "gateway.telemetry.nowhere:serve")
    export = SpanExport(TracingSettings(Sampler()), SPELLING, "instance-1")
    with capture_logs() as lines:
        export.start()
        assert export._task is not None
        await export._task
        export.offer(RELEASED, SPAN)
        await export.stop()
    assert [line["reason"] for line in lines if line["event"] == "spans are not exported"] == [
        "the exporting process can't start"
    ]
    assert export.facts.dropped == 9


async def test_a_batch_that_nobody_answers_for_counts_as_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hanging = asyncio.Event()
    async with collecting(open=hanging) as collector:
        hanging.clear()
        async with exporting(monkeypatch, collector) as export:
            export.offer(RELEASED, SPAN)
            await collector.until(lambda received: bool(received.raw))
            assert export.facts.failed == 0  # a counter never goes back
        assert (export.facts.exported, export.facts.failed) == (0, 9)


def test_the_counts_are_shown_from_the_start() -> None:
    shown = {each.labels[0]: each.value for each in span_readings(SpanFacts(dropped=2))}
    assert shown == {"exported": 0, "failed": 0, "dropped": 2}
