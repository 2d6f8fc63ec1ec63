"""The nouns: what a decision releases, and whom an inspection has seen."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.model import (
    Attribution,
    Decision,
    Effect,
    Format,
    Group,
    Inspection,
    SubjectRef,
)

ME, OTHER = SubjectRef("account", "A1"), SubjectRef("account", "A9")
# Values that careless comparisons take for one another.
ALIKE = [42, "42", "042", "42 ", "", "A1", "a1", "\u0661", 0, "0", -1, 2**63, "e\u0301", "\u00e9"]

subjects = st.builds(SubjectRef, st.sampled_from(["account", "email"]), st.sampled_from(ALIKE))
categories = st.sampled_from(["", "voice", "order"])
groups = st.builds(
    Group,
    st.lists(subjects, max_size=3).map(tuple),
    st.sampled_from(Attribution),
    categories,
    st.integers(0, 9),
)
decisions = st.builds(
    Decision,
    effect=st.sampled_from(Effect),
    permitted=st.frozensets(subjects),
    release_unattributed=st.booleans(),
    withhold=st.frozensets(categories),
    mask=st.just(()),
    reasons=st.just(()),
    revision=st.just("1"),
)


def decision(*permitted: SubjectRef, **changes: object) -> Decision:
    plain = Decision(Effect.REDACT, frozenset(permitted), False, frozenset(), (), (), "1")
    return structs.replace(plain, **changes)  # type: ignore[arg-type]


def group(*owners: SubjectRef, category: str = "") -> Group:
    return Group(owners, Attribution.DIRECT if owners else Attribution.NONE, category, 1)


# --- subjects -----------------------------------------------------------------------------------


@given(subjects, subjects)
def test_two_subjects_are_one_only_if_kind_type_and_value_are(
    one: SubjectRef, other: SubjectRef
) -> None:
    same = (one.kind, type(one.value), one.value) == (other.kind, type(other.value), other.value)
    assert (one == other) is same
    assert (one.key == other.key) is same


def test_a_number_and_the_text_that_spells_it_are_two_subjects() -> None:
    number, text = SubjectRef("account", 42), SubjectRef("account", "42")
    assert not decision(number).releases(group(text))
    assert not decision(text).releases(group(number))
    assert decision(number).releases(group(number))


# --- decisions ----------------------------------------------------------------------------------


def test_a_record_of_several_owners_is_released_only_if_all_are_permitted() -> None:
    both = group(ME, OTHER)
    assert not decision(ME).releases(both)
    assert not decision(OTHER).releases(both)
    assert decision(ME, OTHER).releases(both)


def test_a_withheld_category_stays_whoever_owns_it() -> None:
    withholding = decision(ME, withhold=frozenset({"voice"}), release_unattributed=True)
    assert not withholding.releases(group(ME, category="voice"))
    assert not withholding.releases(group(category="voice"))
    assert withholding.releases(group(ME, category="order"))


def test_an_unattributed_record_needs_its_own_permission() -> None:
    assert not decision(ME, OTHER).releases(group())
    assert decision(release_unattributed=True).releases(group())
    assert not decision(release_unattributed=True).releases(group(ME))


@given(decisions, groups)
def test_a_block_releases_nothing(decided: Decision, seen: Group) -> None:
    assert not structs.replace(decided, effect=Effect.BLOCK).releases(seen)


@given(decisions, groups)
def test_what_is_released_was_permitted(decided: Decision, seen: Group) -> None:
    if decided.releases(seen):
        assert decided.effect is not Effect.BLOCK
        assert seen.category not in decided.withhold
        permitted = {subject.key for subject in decided.permitted}
        assert all(owner.key in permitted for owner in seen.owners)
        assert seen.owners or decided.release_unattributed


@given(decisions, groups)
def test_a_grant_never_takes_away_and_a_restriction_never_gives(
    decided: Decision, seen: Group
) -> None:
    more = structs.replace(decided, permitted=decided.permitted | set(seen.owners))
    less = structs.replace(decided, withhold=decided.withhold | {seen.category})
    assert more.releases(seen) >= decided.releases(seen)
    assert not less.releases(seen)


# --- inspections --------------------------------------------------------------------------------


def inspection(*seen: Group) -> Inspection:
    return Inspection(Format.JSON, seen, (), 0, 0, 0)


@given(st.lists(groups))
def test_an_inspection_counts_every_record(seen: list[Group]) -> None:
    assert inspection(*seen).records == sum(each.records for each in seen)


@given(st.lists(groups))
def test_the_subjects_are_distinct_complete_and_in_one_order(seen: list[Group]) -> None:
    found = inspection(*seen).subjects
    keys = [subject.key for subject in found]
    assert len(keys) == len(set(keys))
    assert set(keys) == {owner.key for each in seen for owner in each.owners}
    assert inspection(*reversed(seen)).subjects == found


def test_values_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        ME.value = "A9"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        decision(ME).effect = Effect.ALLOW  # type: ignore[misc]


def test_a_format_from_outside_has_a_dot_in_its_name_and_is_one_value() -> None:
    form = Format("acme.fixed-width")
    assert form == "acme.fixed-width" and form is Format("acme.fixed-width")
    assert pickle.loads(pickle.dumps(form)) is form
    assert form not in [*Format]


@pytest.mark.parametrize(
    "name", ["acme", "", ".x", "Acme.x", "acme.x.y", "acme.x ", "a" * 40 + ".x"]
)
def test_no_other_name_is_a_format(name: str) -> None:
    with pytest.raises(ValueError):
        Format(name)
