"""bzip2: every stream is read to its checksum, and nothing stands behind the last."""

import bz2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings import bzip2

CONTENT = b"id,owner\n1,me\n" * 20


def decode(data: bytes, size: int = 5) -> bytes:
    return b"".join(bzip2.decode(data[at : at + size] for at in range(0, len(data), size)))


def refusal(data: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        decode(data)
    return caught.value.code


@given(st.binary(max_size=5_000), st.integers(1, 64))
def test_what_is_encoded_is_decoded(content: bytes, size: int) -> None:
    encoder = bzip2.encoder()
    received = encoder.compress(content) + encoder.flush()
    assert decode(received, size) == content == bz2.decompress(received)


def test_every_stream_is_read() -> None:
    """A09."""
    assert decode(bz2.compress(b"me,") + bz2.compress(b"foreign")) == b"me,foreign"


def test_what_is_cut_damaged_or_followed_is_refused() -> None:
    """A06 to A08."""
    whole = bz2.compress(CONTENT)
    assert decode(whole) == CONTENT
    for at in range(len(whole)):
        assert refusal(whole[:at]) is Code.CODING_MALFORMED
    for rest in (b"\0", b"BZ", b"canary"):
        assert refusal(whole + rest) is Code.CODING_MALFORMED
    damaged = bytearray(whole)
    damaged[-3] ^= 1
    assert refusal(bytes(damaged)) is Code.CODING_MALFORMED


def test_what_came_as_bzip2_never_leaves_as_it_came() -> None:
    decoder = bzip2.decode(iter([bz2.compress(CONTENT)]))
    assert next(decoder) == CONTENT
    with pytest.raises(StopIteration) as end:
        next(decoder)
    assert end.value.value is False


def test_a_bomb_comes_out_piece_by_piece() -> None:
    """A11."""
    pieces = bzip2.decode(iter([bz2.compress(bytes(20 << 20))]))
    assert max(len(piece) for piece in pieces) <= 256 * 1024
