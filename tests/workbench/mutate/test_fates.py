"""What became of a mutant."""

import pytest

from gateway.errors import Code
from gateway.model import Attribution, Decision, Effect, Format, Group, Inspection, SubjectRef
from gateway.workbench.mutate import fates
from gateway.workbench.mutate.bodies import Unit
from gateway.workbench.mutate.fates import Fate
from tests.support.reading import masks

A, B = SubjectRef("account", "A1"), SubjectRef("account", "B2")


def units(*texts: str) -> list[Unit]:
    return [Unit("", index, text.encode()) for index, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("expected", "left", "fate"),
    [
        ("ab", "ab", Fate.KILLED),
        ("ab", "", Fate.KILLED),
        ("", "", Fate.KILLED),
        ("ab", "abX", Fate.SURVIVED),
        ("ab", "aX", Fate.SURVIVED),
        ("ab", "abb", Fate.SURVIVED),
        ("", "X", Fate.SURVIVED),
        ("ab", "a", Fate.OVERKILL),
        ("abb", "ab", Fate.OVERKILL),
    ],
)
def test_exactly_what_was_changed_must_stay_behind_or_all(
    expected: str, left: str, fate: Fate
) -> None:
    assert fates.of_units(units(*expected), units(*left)).fate is fate


def test_where_a_unit_stands_does_not_count_and_in_which_member_does() -> None:
    one, other = Unit("a", 0, b"x"), Unit("a", 3, b"x")
    assert fates.of_units([one], [other]).fate is Fate.KILLED
    assert fates.of_units([one], [Unit("b", 0, b"x")]).fate is Fate.SURVIVED


def test_a_refusal_kills_and_says_by_what() -> None:
    verdict = fates.of_refusal(Code.BODY_AMBIGUOUS)
    assert (verdict.fate, verdict.by) == (Fate.KILLED, "body_ambiguous")


@pytest.mark.parametrize(
    "code",
    [
        Code.POLICY_UNAVAILABLE, Code.POLICY_TIMEOUT, Code.OVERLOADED, Code.SPOOL_FULL,
        Code.INTERNAL_ERROR, Code.INSPECTION_FAILED, Code.INSPECTION_TIMEOUT, Code.TOKEN_EXPIRED,
    ],
)  # fmt: skip
def test_a_failure_of_something_else_kills_nothing(code: Code) -> None:
    verdict = fates.of_refusal(code, "why")
    assert (verdict.fate, verdict.by) == (Fate.UNPROVEN, f"{code} (why)")


INSPECTION = Inspection(
    Format.NDJSON,
    (Group((A,), Attribution.DIRECT, "", 3), Group((B,), Attribution.DIRECT, "", 2)),
    (), 1, 1, 1,
)  # fmt: skip


def decision(
    *permitted: SubjectRef,
    reasons: tuple[str, ...] = ("self_access",),
    mask: tuple[str, ...] = (),
) -> Decision:
    effect = Effect.REDACT if permitted else Effect.BLOCK
    return Decision(effect, frozenset(permitted), False, frozenset(), masks(*mask), reasons, "r1")


def told(
    before: Decision, after: Decision | None, control: Decision | None, other_reasons: bool = False
) -> Fate | None:
    verdict = fates.of_decisions(INSPECTION, before, after, control, other_reasons=other_reasons)
    return verdict.fate if verdict else None


def test_what_the_control_withholds_must_be_withheld() -> None:
    assert told(decision(A, B), decision(A), decision(A)) is Fate.KILLED
    assert told(decision(A, B), decision(A, B), decision(A)) is Fate.SURVIVED
    assert told(decision(A), decision(A), None) is Fate.SURVIVED
    assert told(decision(A), None, None) is Fate.KILLED


def test_what_is_masked_must_be_masked_in_what_still_leaves() -> None:
    before, control = decision(A, B, mask=("$.a",)), decision(A, mask=("$.a", "$.b"))
    assert told(before, decision(A, mask=("$.b", "$.a")), control) is Fate.KILLED
    assert told(before, decision(A, mask=("$.a",)), control) is Fate.SURVIVED
    assert told(before, decision(mask=()), control) is Fate.KILLED


def test_where_the_control_loses_nothing_there_is_nothing_to_test() -> None:
    assert told(decision(A), decision(A), decision(A)) is None


def test_the_same_may_leave_for_other_reasons_where_that_is_said() -> None:
    before = decision(A, reasons=("representative",))
    assert told(before, decision(A), None, other_reasons=True) is Fate.KILLED
    assert told(before, before, None, other_reasons=True) is Fate.SURVIVED
