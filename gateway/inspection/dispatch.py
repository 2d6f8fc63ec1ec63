"""Where a body is read: small plain ones in the event loop, all others in a worker process.

The room's one outside. A worker gets the descriptor of the spool file and reads it by itself, so
that no body crosses the event loop (measured: pickling chunks to a process costs 70 % of the
speed). What comes back is decoded with a type: the worker has read hostile input.
"""

import asyncio
import math
import operator
import pickle
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing, nullcontext
from dataclasses import replace

from msgspec.structs import astuple

from gateway.errors import BadUpstream, Code, InternalError, Late, Refusal, Unavailable
from gateway.inspection import halves, lineindex, masking, work
from gateway.inspection.formats import FORMATS
from gateway.inspection.halves import Part
from gateway.inspection.lineindex import NO_INDEX, Index
from gateway.inspection.process import Answer, Inspected, Job, Refused, Rewritten, answered, decode
from gateway.inspection.settings import BodySpec, InspectionSettings, Limits
from gateway.inspection.sinks import MemorySink
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

READER, NICE = "gateway.inspection.process:serve", 10
"""The worker processes. Small exchanges go first: a big body's inspection takes seconds anyway."""

_LOG = Log(__name__)


class Dispatch:
    """Inspects and rewrites responses. Raises BadUpstream, Unavailable, Late or InternalError; when
    made, ValueError for a key of pseudonyms that can't be used. `key` is that one, if there is;
    `ending` hears of an inspecting process that will be ended because it is idle."""

    def __init__(
        self,
        settings: InspectionSettings,
        spool: Spool,
        *,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings, self._spool = settings, spool
        # Only a job that a worker is free for holds a scratch file's share of the spool.
        self._scratches = asyncio.Semaphore(settings.workers)
        self.key = _key(settings)
        self._pool = WorkerPool(
            entry=READER,
            size=settings.workers,
            least=1,
            setup=self.key or b"",
            nice=NICE,
            ending=ending,
        )
        self._came = -math.inf  # the last body, when

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
        body, stored = response.body, response.body.stored
        before, self._came = self._came, time.monotonic()
        if self._inline(stored, task):
            return work.inspect(stored, task)
        room = _room_behind(body, task)
        alone = self._came - before >= halves.PAUSE
        if alone and (parts := self._halves(stored, task, room)):
            whole = await self._inspect_halves(body, task, parts)
            if whole is not None:
                return whole
        scratch, index = self._scratch(task, stored), Index(body.size, room)
        job = Job(task, _data(stored), stored.size, scratch=scratch, index=index)
        async with self._turn(job):
            held = await self._spool.space(job.scratch, _beside(body)) if job.scratch else None
            try:
                answer = await self._call(stored, job, held)
            finally:
                if held:
                    held.close()
        (found,) = _noted(body, [Part(0, body.size, index)], [answer])
        return found

    def _halves(self, stored: Stored, task: work.Task, room: int) -> Sequence[Part] | None:
        """The parts of a body that is read by two workers, where so many have nothing to do, or
        would come if they were asked for."""
        if self._settings.workers - self._pool.facts().jobs < 2 or not isinstance(stored, OnDisk):
            return None
        return halves.of(stored, room) if work.divides(task) else None

    async def _inspect_halves(
        self, body: Spooled, task: work.Task, parts: Sequence[Part]
    ) -> Inspection | None:
        """What is in the body; None where a part of it was refused."""
        whole = Job(task, None, body.size)
        answers = await self._all(body.stored, [whole.of(part) for part in parts])
        if any(isinstance(answer, Refused) for answer in answers):
            return None
        return halves.merged(_noted(body, parts, answers), task.limits)

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
        scratch, beside = self._scratch(task, stored), _beside(response.body)
        wanted = min(_space(stored, inspection, decision), self._room(beside) - scratch)
        space = max(_SLACK, wanted)
        parts = _parts(response.body) if not decision.mask else ()
        index = parts[0].index if len(parts) == 1 else NO_INDEX
        job = Job(task, _data(stored), stored.size, inspection, decision, space, scratch, index)
        async with self._turn(job):
            # Both files at once: two that had one each would wait for each other.
            held = await self._spool.space(job.space + scratch, beside)
            try:
                if len(parts) > 1:
                    answer = await self._rewrite_halves(stored, job, parts, held)
                else:
                    answer = answered(await self._call_beside(stored, job, held), Rewritten)
            except BaseException:
                held.close()
                raise
        held.settle(answer.size)
        return Spooled(OnDisk(held.fd, answer.size), held), answer.counts

    async def _rewrite_halves(
        self, stored: Stored, job: Job, parts: Sequence[Part], held: Held
    ) -> Rewritten:
        """What is left of each, one behind the other."""
        assert job.decision is not None
        left, right = (job.of(part) for part in parts)
        stay = tuple(map(job.decision.releases, parts[0].groups))
        right = replace(right, ahead=replace(parts[0], groups=()), stay=stay)
        answers = await self._all(stored, [left, right], held)
        one, two = (answered(answer, Rewritten) for answer in answers)
        if (one.start, two.start) != (0, one.size):
            raise InternalError(Code.INTERNAL_ERROR, "the halves of a redaction don't meet")
        counts = Counts(*map(operator.add, astuple(one.counts), astuple(two.counts)))
        return Rewritten(counts, one.size + two.size)

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
            and not task.spec.embedded  # thousands of documents, each with a reader of its own
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

    def _turn(self, job: Job) -> AbstractAsyncContextManager[None]:
        """Whoever has a scratch file has a worker, too; nobody waits for this holding room."""
        return self._scratches if job.scratch else nullcontext()

    async def _call_beside(self, stored: Stored, job: Job, held: Held) -> Answer:
        """`held` has room for what is written, and for the scratch file."""
        if not job.scratch:
            return await self._call(stored, job, held)
        with closing(held.part(job.scratch)) as scratch:
            return await self._call(stored, job, held, scratch)

    async def _all(self, stored: Stored, jobs: Sequence[Job], *files: Held) -> list[Answer]:
        """The answers to all of them; it returns when nobody reads or writes any more."""
        calls = (self._call(stored, job, *files) for job in jobs)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def _call(self, stored: Stored, job: Job, *files: Held | None) -> Answer:
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
        answer: Answer = decode(raw)
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


def _room_behind(body: Spooled, task: work.Task) -> int:
    """Reserve room behind a body for the index of its lines, if there is any to spare: without one
    a redaction takes longer."""
    room = body.size // lineindex.SHARE
    if isinstance(body.held, Held) and work.has_lines(task) and body.held.reserve_spare(room):
        return room
    return 0


def _beside(body: Spooled) -> int:
    """How many bytes of the spool a body takes, and the index behind it."""
    return body.size + _index(body) if isinstance(body.stored, OnDisk) else 0


def _index(body: Spooled) -> int:
    return body.held.index if isinstance(body.held, Held) else 0


def _parts(body: Spooled) -> tuple[Part, ...]:
    """Those whose lines are in an index: one that is all of a body, two halves, or none."""
    return body.held.parts if isinstance(body.held, Held) else ()


def _noted(body: Spooled, parts: Sequence[Part], answers: Sequence[Answer]) -> list[Inspection]:
    """What was found in each part; where its lines lie is kept with the body."""
    found = [answered(answer, Inspected) for answer in answers]
    read = []
    for part, answer in zip(parts, found, strict=True):
        if not 0 <= answer.index <= part.index.size:
            raise InternalError(Code.INTERNAL_ERROR, "a worker wrote more than there is room for")
        index = Index(part.index.at, answer.index)
        read.append(replace(part, index=index, groups=answer.inspection.groups))
    if isinstance(body.held, Held):
        indexed = all(part.index.size for part in read)
        # Of halves that have no index each, what one has written is not given back.
        last = read[-1].index if indexed or len(read) == 1 else parts[-1].index
        body.held.settle(last.at + last.size)
        body.held.index = last.at + last.size - body.size
        body.held.parts = tuple(read) if indexed else ()
    return [answer.inspection for answer in found]


def _data(stored: Stored) -> bytes | None:
    return stored.data if isinstance(stored, InMemory) else None
