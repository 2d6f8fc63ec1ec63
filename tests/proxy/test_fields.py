import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy import fields


@pytest.mark.parametrize("value", [b"0", b"5", b"0005", b"9" * 18])
def test_a_length_is_one_run_of_digits(value: bytes) -> None:
    assert fields.content_length([value]) == int(value)


@pytest.mark.parametrize(
    "values",
    [
        [b""], [b"+5"], [b"-1"], [b"0x5"], [b"5, 5"], [b"5,"], [b"1_0"], [b" 5"], [b"5 "],
        ["５".encode()], [b"5.0"], [b"9" * 19], [b"18446744073709551615"], [b"5", b"5"],
    ],
)  # fmt: skip
def test_anything_else_is_no_length(values: list[bytes]) -> None:
    """C05"""
    with pytest.raises(ValueError, match="content-length"):
        fields.content_length(values)


def test_no_length_and_no_coding_are_no_error() -> None:
    assert fields.content_length([]) is None
    assert fields.is_chunked([]) is False


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED"])
def test_chunked_is_a_transfer_coding(value: bytes) -> None:
    assert fields.is_chunked([value])


@pytest.mark.parametrize(
    "values",
    [[b""], [b"gzip, chunked"], [b"chunked, chunked"], [b"chunked", b"chunked"], [b"xchunked"],
     [b"chunked "], [b"identity"], [b"chunked;q=1"], [b'"chunked"']],
)  # fmt: skip
def test_no_other_transfer_coding_is_understood(values: list[bytes]) -> None:
    with pytest.raises(ValueError, match="transfer-encoding"):
        fields.is_chunked(values)


def test_lists_run_over_lines() -> None:
    assert fields.members([b"a, b", b"c,,\td "]) == [b"a", b"b", b"c", b"", b"d"]


def test_names_are_gathered_without_regard_to_case_and_values_kept_in_order() -> None:
    headers = [(b"X-A", b"1"), (b"B", b"2"), (b"x-a", b"3")]
    assert fields.gather(headers) == {b"x-a": [b"1", b"3"], b"b": [b"2"]}


def valued(value: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"A", b"sound"), (b"B", value), (b"C", b"")]


@pytest.mark.parametrize("value", [b"\0", b"\r", b"\n", b"\x01", b"a\x1b[0m", b"\x7f"])
def test_control_characters_are_seen(value: bytes) -> None:
    assert not fields.are_free_of_controls(valued(value))
    assert not fields.are_ascii(valued(value))


def test_what_is_not_ascii_is_no_control_character() -> None:
    assert fields.are_free_of_controls(valued("é\t".encode()))
    assert not fields.are_ascii(valued("é".encode()))
    assert fields.are_ascii(valued(b"a b\t~"))


@pytest.mark.parametrize("name", [b"", b"X A", b"X:", b"X\x80", b"X\0", b"X\n", b'"X"'])
def test_every_name_is_a_token(name: bytes) -> None:
    assert not fields.are_named([(b"A", b""), (name, b""), (b"B", b"")])
    assert fields.are_named([(b"A", b""), (b"X_-a.9!", b"")])
    assert fields.are_named([])


def test_limits_hold_to_the_byte() -> None:
    headers = [(b"A", b"bb"), (b"AAA", b"b"), (b"", b"")]
    assert fields.are_within(headers, line=4, lines=3, head=19)
    assert not fields.are_within(headers, line=3, lines=3, head=19)
    assert not fields.are_within(headers, line=4, lines=2, head=19)
    assert not fields.are_within(headers, line=4, lines=3, head=18)
    assert fields.are_within([], line=0, lines=0, head=0)


def test_a_head_is_spelled_line_by_line() -> None:
    assert fields.spell("HTTP/1.1 200 OK", {"A": "b"}) == b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"
    assert fields.spell("A", {"B": "c\td"}) == b"A\r\nB: c\td\r\n\r\n"


@pytest.mark.parametrize("character", [*map(chr, range(9)), *map(chr, range(10, 32)), "\x7f", "é"])
def test_a_character_that_cannot_be_sent_is_not(character: str) -> None:
    with pytest.raises(ValueError, match="can't be sent"):
        fields.spell("HTTP/1.1 200 OK", {"A": f"b{character}"})


@given(st.text(), st.text())
def test_no_value_starts_a_line_of_its_own(name: str, value: str) -> None:
    """C18"""
    try:
        head = fields.spell("HTTP/1.1 200 OK", {name: value})
    except ValueError:
        assert not f"{name}{value}".isascii() or not f"{name}{value}".isprintable()
    else:
        assert head.count(b"\n") == head.count(b"\r") == 3
