"""Where a rewritten body goes: to a file, to memory, or under a content coding to one of them."""

import os
from typing import Protocol

from gateway.errors import Code, Unavailable
from gateway.inspection.codings import CODINGS, COMPRESSIONS, Encoder

__all__ = ["CountingSink", "FileSink", "MemorySink", "Sink", "under"]

_BUFFER = 256 * 1024


class Sink(Protocol):
    """Where a rewritten body goes."""

    def write(self, data: bytes) -> None: ...

    def tell(self) -> int:
        """Bytes written so far."""
        ...


class FileSink:
    """Writes to a descriptor, buffered, up to `limit` bytes.

    Raises Unavailable(SPOOL_FULL) past the limit or where the disk is full.
    """

    def __init__(self, fd: int, limit: int) -> None:
        self._fd, self._limit = fd, limit
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
                done = os.write(self._fd, view)
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
