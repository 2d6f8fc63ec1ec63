"""Where a body is read: small plain ones in the event loop, all others in a worker process.

The room's one outside. A worker gets the descriptor of the spool file and reads it by itself, so
that no body crosses the event loop (measured: pickling chunks to a process costs 70 % of the
speed). What comes back is decoded with a type: the worker has read hostile input.
"""

import asyncio
import os
import pickle
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing, nullcontext
from dataclasses import dataclass

import msgspec

from gateway.errors import BadUpstream, Code, InternalError, Late, Refusal, Unavailable, refusal_of
from gateway.inspection import masking, work
from gateway.inspection.formats import FORMATS
from gateway.inspection.scratch import Scratch
from gateway.inspection.settings import BodySpec, InspectionSettings, Limits
from gateway.inspection.sinks import FileSink, MemorySink
from gateway.inspection.source import InMemory, OnDisk, Stored
from gateway.log import Log
from gateway.model import Counts, Decision, Format, Inspection
from gateway.response import Response
from gateway.secretfile import read_secret
from gateway.spool import Held, Spool, Spooled
from gateway.workers.pool import WorkerFacts, WorkerPool
from gateway.workers.worker import WorkerDied, WorkerLate, WorkersBusy

_SLACK = 64 * 2**10
_MASK_GROWTH = 4
"""A mask can replace one byte (`1`) by four (`null`); what else it can become is reckoned once a
record. Where a record has many such values it outgrows its reservation, and is refused."""

_SHARES = 4
"""A scratch file takes no more than such a share of the spool."""

_LOG = Log(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker is sent, pickled; `data` is the body, or None where a descriptor comes along.

    With `decision` the body is rewritten into the next descriptor, of `space` bytes. The last one
    is a scratch file of `scratch` bytes, if there are any.
    """

    task: work.Task
    data: bytes | None
    size: int
    inspection: Inspection | None = None
    decision: Decision | None = None
    space: int = 0
    scratch: int = 0


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
    """Inspects and rewrites responses. Raises BadUpstream, Unavailable, Late or InternalError; when
    made, ValueError for a key of pseudonyms that can't be used. `key` is that one, if there is."""

    def __init__(self, settings: InspectionSettings, spool: Spool) -> None:
        self._settings, self._spool = settings, spool
        # Only a job that a worker is free for holds a scratch file's share of the spool.
        self._scratches = asyncio.Semaphore(settings.workers)
        self.key = _key(settings)
        # Small exchanges go first: a big body's inspection takes seconds either way.
        self._pool = WorkerPool(
            entry=f"{__name__}:serve", size=settings.workers, setup=self.key or b"", nice=10
        )

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
        job = _job(task, stored, self._scratch(task, stored))
        async with self._turn(job):
            held = await self._spool.space(job.scratch, _beside(stored)) if job.scratch else None
            try:
                answer = await self._call(stored, job, held)
            finally:
                if held:
                    held.close()
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
        scratch, beside = self._scratch(task, stored), _beside(stored)
        wanted = min(_space(stored, inspection, decision), self._room(beside) - scratch)
        job = _job(task, stored, scratch, inspection, decision, max(_SLACK, wanted))
        async with self._turn(job):
            # Both files at once: two that had one each would wait for each other.
            held = await self._spool.space(job.space + scratch, beside)
            try:
                answer = await self._call_beside(stored, job, held)
                if not isinstance(answer, _Rewritten):
                    raise InternalError(Code.INTERNAL_ERROR, "a worker answered another question")
            except BaseException:
                held.close()
                raise
        held.settle(answer.size)
        return Spooled(OnDisk(held.fd, answer.size), held), answer.counts

    def _inline(self, stored: Stored, task: work.Task) -> bool:
        """Whether a body is read here. Metadata isn't: a library reads it."""
        reader = FORMATS.get(task.spec.format)
        return (
            isinstance(stored, InMemory)
            and stored.size <= self._settings.inline
            and reader is not None
            and not reader.random_access
            and not (task.spec.format is Format.OPAQUE and task.spec.subject)
            and not (task.payload.codings or task.spec.compression)
        )

    def _rewrite_inline(
        self, stored: Stored, task: work.Task, inspection: Inspection, decision: Decision
    ) -> tuple[Spooled, Counts]:
        sink = MemorySink()
        counts = work.rewrite(stored, task, inspection, decision, sink, key=self.key)
        rewritten = InMemory(sink.getvalue())
        work.confirm(rewritten, task, inspection, decision, counts)
        return self._spool.keep(rewritten), counts

    def _scratch(self, task: work.Task, stored: Stored) -> int:
        """The size of the scratch file that is needed, or 0."""
        bound = min(self._settings.scratch, self._spool.limit // _SHARES)
        return min(work.scratch_needed(task, stored.size), bound)

    def _room(self, beside: int) -> int:
        """The most that a redaction takes: the half of the spool that fetched bodies leave (see
        `turns`), so that none waits for another's body to leave; or what a body leaves that is
        bigger, and therefore alone."""
        half = self._spool.limit // 2
        return half if beside <= half else self._spool.limit - beside

    def _turn(self, job: _Job) -> AbstractAsyncContextManager[None]:
        """Whoever has a scratch file has a worker, too; nobody waits for this holding room."""
        return self._scratches if job.scratch else nullcontext()

    async def _call_beside(self, stored: Stored, job: _Job, held: Held) -> _Answer:
        """`held` has room for what is written, and for the scratch file."""
        if not job.scratch:
            return await self._call(stored, job, held)
        with closing(held.part(job.scratch)) as scratch:
            return await self._call(stored, job, held, scratch)

    async def _call(self, stored: Stored, job: _Job, *files: Held | None) -> _Answer:
        _LOG.debug("a worker reads a body", rewriting=job.decision is not None, bytes=job.size)
        fds = tuple(held.fd for held in files if held)
        if isinstance(stored, OnDisk):
            fds = (stored.fd, *fds)
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


def _key(settings: InspectionSettings) -> bytes | None:
    """Raises ValueError for a file that can't be used; see `secretfile`."""
    file = settings.pseudonym_key_file
    return masking.derive(read_secret(file, "pseudonym key")) if file else None


def _space(stored: Stored, inspection: Inspection, decision: Decision) -> int:
    """How many bytes a rewritten body is given."""
    growth = _MASK_GROWTH if decision.mask else 1
    masked = inspection.records * sum(map(masking.longest, decision.mask))
    return (stored.size + inspection.bytes_decoded) * growth + masked + _SLACK


def _beside(stored: Stored) -> int:
    """How many bytes of the spool the body takes."""
    return stored.size if isinstance(stored, OnDisk) else 0


def _job(
    task: work.Task,
    stored: Stored,
    scratch: int,
    inspection: Inspection | None = None,
    decision: Decision | None = None,
    space: int = 0,
) -> _Job:
    data = stored.data if isinstance(stored, InMemory) else None
    return _Job(task, data, stored.size, inspection, decision, space, scratch)


# --- the worker's side ------------------------------------------------------------------------


def serve(setup: bytes) -> Callable[[bytes, list[int]], bytes]:
    """The entry of a worker process; `setup` is the key of pseudonyms, or empty."""
    key = setup or None

    def answer(raw: bytes, fds: list[int]) -> bytes:
        job: _Job = pickle.loads(raw)  # noqa: S301 - from our own parent, never from the network
        try:
            return _encode(_do(job, fds, key))
        except Refusal as refusal:
            return _encode(_Refused(refusal.code, refusal.note))

    return answer


def _do(job: _Job, fds: list[int], key: bytes | None) -> _Answer:
    stored: Stored = InMemory(job.data) if job.data is not None else OnDisk(fds[0], job.size)
    scratch = None
    if job.scratch:
        *fds, last = fds
        scratch = Scratch(last, job.scratch)
    if job.decision is None or job.inspection is None:
        return _Inspected(work.inspect(stored, job.task, scratch))
    sink = FileSink(fds[-1], job.space)
    counts = work.rewrite(stored, job.task, job.inspection, job.decision, sink, scratch, key)
    sink.flush()
    rewritten = OnDisk(fds[-1], os.fstat(fds[-1]).st_size)
    work.confirm(rewritten, job.task, job.inspection, job.decision, counts, scratch)
    return _Rewritten(counts, rewritten.size)
