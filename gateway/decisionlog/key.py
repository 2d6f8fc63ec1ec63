"""The log's secret. Whoever has it can test a guess against a pseudonym; whoever destroys it makes
every pseudonym in the log meaningless for good.

Two keys are derived from it, so that a pseudonym can never be mistaken for an anchor's seal; the
key id is public and makes a change of key visible in the log.
"""

import hmac
from dataclasses import dataclass, field
from pathlib import Path

from gateway.secretfile import check_length, read_secret

_WHAT = "pseudonym key"


@dataclass(frozen=True, slots=True)
class Key:
    """`id` may be written anywhere (`k1:` and 16 hex digits), the other two nowhere."""

    id: str
    pseudonym: bytes = field(repr=False)
    anchor: bytes = field(repr=False)


def derive(secret: bytes) -> Key:
    """The keys of one secret. Raises ValueError if it is shorter than 32 bytes."""
    check_length(secret, _WHAT)
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
    return derive(read_secret(path, _WHAT))


def _subkey(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, f"privacy-gateway decision log v1: {purpose}".encode(), "sha256")
