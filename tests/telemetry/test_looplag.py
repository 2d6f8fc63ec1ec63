"""How late the event loop is."""

import asyncio
import time

from gateway.telemetry.looplag import LoopLag


def shown(lag: LoopLag) -> float:
    (reading,) = lag.readings()
    return reading.value


async def test_a_loop_that_was_held_up_was_late() -> None:
    lag = LoopLag()
    assert shown(lag) == 0.0
    sampling = asyncio.create_task(lag.keep_sampling())
    await asyncio.sleep(0)
    time.sleep(0.75)  # the fault: somebody holds the loop past the timer
    while not shown(lag):
        await asyncio.sleep(0.01)
    assert 0.2 < shown(lag) < 60
    sampling.cancel()
