"""Where a child comes from, and what becomes of it when that is gone."""

import errno
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from gateway import processes
from gateway.processes import Forked, Process, start

ECHO = ("gateway.workers.answering", ("tests.support.echo_worker:serve", "1", "0"))


@contextmanager
def started() -> Iterator[tuple[Process, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    with ours:
        with theirs:
            process = start(*ECHO, theirs.fileno())
        yield process, ours


def works(sock: socket.socket) -> bool:
    """Whether it takes its setup and says that it is ready."""
    sock.sendall(bytes(5))
    return sock.recv(5) == bytes(5)


def parent(process: Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("PPid:")[2].split()[0])


def test_children_are_forked_from_one_process_and_go_by_their_own_names() -> None:
    with started() as (one, its), started() as (other, theirs):
        assert works(its)
        assert works(theirs)
        assert parent(one) == parent(other) != os.getpid()
        assert b"echo_worker" in Path(f"/proc/{one.pid}/cmdline").read_bytes()
        one.kill()
        one.wait(60)
        one.kill()  # again, and it is nobody else's
        assert its.recv(1) == b""
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.0)


def test_a_zygote_that_dies_takes_its_children_along_and_the_next_child_has_another_one() -> None:
    with started() as (one, its):
        assert works(its)
        zygote = parent(one)
        os.kill(zygote, signal.SIGKILL)
        assert its.recv(1) == b""
        one.wait(60)
    with started() as (other, theirs):
        assert works(theirs)
        assert parent(other) != zygote


@pytest.mark.usefixtures("own_zygote")
def test_children_outlive_the_thread_that_asked_for_the_first_one() -> None:
    """PR_SET_PDEATHSIG would end them with it: `check` has a thread that compiles the Rego."""
    held: list[Process] = []
    with ExitStack() as stack:

        def ask() -> None:
            process, sock = stack.enter_context(started())
            assert works(sock)
            held.append(process)

        thread = Thread(target=ask)
        thread.start()
        thread.join(60)
        gone = Path(f"/proc/self/task/{thread.native_id}")
        while gone.exists():
            pass
        with started() as (other, its):
            assert works(its)
            assert parent(other) == parent(held[0])


@pytest.mark.usefixtures("own_zygote")
def test_a_child_that_was_asked_for_in_vain_is_an_error_and_so_is_everything_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The zygote stands still: it is killed, rather than waited for again and again."""
    with started() as (one, its):
        assert works(its)
        os.kill(parent(one), signal.SIGSTOP)
        assert processes._zygote
        monkeypatch.setattr(processes._zygote, "_patience", 0.01)
        with started() as (other, _), started() as (third, _):
            for process in (other, third):
                with pytest.raises(OSError):
                    _ = process.pid
                with pytest.raises(OSError):
                    process.kill()
        one.wait(60)
    with started() as (_, sock):
        assert works(sock)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_where_a_process_has_no_descriptor_each_child_is_a_fresh_interpreter(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Older kernels, and sandboxes."""

    def refused(_: int) -> int:
        raise OSError(number, "")

    monkeypatch.setattr(os, "pidfd_open", refused)
    with started() as (process, sock):
        assert parent(process) == os.getpid()
        assert works(sock)
    process.wait(60)


def test_no_descriptor_of_a_child_outlives_what_is_known_of_it() -> None:
    with started() as (process, _):
        assert isinstance(process, Forked)
        assert process.pid
    del process
    before = len(os.listdir("/proc/self/fd"))
    with started() as (process, _):
        assert process.pid
    del process
    assert len(os.listdir("/proc/self/fd")) == before


def test_words_that_would_be_cut_start_nothing() -> None:
    with open(os.devnull, "rb") as end, pytest.raises(OSError, match="too long"):
        start("a.module", ("x" * 4096,), end.fileno())
