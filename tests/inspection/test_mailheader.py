"""Header fields, read in the one way in which every reader reads them."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.mailheader import Header, read_header
from gateway.inspection.settings import Limits


def read(text: bytes, **limits: int) -> Header:
    return read_header(text, 0, Limits(**limits))


def refusal(text: bytes, **limits: int) -> Code:
    with pytest.raises(BadUpstream) as caught:
        read(text, **limits)
    return caught.value.code


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_fields_are_named_without_case_and_their_values_unfolded(end: bytes) -> None:
    text = b"TO: a@x,\n\tb@y\nX-Long:\n one\nEmpty:\n\nbody".replace(b"\n", end)
    header = read(text)
    assert [(f.name, f.text, f.is_folded) for f in header.fields] == [
        ("to", "a@x,\tb@y", True),
        ("x-long", "one", True),
        ("empty", "", False),
    ]
    assert text[header.end :] == b"body"
    assert text[header.fields[0].begin : header.fields[0].end] == header.fields[0].raw


def test_a_part_may_have_no_header_at_all() -> None:
    assert read(b"\nbody") == Header([], 1)


def test_a_field_is_read_wherever_the_header_begins() -> None:
    header = read_header(b"From x\nA: 1\n\n", 7, Limits())
    assert (header.fields[0].name, header.fields[0].begin, header.end) == ("a", 9, 13)


def test_a_field_that_may_be_there_once_is_there_once() -> None:
    header = read(b"A: 1\nB: 2\na: 3\n\n")
    assert header.one("b") == "2" and header.one("c") is None
    assert [field.text for field in header.all("a")] == ["1", "3"]
    with pytest.raises(BadUpstream) as caught:
        header.one("a")
    assert caught.value.code is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"A : 1\n\n", Code.BODY_MALFORMED),  # a blank before the colon
        (b"A\n\n", Code.BODY_MALFORMED),
        (b": 1\n\n", Code.BODY_MALFORMED),
        (b" A: 1\n\n", Code.BODY_MALFORMED),  # a continuation of nothing
        (b">From a\nA: 1\n\n", Code.BODY_MALFORMED),
        (b"A: 1\n--b: 2\n\n", Code.BODY_MALFORMED),  # a delimiter to some
        (b"A: 1\rB: 2\n\n", Code.BODY_MALFORMED),  # a CR that ends a line for some
        (b"\xc3\xa4: 1\n\n", Code.BODY_MALFORMED),
        (b"A: \xff\n\n", Code.BODY_MALFORMED),
        (b"A: 1\n \nB: 2\n\n", Code.BODY_AMBIGUOUS),  # the end of the header, to some
        (b"A: 1\n \t\n\n", Code.BODY_AMBIGUOUS),
        (b"A: 1\x00\n\n", Code.BODY_AMBIGUOUS),
        (b"A: 1\x0b2\n\n", Code.BODY_AMBIGUOUS),
        (b"A: 1\x0cB: 2\n\n", Code.BODY_AMBIGUOUS),
        (b"A: \xc2\x85B: 2\n\n", Code.BODY_AMBIGUOUS),
        (b"A: \xe2\x80\xa8B: 2\n\n", Code.BODY_AMBIGUOUS),
        (b"A: \xef\xbb\xbf1\n\n", Code.BODY_AMBIGUOUS),
        (b"", Code.BODY_INCOMPLETE),
        (b"A: 1", Code.BODY_INCOMPLETE),
        (b"A: 1\n", Code.BODY_INCOMPLETE),
        (b"A: 1\nB", Code.BODY_INCOMPLETE),
    ],
)
def test_what_readers_take_differently_is_refused(text: bytes, code: Code) -> None:
    assert refusal(text) is code


def test_there_are_no_more_fields_than_the_limit() -> None:
    assert len(read(b"A: 1\n" * 5 + b"\n", fields=5).fields) == 5
    assert refusal(b"A: 1\n" * 6 + b"\n", fields=5) is Code.BODY_TOO_COMPLEX


def test_a_long_header_takes_linear_time() -> None:
    text = b"A: " + b"x" * 100_000 + b"\n x" * 100_000 + b"\n\n"
    assert len(read(text).fields) == 1
    assert refusal(text[:-2] + b"\n " * 100_000) is Code.BODY_INCOMPLETE


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=20)


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=8))
def test_what_was_written_is_read_and_the_standard_library_reads_the_same(
    fields: list[tuple[str, str]],
) -> None:
    text = "".join(f"{name}: {value}\n" for name, value in fields) + "\nbody"
    header = read(text.encode())
    assert [(field.name, field.text) for field in header.fields] == [
        (name.lower(), value) for name, value in fields
    ]
    message = email.message_from_bytes(text.encode(), policy=email.policy.compat32)
    assert [name.lower() for name in message] == [field.name for field in header.fields]
