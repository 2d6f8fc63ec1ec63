"""What `mutate` prints at a terminal."""

import pytest

from gateway.cli.mutated import show
from gateway.workbench.mutate.fates import Fate, Verdict
from gateway.workbench.mutate.mutants import Change, Kind, Where
from gateway.workbench.mutate.mutation import Outcome, Report
from gateway.workbench.mutate.uncompared import Uncompared


def outcome(kind: Kind, fate: Fate, by: str, record: int = 0) -> Outcome:
    where = Where("voice.zip", "$.id", "manifest.json", record)
    return Outcome(Change(kind, where, "another's", '"A1"', '"\x1b[2J"'), Verdict(fate, by))


def report(*outcomes: Outcome) -> Report:
    fields = (Uncompared("", "$.note", 3), Uncompared("", "$.email", 3, "compare it?"))
    nowhere = Change(Kind.CLAIM, Where("voice.zip", "caller.claims.purpose"), "x", '"a"', '"b"')
    return Report((), outcomes, 40, (nowhere, nowhere), fields, ("a note",))


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_kinds_survivors_and_the_sum_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        report(
            outcome(Kind.OWNER, Fate.KILLED, "withheld"),
            outcome(Kind.OWNER, Fate.SURVIVED, "1 unit left that must stay behind", 7),
            outcome(Kind.MEMBER, Fate.OVERKILL, "2 units withheld that nobody changed"),
        )
    )
    shown = capsys.readouterr().out
    assert "survived: it was changed, and it left (1)" in shown
    assert "overkill: others stayed behind, too (1)" in shown
    assert "voice.zip: manifest.json, record 7" in shown
    assert "! a note" in shown
    assert "\nnothing rests on caller.claims.purpose\n" in shown
    assert "\nnever compared, never masked: a mistake here goes unnoticed\n" in shown
    assert shown.splitlines()[-1] == (
        "1 of 3 mutants killed; 1 survived; 1 took others with them; 2 changed nothing that"
        " counts; 35 more are possible: --limit"
    )


def test_fields_with_a_hint_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    show(report(outcome(Kind.OWNER, Fate.KILLED, "withheld")))
    shown = capsys.readouterr().out
    assert shown.index("$.email") < shown.index("$.note")
    assert "survived:" not in shown


def test_values_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(report(outcome(Kind.OWNER, Fate.SURVIVED, "x")))
    assert "\x1b[2J" not in capsys.readouterr().out


def test_of_many_the_first_are_shown_and_the_others_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(report(*(outcome(Kind.OWNER, Fate.SURVIVED, "x", n) for n in range(25))))
    assert "and 5 more: --json has them all" in capsys.readouterr().out


def test_what_could_not_be_told_has_a_column_only_where_there_is_any(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(report(outcome(Kind.OWNER, Fate.KILLED, "withheld")))
    assert "unproven" not in capsys.readouterr().out
    show(report(outcome(Kind.OWNER, Fate.UNPROVEN, "policy_timeout")))
    shown = capsys.readouterr().out
    assert "unproven" in shown.splitlines()[1]
    assert "unproven: something failed, which says nothing about the change (1)" in shown
    assert "policy_timeout" in shown and "0 of 1 mutant killed; 1 unproven" in shown
