"""Where an archive lies that had to be decoded before it could be read: behind a compression, or
inside another archive.

One unlinked file in the spool's folder, made and paid for by whoever asks for the inspection.
Bodies lie in it one behind the other, the innermost last, and each is given back when it is read.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code, Unavailable
from gateway.stored import Stored


@dataclass(frozen=True, slots=True)
class _Slice:
    """A body in the file; see `spool.Stored`."""

    fd: int
    start: int
    size: int

    def pread(self, length: int, offset: int) -> bytes:
        wanted = min(length, max(0, self.size - offset))
        return os.pread(self.fd, wanted, self.start + offset)


class Scratch:
    """A file of at most `limit` bytes; whoever opened the descriptor closes it."""

    def __init__(self, fd: int, limit: int) -> None:
        self._fd, self._limit, self._used = fd, limit, 0

    @contextmanager
    def holding(self, chunks: Iterable[bytes]) -> Iterator[Stored]:
        """A body at rest, as long as the context lasts.

        Raises BadUpstream(BODY_TOO_LARGE) past the limit, and Unavailable(SPOOL_FULL) where the
        disk is full.
        """
        start = end = self._used
        try:
            for chunk in chunks:
                if end + len(chunk) > self._limit:
                    raise BadUpstream(Code.BODY_TOO_LARGE, "unfolds beyond inspection.scratch")
                self._write(chunk, end)
                end += len(chunk)
            self._used = end
            yield _Slice(self._fd, start, end - start)
        finally:
            self._used = start
            os.ftruncate(self._fd, start)

    def _write(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            try:
                done = os.pwrite(self._fd, view, offset)
            except OSError as error:
                raise Unavailable(Code.SPOOL_FULL, f"scratch write: errno {error.errno}") from None
            view, offset = view[done:], offset + done
