"""Pauses: by chance within bounds, growing after failures, never none at all."""

from random import Random

import pytest

from gateway.policy.bundles.pauses import Clocks, after_answer, after_failure
from gateway.policy.bundles.settings import PollingSettings

POLLING = PollingSettings(min=60, max=120)


def test_polls_are_spread_over_the_whole_range() -> None:
    chance = Random(1).random
    pauses = [after_answer(POLLING, chance, None) for _ in range(1000)]
    assert 60 <= min(pauses) < 63
    assert 117 < max(pauses) <= 120


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 60.0), (0.5, 90.0), (1.0, 120.0)])
def test_the_chance_given_decides(chance: float, pause: float) -> None:
    assert after_answer(POLLING, lambda: chance, None) == pause


def test_failures_make_pauses_grow_up_to_the_longest() -> None:
    most = [after_failure(failures, POLLING, lambda: 1.0) for failures in range(1, 12)]
    least = [after_failure(failures, POLLING, lambda: 0.0) for failures in range(1, 12)]
    assert most == [0.5, 1, 2, 4, 8, 16, 32, 64, 120, 120, 120]
    assert least == [pause / 2 for pause in most]
    assert after_failure(10**9, POLLING, lambda: 1.0) == 120


def test_a_long_poll_is_followed_at_once_but_a_hasty_answer_is_not() -> None:
    assert after_answer(POLLING, lambda: 1.0, 30.0) == 0
    assert after_answer(POLLING, lambda: 1.0, 0.25) == 0.75


def test_the_real_clocks_are_the_default() -> None:
    clocks = Clocks()
    assert clocks.wall() > 1_700_000_000
    assert clocks.monotonic() <= clocks.monotonic()
    assert 0 <= clocks.chance() < 1
