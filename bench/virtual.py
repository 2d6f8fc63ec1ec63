"""An event loop on which no time passes: it jumps to the next timer when there is nothing to do.

What is written for asyncio runs on it unchanged, hours in seconds. There is nothing to wait for but
timers: it has no sockets and no threads, and who waits for what never comes is told so.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class Stuck(Exception):
    """Everybody waits, and no timer is set."""


class _Clock(selectors.SelectSelector):
    """Looks for no events: what it is asked to wait has passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck
        self.now += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Clock()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """What `main` returns; it starts at second 0 of `loop.time()`. Raises Stuck."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
