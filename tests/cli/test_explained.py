"""An explanation at a terminal: harmless to it, and whole."""

from typing import Any

import msgspec
import pytest

from gateway.cli.explained import show, shown
from gateway.workbench.account import Spot
from gateway.workbench.explanation import (
    Effective,
    Explanation,
    Fault,
    Members,
    Reason,
    Records,
    Restriction,
    Subject,
    Unattributed,
    WhyNot,
)

RULE = Spot("privacy/restrictions/x/x.rego", 7, "masks contains 1")


def explanation(**changes: Any) -> Explanation:
    plain = Explanation(
        endpoint="orders",
        method="GET",
        path=["exports", "orders"],
        at="2026-06-01T12:00:00+00:00",
        engine="embedded",
        revision="r1",
        caller=None,
        outcome="redacted",
        effect="redact",
        effect_rule=None,
        code=None,
        status=200,
        note="",
        fault=None,
        reasons=[],
        subjects=[],
        subjects_total=0,
        unattributed=Unattributed(0, 0, []),
        withhold=[],
        mask=[],
        grounds=[],
        restrictions=[],
        records=Records(2, 1, 1, 0, [0], [1]),
        members=None,
        rules_of="policies",
        doubt="",
    )
    return msgspec.structs.replace(plain, **changes)


def test_a_value_is_harmless_and_a_number_is_marked() -> None:
    assert shown("A1") == "A1"
    assert "\x1b" not in shown("\x1b[2J")
    assert shown(42) != shown("42")


def test_what_restrictions_take_away_is_shown_with_the_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    acting = Restriction(
        "secrets", "", "", True, True, [Effective("masks", msgspec.Raw(b'["$.a"]'), RULE)]
    )
    lacking = Restriction("special", "", "", True, False, [])
    show(explanation(restrictions=[acting, lacking], mask=["$.a"], withhold=["voice"]))
    out = capsys.readouterr().out
    assert 'secrets masks ["$.a"]' in out and "privacy/restrictions/x/x.rego:7" in out
    assert "special lacks its data, and blocks" in out
    assert "masked" in out and "withheld" in out


def test_members_are_listed_and_a_doubt_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    members = Members([f"{number}.wav" for number in range(30)], ["\x1b.wav"])
    show(explanation(members=members, doubt="the grounds say otherwise"))
    out = capsys.readouterr().out
    assert "30 in all" in out and "\x1b" not in out
    assert "not accounted for: the grounds say otherwise" in out


def test_a_long_place_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    spot = Spot("privacy/" + "deep/" * 40 + "rule.rego", 12)
    show(explanation(reasons=[Reason("why", spot)]))
    assert f"{spot.file}:12" in capsys.readouterr().out


def stranger(name: str, rule: Spot | None = RULE) -> Subject:
    why = [WhyNot("self_access", True, rule), WhyNot("consent", False)]
    return Subject("account", name, 1, 0, [], [], False, [], why)


def test_subjects_that_stop_at_the_same_statements_are_said_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    subjects = [stranger("A7"), stranger("A8", None), stranger("A9")]
    show(explanation(subjects=subjects, subjects_total=3))
    out = capsys.readouterr().out
    assert "account:A7, account:A9: no ground permits them\n  self_access stops at" in out
    assert "account:A8: no ground permits it\n  self_access would permit it alone" in out
    assert out.count("not enabled: consent") == 2


def test_an_identifier_is_never_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show(explanation(subjects=[stranger("x" * 90)], subjects_total=1))
    table = capsys.readouterr().out.partition("no ground permits")[0]
    assert table.count("x") >= 180 and "…" not in table


def test_where_nothing_was_read_nothing_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    fault = Fault("a\nb.json", 1, 2, 'duplicate key "\u202e"', "")
    show(explanation(records=Records(0, 0, 0, 0, [], []), outcome="refused", fault=fault))
    out = capsys.readouterr().out
    assert "no record would leave" in out
    assert "a\ufffdb.json:1:2: duplicate key" in out and "\u202e" not in out
