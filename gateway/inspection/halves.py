"""A large body of lines is read in two halves, by two processes at once, where it comes alone.

Each half is a body by itself: it begins where a line begins, and the first one ends where a line
ends. What is in both is what is in the body; a test holds it to one reading of the whole. Where one
of them is refused the whole is read, so that it is refused as ever, and by the number of its line.

A redaction copies the lines of each half by an index of its own (`lineindex`), of the second one
behind what the first one leaves, and each is held against what was in that half.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsontext
from gateway.inspection.lineindex import Index
from gateway.inspection.settings import Limits
from gateway.inspection.source import OnDisk, Stored
from gateway.inspection.tally import Tally
from gateway.model import Group, Inspection

LEAST = 64 * 2**20
"""Bytes of a body that is read in halves: what its records look like is learnt twice then, and the
other process may have to be started."""

PAUSE = 0.5
"""Seconds in which no other body came to be read: small exchanges would wait for both cores."""

_NEAR = 64 * 1024
"""Bytes before the middle in which a line has to end."""


@dataclass(frozen=True, slots=True)
class Part:
    """`size` bytes from `start` of the file, where the index of its lines is (or may be), and what
    was found in it."""

    start: int
    size: int
    index: Index
    groups: tuple[Group, ...] = ()


def of(body: OnDisk, room: int) -> tuple[Part, Part] | None:
    """The halves of a body with `room` behind it for the indexes; None where it is small, or no
    line ends near its middle."""
    if body.size < LEAST:
        return None
    near = min(_NEAR, body.size // 2)
    begin = body.size // 2 - near
    middle = begin + body.pread(near, begin).rfind(b"\n") + 1
    if middle == begin:
        return None
    left, right = Index(body.size, room // 2), Index(body.size + room // 2, room // 2)
    return Part(0, middle, left), Part(middle, body.size - middle, right)


def check_begin(half: Stored) -> None:
    """That a second half begins like a line in the midst of a body. Raises BadUpstream."""
    if half.pread(len(jsontext.BOM), 0) == jsontext.BOM:
        raise BadUpstream(Code.BODY_MALFORMED, "a byte order mark in the midst")


def merged(found: Sequence[Inspection], limits: Limits) -> Inspection:
    """What is in the body whose parts these are. Raises BadUpstream where it is over a limit."""
    tally = Tally(limits)
    for part in found:
        tally.add_groups(part.groups)
        tally.add_fields(part.fields)
    return Inspection(
        format=found[0].format,
        groups=tally.groups,
        fields=tally.fields,
        bytes_received=sum(part.bytes_received for part in found),
        bytes_inspected=sum(part.bytes_inspected for part in found),
        bytes_decoded=sum(part.bytes_decoded for part in found),
        sealed=all(part.sealed for part in found),
    )
