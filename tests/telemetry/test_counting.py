"""What is counted adds up, within a process and over several."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from gateway.decisionlog.entry import Evidence, Stage
from gateway.model import Attribution, Effect, Group
from gateway.telemetry.counting import Counted
from tests.telemetry.test_metrics import evidence

STEPS = {"identity": 0.25, "upstream": 2.0, "inspection": 0.5, "log": 0.125}


def counted(*evidences: Evidence) -> Counted:
    result = Counted()
    for each in evidences:
        result.exchange(each)
    return result


def test_an_exchange_is_as_long_as_its_steps_and_the_upstreams_part_is_not_ours() -> None:
    found = counted(structs.replace(evidence(), durations=STEPS))
    assert found.whole["orders"].sum == 2.875
    assert found.added["orders"].sum == 0.875
    assert {step: histogram.sum for step, histogram in found.steps.items()} == STEPS


@pytest.mark.parametrize("steps", [{"admission": 0.1}, {"admission": 0.1, "upstream": 3.0}])
def test_what_the_upstream_did_not_answer_says_nothing_about_what_we_add(
    steps: dict[str, float],
) -> None:
    refused = Evidence("x", datetime(2026, 1, 1, tzinfo=UTC), endpoint="orders", durations=steps)
    found = counted(refused)
    assert found.added == {}
    assert found.whole["orders"].classic()[-1] == 1


def test_a_record_without_an_owner_is_counted_whatever_becomes_of_it() -> None:
    for effect in Effect:
        whole = evidence(effect)
        assert whole.inspection
        groups = (*whole.inspection.groups, Group((), Attribution.NONE, "", 4))
        seen = structs.replace(whole, inspection=structs.replace(whole.inspection, groups=groups))
        assert counted(seen).volumes["orders", "json"].unattributed == 4
        assert counted(whole).volumes["orders", "json"].unattributed == 0


def test_a_trace_is_kept_with_the_durations_of_its_exchange() -> None:
    found = counted(structs.replace(evidence(), durations=STEPS, trace_id="ab" * 16))
    kept = [found.whole["orders"], found.added["orders"], *found.steps.values()]
    assert all([e.trace_id for e in each.exemplars.values()] == ["ab" * 16] for each in kept)


def test_the_first_record_of_a_stream_is_told_apart_from_what_is_held() -> None:
    stream = structs.replace(evidence(), durations=STEPS, stage=Stage.END, part=2)
    one, two = counted(stream), counted(stream, structs.replace(evidence(), durations=STEPS))
    assert (one.first["orders"].sum, two.first["orders"].sum) == (2.875, 2.875)
    assert counted(structs.replace(evidence(), durations=STEPS)).first == {}
