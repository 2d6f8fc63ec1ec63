"""What `replay` prints: the same for people and for machines."""

from pathlib import Path
from typing import Any

import pytest

from gateway.cli.replayed import document, show
from gateway.decisionlog.chain import GENESIS
from gateway.decisionlog.verify import Verification
from gateway.workbench.replay.entries import Unreplayable
from gateway.workbench.replay.plan import Plan
from gateway.workbench.replay.run import Replay
from tests.workbench.replay.test_plan import ALLOW, BLOCK, OTHER, plan

LOG = Path("decisions.jsonl")


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def found(made: Plan, **changes: Any) -> Replay:
    facts = {"revision": "r2", "against": None, "readers": {}, **changes}
    return Replay(Verification(9, GENESIS), made, **facts)


def test_what_would_newly_leave_is_marked_and_said_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(found(plan((BLOCK, ALLOW), (ALLOW, BLOCK), (BLOCK, OTHER))), LOG)
    shown = capsys.readouterr().out
    marks = [line[0] for line in shown.splitlines() if line[:2] in ("! ", "- ", "~ ")]
    assert marks == ["!", "-", "~", "!"]
    assert "candidate  r2" in shown and "against    the decisions in the log" in shown
    assert "! Up to 3 records would newly leave." in shown
    assert shown.splitlines()[-1].startswith("Plan: 0 unchanged, 1 would newly release")


def test_what_was_not_replayed_and_what_cannot_be_followed_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = plan((ALLOW, ALLOW))
    made.leave_out(Unreplayable.TRUNCATED)
    show(found(made, readers={"startswith": ("a.rego:1", "a.rego:2", "b.rego:3", "c.rego:4")}), LOG)
    shown = capsys.readouterr().out
    assert f"not replayed: 1  {Unreplayable.TRUNCATED.meaning}" in shown
    assert "startswith (a.rego:1, a.rego:2, b.rego:3 and 1 more)" in shown


def test_the_document_counts_what_the_table_counts() -> None:
    told = document(found(plan((BLOCK, ALLOW), (ALLOW, BLOCK), (ALLOW, ALLOW))), LOG)
    assert told["schema"] == "privacy-gateway/plan/v1"
    assert (told["unchanged"], told["newly_releasing"], told["newly_blocking"]) == (1, 1, 1)
    assert [each["direction"] for each in told["differences"]] == ["releases", "blocks"]
