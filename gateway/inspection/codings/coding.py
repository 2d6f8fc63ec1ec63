"""What a content coding is, to its reader: two functions."""

from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple, Protocol

from gateway.errors import BadUpstream, Code

PIECE = 256 * 1024
"""The most that a decoder hands out at once, in bytes, whatever one byte of input means."""


Decoded = Generator[bytes, None, bool]


class Encoder(Protocol):
    """What the compressors of zlib, of backports.zstd and ours have in common."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes:
        """The rest, and the end of the coding."""
        ...


class Decompressor(Protocol):
    """What the decompressors of lzma, bz2 and backports.zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def decompressed(
    decoder: Decompressor, data: bytes, error: type[Exception], note: str
) -> Iterator[bytes]:
    """What comes out of some input, in pieces. Raises BadUpstream(CODING_MALFORMED) with `note` for
    what the library raises."""
    while True:
        try:
            decoded = decoder.decompress(data, PIECE)
        except error:
            raise BadUpstream(Code.CODING_MALFORMED, note) from None
        if decoded:
            yield decoded
        if decoder.eof or decoder.needs_input:
            return
        data = b""


class Coding(NamedTuple):
    """`decode` turns received chunks into non-empty pieces of at most `PIECE` bytes. It reads to
    the proven end of the coding and of the chunks, or raises BadUpstream: CODING_MALFORMED for what
    is cut, damaged or followed by something else, BODY_AMBIGUOUS for what has two readings.

    It returns whether the coding is sealed: whether none of its bytes is there beside the content,
    as a file name is, or a block that decodes to nothing. Nobody has read such bytes, so that a
    body with them is released only as it was written anew.
    """

    decode: Callable[[Iterator[bytes]], Decoded]
    encoder: Callable[[], Encoder]
