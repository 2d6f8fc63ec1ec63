"""Parquet files as batches: the rows that other readers find, in bounded memory."""

import sys
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from gateway.errors import BadUpstream, Code
from gateway.inspection import parquetfile
from gateway.inspection.parquetfile import ParquetRows
from gateway.inspection.settings import Limits
from gateway.stored import InMemory
from tests.support.parquets import written


def rows(body: bytes, limits: Limits | None = None) -> list[dict[str, Any]]:
    found = ParquetRows(InMemory(body), limits or Limits())
    return [row for batch in found.batches() for row in batch.to_pylist()]


def refusal(body: bytes, limits: Limits | None = None) -> Code:
    with pytest.raises(BadUpstream) as caught:
        rows(body, limits)
    return caught.value.code


TABLE = {
    "id": ["me", None, "foreign", "me", ""],
    "n": [1, 2, None, 4, 5],
    "b": [b"", b"\xff"] * 2 + [None],
}


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_rows_are_read_however_they_were_written(
    compression: str, version: str, use_dictionary: bool
) -> None:
    body = written(
        TABLE, compression=compression, data_page_version=version,
        use_dictionary=use_dictionary, row_group_size=2, write_page_checksum=True,
    )  # fmt: skip
    assert rows(body) == pyarrow.table(TABLE).to_pylist()


def test_no_rows_are_none() -> None:
    assert rows(written(pyarrow.table(TABLE).slice(0, 0))) == []


def test_a_dictionary_that_unfolds_without_end_is_refused_in_bounded_memory() -> None:
    long = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0] * 100_000, pyarrow.int32()), pyarrow.array(["x" * 200_000])
    )
    body = written(pyarrow.table({"id": long}), compression="zstd")
    assert len(body) < 10_000
    before = pyarrow.total_allocated_bytes()
    assert refusal(body) is Code.BODY_TOO_LARGE
    assert pyarrow.total_allocated_bytes() - before < 64 << 20


def test_memory_is_that_of_a_batch_however_many_texts_there_are() -> None:
    texts = [f"{number:0200}" for number in range(100_000)]
    body = written({"id": texts}, compression="none", row_group_size=100_000)
    pool = parquetfile.library().default_memory_pool()
    before = pool.bytes_allocated()
    found = ParquetRows(InMemory(body), Limits()).batches()
    most = max(pool.bytes_allocated() - before for batch in found if batch.num_rows)
    assert most < 16 << 20 < len(body)


def test_a_page_that_unfolds_too_far_is_refused_before_it_does() -> None:
    body = written({"id": ["x" * 5_000_000]}, compression="zstd", use_dictionary=False)
    assert refusal(body, Limits(record=1 << 20)) is Code.BODY_TOO_LARGE
    assert refusal(body, Limits(decoded=1 << 20)) is Code.BODY_TOO_LARGE
    assert refusal(body) is Code.BODY_TOO_LARGE  # limits.ratio
    assert len(rows(body, Limits(ratio=1_000_000))) == 1


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ({"id": [["me"]]}, Code.BODY_TOO_COMPLEX),
        ({"id": [{"a": "me"}]}, Code.BODY_TOO_COMPLEX),
        (pyarrow.table([["me"], ["you"]], names=["id", "id"]), Code.BODY_AMBIGUOUS),
        (pyarrow.table([["me"]], names=[" "]), Code.BODY_AMBIGUOUS),
    ],
)
def test_columns_that_are_no_flat_table_are_refused(table: Any, code: Code) -> None:
    assert refusal(written(table)) is code


def test_times_that_readers_take_differently_are_refused() -> None:
    moment = pyarrow.table({"t": pyarrow.array([0], pyarrow.timestamp("ns"))})
    assert refusal(written(moment, use_deprecated_int96_timestamps=True)) is Code.BODY_AMBIGUOUS
    assert rows(written(moment))


def test_more_columns_than_the_limit_are_refused() -> None:
    body = written({"a": [1], "b": [1]})
    assert refusal(body, Limits(columns=1)) is Code.BODY_TOO_COMPLEX
    assert rows(body, Limits(columns=2))


def test_a_page_whose_checksum_is_wrong_is_malformed() -> None:
    body = written({"id": ["me" * 50]}, write_page_checksum=True, compression="none")
    assert refusal(body.replace(b"meme", b"xexe", 1)) is Code.BODY_MALFORMED


def test_text_that_is_not_utf_8_is_malformed() -> None:
    body = written({"id": ["meme"]}, compression="none")
    assert refusal(body.replace(b"meme", b"me\xff\xfe")) is Code.BODY_MALFORMED


def test_an_encrypted_file_is_refused() -> None:
    body = written({"id": ["me"]})
    assert refusal(b"PARE" + body[4:-4] + b"PARE") is Code.BODY_TOO_COMPLEX


def test_metadata_is_not_handed_on_but_field_ids() -> None:
    field = pyarrow.field("id", pyarrow.string(), metadata={"PARQUET:field_id": "7", "who": "me"})
    schema = pyarrow.schema([field], metadata={"owner": "foreign"})
    body = written(pyarrow.table({"id": ["a"]}, schema=schema))
    found = ParquetRows(InMemory(body), Limits())
    assert found.schema.metadata is None
    assert found.schema.field("id").metadata == {b"PARQUET:field_id": b"7"}


def test_every_cut_of_a_file_is_refused() -> None:
    body = written(TABLE)
    for end in range(len(body)):
        assert refusal(body[:end]) in (Code.BODY_INCOMPLETE, Code.BODY_MALFORMED)


def test_any_changed_byte_is_refused_or_read_and_nothing_else() -> None:
    body = written(TABLE, compression="none")
    for at in range(len(body)):
        for flip in (1, 0x80):
            changed = body[:at] + bytes([body[at] ^ flip]) + body[at + 1 :]
            try:
                rows(changed)
            except BadUpstream:
                continue


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", None])
@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_a_batch_has_no_more_rows_than_fit(
    monkeypatch: pytest.MonkeyPatch, encoding: str | None, codec: str
) -> None:
    monkeypatch.setattr(parquetfile, "WINDOW", 5000)
    table = {"id": ["x" * 300] * 50, "n": [*range(50)]}
    how: dict[str, Any] = {"use_dictionary": True}
    if encoding:
        how = {"use_dictionary": False, "column_encoding": {"id": encoding, "n": "PLAIN"}}
    found = [*ParquetRows(InMemory(written(table, compression=codec, **how)), Limits()).batches()]
    assert max(batch.nbytes for batch in found) < 5200
    assert [row for batch in found for row in batch.to_pylist()] == pyarrow.table(table).to_pylist()


@pytest.mark.parametrize("end", [b"\x05\0\0\0", b"\x02\0\0\0a"])
def test_a_dictionary_whose_values_do_not_fill_it_is_malformed(end: bytes) -> None:
    body = written({"id": ["mine", "", "a"]}, compression="none")
    told = b"\x04\0\0\0mine\0\0\0\0\x01\0\0\0a"
    assert told in body
    changed = body.replace(told, told[: -len(end)] + end)
    assert refusal(changed) is Code.BODY_MALFORMED


def test_the_library_is_not_imported_before_a_file_is_read() -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c",
         "import gateway.inspection.formats, sys; print('pyarrow' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "False\n"


def test_a_count_of_rows_that_is_not_true_is_ambiguous() -> None:
    body = written({"id": ["a", "b"]}, row_group_size=1)
    found = ParquetRows(InMemory(body), Limits())
    found.groups = found.groups[:1]
    with pytest.raises(BadUpstream) as caught:
        list(found.batches())
    assert caught.value.code is Code.BODY_AMBIGUOUS
    assert parquet.read_metadata(pyarrow.BufferReader(body)).num_rows == 2
