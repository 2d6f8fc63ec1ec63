"""A Parquet file as batches of rows, read by pyarrow in bounded memory.

pyarrow comes with the extra `parquet` and is imported where a file is read, never in the event
loop. What it is given has passed `parquetpages`. Texts are read as Parquet stores them, as places
in a dictionary, so that it is known what they unfold to before they do.

What is in the columns is checked, too (texts are UTF-8, decimals fit).
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import parquetpages
from gateway.inspection.inflation import Inflation
from gateway.inspection.parquetpages import Chunk
from gateway.inspection.settings import Limits
from gateway.spool import Stored

LIBRARY = "pyarrow"

WINDOW = 32 * 2**20
"""Bytes of a batch."""
_ROWS = 8192
_HELD = 16
"""Dictionaries and pages of a row group, in records of `limits.record`: a library holds them."""


@cache
def library() -> Any:
    """pyarrow, set to one thread and to give memory back."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    return pyarrow


@contextmanager
def refusing() -> Iterator[None]:
    """pyarrow's errors as refusals; their texts quote what is in the file."""
    arrow = library()
    try:
        yield
    except NotImplementedError:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "a Parquet file that pyarrow can't read") from None
    except MemoryError:
        raise BadUpstream(Code.BODY_TOO_LARGE, "a Parquet file that takes too much") from None
    except (arrow.ArrowException, OSError, UnicodeError):
        raise BadUpstream(Code.BODY_MALFORMED, "a Parquet file with a fault in it") from None


class ParquetRows:
    """An opened file. `schema` is what its batches have: no dictionaries, and of its metadata the
    field ids only. `decoded` counts the bytes that were handed out.

    Raises BadUpstream for what can't be read in one way, or in the memory that the limits allow.
    """

    def __init__(self, stored: Stored, limits: Limits) -> None:
        arrow = library()
        self._stored, self._limits = stored, limits
        self._inflation, self._unfolding = Inflation(limits), Inflation(limits)
        self.groups = parquetpages.row_groups(stored, limits)
        with refusing():
            known = arrow.parquet.read_metadata(arrow.PythonFile(_File(stored), mode="r"))
            _check_names(known)
            texts = [
                known.schema.column(index).path
                for index in range(known.num_columns)
                if known.schema.column(index).physical_type == "BYTE_ARRAY"
            ]
            self._file = arrow.parquet.ParquetFile(
                arrow.PythonFile(_File(stored), mode="r"),
                metadata=known,
                read_dictionary=texts,
                buffer_size=64 * 1024,
                pre_buffer=False,
                page_checksum_verification=True,
                arrow_extensions_enabled=False,
            )
            self.metadata = known
            self.schema = arrow.schema([_plain(field) for field in self._file.schema_arrow])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.schema.names)

    @property
    def decoded(self) -> int:
        return self._inflation.decoded

    def batches(self) -> Iterator[Any]:
        """The rows in order, as record batches of `schema`."""
        rows = 0
        for number, group in enumerate(self.groups):
            if not group.rows:
                continue
            size = self._rows_at_once(group.chunks)
            found = self._file.iter_batches(size, row_groups=[number], use_threads=False)
            while True:
                with refusing():
                    batch = next(found, None)
                if batch is None:
                    break
                rows += batch.num_rows
                yield from self._unfolded(batch)
        if rows != self.metadata.num_rows:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "other rows than the file says it has")

    def _rows_at_once(self, chunks: tuple[Chunk, ...]) -> int:
        """So many rows of a row group that they and the pages they are in fit into memory."""
        pages = [
            parquetpages.read_pages(self._stored, chunk, self._limits, self._unfolding)
            for chunk in chunks
        ]
        if sum(each.held for each in pages) > _HELD * self._limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a row group of too large pages")
        width = sum(map(_width, self.schema.types)) + sum(each.density for each in pages)
        return max(1, min(_ROWS, WINDOW // width))

    def _unfolded(self, batch: Any) -> Iterator[Any]:
        """A batch without its dictionaries, in pieces of one window at most."""
        arrow = library()
        with refusing():
            lengths = self._lengths(batch)
        start = 0
        while start < batch.num_rows:
            stop, size = start, 0
            while stop < batch.num_rows and (stop == start or size + lengths[stop] <= WINDOW):
                size += lengths[stop]
                stop += 1
            if max(lengths[start:stop]) > self._limits.record:
                raise BadUpstream(Code.BODY_TOO_LARGE, "a row over limits.record")
            self._inflation.count(size, self._stored.size)
            with refusing():
                piece = batch.slice(start, stop - start)
                arrays = [
                    column.dictionary_decode() if arrow.types.is_dictionary(column.type) else column
                    for column in piece.columns
                ]
                whole = arrow.RecordBatch.from_arrays(arrays, schema=self.schema)
                whole.validate(full=True)
            yield whole
            start = stop

    def _lengths(self, batch: Any) -> list[int]:
        """What each row unfolds to, in bytes."""
        arrow = library()
        count = arrow.compute
        total = arrow.repeat(arrow.scalar(sum(map(_width, self.schema.types)), arrow.int64()),
                             batch.num_rows)  # fmt: skip
        for column in batch.columns:
            if arrow.types.is_dictionary(column.type):
                lengths = count.binary_length(column.dictionary).cast(arrow.int64())
                own = count.fill_null(lengths.take(column.indices), 0)
                total = count.add_checked(total, own)
        return list(total.to_pylist())


class _File(io.RawIOBase):
    """A stored body as a file for reading."""

    def __init__(self, stored: Stored) -> None:
        self._stored, self._at = stored, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stored.pread(len(buffer), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._stored.size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at


def _check_names(known: Any) -> None:
    names = [known.schema.column(index).name for index in range(known.num_columns)]
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "two columns with the same name, or one without")


_FIELD_ID = b"PARQUET:field_id"


def _plain(field: Any) -> Any:
    """A column as it is handed out and written: its own type, nothing of its metadata but its id.

    Raises BadUpstream for a type that holds others.
    """
    arrow = library()
    kind = field.type.value_type if arrow.types.is_dictionary(field.type) else field.type
    if arrow.types.is_nested(kind) or isinstance(kind, arrow.BaseExtensionType):
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "a column of a nested type, or an extension's")
    metadata = field.metadata or {}
    kept = {_FIELD_ID: metadata[_FIELD_ID]} if _FIELD_ID in metadata else None
    return arrow.field(field.name, kind, field.nullable, kept)


def _width(kind: Any) -> int:
    """Bytes of a value, or of its place where its length is its own."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return 8
