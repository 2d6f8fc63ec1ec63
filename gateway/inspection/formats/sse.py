"""Server-sent events (WHATWG HTML section 9.2): the JSON in an event's `data` is one record.

Clients drop what they don't know: fields, comments, an event without its blank line. Whatever they
would not show, nobody would have inspected, so that it is refused here; a comment that only keeps
the connection alive and a time to wait before reconnecting stay.

    event: name          a token; part of the record, as is `id`
    id: 42
    data: {"owner": 1,
    data:  "x": 2}       joined with LF, as clients do
                         (a blank line ends the event)
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection, jsonframes
from gateway.inspection.jsonframes import Frame
from gateway.inspection.jsonreader import WINDOW, Blocks
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts
from gateway.response import Payload

MEDIA_TYPES = ("text/event-stream",)

_FIELD = re.compile(rb"(data|event|id|retry):(?: ?)(.*)", re.DOTALL)
_COMMENT = re.compile(rb": ?(?:|keep-?alive|ping|heartbeat)")
_VALUES = {
    b"event": re.compile(rb"[A-Za-z0-9_.:-]{1,64}"),
    b"id": re.compile(rb"[!-~]{0,256}"),
    b"retry": re.compile(rb"[0-9]{1,9}"),
}

_MOST_LINES = 64 * 1024
"""In one event: a line costs forty times what the one byte in it does."""


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`. An empty body is a stream without events."""
    detection.check_utf_8(payload, head)
    detection.check_no_other(head)


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every event with data; see `reader`.

    BODY_AMBIGUOUS for what clients drop or read differently, BODY_INCOMPLETE for a last event
    without its blank line.
    """
    jsonframes.inspect(_scan(source, limits), spec, limits, tally)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the events that the verdict keeps; see `reader`."""
    return jsonframes.rewrite(_scan(source, limits), spec, limits, verdict, sink, _reframe)


def vouching(source: Source, spec: MemberSpec, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    """See `reader`."""
    return spec, jsonframes.values(_scan(source, limits), limits)


def _reframe(whole: bytes, text: bytes) -> bytes:
    """The event with other data, in the place of its first `data`."""
    end = b"\r\n" if whole.endswith(b"\r\n") else b"\n"
    lines, placed = [], False
    for line in whole[: -2 * len(end)].split(end):
        if not line.startswith(b"data:"):
            lines.append(line)
        elif not placed:
            lines += [b"data: " + part for part in text.split(b"\n")]
            placed = True
    return end.join(lines) + end + end


def _scan(source: Source, limits: Limits) -> Iterator[list[Frame]]:
    number = 1
    for end, blocks in _blocks(source, limits):
        frames = [_frame(block, end, number + index) for index, block in enumerate(blocks)]
        yield frames
        number += len(frames)


def _frame(block: bytes, end: bytes, number: int) -> Frame:
    """One event, from its lines without the blank one."""
    if block.count(b"\n") > _MOST_LINES:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, f"event {number}: too many lines")
    found: dict[bytes, list[bytes]] = {}
    for line in block.split(end):
        if b"\r" in line or b"\n" in line:
            raise _ambiguous(number, "another line end than the first")
        if _COMMENT.fullmatch(line):
            continue
        field = _FIELD.fullmatch(line)
        if field is None:
            raise _ambiguous(number, "a line that clients drop")
        found.setdefault(field[1], []).append(field[2])
    for name, pattern in _VALUES.items():
        given = found.get(name, ())
        if len(given) > 1 or not all(map(pattern.fullmatch, given)):
            raise _ambiguous(number, f"more than one {name.decode()}, or one that is not a token")
    data = found.get(b"data")
    if data is None and found.keys() - {b"retry"}:
        raise _ambiguous(number, "an event without data")
    return Frame(number, block + end + end, None if data is None else b"\n".join(data))


def _blocks(source: Source, limits: Limits) -> Iterator[tuple[bytes, list[bytes]]]:
    """The line end that holds for the whole body, and what stands before each blank line."""
    reading, window = Blocks(source), min(WINDOW, limits.record)
    end = seam = b""  # `seam`: the last bytes read, in which a blank line may have begun
    begun: list[bytes] = []
    size = 0
    while block := reading.read(window):
        begun.append(block)
        size += len(block)
        seam += block
        if not end:
            at = seam.find(b"\n")
            end = b"\r\n" if at > 0 and seam[at - 1 : at] == b"\r" else b"\n" if at >= 0 else b""
        if end and end + end in seam:
            *whole, rest = b"".join(begun).split(end + end)
            if max(map(len, whole)) > limits.record:
                raise _too_large()
            yield end, whole
            begun, size = [rest], len(rest)
            seam = rest
        if size > limits.record:
            raise _too_large()
        seam = seam[-3:]
    if size:
        raise BadUpstream(Code.BODY_INCOMPLETE, "the last event has no blank line behind it")


def _ambiguous(number: int, what: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, f"event {number}: {what}")


def _too_large() -> BadUpstream:
    return BadUpstream(Code.BODY_TOO_LARGE, "an event longer than limits.record")
