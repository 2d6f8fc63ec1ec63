"""A job in, its answer out: `await pool.call(job, deadline=…)`."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass

from gateway.workers.worker import Job, Worker, WorkerDied, WorkersBusy

_IDLE = 2.0
"""Seconds between two looks at what is idle: to start one again takes some hundredths of one."""


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What telemetry shows of a pool: processes ready, restarts so far, jobs waiting or running."""

    ready: int
    restarts: int
    jobs: int


class WorkerPool:
    """At most `size` child processes that answer jobs.

    Of those, `least` (or all) are always there. Another one is started when a job waits and all are
    busy, and is ended when it had nothing to do for a while; `ending` hears of that before.

    `entry` is `module:function`; the function takes the setup bytes and returns an `Answer`. Jobs
    with descriptors need `depth=1`. `nice` lowers the processes' claim to a busy machine's cores
    (nice(2)). Not thread-safe: one event loop owns a pool.
    """

    def __init__(
        self,
        *,
        entry: str,
        size: int = 1,
        least: int | None = None,
        setup: bytes = b"",
        depth: int = 1,
        queue: int = 4096,
        nice: int = 0,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        self._depth, self._queue = depth, queue
        self._workers = [Worker(entry, setup, depth, nice, self._dispatch) for _ in range(size)]
        self._many = size > 1
        self._ending = ending
        self._kept = size if least is None else min(least, size)
        self._look: asyncio.TimerHandle | None = None
        self._waiting: deque[Job] = deque()

    async def start(self) -> None:
        """Start every process that is always there, and wait until each is ready. Raises
        WorkerDied."""
        self._loop, self._context = asyncio.get_running_loop(), copy_context()
        try:
            await asyncio.gather(
                *(
                    worker.start(resting=number >= self._kept)
                    for number, worker in enumerate(self._workers)
                )
            )
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every process; jobs without an answer get WorkerDied."""
        if self._look:
            self._look.cancel()
        for worker in self._workers:
            worker.stop()
        while self._waiting:
            self._waiting.popleft().fail(WorkerDied("the pool is stopped"))

    async def call(self, job: bytes, *, deadline: float, fds: Sequence[int] = ()) -> bytes:
        """Have one job answered within `deadline` seconds of its start.

        Raises WorkerLate, WorkerDied or WorkersBusy. The caller keeps `fds` open until it returns.
        """
        if len(self._waiting) >= self._queue:
            raise WorkersBusy("too many jobs are waiting")
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting.append(Job(job, deadline, fds, future))
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
                self._wake(len(self._waiting) - self._coming())
                return
            if not worker.ready and self._wake(1):
                return  # it may be a while until that one can be started
            job = self._waiting.popleft()
            if not job.future.done():
                worker.submit(job)

    def _coming(self) -> int:
        return sum(not (worker.ready or worker.resting) for worker in self._workers)

    def _wake(self, most: int) -> bool:
        """Start so many of those that rest; whether there was one."""
        resting = [worker for worker in self._workers if worker.resting][: max(0, most)]
        for worker in resting:
            worker.wake()
            self._look_later()
        return bool(resting)

    def _look_later(self) -> None:
        if not self._look:
            self._look = self._loop.call_later(_IDLE, self._end_idle, context=self._context)

    def _end_idle(self) -> None:
        """Of those that are not always there: what had no job since the last look. Not what stands
        in for those that should always be there; and what can't be started is tried no longer."""
        self._look = None
        others = any(worker.ready for worker in self._workers[: self._kept])
        for worker in self._workers[self._kept :]:
            if worker.resting:
                continue
            needed = not others if worker.ready else bool(self._waiting)
            if not (worker.used or worker.load or needed):
                self._ending()
                worker.rest()
            else:
                worker.used = False
                self._look_later()


def _preference(worker: Worker) -> tuple[bool, bool, int]:
    return (worker.resting, not worker.ready, worker.load)
