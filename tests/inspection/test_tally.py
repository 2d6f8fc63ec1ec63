"""Counting under limits."""

from dataclasses import replace

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.tally import Tally
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
