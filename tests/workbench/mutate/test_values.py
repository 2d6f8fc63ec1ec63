"""What an identifier could be mistaken for."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import SubjectRef
from gateway.workbench.mutate.values import foreign, lookalikes, shown, types

identifiers = st.one_of(st.text(min_size=1, max_size=20), st.integers(-(2**63), 2**63 - 1))


@given(identifiers, st.frozensets(identifiers, max_size=4))
def test_a_stranger_is_of_the_same_type_and_nobody_known(
    value: str | int, known: frozenset[str | int]
) -> None:
    made = foreign(value, known=known).value
    assert type(made) is type(value)
    assert made != value and made not in known


def test_somebody_real_goes_before_somebody_made_up() -> None:
    assert foreign("A1", frozenset({"B2", 7})).value == "B2"
    assert foreign(1, frozenset({"B2"})).value == 2
    assert foreign("A-1001").value == "A-9999"
    assert foreign("abc").value == "abc-1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (42, ['"42"', "42.0", "[42]", "null"]),
        ("42", ["42", '["42"]', "null"]),
        ("042", ['["042"]', "null"]),
        ("A1", ['["A1"]', "null"]),
        ("99999999999999999999", ['["99999999999999999999"]', "null"]),
    ],
)
def test_types_keep_the_characters(value: str | int, expected: list[str]) -> None:
    assert [variant.text for variant in types(value)] == expected


@given(st.text(min_size=1, max_size=20))
def test_a_lookalike_is_another_text(value: str) -> None:
    for variant in lookalikes(value):
        assert variant.value is not None and variant.value != value


def test_lookalikes_fold_normalise_or_look_the_same() -> None:
    found = {variant.how: str(variant.value) for variant in lookalikes("Ame1")}
    assert found["another case"].casefold() == "ame1"
    assert found["a space behind"].strip() == "Ame1"
    assert unicodedata.normalize("NFKC", found["full-width characters"]) == "Ame1"
    assert found["a letter of another script"] != "Ame1"
    assert found["a zero-width space inside"].replace("\u200b", "") == "Ame1"
    assert not list(lookalikes(42))
    decomposed = {variant.how: variant.value for variant in lookalikes("é")}
    assert decomposed["another normal form"] == "e\u0301"


def test_a_float_or_a_list_is_no_identifier() -> None:
    assert [variant.value for variant in types(42)] == ["42", None, None, None]


def test_a_number_and_its_text_are_shown_differently() -> None:
    assert shown(SubjectRef("account", 42)) != shown(SubjectRef("account", "42"))
    assert json.loads(shown(SubjectRef("a", "x")).partition(":")[2]) == "x"
