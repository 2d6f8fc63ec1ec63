"""Regular files, read whole and bounded, with what `stat` says of the very file that was read."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from gateway.policy.bundles.faults import BundleError

MAX_SECRET = 65_536
"""Bytes of a key or token file."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file is still the same one, unchanged. Times are in nanoseconds."""

    device: int
    inode: int
    size: int
    mode: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        return cls(
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mode,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


def read(path: Path, limit: int) -> tuple[bytes, Stamp]:
    """The content of a regular file of at most `limit` bytes, and its stamp. Raises BundleError."""
    try:
        # Not blocking, or a named pipe would hold us here for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(path, "not a regular file")
            content = file.read(limit + 1)
    except OSError as error:
        raise BundleError(path, os.strerror(error.errno or 0)) from None
    except ValueError:  # a NUL in its name
        raise BundleError(path, "not the name of a file") from None
    if len(content) > limit:
        raise BundleError(path, "too large, by itself or together with the rest of the bundle")
    return content, Stamp.of(status)


def read_secret(path: Path) -> bytes:
    """A file that only its owner and group may read. Raises BundleError without the content."""
    content, seen = read(path, MAX_SECRET)
    if seen.mode & stat.S_IRWXO:
        raise BundleError(path, "open to everybody; chmod 0600 (or 0440)")
    return content


def stamp(path: Path) -> Stamp | None:
    """The stamp of what stands there now, symlinks followed; None where nothing does."""
    try:
        return Stamp.of(path.stat())
    except (OSError, ValueError):
        return None
