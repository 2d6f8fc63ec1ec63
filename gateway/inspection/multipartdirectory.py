"""A multipart body (RFC 2046 section 5.1), read so strictly that all readers find the same parts.

    --boundary                      the first line: nothing stands before it
    Content-Type: ...               a header, perhaps an empty one
                                    (an empty line)
    content
    --boundary                      (the line end before it is part of the delimiter)
    ...
    --boundary--                    nothing stands behind it but a line end

All these lines end in CRLF. The boundary stands nowhere but in delimiters, since readers disagree
about LF alone, blanks behind it, and boundaries that begin like it. Text before and behind the
parts is read by nobody and shown by some: it is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code
from gateway.inspection import names
from gateway.inspection.mailheader import read_header
from gateway.inspection.mediatypes import BOUNDARY
from gateway.inspection.multipartheaders import Said, read_said
from gateway.inspection.settings import Limits
from gateway.inspection.source import Stored, read
from gateway.inspection.transfer import decode_base64, malformed_base64

_DASHES, _END = b"--", b"\r\n"
_LONGEST_LINE = 2 + 70 + 2
_HEADER = 16 * 1024
"""The longest header of a part, in bytes."""

_OTHER_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
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
    """All parts, in their order; the delimiter behind the last one begins at `end`."""

    boundary: bytes
    entries: tuple[Entry, ...]
    end: int


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


def boundary_in(head: bytes) -> bytes | None:
    """The boundary in the first line of a body; None where that is no delimiter."""
    line, end, _ = head[:_LONGEST_LINE].partition(_END)
    if not end or not line.startswith(_DASHES):
        return None
    found = line[2:]
    return found if BOUNDARY.fullmatch(found.decode("latin-1")) else None


def read_directory(stored: Stored, limits: Limits) -> Directory:
    """Find every part. Raises BadUpstream.

    BODY_AMBIGUOUS for what readers cut differently, BODY_INCOMPLETE where the last delimiter is
    missing, BODY_TOO_COMPLEX for more parts than limits.members.
    """
    boundary = boundary_in(stored.pread(_LONGEST_LINE, 0))
    if boundary is None:
        raise _ambiguous("something before the first part")
    delimiter = _DASHES + boundary
    entries: list[Entry] = []
    start = letters = 0
    for at in _places(stored, delimiter):
        if at and stored.pread(2, at - 2) != _END:
            raise _ambiguous("the boundary in a part")
        if at:
            entries.append(_entry(stored, len(entries) + 1, start, len(delimiter), at - 2, limits))
            letters += len(entries[-1].name)
            names.check_letters(letters)
        if len(entries) > limits.members:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more parts than limits.members")
        behind = stored.pread(5, at + len(delimiter))
        if behind in (_DASHES, _DASHES + _END):
            if not entries or at + len(delimiter) + len(behind) != stored.size:
                raise _ambiguous("something behind the last part")
            names.check_distinct([entry.name for entry in entries])
            return Directory(boundary, tuple(entries), at)
        if not behind.startswith(_END):
            raise _last_delimiter(behind)
        start = at
    raise BadUpstream(Code.BODY_INCOMPLETE, "the last delimiter is missing")


def _last_delimiter(behind: bytes) -> BadUpstream:
    if not behind or behind in (b"-", b"\r") or behind == _DASHES + b"\r":
        return BadUpstream(Code.BODY_INCOMPLETE, "the last delimiter is cut")
    if behind.startswith(_DASHES + _END):
        return _ambiguous("something behind the last part")
    return _ambiguous("a line that is a delimiter to some readers only")


def _places(stored: Stored, delimiter: bytes) -> Iterator[int]:
    """Where the delimiter stands, wherever that is."""
    tail, at = b"", 0
    for chunk in read(stored):
        window = tail + chunk
        found = window.find(delimiter)
        while found >= 0:
            yield at + found
            found = window.find(delimiter, found + 1)
        kept = min(len(window), len(delimiter) - 1)
        at += len(window) - kept
        tail = window[len(window) - kept :]


def _entry(stored: Stored, number: int, start: int, dashes: int, end: int, limits: Limits) -> Entry:
    header = start + dashes + len(_END)
    text = stored.pread(min(_HEADER, max(0, end - header)), header)
    try:
        fields = read_header(text, 0, limits)
        if _OTHER_END.search(text, 0, fields.end):
            raise _ambiguous("another line end than CRLF")
        said = read_said(fields, number)
        if said.length not in (None, end - header - fields.end):
            raise _ambiguous("a Content-Length that is not the part's")
    except BadUpstream as refusal:
        code, note = refusal.code, refusal.note
        if code is Code.BODY_INCOMPLETE:
            code, note = Code.BODY_MALFORMED, "no empty line ends the header soon enough"
        raise BadUpstream(code, f"part {number}: {note}") from None
    return Entry(number, start, header, header + fields.end, end, said)


def _decoded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Base64 without anything that is not base64 (RFC 4648 section 3.3), lines of it."""
    begun, ended = b"", False
    for chunk in chunks:
        text = begun + chunk
        whole = text.removesuffix(b"\r").replace(_END, b"")
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


def _ambiguous(note: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, note)
