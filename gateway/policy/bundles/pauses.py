"""How long a source waits before it asks again."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.policy.bundles.settings import PollingSettings

_FIRST = 0.5
"""Seconds after a first failure; each further one doubles it, up to `polling.max`."""
_LONG_POLLS = 1.0
"""Seconds between the starts of two long polls, at the least: not every server waits."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time and chance, handed in by tests. `wall` is in Unix seconds, `monotonic` in seconds."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


def after_failure(failures: int, polling: PollingSettings, chance: Callable[[], float]) -> float:
    """Seconds after `failures` in a row; `chance` gives numbers from 0 to 1. Half of it is chance,
    so that a fleet doesn't come back in step."""
    longest = min(polling.max, _FIRST * 2.0 ** min(failures - 1, 20))
    return longest * (0.5 + 0.5 * chance())


def after_answer(
    polling: PollingSettings, chance: Callable[[], float], long_poll: float | None
) -> float:
    """Seconds after a good answer; `long_poll` is how long one took, None where it was none."""
    if long_poll is not None:
        return max(0.0, _LONG_POLLS - long_poll)
    return polling.min + (polling.max - polling.min) * chance()
