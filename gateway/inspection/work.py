"""One job: a stored body becomes an `Inspection`, or a rewritten body; one that is still coming is
rewritten as it comes (`stream`).

Pure: bytes or a file descriptor in, values and bytes out. `dispatch` decides where it runs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import detection
from gateway.inspection.asking import Asking
from gateway.inspection.formats import FORMATS, Reader
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import FlowSink, Sink, under
from gateway.inspection.source import HEAD, Body, Flow, Meter, Stored
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Progress, Verdict
from gateway.model import Counts, Decision, Effect, Inspection
from gateway.response import Payload

_ENVELOPE = 64 * 1024
"""Bytes beside a record that may stand before the first one."""

_UNDECIDED = Decision(Effect.BLOCK, frozenset(), False, frozenset(), (), (), "")
"""What is in force before the first answer: nothing leaves."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to read and how: the same for inspecting and for rewriting."""

    payload: Payload
    spec: BodySpec
    limits: Limits


def inspect(stored: Stored, task: Task) -> Inspection:
    """Read a whole body. Raises BadUpstream for anything that can't be vouched for."""
    reader = _reader(task)
    body = Body(stored, task.payload.codings, task.limits)
    reader.detect(task.payload, _head(body), task.spec)
    tally = Tally(task.limits)
    reader.inspect(body, task.spec, task.limits, tally)
    if body.meter.inspected != stored.size:
        raise BadUpstream(Code.BODY_INCOMPLETE, "some bytes of the body belong to no record")
    return _inspection(task, tally, body.meter)


def rewrite(
    stored: Stored, task: Task, inspection: Inspection, decision: Decision, sink: Sink
) -> Counts:
    """Write what the decision lets through, under the same content codings.

    Raises BadUpstream(REDACTION_UNSUPPORTED) where the format can't be rewritten, and
    InternalError where the result doesn't add up with the inspection.
    """
    reader = FORMATS[task.spec.format]
    kept = sum(group.records for group in inspection.groups if decision.releases(group))
    verdict = Verdict(decision, totals_drop=inspection.records - kept)
    body = Body(stored, task.payload.codings, task.limits)
    if task.payload.codings:
        coded = under(task.payload.codings, sink)
        counts = reader.rewrite(body, task.spec, task.limits, verdict, coded)
        coded.finish()
    else:
        counts = reader.rewrite(body, task.spec, task.limits, verdict, sink)
    expected = Counts(
        seen=inspection.records, released=kept, redacted=inspection.records - kept, blocked=0
    )
    if counts != expected:
        raise InternalError(Code.INTERNAL_ERROR, "redaction and inspection count differently")
    return counts


def confirm(rewritten: Stored, task: Task, decision: Decision, counts: Counts) -> None:
    """Read a rewritten body as if it came from a stranger: nothing withheld may be left in it."""
    inspection = inspect(rewritten, task)
    if not all(decision.releases(group) for group in inspection.groups):
        raise InternalError(Code.INTERNAL_ERROR, "a withheld record is left after redaction")
    if inspection.records != counts.released:
        raise InternalError(Code.INTERNAL_ERROR, "redaction left another number of records")


Ask = Callable[[Inspection, Counts], Decision]
"""What was seen so far, and where the records decided before went → the decision in force."""


def stream(
    received: Iterator[bytes],
    task: Task,
    ask: Ask,
    hand_on: Callable[[bytes, Counts], None],
) -> tuple[Inspection, Counts]:
    """Write what the decisions let through, in pieces, while the body is received; uncoded.

    `received` waits for the body's chunks. What was decided is handed on before any wait, and
    nothing before the first answer of `ask`. Raises BadUpstream as `inspect` and `rewrite` do, and
    what `ask` and `hand_on` raise.
    """
    reader, progress = _reader(task), Progress()
    if not reader.streams:
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, f"{task.spec.format} is not streamed")
    sink = FlowSink(lambda data: hand_on(data, progress.counts), task.limits.record + _ENVELOPE)

    def before_each_wait() -> Iterator[bytes]:
        while True:
            sink.flush()
            chunk = next(received, b"")
            if not chunk:
                return
            yield chunk

    def asked(tally: Tally) -> Decision:
        sink.flush()
        decision = ask(_inspection(task, tally, flow.meter), progress.counts)
        sink.open()
        return decision

    flow = Flow(
        before_each_wait(),
        task.payload.codings,
        task.limits,
        lambda head: reader.detect(task.payload, head, task.spec),
    )
    asking = Asking(task.limits, asked)
    verdict = Verdict(_UNDECIDED, inquiry=asking, progress=progress)
    counts = reader.rewrite(flow, task.spec, task.limits, verdict, sink)
    asking.decision()
    if counts != progress.counts or counts.seen != asking.tally.records:
        raise InternalError(Code.INTERNAL_ERROR, "redaction and inspection count differently")
    if next(received, b""):
        raise BadUpstream(Code.BODY_INCOMPLETE, "some bytes of the body belong to no record")
    sink.flush()
    return _inspection(task, asking.tally, flow.meter), counts


def _reader(task: Task) -> Reader:
    """The format's row, for a body that is declared to be of it."""
    reader = FORMATS.get(task.spec.format)
    if reader is None:
        raise BadUpstream(Code.FORMAT_UNKNOWN, f"no reader for {task.spec.format}")
    declared = (task.spec.media_type,) if task.spec.media_type else reader.media_types
    detection.check_type(task.payload, declared)
    return reader


def _inspection(task: Task, tally: Tally, meter: Meter) -> Inspection:
    return Inspection(
        format=task.spec.format,
        groups=tally.groups,
        fields=tally.fields,
        bytes_received=meter.inspected,
        bytes_inspected=meter.inspected,
        bytes_decoded=meter.decoded,
        members=tally.members,
        sealed=not meter.unsealed,
    )


def _head(body: Body) -> bytes:
    """The first decoded bytes; one chunk may be a single byte of them."""
    head = b""
    for chunk in body.chunks():
        head += chunk
        if len(head) >= HEAD:
            break
    return head[:HEAD]
