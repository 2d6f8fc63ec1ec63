"""A decision, record by record."""

import pytest

from gateway.inspection.verdict import Verdict
from gateway.model import Decision, Effect, SubjectRef
from tests.support.reading import masks

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")


def verdict(
    *permitted: SubjectRef,
    effect: Effect = Effect.REDACT,
    unattributed: bool = False,
    withhold: frozenset[str] = frozenset(),
    mask: tuple[str, ...] = (),
) -> Verdict:
    return Verdict(
        Decision(effect, frozenset(permitted), unattributed, withhold, masks(*mask), ("r",), "1")
    )


def test_a_record_stays_only_for_a_permitted_owner() -> None:
    assert verdict(ME).keeps((ME,), "")
    assert not verdict(ME).keeps((FOREIGN,), "")
    assert not verdict().keeps((ME,), "")


def test_a_record_with_several_owners_stays_only_if_all_are_permitted() -> None:
    assert not verdict(ME).keeps((ME, FOREIGN), "")
    assert verdict(ME, FOREIGN).keeps((ME, FOREIGN), "")


@pytest.mark.parametrize(
    "other", [SubjectRef("account", "ME"), SubjectRef("email", "me"), SubjectRef("account", " me")]
)
def test_owners_are_compared_exactly(other: SubjectRef) -> None:
    assert not verdict(ME).keeps((other,), "")
    assert verdict(other).keeps((other,), "")


def test_a_number_is_not_its_text() -> None:
    assert not verdict(SubjectRef("account", 42)).keeps((SubjectRef("account", "42"),), "")
    assert verdict(SubjectRef("account", 42)).keeps((SubjectRef("account", 42),), "")


def test_an_unattributed_record_stays_only_where_that_is_said() -> None:
    assert not verdict(ME).keeps((), "")
    assert verdict(unattributed=True).keeps((), "")


def test_a_withheld_category_stays_behind_whoever_owns_it() -> None:
    withholding = verdict(ME, unattributed=True, withhold=frozenset({"voice"}))
    assert not withholding.keeps((ME,), "voice")
    assert not withholding.keeps((), "voice")
    assert withholding.keeps((ME,), "orders")


def test_a_block_keeps_nothing() -> None:
    assert not verdict(ME, effect=Effect.BLOCK, unattributed=True).keeps((ME,), "")
    assert not verdict(ME, effect=Effect.BLOCK, unattributed=True).keeps((), "")


def test_the_masks_are_the_decision_s() -> None:
    assert verdict(ME, mask=("$.a", "$.b")).mask == masks("$.a", "$.b")
