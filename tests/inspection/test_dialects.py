"""The delimiter of a CSV is configured, or proven by its header row, or the body is refused."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.dialects import CANDIDATES, dialect, open_rows
from gateway.inspection.rows import Dialect
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Format

LIMITS = Limits()
AUTO = BodySpec(Format.CSV, delimiter="auto")


def names(
    text: bytes, *wanted: str, spec: BodySpec = AUTO, limits: Limits = LIMITS
) -> tuple[str, ...]:
    return open_rows(iter([text] if text else []), spec, frozenset(wanted), limits).names


def refusal(text: bytes, *wanted: str, limits: Limits = LIMITS) -> Code:
    with pytest.raises(BadUpstream) as caught:
        names(text, *wanted, limits=limits)
    return caught.value.code


@pytest.mark.parametrize("delimiter", CANDIDATES)
def test_the_one_delimiter_under_which_the_column_has_its_name_is_proven(delimiter: str) -> None:
    header = delimiter.join(("a", "id", "b")).encode()
    rows = open_rows(iter([header + b"\n"]), AUTO, frozenset({"id"}), Limits())
    assert rows.names == ("a", "id", "b")


def test_the_others_may_stand_in_the_names_of_columns() -> None:
    assert names(b"a,b;id;c\td\n", "id") == ("a,b", "id", "c\td")
    assert names(b'a,"id;x",id\n', "id") == ("a", "id;x", "id")


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"id\n", ("id",)),  # one column, however it is cut
        (b"id,a;id\n", ("id",)),  # two delimiters have it
        (b"a,b\n", ("id",)),  # none has it
        (b"a;id,b\n", ("id",)),
        (b"id:b\n", ("id",)),  # not a candidate
        (b"ID;b\n", ("id",)),
        (b"id,a;email\n", ("id", "email")),  # each has only one of them
        (b'"id;b\n', ("id",)),
        (b"", ("id",)),
        (b"a;b\n", ()),  # nothing to prove it by
    ],
)
def test_a_header_that_not_exactly_one_delimiter_explains_is_ambiguous(
    header: bytes, wanted: tuple[str, ...]
) -> None:
    assert refusal(header, *wanted) is Code.BODY_AMBIGUOUS


def test_the_proof_is_bounded() -> None:
    assert refusal(b"a" * 400 + b";id\n", "id", limits=Limits(record=100)) is Code.BODY_AMBIGUOUS
    assert names(b"a" * 40 + b";id\n", "id", limits=Limits(record=100))[1] == "id"


def test_a_configured_delimiter_needs_no_proof() -> None:
    assert names(b"id\n", spec=BodySpec(Format.CSV)) == ("id",)
    assert names(b"a;id\n", "id", spec=BodySpec(Format.CSV)) == ("a;id",)


def test_what_is_wrong_with_the_text_is_found_after_the_proof() -> None:
    def text() -> Iterator[bytes]:
        yield b"a;id\n1;me\n"
        raise BadUpstream(Code.BODY_MALFORMED, "bytes that are not utf-8")

    rows = open_rows(text(), AUTO, frozenset({"id"}), Limits())
    found = []
    with pytest.raises(BadUpstream) as caught:
        for batch in rows.batches((1,)):
            found += batch.keys
    assert (found, caught.value.code) == ([(b"me",)], Code.BODY_MALFORMED)


@given(st.lists(st.binary(min_size=1, max_size=3), max_size=40), st.sampled_from(CANDIDATES))
def test_however_the_text_is_cut_it_reads_as_with_that_delimiter(
    junk: list[bytes], delimiter: str
) -> None:
    part = delimiter.encode()
    rows = [bytes(byte for byte in each if byte in b"xyz") for each in junk]
    text = b"a" + part + b"id\n" + b"".join(b"1%b%b\n" % (part, row) for row in rows)
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    proven = open_rows(iter(pieces), AUTO, frozenset({"id"}), Limits())
    told = open_rows(
        iter([text]), BodySpec(Format.CSV, delimiter=delimiter), frozenset({"id"}), Limits()
    )
    one, other = (
        [key for batch in each.batches((1,)) for key in batch.keys] for each in (proven, told)
    )
    assert one == other == [(row,) for row in rows]


def test_the_dialect_is_as_configured() -> None:
    assert dialect(BodySpec(Format.CSV)) == Dialect()
    assert dialect(BodySpec(Format.CSV, delimiter=";", quote="'")) == Dialect(";", "'")
    assert dialect(BodySpec(Format.CSV, quote="none")) == Dialect(quoted=False)
    assert dialect(AUTO, "|") == Dialect("|")
    with pytest.raises(ValueError, match="delimiter must be"):
        dialect(AUTO)
