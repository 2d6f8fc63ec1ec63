"""A worker: killable, replaced, and only the job at the head pays."""

import asyncio
import errno
import os
import signal
import tempfile
from pathlib import Path

import pytest

from gateway import child
from gateway.trace import CURRENT, Trace
from gateway.workers.pool import WorkerPool
from gateway.workers.worker import WorkerDied, WorkerLate
from tests.workers.support import AMPLE, running


async def test_a_runaway_job_is_killed_at_its_deadline_and_jobs_behind_it_are_answered() -> None:
    async with running(depth=64) as pool:
        late = asyncio.create_task(pool.call(b"forever", deadline=0.2))
        others = [asyncio.create_task(pool.call(b"%d" % i, deadline=AMPLE)) for i in range(5)]
        with pytest.raises(WorkerLate):
            await late
        assert await asyncio.gather(*others) == [b"0", b"1", b"2", b"3", b"4"]
        assert pool.facts().restarts == 1


@pytest.mark.parametrize("job", [b"die", b"raise"])
async def test_a_process_that_dies_fails_its_job_and_the_next_one_is_answered(job: bytes) -> None:
    async with running() as pool:
        with pytest.raises(WorkerDied):
            await pool.call(job, deadline=AMPLE)
        assert await pool.call(b"ok", deadline=AMPLE) == b"ok"


async def test_a_process_killed_while_idle_is_replaced() -> None:
    async with running() as pool:
        first = await pool.call(b"pid", deadline=AMPLE)
        os.kill(int(first), 9)
        while pool.facts().restarts == 0:
            await asyncio.sleep(0)
        assert await pool.call(b"pid", deadline=AMPLE) != first


async def test_a_process_that_cannot_be_replaced_at_once_is_replaced_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No descriptor, no memory, no process left (EMFILE, ENOMEM, EAGAIN): that passes."""
    async with running() as pool:
        first = await pool.call(b"pid", deadline=AMPLE)
        start, failures = child.start, iter([errno.EAGAIN, errno.EMFILE])
        held = len(os.listdir("/proc/self/fd"))

        def refused(*args: object, **options: object) -> object:
            for number in failures:
                raise OSError(number, "refused")
            return start(*args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(child, "start", refused)
        os.kill(int(first), 9)
        while pool.facts().restarts < 2:
            await asyncio.sleep(0)
        with pytest.raises(WorkerDied):
            await pool.call(b"meanwhile", deadline=AMPLE)
        assert len(os.listdir("/proc/self/fd")) < held
        assert await pool.call(b"ok", deadline=AMPLE) == b"ok"


async def test_a_job_given_up_before_its_process_is_there_is_not_sent() -> None:
    """Its descriptors are closed by then, and their numbers may be another exchange's."""
    async with running() as pool:
        first = await pool.call(b"pid", deadline=AMPLE)
        os.kill(int(first), 9)
        while pool.facts().restarts == 0:
            await asyncio.sleep(0)
        with tempfile.TemporaryFile() as file:
            call = asyncio.create_task(pool.call(b"die", deadline=AMPLE, fds=(file.fileno(),)))
            await asyncio.sleep(0)
            call.cancel()
        assert await pool.call(b"next", deadline=AMPLE) == b"next"
        assert pool.facts().restarts == 1


async def test_a_job_for_a_process_that_just_died_fails_and_the_next_one_is_answered() -> None:
    async with running() as pool:
        pid = int(await pool.call(b"pid", deadline=AMPLE))
        os.kill(pid, 9)
        while Path(f"/proc/{pid}").exists():
            pass  # the event loop must not hear of it yet
        with tempfile.TemporaryFile() as file, pytest.raises(WorkerDied):
            await pool.call(b"read", deadline=AMPLE, fds=(file.fileno(),))
        assert await pool.call(b"ok", deadline=AMPLE) == b"ok"


async def test_what_is_said_of_a_process_names_no_exchange_whose_job_was_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A timer and a reader remember the context in which they were made, for as long as they are:
    the process that is started for one exchange serves all of those after it."""

    async def late(exchange_id: str, pool: WorkerPool) -> None:
        CURRENT.set((exchange_id, Trace()))
        with pytest.raises(WorkerLate):
            await pool.call(b"forever", deadline=0.2)

    said: list[object] = []

    class Said:
        def info(self, event: str, **values: object) -> None:
            said.append(CURRENT.get())

    monkeypatch.setattr("gateway.workers.worker._LOG", Said())
    CURRENT.set(None)  # another test may have begun an exchange in the context of all
    async with running() as pool:
        for exchange_id in ("x1", "x2"):
            await asyncio.create_task(late(exchange_id, pool))
        await pool.call(b"job", deadline=AMPLE)
        (pid,) = pool.pids()
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(AMPLE):
            while pool.facts().restarts < 3:
                await asyncio.sleep(0.01)
    assert said == [None] * 3
