"""A child process of ours: what it may do, and how it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.child import Child, begin, give_up, spawn
from gateway.living import HEADER
from gateway.processes import Forked
from tests.conftest import REPOSITORY

WORKER = "gateway.workers.answering"


def test_spawned_it_holds_the_other_end_of_a_socket() -> None:
    process, ours = spawn(WORKER, "tests.support.echo_worker:serve", "1", "0")
    with ours:
        os.set_blocking(ours.fileno(), True)
        ours.settimeout(60)
        ours.sendall(bytes(5))  # an empty setup: a length and a count of descriptors
        assert ours.recv(5) == bytes(5)
    process.wait(60)


FOREIGN = "open({marker!r}, 'w').close()"


@pytest.mark.parametrize("trusted", [False, True])
def test_a_child_imports_nothing_from_the_current_folder_unless_its_parent_does(
    tmp_path: Path, trusted: bool
) -> None:
    """The folder in which a service is started may be anybody's."""
    marker = tmp_path / "imported"
    (tmp_path / "foreign.py").write_text(FOREIGN.format(marker=str(marker)), encoding="utf-8")
    code = (
        f"import sys; sys.path[0] = {str(REPOSITORY)!r}\n"
        f"sys.path += {[str(tmp_path)] * trusted!r}\n"
        "from gateway.child import spawn\n"
        "process, _ = spawn('foreign')\n"
        "process.wait(60)"
    )
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert marker.exists() is trusted


async def test_frames_may_come_in_any_pieces_and_several_at_once() -> None:
    heard: list[bytes] = []
    child = echo(heard.append)
    setup = HEADER.pack(0, 0)
    jobs = b"".join(HEADER.pack(len(job), 0) + job for job in (b"one", b"", b"x" * 300_000))
    for at in range(len(setup)):
        child.send(setup[at : at + 1])
        await asyncio.sleep(0)
    child.send(jobs)
    async with asyncio.timeout(60):
        while len(heard) < 4:
            await asyncio.sleep(0.001)
    child.end()
    assert heard == [b"", b"one", b"", b"x" * 300_000]


def echo(heard: Callable[[bytes], None], lost: Callable[[], None] = lambda: None) -> Child:
    return Child(WORKER, "tests.support.echo_worker:serve", "1", "0", heard=heard, lost=lost)


async def test_a_child_that_ends_is_lost_once_and_one_that_is_ended_is_not() -> None:
    lost = asyncio.Event()
    times: list[str] = []

    def mourn() -> None:
        times.append("lost")
        lost.set()

    echo(lambda _: None).end()  # the zygote is there from now on
    before = len(os.listdir("/proc/self/fd"))
    child = echo(lambda _: None, mourn)
    pids = [child.pid]
    os.kill(child.pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        await lost.wait()
    child.end()
    child.send(b"nobody hears it")
    other = echo(lambda _: None, mourn)
    pids.append(other.pid)
    other.end()
    await asyncio.sleep(0)
    assert times == ["lost"]
    del child, other
    assert len(os.listdir("/proc/self/fd")) == before
    async with asyncio.timeout(60):
        while any(Path(f"/proc/{pid}").exists() for pid in pids):  # not even as a zombie
            await asyncio.sleep(0.001)


async def test_nobody_waits_for_a_child_that_the_kernel_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the call to a disk that hangs even SIGKILL waits. It is seen off with a later one."""
    child = echo(lambda _: None)
    wait, held, seen = Forked.wait, {child.pid}, []

    def hold(process: Forked, timeout: float | None = None) -> None:
        if process.pid in held:
            assert timeout is not None, "somebody waits for ever"
            raise subprocess.TimeoutExpired("", timeout)
        wait(process, timeout)
        seen.append(process.pid)

    monkeypatch.setattr(Forked, "wait", hold)
    child.end()
    while Path(f"/proc/{child.pid}").exists():
        await asyncio.sleep(0.001)
    assert seen == []
    held.clear()
    other = echo(lambda _: None)
    other.end()
    assert sorted(seen) == sorted((child.pid, other.pid))


def test_where_no_process_can_be_had_no_socket_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(11, "no room")

    monkeypatch.setattr("gateway.child.start", refused)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="no room"):
        spawn(WORKER)
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_was_begun_is_the_one_that_is_spawned_once_unless_it_was_given_up() -> None:
    entry = (WORKER, "tests.support.echo_worker:serve", "1", "0")
    begin(*entry)
    other, theirs = spawn(WORKER, "tests.support.echo_worker:serve", "1", "1")
    process, ours = spawn(*entry)
    again, its = spawn(*entry)
    for each in (ours, theirs, its):
        each.close()
    assert process.pid < other.pid < again.pid
    begin(*entry)
    give_up(*entry)
    later, its = spawn(*entry)
    its.close()
    for each in (later, process, other, again):
        each.wait(60)
