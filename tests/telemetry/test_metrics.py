"""Metrics: closed labels, right sums."""

from dataclasses import replace
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from gateway.decisionlog.entry import Evidence, Outcome
from gateway.errors import Code
from gateway.model import (
    Attribution,
    Counts,
    Decision,
    Effect,
    Format,
    Group,
    Inspection,
    SubjectRef,
)
from gateway.telemetry.catalogue import SPOOL_BYTES
from gateway.telemetry.metrics import Metrics, Reading

CANARY = "canary-8b1f"
LABELS = ("endpoint", "format", "effect", "code", "went", "stage", "step", "would")


def evidence(effect: Effect | None = Effect.ALLOW, code: Code | None = None) -> Evidence:
    owner = SubjectRef("account", CANARY)
    inspection = Inspection(
        Format.JSON, (Group((owner,), Attribution.DIRECT, "", 3),), (CANARY,), 90, 90, 90
    )
    decision = None
    if effect:
        permitted = frozenset({owner} if effect is Effect.ALLOW else ())
        decision = Decision(effect, permitted, False, frozenset(), (), (CANARY,), "r1")
    allowed = effect is Effect.ALLOW
    return Evidence(
        exchange_id=CANARY,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        endpoint="orders",
        method="GET",
        inspection=inspection,
        decision=decision,
        counts=Counts(3, released=3) if allowed else Counts(3, blocked=3),
        code=code,
        http_status=200,
        outcome=Outcome.RELEASED,
        bytes_released=90 if allowed else 0,
        durations={"inspection": 0.002},
        note=CANARY,
    )


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (
            sample.name.removeprefix("privacy_gateway_"),
            tuple(sample.labels[name] for name in LABELS if name in sample.labels),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_released_and_a_blocked_exchange_are_counted_where_they_belong() -> None:
    metrics = Metrics()
    metrics.exchange(evidence())
    metrics.exchange(evidence(Effect.BLOCK, Code.BLOCKED_BY_POLICY))
    seen = samples(metrics)
    assert seen["exchanges_total", ("orders", "json", "allow", "none")] == 1
    assert seen["exchanges_total", ("orders", "json", "block", "blocked_by_policy")] == 1
    assert seen["records_total", ("orders", "json", "seen")] == 6
    assert seen["records_total", ("orders", "json", "released")] == 3
    assert seen["records_total", ("orders", "json", "blocked")] == 3
    assert seen["subjects_total", ("orders", "json", "permitted")] == 1
    assert seen["subjects_total", ("orders", "json", "withheld")] == 1
    assert seen["bytes_total", ("orders", "json", "released")] == 90
    assert seen["uninspected_bytes_total", ()] == 0
    assert seen["step_duration_seconds_count", ("inspection",)] == 2


def test_an_observed_exchange_is_counted_as_released_and_as_against_the_policy() -> None:
    metrics = Metrics()
    blocked = evidence(Effect.BLOCK)
    metrics.exchange(
        replace(
            blocked,
            outcome=Outcome.OBSERVED,
            counts=Counts(3, released=3),
            bytes_released=90,
            observing=True,
        )
    )
    seen = samples(metrics)
    assert seen["exchanges_total", ("orders", "json", "block", "none")] == 1
    assert seen["observed_exchanges_total", ("orders", "block")] == 1
    assert seen["observed_records_total", ("orders", "block")] == 3
    assert seen["records_total", ("orders", "json", "seen")] == 3
    assert seen["records_total", ("orders", "json", "released")] == 3
    assert seen["records_total", ("orders", "json", "blocked")] == 0
    assert seen["subjects_total", ("orders", "json", "observed")] == 1
    assert seen["subjects_total", ("orders", "json", "withheld")] == 0


def test_what_is_enforced_is_not_counted_as_observed() -> None:
    metrics = Metrics()
    metrics.exchange(evidence())
    metrics.exchange(evidence(Effect.BLOCK, Code.BLOCKED_BY_POLICY))
    assert not [name for name, _ in samples(metrics) if name.startswith("observed")]


def test_an_exchange_refused_before_anything_was_known_is_counted_too() -> None:
    metrics = Metrics()
    metrics.exchange(Evidence("x", datetime(2026, 1, 1, tzinfo=UTC), code=Code.REQUEST_MALFORMED))
    assert samples(metrics)["exchanges_total", ("none", "none", "none", "request_malformed")] == 1


def test_nothing_of_a_caller_a_body_or_a_policy_becomes_a_label() -> None:
    metrics = Metrics()
    for effect in Effect:
        metrics.exchange(evidence(effect, Code.BLOCKED_BY_POLICY))
    assert CANARY not in metrics.render().decode()


def test_readings_are_asked_at_each_scrape() -> None:
    values = iter([1.0, 2.0])
    metrics = Metrics([lambda: [Reading(SPOOL_BYTES, next(values))]])
    assert samples(metrics)["spool_bytes", ()] == 1
    assert samples(metrics)["spool_bytes", ()] == 2
