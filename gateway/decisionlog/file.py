"""The log and its anchor on disk: opened once, appended to in groups, recovered after a fault.

What holds at every moment, whatever dies: the bytes up to `size` are durable and chained, the
anchor never speaks of more than them, and nothing that follows them was acknowledged to anybody.

A failed sync is final for what it covered. Linux marks the pages clean and the next sync succeeds
without having written them ("fsyncgate", 2018), so nothing is retried in place: the group is cut
off again, and `recover` reopens, reads the durable end back, and later groups are written afresh.
"""

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.decisionlog import anchor, chain
from gateway.decisionlog.anchor import Anchor
from gateway.decisionlog.chain import GENESIS, MAX_LINE, Head
from gateway.decisionlog.key import Key
from gateway.errors import Code, Unavailable
from gateway.log import Log

_LOG = Log(__name__)

_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class Disk:
    """The calls that can fail half-way, so that tests can make them."""

    write: Callable[[int, memoryview], int] = os.write
    sync: Callable[[int], None] = os.fdatasync
    truncate: Callable[[int, int], None] = os.ftruncate
    write_at: Callable[[int, bytes, int], int] = os.pwrite


class LogFile:
    """One log file, held under an exclusive lock. For one thread; every method may block.

    Methods raise OSError where the system fails, and Unavailable(LOG_UNAVAILABLE) where the file
    is not what it must be; after either, only `recover` (or another gateway) may go on.
    """

    def __init__(self, path: Path, key: Key, disk: Disk, *, patience: float = 0.0) -> None:
        """`patience` are seconds to wait for somebody else's lock."""
        self._path, self._key, self._disk, self._patience = path, key, disk, patience
        self._anchor_path = anchor_path(path)
        self._fd = self._anchor_fd = -1
        self._identity: dict[Path, tuple[int, int]] = {}
        self._attempted = 0  # bytes that a failed commit may have left after `size`
        self.head = GENESIS
        self.size = 0

    def open(self, reached: Anchor | None = None) -> None:
        """Create the log, or take up an old one where it ended.

        The end is checked against the anchor; intact lines after it (a kill came before the anchor
        was written) are kept, the rest of a torn line is moved to `<file>.torn-<n>`. With `reached`
        it must be the log that came so far already: nothing is created, and nothing may be missing.
        """
        try:
            self._hold(0 if reached else os.O_CREAT)
            if reached:
                self._match(reached)
            known = self._known()
            self._match(known)
            if reached and (known.size < reached.size or known.key != reached.key):
                raise _broken("the log's anchor is not the one that this gateway wrote")
            self.head, self.size = known.head, known.size
            self._adopt()
            self._disk.sync(self._fd)
            self._write_anchor()
            os.fsync(self._anchor_fd)
        except BaseException:
            self.close()
            raise

    def recover(self) -> None:
        """Take the log up again after a fault, at exactly the end that this gateway made durable.

        Never creates a file: a log that went away must come back, or the gateway be restarted.
        """
        self.close()
        try:
            self._hold(0)
            # Read back what the disk has, not what memory remembers.
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
            length = os.fstat(self._fd).st_size
            if not self.size <= length <= self.size + self._attempted:
                raise _broken("the log file changed: its length is not what this gateway left")
            self._match(self.reached)
            if length > self.size:
                self._disk.truncate(self._fd, self.size)
                self._disk.sync(self._fd)
            self._write_anchor()
            self._attempted = 0
        except BaseException:
            self.close()
            raise

    def commit(self, bodies: list[bytes]) -> None:
        """Append the entries, as one group with one sync; all are durable, or none is there."""
        self.check()
        lines, head = [], self.head
        for body in bodies:
            line, head = chain.link(head, body)
            lines.append(line)
        group = b"".join(lines)
        before, self._attempted = (self.head, self.size), len(group)
        try:
            self._write(group)
            self._disk.sync(self._fd)
            self.head, self.size = head, self.size + len(group)
            self._write_anchor()
        except BaseException:
            self.head, self.size = before
            with suppress(OSError):  # recover does it again
                self._disk.truncate(self._fd, self.size)
            raise
        self._attempted = 0

    def check(self) -> None:
        """See that the paths still name the open files, and that nobody else changed the length."""
        self._same(self._anchor_path, "the anchor")
        if self._same(self._path, "the log file").st_size != self.size:
            raise _broken("the log file changed: its length is not what this gateway wrote")

    @property
    def reached(self) -> Anchor:
        """The durable end."""
        return Anchor(self.head.seq, self.head.hash, self.size, self._key.id)

    def close(self) -> None:
        """Close both files, which also gives the lock back."""
        for fd in (self._fd, self._anchor_fd):
            if fd >= 0:
                with suppress(OSError):
                    os.close(fd)
        self._fd = self._anchor_fd = -1

    def _hold(self, create: int) -> None:
        """Open and lock both files."""
        self._fd = self._open_regular(self._path, create | os.O_APPEND)
        patience = time.monotonic() + self._patience
        while not self._lock():
            if time.monotonic() >= patience:
                raise _broken("another gateway holds the log file")
            time.sleep(0.01)
        self._same(self._path, "the log file")  # it may have moved before the lock
        self._anchor_fd = self._open_regular(self._anchor_path, create)

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _known(self) -> Anchor:
        """What the anchor says; a new log gets its first anchor before its first entry."""
        data = os.pread(self._anchor_fd, 2 * anchor.SIZE, 0)
        if not data and not os.fstat(self._fd).st_size:
            self._write_anchor()
            os.fsync(self._anchor_fd)
            _sync_folder(self._path.parent)
            return anchor.first(self._key)
        known = anchor.read(data)
        if known is None:
            raise _broken("the log's anchor is missing or damaged; verify the log, then move both")
        if known.key != self._key.id:
            # Somebody changed the key, which the entries show; the old seal can't be checked here.
            _LOG.warning("the pseudonym key changed; the old anchor's seal was not checked")
        elif not anchor.sealed(data, self._key):
            raise _broken("the log's anchor was forged; verify the log, then move both away")
        return known

    def _match(self, known: Anchor) -> None:
        """The log must hold the line that `known` speaks of, where it says."""
        if os.fstat(self._fd).st_size < known.size:
            raise _broken("the log file is shorter than its anchor says: entries were cut off")
        head = GENESIS if known.size == 0 else self._head_at(known.size)
        if head != known.head:
            raise _broken("the log file was altered: its end is not the one its anchor names")

    def _head_at(self, end: int) -> Head | None:
        """The head after the line that ends at `end`, or None if no intact line ends there."""
        line, start, length = b"", end, _BLOCK
        while start > 0 and b"\n" not in line[:-1] and len(line) <= MAX_LINE:
            start, length = max(0, end - length), 2 * length
            line = os.pread(self._fd, end - start, start)
        link = chain.read(line[line.rfind(b"\n", 0, -1) + 1 :])
        return link.head if link else None

    def _adopt(self) -> None:
        """Go on over intact lines after the anchor, and move a torn one aside."""
        for line in self._lines(self.size):
            link = chain.read(line)
            if link is not None and link.follows(self.head):
                self.head, self.size = link.head, self.size + len(line)
            elif line.endswith(b"\n") or len(line) > MAX_LINE:
                raise _broken(f"the log file is damaged after entry {self.head.seq}: verify it")
            else:
                self._quarantine(line)

    def _lines(self, offset: int) -> Iterator[bytes]:
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(offset)
            while line := file.readline(MAX_LINE + 1):
                yield line

    def _quarantine(self, torn: bytes) -> None:
        number = 1
        while (path := self._path.with_name(f"{self._path.name}.torn-{number}")).exists():
            number += 1
        fd = os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(torn)
            file.flush()
            os.fsync(fd)
        _sync_folder(path.parent)
        self._disk.truncate(self._fd, self.size)
        _LOG.warning("a torn line was moved", bytes=len(torn), to=path.name)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._disk.write(self._fd, view) :]

    def _write_anchor(self) -> None:
        data = anchor.write(self.reached, self._key)
        if self._disk.write_at(self._anchor_fd, data, 0) != len(data):
            raise _broken("the anchor could not be written whole")

    def _open_regular(self, path: Path, flags: int) -> int:
        fd = os.open(path, _OPEN | flags, 0o600)
        status = os.fstat(fd)
        try:
            if not stat.S_ISREG(status.st_mode):
                raise _broken(f"{path.name} is not a regular file")
            os.fchmod(fd, 0o600)
        except BaseException:
            os.close(fd)
            raise
        self._identity[path] = (status.st_dev, status.st_ino)
        return fd

    def _same(self, path: Path, what: str) -> os.stat_result:
        """What the path names now, which must be what was opened."""
        try:
            named = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            raise _broken(f"{what} was moved or deleted") from None
        if (named.st_dev, named.st_ino) != self._identity[path]:
            raise _broken(f"{what} was replaced by another file")
        return named


def anchor_path(path: Path) -> Path:
    """Where a log's anchor is kept."""
    return path.with_name(path.name + ".anchor")


def _sync_folder(path: Path) -> None:
    """A new file is durable only with its folder's entry."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _broken(note: str) -> Unavailable:
    return Unavailable(Code.LOG_UNAVAILABLE, note)
