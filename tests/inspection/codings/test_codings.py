"""What all content codings promise, each of them: complete or refused, in bounded pieces."""

import gzip
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings import CODINGS
from gateway.inspection.codings.coding import PIECE
from tests.support.codings import is_sealed

CONTENT = b'{"owner": "me", "text": "' + bytes(range(32, 127)) * 3 + b'"}'


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


ENCODE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "bare deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
}
each = pytest.mark.parametrize("kind", ENCODE)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def decoded(kind: str, data: bytes, size: int = 64) -> bytes:
    return b"".join(CODINGS[ENCODE[kind][0]].decode(pieces(data, size)))


def refusal(kind: str, data: bytes, size: int = 64) -> Code:
    with pytest.raises(BadUpstream) as caught:
        decoded(kind, data, size)
    return caught.value.code


@each
def test_a_complete_body_is_decoded(kind: str) -> None:
    """Catalogue A01."""
    assert decoded(kind, ENCODE[kind][1](CONTENT)) == CONTENT


@each
def test_a_body_cut_at_any_byte_is_malformed(kind: str) -> None:
    """Catalogue A06, A07: aiohttp's decoders take most of these for complete."""
    received = ENCODE[kind][1](CONTENT)
    for length in range(len(received)):
        assert refusal(kind, received[:length]) is Code.CODING_MALFORMED, length


@each
@pytest.mark.parametrize("behind", [b"x", b"\0" * 300, CONTENT])
@pytest.mark.parametrize("size", [1, 64, 4096])
def test_bytes_behind_the_end_are_malformed(kind: str, behind: bytes, size: int) -> None:
    """Catalogue A08."""
    received = ENCODE[kind][1](CONTENT)
    assert refusal(kind, received + behind, size) is Code.CODING_MALFORMED
    assert decoded(kind, received, size) == CONTENT


@each
def test_plain_text_is_no_coding(kind: str) -> None:
    """Catalogue A05."""
    assert refusal(kind, CONTENT) is Code.CODING_MALFORMED


@each
def test_no_piece_is_larger_than_promised(kind: str) -> None:
    """Catalogue A11: a bomb is met piece by piece, so that whoever counts them can stop it."""
    received = ENCODE[kind][1](bytes(8 << 20))
    total = 0
    for piece in CODINGS[ENCODE[kind][0]].decode(iter([received])):
        assert 0 < len(piece) <= PIECE
        total += len(piece)
    assert total == 8 << 20


@each
@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=2000), size=st.integers(1, 60))
def test_how_a_body_was_cut_never_changes_what_is_decoded(
    kind: str, content: bytes, size: int
) -> None:
    assert decoded(kind, ENCODE[kind][1](content), size) == content


@pytest.mark.parametrize("coding", CODINGS)
@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.binary(max_size=500), max_size=4))
def test_what_is_encoded_here_is_decoded_here(coding: str, parts: list[bytes]) -> None:
    encoder = CODINGS[coding].encoder()
    received = b"".join(map(encoder.compress, parts)) + encoder.flush()
    assert b"".join(CODINGS[coding].decode(pieces(received, 7))) == b"".join(parts)


@each
@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 5000), size=st.integers(1, 60))
def test_a_flipped_bit_never_hangs_or_crashes(kind: str, place: int, size: int) -> None:
    received = bytearray(ENCODE[kind][1](CONTENT))
    place %= len(received) * 8
    received[place // 8] ^= 1 << place % 8
    try:
        decoded(kind, bytes(received), size)
    except BadUpstream as fault:
        assert fault.code in (Code.CODING_MALFORMED, Code.BODY_AMBIGUOUS)


@each
@pytest.mark.parametrize("content", [b"", CONTENT, bytes(300_000), CONTENT * 5_000])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_an_honest_body_is_sealed_unless_it_is_under_br(
    kind: str, content: bytes, size: int
) -> None:
    coding, encode = ENCODE[kind]
    assert is_sealed(coding, encode(content), size) is (coding != "br")
