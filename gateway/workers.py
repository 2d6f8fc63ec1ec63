"""Killable worker processes with deadlines, for big bodies and Rego.

Parsers and policy engines hold the GIL for a whole call and have no deadline of their own, so they
run in processes that can be killed. The byte of a frame (`child`) is its count of descriptors;
frames are answered in order:

    parent ──▶ setup ──▶ child        once; the child answers an empty frame when it is ready
    parent ──▶ job (+ descriptors)    up to `depth` in flight
    parent ◀── answer                 in the order of the jobs

The deadline of a job counts from when it is at the head, so that a runaway job is the only one its
own deadline kills; jobs behind it are sent again to the next process. What comes from a child is
bytes: callers decode them with a type, since a child reads hostile input.
"""

import asyncio
import importlib
import math
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from gateway.child import HEADER, Child, living
from gateway.log import Log

_READ = 64 * 1024
_MAX_FDS = 4
_MAX_FRAME = 256 * 2**20
_START_DEADLINE = 60.0
_BACKOFF = (0.05, 0.2, 1.0, 5.0)
_LOG = Log(__name__)

Answer = Callable[[bytes, list[int]], bytes]
"""What an entry's `serve` returns: answers one job; the descriptors are closed afterwards."""


class WorkerError(Exception):
    """A job has no answer."""


class WorkerLate(WorkerError):
    """The job was running when its deadline passed; its process was killed."""


class WorkerDied(WorkerError):
    """The process ended while the job was running, or could not start."""


class WorkersBusy(WorkerError):
    """Too many jobs are waiting already."""


@dataclass(slots=True, eq=False)
class _Job:
    payload: bytes
    deadline: float
    fds: Sequence[int]
    future: asyncio.Future[bytes]


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What telemetry shows of a pool: processes ready, restarts so far, jobs waiting or running."""

    ready: int
    restarts: int
    jobs: int


class WorkerPool:
    """A fixed number of child processes that answer jobs.

    `entry` is `module:function`; the function takes the setup bytes and returns an `Answer`. Jobs
    with descriptors need `depth=1`. `nice` lowers the processes' claim to a busy machine's cores
    (nice(2)). Not thread-safe: one event loop owns a pool.
    """

    def __init__(
        self,
        *,
        entry: str,
        size: int = 1,
        setup: bytes = b"",
        depth: int = 1,
        queue: int = 4096,
        nice: int = 0,
    ) -> None:
        self._depth, self._queue = depth, queue
        self._workers = [_Worker(entry, setup, nice, self._dispatch) for _ in range(size)]
        self._many = size > 1
        self._waiting: deque[_Job] = deque()

    async def start(self) -> None:
        """Start every process and wait until each is ready. Raises WorkerDied."""
        try:
            await asyncio.gather(*(worker.start() for worker in self._workers))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every process; jobs without an answer get WorkerDied."""
        for worker in self._workers:
            worker.stop()
        while self._waiting:
            _fail(self._waiting.popleft(), WorkerDied("the pool is stopped"))

    async def call(self, job: bytes, *, deadline: float, fds: Sequence[int] = ()) -> bytes:
        """Have one job answered within `deadline` seconds of its start.

        Raises WorkerLate, WorkerDied or WorkersBusy. The caller keeps `fds` open until it returns.
        """
        if len(self._waiting) >= self._queue:
            raise WorkersBusy("too many jobs are waiting")
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Job(job, deadline, fds, future))
        self._dispatch()
        return await future

    def facts(self) -> WorkerFacts:
        return WorkerFacts(
            ready=sum(worker.ready for worker in self._workers),
            restarts=sum(worker.restarts for worker in self._workers),
            jobs=len(self._waiting) + sum(worker.load for worker in self._workers),
        )

    def pids(self) -> tuple[int, ...]:
        """The process ids of the children that run now."""
        return tuple(pid for worker in self._workers if (pid := worker.pid))

    def _dispatch(self) -> None:
        while self._waiting:
            worker = min(self._workers, key=_preference) if self._many else self._workers[0]
            if worker.load >= self._depth:
                return
            job = self._waiting.popleft()
            if not job.future.done():
                worker.submit(job)


def _preference(worker: "_Worker") -> tuple[bool, int]:
    return (not worker.ready, worker.load)


def _fail(job: _Job, error: WorkerError) -> None:
    if not job.future.done():
        job.future.set_exception(error)


@dataclass(slots=True, eq=False)
class _Worker:
    """One child process at a time, and the jobs it has in flight, oldest first."""

    entry: str
    setup: bytes
    nice: int
    freed: Callable[[], None]
    ready: bool = False
    restarts: int = 0
    _jobs: deque[_Job] = field(default_factory=deque)
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

    async def start(self) -> None:
        self._loop, self._context = asyncio.get_running_loop(), copy_context()
        self._started = self._loop.create_future()
        self._spawn()
        await self._started

    def stop(self) -> None:
        self._stopped = True
        self._discard()
        while self._jobs:
            _fail(self._jobs.popleft(), WorkerDied("the pool is stopped"))

    def submit(self, job: _Job) -> None:
        self._jobs.append(job)
        if self.ready:
            self._send(job)
            if len(self._jobs) == 1:
                self._watch_head()

    def _spawn(self) -> None:
        """Raises OSError where the system has no room for another process."""
        self._child = Child(
            "gateway.workers",
            self.entry,
            str(self.nice),
            heard=self._answered,
            lost=lambda: self._lost(WorkerDied("the process ended")),
        )
        self._child.send(HEADER.pack(len(self.setup), 0) + self.setup)
        self._expect(_START_DEADLINE)

    def _send(self, job: _Job) -> None:
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
            _fail(self._jobs.popleft(), error)
        elif not was_ready:
            # A process that cannot start answers nobody: the jobs must not wait for a miracle.
            while self._jobs:
                _fail(self._jobs.popleft(), WorkerDied("the process cannot start"))
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
        if self._stopped:
            return
        try:
            self._spawn()
        except OSError:  # no descriptor, no memory, no place for a process: that passes
            self._lost(WorkerDied("the process cannot start"))

    def _discard(self) -> None:
        self.ready, self._due = False, math.inf
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._child:
            self._child.end()
            self._child = None


# --- the child's side -------------------------------------------------------------------------


def _answer_all(entry: str, sock: socket.socket) -> None:
    module, _, function = entry.partition(":")
    frames = _Frames(sock)
    setup, _ = frames.next()
    answer: Answer = getattr(importlib.import_module(module), function)(setup)
    sock.sendall(HEADER.pack(0, 0))
    while True:
        job, fds = frames.next()
        try:
            result = answer(job, fds)
        finally:
            for each in fds:
                os.close(each)
        sock.sendall(HEADER.pack(len(result), 0) + result)


class _Frames:
    """The frames that the parent sends. Several may come in one read; descriptors come with the
    first byte of their frame, and then (depth 1) with no other frame behind it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = bytearray()
        self._fds: list[int] = []

    def next(self) -> tuple[bytes, list[int]]:
        self._hold(HEADER.size)
        length, count = HEADER.unpack_from(self._data)
        if length > _MAX_FRAME:
            raise ValueError("frame out of bounds")
        end = HEADER.size + length
        self._hold(end)
        payload = bytes(self._data[HEADER.size : end])
        del self._data[:end]
        fds, self._fds = self._fds[:count], self._fds[count:]
        if len(fds) != count:
            raise ValueError("descriptors are missing")
        return payload, fds

    def _hold(self, size: int) -> None:
        while len(self._data) < size:
            data, fds, _, _ = socket.recv_fds(self._sock, _READ, _MAX_FDS)
            if not data:
                os._exit(0)  # the parent closed its end
            self._data += data
            self._fds += fds


if __name__ == "__main__":
    entry, nice, parent, fd = sys.argv[1:]
    with living(f"worker {entry}", int(parent), nice=int(nice)):
        _answer_all(entry, socket.socket(fileno=int(fd)))
