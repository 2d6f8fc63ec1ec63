"""The child's side of a `child`: hardened, quiet, and never longer alive than its parent.

By itself, and without an event loop: what a child imports is most of what its start costs.
"""

import contextlib
import ctypes
import gc
import os
import resource
import signal
import struct
from collections.abc import Iterator

HEADER = struct.Struct("!IB")
"""The head of a frame: the length of what follows, and a byte."""

_MEMORY = 4 * 2**30
"""Address space of a child: a parser that wants more dies, and its exchange is refused."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_THP_DISABLE = 41


def harden() -> None:
    """No core file, no ptrace or /proc/pid/mem by others: memory here holds personal data."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)


def take_descriptors() -> None:
    """All that may be had: the usual soft limit of 1,024 is spent by as many idle callers."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # not Linux: the rest still holds
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def freeze() -> None:
    """What lives now lives until the end: looking through it again and again for garbage costs a
    tenth of a small exchange, and the rows of a table that are there at once cost a quarter of its
    reading if each few hundred of them are looked through."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def end_with(parent: int) -> None:
    """End when the parent does: one that is killed outright must not leave a runaway child behind.

    It may be dead already. A process that is forked has to say so for itself.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


@contextlib.contextmanager
def living(name: str, parent: int, *, nice: int = 0) -> Iterator[None]:
    """The whole life of a child; the process ends with the block, whatever happens in it.

    What goes wrong is one line on standard error, by type and place: a text may quote a body.
    """
    end_with(parent)
    harden()
    _prctl(_PR_SET_THP_DISABLE, 1)  # some allocators ask for pages of 2 MiB, and use little of them
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
