"""A Parquet file that is written anew: the columns of the file that was read, and other rows.

Statistics, dictionaries and pages are made of the rows that stay; of the texts beside the schema
only Arrow's own schema is there again, where it was.
"""

import io
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection.parquetfile import CODECS, WINDOW, ParquetRows, library, refusing
from gateway.inspection.sinks import Sink


def check_writable(rows: ParquetRows) -> None:
    """Whether a new file would have the very columns of the old one: names, types, what they mean.

    Raises BadUpstream(REDACTION_UNSUPPORTED).
    """
    arrow = library()
    trial = io.BytesIO()
    with refusing():
        arrow.parquet.ParquetWriter(trial, rows.schema, **_options(rows)).close()
        new = arrow.parquet.read_metadata(trial).schema
    if _columns(rows.metadata.schema) != _columns(new):
        raise BadUpstream(
            Code.REDACTION_UNSUPPORTED, "a column that can't be written again as it is"
        )


def _columns(schema: Any) -> list[tuple[Any, ...]]:
    columns = [schema.column(index) for index in range(len(schema))]
    return [
        (one.name, one.physical_type, one.length, one.max_definition_level, _logical(one))
        for one in columns
    ]


class ParquetWriter:
    """Writes a file like another one, a row group for each window of rows."""

    def __init__(self, rows: ParquetRows, masked: frozenset[str], sink: Sink) -> None:
        self._arrow, self._masked = library(), masked
        self._schema = self._arrow.schema(
            [field.with_nullable(True) if field.name in masked else field for field in rows.schema]
        )
        self._file = self._arrow.PythonFile(_SinkFile(sink), mode="w")
        self._writer = self._arrow.parquet.ParquetWriter(self._file, self._schema, **_options(rows))
        self._kept: list[Any] = []
        self._size = 0

    def write(self, batch: Any) -> None:
        columns = [
            self._arrow.nulls(batch.num_rows, field.type) if field.name in self._masked else column
            for field, column in zip(self._schema, batch.columns, strict=True)
        ]
        if batch.num_rows:
            self._kept.append(self._arrow.RecordBatch.from_arrays(columns, schema=self._schema))
            self._size += batch.nbytes
        if self._size >= WINDOW:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._writer.close()
        self._file.close()

    def _flush(self) -> None:
        if self._kept:
            self._writer.write_table(self._arrow.Table.from_batches(self._kept))
        self._kept, self._size = [], 0


class _SinkFile(io.RawIOBase):
    """A sink as a file for writing, which begins where the sink is."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._start = sink, sink.tell()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._sink.write(bytes(data))
        return len(data)

    def tell(self) -> int:
        return self._sink.tell() - self._start


def _options(rows: ParquetRows) -> dict[str, Any]:
    """How the file was written, as far as its readers can tell."""
    known = rows.metadata
    columns = [known.schema.column(index) for index in range(known.num_columns)]
    chunks = next((group.chunks for group in rows.groups if group.rows), None)
    codecs = [CODECS[chunk.codec].removesuffix("_raw") for chunk in chunks or ()]
    return {
        "compression": dict(zip(rows.names, codecs, strict=True)) if codecs else "zstd",
        "version": "2.6",
        "store_schema": b"ARROW:schema" in (known.metadata or {}),
        "store_decimal_as_integer": any(
            column.logical_type.type == "DECIMAL" and column.physical_type.startswith("INT")
            for column in columns
        ),
        "write_time_adjusted_to_utc": any(
            column.logical_type.type == "TIME" and '"isAdjustedToUTC": true' in _logical(column)
            for column in columns
        ),
    }


def _logical(column: Any) -> str:
    return str(column.logical_type.to_json())
