"""A multipart body (RFC 2046 section 5.1) part by part, read once from its start to its end, and so
strictly that all readers find the same parts.

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

Whoever has the bytes at rest walks this scan, too (`multipartdirectory`). What could still become a
delimiter is all that is held of a content.
"""

import re
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection import names
from gateway.inspection.mailheader import read_header
from gateway.inspection.mediatypes import BOUNDARY
from gateway.inspection.multipartheaders import Said, read_said
from gateway.inspection.settings import Limits

DASHES, END = b"--", b"\r\n"
_LONGEST_LINE = 2 + 70 + 2
_HEADER = 16 * 1024
"""The longest header of a part, in bytes."""

_OTHER_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_EMPTY_LINE = re.compile(rb"\n\r?\n")


def boundary_in(head: bytes) -> bytes | None:
    """The boundary in the first line of a body; None where that is no delimiter."""
    line, end, _ = head[:_LONGEST_LINE].partition(END)
    if not end or not line.startswith(DASHES):
        return None
    found = line[2:]
    return found if BOUNDARY.fullmatch(found.decode("latin-1")) else None


class Part:
    """One part: `number` counts from 1. Its delimiter begins at `start`, and `lines` are that
    delimiter and the header, as they came. Its content begins at `data`, and ends at `end` once it
    was read: before the next delimiter's line end."""

    def __init__(self, number: int, start: int, lines: bytes, said: Said, content: Iterator[bytes]):
        self.number, self.start, self.lines, self.said = number, start, lines, said
        self.data = self.end = start + len(lines)
        self.is_whole = False
        self._content = content

    def chunks(self) -> Iterator[bytes]:
        """The content as it stands there, once. The last of it comes when the delimiter behind it
        is proven to be one. Raises BadUpstream."""
        for chunk in self._content:
            self.end += len(chunk)
            if chunk:
                yield chunk
        if self.said.length not in (None, self.end - self.data):
            note = f"part {self.number}: a Content-Length that is not the part's"
            raise _ambiguous(note)
        self.is_whole = True


class Scan:
    """The parts of one body. Each is read to its end before the next one comes, by whoever takes
    it, or else here. `wanted` are the fields of their headers that the endpoint asks for, `first`
    is the number of the first one.

    `boundary` is known with the first part; `start` is where the last delimiter begins, and `tail`
    what it is, when there are no more parts. Raises BadUpstream: BODY_AMBIGUOUS for what readers
    cut differently, BODY_INCOMPLETE where the last delimiter is missing, BODY_TOO_COMPLEX for more
    parts than limits.members.
    """

    def __init__(
        self,
        chunks: Iterator[bytes],
        limits: Limits,
        wanted: frozenset[str] = frozenset(),
        first: int = 1,
    ) -> None:
        self._window, self._limits, self._wanted = _Window(chunks), limits, wanted
        self._first = first
        self._delimiter = self.boundary = self.tail = b""
        self.start = 0

    def __iter__(self) -> Iterator[Part]:
        self._first_line()
        number, letters = self._first - 1, 0
        while not self.tail:
            number += 1
            if number > self._limits.members:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "more parts than limits.members")
            part = self._part(number)
            letters += part.said.letters
            names.check_letters(letters)
            yield part
            for _ in part.chunks():
                pass

    def _first_line(self) -> None:
        window = self._window
        while END not in window.peek(_LONGEST_LINE) and window.held < _LONGEST_LINE:
            if not window.more():
                break
        boundary = boundary_in(window.peek(_LONGEST_LINE))
        if boundary is None:
            raise _ambiguous("something before the first part")
        self.boundary, self._delimiter = boundary, DASHES + boundary
        window.take(len(self._delimiter))

    def _part(self, number: int) -> Part:
        """The part whose delimiter was just taken, but for its line end."""
        raw, start, text = self._raw(), self.start, b""
        for piece in raw:
            begin = max(0, len(text) - 2)
            text += piece
            if _EMPTY_LINE.search(text, begin) or len(text) >= len(END) + _HEADER:
                break
        header = text[len(END) : len(END) + _HEADER]
        try:
            fields = read_header(header, 0, self._limits)
            if _OTHER_END.search(header, 0, fields.end):
                raise _ambiguous("another line end than CRLF")
            said = read_said(fields, number, self._wanted)
        except BadUpstream as refusal:
            code, note = refusal.code, refusal.note
            if code is Code.BODY_INCOMPLETE:
                code, note = Code.BODY_MALFORMED, "no empty line ends the header soon enough"
            raise BadUpstream(code, f"part {number}: {note}") from None
        data = len(END) + fields.end
        lines = self._delimiter + text[:data]
        return Part(number, start, lines, said, _then(text[data:], raw))

    def _raw(self) -> Iterator[bytes]:
        """What stands up to the next delimiter, from the line end of the last one on."""
        window, delimiter = self._window, self._delimiter
        while (found := window.find(delimiter)) < 0:
            ready = window.held - _begun(window, delimiter)
            if ready:
                yield window.take(ready)
            if not window.more():
                raise BadUpstream(Code.BODY_INCOMPLETE, "the last delimiter is missing")
        if not window.peek(found).endswith(END):
            raise _ambiguous("the boundary in a part")
        tail = self._behind(found)
        yield window.take(found - len(END))
        window.take(len(END))
        self.start = window.offset
        window.take(len(tail or delimiter))
        self.tail = tail

    def _behind(self, at: int) -> bytes:
        """Prove that the delimiter at a place is one: the last one as a whole, or nothing."""
        window, end = self._window, at + len(self._delimiter)
        while window.held < end + 2 and window.more():
            pass
        behind = window.peek(end + 2)[end:]
        if behind == END:
            return b""
        if behind != DASHES:
            if behind in (b"", b"-", b"\r"):
                raise BadUpstream(Code.BODY_INCOMPLETE, "the last delimiter is cut")
            raise _ambiguous("a line that is a delimiter to some readers only")
        while window.held < end + 5 and window.more():
            pass
        rest = window.peek(end + 5)[end + 2 :]
        if rest == b"\r":
            raise BadUpstream(Code.BODY_INCOMPLETE, "the last delimiter is cut")
        if rest not in (b"", END):
            raise _ambiguous("something behind the last part")
        return self._delimiter + DASHES + rest


class _Window:
    """The bytes that came and weren't taken; `offset` is where they begin in the body."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._text, self._at = chunks, b"", 0
        self.offset = 0

    @property
    def held(self) -> int:
        return len(self._text) - self._at

    def more(self) -> bool:
        """Wait for another chunk; False at the end of the body."""
        chunk = next(self._chunks, b"")
        self._text, self._at = self._text[self._at :] + chunk, 0
        return bool(chunk)

    def find(self, text: bytes) -> int:
        found = self._text.find(text, self._at)
        return found - self._at if found >= 0 else -1

    def ends_with(self, text: bytes) -> bool:
        return self._text.endswith(text, self._at)

    def peek(self, size: int) -> bytes:
        return self._text[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        taken = self.peek(size)
        self._at += size
        self.offset += size
        return taken


def _begun(window: _Window, delimiter: bytes) -> int:
    """How many of the last bytes may be the beginning of a delimiter, with or without its line
    end."""
    whole = END + delimiter
    for size in range(len(whole) - 1, 0, -1):
        if window.ends_with(whole[:size]) or window.ends_with(delimiter[:size]):
            return size
    return 0


def _then(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def _ambiguous(note: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, note)
