"""Where a response waits for its verdict: small ones in memory, big ones in unlinked files.

A spool file has no name from the moment it exists (O_TMPFILE), so that neither a crash nor a
`kill -9` leaves personal data behind. All files together stay under one limit; a body that does
not fit is refused with 503, it never waits on a full disk.
"""

import asyncio
import os
import tempfile
from collections.abc import Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from gateway.constraints import STRICT
from gateway.errors import Code, Unavailable
from gateway.log import Log
from gateway.quantities import Duration, Size
from gateway.stored import InMemory, OnDisk, Stored
from gateway.turns import Ledger, Turns

_BLOCK = 256 * 1024
_FREED_AT_ONCE = 4 * 2**20
"""Bytes of a file that the event loop frees by itself. The pages of 200 MB take the system 15 to 25
ms, and every exchange would wait so long: more is left to a thread."""

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
    bodies up to `memory` bytes never touch the disk. A body whose length is known waits for room
    for `wait` at the most, then the answer is 503; beyond a first body, no caller gets more room
    than it leaves free."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    directory: Path = field(default_factory=_own_folder)
    limit: Size = 8 * 2**30
    memory: Size = 64 * 2**10
    wait: Duration = 10.0


class Spool:
    """Hands out space under one limit. Owned by one event loop; not thread-safe."""

    def __init__(self, settings: SpoolSettings, ledger: Ledger | None = None) -> None:
        """Raises Unavailable(SPOOL_FAILED) where the directory can't be used by us alone."""
        self._settings, self._ledger = settings, ledger or Ledger()
        self._turns = Turns(self._ledger, settings.limit, settings.wait)
        self._freeing = ThreadPoolExecutor(1, "spool")  # starts its thread when it is needed
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
            self.give_back(0, self.open(), None)
        except (OSError, Unavailable):
            return False
        return disk.f_bavail * disk.f_frsize >= wanted

    def writer(self, owner: Hashable = None) -> "Writer":
        """Begin to receive a body, of nobody knows which length."""
        return Writer(self, self._settings.memory, owner)

    def takes_in_memory(self, size: int) -> bool:
        """Whether a body of so many bytes stays in memory."""
        return size <= self._settings.memory

    async def writer_for(self, size: int, owner: Hashable) -> "Writer":
        """Begin to receive a body of so many bytes, when it is its turn.

        Raises Unavailable(SPOOL_FULL or SPOOL_FAILED).
        """
        if self.takes_in_memory(size):
            return self.writer(owner)
        await self._turns.wait(size, owner)
        return Writer(self, self._settings.memory, owner, self._holding(size, owner))

    def keep(self, body: InMemory) -> "Spooled":
        """A body that is in memory already."""
        kept = Kept(self)
        kept.take(body.size)
        return Spooled(body, kept)

    async def space(self, size: int, beside: int = 0) -> "Held":
        """An empty file with `size` bytes reserved, for a worker to write a rewritten body into,
        beside the body, of so many bytes.

        Raises Unavailable(SPOOL_FULL or SPOOL_FAILED).
        """
        await self._turns.wait(size, None, beside=beside, redacts=True)
        return self._holding(size, None)

    def _holding(self, size: int, owner: Hashable) -> "Held":
        """A file for what is reserved."""
        try:
            held = Held(self, self.open(), owner, size)
        except Unavailable:
            self._turns.give_back(size, owner)
            raise
        _LOG.debug("a body goes to disk", used=self.bytes_used)
        return held

    def open(self) -> int:
        try:
            fd = os.open(self._settings.directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(Code.SPOOL_FAILED, f"spool open: errno {error.errno}") from None
        self.files_open += 1
        return fd

    def take(self, size: int, owner: Hashable, own: int) -> None:
        self._turns.take(size, owner, own)

    def spares(self, size: int) -> bool:
        return self._turns.spares(size)

    def give_back(self, size: int, fd: int, owner: Hashable) -> None:
        """Close a file. Its room is free when the system has freed it."""
        if size > _FREED_AT_ONCE and os.fstat(fd).st_size > _FREED_AT_ONCE:
            with suppress(RuntimeError):  # no loop is running (any more)
                # A thread of its own: those of the loop may all wait for a name, or a hung disk.
                closing = asyncio.get_running_loop().run_in_executor(self._freeing, os.close, fd)
                closing.add_done_callback(lambda _: self._closed(size, None))
                self._turns.disown(size, owner)
                return
        os.close(fd)
        self._closed(size, owner)

    def _closed(self, size: int, owner: Hashable) -> None:
        self.files_open -= 1
        self._turns.give_back(size, owner)

    def give_back_space(self, size: int, owner: Hashable) -> None:
        self._turns.give_back(size, owner)


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

    __del__ = close


class Held:
    """One spool file and the bytes reserved for it. Closing it gives both back.

    `index` is how many bytes behind a body are no part of it, but say where its records lie
    (`inspection.lineindex`); `parts` is what inspection found in which part of it."""

    __slots__ = ("_owner", "_spool", "fd", "index", "parts", "reserved")

    def __init__(self, spool: Spool, fd: int, owner: Hashable = None, reserved: int = 0) -> None:
        self._spool, self.fd, self._owner, self.reserved = spool, fd, owner, reserved
        self.index = 0
        self.parts: tuple[Any, ...] = ()

    def reserve(self, size: int) -> None:
        """Reserve `size` more bytes. Raises Unavailable(SPOOL_FULL)."""
        self._spool.take(size, self._owner, self.reserved)
        self.reserved += size

    def reserve_spare(self, size: int) -> bool:
        """Reserve `size` more bytes for something that can be done without; whether they were
        there. It is never what another body or a redaction would have."""
        if not self._spool.spares(size):
            return False
        try:
            self.reserve(size)
        except Unavailable:
            return False
        return True

    def settle(self, size: int) -> None:
        """Give back what was reserved beyond `size`."""
        if size < self.reserved:
            self._spool.give_back_space(self.reserved - size, self._owner)
            self.reserved = size

    def part(self, size: int) -> "Held":
        """Another file, for so many of the bytes that are reserved here.

        Raises Unavailable(SPOOL_FAILED).
        """
        other = Held(self._spool, self._spool.open(), self._owner, size)
        self.reserved -= size
        return other

    def close(self) -> None:
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            self._spool.give_back(self.reserved, fd, self._owner)

    def __del__(self) -> None:
        self.close()


class Spooled(msgspec.Struct, frozen=True):
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

    The writes block for the time of a copy into the page cache; they are done in blocks of 256 KiB,
    or as they come (`intake`), so that the event loop is never away for long.
    """

    def __init__(
        self, spool: Spool, threshold: int, owner: Hashable, held: Held | None = None
    ) -> None:
        self._spool, self._threshold, self._owner = spool, threshold, owner
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._written = 0
        self._kept = Kept(spool)
        self._held = held

    @property
    def size(self) -> int:
        return self._written + self._pending_size

    @property
    def in_file(self) -> bool:
        """Whether it is in a file already, or one is reserved for it."""
        return self._held is not None

    def write(self, data: bytes) -> None:
        """Append. Raises Unavailable(SPOOL_FULL or SPOOL_FAILED)."""
        self._pending.append(data)
        self._pending_size += len(data)
        self._kept.take(len(data))
        if self._pending_size >= _BLOCK if self._held else self.size > self._threshold:
            self._flush()

    def write_at_once(self, data: memoryview) -> None:
        """Append, to the file; nothing of `data` is kept here. Raises as `write` does."""
        self._flush()
        self._put(data)

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
        """Write what is pending."""
        if self._pending:
            pending = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
            self._put(memoryview(pending))
            self._pending, self._pending_size = [], 0
            self._kept.close()

    def _put(self, data: memoryview) -> None:
        if self._held is None:
            self._held = Held(self._spool, self._spool.open(), self._owner)
            _LOG.debug("a body goes to disk", used=self._spool.bytes_used)
        self._held.reserve(max(0, self._written + len(data) - self._held.reserved))
        size = len(data)
        try:
            while data:
                data = data[os.write(self._held.fd, data) :]
        except OSError as error:
            raise Unavailable(Code.SPOOL_FULL, f"spool write: errno {error.errno}") from None
        self._written += size
