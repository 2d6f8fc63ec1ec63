"""The sealed statement of how far a log reached."""

import pytest

from gateway.decisionlog.anchor import SIZE, Anchor, first, read, sealed, write
from gateway.decisionlog.chain import GENESIS
from tests.decisionlog.support import KEY, OTHER_KEY

ANCHOR = Anchor(7, "ab" * 32, 8_192, KEY.id)
WRITTEN = write(ANCHOR, KEY)


def test_an_anchor_reads_as_it_was_written() -> None:
    assert read(WRITTEN) == ANCHOR
    assert sealed(WRITTEN, KEY)


def test_every_anchor_has_the_same_size() -> None:
    largest = Anchor(10**18 - 1, "f" * 64, 2**63, KEY.id)
    for each in (first(KEY), ANCHOR, largest):
        assert len(write(each, KEY)) == SIZE
        assert read(write(each, KEY)) == each


def test_every_flipped_bit_is_seen() -> None:
    for position in range(SIZE):
        for bit in range(8):
            flipped = bytearray(WRITTEN)
            flipped[position] ^= 1 << bit
            assert not sealed(bytes(flipped), KEY), (position, bit)


def test_nobody_without_the_key_can_write_one() -> None:
    assert not sealed(write(ANCHOR, OTHER_KEY), KEY)
    assert not sealed(WRITTEN.replace(b'"seq":7', b'"seq":6'), KEY)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", WRITTEN[:100], WRITTEN * 2, b"\0" * SIZE, WRITTEN.replace(b":1,", b":2,", 1)],
    ids=range(6),
)
def test_what_isnt_an_anchor_is_none(data: bytes) -> None:
    assert read(data) is None
    assert not sealed(data, KEY)


def test_the_first_anchor_speaks_of_an_empty_log() -> None:
    assert first(KEY).head == GENESIS
    assert first(KEY).size == 0
