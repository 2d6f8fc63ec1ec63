"""A new Parquet file of other rows: the columns of the one that was read."""

import io
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from gateway.errors import BadUpstream, Code
from gateway.inspection import parquetwriter
from gateway.inspection.parquetfile import ParquetRows
from gateway.inspection.parquetwriter import ParquetWriter, check_writable
from gateway.inspection.settings import Limits
from gateway.inspection.sinks import MemorySink
from gateway.stored import InMemory
from tests.support.parquets import read, written


def opened(table: Any, **options: Any) -> ParquetRows:
    return ParquetRows(InMemory(written(table, **options)), Limits())


def again(rows: ParquetRows, masked: frozenset[str] = frozenset(), before: bytes = b"") -> bytes:
    check_writable(rows)
    sink = MemorySink()
    sink.write(before)
    writer = ParquetWriter(rows, masked, sink)
    for batch in rows.batches():
        writer.write(batch)
    writer.finish()
    return sink.getvalue()[len(before) :]


TABLE = {"id": ["a", None, "c"], "n": [1, 2, 3]}


def test_a_file_is_written_where_the_sink_is() -> None:
    body = again(opened(TABLE), before=b"something else")
    assert read(body) == pyarrow.table(TABLE).to_pylist()


def test_rows_of_several_windows_are_several_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquetwriter, "WINDOW", 100)
    body = again(opened({"n": [*range(1000)]}, row_group_size=100))
    assert parquet.read_metadata(io.BytesIO(body)).num_row_groups == 10
    assert [row["n"] for row in read(body)] == [*range(1000)]


def test_a_file_of_no_rows_has_its_columns() -> None:
    body = again(opened(pyarrow.table(TABLE).slice(0, 0)))
    assert read(body) == []
    assert parquet.read_schema(io.BytesIO(body)).names == ["id", "n"]


@pytest.mark.parametrize("store_schema", [True, False])
def test_arrows_schema_is_there_where_it_was(store_schema: bool) -> None:
    body = again(opened(TABLE, store_schema=store_schema))
    found = parquet.read_metadata(io.BytesIO(body)).metadata or {}
    assert [*found] == ([b"ARROW:schema"] if store_schema else [])


def test_masked_columns_are_null_whatever_they_were() -> None:
    schema = pyarrow.schema([pyarrow.field("n", pyarrow.int64(), nullable=False)])
    rows = opened(pyarrow.table({"n": [1, 2]}, schema=schema))
    assert read(again(rows, frozenset({"n"}))) == [{"n": None}, {"n": None}]
    assert read(again(rows)) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("integer", [True, False])
def test_decimals_stay_what_they_are(integer: bool) -> None:
    table = pyarrow.table({"d": pyarrow.array([1, None], pyarrow.decimal128(5, 0))})
    body = again(opened(table, store_decimal_as_integer=integer))
    kind = parquet.read_metadata(io.BytesIO(body)).schema.column(0).physical_type
    assert kind == ("INT32" if integer else "FIXED_LEN_BYTE_ARRAY")


def test_a_column_that_would_come_back_as_another_is_refused() -> None:
    table = pyarrow.table({"u": pyarrow.array([b"x" * 16], pyarrow.uuid())})
    with pytest.raises(BadUpstream) as caught:
        check_writable(opened(table, store_schema=False))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
