"""Gauges: what is shown of the rooms, under which names."""

from datetime import UTC, datetime

from gateway.decisionlog import append
from gateway.endpoints import Endpoint, Enforcement
from gateway.identity.keys import KeyFacts
from gateway.inspection.settings import BodySpec
from gateway.model import Format
from gateway.policy.engine import EngineFacts, EngineKind, Stage
from gateway.spool import Spool, SpoolSettings
from gateway.telemetry import catalogue, readings
from gateway.workers.pool import WorkerFacts


def test_what_a_room_says_is_shown_once_under_its_own_name() -> None:
    rooms = [
        *readings.data_port(3, 2, 1),
        *readings.spool(Spool(SpoolSettings())),
        *readings.decision_log(append.Facts(1, 2, 3, 4, 5, 6, "")),
        *readings.inspection(WorkerFacts(ready=1, restarts=2, jobs=3)),
        *readings.policy(EngineFacts(EngineKind.EMBEDDED, "r1", ready=True)),
    ]
    shown = [(each.metric.name, each.labels) for each in rooms]
    assert len(set(shown)) == len(shown)
    assert all(len(each.labels) == len(each.metric.labels) for each in rooms)


def test_ready_is_what_all_checks_say() -> None:
    for held, ready in (({"keys": True, "policy": True}, 1), ({"keys": True, "policy": False}, 0)):
        seen = {(each.metric.name, each.labels): each.value for each in readings.checks(held)}
        assert seen["privacy_gateway_ready", ()] == ready
        assert seen["privacy_gateway_check_ok", ("policy",)] is held["policy"]
        assert seen["privacy_gateway_check_ok", ("keys",)] is True


def test_an_endpoint_is_shown_as_it_is_configured() -> None:
    observed = Endpoint(
        "new",
        "/new",
        BodySpec(Format.JSON),
        enforcement=Enforcement.OBSERVE,
        observe_until=datetime(2026, 6, 1, tzinfo=UTC),
    )
    endpoints = [Endpoint("orders", "/orders", BodySpec(Format.JSON)), observed]
    assert [each.labels for each in readings.endpoints(endpoints)] == [
        ("orders", "hold", "enforce"),
        ("new", "hold", "observe"),
    ]


def test_the_policy_is_shown_with_every_stage_and_with_its_age_once_it_has_one() -> None:
    facts = EngineFacts(EngineKind.EMBEDDED, "r1", ready=True, rejections={Stage.PROOF: 2})
    seen = list(readings.policy(facts))
    rejections = [each for each in seen if each.metric is catalogue.POLICY_REJECTIONS]
    assert {each.labels: each.value for each in rejections} == {
        ("source",): 0,
        ("load",): 0,
        ("proof",): 2,
    }
    assert not {
        catalogue.POLICY_AGE.name,
        catalogue.POLICY_MAX_AGE.name,
        catalogue.POLICY_ACTIVATED.name,
    } & {each.metric.name for each in seen}
    aged = EngineFacts(EngineKind.OPA, "r1", ready=True, activated_at=5.0, age=7.0, max_age=9.0)
    values = {each.metric.name: each.value for each in readings.policy(aged)}
    assert values[catalogue.POLICY_ACTIVATED.name] == 5.0
    assert values[catalogue.POLICY_AGE.name] == 7.0
    assert values[catalogue.POLICY_MAX_AGE.name] == 9.0


def test_a_log_that_fails_pages() -> None:
    for fault, paged in (("", False), ("No space left", True)):
        log = readings.decision_log(append.Facts(0, 9, 0, 0, 0, 0, fault))
        assert {each.metric: each.value for each in log}[catalogue.LOG_FAILED] is paged


def test_keys_are_shown_by_issuer() -> None:
    facts = KeyFacts("https://id", 2, {}, None, True, 1, 0, None, max_age=3600.0)
    seen = list(readings.keys([facts]))
    assert {each.labels for each in seen} == {("https://id",)}
    assert [each.metric for each in seen] == [
        catalogue.KEYS,
        catalogue.KEYS_IGNORED,
        catalogue.KEYS_LIVE,
        catalogue.KEYS_MAX_AGE,
    ]
