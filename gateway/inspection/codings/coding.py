"""What a content coding is, to its reader: two functions and a promise."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

PIECE = 256 * 1024
"""The most that a decoder hands out at once, in bytes, whatever one byte of input means."""


class Encoder(Protocol):
    """What the compressors of zlib, of backports.zstd and ours have in common."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes:
        """The rest, and the end of the coding."""
        ...


class Coding(NamedTuple):
    """`decode` turns received chunks into non-empty pieces of at most `PIECE` bytes. It reads to
    the proven end of the coding and of the chunks, or raises BadUpstream: CODING_MALFORMED for what
    is cut, damaged or followed by something else, BODY_AMBIGUOUS for what has two readings.

    `is_sealed` where that accounts for every byte; a body under another coding may hold bytes that
    decode to nothing, and is released only when it was written anew.
    """

    decode: Callable[[Iterator[bytes]], Iterator[bytes]]
    encoder: Callable[[], Encoder]
    is_sealed: bool = True
