"""A child process of ours: what it may do, and how it ends."""

import json
import os
import subprocess
import sys

import pytest

from gateway.child import spawn
from tests.conftest import REPOSITORY


def alive(body: str) -> subprocess.CompletedProcess[str]:
    code = f"from gateway.child import living\nwith living('a child', nice=3):\n{body}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )


def test_a_child_ends_with_its_block() -> None:
    done = alive("    pass\nprint('never')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_goes_wrong_is_one_line_without_its_text() -> None:
    done = alive("    raise ValueError('secret')")
    assert done.returncode == 70
    assert done.stderr.startswith("a child ends: ValueError at ")
    assert "secret" not in done.stderr


def test_what_native_code_prints_goes_nowhere() -> None:
    done = alive("    import os\n    os.write(2, b'secret')")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_child_dumps_no_core_is_bounded_and_nice_and_leaves_signals_to_its_parent() -> None:
    done = alive(
        "    import json, os, resource, signal, sys\n"
        "    os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGINT)\n"
        "    print(json.dumps([resource.getrlimit(resource.RLIMIT_CORE),"
        " resource.getrlimit(resource.RLIMIT_AS), os.nice(0)])); sys.stdout.flush()"
    )
    assert json.loads(done.stdout) == [[0, 0], [4 * 2**30, 4 * 2**30], os.nice(0) + 3]


def test_spawned_it_holds_the_other_end_of_a_socket() -> None:
    process, ours = spawn("gateway.workers", "tests.support.echo_worker:serve", "0")
    with ours:
        os.set_blocking(ours.fileno(), True)
        ours.settimeout(60)
        ours.sendall(bytes(5))  # an empty setup: a length and a count of descriptors
        assert ours.recv(5) == bytes(5)
    assert process.wait(60) == 0


def test_where_no_process_can_be_had_no_socket_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(11, "no room")

    monkeypatch.setattr("gateway.child.subprocess.Popen", refused)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="no room"):
        spawn("gateway.workers")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_hardened_process_dumps_no_core() -> None:
    code = (
        "from gateway.child import harden; import resource; harden();"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert done.stdout == "0\n"
