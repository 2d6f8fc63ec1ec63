"""A pool: jobs in order, no more than fit, and none that spoils it for the next."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from gateway.workers import pool as pools
from gateway.workers.pool import WorkerFacts, WorkerPool
from gateway.workers.worker import Worker, WorkerDied, WorkersBusy
from tests.workers.support import AMPLE, running


async def test_answers_come_in_the_order_of_the_jobs_and_large_ones_arrive_whole() -> None:
    jobs = [bytes([i]) * (i * 40_000 + 1) for i in range(20)]
    async with running(depth=64) as pool:
        assert await asyncio.gather(*(pool.call(job, deadline=AMPLE) for job in jobs)) == jobs


async def test_more_waiting_jobs_than_the_queue_holds_are_refused_at_once() -> None:
    async with running(queue=2) as pool:
        running_job = asyncio.create_task(pool.call(b"forever", deadline=AMPLE))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(pool.call(b"x", deadline=AMPLE)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(WorkersBusy):
            await pool.call(b"y", deadline=AMPLE)
        await pool.stop()
        results = await asyncio.gather(running_job, *waiting, return_exceptions=True)
        assert all(isinstance(result, WorkerDied) for result in results)


async def test_a_cancelled_call_leaves_the_pool_usable() -> None:
    async with running() as pool:
        call = asyncio.create_task(pool.call(b"forever", deadline=0.3))
        await asyncio.sleep(0)
        call.cancel()
        assert await pool.call(b"next", deadline=AMPLE) == b"next"


async def test_another_process_is_there_while_jobs_wait_and_ends_when_it_is_idle(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    monkeypatch.setattr(pools, "_IDLE", 0.01)
    waiting, telling = pipe
    ending: list[int] = []
    async with (
        running(size=3, least=1, ending=lambda: ending.append(len(pool.pids()))) as pool,
        asyncio.timeout(AMPLE),
    ):
        kept = pool.pids()
        for _ in range(2):
            calls = [pool.call(b"wait", deadline=AMPLE, fds=(waiting,)) for _ in range(2)]
            jobs = [asyncio.create_task(call) for call in calls]
            while pool.facts().ready < 2:
                await asyncio.sleep(0)
            assert len(pool.pids()) == 2
            os.write(telling, b"..")
            assert await asyncio.gather(*jobs) == [b".", b"."]
            while len(pool.pids()) > 1:
                await asyncio.sleep(0)
        assert pool.pids() == kept and pool.facts() == WorkerFacts(ready=1, restarts=0, jobs=0)
        assert ending == [2, 2], "it can be looked at before"
        assert await pool.call(b"ok", deadline=AMPLE) == b"ok"


async def test_a_process_with_a_job_is_not_idle_however_long_that_takes(
    looks: list[object], pipe: tuple[int, int]
) -> None:
    waiting, telling = pipe
    async with running(size=2, least=1) as pool, asyncio.timeout(AMPLE):
        calls = [pool.call(b"wait", deadline=AMPLE, fds=(waiting,)) for _ in range(2)]
        jobs = [asyncio.create_task(call) for call in calls]
        while len(looks) < 5:
            await asyncio.sleep(0)
        os.write(telling, b"..")
        assert await asyncio.gather(*jobs) == [b".", b"."]


async def test_a_pool_that_is_stopped_starts_no_process_that_was_on_its_way(
    pipe: tuple[int, int],
) -> None:
    async with running(size=2, least=1) as pool:
        calls = [pool.call(b"wait", deadline=AMPLE, fds=pipe[:1]) for _ in range(2)]
        jobs = [asyncio.create_task(call) for call in calls]
        while pool.facts().jobs < 2:
            await asyncio.sleep(0)
        await pool.stop()
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert [type(result) for result in results] == [WorkerDied, WorkerDied]
        await asyncio.sleep(0)
        assert pool.pids() == ()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One for each look at what is idle; there are many."""
    looks: list[object] = []
    end_idle = WorkerPool._end_idle

    def looked(pool: WorkerPool) -> None:
        end_idle(pool)
        looks.append(pool)

    monkeypatch.setattr(pools, "_IDLE", 0.001)
    monkeypatch.setattr(WorkerPool, "_end_idle", looked)
    return looks


@pytest.fixture
def unstartable(monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    """For these there is no process."""
    workers: list[Worker] = []
    spawn = Worker._spawn

    def spawned(worker: Worker) -> None:
        if worker in workers:
            raise OSError(11, "Resource temporarily unavailable")
        spawn(worker)

    monkeypatch.setattr(Worker, "_spawn", spawned)
    return workers


async def test_where_the_one_that_is_always_there_cannot_be_started_another_takes_its_place(
    looks: list[object], unstartable: list[Worker]
) -> None:
    async with running(size=2, least=1) as pool, asyncio.timeout(AMPLE):
        (kept,) = pool.pids()
        unstartable.append(pool._workers[0])
        os.kill(kept, signal.SIGKILL)
        while pool.pids():
            await asyncio.sleep(0)
        assert await pool.call(b"one", deadline=AMPLE) == b"one"
        del looks[:]
        while len(looks) < 5:
            await asyncio.sleep(0)
        assert pool.facts().ready == 1, "it has no job, and is needed all the same"
        assert await pool.call(b"two", deadline=AMPLE) == b"two"


async def test_one_that_cannot_be_started_is_not_tried_when_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, unstartable: list[Worker], pipe: tuple[int, int]
) -> None:
    monkeypatch.setattr(pools, "_IDLE", 0.01)
    async with running(size=2, least=1) as pool, asyncio.timeout(AMPLE):
        unstartable.append(pool._workers[1])
        calls = [pool.call(b"wait", deadline=AMPLE, fds=pipe[:1]) for _ in range(2)]
        jobs = [asyncio.create_task(call) for call in calls]
        while pool.facts().restarts < 1:
            await asyncio.sleep(0)
        os.write(pipe[1], b"..")
        assert await asyncio.gather(*jobs) == [b".", b"."]
        while not pool._workers[1].resting:
            await asyncio.sleep(0)
        assert pool.facts().ready == 1


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)
