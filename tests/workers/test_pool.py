"""A pool: jobs in order, no more than fit, and none that spoils it for the next."""

import asyncio

import pytest

from gateway.workers.worker import WorkerDied, WorkersBusy
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
