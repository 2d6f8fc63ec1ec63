"""A start: done, given up, or failed in one sentence."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.errors import Code, Unavailable
from gateway.policy.bundle import BundleError
from gateway.startup import CannotStart, started
from gateway.workers.worker import WorkerDied


async def test_one_that_is_done_serves() -> None:
    async def start(_: AsyncExitStack) -> None: ...

    async with AsyncExitStack() as stack:
        assert await started(start, stack, asyncio.Event())


async def test_one_that_waits_can_be_stopped_and_what_it_began_ends() -> None:
    stop, said = asyncio.Event(), []

    async def start(stack: AsyncExitStack) -> None:
        stack.callback(said.append, "ended")
        stop.set()
        await asyncio.Event().wait()

    async with AsyncExitStack() as stack:
        assert not await started(start, stack, stop, stopping=lambda: said.append("stopping"))
    assert said == ["stopping", "ended"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Unavailable(Code.LOG_UNAVAILABLE, "ENOSPC"), "log_unavailable: ENOSPC"),
        (BundleError("policies", "no manifest"), "policies: no manifest"),
        (OSError(98, "Address in use"), "[Errno 98] Address in use"),
    ],
)
async def test_one_that_fails_says_why(error: Exception, sentence: str) -> None:
    async def start(_: AsyncExitStack) -> None:
        raise error

    async with AsyncExitStack() as stack:
        with pytest.raises(CannotStart) as caught:
            await started(start, stack, asyncio.Event())
    assert str(caught.value) == sentence


async def test_a_workers_fault_is_told_by_its_place() -> None:
    async def start(_: AsyncExitStack) -> None:
        raise WorkerDied("secret")

    async with AsyncExitStack() as stack:
        with pytest.raises(CannotStart) as caught:
            await started(start, stack, asyncio.Event())
    assert "secret" not in str(caught.value)
    assert "WorkerDied at tests.test_startup" in str(caught.value)
