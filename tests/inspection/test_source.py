"""Stored bodies as chunks: every byte of the coding accounted for, or a refusal."""

import gzip
import os
import zlib
from pathlib import Path

import brotli
import pytest
from backports import zstd

from gateway.errors import BadUpstream, Code, InternalError, Unavailable
from gateway.inspection.settings import Limits
from gateway.inspection.source import (
    CHUNK,
    Body,
    Flow,
    InMemory,
    OnDisk,
    read,
)

LIMITS = Limits()
CONTENT = b'{"owner": "me", "text": "' + bytes(range(32, 127)) * 3 + b'"}'


# Bodies as they come


def test_a_plain_body_is_read_in_chunks_any_number_of_times() -> None:
    data = os.urandom(2 * CHUNK + 10)
    body = Body(InMemory(data), (), LIMITS)
    for _ in range(2):
        chunks = list(body.chunks())
        assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 10]
        assert b"".join(chunks) == data
        assert (body.meter.inspected, body.meter.decoded) == (len(data), len(data))


def test_an_empty_plain_body_has_no_chunks() -> None:
    assert list(Body(InMemory(b""), (), LIMITS).chunks()) == []


def test_the_meter_counts_only_what_was_read() -> None:
    body = Body(InMemory(b"x" * (CHUNK + 1)), (), LIMITS)
    next(body.chunks())
    assert body.meter.inspected == CHUNK


def test_a_body_on_disk_is_read_like_one_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(gzip.compress(CONTENT))
    with file.open("rb") as opened:
        stored = OnDisk(opened.fileno(), file.stat().st_size)
        body = Body(stored, ("gzip",), LIMITS)
        assert b"".join(body.chunks()) == CONTENT
        assert body.meter.inspected == stored.size
        assert body.meter.decoded == len(CONTENT)


def test_a_part_of_a_body_is_read_by_its_offsets() -> None:
    assert b"".join(read(InMemory(b"0123456789"), 2, 5)) == b"234"
    assert b"".join(read(InMemory(b"0123456789"), 7)) == b"789"


def test_a_file_that_shrank_is_a_failed_spool(tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"12345")
    with file.open("rb") as opened:
        assert b"".join(read(OnDisk(opened.fileno(), 5))) == b"12345"
        with pytest.raises(Unavailable) as caught:
            list(read(OnDisk(opened.fileno(), 6)))
    assert caught.value.code is Code.SPOOL_FAILED


@pytest.mark.parametrize("coding", ["x-gzip", "identity", "", "aws-chunked", "compress"])
def test_another_coding_is_unsupported(coding: str) -> None:
    """Catalogue A02, A04; the names in the header are normalised where it is read."""
    for codings in ((coding,), ("gzip", coding), (coding, "gzip")):
        with pytest.raises(BadUpstream) as caught:
            Body(InMemory(gzip.compress(CONTENT)), codings, LIMITS).chunks()
        assert caught.value.code is Code.CODING_UNSUPPORTED
    assert b"".join(Body(InMemory(gzip.compress(CONTENT)), ("gzip",), LIMITS).chunks()) == CONTENT


def test_random_access_is_for_uncoded_bodies_only() -> None:
    stored = InMemory(gzip.compress(CONTENT))
    assert Body(stored, (), LIMITS).plain() is stored
    with pytest.raises(BadUpstream) as caught:
        Body(stored, ("gzip",), LIMITS).plain()
    assert caught.value.code is Code.CODING_UNSUPPORTED


def test_one_layer_is_decoded_and_no_more() -> None:
    """Catalogue A11: what is still gzip inside is for detection to refuse."""
    inside = gzip.compress(CONTENT, mtime=0)
    twice = InMemory(gzip.compress(inside))
    assert b"".join(Body(twice, ("gzip",), LIMITS).chunks()) == inside
    assert b"".join(Body(twice, ("gzip", "gzip"), LIMITS).chunks()) == CONTENT


def test_codings_are_undone_from_the_last_to_the_first() -> None:
    """Catalogue A03; RFC 9110 section 8.4 lists them in the order they were applied."""
    stored = InMemory(zstd.compress(gzip.compress(CONTENT)))
    body = Body(stored, ("gzip", "zstd"), LIMITS)
    assert b"".join(body.chunks()) == CONTENT
    assert (body.meter.inspected, body.meter.decoded) == (stored.size, len(CONTENT))
    with pytest.raises(BadUpstream) as caught:
        list(Body(stored, ("zstd", "gzip"), LIMITS).chunks())
    assert caught.value.code is Code.CODING_MALFORMED


def test_a_bomb_between_two_codings_is_refused() -> None:
    """What is small as it comes and small at the end may be large on its way."""
    empty_blocks = b"\x00\x00\x00\xff\xff" * 2_000_000 + b"\x03\x00"
    stored = InMemory(zstd.compress(empty_blocks))
    with pytest.raises(BadUpstream) as caught:
        list(Body(stored, ("deflate", "zstd"), LIMITS).chunks())
    assert caught.value.code is Code.BODY_TOO_LARGE
    few = InMemory(zstd.compress(b"\x00\x00\x00\xff\xff" * 100 + b"\x03\x00"))
    assert list(Body(few, ("deflate", "zstd"), LIMITS).chunks()) == []


@pytest.mark.parametrize("outer", ["br", "zstd", "deflate", "gzip"])
def test_bytes_behind_an_inner_coding_are_refused(outer: str) -> None:
    inner = gzip.compress(CONTENT)
    encoders = {
        "br": brotli.compress, "zstd": zstd.compress, "deflate": zlib.compress,
        "gzip": gzip.compress,
    }  # fmt: skip
    encode = encoders[outer]
    good, bad = InMemory(encode(inner)), InMemory(encode(inner + b"canary"))
    assert b"".join(Body(good, ("gzip", outer), LIMITS).chunks()) == CONTENT
    with pytest.raises(BadUpstream) as caught:
        list(Body(bad, ("gzip", outer), LIMITS).chunks())
    assert caught.value.code is Code.CODING_MALFORMED


# Bodies that are still coming


def test_a_flow_is_looked_at_before_its_first_bytes_and_while_its_head_grows() -> None:
    heads: list[bytes] = []
    flow = Flow(iter([b"a", b"b", b"cd", b"e" * 5000, b"f"]), (), LIMITS, heads.append)
    assert list(flow.chunks()) == [b"abcd", b"e" * 5000, b"f"]
    assert heads == [b"abcd", b"abcd" + b"e" * 4092]
    assert flow.meter.inspected == 5005


@pytest.mark.parametrize("data", [b"", b"ab"])
def test_a_flow_shorter_than_a_mark_is_looked_at_at_its_end(data: bytes) -> None:
    heads: list[bytes] = []
    flow = Flow(iter([data] if data else []), (), LIMITS, heads.append)
    assert b"".join(flow.chunks()) == data
    assert heads == [data]


def test_a_flow_can_be_read_once() -> None:
    flow = Flow(iter([b"abcd"]), (), LIMITS, lambda _: None)
    assert list(flow.chunks()) == [b"abcd"]
    with pytest.raises(InternalError):
        flow.chunks()
