"""Metrics: closed labels, right sums."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from bench import scrape
from gateway import __version__
from gateway.decisionlog.entry import Evidence, Outcome
from gateway.endpoints import Endpoint, Enforcement
from gateway.errors import Code
from gateway.inspection.settings import BodySpec
from gateway.model import (
    Actor,
    Attribution,
    Caller,
    Counts,
    Decision,
    Effect,
    Format,
    Group,
    Identifier,
    Inspection,
    Phase,
    SubjectRef,
)
from gateway.policy.contract import Question
from gateway.telemetry.catalogue import METRICS, SPOOL_BYTES, STEPS
from gateway.telemetry.exposition import Format as Exposition
from gateway.telemetry.metrics import Metrics, Reading

CANARY = "canary-8b1f"
AT = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = ("endpoint", "format", "effect", "code", "went", "stage", "step", "would", "result")


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


def canaries(effect: Effect | None, code: Code | None, kind: Format | None) -> Evidence:
    """An exchange that has a canary in every text that somebody outside could choose."""
    owner = SubjectRef(CANARY, CANARY)
    groups = (
        Group((owner,), Attribution.DIRECT, CANARY, 3),
        Group((), Attribution.NONE, CANARY, 1),
    )
    caller = Caller(
        CANARY, CANARY, (Identifier(CANARY, CANARY),), Actor(CANARY, CANARY), (CANARY,), (CANARY,),
        {CANARY: CANARY},
    )  # fmt: skip
    question = Question(
        phase=Phase.REQUEST, exchange_id=CANARY, received_at=AT, endpoint="orders",
        labels={CANARY: CANARY}, method=CANARY, path=(CANARY,), params={CANARY: CANARY},
        query={CANARY: (CANARY,)}, caller=caller,
    )  # fmt: skip
    whole = replace(
        evidence(effect, code), exchange_id=CANARY, method=CANARY, caller=caller, question=question,
        trace_id="ab" * 16, durations=dict.fromkeys(STEPS, 0.002),
    )  # fmt: skip
    if kind is None:
        return replace(whole, inspection=None)
    inspection = Inspection(kind, groups, (CANARY,), 90, 90, 90)
    decision = effect and Decision(
        effect, frozenset({owner}), False, frozenset({CANARY}), (CANARY,), (CANARY,), CANARY
    )
    return replace(whole, inspection=inspection, decision=decision)


def configured(name: str) -> Endpoint:
    return Endpoint(
        name, f"/{name}", BodySpec(Format.JSON), enforcement=Enforcement.OBSERVE, observe_until=AT
    )


def drive(metrics: Metrics, names: Sequence[str]) -> None:
    """Count everything that can be, at every endpoint."""
    for effect, code, kind in product((None, *Effect), (None, *Code), (None, *Format)):
        for endpoint in names:
            seen = replace(canaries(effect, code, kind), endpoint=endpoint)
            metrics.exchange(seen)
            if effect in (Effect.REDACT, Effect.BLOCK):
                metrics.exchange(replace(seen, outcome=Outcome.OBSERVED))
    for code in Code:  # before it was known which endpoint is meant
        early = replace(canaries(None, code, None), endpoint=None)
        metrics.exchange(replace(early, durations={"admission": 0.001}))
    metrics.log_synced(0.001)


def driven(*names: str) -> Metrics:
    metrics = Metrics(endpoints=map(configured, names))
    drive(metrics, names)
    return metrics


@pytest.mark.parametrize("exposition", Exposition)
def test_nothing_of_a_caller_a_body_or_a_policy_becomes_a_label(exposition: Exposition) -> None:
    scrape = driven("orders").render(exposition)
    assert CANARY.encode() not in scrape
    assert b"blocked_by_policy" in scrape


def test_every_label_has_a_value_of_its_closed_set_or_a_configured_name() -> None:
    names = ["orders", "archive"]
    for family in text_string_to_metric_families(driven(*names).render().decode()):
        metric = METRICS.get(family.name) or METRICS[f"{family.name}_total"]
        for sample in family.samples:
            values = {label.name: {*label.values} for label in metric.labels}
            for label in metric.labels:
                values[label.name] |= {"endpoints": {*names}, "versions": {__version__}}.get(
                    label.source, set()
                )
            for name, value in sample.labels.items():
                assert name == "le" or value in values[name], sample


def series(text: str) -> int:
    return sum(not line.startswith("#") for line in text.splitlines())


def test_how_many_series_there_can_be_follows_from_the_configuration() -> None:
    names = [f"endpoint-{number}" for number in range(3)]
    metrics = driven(*names)
    text = metrics.render().decode()
    sources = {"endpoints": len(names), "versions": 1, "outside formats": 0}
    shown = [metric for name, metric in METRICS.items() if f"# TYPE {name} " in text]
    assert 1_000 < series(text) <= sum(metric.most(sources) for metric in shown)
    drive(metrics, names)
    assert series(metrics.render().decode()) == series(text)


def test_a_hundred_endpoints_in_use_are_thirteen_thousand_lines_at_most() -> None:
    metrics, _ = scrape.populated(100)
    assert metrics.render().count(b"\n") < 13_000


def test_what_will_be_counted_begins_at_0() -> None:
    observed = Endpoint(
        "new", "/new", BodySpec(Format.CSV), enforcement=Enforcement.OBSERVE, observe_until=AT
    )
    seen = samples(Metrics(endpoints=[Endpoint("orders", "/o", BodySpec(Format.JSON)), observed]))
    assert seen["exchanges_total", ("orders", "json", "block", "blocked_by_policy")] == 0
    assert seen["exchanges_total", ("orders", "json", "redact", "none")] == 0
    assert seen["exchanges_total", ("new", "csv", "allow", "none")] == 0
    assert seen["unattributed_records_total", ("orders", "json")] == 0
    assert seen["added_duration_seconds_count", ("orders",)] == 0
    assert seen["observed_records_total", ("new", "block")] == 0
    assert ("observed_records_total", ("orders", "block")) not in seen
    assert seen["self_proofs_total", ("failed",)] == 0


def test_self_proofs_and_syncs_are_counted() -> None:
    metrics = Metrics()
    for passed in (True, True, False):
        metrics.self_proof(passed=passed)
    metrics.log_synced(0.5)
    seen = samples(metrics)
    assert seen["self_proofs_total", ("passed",)] == 2
    assert seen["self_proofs_total", ("failed",)] == 1
    assert seen["log_sync_duration_seconds_sum", ()] == 0.5


def test_readings_are_asked_at_each_scrape() -> None:
    values = iter([1.0, 2.0])
    metrics = Metrics([lambda: [Reading(SPOOL_BYTES, next(values))]])
    assert samples(metrics)["spool_bytes", ()] == 1
    assert samples(metrics)["spool_bytes", ()] == 2
