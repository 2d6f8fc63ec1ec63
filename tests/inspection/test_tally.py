"""Counting under limits."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.tally import Tally, check_owners
from gateway.model import Attribution, Group, SubjectRef

LIMITS = Limits()
ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")


def test_records_are_counted_by_owners_attribution_and_category() -> None:
    tally = Tally(LIMITS)
    tally.add((ME,), Attribution.DIRECT, "orders", 2)
    tally.add((FOREIGN,), Attribution.DIRECT, "orders")
    tally.add((ME,), Attribution.DIRECT, "orders")
    tally.add((ME,), Attribution.MANIFEST, "orders")
    tally.add((ME,), Attribution.DIRECT, "voice")
    tally.add((ME, FOREIGN), Attribution.DIRECT, "orders")
    assert tally.groups == (
        Group((ME,), Attribution.DIRECT, "orders", 3),
        Group((FOREIGN,), Attribution.DIRECT, "orders", 1),
        Group((ME,), Attribution.MANIFEST, "orders", 1),
        Group((ME,), Attribution.DIRECT, "voice", 1),
        Group((ME, FOREIGN), Attribution.DIRECT, "orders", 1),
    )


def test_records_without_owners_are_unattributed_however_they_were_looked_for() -> None:
    tally = Tally(LIMITS)
    tally.add((), Attribution.DIRECT, "", 2)
    tally.add((), Attribution.MANIFEST, "")
    assert tally.groups == (Group((), Attribution.NONE, "", 3),)


def test_a_number_and_its_text_are_two_subjects() -> None:
    """Catalogue A45, A93."""
    tally = Tally(LIMITS)
    for value in (42, "42"):
        tally.add((SubjectRef("account", value),), Attribution.DIRECT, "")
    assert [group.records for group in tally.groups] == [1, 1]


def test_field_names_are_sorted_and_distinct() -> None:
    tally = Tally(LIMITS)
    tally.add_fields(["b", "a"])
    tally.add_fields(["a", "c"])
    assert tally.fields == ("a", "b", "c")


def test_more_subjects_than_the_limit_are_too_complex() -> None:
    tally = Tally(replace(LIMITS, subjects=2))
    tally.add((ME,), Attribution.DIRECT, "")
    tally.add((FOREIGN,), Attribution.DIRECT, "")
    tally.add((ME,), Attribution.DIRECT, "", 1_000_000)
    with pytest.raises(BadUpstream) as caught:
        tally.add((SubjectRef("account", "third"),), Attribution.DIRECT, "")
    assert caught.value.code is Code.BODY_TOO_COMPLEX


def test_subjects_in_ever_new_combinations_are_too_complex() -> None:
    subjects = [SubjectRef("account", str(number)) for number in range(5)]
    pairs = [(one, other) for one in subjects for other in subjects if one != other]
    tally = Tally(replace(LIMITS, subjects=5))
    for pair in pairs:
        tally.add(pair, Attribution.DIRECT, "")
    with pytest.raises(BadUpstream) as caught:
        tally.add((subjects[0],), Attribution.DIRECT, "")
    assert caught.value.code is Code.BODY_TOO_COMPLEX


def test_crowds_of_owners_in_ever_new_combinations_are_too_complex() -> None:
    """Few groups of many owners each are as large as many groups."""
    crowd = tuple(SubjectRef("account", str(number)) for number in range(100))
    tally = Tally(replace(LIMITS, subjects=100))
    for absent in range(16):
        tally.add(crowd[:absent] + crowd[absent + 1 :], Attribution.DIRECT, "")
    tally.add(crowd[1:], Attribution.DIRECT, "", 1_000_000)
    with pytest.raises(BadUpstream) as caught:
        tally.add(crowd, Attribution.DIRECT, "")
    assert caught.value.code is Code.BODY_TOO_COMPLEX


def test_field_names_that_are_texts_are_too_complex() -> None:
    """They go to the policy with the question: few long ones are as large as many."""
    tally = Tally(replace(LIMITS, fields=4))
    tally.add_fields(["a" * 200, "b"])
    tally.add_fields(["a" * 200])
    with pytest.raises(BadUpstream) as caught:
        tally.add_fields(["c" * 56])
    assert caught.value.code is Code.BODY_TOO_COMPLEX


def test_more_fields_than_the_limit_are_too_complex() -> None:
    tally = Tally(replace(LIMITS, fields=2))
    tally.add_fields(["a", "b"])
    tally.add_fields(["b"])
    with pytest.raises(BadUpstream) as caught:
        tally.add_fields(["c"])
    assert caught.value.code is Code.BODY_TOO_COMPLEX


def test_more_members_than_the_limit_are_too_complex() -> None:
    tally = Tally(replace(LIMITS, members=2))
    tally.add_member()
    tally.add_member()
    assert tally.members == 2
    with pytest.raises(BadUpstream) as caught:
        tally.add_member()
    assert caught.value.code is Code.BODY_TOO_COMPLEX


# --- where the first records of a group stand ---------------------------------------------------


def places(tally: Tally) -> dict[object, tuple[int, ...]]:
    return {group.owners: group.first for group in tally.groups}


def test_the_places_of_the_first_few_records_of_a_group_are_kept() -> None:
    tally = Tally(LIMITS)
    tally.add((ME,), Attribution.DIRECT, "", 3)
    tally.add((FOREIGN,), Attribution.DIRECT, "")
    tally.add((ME,), Attribution.DIRECT, "", 2)
    assert places(tally) == {(ME,): (0, 1, 2, 4, 5), (FOREIGN,): (3,)}
    tally.add((ME,), Attribution.DIRECT, "", 1_000_000)
    assert places(tally)[(ME,)] == (0, 1, 2, 4, 5, 6, 7, 8)


def test_two_groups_are_equal_wherever_their_records_stand() -> None:
    one, other = (Group((ME,), Attribution.DIRECT, "", 1, first) for first in ((0,), (7,)))
    assert one == other
    assert hash(one) == hash(other)


OWNERS: list[tuple[SubjectRef, ...]] = [(), (ME,), (FOREIGN,), (ME, FOREIGN)]
BATCHES = st.lists(st.lists(st.integers(0, 7), max_size=30), max_size=6)


@given(batches=BATCHES)
def test_batches_count_as_their_records_one_by_one_do(batches: list[list[int]]) -> None:
    """Keys 4 to 7 are other keys of the same owners, as an empty cell and a missing one are."""
    one_by_one, by_batch = Tally(LIMITS), Tally(LIMITS)
    for batch in batches:
        for key in batch:
            one_by_one.add(OWNERS[key % 4], Attribution.DIRECT, "")
        by_batch.add_each(batch, lambda key: OWNERS[key % 4], Attribution.DIRECT, "")
    assert by_batch.groups == one_by_one.groups
    assert places(by_batch) == places(one_by_one)


@given(bodies=BATCHES)
def test_bodies_inside_a_body_count_as_their_records_one_by_one_do(bodies: list[list[int]]) -> None:
    """As in an archive, where the owners inside become others: here all kinds become two."""
    whole, one_by_one = Tally(LIMITS), Tally(LIMITS)
    for body in bodies:
        inside = Tally(LIMITS)
        for key in body:
            inside.add(OWNERS[key % 4], Attribution.DIRECT, "")
            one_by_one.add(OWNERS[1 + key % 2], Attribution.DIRECT, "")
        outer = {owners: OWNERS[1 + place % 2] for place, owners in enumerate(OWNERS)}
        whole.add_groups(
            Group(outer[group.owners], Attribution.DIRECT, "", group.records, group.first)
            for group in inside.groups
        )
    assert set(whole.groups) == set(one_by_one.groups)
    assert places(whole) == places(one_by_one)


def test_of_a_crowd_of_groups_one_place_each_is_kept() -> None:
    tally = Tally(LIMITS)
    crowd = [(SubjectRef("account", number),) for number in range(200)]
    tally.add_each(crowd * 10, lambda owners: owners, Attribution.DIRECT, "")
    assert {len(group.first) for group in tally.groups[:100]} == {8}
    assert [group.first for group in tally.groups[100:]] == [(n,) for n in range(100, 200)]


def test_one_record_has_no_more_owners_than_a_body() -> None:
    few = replace(LIMITS, subjects=3)
    check_owners(3, few)
    with pytest.raises(BadUpstream) as caught:
        check_owners(4, few)
    assert caught.value.code is Code.BODY_TOO_COMPLEX
