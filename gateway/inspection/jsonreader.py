"""The text of a JSON document as it streams by: a window that grows only for one large item.

Nothing here decides whether text is JSON: it finds where an item must end if it is, and whoever
takes the item proves it. How a stored source cuts its chunks can't change what is read, since
windows are counted in bytes from the start of the document. Of one that is still coming, a window
is what is there: whoever has a whole record doesn't wait for the next one.
"""

import re
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsontext import SPACE, malformed, parse, too_deep
from gateway.inspection.settings import Limits
from gateway.inspection.source import Flow, Source

WINDOW = 64 * 1024
"""Bytes parsed at once: 32 to 64 KiB measured best. The values take twenty times as much memory,
and from 256 KiB on that is a third slower."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TO_SEPARATOR = re.compile(rb'[^][{},"]*+(?:%b[^][{},"]*+)*+' % _STRING, re.DOTALL)
_TO_BRACKET = re.compile(rb'[^][{}"]*+(?:%b[^][{}"]*+)*+' % _STRING, re.DOTALL)
_NAME = re.compile(rb"[ \t\n\r]*+(%b)[ \t\n\r]*+(:?)[ \t\n\r]*+" % _STRING, re.DOTALL)
_SPACE = re.compile(rb"[ \t\n\r]*+")


_LOOKS, _SMALL = 16, 4 * 1024
"""How often an item that is still coming is looked at with every piece of it, or up to how many
bytes. Then only when a quarter more is there: a large one that drips in takes linear time."""


class Blocks:
    """A source in blocks of exactly the size asked for; shorter only at the end.

    Where `flowing`, a block may be shorter as soon as it has `least` bytes: it ends where more
    would have to be waited for.
    """

    def __init__(self, source: Source) -> None:
        self._chunks = source.chunks()
        self._chunk, self._at = b"", 0
        self.flowing = isinstance(source, Flow)

    def read(self, size: int, least: int = 1) -> bytes:
        parts, missing = [], size
        while missing:
            if self._at == len(self._chunk):
                if self.flowing and size - missing >= least:
                    break
                self._chunk, self._at = next(self._chunks, b""), 0
                if not self._chunk:
                    break
            part = self._chunk[self._at : self._at + missing]
            self._at += len(part)
            missing -= len(part)
            parts.append(part)
        return b"".join(parts)


class Text:
    """The document from the first byte not yet taken; positions are counted from there.

    `offset` is where that byte stands in the document. Every method raises BadUpstream:
    BODY_TOO_LARGE where one item is longer than limits.record, BODY_MALFORMED where the document
    ends too early.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self._blocks, self._limit = Blocks(source), limits.record
        self._buffer, self._at = b"", 0
        self.window = min(WINDOW, limits.record)
        self.offset = self._looks = 0
        self.flowing = self._blocks.flowing

    def hold(self, size: int, least: int | None = None) -> int:
        """Hold up to `size` bytes of what is left; how many are held (`size` or more, or all).

        With `least`, so many are enough where more would have to be waited for.
        """
        held = len(self._buffer) - self._at
        if held < size:
            more = self._blocks.read(size - held, (size if least is None else least) - held)
            if more:
                self._buffer = self._buffer[self._at :] + more
                self._at, held = 0, held + len(more)
        return held

    def take(self, size: int) -> bytes:
        """The next `size` bytes, which are held."""
        taken = self.slice(size)
        self._at += size
        self.offset += size
        self._looks = 0
        return taken

    def slice(self, size: int) -> bytes:
        """The next `size` bytes, which are held, without taking them."""
        return self._buffer[self._at : self._at + size]

    def rfind(self, marker: bytes, size: int) -> int:
        """The last place of `marker` in the next `size` bytes, which are held; or -1."""
        found = self._buffer.rfind(marker, self._at, self._at + size)
        return found - self._at if found >= 0 else -1

    def byte(self, position: int) -> bytes:
        """The byte at a position; empty past the end of the document."""
        self.hold(position + 1)
        return self._buffer[self._at + position : self._at + position + 1]

    def space(self) -> int:
        """The length of the white space that comes next."""
        while True:
            end = _end(_SPACE, self._buffer, self._at)
            if end < len(self._buffer) or not self._grow(0):
                return end - self._at

    def name(self) -> tuple[int, str]:
        """The member name that comes next: its length with colon and space, and the name."""
        if self.byte(self.space()) != b'"':
            raise malformed(self.offset)
        while True:
            match = _NAME.match(self._buffer, self._at)
            if match and match.end() < len(self._buffer):
                if match[2]:
                    return match.end() - self._at, parse(match[1], 0, self.offset)
                raise malformed(self.offset)
            if not self._grow(0):
                raise malformed(self.offset)

    def item_end(self, begin: int, levels: int, *, there: bool = False) -> int:
        """Where the item at position `begin` ends: the position of a comma or closing bracket.

        Nothing is waited for where it has to be `there`: -1 if more than what is held would have to
        be read. Raises BadUpstream(BODY_TOO_COMPLEX) for more than `levels` levels of containers,
        but for an empty one, that `jsontext.parse` doesn't count either.
        """
        at, depth = begin, 0
        while True:
            pattern = _TO_BRACKET if depth else _TO_SEPARATOR
            at = _end(pattern, self._buffer, self._at + at) - self._at
            stop = self._buffer[self._at + at : self._at + at + 1]
            # A quote is where a string begins whose end isn't held.
            if stop in (b"", b'"'):
                if there:
                    return -1
                if not self._grow(begin):
                    raise malformed(self.offset + begin)
                continue
            if stop in (b"[", b"{"):
                depth += 1
                if depth > levels + 1:
                    raise too_deep()
            elif depth == 0:
                if at - begin > self._limit:
                    raise self._too_large(begin)
                return at
            else:
                depth -= 1
            at += 1

    def rest(self) -> Iterator[bytes]:
        """What follows the document's value, which must be white space."""
        while held := self.hold(self.window, 1):
            block = self.take(held)
            if block.strip(SPACE):
                raise malformed(self.offset)
            yield block

    def _grow(self, begin: int) -> bool:
        """Hold more of the item at position `begin`; False at the end of the document."""
        held = len(self._buffer) - self._at
        if held - begin > self._limit:
            raise self._too_large(begin)
        # Twice as much each time, so that a large item is searched about twice, not a thousand
        # times.
        longest = begin + self._limit + 1
        most = min(max(self.window, 2 * held), max(longest, held + 1))
        self._looks += 1
        eager = self._looks <= _LOOKS or held - begin < _SMALL
        return self.hold(most, min(most, held + (1 if eager else (held - begin) // 4))) > held

    def _too_large(self, begin: int) -> BadUpstream:
        where = f"at byte {self.offset + begin}"
        return BadUpstream(Code.BODY_TOO_LARGE, f"an item longer than limits.record, {where}")


def _end(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
