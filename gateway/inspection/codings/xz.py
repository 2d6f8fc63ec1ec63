"""xz (the .xz file format 1.2): one stream of blocks, with an index at its proven end. No content
coding, but what files are compressed with.

Another stream, and the zeros that may stand between two, are refused: readers differ about them,
and one stream is what every writer makes. So is a stream without a checksum.
"""

import lzma
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings.coding import Decoded, Encoder, decompressed

_MEMORY = 32 * 2**20
"""What a decoder may take: enough for `xz -7`, and for the default, -6, three times over."""

_PRESET = 1
"""The default takes 94 MiB and four times as long."""


def encoder() -> Encoder:
    return lzma.LZMACompressor(preset=_PRESET)


def decode(chunks: Iterator[bytes]) -> Decoded:
    """Decode the one stream to its proven end: nothing may follow it."""
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    for chunk in chunks:
        if decoder.eof:
            raise BadUpstream(Code.CODING_MALFORMED, "bytes behind the xz stream")
        yield from decompressed(
            decoder, chunk, lzma.LZMAError, "not valid xz, or in need of memory"
        )
    if not decoder.eof or decoder.unused_data:
        raise BadUpstream(Code.CODING_MALFORMED, "xz ends before its index, or goes on behind it")
    if decoder.check == lzma.CHECK_NONE:
        raise BadUpstream(Code.CODING_MALFORMED, "xz without a checksum")
    return True
