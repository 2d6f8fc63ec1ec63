"""A member that is a compressed file."""

import gzip

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.inflation import Unfolding
from gateway.inspection.settings import Limits
from gateway.inspection.unpacked import Unpacked
from tests.support.containers import Shelf

CONTENT = b'{"owner": "me"}\n' * 100
NAMED = gzip.compress(CONTENT)[:3] + b"\x08" + gzip.compress(CONTENT)[4:10] + b"name\0"
NAMED += gzip.compress(CONTENT)[10:]


def unpacked(data: bytes, unfolding: Unfolding | None = None) -> Unpacked:
    return Unpacked(Shelf({"a.gz": data}).contents(1), "gzip", unfolding)


def test_it_is_decoded_and_proven_at_its_end() -> None:
    contents = unpacked(gzip.compress(CONTENT, mtime=0))
    assert not contents.proven and contents.entry.name == "a.gz"
    assert b"".join(contents.chunks()) == CONTENT
    assert contents.proven and contents.sealed


def test_what_stands_beside_its_content_is_told() -> None:
    assert gzip.decompress(NAMED) == CONTENT
    contents = unpacked(NAMED)
    assert b"".join(contents.chunks()) == CONTENT
    assert contents.proven and not contents.sealed


def test_what_is_cut_is_never_proven() -> None:
    contents = unpacked(gzip.compress(CONTENT)[:-1])
    with pytest.raises(BadUpstream) as caught:
        list(contents.chunks())
    assert caught.value.code is Code.CODING_MALFORMED and not contents.proven


def test_what_it_unfolds_to_is_counted() -> None:
    bomb = gzip.compress(bytes(5 << 20))
    assert len(b"".join(unpacked(bomb, Unfolding(Limits(), 30_000)).chunks())) == 5 << 20
    with pytest.raises(BadUpstream) as caught:
        list(unpacked(bomb, Unfolding(Limits(), len(bomb))).chunks())
    assert caught.value.code is Code.BODY_TOO_LARGE
