"""What an answer may say of a mask: exactly what the formats can follow."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inspection import locators
from gateway.model import Mask
from gateway.policy.masks import Given, read

NAMES = st.text(alphabet="$.ab_[]*'\"\\-0é\n ", max_size=12)


def accepted(said: Any) -> Mask:
    return read(msgspec.convert(said, Given))


@pytest.mark.parametrize(
    ("said", "mask"),
    [
        ("$.a", Mask("$.a")),
        ({"path": "$.a", "text": "[gone] 1+1"}, Mask("$.a", text="[gone] 1+1")),
        ({"path": "$.a", "keep": 1}, Mask("$.a", keep=1)),
        ({"path": "$.a", "pseudonym": True}, Mask("$.a", pseudonym=True)),
    ],
)
def test_a_mask_says_what_becomes_of_a_value(said: Any, mask: Mask) -> None:
    assert accepted(said) == mask


@pytest.mark.parametrize(
    "more", [{}, {"keep": 4, "pseudonym": True}, {"text": "a", "keep": 4}, {"pseudonym": False}]
)
def test_none_or_several_ways_are_no_mask(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="none or several"):
        accepted({"path": "$.a", **more})


@given(path=NAMES.map("$".__add__) | NAMES)
def test_a_mask_that_is_accepted_is_one_that_formats_can_follow(path: str) -> None:
    try:
        mask = accepted(path)
    except msgspec.ValidationError:
        return
    assert mask == Mask(path)
    assert locators.compile(path)


@given(
    steps=st.lists(
        st.sampled_from([".a", ".é1", ".*", "[*]", "['a b']", '["\\"]"]', "['']"]), min_size=1
    )
)
def test_a_mask_that_formats_can_follow_is_accepted(steps: list[str]) -> None:
    path = "$" + "".join(steps)
    assert locators.compile(path)
    assert accepted(path) == Mask(path)
    assert accepted({"path": path, "keep": 1}) == Mask(path, keep=1)
