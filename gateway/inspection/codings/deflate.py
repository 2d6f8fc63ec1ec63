"""deflate, in both readings: zlib's format (RFC 1950), which RFC 9110 section 8.4.1.2 means, and
the bare stream (RFC 1951) that some servers send under its name.

Browsers tell them apart by the first two bytes, and so is it done here. What is written anew is
always in zlib's format.
"""

import zlib
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings.coding import PIECE, Decoded, Encoder

_TOLD = 5
"""The first bytes, which tell the readings apart."""


def encoder() -> Encoder:
    return zlib.compressobj(level=6)


def decode(chunks: Iterator[bytes]) -> Decoded:
    """Decode the one stream to its proven end: nothing may follow it."""
    head, decoder = b"", None
    for chunk in chunks:
        pending = chunk
        if decoder is None:
            head += chunk
            if len(head) < _TOLD:
                continue
            decoder, pending = zlib.decompressobj(_window(head)), head
        yield from _inflate(decoder, pending)
    if decoder is None:
        decoder = zlib.decompressobj(_window(head))
        yield from _inflate(decoder, head)
    if not decoder.eof:
        raise BadUpstream(Code.CODING_MALFORMED, "deflate ends before its last block or checksum")
    return True


def _inflate(decoder: "zlib._Decompress", pending: bytes) -> Iterator[bytes]:
    while pending:
        if decoder.eof:
            raise BadUpstream(Code.CODING_MALFORMED, "bytes behind the deflate stream")
        try:
            decoded = decoder.decompress(pending, PIECE)
        except zlib.error:
            raise BadUpstream(Code.CODING_MALFORMED, "not valid deflate") from None
        if decoded:
            yield decoded
        pending = decoder.unused_data if decoder.eof else decoder.unconsumed_tail


def _window(head: bytes) -> int:
    """What zlib calls `wbits`: which of the two readings begins like this."""
    is_zlib = len(head) >= 2 and head[0] & 0x8F == 8 and (head[0] << 8 | head[1]) % 31 == 0
    if not is_zlib:
        return -zlib.MAX_WBITS
    # A bare stream that begins so has a stored block first: its length and the complement of it.
    stored = [one ^ other for one, other in zip(head[1:3], head[3:5], strict=False)]
    if stored == [0xFF, 0xFF]:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "deflate that has two readings")
    return zlib.MAX_WBITS
