"""Where a body is read: small plain ones in the event loop, all others in a worker process.

The room's one outside. A worker gets the descriptor of the spool file and reads it by itself, so
that no body crosses the event loop (measured: pickling chunks to a process costs 70 % of the
speed). What comes back is decoded with a type: the worker has read hostile input.
"""

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateway.errors import BadUpstream, Code, InternalError, Late, Refusal, Unavailable, refusal_of
from gateway.inspection import work
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import BodySpec, InspectionSettings, Limits
from gateway.inspection.sinks import FileSink, MemorySink
from gateway.inspection.source import InMemory, OnDisk, Stored
from gateway.log import Log
from gateway.model import Counts, Decision, Inspection
from gateway.response import Response
from gateway.spool import Spool, Spooled
from gateway.workers.pool import WorkerFacts, WorkerPool
from gateway.workers.worker import WorkerDied, WorkerLate, WorkersBusy

_SLACK = 64 * 2**10
_MASK_GROWTH = 4
"""A mask can replace one byte (`1`) by four (`null`)."""

_LOG = Log(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker is sent, pickled; `data` is the body, or None where a descriptor comes along.

    With `decision` the body is rewritten into the second descriptor, of `space` bytes.
    """

    task: work.Task
    data: bytes | None
    size: int
    inspection: Inspection | None = None
    decision: Decision | None = None
    space: int = 0


class _Inspected(msgspec.Struct, tag="inspected", frozen=True):
    inspection: Inspection


class _Rewritten(msgspec.Struct, tag="rewritten", frozen=True):
    counts: Counts
    size: int


class _Refused(msgspec.Struct, tag="refused", frozen=True):
    code: Code
    note: str


_Answer = _Inspected | _Rewritten | _Refused
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Answer).decode


class Dispatch:
    """Inspects and rewrites responses. Raises BadUpstream, Unavailable, Late or InternalError."""

    def __init__(self, settings: InspectionSettings, spool: Spool) -> None:
        self._settings, self._spool = settings, spool
        # Small exchanges go first: a big body's inspection takes seconds either way.
        self._pool = WorkerPool(entry=f"{__name__}:serve", size=settings.workers, nice=10)

    async def start(self) -> None:
        await self._pool.start()

    async def stop(self) -> None:
        await self._pool.stop()

    def facts(self) -> WorkerFacts:
        return self._pool.facts()

    def pids(self) -> tuple[int, ...]:
        """The inspecting processes."""
        return self._pool.pids()

    async def inspect(self, response: Response, spec: BodySpec, limits: Limits) -> Inspection:
        """Read the whole body of a response."""
        try:
            inspection = await self._inspect(response, spec, limits)
        except Refusal as refusal:
            code, asked = refusal.code.value, spec.format.value
            _LOG.debug("a body was refused", configured=asked, code=code, check=refusal.note)
            raise
        if _LOG.debugging:
            groups = inspection.groups
            _LOG.debug(
                "a body was read",
                format=inspection.format.value,
                bytes=response.body.size,
                records=inspection.records,
                unattributed=sum(group.records for group in groups if not group.owners),
            )
        return inspection

    async def _inspect(self, response: Response, spec: BodySpec, limits: Limits) -> Inspection:
        task = work.Task(response.payload, spec, limits)
        stored = response.body.stored
        if self._inline(stored, task):
            return work.inspect(stored, task)
        answer = await self._ask(stored, _job(task, stored), ())
        if not isinstance(answer, _Inspected):
            raise InternalError(Code.INTERNAL_ERROR, "a worker answered another question")
        return answer.inspection

    async def rewrite(
        self,
        response: Response,
        spec: BodySpec,
        limits: Limits,
        inspection: Inspection,
        decision: Decision,
    ) -> tuple[Spooled, Counts]:
        """Make the redacted body; whoever gets it closes it."""
        task = work.Task(response.payload, spec, limits)
        stored = response.body.stored
        if self._inline(stored, task):
            return self._rewrite_inline(stored, task, inspection, decision)
        growth = _MASK_GROWTH if decision.mask else 1
        space = stored.size * growth + inspection.bytes_decoded * growth + _SLACK
        held = self._spool.space(min(space, self._spool.limit))
        try:
            job = _job(task, stored, inspection, decision, held.reserved)
            answer = await self._ask(stored, job, (held.fd,))
            if not isinstance(answer, _Rewritten):
                raise InternalError(Code.INTERNAL_ERROR, "a worker answered another question")
        except BaseException:
            held.close()
            raise
        held.settle(answer.size)
        return Spooled(OnDisk(held.fd, answer.size), held), answer.counts

    def _inline(self, stored: Stored, task: work.Task) -> bool:
        reader = FORMATS.get(task.spec.format)
        return (
            isinstance(stored, InMemory)
            and stored.size <= self._settings.inline
            and reader is not None
            and not reader.random_access
            and not task.payload.codings
        )

    def _rewrite_inline(
        self, stored: Stored, task: work.Task, inspection: Inspection, decision: Decision
    ) -> tuple[Spooled, Counts]:
        sink = MemorySink()
        counts = work.rewrite(stored, task, inspection, decision, sink)
        rewritten = InMemory(sink.getvalue())
        work.confirm(rewritten, task, decision, counts)
        return self._spool.keep(rewritten), counts

    async def _ask(self, stored: Stored, job: _Job, more_fds: tuple[int, ...]) -> _Answer:
        _LOG.debug("a worker reads a body", rewriting=job.decision is not None, bytes=job.size)
        fds = (stored.fd, *more_fds) if isinstance(stored, OnDisk) else more_fds
        try:
            raw = await self._pool.call(
                pickle.dumps(job), deadline=self._settings.deadline, fds=fds
            )
        except WorkerLate:
            raise Late(Code.INSPECTION_TIMEOUT, "inspection.deadline passed") from None
        except WorkerDied:
            raise BadUpstream(Code.INSPECTION_FAILED, "the inspecting process died") from None
        except WorkersBusy:
            raise Unavailable(Code.OVERLOADED, "too many bodies wait for inspection") from None
        answer: _Answer = _decode(raw)
        if isinstance(answer, _Refused):
            raise refusal_of(answer.code, answer.note)
        return answer


def _job(
    task: work.Task,
    stored: Stored,
    inspection: Inspection | None = None,
    decision: Decision | None = None,
    space: int = 0,
) -> _Job:
    data = stored.data if isinstance(stored, InMemory) else None
    return _Job(task, data, stored.size, inspection, decision, space)


# --- the worker's side ------------------------------------------------------------------------


def serve(_setup: bytes) -> Callable[[bytes, list[int]], bytes]:
    """The entry of a worker process."""

    def answer(raw: bytes, fds: list[int]) -> bytes:
        job: _Job = pickle.loads(raw)  # noqa: S301 - from our own parent, never from the network
        try:
            return _encode(_do(job, fds))
        except Refusal as refusal:
            return _encode(_Refused(refusal.code, refusal.note))

    return answer


def _do(job: _Job, fds: list[int]) -> _Answer:
    stored: Stored = InMemory(job.data) if job.data is not None else OnDisk(fds[0], job.size)
    if job.decision is None or job.inspection is None:
        return _Inspected(work.inspect(stored, job.task))
    sink = FileSink(fds[-1], job.space)
    counts = work.rewrite(stored, job.task, job.inspection, job.decision, sink)
    sink.flush()
    rewritten = OnDisk(fds[-1], os.fstat(fds[-1]).st_size)
    work.confirm(rewritten, job.task, job.decision, counts)
    return _Rewritten(counts, rewritten.size)
