"""Whether masks can go where they lead in a record."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inspection.locators import compile, find
from gateway.inspection.maskshapes import fits, leads

ID = {"id": "me"}


@pytest.mark.parametrize(
    ("mask", "record"),
    [
        ("$.p[*].q", {**ID, "p": {"q": 1}}),
        ("$.p[*].q", {**ID, "p": {"a": {"q": 1}}}),
        ("$.p.q", {**ID, "p": [{"q": 1}]}),
        ("$.p.q", {**ID, "p": "+49 30 1"}),
        ("$.p.q", {**ID, "p": '{"q": 1}'}),
        ("$.p.q", {**ID, "p": 0}),
        ("$.p.q", {**ID, "p": False}),
        ("$.p[*].q", {**ID, "p": [{"q": 1}, "+49 30 1"]}),
        ("$.p[*].q", {**ID, "p": [{"q": 1}, [{"q": 1}]]}),
        ("$.p.*", {**ID, "p": [1]}),
        ("$.p.*.q", {**ID, "p": {"a": {"q": 1}, "b": 1}}),
        ("$.*.q", {**ID, "p": {"q": 1}}),
        ("$.q", [{"q": 1}]),
        ("$[*].q", {"q": 1}),
    ],
)
def test_a_mask_that_meets_another_kind_of_value_does_not_fit(mask: str, record: Any) -> None:
    assert not fits(record, [compile(mask)])


@pytest.mark.parametrize(
    ("mask", "record"),
    [
        ("$.p[*].q", {**ID, "p": [{"q": 1}, {"other": 1}, {}]}),
        ("$.p[*].q", ID),
        ("$.p.q", {**ID, "p": None}),
        ("$.p.q", {**ID, "p": ""}),
        ("$.p.q", {**ID, "p": []}),
        ("$.p[*].q", {**ID, "p": {}}),
        ("$.p.*.q", {**ID, "p": {"a": {"q": 1}, "b": None}}),
        ("$.p", {**ID, "p": [{"a": {}}]}),
        ("$", {**ID, "p": 1}),
        ("$.q", "a text has no fields"),
        ("$.q", 1),
        ("$.q", None),
    ],
)
def test_what_is_missing_or_says_nothing_is_no_fault(mask: str, record: Any) -> None:
    assert fits(record, [compile(mask)])


def test_several_masks_may_name_several_shapes() -> None:
    shapes = [compile(mask) for mask in ("$.p.q", "$.p[*].q")]
    assert fits({"p": {"q": 1}}, shapes)
    assert fits({"p": [{"q": 1}]}, shapes)
    assert not fits({"p": "+49 30 1"}, shapes)
    assert fits({"p": "+49 30 1"}, [*shapes, compile("$.p")])
    everywhere = [compile("$.*.q"), compile("$.id"), compile("$.p[*].q")]
    assert fits({"id": "me", "p": [{"q": 1}], "o": {"q": 1}}, everywhere)


_VALUES = st.recursive(
    st.none() | st.just("") | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pqr"), inner),
)
_MASKS = st.lists(st.sampled_from([".p", ".q", "[*]", ".*"]), min_size=1, max_size=3)


def _hidden(value: Any, steps: Any) -> bool:
    """Whether a mask says something of a value, or there is nothing to say."""
    if not steps or value in (None, "", [], {}):
        return True
    wants = list if compile("$[*]")[0] is steps[0] else dict
    return isinstance(value, wants) and all(
        _hidden(child, steps[1:]) for child in find(value, steps[:1])
    )


@given(_VALUES.filter(lambda value: isinstance(value, (dict, list))), _MASKS)
def test_one_mask_fits_where_each_of_its_steps_finds_its_kind(record: Any, steps: Any) -> None:
    path = compile("$" + "".join(steps))
    assert fits(record, [path]) == _hidden(record, path)


def test_a_place_leads_nowhere_in_a_text_that_is_no_record_either() -> None:
    for value in ("a text", 1, [ID], [[ID]]):
        assert not leads(value, [compile("$.p.q")])
    for value in (None, "", [], {}, ID, {"p": {"q": "x"}}):
        assert leads(value, [compile("$.p.q")])
    assert leads("a text", [()])
