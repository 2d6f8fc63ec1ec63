"""Bytes at rest, for whoever reads them: a reading process needs nothing else of the spool."""

import os
from typing import Protocol

import msgspec


class Stored(Protocol):
    """Bytes at rest: in memory or in an unlinked spool file."""

    @property
    def size(self) -> int: ...

    def pread(self, length: int, offset: int) -> bytes:
        """Up to `length` bytes at `offset`; fewer only at the end."""
        ...


class InMemory(msgspec.Struct, frozen=True):
    """A small body."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def pread(self, length: int, offset: int) -> bytes:
        return self.data[offset : offset + length]


class OnDisk(msgspec.Struct, frozen=True):
    """A spooled body, by file descriptor; whoever opened the descriptor closes it. One that is a
    part of another begins at `start` of its file."""

    fd: int
    size: int
    start: int = 0

    def pread(self, length: int, offset: int) -> bytes:
        return os.pread(self.fd, min(length, max(0, self.size - offset)), self.start + offset)
