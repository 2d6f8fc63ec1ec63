"""The process that children are forked from: what it has, and what it hands down."""

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway import zygote
from gateway.processes import start
from tests.conftest import REPOSITORY
from tests.test_processes import parent, started, works


def test_what_it_imports_starts_no_thread_and_brings_no_network() -> None:
    """A fork has only the thread that forked; and what a child has, an intruder in it has."""
    code = (
        "import os, sys\n"
        "from importlib import import_module\n"
        "from gateway.zygote import _SHARED\n"
        "for each in _SHARED: import_module(each)\n"
        "print(len(os.listdir('/proc/self/task')),"
        " {'asyncio', 'ssl', 'aiohttp', 'http', 'email', 'cryptography'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert done.stdout == "1 set()\n"


def sockets(pid: int) -> set[str]:
    there = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}
    return {each for each in there if each.startswith("socket:")}


def test_it_keeps_nothing_of_a_child_and_a_child_nothing_of_it() -> None:
    with started() as (one, its), started() as (other, theirs):
        assert works(its)
        assert works(theirs)
        asked_on = sockets(parent(one))
        assert len(asked_on) == 1
        assert len(sockets(one.pid)) == len(sockets(other.pid)) == 1
        assert not (sockets(one.pid) | asked_on) & sockets(other.pid)
        assert not sockets(one.pid) & asked_on


def test_it_dumps_no_core_and_leaves_signals_to_the_gateway() -> None:
    with started() as (process, sock):
        pid = parent(process)
        limits = Path(f"/proc/{pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        assert works(sock)


def faults_of_children(pid: int) -> int:
    """Of those that ended and were asked after (cminflt in proc_pid_stat(5))."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[8])


def test_a_child_that_ended_leaves_no_zombie_and_what_it_spent_is_counted() -> None:
    with started() as (process, _):
        forking = parent(process)
        before = faults_of_children(forking)
        process.kill()
        while Path(f"/proc/{process.pid}").exists():
            time.sleep(0.001)
        assert faults_of_children(forking) > before


def ended(pid: int) -> bool:
    """Whether nothing of it is left but, maybe, what nobody has asked after."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def test_it_and_its_children_end_with_a_gateway_that_is_killed() -> None:
    code = (
        "import os, signal, socket\n"
        "from gateway.processes import start\n"
        "ours, theirs = socket.socketpair()\n"
        "child = start('gateway.workers.answering',"
        " ('tests.support.echo_worker:serve', '1', '0'), theirs.fileno())\n"
        "ours.sendall(bytes(5)); ours.recv(5)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # Returns when all three are gone, or nearly: they share standard error.
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    while not ended(int(done.stdout)):
        time.sleep(0.001)  # a bounded poll (pytest-timeout)


def test_a_child_of_a_child_can_be_waited_for() -> None:
    """The zygote waits for none of its own; a child that forks (the policy's does) must."""
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    with ours:
        with theirs:
            start("tests.support.forking_child", (), theirs.fileno())
        assert ours.recv(10) == b"3"


def test_a_child_whose_descriptor_has_no_room_is_refused_and_the_next_one_is_not() -> None:
    with started() as (one, its):
        assert works(its)
        zygote_pid = parent(one)
        limits = resource.prlimit(zygote_pid, resource.RLIMIT_NOFILE)
        resource.prlimit(zygote_pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        with started() as (other, _), pytest.raises(OSError, match="Too many open files"):
            _ = other.pid
        resource.prlimit(zygote_pid, resource.RLIMIT_NOFILE, limits)
        with started() as (third, theirs):
            assert works(theirs)
            assert parent(third) == zygote_pid


class _Gone(Exception):
    """Instead of the end of the process."""


def test_where_there_is_no_room_for_a_process_it_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused() -> int:
        raise OSError(errno.EAGAIN, "")

    def end(_: int) -> None:
        raise _Gone

    monkeypatch.setattr(os, "fork", refused)
    monkeypatch.setattr(os, "_exit", end)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, open(os.devnull, "rb") as sent, ours:
        for _ in range(2):
            socket.send_fds(ours, [b"a.module\0argument"], [sent.fileno()])
        before = len(os.listdir("/proc/self/fd"))
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(_Gone):
            zygote.serve(theirs)
        answers = [zygote.ANSWER.unpack(ours.recv(100)) for _ in range(2)]
        assert len(os.listdir("/proc/self/fd")) == before
    assert answers == [(0, errno.EAGAIN)] * 2


def test_where_its_answer_has_no_room_it_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or all of its children would end with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    real = socket.send_fds

    def full(sock: socket.socket, *rest: Any) -> int:
        if sock is theirs:
            raise OSError(errno.ENOBUFS, "")
        return real(sock, *rest)

    def end(_: int) -> None:
        raise _Gone

    with theirs, open(os.devnull, "rb") as sent, ours:
        with subprocess.Popen(["sleep", "60"]) as child:
            monkeypatch.setattr(os, "fork", lambda: child.pid)
            monkeypatch.setattr(os, "_exit", end)
            monkeypatch.setattr(socket, "send_fds", full)
            real(ours, [b"a.module\0argument"], [sent.fileno()])
            ours.shutdown(socket.SHUT_WR)
            before = len(os.listdir("/proc/self/fd"))
            with pytest.raises(_Gone):
                zygote.serve(theirs)
            assert len(os.listdir("/proc/self/fd")) == before
            child.kill()
        assert zygote.ANSWER.unpack(ours.recv(100)) == (0, errno.ENOBUFS)
