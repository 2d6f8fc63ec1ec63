"""What a shape's pattern matches is strict JSON, with each name once."""

import json
import re
from typing import Any

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inspection.jsonshape import Layout, Lesson, Shape, UnfitError, layout

COMPACT, SPACED = Layout(b",", b":"), Layout(b", ", b": ")
ID = frozenset({("id",)})


def pattern(*records: Any, found: Layout = COMPACT, caught: Any = (), escapes: bool = True) -> Any:
    shape = Shape()
    for record in records:
        shape.learn(record, Lesson())
    return re.compile(shape.pattern(found, caught, escapes=escapes))


def test_other_values_of_the_same_kinds_match() -> None:
    alike = pattern({"id": "a", "n": 1.5, "list": [{"x": None}], "ok": True})
    assert alike.fullmatch(b'{"id":"","n":-2.5,"list":[{"x":null},{"x":null}],"ok":false}')
    assert alike.fullmatch(b'{"id":"\\u00e9\\ud83d\\ude00\\n","n":0,"list":[],"ok":true}')


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":"a","id":"b"}',  # a duplicate name
        b'{"id":"a","other":1}',
        b'{"id":"a",}',
        b'{"id":"a"',
        b'{"id":"\\x"}',
        b'{"id":"\\ud800"}',  # a lone surrogate
        b'{"id":"\\ud800\\u0041"}',
        b'{"id":"\\udc00\\ud800"}',
        b'{"id":"a"b"}',
        b'{"id":nul}',
        b'{"id":01}',
        b'{"id":1.}',
        b'{"id":.5}',
        b'{"id":+1}',
        b'{"id":-}',
        b'{"id":NaN}',
        b'{"\\u0069d":"a"}',  # a name that is spelled otherwise is for the parser
        b'{"id": "a"}',
    ],
)
def test_what_is_no_strict_json_or_not_known_does_not_match(text: bytes) -> None:
    alike = pattern({"id": "a"}, {"id": 1.5}, {"id": None})
    assert alike.fullmatch(b'{"id":"a"}')
    assert not alike.fullmatch(text)


@pytest.mark.parametrize("text", [b"[1,]", b"[,1]", b"[1,,1]", b"[1 1]", b"[", b"[1", b"[[1]]"])
def test_a_broken_array_does_not_match(text: bytes) -> None:
    alike = pattern({"a": [1]})
    assert alike.fullmatch(b'{"a":[]}') and alike.fullmatch(b'{"a":[1,2,3]}')
    assert not alike.fullmatch(b'{"a":%b}' % text)


def test_names_that_were_left_out_may_be_left_out() -> None:
    alike = pattern({"a": 1, "c": 1}, {"a": 1, "b": 1, "c": 1, "d": 1}, {"c": 1, "d": 1})
    for text in (b'{"c":1}', b'{"a":1,"c":1}', b'{"b":1,"c":1,"d":1}', b'{"c":1,"d":1}'):
        assert alike.fullmatch(text), text
    for text in (b'{"a":1}', b'{"c":1,}', b'{,"c":1}', b'{"c":1,"b":1}', b'{"c":1"d":1}', b"{}"):
        assert not alike.fullmatch(text), text


def test_names_in_another_order_are_not_learnt() -> None:
    shape = Shape()
    shape.learn({"a": 1, "b": 2}, Lesson())
    with pytest.raises(UnfitError):
        shape.learn({"b": 2, "a": 1}, Lesson())


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\ud800"])
def test_a_name_that_may_be_spelled_in_two_ways_is_not_learnt(name: str) -> None:
    with pytest.raises(UnfitError):
        Shape().learn({name: 1}, Lesson())


def test_what_is_deep_or_large_is_not_learnt() -> None:
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    with pytest.raises(UnfitError):
        Shape().learn(deep, Lesson())
    large = Shape()
    large.learn({f"name{number}": 1 for number in range(1000)}, Lesson())
    assert not large.fits
    long = Shape()
    long.learn({"x" * 8_000: 1}, Lesson())
    assert not long.fits


@pytest.mark.parametrize("value", [{'a"b': 1}, {"x": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}])
def test_where_a_value_was_not_learnt_nothing_matches(value: Any) -> None:
    """Not even no value at all."""
    shape = Shape()
    for _ in range(2):
        with pytest.raises(UnfitError):
            shape.learn({"id": "a", "more": value, "last": 1}, Lesson())
    alike = re.compile(shape.pattern(COMPACT, (), escapes=True))
    for text in ('{"id":"a","more":,"last":1}', '{"id":"a","more":,"last":}', '{"id":"a"}'):
        assert not alike.fullmatch(text.encode())
    inside = re.sub(r"1(?=[]}])", "", json.dumps({"id": "a", "more": value}))
    assert not alike.fullmatch(inside.replace(" ", "").encode())


def test_an_identifier_is_caught_where_each_record_has_one() -> None:
    shape = Shape()
    shape.learn({"customer": {"id": "a", "x": 1}, "id": 7}, Lesson())
    caught = frozenset({("id",), ("customer", "id")})
    assert all(map(shape.has, caught))
    assert shape.order(caught) == [("customer", "id"), ("id",)]
    match = re.fullmatch(
        shape.pattern(SPACED, caught, escapes=False), b'{"customer": {"id": "b", "x": 2}, "id": 8}'
    )
    assert match and match.groups() == (b'"b"', b"8")


@pytest.mark.parametrize(
    "records",
    [
        [{"id": "a"}, {}],  # left out
        [{"id": "a"}, {"id": ["a"]}],
        [{"id": "a"}, ["a"]],
        [{"id": "a", "ID": "b"}],  # a name that looks like it
        [{"x": 1}],
        [1],
    ],
)
def test_what_has_not_one_identifier_each_is_not_for_a_pattern(records: list[Any]) -> None:
    shape = Shape()
    for record in records:
        shape.learn(record, Lesson())
    assert not shape.has(("id",))


def test_the_layout_is_that_of_the_first_name() -> None:
    assert layout(b'{"a": 1, "b": 2}') == SPACED
    assert layout(b'{"a":1,"b":2}') == COMPACT
    assert layout(b'{"a" : 1}') == Layout(b", ", b" : ")
    assert layout(b"[1]") is None
    assert layout(b"{}") is None


NAMES = st.sampled_from(["a", "b", "id", "é", "x y", 'q"', "\\"])
DEEP = st.integers(10, 18).map(lambda levels: json.loads("[" * levels + "1" + "]" * levels))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | DEEP,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=5)


@given(st.lists(RECORDS, min_size=1, max_size=4), RECORDS, st.data())
def test_a_parser_reads_whatever_matches(
    learnt: list[Any], other: Any, data: st.DataObject
) -> None:
    """Also a text that was changed at a few places."""
    shape = Shape()
    for record in learnt:
        try:
            shape.learn(record, Lesson())
        except UnfitError:
            continue
    alike = re.compile(shape.pattern(COMPACT, (), escapes=True))
    ascii_only = data.draw(st.booleans())
    source = data.draw(st.sampled_from([*learnt, other]))
    text = bytearray(json.dumps(source, ensure_ascii=ascii_only, separators=(",", ":")).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(st.sampled_from([b"", b",", b'"', b"}", b"{", b"]", b"1", b"\\", b":"]))
        text[at : at + data.draw(st.integers(0, 2))] = piece
        if not text:
            return
    if alike.fullmatch(text) and min(text) >= 0x20:
        jiter.from_json(bytes(text), allow_inf_nan=False, catch_duplicate_keys=True)


@given(RECORDS)
def test_a_record_matches_the_pattern_of_itself(record: Any) -> None:
    text = json.dumps(record, separators=(",", ":")).encode()
    shape = Shape()
    try:
        shape.learn(record, Lesson())
    except UnfitError:
        return
    if not re.search(rb"[0-9]{19}|[0-9]e[-+]?[0-9]", text):  # such numbers are for the parser
        assert re.fullmatch(shape.pattern(COMPACT, (), escapes=True), text)


@pytest.mark.parametrize("text", ["[]", "[[]]", "[[1], [1, 1]]", "[1,]", "[, 1]", "[[1] 1]", "[1"])
def test_arrays_in_arrays_are_strict(text: str) -> None:
    shape = Shape()
    shape.learn({"x": [[1], [[1]]]}, Lesson())
    shape.learn({"x": [1]}, Lesson())
    written = f'{{"x": {text}}}'.encode()
    pattern = re.compile(shape.pattern(Layout(b", ", b": "), [], escapes=False))
    if pattern.fullmatch(written):
        jiter.from_json(written, catch_duplicate_keys=True)
    assert bool(pattern.fullmatch(written)) is (text in ("[]", "[[]]", "[[1], [1, 1]]"))


def test_a_pattern_of_deep_arrays_is_as_long_as_they_are_deep() -> None:
    deep: Any = {f"n{number}": 1 for number in range(40)}
    for _ in range(13):
        deep = [deep]
    shape = Shape()
    shape.learn({"x": deep}, Lesson())
    assert shape.fits
    assert len(shape.pattern(Layout(b", ", b": "), [], escapes=True)) < 20_000


def test_a_lesson_has_an_end() -> None:
    """One record whose every element has a name of its own would be merged for minutes."""
    shape = Shape()
    with pytest.raises(UnfitError):
        shape.learn({"x": [{f"k{number}": 1} for number in range(5_000)]}, Lesson())
    with pytest.raises(UnfitError):
        shape.learn([[]] * 20_000, Lesson())


def test_records_that_lack_most_of_their_names_do_not_fit() -> None:
    """To look for what is missing costs more than parsing."""
    shape = Shape()
    shape.learn({f"n{number}": 1 for number in range(60)}, Lesson())
    assert shape.fits
    shape.learn({}, Lesson())
    assert not shape.fits
