"""A child process of ours: hardened, quiet, and never longer alive than its parent.

    Child("gateway.decisionlog.process") ─▶ python -m … PARENT FD ─▶ with living(…): …

Where it comes from is `processes`'s: it is forked, or a fresh interpreter.
Parent and child hold one end each of a socket pair; the child gets its parent's process id and the
number of its end as its last arguments. What they say to each other are frames: a length (4 bytes),
a byte that means what their owners agreed on, and so many bytes.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Sequence

from gateway.living import HEADER
from gateway.processes import Process, start

_READ = 64 * 1024
"""Bytes read at once; an allocation of more than 128 KiB would cost a system call of its own."""
_MAX_FDS = 16
"""Descriptors that come at once, at the most."""
GOING = 0.5
"""Seconds in which a killed child is seen off. One that the kernel holds (in the call to a disk
that hangs) takes longer, and nobody waits for it."""


_Begun = tuple[Process, socket.socket]
_begun: dict[tuple[str, ...], deque[_Begun]] = {}


def begin(module: str, *arguments: str) -> None:
    """Start one that `spawn` will be asked for soon: what it needs before it is of use takes it a
    while. Raises as `spawn` does."""
    _begun.setdefault((module, *arguments), deque()).append(_started(module, *arguments))


def give_up(module: str, *arguments: str) -> None:
    """End what was begun, and will not be asked for."""
    for process, sock in _begun.pop((module, *arguments), ()):
        sock.close()
        with contextlib.suppress(OSError):  # it could not be started
            process.kill()
            process.wait()


def spawn(module: str, *arguments: str) -> _Begun:
    """Start `python -m module arguments… PARENT FD`, unless such a one was begun already; returns
    it and our end, which doesn't block.

    Raises OSError where the system has no room for another process.
    """
    waiting = _begun.get((module, *arguments))
    process, sock = waiting.popleft() if waiting else _started(module, *arguments)
    try:
        _ = process.pid
    except OSError:
        sock.close()
        raise
    return process, sock


def _started(module: str, *arguments: str) -> _Begun:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        try:
            return start(module, arguments, theirs.fileno()), ours
        except BaseException:
            ours.close()
            raise


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

    def end(self, patience: float = GOING) -> None:
        """Kill it, if it lives, and see it off for so many seconds."""
        if self._ended:
            return
        self._ended = True
        self._channel.end()
        self._process.kill()
        _held.append(self._process)
        _see_off(patience)

    def _gone(self) -> None:
        self.end()
        self._lost()


_held: list[Process] = []
"""Killed children that were not seen to end: no zombie stays longer than until the next one."""


def _see_off(patience: float) -> None:
    for process in tuple(_held):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience if process is _held[-1] else 0)
            _held.remove(process)
