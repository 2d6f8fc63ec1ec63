"""A Parquet file as batches of rows, read by pyarrow in bounded memory.

pyarrow comes with the extra `parquet` and is imported where a file is read, never in the event
loop. What it is given has passed `parquetpages`. A batch has as many rows as fit, whatever they
unfold to: a dictionary with one long text in it makes as many of it as there are rows.

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
from gateway.inspection.parquetpages import BYTE_ARRAY, Chunk, Dictionary
from gateway.inspection.settings import Limits
from gateway.stored import Stored

LIBRARY = "pyarrow"

WINDOW = 32 * 2**20
"""Bytes of a batch."""
_ROWS = 8192
CODECS = {0: "none", 1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
"""By their numbers in `parquet.thrift`: those that are read. The LZ4 of Hadoop is another one."""
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
        if any(chunk.codec not in CODECS for group in self.groups for chunk in group.chunks):
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "a compression that isn't read")
        with refusing():
            known = arrow.parquet.read_metadata(arrow.PythonFile(_File(stored), mode="r"))
            _check_names(known)
            self._file = arrow.parquet.ParquetFile(
                arrow.PythonFile(_File(stored), mode="r"),
                metadata=known,
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
                yield self._checked(batch)
        if rows != self.metadata.num_rows:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "other rows than the file says it has")

    def _rows_at_once(self, chunks: tuple[Chunk, ...]) -> int:
        """So many rows of a row group that they and the pages they are in fit into memory."""
        width, held = 0, 0
        for chunk, kind in zip(chunks, self.schema.types, strict=True):
            pages = parquetpages.read_pages(self._stored, chunk, self._limits, self._unfolding)
            held += pages.held
            width += _width(kind) + pages.density
            if pages.dictionary and chunk.type == BYTE_ARRAY:
                width += self._longest(pages.dictionary, chunk.codec)
        if held > _HELD * self._limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a row group of too large pages")
        return max(1, min(_ROWS, WINDOW // width))

    def _longest(self, page: Dictionary, codec: int) -> int:
        """The length of the longest value in a dictionary: each of them behind its own length."""
        data = self._stored.pread(page.end - page.start, page.start)
        with refusing():
            if CODECS[codec] != "none":
                data = library().decompress(data, page.size, CODECS[codec], asbytes=True)
        longest = at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "little")
            longest, at = max(longest, length), at + 4 + length
        if at != len(data):
            raise BadUpstream(Code.BODY_MALFORMED, "a dictionary whose values don't fill it")
        return longest

    def _checked(self, batch: Any) -> Any:
        """A batch of `schema`, whose values are what their types say."""
        arrow = library()
        self._inflation.count(batch.nbytes, self._stored.size)
        with refusing():
            arrays = [
                column.dictionary_decode() if arrow.types.is_dictionary(column.type) else column
                for column in batch.columns
            ]
            whole = arrow.RecordBatch.from_arrays(arrays, schema=self.schema)
            whole.validate(full=True)
        return whole


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
