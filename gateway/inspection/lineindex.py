"""Where the lines of a body lie, and of which group each is: noted while they are counted, so that
a redaction that only drops records copies the lines of the others, and parses nothing again.

The index stands behind the body, in the same file of the spool: pairs of numbers, how many bytes
and of what, 0 for what is no record's, or else a group: 1 for the first one in `Inspection.groups`.
A pair is a record, or several of one group. There is none of a body in which the groups take turns
so often that it would be longer than it may be, and none where the pairs aren't all of the body.
Where a body is read in `halves`, each has its own, and both stand behind the body.

What is copied is whole lines: it begins and ends where lines do, whatever the index says. Whose
they are is proven as after any redaction (`work.confirm`), and how many; so that a wrong index lets
nothing pass.
"""

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import NamedTuple

from gateway.errors import Code, InternalError
from gateway.inspection.sinks import Sink
from gateway.inspection.source import OnDisk, read

SHARE = 8
"""An index is no longer than such a share of the body: enough for lines of 64 bytes."""

_NUMBERS = "I"
_PAIR = 2 * array(_NUMBERS).itemsize
_BUFFER = 64 * 1024
_LF = 0x0A


class Index(NamedTuple):
    """Where in a file an index begins, and how long it is or may be."""

    at: int
    size: int


NO_INDEX = Index(0, 0)


class LineIndex:
    """Writes the index of a body to `place`."""

    def __init__(self, body: OnDisk, place: Index) -> None:
        self._body, (self._at, self._limit) = body, place
        self._pairs = array(_NUMBERS)
        self._written = self._covered = 0

    def add(
        self, groups: int | Sequence[int], texts: Sequence[bytes], between: int, size: int
    ) -> None:
        """See `tally.Places`."""
        if isinstance(groups, int):
            self._add((size,), (groups,), size)
        else:
            sizes = list(map(between.__add__, map(len, texts)))
            sizes[-1] = size - sum(sizes[:-1])
            self._add(sizes, groups, size)

    def add_beside(self, size: int) -> None:
        """See `tally.Places`."""
        self._add((size,), (0,), size)

    def finish(self) -> int:
        """How long it is; 0 where there is none."""
        self._flush()
        if not (self._limit and self._covered == self._body.size):
            self._written = 0
        if self._at == self._body.size:  # nothing else stands behind the body
            os.ftruncate(self._body.fd, self._at + self._written)
        return self._written

    def _add(self, sizes: Sequence[int], what: Sequence[int], covered: int) -> None:
        if not self._limit:
            return
        pairs = array(_NUMBERS, bytes(_PAIR * len(sizes)))
        try:
            pairs[::2], pairs[1::2] = array(_NUMBERS, sizes), array(_NUMBERS, what)
        except OverflowError:  # a line of gigabytes
            self._limit = 0
            return
        self._pairs += pairs
        self._covered += covered
        if len(self._pairs) > _BUFFER:
            self._flush()

    def _flush(self) -> None:
        data = self._pairs.tobytes()
        self._pairs = array(_NUMBERS)
        if self._written + len(data) > self._limit:
            self._limit = 0
            return
        try:
            while data:
                done = os.pwrite(self._body.fd, data, self._at + self._written)
                self._written += done
                data = data[done:]
        except OSError:  # the disk is full: it is done without
            self._limit = 0


def copy(body: OnDisk, index: Index, stays: Iterable[bool], sink: Sink) -> None:
    """Write what is no record's, and the lines of the groups that stay, as an index says.

    Raises InternalError where it isn't one of whole lines, and of the whole body.
    """
    turns = _turns(body, index, (True, *stays))
    turn, staying, at = next(turns), False, 0
    for block in read(body):
        pieces, done = [], 0
        while turn - at <= len(block) and turn < body.size:
            place = turn - at
            if turn and block[place - 1] != _LF:
                raise _wrong("a line is cut")
            if staying:
                pieces.append(block[done:place])
            done, staying = place, not staying
            turn = next(turns)
        if staying:
            pieces.append(block[done:])
        sink.write(b"".join(pieces))
        at += len(block)
    for _ in turns:  # to its end, where it is held against the body
        pass


def measure(body: OnDisk, index: Index, stays: Iterable[bool]) -> int:
    """How many bytes `copy` would write. Raises InternalError for an index that is none."""
    stays = (True, *stays)
    return sum(
        sum(compress(sizes, map(stays.__getitem__, what)))
        for sizes, what in _pairs(body, index, len(stays))
    )


def _turns(body: OnDisk, index: Index, stays: Sequence[bool]) -> Iterator[int]:
    """Where in the body what stays begins, and where it ends, in turn; and the end of the body."""
    at, staying = 0, False
    for sizes, what in _pairs(body, index, len(stays)):
        for size, stay in zip(sizes, map(stays.__getitem__, what), strict=True):
            if stay is not staying:
                staying = stay
                yield at
            at += size
    if at != body.size:
        raise _wrong("it is of another body")
    yield body.size


def _pairs(
    body: OnDisk, index: Index, groups: int
) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """How many bytes, and of what, of so many things."""
    for data in read(OnDisk(body.fd, index.size, index.at)):
        pairs = array(_NUMBERS, data)
        sizes, what = pairs[::2], pairs[1::2]
        if max(what) >= groups:
            raise _wrong("there is no such group")
        yield sizes, what


def _wrong(what: str) -> InternalError:
    return InternalError(Code.INTERNAL_ERROR, f"an index of lines: {what}")
