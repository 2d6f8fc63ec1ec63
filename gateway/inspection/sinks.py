"""Where a rewritten body goes: to a file, to memory, on its way, or under a content coding to one
of them."""

import os
from collections.abc import Callable
from typing import Protocol

from gateway.errors import BadUpstream, Code, Unavailable
from gateway.inspection.codings import CODINGS, COMPRESSIONS, Encoder

__all__ = ["CountingSink", "FileSink", "FlowSink", "MemorySink", "Sink", "under"]

_BUFFER = 256 * 1024


class Sink(Protocol):
    """Where a rewritten body goes."""

    def write(self, data: bytes) -> None: ...

    def tell(self) -> int:
        """Bytes written so far."""
        ...


class FileSink:
    """Writes to a descriptor from `at` on, buffered, up to `limit` bytes.

    Raises Unavailable(SPOOL_FULL) past the limit or where the disk is full.
    """

    def __init__(self, fd: int, limit: int, at: int = 0) -> None:
        self._fd, self._limit, self._at = fd, limit, at
        self._buffer: list[bytes] = []
        self._buffered = self._written = 0

    def write(self, data: bytes) -> None:
        self._buffer.append(data)
        self._buffered += len(data)
        if self._buffered >= _BUFFER:
            self.flush()

    def tell(self) -> int:
        return self._written + self._buffered

    def flush(self) -> None:
        """Hand everything to the kernel."""
        data = b"".join(self._buffer)
        self._buffer, self._buffered = [], 0
        if self._written + len(data) > self._limit:
            raise Unavailable(Code.SPOOL_FULL, "the redacted body outgrew its reservation")
        view = memoryview(data)
        while view:
            try:
                done = os.pwrite(self._fd, view, self._at + self._written)
            except OSError as error:
                raise Unavailable(Code.SPOOL_FULL, f"spool write: errno {error.errno}") from None
            self._written += done
            view = view[done:]


class MemorySink:
    """Gathers a small rewritten body."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)

    def tell(self) -> int:
        return self._size

    def getvalue(self) -> bytes:
        return b"".join(self._pieces)


class CountingSink:
    """Counts what is written, and hands it on to a target, if there is one."""

    def __init__(self, target: Sink | None) -> None:
        self._target, self._size = target, 0

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._target:
            self._target.write(data)

    def tell(self) -> int:
        return self._size


class FlowSink:
    """Hands a body on as it is written: what is there at each `flush`, in pieces.

    Nothing leaves before `open`: what stands before the first record is held until it is decided.
    Raises BadUpstream(BODY_TOO_LARGE) where that is more than `limit` bytes.
    """

    def __init__(self, hand_on: Callable[[bytes], None], limit: int) -> None:
        self._hand_on, self._limit = hand_on, limit
        self._pieces: list[bytes] = []
        self._size = self._handed_on = 0
        self._open = False

    def open(self) -> None:
        self._open = True

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _BUFFER:
            self.flush()
        if self._size > self._limit and not self._open:
            raise BadUpstream(Code.BODY_TOO_LARGE, "more than limits.record before a record")

    def tell(self) -> int:
        return self._handed_on + self._size

    def flush(self) -> None:
        """Hand on everything, if anything may leave yet."""
        if not self._open or not self._size:
            return
        data = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        for at in range(0, len(data), _BUFFER):
            self._hand_on(data[at : at + _BUFFER])
        self._handed_on += len(data)


class CodedSink:
    """Encodes into another sink, so that a body keeps its content codings."""

    def __init__(self, sink: Sink, encoders: list[Encoder]) -> None:
        self._sink, self._encoders = sink, encoders
        self._taken = 0

    def write(self, data: bytes) -> None:
        self._taken += len(data)
        for encoder in self._encoders:
            data = encoder.compress(data)
        self._sink.write(data)

    def tell(self) -> int:
        return self._taken

    def finish(self) -> None:
        """Write what the encoders still hold, and their ends."""
        data = b""
        for encoder in self._encoders:
            data = encoder.compress(data) + encoder.flush()
        self._sink.write(data)


def under(codings: tuple[str, ...], compression: str | None, sink: Sink) -> CodedSink:
    """A sink that compresses, applies `codings` in their order and writes into another one."""
    applied = [COMPRESSIONS[compression].coding] if compression else []
    applied += [CODINGS[coding] for coding in codings]
    return CodedSink(sink, [coding.encoder() for coding in applied])
