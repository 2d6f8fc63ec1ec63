"""Which lines of a log can be asked about again, and why the others can't."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.decisionlog.entry import Outcome, Renderer, Stage
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.decisionlog.question import MAX_LISTED
from gateway.decisionlog.verify import verify
from gateway.errors import Code
from gateway.model import SubjectRef
from gateway.trace import Span
from gateway.workbench.replay.entries import Selection, Unreplayable, read
from gateway.workbench.unusable import Unusable
from tests.decisionlog.support import KEY, LABELS, NOON, OTHER_KEY
from tests.policy.support import FOREIGN, ME, question
from tests.workbench.replay.support import NAMES, block, evidence, rendered, steps, write

OWN = evidence(question(ME), block("no_ground_enabled"))


def reasons(path: Path, **options: Any) -> dict[str, int]:
    found = Counter(each.unreplayable for each in steps(path, **options) if each.unreplayable)
    return {reason.value: count for reason, count in found.items()}


def test_an_exchange_with_a_decision_is_replayed(tmp_path: Path) -> None:
    path = write(tmp_path / "log", *rendered(OWN))
    (step,) = steps(path)
    assert step.exchange and step.exchange.recorded
    assert step.exchange.endpoint == "orders"
    assert json.loads(step.exchange.question)["payload"]["subjects"][0]["value"] == NAMES.value(
        "A1"
    )
    assert step.size == path.stat().st_size


def test_an_exchange_that_was_traced_is_replayed_as_any_other(tmp_path: Path) -> None:
    traced = replace(OWN, trace_id="a" * 32, span=Span("b" * 16, "", {}))
    (step,), (plain,) = (
        steps(write(tmp_path / name, *rendered(each)))
        for name, each in (("traced", traced), ("plain", OWN))
    )
    assert step.exchange and plain.exchange and step.exchange.question == plain.exchange.question


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (replace(OWN, inspection=None, decision=None), Unreplayable.NEVER_ASKED),
        (replace(OWN, question=None, caller=None), Unreplayable.NEVER_ASKED),
        (replace(OWN, inspection=None), Unreplayable.REQUEST_PHASE),
        (replace(OWN, decision=None, code=Code.POLICY_TIMEOUT), Unreplayable.NO_DECISION),
        (
            evidence(question(*(SubjectRef("a", n) for n in range(MAX_LISTED + 1))), block()),
            Unreplayable.TRUNCATED,
        ),
    ],
    ids=lambda each: each.value if isinstance(each, Unreplayable) else "",
)
def test_what_was_not_asked_or_not_kept_whole_is_counted_by_its_reason(
    tmp_path: Path, entry: Any, reason: Unreplayable
) -> None:
    path = write(tmp_path / "log", *rendered(entry, replace(OWN, exchange_id="e2")))
    assert reasons(path) == {reason.value: 1}
    assert sum(each.exchange is not None for each in steps(path)) == 1
    assert reason.meaning


def test_without_a_recorded_decision_two_bundles_can_still_be_compared(tmp_path: Path) -> None:
    path = write(tmp_path / "log", *rendered(replace(OWN, decision=None)))
    assert steps(path, recorded=False)[0].exchange


def test_an_entry_under_another_key_is_not_replayed(tmp_path: Path) -> None:
    foreign = Renderer(Pseudonyms(OTHER_KEY.pseudonym), OTHER_KEY.id, LABELS).render(OWN)
    path = write(tmp_path / "log", foreign, *rendered(OWN))
    assert reasons(path) == {"other_key": 1}


def test_an_entry_of_the_time_before_whole_questions_says_so(tmp_path: Path) -> None:
    old = json.loads(rendered(OWN)[0])
    old["input"] = {
        "caller": {"identifiers": [{"kind": "account", "value": "p1:…", "basis": "claim"}]},
        "payload": {
            "format": "json",
            "records": 1,
            "members": 0,
            "unattributed": {"records": 0, "categories": []},
        },
    }
    never = {**old, "decision_id": "e2", "input": {"caller": {"identifiers": []}}, "path": None}
    path = write(tmp_path / "log", *(json.dumps(each).encode() for each in (old, never)))
    assert reasons(path) == {"old_shape": 1, "never_asked": 1}


@pytest.mark.parametrize(
    "broken",
    [
        {"timestamp": "yesterday"},
        {"result": {"effect": "permit"}},
        {"subjects": []},
        {"input": {"schema": "privacy-gateway/question/v1", "phase": "response"}},
    ],
    ids=str,
)
def test_an_intact_line_that_is_no_entry_of_ours_is_unreadable(
    tmp_path: Path, broken: dict[str, Any]
) -> None:
    entry = {**json.loads(rendered(OWN)[0]), **broken}
    assert reasons(write(tmp_path / "log", json.dumps(entry).encode())) == {"unreadable": 1}


def test_the_self_proof_is_nobodys_exchange_and_a_gap_is_counted(tmp_path: Path) -> None:
    gap = Renderer(NAMES, KEY.id, LABELS).gap("g1", NOON, 12)
    path = write(tmp_path / "log", gap, *rendered(replace(OWN, probe=True)))
    found = steps(path)
    assert [each.missing for each in found] == [12, 0]
    assert not any(each.exchange or each.unreplayable for each in found)


def test_an_exchange_with_two_entries_is_replayed_once(tmp_path: Path) -> None:
    late = replace(OWN, outcome=Outcome.REFUSED, code=Code.LOG_UNAVAILABLE)
    path = write(tmp_path / "log", *rendered(OWN, late, replace(OWN, exchange_id="e2")))
    assert [each.exchange is not None for each in steps(path)] == [True, False, True]


def test_a_selection_takes_a_time_and_no_more_than_its_limit(tmp_path: Path) -> None:
    at = OWN.received_at
    entries = [
        replace(OWN, exchange_id=f"e{hour}", received_at=at + timedelta(hours=hour))
        for hour in range(5)
    ]
    path = write(tmp_path / "log", *rendered(*entries))

    def ids(selection: Selection) -> list[str]:
        return [each.exchange.decision_id for each in steps(path, selection) if each.exchange]

    since, until = at + timedelta(hours=1), at + timedelta(hours=3)
    assert ids(Selection(since=since, until=until)) == ["e1", "e2"]
    assert ids(Selection(since=since, limit=3)) == ["e1", "e2", "e3"]
    assert ids(Selection()) == [f"e{hour}" for hour in range(5)]


@pytest.mark.parametrize("line", [0, 2])
def test_a_log_that_changes_after_it_was_verified_is_not_replayed(
    tmp_path: Path, line: int
) -> None:
    entries = [replace(OWN, exchange_id=f"e{number}") for number in range(3)]
    path = write(tmp_path / "log", *rendered(*entries))
    verified = verify(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b"block", b"allow")
    path.write_bytes(b"".join(lines))
    with pytest.raises(Unusable, match=f"entry {line + 1} changed"):
        list(read(path, verified, KEY.id, Selection(), recorded=True))


def test_a_log_that_is_replaced_by_another_intact_one_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "log", *rendered(OWN))
    verified = verify(path)
    other = write(tmp_path / "other", *rendered(evidence(question(FOREIGN), block())))
    path.write_bytes(other.read_bytes())
    with pytest.raises(Unusable, match="changed while"):
        list(read(path, verified, KEY.id, Selection(), recorded=True))


def test_each_question_of_a_stream_is_replayed_once(tmp_path: Path) -> None:
    """Its entries have one id; the end asks nothing, and a refusal repeats what was asked."""
    opening = replace(OWN, stage=Stage.OPENING, part=1)
    change = replace(OWN, stage=Stage.CHANGE, part=2)
    end = replace(OWN, stage=Stage.END, part=3)
    path = write(tmp_path / "log", *rendered(opening, opening, change, end))
    assert verify(path).ok
    assert [each.exchange is not None for each in steps(path)] == [True, False, True, False]
    assert reasons(path) == {}
