"""The child's side: it answers what it is given, tells nothing else, and ends with its parent."""

import os
import re
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gateway.workers.pool import WorkerPool
from gateway.workers.worker import WorkerDied
from tests.workers.support import AMPLE, ENTRY, running


async def test_a_job_is_answered_with_the_setup_it_was_given() -> None:
    async with running(setup=b"s:") as pool:
        assert await pool.call(b"job", deadline=AMPLE) == b"s:job"


async def test_a_descriptor_travels_with_its_job_even_when_its_file_has_no_name() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"spooled")
        file.flush()
        async with running() as pool:
            assert await pool.call(b"read", deadline=AMPLE, fds=(file.fileno(),)) == b"spooled"


async def test_a_descriptor_ends_a_worker_that_takes_none() -> None:
    with tempfile.TemporaryFile() as file:
        async with running(depth=2) as pool:
            assert await pool.call(b"job", deadline=AMPLE)
            with pytest.raises(WorkerDied):
                await pool.call(b"read", deadline=AMPLE, fds=(file.fileno(),))


@pytest.mark.usefixtures("own_zygote")
async def test_a_setup_that_fails_is_reported_at_the_start_without_its_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pool = WorkerPool(entry=ENTRY, setup=b"broken")
    with pytest.raises(WorkerDied):
        await pool.start()
    stderr = capfd.readouterr().err
    assert "RuntimeError" in stderr and "canary" not in stderr


@pytest.mark.usefixtures("own_zygote")
async def test_an_exception_in_a_job_writes_its_place_and_never_its_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with running() as pool:
        with pytest.raises(WorkerDied):
            await pool.call(b"raise", deadline=AMPLE)
    stderr = capfd.readouterr().err
    assert "echo_worker.py" in stderr and "canary" not in stderr


async def test_a_child_can_write_no_core_file_and_its_memory_cannot_be_read_by_others() -> None:
    async with running() as pool:
        pid = int(await pool.call(b"pid", deadline=AMPLE))
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0\s", limits)
        assert await pool.call(b"dumpable", deadline=AMPLE) == b"0"


def test_every_child_is_gone_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, os\n"
        "from gateway.workers.pool import WorkerPool\n"
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
