"""gzip (RFC 1952): members with a checksum each, decoded to the last byte.

A missing trailer, a wrong checksum and bytes behind the last member are refused: aiohttp and most
clients accept them.
"""

import zlib
from collections.abc import Iterator

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings.coding import PIECE, Encoder

_MOST_MEMBERS = 1_000
"""A million empty members are 20 MB of pure overhead: no exporter writes them."""

_HEADER, _LONGEST_NAME = 10, 255
_EXTRA, _NAME, _COMMENT = 0x04, 0x08, 0x10
_CONTROLS = bytes([*range(0x20), *range(0x7F, 0xA0)])


def encoder() -> Encoder:
    return zlib.compressobj(level=6, wbits=31)


def decode(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decode the members to their proven end (RFC 1952 section 2.2: several may follow)."""
    members = 0
    header: bytes | None = b""
    decoder: zlib._Decompress | None = None
    for chunk in chunks:
        pending = chunk
        while pending:
            if decoder is None or decoder.eof:
                members += 1
                if members > _MOST_MEMBERS:
                    raise BadUpstream(Code.CODING_MALFORMED, "too many gzip members")
                decoder, header = zlib.decompressobj(wbits=31), b""
            if header is not None:
                header = _unread_header(header + pending[: _HEADER + _LONGEST_NAME + 1])
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


def _unread_header(header: bytes) -> bytes | None:
    """The header of a gzip member so far, or None once it is known to hold no hiding place.

    What its optional fields say is no content, and nobody inspects it (RFC 1952 section 2.3.1):
    a comment or an extra field is refused, and so is a file name that is more than a name.
    """
    if len(header) < _HEADER:
        return header
    flags, name = header[3], header[_HEADER:]
    if flags & (_EXTRA | _COMMENT):
        raise BadUpstream(Code.CODING_MALFORMED, "a comment or extra field in a gzip header")
    if not flags & _NAME:
        return None
    name, end, _ = name.partition(b"\0")
    if len(name) > _LONGEST_NAME or name.translate(None, _CONTROLS) != name:
        raise BadUpstream(Code.CODING_MALFORMED, "a file name in a gzip header that is no name")
    return None if end else header
