"""One worker: a child process at a time, and another in its place where it dies or is late.

The deadline of a job counts from when it is at the head, so that a runaway job is the only one its
own deadline kills; jobs behind it are sent again to the next process.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from gateway.child import GOING, Child
from gateway.living import HEADER
from gateway.log import Log

_START_DEADLINE = 60.0
_BACKOFF = (0.05, 0.2, 1.0, 5.0)
_LOG = Log(__name__)


class WorkerError(Exception):
    """A job has no answer."""


class WorkerLate(WorkerError):
    """The job was running when its deadline passed; its process was killed."""


class WorkerDied(WorkerError):
    """The process ended while the job was running, or could not start."""


class WorkersBusy(WorkerError):
    """Too many jobs are waiting already."""


@dataclass(slots=True, eq=False)
class Job:
    payload: bytes
    deadline: float
    fds: Sequence[int]
    future: asyncio.Future[bytes]

    def fail(self, error: WorkerError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(slots=True, eq=False)
class Worker:
    """One child process at a time, and the jobs it has in flight, oldest first; none while it is
    `resting`. `used` says whether it was given a job, for whoever looks and clears it."""

    entry: str
    setup: bytes
    depth: int
    nice: int
    freed: Callable[[], None]
    ready: bool = False
    restarts: int = 0
    resting: bool = True
    used: bool = False
    _jobs: deque[Job] = field(default_factory=deque)
    _child: Child | None = None
    _due: float = math.inf
    _timer: asyncio.TimerHandle | None = None
    _started: asyncio.Future[None] | None = None
    _loop: asyncio.AbstractEventLoop = field(init=False)  # asking for it costs a system call
    _context: Context = field(init=False)
    _failures: int = 0
    _stopped: bool = False

    @property
    def load(self) -> int:
        return len(self._jobs)

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    async def start(self, *, resting: bool = False) -> None:
        self._loop, self._context = asyncio.get_running_loop(), copy_context()
        if resting:
            return
        self.resting = False
        self._started = self._loop.create_future()
        self._spawn()
        await self._started

    def wake(self) -> None:
        """Have its process started; `freed` is called when that can take a job."""
        self.resting, self.used = False, True
        self._loop.call_soon(self._respawn, context=self._context)

    def rest(self) -> None:
        """End its process, which has no job, until it is woken."""
        self.resting = True
        self._discard(0.0)

    def stop(self) -> None:
        self._stopped = True
        self._discard()
        while self._jobs:
            self._jobs.popleft().fail(WorkerDied("the pool is stopped"))

    def submit(self, job: Job) -> None:
        self.used = True
        self._jobs.append(job)
        if self.ready:
            self._send(job)
            if len(self._jobs) == 1:
                self._watch_head()

    def _spawn(self) -> None:
        """Raises OSError where the system has no room for another process."""
        self._child = Child(
            "gateway.workers.answering",
            self.entry,
            str(self.depth),
            str(self.nice),
            heard=self._answered,
            lost=lambda: self._lost(WorkerDied("the process ended")),
        )
        self._child.send(HEADER.pack(len(self.setup), 0) + self.setup)
        self._expect(_START_DEADLINE)

    def _send(self, job: Job) -> None:
        assert self._child is not None
        frame = HEADER.pack(len(job.payload), len(job.fds)) + job.payload
        if job.fds:  # with depth 1 nothing can be queued before it
            self._child.send_with(job.fds, frame)
        else:
            self._child.send(frame)

    def _answered(self, frame: bytes) -> None:
        if not self.ready:
            self._become_ready()
            return
        job = self._jobs.popleft()
        if not job.future.done():
            job.future.set_result(frame)
        self._watch_head()
        self.freed()

    def _become_ready(self) -> None:
        self.ready, self._failures = True, 0
        if self._started and not self._started.done():
            self._started.set_result(None)
        # Whoever gave up has closed its descriptors, and their numbers may be somebody else's.
        self._jobs = deque(job for job in self._jobs if not job.future.done())
        for job in self._jobs:
            self._send(job)
        self._watch_head()
        self.freed()

    def _watch_head(self) -> None:
        if self._jobs and self.ready:
            self._expect(self._jobs[0].deadline)
        else:
            self._due = math.inf

    def _expect(self, seconds: float) -> None:
        """An answer is due. One timer serves many jobs: when it rings, it looks what is due by
        then, so that a job that is answered in time costs no timer of its own."""
        loop = self._loop
        self._due = loop.time() + seconds
        if self._timer is None or self._timer.when() > self._due:
            if self._timer:
                self._timer.cancel()
            # Not in the context of the exchange that asks: the timer, and the process that it
            # starts, are there for all of them.
            self._timer = loop.call_at(self._due, self._ring, context=self._context)

    def _ring(self) -> None:
        self._timer = None
        loop = self._loop
        if loop.time() >= self._due:
            self._lost(WorkerLate("the deadline passed"))
        elif self._due < math.inf:
            self._timer = loop.call_at(self._due, self._ring, context=self._context)

    def _lost(self, error: WorkerError) -> None:
        """The child is dead, or is killed here; only the job at the head pays for it."""
        was_ready = self.ready
        self._discard()
        if was_ready and self._jobs:
            self._jobs.popleft().fail(error)
        elif not was_ready:
            # A process that cannot start answers nobody: the jobs must not wait for a miracle.
            while self._jobs:
                self._jobs.popleft().fail(WorkerDied("the process cannot start"))
            if self._started and not self._started.done():
                self._started.set_exception(WorkerDied("the process cannot start"))
                return
        if self._stopped:
            return
        self.restarts += 1
        _LOG.info("a process is replaced", entry=self.entry, reason=str(error))
        if was_ready:
            self._respawn()
        else:
            delay = _BACKOFF[min(self._failures, len(_BACKOFF) - 1)]
            self._failures += 1
            self._loop.call_later(delay, self._respawn)
        self.freed()

    def _respawn(self) -> None:
        if self._stopped or self.resting or self._child:
            return
        try:
            self._spawn()
        except OSError:  # no descriptor, no memory, no place for a process: that passes
            self._lost(WorkerDied("the process cannot start"))

    def _discard(self, patience: float = GOING) -> None:
        self.ready, self._due = False, math.inf
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._child:
            self._child.end(patience)
            self._child = None
