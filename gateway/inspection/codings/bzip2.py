"""bzip2: streams with a checksum each, decoded to the last byte. No content coding, but what files
are compressed with.

A block has more selectors than it needs where its writer likes, and tables that nobody asks for
(CVE-2019-12900 was about them): bytes that decode to nothing, of which no library tells. What came
as bzip2 therefore never leaves as it came.
"""

import bz2
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings.coding import Decoded, Encoder, decompressed

_MOST_STREAMS = 100_000
"""Parallel compressors make one of every 900 kB; a stream of nothing has 14 bytes."""


def encoder() -> Encoder:
    return bz2.BZ2Compressor(9)


def decode(chunks: Iterator[bytes]) -> Decoded:
    """Decode the streams to their proven end; `bzip2 -d` takes several for one."""
    streams = 0
    decoder: bz2.BZ2Decompressor | None = None
    for chunk in chunks:
        pending = chunk
        while pending:
            if decoder is None or decoder.eof:
                streams += 1
                if streams > _MOST_STREAMS:
                    raise BadUpstream(Code.CODING_MALFORMED, "too many bzip2 streams")
                decoder = bz2.BZ2Decompressor()
            yield from decompressed(decoder, pending, OSError, "not valid bzip2")
            pending = decoder.unused_data if decoder.eof else b""
    if decoder is None or not decoder.eof:
        raise BadUpstream(Code.CODING_MALFORMED, "bzip2 ends before its checksum")
    return False
