"""gzip (RFC 1952): members with a checksum each, decoded to the last byte.

A missing trailer, a wrong checksum and bytes behind the last member are refused: aiohttp and most
clients accept them. What a header says beside is no content: such a body must be written anew.
"""

import zlib
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings.coding import PIECE, Decoded, Encoder

_MOST_MEMBERS = 1_000
"""A million empty members are 20 MB of pure overhead: no exporter writes them."""

_FLAGS = 3
_FIELDS = 0x04 | 0x08 | 0x10
"""Where a header says what follows it, and the flags of what nobody reads: an extra field, a file
name, a comment (RFC 1952 section 2.3.1)."""


def encoder() -> Encoder:
    return zlib.compressobj(level=6, wbits=31)


def decode(chunks: Iterator[bytes]) -> Decoded:
    """Decode the members to their proven end (RFC 1952 section 2.2: several may follow)."""
    members = 0
    header = b""
    decoder: zlib._Decompress | None = None
    for chunk in chunks:
        pending = chunk
        while pending:
            if decoder is None or decoder.eof:
                members += 1
                if members > _MOST_MEMBERS:
                    raise BadUpstream(Code.CODING_MALFORMED, "too many gzip members")
                decoder, header = zlib.decompressobj(wbits=31), b""
            header += pending[: _FLAGS + 1 - len(header)]
            try:
                decoded = decoder.decompress(pending, PIECE)
            except zlib.error:
                raise BadUpstream(Code.CODING_MALFORMED, "not valid gzip") from None
            if decoded:
                yield decoded
            # Output that the decoder holds back at the end of a chunk comes with the next one: the
            # trailer is never taken before the last byte is out.
            pending = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if decoder is None or not decoder.eof:
        raise BadUpstream(Code.CODING_MALFORMED, "gzip ends before its trailer")
    # Each header has a time and more; one of them is no place to hide in, a thousand are.
    return members == 1 and not header[_FLAGS] & _FIELDS
