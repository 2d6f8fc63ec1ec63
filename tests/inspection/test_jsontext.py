"""Strict JSON: what is accepted, how deep, and where the children of a container stand."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsontext
from gateway.inspection.jsontext import Container, children, parse, parse_items, places
from gateway.inspection.locators import compile, find
from tests.support.reading import spaced

ARRAY, OBJECT = Container.ARRAY, Container.OBJECT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5) | st.sampled_from(['"', "\\", "},{", "],[", ",", ":", "é\U0001f600"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def refusal(text: bytes, depth: int = 100) -> Code:
    with pytest.raises(BadUpstream) as caught:
        parse(text, depth)
    return caught.value.code


def nested(depth: int, opener: bytes = b"[", closer: bytes = b"]") -> bytes:
    return opener * depth + b"1" + closer * depth


# Strictness


@pytest.mark.parametrize(
    "text",
    [b"", b" ", b"NaN", b"[NaN]", b"-Infinity", b"[1,]", b'{"a":1,}', b"[,1]", b"[1,,2]", b"+1",
     b"01", b".5", b"1.", b"0x1", b"1_0", b"'a'", b"{a:1}", b"[1 2]", b"{} {}", b"{}{}", b"[]]",
     b"{}\x00", b"\x1e{}", b"cb({})", b")]}'\n{}", b"while(1);{}", b"{}//x", b"/**/{}", b"#\n{}",
     b"\x0c{}", b"\x0b[]", b"\xa0[]", b"[]\xc2\xa0", "[1\u2028]".encode(), b'"\x00"', b'"\n"',
     b'"\t"', rb'"\ud800"', rb'"\udc00\ud800"', rb'"\x41"', rb'"\u12"', b'"\xff"', b'"\xc0\xaf"',
     b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'{"\xff":1}', b"tru", b"nul", b"[1", b'{"a":1',
     b'["a', b"{}" + jsontext.BOM, jsontext.BOM + b"{}", "[４２]".encode(), b"1" * 4301],
)  # fmt: skip
def test_what_is_not_strict_json_is_malformed(text: bytes) -> None:
    """A46, A48, A49, A51."""
    assert refusal(text) is Code.BODY_MALFORMED


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b" {}\r\n\t", {}),
        (b"null", None),
        (b'""', ""),
        (b'{"a":1,"A":2,"":3}', {"a": 1, "A": 2, "": 3}),
        (rb'"\ud83d\ude00\u0000"', "\U0001f600\0"),
        (b"9007199254740993", 2**53 + 1),
        (b"18446744073709551616", 2**64),
        (b"1" * 4300, int("1" * 4300)),
        (b'"' + b"x" * 100_000 + b'"', "x" * 100_000),
    ],
)
def test_what_is_strict_json_has_its_value(text: bytes, value: Any) -> None:
    assert parse(text, 100) == value


@pytest.mark.parametrize("number", [b"1.0", b"1e2", b"1e400", b"-0.0", b"1E-999"])
def test_a_number_with_a_point_or_exponent_is_never_an_integer(number: bytes) -> None:
    """A45."""
    assert type(parse(number, 0)) is float


@pytest.mark.parametrize(
    "text",
    [b'{"a":1,"a":1}', rb'{"a":1,"\u0061":2}', b'[[{"x":{"a":1,"b":2,"a":3}}]]',
     b"{" + b",".join(b'"k%d":1' % i for i in range(5_000)) + b',"k7":1}'],
)  # fmt: skip
def test_a_duplicate_name_is_ambiguous_at_any_depth(text: bytes) -> None:
    """A44."""
    assert refusal(text) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "text", [b'{"canary":1,"canary":2}', b'["canary]', b'{"a":canary}', b"[" * 300 + b'"canary"']
)
def test_a_refusal_quotes_nothing(text: bytes) -> None:
    with pytest.raises(BadUpstream) as caught:
        parse(text, 100)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


# Depth


@pytest.mark.parametrize("limit", [1, 2, 64, 100, 127, 128])
@pytest.mark.parametrize(("opener", "closer"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
@pytest.mark.parametrize("padding", [0, 10_000])
def test_depth_is_limited_to_the_level(
    limit: int, opener: bytes, closer: bytes, padding: int
) -> None:
    """A47. Short and long texts are counted in different ways."""
    levels = opener.count(b"[") + opener.count(b"{")
    inside = nested(limit // levels, opener, closer)
    beyond = nested(limit // levels + 1, opener, closer)
    space = b" " * padding
    assert parse(inside + space, limit) is not None
    assert refusal(beyond + space, limit) is Code.BODY_TOO_COMPLEX
    assert len(parse_items(inside + b"," + inside + space, ARRAY, limit)) == 2
    with pytest.raises(BadUpstream) as caught:
        parse_items(beyond + space, ARRAY, limit)
    assert caught.value.code is Code.BODY_TOO_COMPLEX


def test_an_empty_container_adds_no_depth() -> None:
    for text in b"[[[]]]", b'[{"a":{}}]', b"[[[]]]" + b" " * 10_000:
        assert parse(text, 2) is not None
        assert refusal(text, 1) is Code.BODY_TOO_COMPLEX


def test_many_shallow_containers_are_not_deep() -> None:
    assert len(parse(b"[" + b"[[]]," * 500 + b"{}]", 2)) == 501
    assert parse(b'"' + b"[{" * 500 + b'"', 0) == "[{" * 500


@pytest.mark.parametrize("depth", [1_000, 20_000, 1_000_000])
def test_a_deep_bomb_is_refused(depth: int) -> None:
    """A47."""
    assert refusal(b"[" * depth) is Code.BODY_TOO_COMPLEX
    assert refusal(nested(depth)) is Code.BODY_TOO_COMPLEX


def test_a_million_values_in_one_are_refused_before_they_take_memory() -> None:
    """A56."""
    assert len(parse(b"[" + b"null," * 999_999 + b"null]", 100)) == 1_000_000
    assert refusal(b"[" + b"[]," * 1_000_000 + b"[]]") is Code.BODY_TOO_COMPLEX


# Items


@pytest.mark.parametrize("padding", [b"", b" " * 10_000])
@pytest.mark.parametrize(
    ("text", "container"),
    [
        (b"", ARRAY),
        (b" ", OBJECT),
        (b"1,", ARRAY),
        (b",1", ARRAY),
        (b"1],[2", ARRAY),
        (b"1]],[[2", ARRAY),
        (b"1],2,[3", ARRAY),
        (b'{"a":1},', ARRAY),
        (b'{"a":[1', ARRAY),
        (b'"a', ARRAY),
        (b'"a":1},{"b":2', OBJECT),
        (b'"a":1', ARRAY),
        (b"1", OBJECT),
        (b'"a":', OBJECT),
        (b'"a"', OBJECT),
    ],
)
def test_text_that_does_not_end_between_items_is_refused(
    text: bytes, container: Container, padding: bytes
) -> None:
    """Padding makes the text long: then it stands inside many arrays, and must not close them."""
    for whole in text + padding, padding + text:
        with pytest.raises(BadUpstream) as caught:
            parse_items(whole, container, 100)
        assert caught.value.code is Code.BODY_MALFORMED


@given(values=st.lists(JSON, min_size=1, max_size=4), seed=st.integers(0, 99))
def test_items_are_the_values_of_a_container(values: list[Any], seed: int) -> None:
    array = spaced(values, seed).strip(jsontext.SPACE)
    assert parse_items(array[1:-1], ARRAY, 100) == values
    named = {f"k{number}": value for number, value in enumerate(values)}
    members = spaced(named, seed).strip(jsontext.SPACE)
    assert parse_items(members[1:-1], OBJECT, 100) == named
    assert jsontext.plausible(array[1:-1], ARRAY)
    assert jsontext.plausible(members[1:-1], OBJECT)


def test_lines_are_parsed_up_to_the_first_that_is_none() -> None:
    values: list[Any] = []
    with pytest.raises(BadUpstream) as caught:
        jsontext.parse_into(values, [b"1", b"[2]", b"[[3]]", b"4 4"], 1)
    assert caught.value.code is Code.BODY_TOO_COMPLEX
    assert values == [1, [2]]


@pytest.mark.parametrize("text", [b"1,2", b"1],[2", b"[1", b"{}{}", b"[1],[2]", b"[[1]],[[2]]"])
@pytest.mark.parametrize("depth", [2, 100])
def test_a_line_is_one_value(text: bytes, depth: int) -> None:
    """However its depth is counted."""
    assert refusal(text, depth) is Code.BODY_MALFORMED
    with pytest.raises(BadUpstream):
        jsontext.parse_into([], [text], depth)


# Places


@given(value=st.lists(JSON) | st.dictionaries(st.text(max_size=3), JSON), seed=st.integers(0, 99))
def test_children_stand_where_they_were_written(value: Any, seed: int) -> None:
    text = spaced(value, seed)
    begin, end = jsontext.trimmed(text)
    found = list(children(text, begin, end))
    expected = list(value.items()) if isinstance(value, dict) else [(None, v) for v in value]
    assert [(c.name, parse(text[c.value_begin : c.value_end], 100)) for c in found] == expected
    # Together with brackets and commas they are the whole text.
    items = b",".join(text[c.begin : c.end] for c in found)
    if found:
        assert text[begin:end] == text[begin : begin + 1] + items + text[end - 1 : end]


LOCATORS = ["$", "$.a", "$[*]", "$.*", "$.a.b", "$[*].a", "$.*.*", "$.a[*].b"]


@given(
    value=st.recursive(
        st.integers(), lambda v: st.lists(v) | st.dictionaries(st.sampled_from("abc"), v)
    ),
    seed=st.integers(0, 99),
    masks=st.lists(st.sampled_from(LOCATORS)),
)
def test_what_locators_find_is_found_in_the_text(value: Any, seed: int, masks: list[str]) -> None:
    text = spaced(value, seed)
    begin, end = jsontext.trimmed(text)
    spans = [span for mask in masks for span in places(text, begin, end, compile(mask))]
    assert [parse(text[b:e], 100) for b, e in spans] == [
        found for mask in masks for found in find(value, compile(mask))
    ]


@pytest.mark.parametrize("text", [b"[1 2]", b"[1", b'{"a":1 "b":2}', b"{1}", b"[1] "])
def test_places_in_what_was_never_accepted_are_refused(text: bytes) -> None:
    with pytest.raises(BadUpstream):
        list(children(text, 0, len(text)))


@given(value=JSON, seed=st.integers(0, 99))
def test_every_document_is_read_as_the_standard_library_reads_it(value: Any, seed: int) -> None:
    text = spaced(value, seed)
    assert parse(text, 100) == value == json.loads(text)
