"""The auditor's reading: is every line the one that was written, and are they all there?

Reads any size once, in constant memory (a second look at the rest of the file only to name what
was found). It stops at the first line that can't be trusted; what comes after it proves nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, NamedTuple, assert_never

from gateway.decisionlog import anchor as anchors
from gateway.decisionlog import chain
from gateway.decisionlog.anchor import Anchor
from gateway.decisionlog.chain import GENESIS, MAX_LINE, Head, Link
from gateway.decisionlog.key import Key

_Lines = Iterator[tuple[int, bytes]]


class Problem(StrEnum):
    """What is wrong with a log."""

    FLIPPED = "flipped"
    REWRITTEN = "rewritten"
    DELETED = "deleted"
    INSERTED = "inserted"
    REORDERED = "reordered"
    CUT_OFF = "cut_off"
    TORN = "torn"
    ANCHOR_DAMAGED = "anchor_damaged"
    ANCHOR_FORGED = "anchor_forged"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. `entries` are those before the problem, or all.

    `line` (from 1) is where reading stopped, `seq` the entry that is wrong or missing there.
    `anchored` is the `seq` that the anchor vouches for, None without an anchor; `sealed` says
    whether the anchor's seal was checked with the key and is right.
    """

    entries: int
    head: Head
    problem: Problem | None = None
    line: int | None = None
    seq: int | None = None
    anchored: int | None = None
    sealed: bool = False

    @property
    def ok(self) -> bool:
        return self.problem is None

    @property
    def message(self) -> str:
        """One sentence."""
        where = f"line {self.line}: entry {self.seq}"
        match self.problem:
            case None:
                return f"{self.entries} entries, all intact and in order"
            case Problem.FLIPPED:
                return f"{where} was changed: its bytes don't match its hash"
            case Problem.REWRITTEN:
                return f"{where} was replaced: it is not the one that later entries vouch for"
            case Problem.DELETED:
                return f"{where} is missing"
            case Problem.INSERTED:
                return f"{where} stands where it doesn't belong: it was inserted"
            case Problem.REORDERED:
                return f"{where} is missing here and stands further down: entries changed places"
            case Problem.CUT_OFF:
                return f"{where} is missing: the end was cut off, up to entry {self.anchored}"
            case Problem.TORN:
                return f"{where} is incomplete: a crash, or a write under way (try again)"
            case Problem.ANCHOR_DAMAGED:
                return "the anchor is unreadable: it was changed, or isn't an anchor"
            case Problem.ANCHOR_FORGED:
                return "the anchor's seal is wrong: it was changed, or made with another key"
            case _:
                assert_never(self.problem)

    @property
    def report(self) -> str:
        """What the command prints."""
        lines = [f"{'OK' if self.ok else 'NOT OK'}: {self.message}."]
        if not self.ok:
            lines.append(f"The {self.entries} entries before it are intact and in order.")
        lines.append(f"Last good entry: {self.head.seq}, hash {self.head.hash}.")
        if self.anchored is None:
            lines.append("No anchor was given: entries cut off at the end would not be noticed.")
        elif self.problem not in (Problem.ANCHOR_DAMAGED, Problem.ANCHOR_FORGED):
            seal = "seal checked" if self.sealed else "seal NOT checked: no key was given"
            lines.append(f"The anchor vouches for entries up to {self.anchored} ({seal}).")
            if self.ok and self.entries > self.anchored:
                later = self.entries - self.anchored
                lines.append(f"The {later} later entries are chained, but nobody vouches for them.")
        return "\n".join(lines)


def verify(path: Path, *, anchor: Path | None = None, key: Key | None = None) -> Verification:
    """Check a log, and with an anchor (the one beside it, or a copy kept elsewhere) its end.

    Without the key an anchor's numbers count but its seal is not checked. A log that is being
    written may be checked: the anchor is read first, and never speaks of more than there is.
    Raises OSError if a file can't be read.
    """
    known: Anchor | None = None
    if anchor is not None:
        data = anchor.read_bytes()
        known = anchors.read(data)
        if known is None:
            return Verification(0, GENESIS, Problem.ANCHOR_DAMAGED, anchored=0)
        if key is not None and not anchors.sealed(data, key):
            return Verification(0, GENESIS, Problem.ANCHOR_FORGED, anchored=known.seq)
    with path.open("rb") as file:
        return _check(file, known, sealed=known is not None and key is not None)


def _check(file: BinaryIO, known: Anchor | None, *, sealed: bool) -> Verification:
    before = head = GENESIS
    finding: _Finding | None = None
    lines = enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1)
    number = 0
    for number, line in lines:
        link = chain.read(line)
        if link is None or not link.follows(head):
            finding = _name(link, line, number, before, head, lines)
            break
        if known and link.seq == known.seq and link.hash != known.hash:
            finding = _Finding(Problem.REWRITTEN, number, link.seq)
            break
        before, head = head, link.head
    if known and head.seq < known.seq and (finding is None or finding.problem is Problem.TORN):
        finding = _Finding(Problem.CUT_OFF, number + (finding is None), head.seq + 1)
    anchored = known.seq if known else None
    if finding is None:
        return Verification(head.seq, head, anchored=anchored, sealed=sealed)
    good = head if finding.seq > head.seq or finding.line == number else before
    return Verification(
        good.seq, good, finding.problem, finding.line, finding.seq, anchored, sealed
    )


class _Finding(NamedTuple):
    problem: Problem
    line: int
    seq: int


def _name(
    link: Link | None, line: bytes, number: int, before: Head, head: Head, rest: _Lines
) -> _Finding:
    """Which problem it is that line `number` doesn't follow `head`."""
    expected = head.seq + 1
    if link is None:
        if not line.endswith(b"\n") and len(line) <= MAX_LINE:
            # Only its last byte is wrong: the newline was flipped, not lost.
            flipped = chain.read(line[:-1] + b"\n") is not None
            return _Finding(Problem.FLIPPED if flipped else Problem.TORN, number, expected)
        following = chain.read(next(rest, (0, b""))[1])
        inserted = following is not None and following.follows(head)
        return _Finding(Problem.INSERTED if inserted else Problem.FLIPPED, number, expected)
    if link.seq == expected:
        # Both lines are intact in themselves; the later one vouches for another earlier one.
        return _Finding(Problem.REWRITTEN, max(1, number - 1), max(1, head.seq))
    if link.seq < expected:
        # Of two different lines with one number, the entry that follows vouches for one.
        following = chain.read(next(rest, (0, b""))[1])
        twin = link.seq == head.seq and link.prev == before.hash and link.hash != head.hash
        earlier = twin and following is not None and following.prev == link.hash
        return _Finding(Problem.INSERTED, number - earlier, link.seq)
    links = (chain.read(line) for _, line in rest)
    later = {each.seq for each in links if each and each.seq in (link.seq, expected)}
    if link.seq in later:
        return _Finding(Problem.INSERTED, number, link.seq)
    return _Finding(Problem.REORDERED if expected in later else Problem.DELETED, number, expected)
