"""The parts of a multipart body at rest: where each of them stands, found by `multipartscan`."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.inspection import names
from gateway.inspection.multipartheaders import Said
from gateway.inspection.multipartscan import END, Part, Scan
from gateway.inspection.settings import Limits
from gateway.inspection.source import Stored, read
from gateway.inspection.transfer import decode_base64, malformed_base64

BASE64_LINE = 57
"""Bytes in a line of base64, as everybody writes it (RFC 2045 section 6.8: at most 76 letters)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One part: `number` counts from 1. Its delimiter begins at `start`, its header at `header`,
    its content at `data`; the content ends at `end`, before the next delimiter's line end."""

    number: int
    start: int
    header: int
    data: int
    end: int
    said: Said

    @property
    def name(self) -> str:
        return self.said.name

    @property
    def size(self) -> int:
        """As it stands there: base64 decodes to less."""
        return self.end - self.data

    @property
    def is_directory(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Directory:
    """Parts that follow each other; the delimiter behind the last one begins at `end`."""

    boundary: bytes
    entries: tuple[Entry, ...]
    end: int

    def entry(self, number: int) -> Entry:
        return self.entries[number - self.entries[0].number]


@dataclass(slots=True)
class Contents:
    """The content of one part, as a `Source` that can be read again; see `archive.Contents`."""

    stored: Stored
    entry: Entry
    proven: bool = False

    def chunks(self) -> Iterator[bytes]:
        """Raises BadUpstream(BODY_MALFORMED) for what isn't base64 to every reader."""
        raw = read(self.stored, self.entry.data, self.entry.end)
        yield from _decoded(raw) if self.entry.said.is_base64 else raw
        self.proven = True


def read_directory(
    stored: Stored, limits: Limits, wanted: frozenset[str] = frozenset(), first: int = 1
) -> Directory:
    """Find every part; `wanted` and `first` are those of `Scan`.

    Raises BadUpstream as `Scan` does, and BODY_AMBIGUOUS for names that are one somewhere.
    """
    scan = Scan(read(stored), limits, wanted, first)
    entries = tuple(_entry(part) for part in scan)
    names.check_distinct([name for entry in entries for name in entry.said.distinct])
    return Directory(scan.boundary, entries, scan.start)


def _entry(part: Part) -> Entry:
    for _ in part.chunks():
        pass
    return entry_of(part, part.start)


def entry_of(part: Part, start: int) -> Entry:
    """A part that was read, and whose delimiter begins at `start`."""
    data = start + len(part.lines)
    header = start + part.lines.index(END) + len(END)
    return Entry(part.number, start, header, data, data + part.end - part.data, part.said)


def _decoded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Base64 without anything that is not base64 (RFC 4648 section 3.3), lines of it."""
    begun, ended = b"", False
    for chunk in chunks:
        text = begun + chunk
        whole = text.removesuffix(b"\r").replace(END, b"")
        held = text[-1:] if text.endswith(b"\r") else b""
        usable = len(whole) - len(whole) % 4
        begun = whole[usable:] + held
        if not usable:
            continue
        if ended:
            raise malformed_base64()
        ended = whole[usable - 1 : usable] == b"="
        yield decode_base64(whole[:usable])
    if begun:
        raise malformed_base64()
