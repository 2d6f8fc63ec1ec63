"""One job: a stored body becomes an `Inspection`, or a rewritten body.

Pure: bytes or a file descriptor in, values and bytes out. `dispatch` decides where it runs.
"""

from collections import Counter
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import detection
from gateway.inspection.formats import FORMATS
from gateway.inspection.inflation import Inflation
from gateway.inspection.scratch import Scratch
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import Sink, under
from gateway.inspection.source import Body, Stored
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts, Decision, Inspection
from gateway.response import Payload

_HEAD = 4096


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


def inspect(stored: Stored, task: Task, scratch: Scratch | None = None) -> Inspection:
    """Read a whole body. Raises BadUpstream for anything that can't be vouched for."""
    reader = FORMATS.get(task.spec.format)
    if reader is None:
        raise BadUpstream(Code.FORMAT_UNKNOWN, f"no reader for {task.spec.format}")
    body = _body(stored, task, scratch)
    declared = reader.declared(task.spec)
    detection.check_type(task.payload, declared)
    reader.detect(task.payload, _head(body), task.spec)
    tally = Tally(task.limits)
    reader.inspect(body, task.spec, task.limits, tally)
    if body.meter.inspected != stored.size:
        raise BadUpstream(Code.BODY_INCOMPLETE, "some bytes of the body belong to no record")
    return Inspection(
        format=task.spec.format,
        groups=tally.groups,
        fields=tally.fields,
        bytes_received=stored.size,
        bytes_inspected=body.meter.inspected,
        bytes_decoded=body.meter.decoded,
        members=tally.members,
        sealed=tally.sealed and not body.meter.unsealed,
    )


def rewrite(
    stored: Stored,
    task: Task,
    inspection: Inspection,
    decision: Decision,
    sink: Sink,
    scratch: Scratch | None = None,
    key: bytes | None = None,
) -> Counts:
    """Write what the decision lets through, under the same content codings. `key` is that of the
    pseudonyms that masked values may become.

    Raises BadUpstream(REDACTION_UNSUPPORTED) where the format can't be rewritten, and
    InternalError where the result doesn't add up with the inspection.
    """
    reader = FORMATS[task.spec.format]
    kept = sum(group.records for group in inspection.groups if decision.releases(group))
    verdict = Verdict(decision, totals_drop=inspection.records - kept, key=key)
    body = _body(stored, task, scratch)
    if task.payload.codings or task.spec.compression:
        coded = under(task.payload.codings, task.spec.compression, sink)
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
        if not decision.mask:
            raise
        note = f"a mask that leaves what is refused: {refusal.code}"
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, note) from None
    if left.records != counts.released:
        raise InternalError(Code.INTERNAL_ERROR, "redaction left another number of records")
    permitted = all(decision.releases(group) for group in left.groups)
    if permitted and not _owned(left) - _owned(inspection):
        return
    if decision.mask:
        # Such as a text in the place of an identifier. What it says of the owners can't be proven.
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask that changes whose a record is")
    raise InternalError(Code.INTERNAL_ERROR, "a withheld record is left after redaction")


def _owned(inspection: Inspection) -> Counter[tuple[Owners, str]]:
    """How many records of which category each of the owners has, or have together."""
    counts = Counter[tuple[Owners, str]]()
    for group in inspection.groups:
        if group.owners:
            counts[group.owners, group.category] += group.records
    return counts


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


def _head(body: Body) -> bytes:
    """The first decoded bytes; one chunk may be a single byte of them."""
    head = b""
    for chunk in body.chunks():
        head += chunk
        if len(head) >= _HEAD:
            break
    return head[:_HEAD]
