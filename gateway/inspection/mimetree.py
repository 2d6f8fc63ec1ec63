"""The parts of a message (RFC 2046 section 5.1): proven to be complete, and cut in one way only.

Everything in a message belongs to whom the message belongs to, so that nothing here decides whose
it is. But a message that ends in the middle of a part is not the one that was sent, and where
readers find different parts, nobody knows what was released. A delimiter is a whole line, without
blanks behind it. Text before the first part and behind the last one stays, as in most mail.
"""

import re
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code
from gateway.inspection.mailheader import Header, read_header
from gateway.inspection.mediatypes import MESSAGES, MediaType, media_type
from gateway.inspection.settings import Limits

_LINE = re.compile(rb"^--([^\r\n]+)\r?$", re.MULTILINE)
_DEEPEST = 20
"""Of parts in parts; a forwarded forward has six. Each costs every line of dashes."""


@dataclass(slots=True)
class _Level:
    """Parts that were entered and not left: `parts` so far, `closed` behind the last one."""

    boundary: bytes
    default: str
    parts: int = 0
    closed: bool = False


@dataclass(slots=True)
class Part:
    """Something that is not made of parts itself, or a message in the message, whose own parts
    follow it. `declared` is its Content-Type as it stands there, `encoding` how its content is
    written. That stands from `begin` to `end`; `depth` is how many levels it is in."""

    kind: MediaType
    declared: str | None
    encoding: str | None
    begin: int
    end: int
    depth: int


def read_parts(message: bytes, header: Header, limits: Limits) -> list[Part]:
    """The parts of a message, the message itself among them where it is but one.

    Raises BadUpstream: BODY_INCOMPLETE where parts have no end, BODY_AMBIGUOUS where readers cut
    them differently, BODY_TOO_COMPLEX for too many or too deep ones; and as the headers do.
    """
    walk = _Walk(message, limits)
    walk.enter(header, "text/plain")
    at = header.end
    while walk.levels and (line := _LINE.search(message, at)):
        at = walk.line(line[1], line.start(), line.end() + 1)
    if not all(level.closed for level in walk.levels):
        raise BadUpstream(Code.BODY_INCOMPLETE, "parts without their last delimiter")
    return walk.parts


class _Walk:
    def __init__(self, message: bytes, limits: Limits) -> None:
        self._message, self._limits = message, limits
        self._deepest = min(limits.depth, _DEEPEST)
        self._entered = 0
        self._open: list[Part] = []
        self.parts: list[Part] = []
        self.levels: list[_Level] = []

    def enter(self, header: Header, default: str) -> int:
        """Something with a header begins; where the text behind its headers does."""
        nested = 0
        while True:
            kind = media_type(header, default)
            if kind.boundary is None:
                # Not the header itself: small fields take a hundred times their bytes.
                said = header.one("content-type"), header.one("content-transfer-encoding")
                end = len(self._message)
                self.parts.append(Part(kind, *said, header.end, end, len(self.levels)))
                self._open.append(self.parts[-1])
            else:
                self._push(kind.boundary, kind.name)
            if kind.name not in MESSAGES:
                return header.end
            nested += 1
            if len(self.levels) + nested > self._deepest:
                raise _too_deep()
            header = read_header(self._message, header.end, self._limits)
            default = "text/plain"

    def line(self, text: bytes, begin: int, behind: int) -> int:
        """A line that begins with two dashes, and what is `behind` it; how far it is read."""
        for depth in range(len(self.levels) - 1, -1, -1):
            level = self.levels[depth]
            if not text.startswith(level.boundary):
                continue
            if not all(inner.closed for inner in self.levels[depth + 1 :]):
                raise BadUpstream(Code.BODY_INCOMPLETE, "parts without their last delimiter")
            rest = text[len(level.boundary) :]
            if level.closed or rest not in (b"", b"--") or (rest and not level.parts):
                raise _ambiguous("a line that is a delimiter to some readers only")
            del self.levels[depth + 1 :]
            self._end_parts(depth, begin)
            level.closed = bool(rest)
            if rest:
                return behind
            level.parts += 1
            self._entered += 1
            if self._entered > self._limits.members:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "more parts than limits.members")
            header = read_header(self._message, behind, self._limits)
            return self.enter(header, level.default)
        return behind

    def _end_parts(self, depth: int, begin: int) -> None:
        """What is in the level at `depth` ends before the line end that is before the delimiter."""
        end = begin - (2 if self._message.endswith(b"\r\n", 0, begin) else 1)
        while self._open and self._open[-1].depth > depth:
            part = self._open.pop()
            part.end = max(part.begin, end)

    def _push(self, boundary: bytes, name: str) -> None:
        if len(self.levels) >= self._deepest:
            raise _too_deep()
        for level in self.levels:
            if boundary.startswith(level.boundary) or level.boundary.startswith(boundary):
                raise _ambiguous("a boundary that begins like one around it")
        digest = name == "multipart/digest"
        self.levels.append(_Level(boundary, "message/rfc822" if digest else "text/plain"))


def _too_deep() -> BadUpstream:
    return BadUpstream(Code.BODY_TOO_COMPLEX, "parts in parts too deep")


def _ambiguous(note: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, note)
