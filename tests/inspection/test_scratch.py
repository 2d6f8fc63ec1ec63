"""Where an archive lies that had to be decoded before it could be read."""

import errno
from unittest import mock

import pytest

from gateway.errors import BadUpstream, Code, Unavailable
from tests.support.scratches import scratch


def test_bodies_lie_one_behind_the_other_and_are_given_back() -> None:
    with scratch() as file, file.holding([b"ab", b"c"]) as outer:
        assert (outer.size, outer.pread(10, 1), outer.pread(1, 9)) == (3, b"bc", b"")
        with file.holding([b"xyz"]) as inner:
            assert inner.pread(2, 0) == b"xy" and outer.pread(10, 0) == b"abc"
        with file.holding([]) as nothing:
            assert nothing.size == 0
        assert outer.pread(10, 0) == b"abc"


def test_a_body_over_the_limit_is_refused_and_leaves_nothing() -> None:
    with scratch(4) as file, file.holding([b"ab"]):
        with pytest.raises(BadUpstream) as caught, file.holding([b"c", b"de"]):
            raise AssertionError
        assert caught.value.code is Code.BODY_TOO_LARGE
        with file.holding([b"cd"]) as fits:
            assert fits.pread(2, 0) == b"cd"


def test_a_full_disk_is_told() -> None:
    with (
        scratch() as file,
        mock.patch("os.pwrite", side_effect=OSError(errno.ENOSPC, "full")),
        pytest.raises(Unavailable) as caught,
        file.holding([b"a"]),
    ):
        raise AssertionError
    assert caught.value.code is Code.SPOOL_FULL
