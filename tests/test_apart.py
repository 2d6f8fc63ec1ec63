"""What is found apart comes back, and nothing else of how it was found."""

import os
import signal
import subprocess
import sys

import pytest

from gateway.apart import Apart
from tests.conftest import REPOSITORY


def test_an_answer_comes_back_and_nothing_that_it_took() -> None:
    taken: list[int] = []

    def find() -> bytes:
        taken.append(os.getpid())
        return b"x" * 2**20 + str(taken[0]).encode()

    found = Apart(find).answer()
    assert found[: 2**20] == b"x" * 2**20 and int(found[2**20 :]) != os.getpid()
    assert taken == []
    with pytest.raises(ChildProcessError):
        os.waitpid(int(found[2**20 :]), 0)  # it was seen off


@pytest.mark.parametrize("wrong", [ValueError("secret"), KeyboardInterrupt(), SystemExit(3)])
def test_what_fails_apart_has_no_answer_and_says_nothing(
    wrong: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    def find() -> bytes:
        raise wrong

    with pytest.raises(EOFError):
        Apart(find).answer()
    assert capfd.readouterr() == ("", "")


def test_what_is_killed_in_the_midst_of_its_answer_has_none() -> None:
    """A part of one may read as a whole one."""
    apart = Apart(lambda: b"x" * 2**20)  # more than a pipe holds
    assert os.read(apart._reading, 1) == b"x"
    os.kill(apart._child, signal.SIGKILL)
    with pytest.raises(EOFError):
        apart.answer()


def test_where_no_process_can_be_made_no_descriptor_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="temporarily"):
        Apart(lambda: b"never")
    assert os.listdir("/proc/self/fd") == before


def test_it_ends_with_its_parent() -> None:
    code = (
        "import os, sys, time\n"
        "from gateway.apart import Apart\n"
        "Apart(lambda: os.write(1, b'%d' % os.getpid()) and time.sleep(600))\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as parent:
        assert parent.stdout
        assert os.read(parent.stdout.fileno(), 20).isdigit()
        parent.kill()
        assert parent.stdout.read() == b""  # nobody is left who could write to it
