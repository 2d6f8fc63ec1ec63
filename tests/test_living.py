"""A child's side: what it may do, and how it ends."""

import json
import os
import signal
import subprocess
import sys

from tests.conftest import REPOSITORY


def alive(body: str, parent: int | None = None) -> subprocess.CompletedProcess[str]:
    whose = os.getpid() if parent is None else parent
    code = f"from gateway.living import living\nwith living('a child', {whose}, nice=3):\n{body}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )


def test_a_child_ends_with_its_block() -> None:
    done = alive("    pass\nprint('never')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_child_whose_parent_died_before_it_could_be_bound_to_it_does_nothing() -> None:
    """Nobody would kill it: the kernel was told too late."""
    done = alive("    import os; os.write(1, b'here')", parent=os.getppid())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_lives_when_a_child_is_ready_is_never_looked_through_again() -> None:
    done = alive(
        "    import gc, os\n"
        "    from gateway.living import freeze\n"
        "    freeze()\n"
        "    os.write(1, repr([gc.get_freeze_count() > 1000, gc.isenabled()]).encode())"
    )
    assert done.stdout == "[True, True]"


def test_a_child_has_no_more_memory_than_it_writes_to() -> None:
    """What an allocator asks for by huge pages is all there, however little of it is used."""
    done = alive("    import os\n    os.write(1, open('/proc/self/status', 'rb').read())")
    said = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    assert said.get("THP_enabled", "0") == "0"  # before Linux 5.0 it isn't said


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


def test_a_hardened_process_dumps_no_core() -> None:
    code = (
        "from gateway.living import harden; import resource; harden();"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert done.stdout == "0\n"


def test_a_forked_process_ends_with_its_parent_too() -> None:
    code = (
        "import os, signal\n"
        "from gateway.living import end_with\n"
        "parent = os.getpid()\n"
        "reading, writing = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    end_with(parent)\n"
        "    os.write(writing, b'x')\n"
        "    signal.pause()\n"
        "os.read(reading, 1)\n"
        "os.kill(parent, signal.SIGKILL)\n"
    )
    # Returns when both are gone: the forked one holds the other end of standard output, too.
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=REPOSITORY, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL


def test_a_child_that_reads_bodies_has_no_event_loop() -> None:
    """Nor the network: what it imports is most of what a start costs, and what an intruder has."""
    code = (
        "import sys, gateway.workers.answering, gateway.inspection.process\n"
        "print({'asyncio', 'ssl', 'aiohttp', 'http', 'email', 'cryptography'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert done.stdout == "set()\n"
