"""Deadlines under one timer behave as `asyncio.timeout` does."""

import asyncio
from typing import Any

import pytest

from gateway.deadlines import Deadlines

SHORT = 0.02
"""A deadline that a test lets pass, in seconds."""


async def test_what_is_in_time_is_left_alone() -> None:
    deadlines = Deadlines(30.0)
    with deadlines():
        await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task and task.cancelling() == 0


async def test_what_is_late_is_cancelled_and_becomes_a_timeout() -> None:
    deadlines, ended = Deadlines(SHORT), []
    with pytest.raises(TimeoutError), deadlines():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(True)
            raise
    task = asyncio.current_task()
    assert ended == [True]
    assert task and task.cancelling() == 0


async def test_many_blocks_share_one_timer_and_end_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, timers = asyncio.get_running_loop(), []
    call_at = loop.call_at

    def counting(*args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        timers.append(args[0])
        return call_at(*args, **kwargs)

    monkeypatch.setattr(loop, "call_at", counting)
    deadlines, ended = Deadlines(SHORT), []

    async def block(number: int) -> None:
        try:
            with deadlines():
                await asyncio.Event().wait()
        except TimeoutError:
            ended.append(number)

    tasks = [asyncio.create_task(block(number)) for number in range(20)]
    await asyncio.sleep(0)
    assert len(timers) == 1
    await asyncio.gather(*tasks)
    assert ended == list(range(20))


async def test_an_early_end_doesnt_disturb_the_others() -> None:
    deadlines, go_on = Deadlines(SHORT), asyncio.Event()

    async def waits_for(event: asyncio.Event) -> str:
        try:
            with deadlines():
                await event.wait()
        except TimeoutError:
            return "late"
        return "in time"

    tasks = [asyncio.create_task(waits_for(each)) for each in (go_on, asyncio.Event())]
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(*tasks) == ["in time", "late"]


async def test_somebody_elses_cancellation_stays_one() -> None:
    deadlines = Deadlines(30.0)

    async def block() -> None:
        with deadlines():
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_at_the_same_time_as_the_deadline_goes_on() -> None:
    deadlines = Deadlines(SHORT)

    async def block() -> None:
        with deadlines():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                current = asyncio.current_task()
                assert current
                current.cancel()
                raise

    task = asyncio.create_task(block())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_another_error_passes_through_an_expired_block() -> None:
    deadlines = Deadlines(SHORT)
    with pytest.raises(KeyError), deadlines():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise KeyError("mine") from None


async def test_a_deadline_can_be_met_again_and_again() -> None:
    deadlines = Deadlines(SHORT)
    for _ in range(3):
        with pytest.raises(TimeoutError), deadlines():
            await asyncio.Event().wait()
