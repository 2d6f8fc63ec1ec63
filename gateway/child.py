"""A child process of ours: hardened, quiet, and never longer alive than its parent.

    Child("gateway.decisionlog.process") ─▶ python -m … PARENT FD ─▶ with living(…): …

Parent and child hold one end each of a socket pair; the child gets its parent's process id and the
number of its end as its last arguments. What they say to each other are frames: a length (4 bytes),
a byte that means what their owners agreed on, and so many bytes.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

HEADER = struct.Struct("!IB")
"""The head of a frame: the length of what follows, and a byte."""

_READ = 64 * 1024
"""Bytes read at once; an allocation of more than 128 KiB would cost a system call of its own."""
_MAX_FDS = 16
"""Descriptors that come at once, at the most."""
_MEMORY = 4 * 2**30
"""Address space of a child: a parser that wants more dies, and its exchange is refused."""
_GOING = 0.5
"""Seconds in which a killed child is seen off. One that the kernel holds (in the call to a disk
that hangs) takes longer, and nobody waits for it."""


def harden() -> None:
    """No core file, no ptrace or /proc/pid/mem by others: memory here holds personal data."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)


def freeze() -> None:
    """What lives now lives until the end: looking through it again and again for garbage costs a
    tenth of a small exchange, and the rows of a table that are there at once cost a quarter of its
    reading if each few hundred of them are looked through."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # not Linux: the rest still holds
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


# --- the parent's side --------------------------------------------------------------------------


def spawn(module: str, *arguments: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start `python -m module arguments… PARENT FD`; returns it and our end, which doesn't block.

    Raises OSError where the system has no room for another process.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    fd = theirs.fileno()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, *_flags(), "-m", module, *arguments, str(os.getpid()), str(fd)],
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


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


class Channel:
    """One end of a socket pair that carries frames, owned by an event loop.

    `heard` gets what follows the header of every frame that comes; `lost` is called once, when the
    other end closes before this one does. Where it `takes_fds` (which costs each read twice the
    time), descriptors that come along are in `fds`, in order.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        heard: Callable[[bytes], None],
        lost: Callable[[], None],
        takes_fds: bool = False,
    ) -> None:
        sock.setblocking(False)
        self._socket, self._heard, self._lost = sock, heard, lost
        self._takes_fds = takes_fds
        self._loop = asyncio.get_running_loop()  # kept: asking for it costs a system call
        self._incoming, self._outgoing = bytearray(), bytearray()
        self._flushing = self._blocked = self._ended = False
        self.fds: deque[int] = deque()
        self._loop.add_reader(sock.fileno(), self._readable)

    def send(self, frame: bytes) -> None:
        """Frames of one turn of the loop share a system call. Lost where the other end is gone."""
        if self._ended:
            return
        self._outgoing += frame
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def send_with(self, fds: Sequence[int], frame: bytes) -> None:
        """Send descriptors with the first byte of a frame, behind which nothing may wait.

        Raises OSError where it can't be sent at once.
        """
        assert not self._outgoing, "descriptors would overtake a frame"
        sent = socket.send_fds(self._socket, [frame[: HEADER.size]], list(fds))
        self.send(frame[sent:])

    def flush(self) -> bool:
        """Send what the socket takes now; whether that was all."""
        self._flush()
        return not self._outgoing

    def end(self) -> None:
        """Close it."""
        if self._ended:
            return
        self._ended = True
        fileno = self._socket.fileno()
        self._loop.remove_reader(fileno)
        self._loop.remove_writer(fileno)
        self._socket.close()
        while self.fds:
            os.close(self.fds.popleft())

    def _flush(self) -> None:
        """Send what the socket takes now, the rest when it can."""
        self._flushing = False
        if self._ended:
            return
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            if not self._blocked:
                self._loop.add_writer(self._socket.fileno(), self._flush)
                self._blocked = True
            return
        except OSError:
            return  # the reader sees the end of the stream, and handles it
        if self._blocked:
            self._loop.remove_writer(self._socket.fileno())
            self._blocked = False

    def _readable(self) -> None:
        try:
            if self._takes_fds:
                data, fds, _, _ = socket.recv_fds(self._socket, _READ, _MAX_FDS)
                self.fds.extend(fds)
            else:
                data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            self._lost()
            return
        self._incoming += data
        while not self._ended and len(self._incoming) >= HEADER.size:
            length, _ = HEADER.unpack_from(self._incoming)
            end = HEADER.size + length
            if len(self._incoming) < end:
                return
            frame = bytes(self._incoming[HEADER.size : end])
            del self._incoming[:end]
            self._heard(frame)


class Child:
    """One child as its parent sees it, owned by an event loop.

    `heard` gets what follows the header of every frame that comes; `lost` is called once, when the
    child ends before it is ended. Raises OSError where there is no room for another process.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        heard: Callable[[bytes], None],
        lost: Callable[[], None],
    ) -> None:
        self._lost, self._ended = lost, False
        self._process, sock = spawn(module, *arguments)
        self._channel = Channel(sock, heard=heard, lost=self._gone)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, frame: bytes) -> None:
        """Frames of one turn of the loop share a system call. Lost where the child is gone."""
        self._channel.send(frame)

    def send_with(self, fds: Sequence[int], frame: bytes) -> None:
        """Send descriptors with the first byte of a frame, behind which nothing may wait."""
        try:
            self._channel.send_with(fds, frame)
        except OSError:
            # If it isn't dead already; the reader sees the end of the stream.
            self._process.kill()

    def flush(self) -> bool:
        """Send what it takes now; whether that was all."""
        return self._channel.flush()

    def end(self) -> None:
        """Kill it, if it lives."""
        if self._ended:
            return
        self._ended = True
        self._channel.end()
        self._process.kill()
        _held.append(self._process)
        _see_off(_GOING)

    def _gone(self) -> None:
        self.end()
        self._lost()


_held: list[subprocess.Popen[bytes]] = []
"""Killed children that were not seen to end: no zombie stays longer than until the next one."""


def _see_off(patience: float) -> None:
    for process in tuple(_held):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience if process is _held[-1] else 0)
            _held.remove(process)


# --- the child's side ---------------------------------------------------------------------------


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
