"""br: one stream to its end; and why it never leaves as it came."""

import brotli as library
import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings import brotli
from tests.support.codings import is_sealed

CONTENT = b"id,owner\n1,me\n" * 20

METADATA = b"canary"
# WBITS 16 (one bit 0), then a metadata block: ISLAST 0, MNIBBLES 11, reserved 0, MSKIPBYTES 01,
# MSKIPLEN - 1 in eight bits, and after the byte's end the bytes that are skipped.
HEAD = 0b0 | 0b0 << 1 | 0b11 << 2 | 0 << 4 | 0b01 << 5 | (len(METADATA) - 1) << 7
HIDING = HEAD.to_bytes(2, "little") + METADATA + b"\x03"  # ISLAST, ISLASTEMPTY


def decode(data: bytes, size: int = 5) -> bytes:
    return b"".join(brotli.decode(data[at : at + size] for at in range(0, len(data), size)))


def test_a_metadata_block_decodes_to_nothing_so_that_br_is_not_sealed() -> None:
    """RFC 7932 section 9.2. No library tells of it: what came under br must be written anew."""
    assert library.decompress(HIDING) == b""
    assert METADATA in HIDING
    assert decode(HIDING) == b""
    assert not is_sealed("br", HIDING)


def test_a_large_window_is_malformed() -> None:
    """Catalogue A11: not part of RFC 7932, and up to a gibibyte of memory."""
    large = bytes([0x11, 0x1E]) + library.compress(CONTENT)
    with pytest.raises(BadUpstream) as caught:
        decode(large)
    assert caught.value.code is Code.CODING_MALFORMED


def test_two_streams_are_malformed() -> None:
    one = library.compress(CONTENT)
    with pytest.raises(BadUpstream) as caught:
        decode(one + one)
    assert caught.value.code is Code.CODING_MALFORMED
    assert decode(one) == CONTENT
