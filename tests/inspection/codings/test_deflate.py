"""deflate means two formats; which one it is must be plain to every reader."""

import zlib

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings import deflate

CONTENT = b"id,owner\n1,me\n" * 20


def decode(*chunks: bytes) -> bytes:
    return b"".join(deflate.decode(iter(chunks)))


def bare(data: bytes, level: int = 6) -> bytes:
    compressor = zlib.compressobj(level, wbits=-15)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize("level", range(10))
def test_both_readings_are_read(level: int) -> None:
    assert decode(zlib.compress(CONTENT, level)) == CONTENT
    assert decode(bare(CONTENT, level)) == CONTENT


@pytest.mark.parametrize("content", [b"", b"a"])
def test_a_stream_shorter_than_what_tells_them_apart_is_read(content: bytes) -> None:
    assert decode(bare(content)) == content
    assert decode(zlib.compress(content)) == content


def test_a_stream_with_two_readings_is_ambiguous() -> None:
    """zlib's header, and at the same time the head of a bare stream's stored block."""
    data = bytes([0x78, 0x01, 0x00, 0xFE, 0xFF]) + b"x"
    with pytest.raises(BadUpstream) as caught:
        decode(data)
    assert caught.value.code is Code.BODY_AMBIGUOUS
    with pytest.raises(BadUpstream) as other:
        decode(bytes([0x78, 0x01, 0x00, 0xFE, 0xFE]) + b"x")
    assert other.value.code is Code.CODING_MALFORMED


def test_a_preset_dictionary_is_malformed() -> None:
    compressor = zlib.compressobj(zdict=b"owner")
    with pytest.raises(BadUpstream) as caught:
        decode(compressor.compress(CONTENT) + compressor.flush())
    assert caught.value.code is Code.CODING_MALFORMED


def test_a_wrong_checksum_is_malformed() -> None:
    received = zlib.compress(CONTENT)
    with pytest.raises(BadUpstream) as caught:
        decode(received[:-1] + bytes([received[-1] ^ 1]))
    assert caught.value.code is Code.CODING_MALFORMED


def test_what_is_written_anew_is_in_zlib_format() -> None:
    encoder = deflate.encoder()
    assert zlib.decompress(encoder.compress(CONTENT) + encoder.flush()) == CONTENT
