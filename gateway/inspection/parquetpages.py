"""The frame of a Parquet file, checked before a library opens it: what it may take is known then.

A Parquet file ends with its directory (the footer), which says where the column chunks are; a chunk
is made of pages, each with a header that says what it unfolds to. Libraries believe all of these
and make room for them. So every header is read here first (Thrift's compact protocol, of which
only the lengths matter), and what is too large, overlaps or leads outside is refused.

https://github.com/apache/parquet-format, `parquet.thrift` and `README.md`;
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection.inflation import Inflation
from gateway.inspection.settings import Limits
from gateway.stored import Stored

MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_TAIL = 8

_ENCRYPTION = 8
"""The field of a footer that says how columns are encrypted, the footer itself not."""

_HEADER = 64 * 1024
"""Bytes of a page header at most: with long statistics it may be some KiB."""
_DEPTH = 16
_PARTS = 64
"""Structs in a footer for each of `limits.columns`: a library makes some 500 bytes of each."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a column chunk stands in the file, and the numbers of its type and its codec."""

    start: int
    end: int
    type: int = 0
    codec: int = 0


@dataclass(frozen=True, slots=True)
class RowGroup:
    """So many rows, and a chunk for each column; none where there are no rows, because what is in
    them then is in no row."""

    rows: int
    chunks: tuple[Chunk, ...]


def row_groups(stored: Stored, limits: Limits) -> tuple[RowGroup, ...]:
    """What the footer says of where the rows are. Raises BadUpstream.

    All that a library follows must be there, because some follow it unseen: every column has its
    type in every row group, and no two columns have one byte in common.
    """
    start, footer = _footer(stored, limits)
    types = _types(footer, limits)
    groups = tuple(_row_group(found, types) for found in _structs(footer, 4))
    if sum(group.rows for group in groups) != _count(footer, 3):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a file and its row groups count differently")
    _check_chunks([chunk for group in groups for chunk in group.chunks], start)
    return groups


def _footer(stored: Stored, limits: Limits) -> tuple[int, dict[int, Any]]:
    size = stored.size
    tail = stored.pread(_TAIL, max(0, size - _TAIL))
    if tail.endswith(_ENCRYPTED) or stored.pread(4, 0) == _ENCRYPTED:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "an encrypted Parquet file")
    if size < _TAIL + 4 or not tail.endswith(MAGIC) or stored.pread(4, 0) != MAGIC:
        raise BadUpstream(Code.BODY_INCOMPLETE, "no Parquet file from its start to its end")
    length = int.from_bytes(tail[:4], "little")
    if length > limits.record:
        raise BadUpstream(Code.BODY_TOO_LARGE, "a footer over limits.record")
    start = size - _TAIL - length
    if start < 4:
        raise _malformed("a footer that is longer than the file")
    reader = _Compact(stored.pread(length, start), parts=_PARTS * limits.columns)
    footer = reader.struct(0)
    if reader.at != length:
        raise _malformed("a footer that ends before its length")
    if _ENCRYPTION in footer:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "an encrypted Parquet file")
    return start, footer


_INT96, BYTE_ARRAY = 3, 6


def _types(footer: dict[int, Any], limits: Limits) -> list[int]:
    """The physical types of the columns, which are flat."""
    root, *columns = _structs(footer, 2) or [{}]
    if any(column.get(5) or column.get(3) == _REPEATED for column in columns):
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "a nested column")
    if not columns or _count(root, 5) != len(columns):
        raise _malformed("a schema without columns, or of another number than it says")
    if len(columns) > limits.columns:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "more columns than limits.columns")
    types = [_count(column, 1) for column in columns]
    if _INT96 in types:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "INT96, which readers take for different times")
    return types


_REPEATED = 2


def _row_group(found: dict[int, Any], types: list[int]) -> RowGroup:
    rows, columns = _count(found, 3), _structs(found, 1)
    known = [part for column in columns if isinstance(part := column.get(3), dict)]
    if any(1 in column for column in columns):
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "a column in another file")
    if len(known) < len(columns) or [part.get(1) for part in known] != types:
        raise _malformed("a row group with other columns than the file")
    return RowGroup(rows, tuple(map(_chunk, known)) if rows else ())


def _chunk(known: dict[int, Any]) -> Chunk:
    start, dictionary = _count(known, 9), known.get(11)
    if isinstance(dictionary, int) and 0 < dictionary < start:
        start = dictionary
    return Chunk(start, start + _count(known, 7), _count(known, 1), _count(known, 4))


def _check_chunks(chunks: Iterable[Chunk], end: int) -> None:
    """The chunks lie between the magic and the footer, each byte in one of them at most."""
    ordered = sorted(chunks, key=lambda chunk: chunk.start)
    if any(not 4 <= chunk.start <= chunk.end <= end for chunk in ordered):
        raise _malformed("a column outside the file's data")
    if any(one.end > other.start for one, other in pairwise(ordered)):
        raise _malformed("columns that overlap")


def _structs(parent: dict[int, Any], number: int) -> list[dict[int, Any]]:
    found = parent.get(number)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _malformed("a footer without its parts")
    return found


def _count(parent: dict[int, Any], number: int) -> int:
    found = parent.get(number)
    if not isinstance(found, int) or found < 0:
        raise _malformed("a footer or a page header without its numbers")
    return found


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A dictionary page: where its compressed values are, and what they unfold to."""

    start: int
    end: int
    size: int


@dataclass(frozen=True, slots=True)
class Pages:
    """What a column chunk unfolds to: bytes of its dictionary and largest page together, and the
    most bytes for each value in one page; what its dictionary adds to them is not known here."""

    held: int
    density: int
    dictionary: Dictionary | None = None


_BY_DICTIONARY = frozenset({2, 8})
_BY_PREFIX = 7
"""Encodings of a page: places in the dictionary, and values that begin like the ones before."""


def read_pages(stored: Stored, chunk: Chunk, limits: Limits, inflation: Inflation) -> Pages:
    """Read the headers of a chunk's pages. Raises BadUpstream where they don't tile it, and
    BODY_TOO_LARGE for a page over limits.record and for more than `inflation` allows."""
    at, largest, density = chunk.start, 0, 0
    dictionary: Dictionary | None = None
    while at < chunk.end:
        reader = _Compact(stored.pread(min(_HEADER, chunk.end - at), at), parts=_HEADER)
        header = reader.struct(0)
        size, packed = _count(header, 2), _count(header, 3)
        if size > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a page over limits.record")
        start, at = at + reader.at, at + reader.at + packed
        inflation.count(size + reader.at, stored.size)
        if 7 in header:
            if dictionary:
                raise _malformed("two dictionaries of one column")
            dictionary = Dictionary(start, at, size)
        else:
            largest, density = max(largest, size), max(density, _density(header, size))
    if at != chunk.end:
        raise _malformed("pages that don't fill their column")
    return Pages(largest + (dictionary.size if dictionary else 0), density, dictionary)


def _density(header: dict[int, Any], size: int) -> int:
    """The most bytes that a value of a data page may have on average, or by itself."""
    inside, number = (header[5], 2) if 5 in header else (header.get(8), 4)
    if not isinstance(inside, dict):
        return 0
    encoding = _count(inside, number)
    if encoding in _BY_DICTIONARY:
        return 0
    return size if encoding == _BY_PREFIX else size // max(1, _count(inside, 1))


class _Type(IntEnum):
    TRUE = 1
    FALSE = 2
    BYTE = 3
    I16 = 4
    I32 = 5
    I64 = 6
    DOUBLE = 7
    BINARY = 8
    LIST = 9
    SET = 10
    MAP = 11
    STRUCT = 12


class _Compact:
    """Reads the structs of Thrift's compact protocol: field → integer, struct or list of structs;
    all else is passed over, and None. Raises BadUpstream for what isn't one, and for more than
    `parts` structs."""

    def __init__(self, data: bytes, parts: int) -> None:
        self._data, self._parts = data, parts
        self.at = 0

    def struct(self, depth: int) -> dict[int, Any]:
        self._parts -= 1
        if self._parts < 0:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "a footer or a page header of too many parts")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            kind, step = head & 15, head >> 4
            number = number + step if step else self._zigzag()
            if number in fields:
                raise _malformed("a field twice")
            is_truth = kind in (_Type.TRUE, _Type.FALSE)  # told by the type itself
            fields[number] = None if is_truth else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEPTH:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "a footer or a page header that is too deep")
        match kind:
            case _Type.I16 | _Type.I32 | _Type.I64:
                return self._zigzag()
            case _Type.TRUE | _Type.FALSE | _Type.BYTE:
                self._skip(1)
            case _Type.DOUBLE:
                self._skip(8)
            case _Type.BINARY:
                self._skip(self._varint())
            case _Type.LIST | _Type.SET:
                head = self._byte()
                count = head >> 4 if head >> 4 < 15 else self._varint()
                found = (self._value(head & 15, depth + 1) for _ in range(self._possible(count)))
                if head & 15 == _Type.STRUCT:
                    return [*found]
                deque(found, maxlen=0)
            case _Type.MAP:
                count = self._possible(self._varint())
                kinds = self._byte() if count else 0
                for _ in range(count):
                    self._value(kinds >> 4, depth + 1)
                    self._value(kinds & 15, depth + 1)
            case _Type.STRUCT:
                return self.struct(depth + 1)
            case _:
                raise _malformed("a field of no type")
        return None

    def _possible(self, count: int) -> int:
        """Each element takes a byte at least."""
        if count > len(self._data) - self.at:
            raise _malformed("a list that is longer than the bytes that are left")
        return count

    def _skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self._data):
            raise _malformed("a footer or a page header that is cut, or too long")

    def _byte(self) -> int:
        self._skip(1)
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise _malformed("an integer of more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _malformed(what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_MALFORMED, what)
