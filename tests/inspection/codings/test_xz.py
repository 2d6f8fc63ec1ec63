"""xz: one stream, read to its index, and nothing behind it."""

import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings import xz

CONTENT = b"id,owner\n1,me\n" * 20


def decode(data: bytes, size: int = 5) -> bytes:
    return b"".join(xz.decode(data[at : at + size] for at in range(0, len(data), size)))


def refusal(data: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        decode(data)
    return caught.value.code


@given(st.binary(max_size=5_000), st.integers(1, 64))
def test_what_is_encoded_is_decoded(content: bytes, size: int) -> None:
    encoder = xz.encoder()
    received = encoder.compress(content) + encoder.flush()
    assert decode(received, size) == content == lzma.decompress(received)


def test_what_is_cut_damaged_or_followed_is_refused() -> None:
    """A06 to A09."""
    whole = lzma.compress(CONTENT)
    assert decode(whole) == CONTENT
    for at in range(len(whole)):
        assert refusal(whole[:at]) is Code.CODING_MALFORMED
    for rest in (b"\0", bytes(4), b"canary", whole):
        for size in (5, 10_000):
            with pytest.raises(BadUpstream):
                decode(whole + rest, size)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    assert refusal(bytes(damaged)) is Code.CODING_MALFORMED


def test_a_stream_without_a_checksum_is_refused() -> None:
    for check in (lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256):
        assert decode(lzma.compress(CONTENT, check=check)) == CONTENT
    assert refusal(lzma.compress(CONTENT, check=lzma.CHECK_NONE)) is Code.CODING_MALFORMED
    assert refusal(lzma.compress(CONTENT, lzma.FORMAT_ALONE)) is Code.CODING_MALFORMED


def test_a_window_that_takes_too_much_memory_is_refused() -> None:
    """A11."""
    assert decode(lzma.compress(CONTENT, preset=7)) == CONTENT
    assert refusal(lzma.compress(CONTENT, preset=9)) is Code.CODING_MALFORMED


def test_a_bomb_comes_out_piece_by_piece() -> None:
    pieces = xz.decode(iter([lzma.compress(bytes(20 << 20))]))
    assert max(len(piece) for piece in pieces) <= 256 * 1024
