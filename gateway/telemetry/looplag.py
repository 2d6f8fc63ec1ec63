"""How late the event loop is: a timer that should ring twice a second, and when it does.

A gauge shows the longest delay of the last 15 seconds, so that no scraper misses one and none
takes it away from another.
"""

import asyncio
from collections import deque
from collections.abc import Iterator

from gateway.telemetry.catalogue import EVENT_LOOP_LAG
from gateway.telemetry.metrics import Reading

_PERIOD = 0.5
_SAMPLES = 30


class LoopLag:
    """Samples for as long as `keep_sampling` runs."""

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=_SAMPLES)

    def readings(self) -> Iterator[Reading]:
        yield Reading(EVENT_LOOP_LAG, max(self._late, default=0.0))

    async def keep_sampling(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + _PERIOD
            await asyncio.sleep(_PERIOD)
            self._late.append(max(0.0, clock() - due))
