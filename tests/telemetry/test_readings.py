"""Gauges: what is shown of the rooms, under which names."""

from gateway.decisionlog import append
from gateway.identity.keys import KeyFacts
from gateway.policy.engine import EngineFacts, Stage
from gateway.policy.settings import EngineKind
from gateway.spool import Spool, SpoolSettings
from gateway.telemetry import readings
from gateway.workers import WorkerFacts


def test_every_gauge_has_a_name_of_its_own_and_says_what_it_means() -> None:
    rooms = [
        *readings.data_port(1, 2),
        *readings.spool(Spool(SpoolSettings())),
        *readings.decision_log(append.Facts(1, 2, 3, 4, 0.5, 6, "")),
        *readings.inspection(WorkerFacts(ready=1, restarts=2, jobs=3)),
        *readings.policy(EngineFacts(EngineKind.EMBEDDED, "r1", ready=True)),
        *readings.keys([]),
    ]
    names = [each.name for each in rooms if not each.labels]
    assert len(set(names)) == len(names)
    assert all(each.help.endswith((".", "page.")) for each in rooms)


def test_the_policy_is_shown_with_every_stage_and_with_its_age_once_it_has_one() -> None:
    facts = EngineFacts(EngineKind.EMBEDDED, "r1", ready=True, rejections={Stage.PROOF: 2})
    seen = list(readings.policy(facts))
    assert {each.labels["stage"]: each.value for each in seen if "stage" in each.labels} == {
        "source": 0,
        "load": 0,
        "proof": 2,
    }
    assert not {"policy_age_seconds", "policy_activated_timestamp_seconds"} & {
        each.name for each in seen
    }
    aged = EngineFacts(EngineKind.OPA, "r1", ready=True, activated_at=5.0, age=7.0)
    values = {each.name: each.value for each in readings.policy(aged)}
    assert values["policy_activated_timestamp_seconds"] == 5.0
    assert values["policy_age_seconds"] == 7.0


def test_a_log_that_fails_pages() -> None:
    for fault, paged in (("", False), ("No space left", True)):
        log = readings.decision_log(append.Facts(0, 0, 0, 0, 0.0, 0, fault))
        assert {each.name: each.value for each in log}["log_failed"] is paged


def test_keys_are_shown_by_issuer() -> None:
    facts = KeyFacts("https://id", 2, {}, None, live=True, reads=1, failures=0, fault=None)
    seen = list(readings.keys([facts]))
    assert {each.labels["issuer"] for each in seen} == {"https://id"}
    assert [each.name for each in seen] == ["keys", "keys_ignored", "keys_live"]
