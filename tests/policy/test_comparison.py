"""What would change if another policy decided, and what would not."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Attribution, Decision, Effect, Format, Group, Inspection, Mask, SubjectRef
from gateway.policy.comparison import Change, compare
from tests.policy.support import FOREIGN, ME, unattributed
from tests.support.reading import masks

MINE = Group((ME,), Attribution.DIRECT, "order", 3, (0, 2, 3))
THEIRS = Group((FOREIGN,), Attribution.DIRECT, "voice", 2, (1, 4))
OURS = Group((ME, FOREIGN), Attribution.DIRECT, "", 1, (5,))
SEEN = Inspection(Format.JSON, (MINE, THEIRS), ("id",), 9, 9, 9)


def decision(effect: Effect, *permitted: SubjectRef, **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "release_unattributed": False,
        "withhold": frozenset(),
        "mask": (),
        "reasons": ("self_access",),
        "revision": "r1",
    }
    changes["mask"] = masks(*changes.get("mask", ()))
    return Decision(effect, frozenset(permitted), **fields | changes)


ALLOW = decision(Effect.ALLOW, ME, FOREIGN)
BLOCK = decision(Effect.BLOCK, reasons=("foreign_subject",))
REDACT = decision(Effect.REDACT, ME, reasons=("foreign_subject", "self_access"))


@pytest.mark.parametrize("same", [ALLOW, BLOCK, REDACT])
def test_the_same_answer_changes_nothing(same: Decision) -> None:
    assert compare(same, same, SEEN) is None


def test_an_answer_that_differs_in_its_reasons_and_revision_only_changes_nothing() -> None:
    other = decision(Effect.ALLOW, ME, FOREIGN, reasons=("guardian",), revision="r2")
    assert compare(ALLOW, other, SEEN) is None


def test_a_block_in_the_place_of_an_allow_keeps_every_record_back() -> None:
    found = compare(ALLOW, BLOCK, SEEN)
    assert found is not None
    assert (found.active, found.shadow) == (Effect.ALLOW, Effect.BLOCK)
    assert found.changes == (Change(MINE, leave=False), Change(THEIRS, leave=False))
    assert [change.group.first for change in found.changes] == [(0, 2, 3), (1, 4)]
    assert (found.leaving, found.staying, found.opens) == (0, 5, False)
    assert (found.gained, found.lost) == (("foreign_subject",), ("self_access",))
    assert found.why == ("foreign_subject",)


def test_an_allow_in_the_place_of_a_block_opens() -> None:
    found = compare(BLOCK, ALLOW, SEEN)
    assert found is not None
    assert (found.leaving, found.staying, found.opens) == (5, 0, True)


def test_only_the_records_that_go_another_way_are_named() -> None:
    found = compare(REDACT, ALLOW, SEEN)
    assert found is not None
    assert found.changes == (Change(THEIRS, leave=True),)
    assert (found.leaving, found.opens) == (2, True)
    # The shadow gives no reason of its own, so that what it doesn't say is why.
    assert (found.gained, found.why) == ((), ("foreign_subject",))
    other = compare(REDACT, decision(Effect.REDACT, FOREIGN), SEEN)
    assert other is not None
    assert other.changes == (Change(MINE, leave=False), Change(THEIRS, leave=True))


def test_categories_and_records_without_an_owner_count() -> None:
    seen = Inspection(Format.JSON, (MINE, unattributed(4, "note")), (), 9, 9, 9)
    before = decision(Effect.REDACT, ME)
    withheld = compare(before, decision(Effect.REDACT, ME, withhold=frozenset({"order"})), seen)
    assert withheld is not None and (withheld.staying, withheld.opens) == (3, False)
    released = compare(before, decision(Effect.REDACT, ME, release_unattributed=True), seen)
    assert released is not None and (released.leaving, released.opens) == (4, True)


def test_a_record_of_several_owners_leaves_only_with_all_of_them() -> None:
    seen = Inspection(Format.JSON, (OURS,), (), 9, 9, 9)
    assert compare(decision(Effect.REDACT, ME), decision(Effect.REDACT, FOREIGN), seen) is None
    found = compare(decision(Effect.REDACT, ME), decision(Effect.REDACT, ME, FOREIGN), seen)
    assert found is not None and found.changes == (Change(OURS, leave=True),)


def test_masks_count_where_both_release_something() -> None:
    masked = decision(Effect.REDACT, ME, mask=("$.phone", "$.note"))
    other = decision(Effect.REDACT, ME, mask=("$.phone", "$.name"))
    found = compare(masked, other, SEEN)
    assert found is not None
    assert (found.masked, found.unmasked, found.changes) == (masks("$.name"), masks("$.note"), ())
    assert found.opens
    reordered = decision(Effect.REDACT, ME, mask=("$.note", "$.phone", "$.note"))
    assert compare(masked, reordered, SEEN) is None
    blocked = compare(masked, BLOCK, SEEN)
    assert blocked is not None and (blocked.masked, blocked.unmasked) == ((), ())
    assert not blocked.opens


def test_a_field_that_becomes_null_instead_of_something_else_opens_nothing() -> None:
    kept = decision(Effect.REDACT, ME, mask=(Mask("$.phone", keep=4),))
    gone = decision(Effect.REDACT, ME, mask=("$.phone",))
    closed, opened = compare(kept, gone, SEEN), compare(gone, kept, SEEN)
    assert closed is not None and opened is not None
    assert (closed.masked, closed.unmasked, closed.opens) == (gone.mask, (), False)
    assert (opened.masked, opened.unmasked, opened.opens) == (kept.mask, gone.mask, True)


def test_in_the_request_phase_only_the_effect_counts() -> None:
    assert compare(decision(Effect.ALLOW), decision(Effect.ALLOW, reasons=()), None) is None
    closed = compare(decision(Effect.ALLOW), decision(Effect.BLOCK), None)
    opened = compare(decision(Effect.BLOCK), decision(Effect.ALLOW), None)
    assert closed is not None and not closed.opens and closed.why == ()
    assert opened is not None and opened.opens


GROUPS = st.lists(
    st.builds(
        Group,
        st.sampled_from([(), (ME,), (FOREIGN,), (ME, FOREIGN)]),
        st.just(Attribution.DIRECT),
        st.sampled_from(["", "voice"]),
        st.integers(1, 5),
    ),
    max_size=5,
)
DECISIONS = st.builds(
    Decision,
    st.sampled_from(Effect),
    st.frozensets(st.sampled_from([ME, FOREIGN])),
    st.booleans(),
    st.frozensets(st.just("voice")),
    st.lists(st.sampled_from([Mask("$.a"), Mask("$.a", keep=2), Mask("$.b")]), max_size=2).map(
        tuple
    ),
    st.just(()),
    st.just("r1"),
)


@given(groups=GROUPS, active=DECISIONS, shadow=DECISIONS)
def test_what_would_change_is_exactly_what_the_two_release_differently(
    groups: list[Group], active: Decision, shadow: Decision
) -> None:
    seen = Inspection(Format.JSON, tuple(groups), (), 9, 9, 9)
    found = compare(active, shadow, seen)
    left, leaves = (
        sum(group.records for group in groups if each.releases(group)) for each in (active, shadow)
    )
    if found is None:
        assert left == leaves
    else:
        assert leaves - left == found.leaving - found.staying
        back = compare(shadow, active, seen)
        assert back is not None
        assert (back.leaving, back.staying) == (found.staying, found.leaving)


def test_every_pair_of_effects_is_a_difference() -> None:
    for one, other in itertools.permutations([ALLOW, BLOCK, REDACT], 2):
        assert compare(one, other, SEEN) is not None
