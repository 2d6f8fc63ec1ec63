"""The log's secret. Whoever has it can test a guess against a pseudonym; whoever destroys it makes
every pseudonym in the log meaningless for good.

Two keys are derived from it, so that a pseudonym can never be mistaken for an anchor's seal; the
key id is public and makes a change of key visible in the log.
"""

import hmac
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

MIN_BYTES = 32
_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Key:
    """`id` may be written anywhere (`k1:` and 16 hex digits), the other two nowhere."""

    id: str
    pseudonym: bytes = field(repr=False)
    anchor: bytes = field(repr=False)


def derive(secret: bytes) -> Key:
    """The keys of one secret. Raises ValueError if it is shorter than 32 bytes."""
    if len(secret) < MIN_BYTES:
        raise ValueError(f"a pseudonym key needs {MIN_BYTES} bytes or more, this has {len(secret)}")
    return Key(
        id="k1:" + _subkey(secret, "key id")[:8].hex(),
        pseudonym=_subkey(secret, "pseudonym"),
        anchor=_subkey(secret, "anchor"),
    )


def read_key(path: Path) -> Key:
    """The keys of the secret in a file; every byte counts, a final newline too.

    Raises ValueError, with a message for the operator, if the file is missing, not a regular file,
    open to everybody, too short or too long.
    """
    try:
        return derive(_read(path))
    except OSError as error:
        raise ValueError(f"pseudonym key file {path}: {os.strerror(error.errno or 0)}") from None
    except ValueError as error:
        raise ValueError(f"pseudonym key file {path}: {error}") from None


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


def _subkey(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, f"privacy-gateway decision log v1: {purpose}".encode(), "sha256")
