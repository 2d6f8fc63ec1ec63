"""One job: a stored body becomes an `Inspection`, or a rewritten body; one that is still coming is
rewritten as it comes (`stream`).

Pure: bytes or a file descriptor in, values and bytes out. `dispatch` decides where it runs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import compress

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import confirmation, detection, lineindex, masking
from gateway.inspection.asking import Asking
from gateway.inspection.formats import FORMATS, Reader
from gateway.inspection.inflation import Inflation
from gateway.inspection.lineindex import NO_INDEX, Index, LineIndex
from gateway.inspection.scratch import Scratch
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import FlowSink, Sink, under
from gateway.inspection.source import Body, Flow, Meter, OnDisk, Stored
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
    """What to read and how: the same for inspecting and for rewriting.

    `spec` is as configured, but for what its format leaves to what the response declares.
    """

    payload: Payload
    spec: BodySpec
    limits: Limits

    def __post_init__(self) -> None:
        reader = FORMATS.get(self.spec.format)
        if reader and reader.as_declared:
            object.__setattr__(self, "spec", reader.as_declared(self.payload, self.spec))


def scratch_needed(task: Task, received: int) -> int:
    """The most bytes that are decoded into a scratch file; 0 where none is needed."""
    spec = task.spec
    forms = [spec.format] if task.payload.codings or spec.compression else []
    forms += [member.format for member in spec.members]
    readers = [FORMATS.get(form) for form in forms]
    if not any(reader and reader.random_access for reader in readers):
        return 0
    return Inflation.most(task.limits, received)


def has_lines(task: Task) -> bool:
    """Whether an index of its lines is worth having: whether dropping records is leaving out lines
    of the file."""
    reader = FORMATS.get(task.spec.format)
    coded = task.payload.codings or task.spec.compression
    return reader is not None and reader.lines and not coded


def divides(task: Task) -> bool:
    """Whether a body may be read in parts (`halves`). Documents in texts have limits for all of
    them."""
    reader = FORMATS.get(task.spec.format)
    coded = task.payload.codings or task.spec.compression
    return reader is not None and reader.divides and not (coded or task.spec.embedded)


def inspect(
    stored: Stored,
    task: Task,
    scratch: Scratch | None = None,
    index: LineIndex | None = None,
    *,
    part: bool = False,
) -> Inspection:
    """Read a whole body, or a part of it, and note where its lines lie. Raises BadUpstream for
    anything that can't be vouched for."""
    reader = _reader(task)
    body = _body(stored, task, scratch)
    reader.detect(task.payload, body.head(), task.spec)
    tally = Tally(task.limits, index, part=part)
    reader.inspect(body, task.spec, task.limits, tally)
    if body.meter.inspected != stored.size:
        raise BadUpstream(Code.BODY_INCOMPLETE, "some bytes of the body belong to no record")
    return _inspection(task, tally, body.meter)


def rewrite(
    stored: Stored,
    task: Task,
    inspection: Inspection,
    decision: Decision,
    sink: Sink,
    scratch: Scratch | None = None,
    key: bytes | None = None,
    index: Index = NO_INDEX,
) -> Counts:
    """Write what the decision lets through, under the same content codings. `key` is that of the
    pseudonyms that masked values may become, `index` where the index of lines is.

    Raises BadUpstream(REDACTION_UNSUPPORTED) where the format can't be rewritten, and
    InternalError where the result doesn't add up with the inspection.
    """
    reader = FORMATS[task.spec.format]
    stays = [decision.releases(group) for group in inspection.groups]
    kept = sum(compress((group.records for group in inspection.groups), stays))
    expected = Counts(
        seen=inspection.records, released=kept, redacted=inspection.records - kept, blocked=0
    )
    if index.size and not decision.mask and isinstance(stored, OnDisk):
        lineindex.copy(stored, index, stays, sink)
        return expected
    verdict = Verdict(decision, totals_drop=inspection.records - kept, key=key)
    body = _body(stored, task, scratch)
    if task.payload.codings or task.spec.compression:
        coded = under(task.payload.codings, task.spec.compression, sink)
        counts = reader.rewrite(body, task.spec, task.limits, verdict, coded)
        coded.finish()
    else:
        counts = reader.rewrite(body, task.spec, task.limits, verdict, sink)
    if counts != expected:
        raise InternalError(Code.INTERNAL_ERROR, "redaction and inspection count differently")
    return counts


def confirm(
    rewritten: Stored,
    task: Task,
    inspection: Inspection,
    decision: Decision,
    counts: Counts,
    scratch: Scratch | None = None,
) -> None:
    """Read a rewritten body as if it came from a stranger: nothing withheld may be left in it, and
    nobody may have more records than were theirs."""
    try:
        left = inspect(rewritten, task, scratch)
    except BadUpstream as refusal:
        raise confirmation.refused(refusal, decision) from None
    confirmation.check(left.groups, inspection.groups, decision, counts.released)


Ask = Callable[[Inspection, Counts], Decision]
"""What was seen so far, and where the records decided before went → the decision in force."""


def stream(
    received: Iterator[bytes],
    task: Task,
    ask: Ask,
    hand_on: Callable[[bytes, Counts], None],
    key: bytes | None = None,
) -> tuple[Inspection, Counts]:
    """Write what the decisions let through, in pieces, while the body is received; uncoded. `key`
    is that of `rewrite`.

    `received` waits for the body's chunks. What was decided is handed on before any wait, and
    nothing before the first answer of `ask`. Raises BadUpstream as `inspect` and `rewrite` do, and
    what `ask` and `hand_on` raise.
    """
    reader, progress = _reader(task), Progress()
    if not reader.flows(task.spec):
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a body that is read at rest only")
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
        masking.check_apart(decision.mask, masking.naming(task.spec))
        sink.open()
        return decision

    flow = Flow(
        before_each_wait(),
        task.payload.codings,
        task.limits,
        lambda head: reader.detect(task.payload, head, task.spec),
        owners=task.payload.owners,
    )
    asking = Asking(task.limits, asked)
    verdict = Verdict(_UNDECIDED, key=key, inquiry=asking, progress=progress)
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
    reader: Reader | None = FORMATS.get(task.spec.format)
    if reader is None:
        raise BadUpstream(Code.FORMAT_UNKNOWN, f"no reader for {task.spec.format}")
    detection.check_type(task.payload, reader.declared(task.spec))
    return reader


def _body(stored: Stored, task: Task, scratch: Scratch | None) -> Body:
    codings, compression = task.payload.codings, task.spec.compression
    return Body(
        stored,
        codings,
        task.limits,
        compression=compression,
        scratch=scratch,
        owners=task.payload.owners,
    )


def _inspection(task: Task, tally: Tally, meter: Meter) -> Inspection:
    return Inspection(
        format=task.spec.format,
        groups=tally.groups,
        fields=tally.fields,
        bytes_received=meter.inspected,
        bytes_inspected=meter.inspected,
        bytes_decoded=meter.decoded,
        members=tally.members,
        sealed=tally.sealed and not meter.unsealed,
    )
