"""What a Parquet file may take is known, or it is refused, before a library opens it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.inflation import Inflation
from gateway.inspection.parquetpages import (
    Chunk,
    Dictionary,
    Pages,
    RowGroup,
    read_pages,
    row_groups,
)
from gateway.inspection.settings import Limits
from gateway.stored import InMemory
from tests.support.parquets import framed, integers, page, varint, written

LIMITS = Limits(record=1 << 16)


def of_footer(body: bytes, limits: Limits = LIMITS) -> Code | tuple[RowGroup, ...]:
    try:
        return row_groups(InMemory(body), limits)
    except BadUpstream as refusal:
        return refusal.code


def struct(*fields: tuple[int, int, bytes]) -> bytes:
    """A struct of (field, type, value)."""
    out, last = b"", 0
    for number, kind, value in fields:
        out += bytes([(number - last) << 4 | kind]) + value
        last = number
    return out + b"\0"


def number(value: int) -> bytes:
    return varint(value * 2 if value >= 0 else -value * 2 - 1)


def several(*structs: bytes) -> bytes:
    return bytes([len(structs) << 4 | 12]) + b"".join(structs)


def chunk(start: int, size: int, kind: int = 6, *more: tuple[int, int, bytes]) -> bytes:
    known = struct((1, 5, number(kind)), (4, 5, number(1)), (7, 6, number(size)),
                   (9, 6, number(start)), *more)  # fmt: skip
    return struct((2, 6, number(start)), (3, 12, known))


def footer(
    *groups: tuple[int, list[bytes]], rows: int | None = None, columns: int = 1, children: int = 0
) -> bytes:
    """A footer of row groups: their rows, and the chunks in them."""
    told = sum(group[0] for group in groups) if rows is None else rows
    leaf = struct((1, 5, number(6)), (3, 5, number(1)), (4, 8, b"\1a"),
                  *([(5, 5, number(children))] if children else []))  # fmt: skip
    root = struct((4, 8, b"\1s"), (5, 5, number(columns)))
    made = [struct((1, 9, several(*chunks)), (3, 6, number(count))) for count, chunks in groups]
    return struct((1, 5, number(2)), (2, 9, several(root, *[leaf] * columns)),
                  (3, 6, number(told)), (4, 9, several(*made)))  # fmt: skip


def of_pages(*pages: bytes, limits: Limits = LIMITS) -> Code | Pages:
    data = b"".join(pages)
    body = InMemory(b"PAR1" + data)
    try:
        return read_pages(body, Chunk(4, 4 + len(data)), limits, Inflation(limits))
    except BadUpstream as refusal:
        return refusal.code


DATA = b"x" * 96


def test_the_footer_says_where_the_rows_are() -> None:
    body = framed(footer((2, [chunk(4, 10)]), (0, [chunk(0, 99)]), (1, [chunk(14, 86)])), DATA)
    assert of_footer(body) == (
        RowGroup(2, (Chunk(4, 14, 6, 1),)), RowGroup(0, ()), RowGroup(1, (Chunk(14, 100, 6, 1),))
    )  # fmt: skip
    (group,) = row_groups(InMemory(written({"a": ["x", "y"], "b": [1, 2]})), LIMITS)
    assert (group.rows, len(group.chunks)) == (2, 2)


@pytest.mark.parametrize(
    "chunks",
    [[chunk(3, 9)], [chunk(4, 97)], [chunk(99, 2)], [chunk(4, 20), chunk(19, 9)],
     [chunk(4, 9), chunk(4, 9)], [chunk(4, -1)], [chunk(-4, 9)], [chunk(4, 9, 5)], [],
     [chunk(4, 9)] * 3, [struct((2, 6, number(4)))], [struct((3, 5, number(4)))]],
)  # fmt: skip
def test_columns_lie_apart_and_inside_the_file_and_are_all_there(chunks: list[bytes]) -> None:
    columns = 2 if len(chunks) == 2 else 1
    body = framed(footer((1, chunks), columns=columns), DATA)
    assert of_footer(body) is Code.BODY_MALFORMED
    apart = [chunk(20, 80), chunk(4, 16)][:columns]
    assert isinstance(of_footer(framed(footer((1, apart), columns=columns), DATA)), tuple)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (footer((1, [chunk(4, 9)]), rows=2), Code.BODY_AMBIGUOUS),
        (footer((1, [chunk(4, 9)]), children=1), Code.BODY_TOO_COMPLEX),
        (footer((1, [struct((1, 8, b"\1f"), (2, 6, number(4)))])), Code.BODY_TOO_COMPLEX),
        (footer((1, [chunk(4, 9)]), columns=0), Code.BODY_MALFORMED),
        (struct((1, 5, number(2))), Code.BODY_MALFORMED),
        (struct((2, 5, number(2))), Code.BODY_MALFORMED),
    ],
)
def test_a_footer_that_says_two_things_or_too_little_is_refused(found: bytes, code: Code) -> None:
    assert of_footer(framed(found, DATA)) is code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.BODY_INCOMPLETE),
        (b"PAR1", Code.BODY_INCOMPLETE),
        (b"PAR1PAR1", Code.BODY_INCOMPLETE),
        (framed(integers(_1=1))[:-1], Code.BODY_INCOMPLETE),
        (b"x" + framed(integers(_1=1))[1:], Code.BODY_INCOMPLETE),
        (b"PARE" + framed(integers(_1=1))[4:-4] + b"PARE", Code.BODY_TOO_COMPLEX),
        (framed(integers(_1=1))[:-4] + b"PARE", Code.BODY_TOO_COMPLEX),
        (framed(integers(_8=1)), Code.BODY_TOO_COMPLEX),  # columns are encrypted
        (b"PAR1" + b"\xff\0\0\0PAR1", Code.BODY_MALFORMED),
        (b"PAR1" + b"\xff\xff\xff\xffPAR1", Code.BODY_TOO_LARGE),
        (framed(integers(_1=1) + b"x"), Code.BODY_MALFORMED),
        (framed(integers(_1=1)[:-1]), Code.BODY_MALFORMED),
        (framed(b"\x15\x02\x05\x02\x02\0"), Code.BODY_MALFORMED),  # a field twice
        (framed(b"\x1f\0"), Code.BODY_MALFORMED),  # of no type
        (framed(b"\x18" + varint(1 << 40) + b"\0"), Code.BODY_MALFORMED),
        (framed(b"\x15" + b"\xff" * 11 + b"\0"), Code.BODY_MALFORMED),
        (framed(b"\x19\xf5" + varint(1 << 30) + b"\0"), Code.BODY_MALFORMED),
        (framed(b"\x1c" * 60 + b"\0" * 61), Code.BODY_TOO_COMPLEX),
        (framed(b"\x19" + b"\x19" * 60 + b"\0"), Code.BODY_TOO_COMPLEX),
    ],
)
def test_a_file_without_a_sound_footer_is_refused(body: bytes, code: Code) -> None:
    assert of_footer(body) is code


def test_a_footer_has_no_more_parts_than_its_columns_may_have() -> None:
    def parts(count: int) -> bytes:
        return framed(b"\x19\xfc" + varint(count) + b"\0" * count + b"\0")

    few = Limits(columns=2)
    assert of_footer(parts(100), few) is Code.BODY_MALFORMED
    assert of_footer(parts(200), few) is Code.BODY_TOO_COMPLEX


DICTIONARY = integers(_1=2, _2=30, _3=2)[:-1] + b"\x4c" + integers(_1=3, _2=0) + b"\0" + b"ab"


def test_pages_say_what_a_column_unfolds_to() -> None:
    found = of_pages(DICTIONARY, page(100, b"abc", 10), page(60, b"", 2))
    start = 4 + len(DICTIONARY) - 2
    assert found == Pages(held=130, density=30, dictionary=Dictionary(start, start + 2, 30))


def test_what_values_take_follows_from_how_they_are_encoded() -> None:
    assert of_pages(page(100, b"", 10, encoding=8)) == Pages(100, 0)  # places in a dictionary
    assert of_pages(page(100, b"", 10, encoding=7)) == Pages(100, 100)  # each as long as all
    assert of_pages(page(100, b"", 10, encoding=6)) == Pages(100, 10)


@pytest.mark.parametrize(
    ("pages", "code"),
    [
        ([page(1 << 20, b"abc")], Code.BODY_TOO_LARGE),
        ([page(60_000, b"")] * 100, Code.BODY_TOO_LARGE),
        ([page(5, b"abc")[:-1]], Code.BODY_MALFORMED),
        ([page(5, b"abc"), b"\x15"], Code.BODY_MALFORMED),
        ([DICTIONARY, DICTIONARY], Code.BODY_MALFORMED),
        ([integers(_1=0)], Code.BODY_MALFORMED),
        ([integers(_1=0, _2=1)], Code.BODY_MALFORMED),
        ([b"\x15\0\x15\x01\x15\x02\0"], Code.BODY_MALFORMED),  # a negative size
        ([b"\x15\0\x15\x02\x15\x01\0"], Code.BODY_MALFORMED),  # one that leads back
    ],
)
def test_pages_that_lie_or_unfold_too_far_are_refused(pages: list[bytes], code: Code) -> None:
    assert of_pages(*pages) is code


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    of_footer(framed(data))
    of_pages(data)
