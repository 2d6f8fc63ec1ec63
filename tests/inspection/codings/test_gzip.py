"""gzip, decoded to its proven end or refused."""

import gzip
import zlib
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import source as source_module
from gateway.inspection.settings import Limits
from gateway.inspection.source import CHUNK, Body, InMemory
from tests.support.codings import is_sealed

LIMITS = Limits()
CONTENT = b'{"owner": "me", "text": "' + bytes(range(32, 127)) * 3 + b'"}'


def gunzip(received: bytes, limits: Limits = LIMITS) -> bytes:
    return b"".join(Body(InMemory(received), ("gzip",), limits).chunks())


def refusal(received: bytes, limits: Limits = LIMITS) -> Code:
    with pytest.raises(BadUpstream) as caught:
        gunzip(received, limits)
    return caught.value.code


def with_trailer(crc: int, size: int) -> bytes:
    return gzip.compress(CONTENT)[:-8] + crc.to_bytes(4, "little") + size.to_bytes(4, "little")


def with_header(flags: int, fields: bytes) -> bytes:
    """A gzip member with optional header fields, RFC 1952 section 2.3."""
    plain = gzip.compress(CONTENT)
    return plain[:3] + bytes([flags]) + plain[4:10] + fields + plain[10:]


def test_gzip_cut_at_any_byte_is_malformed() -> None:
    """Catalogue A06, A07: the empty body, the header alone and the missing trailer among them."""
    received = gzip.compress(CONTENT, mtime=0)
    assert gunzip(received) == CONTENT
    for length in range(len(received)):
        assert refusal(received[:length]) is Code.CODING_MALFORMED, length


def test_gzip_of_stored_blocks_cut_at_any_byte_is_malformed() -> None:
    received = gzip.compress(CONTENT, compresslevel=0)
    assert gunzip(received) == CONTENT
    for length in range(len(received)):
        assert refusal(received[:length]) is Code.CODING_MALFORMED, length


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(CONTENT, id="not gzip at all"),
        pytest.param(zlib.compress(CONTENT), id="zlib"),
        pytest.param(with_trailer(zlib.crc32(CONTENT) ^ 1, len(CONTENT)), id="wrong CRC"),
        pytest.param(with_trailer(zlib.crc32(CONTENT), len(CONTENT) + 1), id="wrong ISIZE"),
        pytest.param(gzip.compress(CONTENT) + b"x", id="trailing byte"),
        pytest.param(gzip.compress(CONTENT) + b"\0" * 512, id="trailing NULs"),
        pytest.param(gzip.compress(CONTENT) + CONTENT, id="plain text behind it"),
        pytest.param(gzip.compress(CONTENT) + b"\x1f\x8b", id="cut second member"),
        pytest.param(gzip.compress(CONTENT) + gzip.compress(CONTENT)[:-1], id="cut second trailer"),
        pytest.param(b"\0" + gzip.compress(CONTENT), id="leading NUL"),
        pytest.param(b"\x1f\x8b\x07" + gzip.compress(CONTENT)[3:], id="reserved method"),
        pytest.param(b"\x1f\x8b\x08\xe0" + gzip.compress(CONTENT)[4:], id="reserved flags"),
    ],
)
def test_what_is_not_gzip_to_the_last_byte_is_malformed(received: bytes) -> None:
    """Catalogue A05, A08."""
    assert refusal(received) is Code.CODING_MALFORMED
    assert gunzip(with_trailer(zlib.crc32(CONTENT), len(CONTENT))) == CONTENT


def test_every_gzip_member_is_read() -> None:
    """Catalogue A09: what stands in the second one is inspected like the rest."""
    assert gunzip(gzip.compress(b"me,") + gzip.compress(b"") + gzip.compress(b"foreign")) == (
        b"me,foreign"
    )


def test_a_million_empty_gzip_members_are_refused_early() -> None:
    """Catalogue A10."""
    body = Body(InMemory(gzip.compress(b"") * 1_000_000), ("gzip",), LIMITS)
    with pytest.raises(BadUpstream) as caught:
        list(body.chunks())
    assert caught.value.code is Code.CODING_MALFORMED
    assert body.meter.inspected == CHUNK
    assert gunzip(gzip.compress(b"x") * 1_000) == b"x" * 1_000


def test_a_bomb_is_refused_while_it_is_small() -> None:
    """Catalogue A11: a thousand to one, and never more in memory than a chunk."""
    received = gzip.compress(bytes(64 << 20))
    body = Body(InMemory(received), ("gzip",), LIMITS)
    largest = 0
    with pytest.raises(BadUpstream) as caught:
        for chunk in body.chunks():
            largest = max(largest, len(chunk))
    assert caught.value.code is Code.BODY_TOO_LARGE
    assert body.meter.decoded <= len(received) * LIMITS.ratio
    assert largest <= CHUNK
    assert len(gunzip(received, replace(LIMITS, ratio=2_000))) == 64 << 20


def test_a_megabyte_of_zeros_is_no_bomb() -> None:
    assert len(gunzip(gzip.compress(bytes(1 << 20)))) == 1 << 20
    assert refusal(gzip.compress(bytes((1 << 20) + CHUNK))) is Code.BODY_TOO_LARGE


def test_more_decoded_bytes_than_the_limit_are_too_large() -> None:
    received = gzip.compress(CONTENT)
    assert refusal(received, replace(LIMITS, decoded=len(CONTENT) - 1)) is Code.BODY_TOO_LARGE
    assert gunzip(received, replace(LIMITS, decoded=len(CONTENT))) == CONTENT


@pytest.mark.parametrize("chunk", [1, 3, CHUNK])
@pytest.mark.parametrize(
    ("flags", "fields"),
    [
        pytest.param(0x04, b"\x06\x00canary", id="extra field"),
        pytest.param(0x10, b"canary\0", id="comment"),
        pytest.param(0x1C, b"\x06\x00canary" + b"name\0" + b"canary\0", id="all of them"),
        pytest.param(0x08, b"foreign@example.org.json\0", id="file name"),
    ],
)
def test_what_a_gzip_header_carries_beside_is_read_by_nobody(
    flags: int, fields: bytes, chunk: int
) -> None:
    """No reader of the content sees it, and a body that is released untouched takes it along."""
    member = with_header(flags, fields)
    assert gzip.decompress(member) == CONTENT
    assert not is_sealed("gzip", member, chunk)
    assert is_sealed("gzip", with_header(0, b""), chunk)


def test_the_headers_of_many_members_are_read_by_nobody() -> None:
    """Six bytes in each: a time, how hard it was compressed, a system."""
    members = [gzip.compress(b"", mtime=ord(letter)) for letter in "foreign"]
    assert gunzip(b"".join(members)) == b""
    assert not is_sealed("gzip", b"".join(members))
    assert is_sealed("gzip", members[0])


@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    st.integers(1, 40),
    st.integers(0, 9),
    st.data(),
)
def test_chunk_sizes_never_change_what_is_decoded(
    members: list[bytes], chunk: int, level: int, data: st.DataObject
) -> None:
    received = b"".join(gzip.compress(member, level) for member in members)
    cut = data.draw(st.integers(0, len(received)))
    boundaries = {0}
    for member in members:
        boundaries.add(max(boundaries) + len(gzip.compress(member, level)))
    with mock.patch.object(source_module, "CHUNK", chunk):
        assert gunzip(received) == b"".join(members)
        if cut not in boundaries or cut == 0:
            assert refusal(received[:cut]) is Code.CODING_MALFORMED


@given(st.binary(min_size=1, max_size=300), st.integers(0, 2400), st.integers(1, 40))
def test_a_flipped_bit_is_never_passed_as_other_content(
    content: bytes, place: int, chunk: int
) -> None:
    received = bytearray(gzip.compress(content, mtime=0))
    place %= len(received) * 8
    received[place // 8] ^= 1 << place % 8
    with mock.patch.object(source_module, "CHUNK", chunk):
        try:
            decoded = gunzip(bytes(received))
        except BadUpstream as fault:
            assert fault.code is Code.CODING_MALFORMED
        else:
            assert decoded == content  # the time, the system, the level
