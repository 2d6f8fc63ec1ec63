"""What becomes of JSON records: a tally, and a selection."""

import json
from typing import Any

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonrecords import Census, Selection
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.tally import Tally
from gateway.model import Attribution, Format, Group, Mask, SubjectRef
from tests.support.reading import permit

ME, OTHER = SubjectRef("account", "me"), SubjectRef("account", "other")
SPEC = BodySpec(Format.JSON, subject=({"account": ("$.id",)},), category="orders")
RECORDS: list[Any] = [
    {"id": "me", "a": 1},
    {"id": "other", "b": None},
    {"a": 1},
    [{"c": 1}],
    "text",
]


def test_records_are_counted_by_owner_and_their_fields_noted() -> None:
    tally = Tally(Limits())
    census = Census(SPEC, Limits(), tally)
    census.count(RECORDS)
    census.count(RECORDS[:1])
    census.count_stray()
    assert set(tally.groups) == {
        Group((ME,), Attribution.DIRECT, "orders", 2),
        Group((OTHER,), Attribution.DIRECT, "orders", 1),
        Group((), Attribution.NONE, "orders", 4),
    }
    assert tally.fields == ("a", "b", "id")


def test_more_fields_than_the_limit_are_refused() -> None:
    """A56."""
    census = Census(SPEC, Limits(), Tally(Limits(fields=10)))
    census.count([{f"f{number}": 1 for number in range(10)}])
    with pytest.raises(BadUpstream) as caught:
        census.count([{"another": 1}])
    assert caught.value.code is Code.BODY_TOO_COMPLEX


def test_a_selection_keeps_what_the_verdict_keeps() -> None:
    assert Selection(SPEC, Limits(), permit(ME)).keeps(RECORDS) == [
        True,
        False,
        False,
        False,
        False,
    ]
    both = Selection(SPEC, Limits(), permit(ME, OTHER, unattributed=True))
    assert both.keeps(RECORDS) == [True] * 5
    assert both.keeps_stray()
    assert not Selection(SPEC, Limits(), permit(ME)).keeps_stray()


def test_a_selection_knows_which_records_have_something_to_blank() -> None:
    selection = Selection(SPEC, Limits(), permit(ME, mask=("$.a", "$.b", "$[*].c")))
    assert selection.blanks(RECORDS) == [True, False, True, True, False]
    assert Selection(SPEC, Limits(), permit(ME)).blanks(RECORDS) == [False] * 5


def test_masked_values_become_null_and_nothing_else_changes() -> None:
    selection = Selection(SPEC, Limits(), permit(ME, mask=("$.a", "$.c[*].d")))
    text = b' { "a" : [1, {"x":"}"}] ,"b":2, "c":[{"d":"x"},{"d":null}, {}]}\r'
    assert selection.masked(text) == (b' { "a" : null ,"b":2, "c":[{"d":null},{"d":null}, {}]}\r')


def test_masked_values_become_what_their_masks_say() -> None:
    masks = (Mask("$.a", keep=2), Mask("$.*", text="x"), Mask("$.c[*].d", pseudonym=True))
    single = Selection(SPEC, Limits(), permit(ME, mask=masks[:1]))
    assert single.masked(b'{"a" : "abc", "b": "abc"}') == b'{"a" : "ab", "b": "abc"}'
    both = Selection(SPEC, Limits(), permit(ME, mask=masks[:2]))
    assert both.masked(b'{"a" : "abc", "b":1}') == b'{"a" : "x", "b":"x"}'
    keyed = Selection(SPEC, Limits(), permit(ME, mask=masks[2:], key=bytes(32)))
    first, second, third = json.loads(keyed.masked(b'{"c":[{"d":"A"},{"d":"B"},{"d":"A"}]}'))["c"]
    assert first == third != second
    with pytest.raises(BadUpstream) as caught:
        both.masked(b'{"c": [{"d": "canary"}]}')
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


@pytest.mark.parametrize(
    "record",
    [{"a": 1, "A": "canary"}, {"A": "canary"}, {"c": [{"d": 1}, {"d ": "canary"}]}],
)
def test_a_name_that_looks_like_a_masked_one_is_refused_and_not_passed_by(record: Any) -> None:
    """A52: a reader that folds case would find the value that was masked."""
    selection = Selection(SPEC, Limits(), permit(ME, mask=("$.a", "$.c[*].d")))
    with pytest.raises(BadUpstream) as caught:
        selection.blanks([{"a": 1}, record])
    assert caught.value.code is Code.BODY_AMBIGUOUS
    assert "canary" not in caught.value.note
    assert selection.blanks([{"a": 1, "aa": 2, "c": [{"d": 1}, {"e": 2}]}]) == [True]


def test_a_mask_that_is_no_locator_is_refused_unquoted() -> None:
    with pytest.raises(BadUpstream) as caught:
        Selection(SPEC, Limits(), permit(ME, mask=("$.canary[0]",)))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    assert "canary" not in caught.value.note


@pytest.mark.parametrize("drifted", [{"a": 1, "c": {"d": "canary"}}, {"a": 1, "c": ["canary"]}])
def test_a_record_of_another_shape_than_a_mask_has_can_not_be_masked(drifted: Any) -> None:
    """The mask would find nothing, and what it should hide would leave."""
    selection = Selection(SPEC, Limits(), permit(ME, mask=("$.a", "$.c[*].d")))
    fitting = {"a": 1, "c": [{"d": 1}]}
    assert selection.blanks([fitting, drifted, {"b": 1}]) == [True, True, False]
    assert selection.masked(json.dumps(fitting).encode()) == b'{"a": null, "c": [{"d": null}]}'
    with pytest.raises(BadUpstream) as caught:
        selection.masked(json.dumps(drifted).encode())
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    assert "canary" not in caught.value.note
    assert selection.blanks([fitting]) == [True]
    assert selection.masked(json.dumps(fitting).encode()) == b'{"a": null, "c": [{"d": null}]}'
