"""A bomb is refused while it is small, and an honest megabyte of zeros is none."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.inflation import Inflation, Unfolding
from gateway.inspection.settings import Limits

MIB = 1 << 20


def test_the_ratio_counts_beyond_the_first_mebibyte() -> None:
    inflation = Inflation(Limits(ratio=10))
    inflation.count(MIB, 1)
    with pytest.raises(BadUpstream) as caught:
        inflation.count(1, 1)
    assert caught.value.code is Code.BODY_TOO_LARGE


def test_what_grows_with_what_was_received_passes() -> None:
    inflation = Inflation(Limits(ratio=10))
    for received in range(1, 20):
        inflation.count(10 * MIB, received * MIB)


def test_the_decoded_bytes_have_a_limit_of_their_own() -> None:
    inflation = Inflation(Limits(decoded=100))
    inflation.count(100, 100)
    with pytest.raises(BadUpstream) as caught:
        inflation.count(1, 1000)
    assert caught.value.code is Code.BODY_TOO_LARGE


def test_the_most_that_may_come_out_is_known_before() -> None:
    limits = Limits(decoded=10 << 20, ratio=3)
    assert Inflation.most(limits, 10) == 1 << 20
    assert Inflation.most(limits, 1 << 20) == 3 << 20
    assert Inflation.most(limits, 8 << 20) == 10 << 20


def test_many_small_unfoldings_are_one() -> None:
    unfolding = Unfolding(Limits(ratio=3), 1 << 20)
    for _ in range(3):
        unfolding.count(1 << 20)
    with pytest.raises(BadUpstream):
        unfolding.count(1)
