"""A bomb is refused while it is small, and an honest megabyte of zeros is none."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.inflation import Inflation
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
