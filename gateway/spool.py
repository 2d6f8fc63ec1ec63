"""Where a response waits for its verdict: small ones in memory, big ones in unlinked files.

A spool file has no name from the moment it exists (O_TMPFILE), so that neither a crash nor a
`kill -9` leaves personal data behind. All files together stay under one limit; a body that does
not fit is refused with 503, it never waits on a full disk.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import ConfigDict

from gateway.errors import Code, Unavailable
from gateway.log import Log
from gateway.quantities import Size

_BLOCK = 256 * 1024
_LOG = Log(__name__)


def _own_folder() -> Path:
    """In the system's temporary folder. Where nothing can be written (a read-only root file system)
    that is no fault yet: most likely the configuration names another one."""
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError:
        temporary = "/tmp"  # noqa: S108 - a name to put into the message
    return Path(temporary) / f"privacy-gateway-{os.getuid()}"


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """`directory` holds the unlinked files (made 0700 if absent), `limit` bounds their sum, and
    bodies up to `memory` bytes never touch the disk."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    directory: Path = field(default_factory=_own_folder)
    limit: Size = 8 * 2**30
    memory: Size = 64 * 2**10


class Stored(Protocol):
    """Bytes at rest: in memory or in an unlinked spool file."""

    @property
    def size(self) -> int: ...

    def pread(self, length: int, offset: int) -> bytes:
        """Up to `length` bytes at `offset`; fewer only at the end."""
        ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """A small body."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def pread(self, length: int, offset: int) -> bytes:
        return self.data[offset : offset + length]


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A spooled body, by file descriptor; whoever opened the descriptor closes it."""

    fd: int
    size: int

    def pread(self, length: int, offset: int) -> bytes:
        return os.pread(self.fd, min(length, max(0, self.size - offset)), offset)


class Numbers(Protocol):
    """A list, or memory that several processes share."""

    def __getitem__(self, at: int, /) -> int: ...

    def __setitem__(self, at: int, number: int, /) -> None: ...

    def __iter__(self) -> Iterator[int]: ...


class Ledger:
    """Bytes on disk: a number for each process that takes from one limit, in memory they share.

    Each writes its own number and reads all. Who takes writes first and adds up then, so that of
    two at once both may be refused, but never both be let in. What a process held that was killed
    is free, as its files are: whoever saw it die clears its number.
    """

    def __init__(self, numbers: Numbers | None = None, own: int = 0) -> None:
        self._numbers: Numbers = [0] if numbers is None else numbers
        self._own = own

    @property
    def own(self) -> int:
        return self._numbers[self._own]

    @property
    def all(self) -> int:
        return sum(self._numbers)

    def add(self, size: int) -> None:
        self._numbers[self._own] += size


class Spool:
    """Hands out space under one limit. Owned by one event loop; not thread-safe."""

    def __init__(self, settings: SpoolSettings, ledger: Ledger | None = None) -> None:
        """Raises Unavailable(SPOOL_FAILED) where the directory can't be used by us alone."""
        self._settings, self._ledger = settings, ledger or Ledger()
        self.bytes_kept = 0  # in memory
        self.files_open = 0
        try:
            settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            settings.directory.chmod(0o700)
            status = settings.directory.stat()
        except OSError as error:
            raise Unavailable(Code.SPOOL_FAILED, f"spool directory: errno {error.errno}") from None
        if status.st_uid != os.getuid():
            raise Unavailable(Code.SPOOL_FAILED, "the spool directory belongs to someone else")

    @property
    def limit(self) -> int:
        return self._settings.limit

    @property
    def bytes_used(self) -> int:
        """On disk, of this process."""
        return self._ledger.own

    @property
    def bytes_held(self) -> int:
        """Of all its bodies, on disk and in memory."""
        return self.bytes_used + self.bytes_kept

    def ready(self) -> bool:
        """Whether another body can be taken in."""
        wanted = min(_BLOCK, self.limit // 4)
        if self.limit - self._ledger.all < wanted:
            return False
        try:
            disk = os.statvfs(self._settings.directory)
            self.give_back(0, self.open())
        except (OSError, Unavailable):
            return False
        return disk.f_bavail * disk.f_frsize >= wanted

    def writer(self) -> "Writer":
        """Begin to receive a body."""
        return Writer(self, self._settings.memory)

    def keep(self, body: InMemory) -> "Spooled":
        """A body that is in memory already."""
        kept = Kept(self)
        kept.take(body.size)
        return Spooled(body, kept)

    def space(self, size: int) -> "Held":
        """An empty file with `size` bytes reserved, for a worker to write a rewritten body into.

        Raises Unavailable(SPOOL_FULL or SPOOL_FAILED).
        """
        held = Held(self, self.open())
        try:
            held.reserve(size)
        except Unavailable:
            held.close()
            raise
        return held

    def open(self) -> int:
        try:
            fd = os.open(self._settings.directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(Code.SPOOL_FAILED, f"spool open: errno {error.errno}") from None
        self.files_open += 1
        return fd

    def take(self, size: int) -> None:
        self._ledger.add(size)
        if size > 0 and self._ledger.all > self._settings.limit:
            self._ledger.add(-size)
            raise Unavailable(Code.SPOOL_FULL, "spool.limit is reached")

    def give_back(self, size: int, fd: int) -> None:
        os.close(fd)
        self.files_open -= 1
        self._ledger.add(-size)


class Kept:
    """The bytes of one body in memory, counted as long as it is there."""

    __slots__ = ("_size", "_spool")

    def __init__(self, spool: Spool) -> None:
        self._spool, self._size = spool, 0

    def take(self, size: int) -> None:
        self._spool.bytes_kept += size
        self._size += size

    def close(self) -> None:
        self._spool.bytes_kept -= self._size
        self._size = 0

    def __del__(self) -> None:
        self.close()


class Held:
    """One spool file and the bytes reserved for it. Closing it gives both back."""

    __slots__ = ("_spool", "fd", "reserved")

    def __init__(self, spool: Spool, fd: int) -> None:
        self._spool, self.fd, self.reserved = spool, fd, 0

    def reserve(self, size: int) -> None:
        """Reserve `size` more bytes. Raises Unavailable(SPOOL_FULL)."""
        self._spool.take(size)
        self.reserved += size

    def settle(self, size: int) -> None:
        """Give back what was reserved beyond `size`."""
        if size < self.reserved:
            self._spool.take(size - self.reserved)
            self.reserved = size

    def close(self) -> None:
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            self._spool.give_back(self.reserved, fd)

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Spooled:
    """A complete body at rest. Close it as soon as it is no longer needed."""

    stored: Stored
    held: Held | Kept | None = None

    @property
    def size(self) -> int:
        return self.stored.size

    def close(self) -> None:
        if self.held:
            self.held.close()


class Writer:
    """Receives one body: in memory up to the threshold, then in a file.

    The writes block for the time of a copy into the page cache; they are done in blocks of 256 KiB
    so that the event loop is never away for long.
    """

    def __init__(self, spool: Spool, threshold: int) -> None:
        self._spool, self._threshold = spool, threshold
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._written = 0
        self._kept = Kept(spool)
        self._held: Held | None = None

    @property
    def size(self) -> int:
        return self._written + self._pending_size

    def write(self, data: bytes) -> None:
        """Append. Raises Unavailable(SPOOL_FULL or SPOOL_FAILED)."""
        self._pending.append(data)
        self._pending_size += len(data)
        self._kept.take(len(data))
        if self._pending_size >= _BLOCK or (not self._held and self.size > self._threshold):
            self._flush()

    def finish(self) -> Spooled:
        """The complete body."""
        if self._held is None:
            return Spooled(InMemory(b"".join(self._pending)), self._kept)
        self._flush()
        return Spooled(OnDisk(self._held.fd, self._written), self._held)

    def discard(self) -> None:
        """Give up what was received."""
        self._pending = []
        self._kept.close()
        if self._held:
            self._held.close()

    def _flush(self) -> None:
        if self._held is None:
            self._held = Held(self._spool, self._spool.open())
            _LOG.debug("a body goes to disk", used=self._spool.bytes_used)
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._held.reserve(len(data))
        view = memoryview(data)
        try:
            while view:
                done = os.write(self._held.fd, view)
                view = view[done:]
        except OSError as error:
            raise Unavailable(Code.SPOOL_FULL, f"spool write: errno {error.errno}") from None
        self._written += len(data)
        self._pending, self._pending_size = [], 0
        self._kept.close()
