"""Keyed hashes: equal if and only if the identifiers are, and worthless without the key."""

import hashlib
import hmac
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decisionlog.pseudonyms import Pseudonyms, Remembered
from gateway.model import Actor, Caller, Identifier, SubjectRef
from tests.decisionlog.support import KEY, OTHER_KEY, caller

NAMES = Pseudonyms(KEY.pseudonym)

texts = st.text(st.characters(), max_size=8)  # lone surrogates included
values = st.one_of(texts, st.integers(), st.integers(0, 9).map(str), st.integers(0, 9))
subjects = st.builds(SubjectRef, st.one_of(texts, st.sampled_from(["a", "ab"])), values)


@given(subjects, subjects)
def test_pseudonyms_are_equal_exactly_where_kind_type_and_value_are(
    one: SubjectRef, other: SubjectRef
) -> None:
    assert (NAMES.subject(one) == NAMES.subject(other)) == (one.key == other.key)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SubjectRef("account", "42"), SubjectRef("account", 42)),
        (SubjectRef("account", "*"), SubjectRef("account", 42)),  # the same byte
        (SubjectRef("account", "me"), SubjectRef("account", "ME")),
        (SubjectRef("account", "a1"), SubjectRef("accounta", "1")),
        (SubjectRef("account", "\u00e9"), SubjectRef("account", "e\u0301")),
        (SubjectRef("account", "A1"), SubjectRef("account", "A1\0")),
        (SubjectRef("account", 0), SubjectRef("account", 256)),
        (SubjectRef("account", -1), SubjectRef("account", 255)),
        (SubjectRef("account", 2**64), SubjectRef("account", 2**64 + 1)),
        (SubjectRef("account", "\ud800"), SubjectRef("account", "\ud801")),
    ],
    ids=repr,
)
def test_lookalikes_stay_apart(one: SubjectRef, other: SubjectRef) -> None:
    assert NAMES.subject(one) != NAMES.subject(other)
    assert NAMES.subject(one) == NAMES.subject(SubjectRef(one.kind, one.value))


def test_a_pseudonym_is_the_published_hmac_over_the_published_encoding() -> None:
    parts = [b"subject", b"account", b"str", "J\u00fcrgen".encode()]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    expected = hmac.digest(KEY.pseudonym, message, "sha256").hex()[:32]
    assert NAMES.subject(SubjectRef("account", "J\u00fcrgen")) == f"p1:{expected}"


def test_an_integer_beyond_pythons_printing_limit_has_one() -> None:
    assert NAMES.subject(SubjectRef("account", 10**5_000)).startswith("p1:")


@pytest.mark.parametrize("value", [True, 1.0, None, b"A1"], ids=repr)
def test_only_strings_and_integers_are_identifiers(value: Any) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        NAMES.subject(SubjectRef("account", value))
    NAMES.subject(SubjectRef("account", 1))


def test_an_auditor_sees_that_somebody_received_their_own_data() -> None:
    assert NAMES.subject(Identifier("account", "A1")) == NAMES.subject(SubjectRef("account", "A1"))


def test_a_callers_id_means_something_to_its_issuer_only() -> None:
    one, other = caller(), caller(issuer="https://other.example.org")
    assert Remembered(NAMES).caller(one) != Remembered(NAMES).caller(other)
    assert Remembered(NAMES).caller(one) == Remembered(NAMES).caller(caller())
    assert Remembered(NAMES).caller(one) != NAMES.subject(SubjectRef("account", "A1"))


def test_somebody_who_acts_for_another_is_the_same_party_as_when_they_ask_themselves() -> None:
    assert Remembered(NAMES).actor(Actor("A1"), caller(id="A7")) == Remembered(NAMES).caller(
        caller()
    )
    issuer = "https://other.example.org"
    assert Remembered(NAMES).actor(Actor("A1", issuer), caller()) == Remembered(NAMES).caller(
        caller(issuer=issuer)
    )
    assert Remembered(NAMES).actor(Actor("A1", issuer), caller()) != Remembered(NAMES).caller(
        caller()
    )


def test_a_list_of_all_account_numbers_matches_nothing_without_the_key() -> None:
    """F05: a dictionary attack."""
    logged = NAMES.subject(SubjectRef("account", 4_711))
    stranger = Pseudonyms(OTHER_KEY.pseudonym)
    guesses = [SubjectRef("account", number) for number in range(20_000)]
    assert logged not in map(stranger.subject, guesses)
    for algorithm in ("md5", "sha1", "sha256", "blake2b"):
        for guess in guesses:
            for text in (f"{guess.value}", f"account:{guess.value}"):
                assert hashlib.new(algorithm, text.encode()).hexdigest()[:32] != logged[3:]


def test_the_same_list_finds_the_account_with_the_key() -> None:
    logged = NAMES.subject(SubjectRef("account", 4_711))
    hits = [n for n in range(20_000) if NAMES.subject(SubjectRef("account", n)) == logged]
    assert hits == [4_711]


def test_only_a_derived_key_is_taken() -> None:
    with pytest.raises(ValueError, match="derived key"):
        Pseudonyms(b"short")


# --- the values of a question -------------------------------------------------------------------

bare = st.one_of(values, st.floats(allow_nan=False), st.integers(0, 9).map(float))


@given(bare, bare)
def test_the_pseudonyms_of_values_are_equal_exactly_where_json_values_are(
    one: str | float, other: str | float
) -> None:
    assert (NAMES.value(one) == NAMES.value(other)) == (one == other)


@given(bare)
def test_a_pseudonym_tells_whether_its_value_is_a_text_or_a_number(value: str | float) -> None:
    found = NAMES.value(value)
    assert re.fullmatch(r"[pn]1:[0-9a-f]{32}", found)
    assert found.startswith("p1:") == isinstance(value, str)


@given(bare, bare)
def test_under_two_keys_no_two_values_can_be_linked(one: str | float, other: str | float) -> None:
    assert NAMES.value(one)[3:] != Pseudonyms(OTHER_KEY.pseudonym).value(other)[3:]


@given(values)
def test_a_value_and_a_subject_or_a_text_can_not_be_mistaken(value: str | int) -> None:
    others = {NAMES.subject(SubjectRef("", value)), NAMES.text(str(value)[:100])}
    assert NAMES.value(value) not in others


def test_a_value_has_the_published_hmac_over_the_published_encoding() -> None:
    for value, parts in {"A1": [b"value", b"str", b"A1"], 65: [b"value", b"int", b"A"]}.items():
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        expected = hmac.digest(KEY.pseudonym, message, "sha256").hex()[:32]
        assert NAMES.value(value)[3:] == expected


@pytest.mark.parametrize("value", [True, None, b"A1"], ids=repr)
def test_only_texts_and_numbers_have_a_pseudonym(value: Any) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        NAMES.value(value)


PARTIES = st.builds(caller, issuer=st.sampled_from(["i", "j"]), id=st.sampled_from(["A1", "A2"]))


@given(st.lists(bare, max_size=6), st.lists(subjects, max_size=6), st.lists(PARTIES, max_size=6))
def test_what_is_remembered_is_what_would_be_made(
    asked: list[str | float], owners: list[SubjectRef], parties: list[Caller]
) -> None:
    remembered = Remembered(NAMES)
    for _ in range(2):
        assert [remembered.values[each] for each in asked] == [NAMES.value(each) for each in asked]
        assert [remembered.subjects[each] for each in owners] == [*map(NAMES.subject, owners)]
        assert [*map(remembered.caller, parties)] == [
            NAMES.party(each.issuer, each.id) for each in parties
        ]
        for actor in (Actor("A1"), Actor("A1", "k")):
            acting = [NAMES.party(actor.issuer or each.issuer, actor.id) for each in parties]
            assert [remembered.actor(actor, each) for each in parties] == acting


def test_nothing_is_left_of_what_was_forgotten() -> None:
    remembered, canary = Remembered(NAMES), "canary-" + "x" * 20
    assert remembered.values[canary]
    assert remembered.subjects[SubjectRef("account", canary)]
    assert remembered.caller(caller(id=canary))
    before = sys.getrefcount(canary)
    remembered.forget()
    assert sys.getrefcount(canary) == before - 3


def test_it_forgets_by_itself_before_it_holds_too_much() -> None:
    remembered, canary = Remembered(NAMES), "canary-" + "x" * 20
    before = sys.getrefcount(canary)
    for number in range(10_000):
        who = canary if number == 0 else str(number)
        assert remembered.values[who]
        assert remembered.subjects[SubjectRef("account", who)]
        assert remembered.caller(caller(id=who))
        del who
    assert sys.getrefcount(canary) == before
