"""Parquet bodies: whose each row is, and a new file of exactly the permitted rows."""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as library

from gateway.errors import BadUpstream, Code
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.model import Attribution, Decision, Effect, Format, Inspection, SubjectRef
from gateway.response import Payload
from gateway.stored import InMemory
from tests.support.parquets import read, written
from tests.support.reading import masks
from tests.support.scratches import scratch
from tests.support.zips import M, archive, unzipped

BY_ID = BodySpec(Format.PARQUET, subject=({"account": ("id",)},))
TYPE = "application/vnd.apache.parquet"


def task(spec: BodySpec = BY_ID, limits: Limits | None = None) -> work.Task:
    return work.Task(Payload(TYPE), spec, limits or Limits())


def inspect(body: bytes, spec: BodySpec = BY_ID) -> Inspection:
    return work.inspect(InMemory(body), task(spec))


def owners(body: bytes, spec: BodySpec = BY_ID) -> dict[tuple[object, ...], int]:
    groups = inspect(body, spec).groups
    return {tuple(one.value for one in group.owners): group.records for group in groups}


def refusal(body: bytes, spec: BodySpec = BY_ID) -> Code:
    with pytest.raises(BadUpstream) as caught:
        inspect(body, spec)
    return caught.value.code


def decision(*values: str | int, mask: tuple[str, ...] = (), rest: bool = False) -> Decision:
    permitted = frozenset(SubjectRef("account", value) for value in values)
    return Decision(Effect.REDACT, permitted, rest, frozenset(), masks(*mask), (), "r1")


def rewrite(body: bytes, decided: Decision, spec: BodySpec = BY_ID) -> bytes:
    """What leaves, which was read again."""
    sink, todo = MemorySink(), task(spec)
    found = inspect(body, spec)
    counts = work.rewrite(InMemory(body), todo, found, decided, sink)
    work.confirm(InMemory(sink.getvalue()), todo, found, decided, counts)
    return sink.getvalue()


def by_duckdb(body: bytes, folder: Path) -> list[tuple[Any, ...]]:
    file = folder / "table.parquet"
    file.write_bytes(body)
    return duckdb.sql(f"select * from read_parquet('{file}')").fetchall()


ROWS: Mapping[str, Any] = {"id": ["me", "foreign", None, "me"], "n": [1, 2, 3, 4]}


# Whose a row is


def test_each_row_belongs_to_the_subject_in_its_column() -> None:
    found = inspect(written(ROWS))
    assert {(group.owners, group.attribution, group.records) for group in found.groups} == {
        ((SubjectRef("account", "me"),), Attribution.DIRECT, 2),
        ((SubjectRef("account", "foreign"),), Attribution.DIRECT, 1),
        ((), Attribution.NONE, 1),
    }
    assert (found.fields, found.records) == (("id", "n"), 4)
    assert found.bytes_inspected == found.bytes_received


def test_identifiers_are_exact_and_typed() -> None:
    texts = ["me", "ME", "me ", "42", "042", "42.0"]
    assert owners(written({"id": texts})) == {(text,): 1 for text in texts}
    assert owners(written({"id": [42, -1]})) == {(42,): 1, (-1,): 1}
    big = pyarrow.array([2**63], pyarrow.uint64())
    assert refusal(written({"id": big})) is Code.BODY_AMBIGUOUS
    for text in ("", "a\x00", "x" * 1025):
        assert refusal(written({"id": [text]})) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "column",
    [[1.0], [True], [b"me"], pyarrow.array([1], pyarrow.timestamp("ms")),
     pyarrow.array([1], pyarrow.decimal128(5, 0)), pyarrow.array([1], pyarrow.date32())],
)  # fmt: skip
def test_what_readers_make_different_identifiers_of_is_ambiguous(column: Any) -> None:
    body = written({"id": column})
    assert refusal(body) is Code.BODY_AMBIGUOUS
    assert owners(body, BodySpec(Format.PARQUET)) == {(): 1}


def test_a_column_that_is_not_there_or_looks_like_another_is_ambiguous() -> None:
    assert refusal(written({"no": ["me"]})) is Code.BODY_AMBIGUOUS
    assert refusal(written({"id": ["me"], "ID": ["foreign"]})) is Code.BODY_AMBIGUOUS


def test_several_columns_must_agree_and_several_owners_own_together() -> None:
    both = replace(BY_ID, subject=({"account": ("id", "$.other")},))
    assert owners(written({"id": ["me"], "other": ["me"]}), both) == {("me",): 1}
    assert refusal(written({"id": ["me"], "other": ["foreign"]}), both) is Code.BODY_AMBIGUOUS
    shared = replace(BY_ID, subject=({"account": ("id",)}, {"account": ("to",)}))
    assert owners(written({"id": ["me"], "to": ["you"]}), shared) == {("me", "you"): 1}


def test_another_body_than_a_parquet_file_is_a_mismatch() -> None:
    assert refusal(b"id\nme\n") is Code.FORMAT_MISMATCH
    assert refusal(b"") is Code.FORMAT_MISMATCH
    assert refusal(written(ROWS) + b"x") is Code.BODY_INCOMPLETE


# What leaves


def test_exactly_the_permitted_rows_leave(tmp_path: Path) -> None:
    body = written(ROWS, row_group_size=2)
    kept = rewrite(body, decision("me"))
    assert read(kept) == [{"id": "me", "n": 1}, {"id": "me", "n": 4}]
    assert by_duckdb(kept, tmp_path) == [("me", 1), ("me", 4)]
    assert b"foreign" not in kept
    assert read(rewrite(body, decision("nobody"))) == []
    assert read(rewrite(body, decision("me", "foreign", rest=True))) == read(body)


def test_a_file_is_never_released_as_it_came() -> None:
    """Enforcement writes what isn't sealed anew, also where everything may leave."""
    assert not inspect(written(ROWS)).sealed


def test_a_file_in_an_archive_is_written_anew_too() -> None:
    whole = written(pyarrow.table({"id": ["me"]}).replace_schema_metadata({"who": "stranger"}))
    members = {"a.parquet": written(ROWS), "b.parquet": whole}
    body = archive(*map(M, members, members.values()))
    inside = MemberSpec("*.parquet", Format.PARQUET, subject=BY_ID.subject)
    todo = work.Task(Payload("application/zip"), BodySpec(Format.ZIP, members=(inside,)), Limits())
    sink, decided = MemorySink(), decision("me")
    with scratch(1 << 20) as file:
        found = work.inspect(InMemory(body), todo, file)
        counts = work.rewrite(InMemory(body), todo, found, decided, sink, file)
        work.confirm(InMemory(sink.getvalue()), todo, found, decided, counts, file)
    assert (found.sealed, found.records, counts.released) == (False, 5, 3)
    left = {name: read(data) for name, data in unzipped(sink.getvalue()).items()}
    mine = [{"id": "me", "n": 1}, {"id": "me", "n": 4}]
    assert left == {"a.parquet": mine, "b.parquet": [{"id": "me"}]}
    assert b"stranger" in body and b"stranger" not in sink.getvalue()


def hidden() -> dict[str, bytes]:
    """Files of `me` alone, that name a stranger outside of their rows."""
    mine = pyarrow.table({"id": ["me"] * 3})
    encoded = pyarrow.array(["me", "me", "me", "stranger"]).dictionary_encode().slice(0, 3)
    field = pyarrow.field("id", pyarrow.string(), metadata={"who": "stranger"})
    text = mine.replace_schema_metadata({"owner": "stranger"})
    plain = written(mine)
    return {
        "in a dictionary": written(pyarrow.table({"id": encoded})),
        "beside the schema": written(text),
        "beside a column": written(mine.cast(pyarrow.schema([field]))),
        "as the writer": plain.replace(b"parquet-cpp-arrow version 26.0.1", b"stranger".ljust(32)),
    }


@pytest.mark.parametrize("where", hidden())
def test_what_is_in_no_row_stays_behind(where: str) -> None:
    body = hidden()[where]
    assert owners(body) == {("me",): 3}
    assert b"stranger" in body or where == "beside a column"  # where it is in base64
    kept = rewrite(body, decision("me"))
    assert b"stranger" not in kept and read(kept) == [{"id": "me"}] * 3


def test_statistics_and_dictionaries_tell_nothing_of_the_rows_that_went() -> None:
    body = written({"id": ["me", "foreign"], "n": [5, 999]}, write_page_index=True)
    kept = rewrite(body, decision("me"))
    column = library.read_metadata(io.BytesIO(kept)).row_group(0).column(1)
    assert (column.statistics.min, column.statistics.max) == (5, 5)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_columns_types_and_compression_stay(codec: str) -> None:
    fields = [
        pyarrow.field("id", pyarrow.string(), nullable=False, metadata={"PARQUET:field_id": "9"}),
        pyarrow.field("i", pyarrow.int8()), pyarrow.field("u", pyarrow.uint32()),
        pyarrow.field("t", pyarrow.timestamp("ms", "UTC")),
        pyarrow.field("l", pyarrow.timestamp("us")),
        pyarrow.field("d", pyarrow.decimal128(9, 2)), pyarrow.field("b", pyarrow.binary(3)),
        pyarrow.field("f", pyarrow.float32()), pyarrow.field("day", pyarrow.date32()),
    ]  # fmt: skip
    row = {"id": "me", "i": -1, "u": 7, "t": 1, "l": 2, "d": None, "b": b"abc", "f": 0.5, "day": 3}
    table = pyarrow.Table.from_pylist([row], schema=pyarrow.schema(fields))
    body = written(table, compression=codec)
    kept = rewrite(body, decision("me"))
    one, other = (library.ParquetFile(io.BytesIO(each)) for each in (body, kept))
    assert one.read().equals(other.read())
    assert one.schema_arrow.equals(other.schema_arrow, check_metadata=True)
    assert one.metadata.schema.equals(other.metadata.schema)
    codecs = [each.metadata.row_group(0).column(0).compression for each in (one, other)]
    assert codecs[0] == codecs[1]


def test_a_mask_makes_nulls_of_its_column(tmp_path: Path) -> None:
    schema = pyarrow.schema(
        [pyarrow.field("id", pyarrow.string(), False), pyarrow.field("p", pyarrow.string(), False)]
    )
    body = written(pyarrow.table({"id": ["me", "foreign"], "p": ["tel", "fax"]}, schema=schema))
    kept = rewrite(body, decision("me", mask=("$.p", "$.unknown")))
    assert read(kept) == [{"id": "me", "p": None}]
    assert by_duckdb(kept, tmp_path) == [("me", None)]
    assert b"tel" not in kept


@pytest.mark.parametrize(
    ("mask", "code"), [("$.a.b", Code.REDACTION_UNSUPPORTED), ("$.N", Code.BODY_AMBIGUOUS)]
)
def test_a_mask_that_is_not_one_column_is_refused(mask: str, code: Code) -> None:
    with pytest.raises(BadUpstream) as caught:
        rewrite(written(ROWS), decision("me", mask=(mask,)))
    assert caught.value.code is code


def test_a_column_that_cannot_be_written_again_as_it_is_is_refused() -> None:
    table = pyarrow.table({"u": pyarrow.array([b"x" * 16], pyarrow.uuid())})
    anyone = BodySpec(Format.PARQUET)
    assert refusal(written(table, store_schema=False), anyone) is Code.REDACTION_UNSUPPORTED
    assert refusal(written(table), anyone) is Code.BODY_TOO_COMPLEX


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["me", "foreign", "ME", None]),
            st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
            st.none() | st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=30,
    ),
    st.integers(1, 9),
    st.booleans(),
)
def test_any_table_keeps_exactly_the_rows_of_the_permitted(
    rows: list[tuple[str | None, str | None, int | None]], size: int, use_dictionary: bool
) -> None:
    names = ("id", "text", "n")
    kinds = [pyarrow.string(), pyarrow.string(), pyarrow.int64()]
    schema = pyarrow.schema([*zip(names, kinds, strict=True)])
    table = pyarrow.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema)
    body = written(table, row_group_size=size, use_dictionary=use_dictionary)
    kept = rewrite(body, decision("me"))
    assert [tuple(row.values()) for row in read(kept)] == [row for row in rows if row[0] == "me"]
