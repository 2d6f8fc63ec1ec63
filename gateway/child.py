"""A child process of ours: hardened, quiet, and never longer alive than its parent.

    spawn("gateway.workers", …) ─▶ python -m gateway.workers … FD ─▶ with living(…): …

Parent and child hold one end each of a socket pair; the child gets the number of its end as its
last argument.
"""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

_MEMORY = 4 * 2**30
"""Address space of a child: a parser that wants more dies, and its exchange is refused."""


def harden() -> None:
    """No core file, no ptrace or /proc/pid/mem by others: memory here holds personal data."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)


_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # not Linux: the rest still holds
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def spawn(module: str, *arguments: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start `python -m module arguments… FD`; returns it and our end, which doesn't block.

    Raises OSError where the system has no room for another process.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    flags = ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, *flags, "-m", module, *arguments, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


@contextlib.contextmanager
def living(name: str, *, nice: int = 0) -> Iterator[None]:
    """The whole life of a child; the process ends with the block, whatever happens in it.

    What goes wrong is one line on standard error, by type and place: a text may quote a body.
    """
    # A parent killed outright must not leave a runaway child behind.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    harden()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.nice(nice)
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group by some supervisors:
        signal.signal(number, signal.SIG_IGN)  # the parent decides when to stop
    # Native code prints its panics, input included, to standard error: keep only our own line.
    stderr = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        yield
    except BaseException as error:  # noqa: BLE001 - a panic is a BaseException; every path exits
        where = error.__traceback__
        while where and where.tb_next:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
        os.write(stderr, f"{name} ends: {type(error).__name__} at {place}\n".encode())
        os._exit(70)
    os._exit(0)
