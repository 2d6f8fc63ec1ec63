"""Two disguises: equality and type as they were, and nothing else."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.workbench.replay.disguises import Disguises
from gateway.workbench.replay.vocabulary import Constant
from tests.workbench.replay.support import NAMES

values = st.one_of(
    st.text(max_size=6), st.integers(-3, 3), st.integers(), st.sampled_from(["a", 1])
)


def disguised(asked: Any, *words: Constant) -> list[Any]:
    return [json.loads(each) for each in Disguises(NAMES, words).of(json.dumps(asked).encode())]


def claims(*values: str | float, words: tuple[Constant, ...] = ()) -> list[list[Any]]:
    """The pseudonyms of some values, in both disguises."""
    asked = {"claims": [NAMES.value(each) for each in values]}
    return [each["claims"] for each in disguised(asked, *words)]


@given(values, values)
def test_two_values_are_equal_in_each_disguise_exactly_where_they_were(
    one: str | int, other: str | int
) -> None:
    for first, second in claims(one, other):
        assert (first == second) == (one == other)
        assert isinstance(first, str) == isinstance(one, str)


@given(values)
def test_a_number_in_disguise_fits_into_what_engines_hold_exactly(value: str | int) -> None:
    for (found,) in claims(value):
        assert isinstance(found, str) or -(2**63) <= found < 2**63


unknown = st.text(max_size=6).filter(lambda text: text != "claims")
"""Texts that don't stand in the question in plain, as the name that `claims` gives its list."""


@given(unknown, unknown)
def test_order_length_and_letters_are_not_the_same_in_both(one: str, other: str) -> None:
    plain, turned = claims(one, other)
    if one != other:
        assert (plain[0] < plain[1]) != (turned[0] < turned[1])
    assert len(plain[0]) != len(turned[0])
    assert plain[0].lower() == plain[0]
    assert turned[0].lower() != turned[0] or turned[0].upper() == turned[0]


@given(st.integers(), st.integers())
def test_the_order_of_numbers_is_turned(one: int, other: int) -> None:
    plain, turned = claims(one, other)
    if one != other:
        assert (plain[0] < plain[1]) != (turned[0] < turned[1])
    assert turned[0] < 0 < plain[0]


def test_a_word_of_the_bundle_is_itself_again_with_its_type() -> None:
    for found in claims("export", 18, 0.5, "18", "A9", words=("export", 18, 0.5, "")):
        assert found[:3] == ["export", 18, 0.5]
        assert "18" not in found
        assert "A9" not in found
    assert claims("", words=("",)) == [[""], [""]]
    assert claims("claims") == [["claims"], ["claims"]]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1))
def test_any_word_comes_back_as_it_was(text: str, number: int) -> None:
    assert claims(text, number, words=(text, number)) == [[text, number]] * 2


def test_a_word_that_the_question_holds_in_plain_is_itself_in_other_places_too() -> None:
    name = 'the "orders" \\ of Jürgen'
    asked = {"endpoint": {"name": name}, "scopes": [NAMES.value(name), NAMES.value("x")]}
    for found in disguised(asked):
        assert found["scopes"][0] == name
        assert found["scopes"][1] != "x"


def test_names_of_members_are_disguised_like_values() -> None:
    asked = {"query": {NAMES.value("page"): [NAMES.value("1")], NAMES.value("me"): []}}
    plain, _ = disguised(asked, "page")
    assert plain == {"query": {"page": [NAMES.value("1")], NAMES.value("me"): []}}


def test_what_is_no_pseudonym_stays() -> None:
    inside = f'"{NAMES.value("A1")}"'
    asked = {"id": "0" * 32, "count": 3, "none": None, "on": True, "share": 0.5, "text": inside}
    assert disguised(asked) == [asked, asked]
