"""The window on a document: exact blocks, and where an item must end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonreader import WINDOW, Blocks, Text
from gateway.inspection.settings import Limits
from tests.support.reading import Cut

BODY = bytes(range(256)) * 8


def text(body: bytes, record: int = 1 << 20, chunk: int = 1 << 18) -> Text:
    return Text(Cut(body, chunk), Limits(record=record))


def refusal(reading: Text, begin: int = 0, levels: int = 100) -> Code:
    with pytest.raises(BadUpstream) as caught:
        reading.item_end(begin, levels)
    return caught.value.code


@given(chunk=st.integers(1, 300), sizes=st.lists(st.integers(1, 400), max_size=20))
def test_blocks_have_the_size_asked_for_whatever_the_chunks(chunk: int, sizes: list[int]) -> None:
    blocks, at = Blocks(Cut(BODY, chunk)), 0
    for size in sizes:
        assert blocks.read(size) == BODY[at : at + size]
        at += size


def test_text_is_taken_and_held() -> None:
    reading = text(BODY, chunk=10)
    assert reading.hold(25) == 25
    assert reading.slice(3) == reading.take(3) == BODY[:3]
    assert reading.byte(0) == BODY[3:4]
    assert reading.offset == 3
    assert reading.byte(len(BODY)) == b""
    assert reading.hold(1 << 20) == len(BODY) - 3


@pytest.mark.parametrize("chunk", [1, 3, 1 << 18])
@pytest.mark.parametrize(
    ("body", "end"),
    [
        (b"1,2", 1),
        (b'"a,]" ,', 6),
        (rb'"\"," ,', 6),
        (rb'"\\",', 4),
        (b'{"a":[1,{"b":"}]"}],"c":2} ]', 27),
        (b'"k": {"a":[]}, "l": 1}', 13),
        (b"null}", 4),
        (b"]", 0),
        (b",", 0),
        ('"é€😀,",'.encode(), 12),
    ],
)
def test_an_item_ends_at_a_comma_or_closing_bracket_of_its_container(
    body: bytes, end: int, chunk: int
) -> None:
    assert text(body, chunk=chunk).item_end(0, 100) == end


@pytest.mark.parametrize("body", [b"", b"1", b'"a', b'"a\\"', b"[1", b'{"a":1', b"[1,[2]"])
def test_an_item_that_never_ends_is_malformed(body: bytes) -> None:
    assert refusal(text(body)) is Code.BODY_MALFORMED


def test_an_item_may_be_as_long_as_the_limit_and_no_longer() -> None:
    for quotes in b'""', b"[]", b"  ":
        item = quotes[:1] + b" " * 998 + quotes[1:]
        assert text(item + b",", record=1000).item_end(0, 100) == 1000
        assert refusal(text(b" " + item + b",", record=1000)) is Code.BODY_TOO_LARGE
        assert refusal(text(b" " + item + b" " * 5000, record=1000)) is Code.BODY_TOO_LARGE


def test_an_item_that_is_held_already_is_limited_too() -> None:
    reading = text(b'"' + b"x" * 999 + b'",', record=1000)
    assert reading.hold(1002) == 1002
    assert refusal(reading) is Code.BODY_TOO_LARGE


def test_an_item_larger_than_the_window_is_found_and_what_follows_stays() -> None:
    item = b'{"a":"' + b"x" * (3 * WINDOW) + b'"}'
    reading = text(item + b",1]")
    assert reading.item_end(0, 100) == len(item)
    assert reading.take(len(item) + 1) == item + b","
    assert reading.item_end(0, 100) == 1


def test_levels_are_counted_while_searching() -> None:
    assert text(b"[[[1]]],").item_end(0, 3) == 7
    assert text(b"[[[]]],").item_end(0, 2) == 6
    assert refusal(text(b"[[[]]],"), levels=1) is Code.BODY_TOO_COMPLEX
    assert refusal(text(b"[" * 1_000_000)) is Code.BODY_TOO_COMPLEX


@pytest.mark.parametrize("chunk", [1, 1 << 18])
@pytest.mark.parametrize(
    ("body", "length", "name"),
    [(b'"a":1', 4, "a"), (rb' "\u0061\"" : 1', 14, 'a"'), (b'"{[":\n\t 1', 8, "{[")],
)
def test_a_name_is_read_up_to_its_value(body: bytes, length: int, name: str, chunk: int) -> None:
    assert text(body, chunk=chunk).name() == (length, name)


@pytest.mark.parametrize(
    "body", [b"", b"a:1", b"1:1", b'"a" 1', b'"a"', b'"a', b"}", b",", b'"\xff":1', rb'"\ud800":1']
)
def test_what_is_no_name_is_malformed(body: bytes) -> None:
    with pytest.raises(BadUpstream) as caught:
        text(body).name()
    assert caught.value.code is Code.BODY_MALFORMED


def test_only_white_space_may_follow_the_document() -> None:
    assert b"".join(text(b" \r\n\t" * WINDOW).rest()) == b" \r\n\t" * WINDOW
    for tail in b"x", b" \x00", b"\n{}", b"\x0c", b"\xef\xbb\xbf":
        with pytest.raises(BadUpstream) as caught:
            list(text(tail).rest())
        assert caught.value.code is Code.BODY_MALFORMED
