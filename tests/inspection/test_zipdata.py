"""The contents of one member, read to their proven end."""

import tracemalloc
import zlib
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code, Refusal
from gateway.inspection.settings import Limits
from gateway.inspection.source import InMemory
from gateway.inspection.zipdata import Contents
from gateway.inspection.zipdirectory import read_directory
from tests.support.zips import DEFLATED, STORED, M, archive, deflate


def opened(member: M) -> Contents:
    stored = InMemory(archive(member))
    (entry,) = read_directory(stored, Limits(ratio=2000)).entries
    return Contents(stored, entry)


def refused(contents: Contents) -> Code:
    with pytest.raises(BadUpstream) as caught:
        contents.prove()
    assert not contents.proven
    return caught.value.code


@pytest.mark.parametrize("method", [STORED, DEFLATED])
@pytest.mark.parametrize(
    "data", [b"", b"x", b"alpha" * 9, b"\0" * 3_000_000, bytes(range(256)) * 3000]
)
def test_the_contents_come_whole_and_can_be_read_again(method: int, data: bytes) -> None:
    contents = opened(M("a", data, method))
    for _ in range(2):
        pieces = list(contents.chunks())
        assert b"".join(pieces) == data
        assert all(pieces)
    assert contents.proven


def test_contents_are_proven_only_at_their_end() -> None:
    contents = opened(M("a", b"x" * 2_000_000))
    chunks = contents.chunks()
    next(chunks)
    assert not contents.proven
    list(chunks)
    assert contents.proven


@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_a_wrong_checksum_is_refused(method: int) -> None:
    """A82."""
    wrong = {"crc": 1}
    member = M("a", b"alpha", method, local=wrong, central=wrong)
    assert refused(opened(member)) is Code.BODY_MALFORMED


@pytest.mark.parametrize("size", [44, 46, 0, 10**6])
def test_a_member_that_inflates_to_another_size_is_refused(size: int) -> None:
    """A82."""
    wrong = {"size": size}
    member = M("a", b"alpha" * 9, DEFLATED, local=wrong, central=wrong)
    assert refused(opened(member)) is Code.BODY_MALFORMED


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        deflate(b"alpha")[:-1],
        deflate(b"alpha") + b"\0",
        deflate(b"alpha") + deflate(b"beta"),
        deflate(b"alpha") + b"hidden" * 100_000,
        zlib.compress(b"alpha"),
        b"\x07",
        b"\xff" * 10,
        b"\x05\x00",
    ],
)
def test_a_deflate_stream_ends_where_its_bytes_end(raw: bytes) -> None:
    member = M("a", b"alpha", DEFLATED, raw=raw)
    assert refused(opened(member)) is Code.BODY_MALFORMED


def test_an_empty_deflate_stream_behind_another_is_refused() -> None:
    half = zlib.compressobj(6, zlib.DEFLATED, -15)
    joined = half.compress(b"alpha") + half.flush(zlib.Z_FULL_FLUSH)
    honest = M("a", b"alphabeta", DEFLATED, raw=joined + deflate(b"beta"))
    assert b"".join(opened(honest).chunks()) == b"alphabeta"
    doubled = M("a", b"alpha", DEFLATED, raw=deflate(b"alpha") + b"\x03\0")
    assert refused(opened(doubled)) is Code.BODY_MALFORMED


def test_a_bomb_that_lies_about_its_size_is_stopped_at_it() -> None:
    wrong = {"size": 1000}
    bomb = M("a", b"\0" * (64 << 20), DEFLATED, local=wrong, central=wrong)
    contents = opened(bomb)
    tracemalloc.start()
    try:
        assert refused(contents) is Code.BODY_MALFORMED
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@dataclass(frozen=True)
class Cut:
    """Stored bytes that come at most `step` at a time."""

    data: bytes
    step: int

    @property
    def size(self) -> int:
        return len(self.data)

    def pread(self, length: int, offset: int) -> bytes:
        return self.data[offset : offset + min(length, self.step)]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 11, 12, 100])
@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_how_the_bytes_come_makes_no_difference(step: int, method: int) -> None:
    data = b"alpha beta gamma " * 20
    whole = opened(M("a", data, method, descriptor="32m"))
    assert b"".join(replace(whole, stored=Cut(whole.stored.data, step)).chunks()) == data  # type: ignore[attr-defined]
    doubled = opened(M("a", data, DEFLATED, raw=deflate(data) + b"\0"))
    assert refused(replace(doubled, stored=Cut(doubled.stored.data, step))) is Code.BODY_MALFORMED  # type: ignore[attr-defined]


def decoy(at: int, width: int = 4) -> bytes:
    return b"PK\x07\x08" + b"crc." + at.to_bytes(width, "little") * 2


@pytest.mark.parametrize(
    ("before", "step"),
    [(0, 1), (1, 5), (30, 1), (30, 16), (262_140, 262_144), (262_150, 300_000), (262_143, 4096)],
)
def test_a_descriptor_inside_stored_data_of_unstated_size_is_refused(
    before: int, step: int
) -> None:
    """A reader of a pipe would end the member there, and start another one behind it."""
    for width in (4, 8):
        hidden = b"x" * before + decoy(before, width) + b"PK\x03\x04"
        contents = opened(M("a", hidden, descriptor="32m"))
        contents = replace(contents, stored=Cut(contents.stored.data, step))  # type: ignore[attr-defined]
        assert refused(contents) is Code.BODY_AMBIGUOUS


def test_a_mark_that_is_no_descriptor_is_data_like_any_other() -> None:
    accident = b"x" * 30 + decoy(31) + b"PK\x07\x08"
    for member in (
        M("a", accident, descriptor="32m"),
        M("a", b"x" * 30 + decoy(30)),
        M("a", b"x" * 30 + decoy(30), DEFLATED, descriptor="32m"),
    ):
        assert b"".join(opened(member).chunks()) == member.data


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), level=st.integers(0, 9), at=st.integers(0, 10**4))
def test_a_flipped_bit_in_the_data_is_refused_or_changes_nothing(
    data: bytes, level: int, at: int
) -> None:
    raw = bytearray(deflate(data, level))
    raw[at // 8 % len(raw)] ^= 1 << at % 8
    contents = opened(M("a", data, DEFLATED, raw=bytes(raw)))
    try:
        found = b"".join(contents.chunks())
    except Refusal:
        return
    assert found == data


def test_code_sets_that_no_reader_agrees_on_are_refused() -> None:
    """Over-subscribed Huffman codes: a stream that decoders could read in several ways."""
    # One dynamic block whose code length code has eight codes of length 1.
    bits = "1" + "01" + "00000" + "00000" + "0010" + "100" * 6 + "0" * 64
    raw = int(bits[::-1], 2).to_bytes(len(bits) // 8 + 1, "little")
    assert refused(opened(M("a", b"alpha", DEFLATED, raw=raw))) is Code.BODY_MALFORMED


def test_a_file_that_shrinks_is_no_verdict() -> None:
    contents = opened(M("a", b"alpha"))
    shrunk = replace(contents, stored=InMemory(contents.stored.data[:32]))  # type: ignore[attr-defined]
    with pytest.raises(Refusal) as caught:
        shrunk.prove()
    assert caught.value.code is Code.SPOOL_FAILED
