"""Where children come from: forked from the `zygote`, or else a fresh interpreter each.

    start(module, …) ─▶ zygote, which is started first ─▶ fork ─▶ as `python -m module … PARENT FD`

A zygote that was killed took its children along; another one is started with the next child.
"""

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Protocol

from gateway.zygote import ANSWER, MAX_REQUEST

_ZYGOTE = "gateway.zygote"
_IMPORTING, _FORKING = 30.0, 10.0
"""Seconds for the first answer of a zygote, which has its modules to import, and for another one:
whoever waits for it does nothing else."""


class Process(Protocol):
    """A running child. All but the first may raise OSError until `pid` was asked for."""

    @property
    def pid(self) -> int:
        """Raises OSError where it could not be started after all."""
        ...

    def kill(self) -> None: ...

    def wait(self, timeout: float | None = None) -> object:
        """Until it has ended. Raises subprocess.TimeoutExpired."""
        ...


def start(module: str, arguments: tuple[str, ...], fd: int) -> Process:
    """Start `python -m module arguments… PARENT FD`. Raises OSError where the system has no room
    for another process, maybe not before the process is used."""
    if not _forking():
        return _fresh(module, arguments, fd)
    global _zygote
    if _zygote is None or not _zygote.lives():
        if _zygote:
            _zygote.end()
        _zygote = _Zygote()
    return _zygote.fork("\0".join((module, *arguments)).encode(), fd)


def _forking() -> bool:
    """Whether this system can name a process by a descriptor (Linux 5.3): the parent of those that
    are forked is another one, and a number alone may be somebody else's by now."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError) as error:
        # No descriptor is left: that passes, and the child that is asked for fails by itself.
        return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
    return True


class Forked:
    """One that the zygote was asked for: its process id and a descriptor of it, once it is known.
    Its descriptor is closed when it was seen to end."""

    def __init__(self, zygote: "_Zygote") -> None:
        self._zygote = zygote
        self._ended = False
        self.answer: tuple[int, int] | OSError | None = None

    @property
    def pid(self) -> int:
        return self._known()[0]

    def kill(self) -> None:
        _, fd = self._known()
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> None:
        _, fd = self._known()
        if self._ended:
            return
        end = select.poll()
        end.register(fd, select.POLLIN)
        if not end.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("", timeout or 0.0)
        self._close(fd)

    def _known(self) -> tuple[int, int]:
        while self.answer is None:
            self._zygote.hear()
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer

    def _close(self, fd: int) -> None:
        self._ended = True
        os.close(fd)

    def __del__(self) -> None:
        if isinstance(self.answer, tuple) and not self._ended:
            self._close(self.answer[1])


class _Zygote:
    """The process that forks. Raises OSError where it can't be started."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asked: deque[Forked] = deque()
        self._patience = _IMPORTING
        with theirs:
            self._process = _fresh(_ZYGOTE, (), theirs.fileno())

    def lives(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """And with it all of its children."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def fork(self, request: bytes, fd: int) -> Forked:
        """Ask for a child; its answer comes in the order of the questions."""
        if len(request) > MAX_REQUEST:  # it would be cut, and the child another one
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        socket.send_fds(self._socket, [request], [fd])
        forked = Forked(self)
        self._asked.append(forked)
        return forked

    def hear(self) -> None:
        """One answer, to the oldest question."""
        try:
            self._socket.settimeout(self._patience)
            data, fds, _, _ = socket.recv_fds(self._socket, ANSWER.size, 1)
            pid, fault = ANSWER.unpack(data) if data else (0, errno.ECHILD)
            self._patience = _FORKING
        except OSError as error:
            self._process.kill()  # it stands still: its children are of no use either
            pid, fault, fds = 0, error.errno or errno.ETIMEDOUT, []
        fault = fault or errno.EMFILE  # where no descriptor came along: there was no room for it
        answer = (pid, fds[0]) if fds else OSError(fault, os.strerror(fault))
        self._asked.popleft().answer = answer


_zygote: _Zygote | None = None


def _fresh(module: str, arguments: tuple[str, ...], fd: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, *_flags(), "-m", module, *arguments, str(os.getpid()), str(fd)],
        pass_fds=[fd],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _flags() -> list[str]:
    """As this interpreter runs; and `-m` finds a module in the current folder, which may be
    anybody's, only where this one would."""
    flags = ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    try:
        here = Path.cwd()
    except OSError:  # it was deleted
        return [*flags, "-P"]
    trusted = any(Path(each).resolve() == here for each in sys.path)
    return flags if trusted else [*flags, "-P"]
