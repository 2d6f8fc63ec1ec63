"""Reads a secret from a file: a regular one, closed to others, of 32 bytes or more."""

import os
import stat
from pathlib import Path

MIN_BYTES = 32
_MAX_BYTES = 65_536


def read_secret(path: Path, what: str) -> bytes:
    """Every byte counts, a final newline too.

    Raises ValueError, with a message for the operator about `what` it is, if the file is missing,
    not a regular file, open to everybody, too short or too long.
    """
    try:
        secret = _read(path)
        check_length(secret, what)
    except OSError as error:
        raise ValueError(f"{what} file {path}: {os.strerror(error.errno or 0)}") from None
    except ValueError as error:
        raise ValueError(f"{what} file {path}: {error}") from None
    return secret


def check_length(secret: bytes, what: str) -> None:
    """Raises ValueError if it is shorter than 32 bytes."""
    if len(secret) < MIN_BYTES:
        raise ValueError(f"a {what} needs {MIN_BYTES} bytes or more, this has {len(secret)}")


def _read(path: Path) -> bytes:
    # Without O_NONBLOCK a named pipe would hang the start.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise ValueError("not a regular file")
        if mode & stat.S_IRWXO:
            raise ValueError("open to everybody; chmod 0600 (or 0440)")
        secret = os.read(fd, _MAX_BYTES + 1)
    finally:
        os.close(fd)
    if len(secret) > _MAX_BYTES:
        raise ValueError(f"larger than {_MAX_BYTES} bytes")
    return secret
