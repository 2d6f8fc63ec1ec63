"""JSON text sequences (RFC 7464): RS, a JSON text, LF; each text is one record.

RFC 7464 lets a reader step over what is broken. Here every text must be whole: behind each RS
stands one JSON text that an LF ends, and nothing stands before the first RS.
"""

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

MEDIA_TYPES = ("application/json-seq", "application/geo+json-seq")

_RS = b"\x1e"


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`. An empty body is an empty sequence."""
    detection.check_utf_8(payload, head)
    if head and not head.startswith(_RS):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every text; see `reader`.

    BODY_AMBIGUOUS for what readers step over, BODY_INCOMPLETE for a last text without its LF.
    """
    jsonframes.inspect(_scan(source, limits), spec, limits, tally)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the texts that the verdict keeps; see `reader`."""
    return jsonframes.rewrite(_scan(source, limits), spec, limits, verdict, sink, _reframe)


def vouching(source: Source, spec: MemberSpec, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    """See `reader`."""
    return spec, jsonframes.values(_scan(source, limits), limits)


def _reframe(_whole: bytes, text: bytes) -> bytes:
    return _RS + text + b"\n"


def _scan(source: Source, limits: Limits) -> Iterator[list[Frame]]:
    number = 1
    for texts in _texts(source, limits):
        yield [_frame(text, number + index) for index, text in enumerate(texts)]
        number += len(texts)


def _frame(text: bytes, number: int) -> Frame:
    if not text.endswith(b"\n"):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"record {number} is not ended by LF")
    return Frame(number, _RS + text, text[:-1])


def _texts(source: Source, limits: Limits) -> Iterator[list[bytes]]:
    """What stands behind each RS, up to the next one or the end."""
    blocks, window = Blocks(source), min(WINDOW, limits.record)
    first = blocks.read(window)
    if not first:
        return
    if not first.startswith(_RS):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "something stands before the first record")
    begun, size, block = [b""], 0, first[1:]
    while True:
        *whole, rest = block.split(_RS)
        if whole:
            whole[0] = b"".join(begun) + whole[0]
            if max(map(len, whole)) > limits.record:
                raise _too_large()
            yield whole
            begun, size = [], 0
        begun.append(rest)
        size += len(rest)
        if size > limits.record:
            raise _too_large()
        block = blocks.read(window)
        if not block:
            break
    last = b"".join(begun)
    if not last.endswith(b"\n"):
        raise BadUpstream(Code.BODY_INCOMPLETE, "the last record is not ended by LF")
    yield [last]


def _too_large() -> BadUpstream:
    return BadUpstream(Code.BODY_TOO_LARGE, "a record longer than limits.record")
