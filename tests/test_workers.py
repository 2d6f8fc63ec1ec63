"""Worker processes: killable, ordered, and only the job at the head pays."""

import asyncio
import errno
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.trace import CURRENT, Trace
from gateway.workers import WorkerDied, WorkerLate, WorkerPool, WorkersBusy

ENTRY = "tests.support.echo_worker:serve"
AMPLE = 30.0


@asynccontextmanager
async def running(**options: object) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(entry=ENTRY, **options)  # type: ignore[arg-type]
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


async def test_a_job_is_answered_with_the_setup_it_was_given() -> None:
    async with running(setup=b"s:") as pool:
        assert await pool.call(b"job", deadline=AMPLE) == b"s:job"


async def test_answers_come_in_the_order_of_the_jobs_and_large_ones_arrive_whole() -> None:
    jobs = [bytes([i]) * (i * 40_000 + 1) for i in range(20)]
    async with running(depth=64) as pool:
        assert await asyncio.gather(*(pool.call(job, deadline=AMPLE) for job in jobs)) == jobs


async def test_a_descriptor_travels_with_its_job_even_when_its_file_has_no_name() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"spooled")
        file.flush()
        async with running() as pool:
            assert await pool.call(b"read", deadline=AMPLE, fds=(file.fileno(),)) == b"spooled"


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
        start, failures = subprocess.Popen, iter([errno.EAGAIN, errno.EMFILE])
        held = len(os.listdir("/proc/self/fd"))

        def refused(*args: object, **options: object) -> object:
            for number in failures:
                raise OSError(number, "refused")
            return start(*args, **options)  # type: ignore[call-overload]

        monkeypatch.setattr("gateway.child.subprocess.Popen", refused)
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
        while "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]:
            pass  # the event loop must not hear of it yet
        with tempfile.TemporaryFile() as file, pytest.raises(WorkerDied):
            await pool.call(b"read", deadline=AMPLE, fds=(file.fileno(),))
        assert await pool.call(b"ok", deadline=AMPLE) == b"ok"


async def test_a_setup_that_fails_is_reported_at_the_start_without_its_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pool = WorkerPool(entry=ENTRY, setup=b"broken")
    with pytest.raises(WorkerDied):
        await pool.start()
    stderr = capfd.readouterr().err
    assert "RuntimeError" in stderr and "canary" not in stderr


async def test_an_exception_in_a_job_writes_its_place_and_never_its_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with running() as pool:
        with pytest.raises(WorkerDied):
            await pool.call(b"raise", deadline=AMPLE)
    stderr = capfd.readouterr().err
    assert "echo_worker.py" in stderr and "canary" not in stderr


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


async def test_a_child_can_write_no_core_file_and_its_memory_cannot_be_read_by_others() -> None:
    async with running() as pool:
        pid = int(await pool.call(b"pid", deadline=AMPLE))
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0\s", limits)
        assert await pool.call(b"dumpable", deadline=AMPLE) == b"0"


def test_every_child_is_gone_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, os\n"
        "from gateway.workers import WorkerPool\n"
        "async def main():\n"
        f"    pool = WorkerPool(entry={ENTRY!r})\n"
        "    await pool.start()\n"
        "    print((await pool.call(b'pid', deadline=30)).decode(), flush=True)\n"
        "    await pool.call(b'forever', deadline=600)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    handle = os.pidfd_open(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    ready, _, _ = select.select([handle], [], [], 30)
    os.close(handle)
    assert ready, "the child outlived its parent"


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

    monkeypatch.setattr("gateway.workers._LOG", Said())
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
