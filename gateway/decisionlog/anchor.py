"""How far the log reached, sealed with the key: what tells a short log from a cut one.

    {"version":1,"seq":7,"hash":"<64 hex>","size":8192,"key":"k1:…","seal":"<64 hex>"}

One line, padded with spaces to `SIZE` bytes and rewritten in place, so that a kill leaves either
the old one or the new one. It is written after the log's sync and before anyone is told that the
entries are durable. A copy kept elsewhere (shipped by cron, printed, mailed) also finds a log that
was cut together with its anchor.
"""

import hmac
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from gateway.decisionlog.chain import GENESIS, Head
from gateway.decisionlog.key import Key

SIZE = 320
"""Bytes of a written anchor: within one page, so that one write can't be half done."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last durable entry; `size` is the log's length in bytes up to and including it."""

    seq: int
    hash: str
    size: int
    key: str

    @property
    def head(self) -> Head:
        return Head(self.seq, self.hash)


_Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Natural = Annotated[int, msgspec.Meta(ge=0)]


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal[1]
    seq: _Natural
    hash: _Hex
    size: _Natural
    key: str
    seal: _Hex


def first(key: Key) -> Anchor:
    """The anchor of an empty log."""
    return Anchor(GENESIS.seq, GENESIS.hash, 0, key.id)


def write(anchor: Anchor, key: Key) -> bytes:
    """The anchor as it is kept, `SIZE` bytes."""
    written = _Written(1, anchor.seq, anchor.hash, anchor.size, anchor.key, _seal(anchor, key))
    return msgspec.json.encode(written).ljust(SIZE - 1) + b"\n"


def read(data: bytes) -> Anchor | None:
    """A kept anchor, its seal not yet looked at; None if it isn't one."""
    written = _decode(data)
    if written is None:
        return None
    return Anchor(written.seq, written.hash, written.size, written.key)


def sealed(data: bytes, key: Key) -> bool:
    """Whether a kept anchor was written by a holder of the key, and is unchanged."""
    written, anchor = _decode(data), read(data)
    if written is None or anchor is None:
        return False
    return hmac.compare_digest(written.seal.encode(), _seal(anchor, key).encode())


def _decode(data: bytes) -> _Written | None:
    try:
        return msgspec.json.decode(data, type=_Written)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _seal(anchor: Anchor, key: Key) -> str:
    statement = f"{anchor.seq}\n{anchor.hash}\n{anchor.size}\n{anchor.key}".encode()
    return hmac.digest(key.anchor, statement, "sha256").hex()
