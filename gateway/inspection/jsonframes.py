"""JSON values in frames of their own (text sequences, events): one record each.

A format cuts its body into frames; what a record is, whose it is and what is left of it is the same
for all of them, and is here.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from gateway.errors import BadUpstream
from gateway.inspection import jsontext
from gateway.inspection.jsonrecords import Census, Selection
from gateway.inspection.locators import LocatorError, compile
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts


class Frame(NamedTuple):
    """`whole` are the bytes of a frame, `text` the JSON in it; None where it holds no record, and
    stays whatever becomes of the others. `number` counts the frames from 1."""

    number: int
    whole: bytes
    text: bytes | None


def inspect(
    batches: Iterable[list[Frame]], spec: BodySpec | MemberSpec, limits: Limits, tally: Tally
) -> None:
    """Count the record of each frame."""
    _check(spec)
    census = Census(spec, limits, tally)
    for batch in batches:
        census.count(_values(batch, limits))


def rewrite(
    batches: Iterable[list[Frame]],
    spec: BodySpec | MemberSpec,
    limits: Limits,
    verdict: Verdict,
    sink: Sink,
    reframe: Callable[[bytes, bytes], bytes],
) -> Counts:
    """Write the frames that the verdict keeps; `reframe` puts another text into a frame."""
    _check(spec)
    selection = Selection(spec, limits, verdict)
    seen = released = 0
    for batch in batches:
        values = _values(batch, limits)
        fates = iter(zip(selection.keeps(values), selection.blanks(values), strict=True))
        kept: list[bytes] = []
        for frame in batch:
            if frame.text is None:
                kept.append(frame.whole)
                continue
            keep, blank = next(fates)
            seen += 1
            released += keep
            if keep and blank:
                kept.append(reframe(frame.whole, selection.masked(frame.text)))
            elif keep:
                kept.append(frame.whole)
        sink.write(b"".join(kept))
    return Counts(seen=seen, released=released, redacted=seen - released)


def values(batches: Iterable[list[Frame]], limits: Limits) -> Iterable[Any]:
    """The record of each frame, for a manifest."""
    return (value for batch in batches for value in _values(batch, limits))


def _values(batch: list[Frame], limits: Limits) -> list[Any]:
    found: list[Any] = []
    framed = [frame for frame in batch if frame.text is not None]
    try:
        jsontext.parse_into(found, (frame.text or b"" for frame in framed), limits.depth)
    except BadUpstream as refusal:
        number = framed[len(found)].number
        note = f"record {number} is not one strict JSON value within the limits"
        raise BadUpstream(refusal.code, note) from None
    return found


def _check(spec: BodySpec | MemberSpec) -> None:
    if compile(spec.records) or spec.totals:
        raise LocatorError("each frame is a record; records and totals are for JSON")
