"""The process that reads bodies at rest (`gateway.workers`), and what it is asked and answers.

It reads the spool's file by itself, through a descriptor, and says in typed messages what it found.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec
from msgspec import structs

from gateway.errors import Code, InternalError, Refusal, refusal_of
from gateway.inspection import halves, lineindex, work
from gateway.inspection.halves import Part
from gateway.inspection.lineindex import NO_INDEX, Index, LineIndex
from gateway.inspection.scratch import Scratch
from gateway.inspection.sinks import FileSink
from gateway.inspection.source import InMemory, OnDisk, Stored
from gateway.model import Counts, Decision, Inspection


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is sent, pickled; `data` is the body, or None where a descriptor comes along.

    With `decision` the body is rewritten into the next descriptor, of `space` bytes. The last one
    is a scratch file of `scratch` bytes, if there are any. `index` is where the index of its lines
    may be written, or is, for one that is rewritten. The body is `size` bytes from `start` of its
    file, where it is a `part` of another (`halves`); what is left of the second one is written
    behind what is left of the one `ahead`: of the groups in it that `stay`.
    """

    task: work.Task
    data: bytes | None
    size: int
    inspection: Inspection | None = None
    decision: Decision | None = None
    space: int = 0
    scratch: int = 0
    index: Index = NO_INDEX
    start: int = 0
    part: bool = False
    ahead: Part | None = None
    stay: tuple[bool, ...] = ()

    def of(self, part: Part) -> "Job":
        """The same, to be done with a part of the body."""
        found = self.inspection and structs.replace(self.inspection, groups=part.groups)
        return replace(
            self, start=part.start, size=part.size, index=part.index, inspection=found, part=True
        )


class Inspected(msgspec.Struct, tag="inspected", frozen=True):
    """What is in the body, and how long the index of its lines is."""

    inspection: Inspection
    index: int = 0


class Rewritten(msgspec.Struct, tag="rewritten", frozen=True):
    """What became of the records, and how many bytes were written, from where on."""

    counts: Counts
    size: int
    start: int = 0


class Refused(msgspec.Struct, tag="refused", frozen=True):
    """Why nothing may leave."""

    code: Code
    note: str


Answer = Inspected | Rewritten | Refused
_Kind = TypeVar("_Kind", Inspected, Rewritten)
_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Answer).decode
"""What a worker answered. Raises msgspec.DecodeError, since a worker reads hostile input."""


def answered(answer: Answer, kind: type[_Kind]) -> _Kind:
    """Raises what was refused, and InternalError for an answer of another kind."""
    if isinstance(answer, Refused):
        raise refusal_of(answer.code, answer.note)
    if not isinstance(answer, kind):
        raise InternalError(Code.INTERNAL_ERROR, "a worker answered another question")
    return answer


def serve(setup: bytes) -> Callable[[bytes, list[int]], bytes]:
    """The entry of a worker process; `setup` is the key of pseudonyms, or empty."""
    key = setup or None

    def answer(raw: bytes, fds: list[int]) -> bytes:
        job: Job = pickle.loads(raw)  # noqa: S301 - from our own parent, never from the network
        try:
            return _encode(_do(job, fds, key))
        except Refusal as refusal:
            return _encode(Refused(refusal.code, refusal.note))

    return answer


def _do(job: Job, fds: list[int], key: bytes | None) -> Answer:
    stored: Stored
    stored = InMemory(job.data) if job.data is not None else OnDisk(fds[0], job.size, job.start)
    scratch = None
    if job.scratch:
        *fds, last = fds
        scratch = Scratch(last, job.scratch)
    if job.decision is None or job.inspection is None:
        return _inspected(job, stored, scratch)
    at = _behind(job.ahead, fds[0], job.stay) if job.ahead else 0
    sink = FileSink(fds[-1], job.space - at, at)
    counts = work.rewrite(
        stored, job.task, job.inspection, job.decision, sink, scratch, key, job.index
    )
    sink.flush()
    rewritten = OnDisk(fds[-1], sink.tell(), at)
    if at:
        halves.check_begin(rewritten)
    work.confirm(rewritten, job.task, job.inspection, job.decision, counts, scratch)
    return Rewritten(counts, rewritten.size, at)


def _inspected(job: Job, stored: Stored, scratch: Scratch | None) -> Inspected:
    if job.start:
        halves.check_begin(stored)
    if not (job.index.size and isinstance(stored, OnDisk)):
        return Inspected(work.inspect(stored, job.task, scratch, part=job.part))
    index = LineIndex(stored, job.index)
    inspection = work.inspect(stored, job.task, scratch, index, part=job.part)
    return Inspected(inspection, index.finish())


def _behind(part: Part, fd: int, stay: tuple[bool, ...]) -> int:
    """Where what is left of a part will end, that is rewritten at the same time."""
    return lineindex.measure(OnDisk(fd, part.size, part.start), part.index, stay)
