"""A start that may be told to stop before it is done, and that says in one sentence why it failed.

The same for the gateway's only process, and for each of several that serve.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, assert_never

from gateway.errors import Refusal, place
from gateway.living import freeze
from gateway.policy.bundle import BundleError
from gateway.proxy.parser import UnfitParserError
from gateway.workers.worker import WorkerError

_Unstartable = Refusal | BundleError | UnfitParserError | WorkerError | OSError | ValueError


class CannotStart(Exception):
    """One sentence for the operator."""


async def started(
    start: Callable[[AsyncExitStack], Coroutine[Any, Any, None]],
    stack: AsyncExitStack,
    stop: asyncio.Event,
    *,
    stopping: Callable[[], None] = lambda: None,
) -> bool:
    """Whether it serves now; else it was told to `stop` before, which `stopping` hears.

    Raises CannotStart.
    """
    starting = asyncio.create_task(start(stack))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not starting.done():
        stopping()
        starting.cancel()
        await asyncio.wait({starting})
        return False
    try:
        await starting
    except (Refusal, BundleError, UnfitParserError, WorkerError, OSError, ValueError) as error:
        raise CannotStart(_reason(error)) from None
    freeze()
    return True


def _reason(error: _Unstartable) -> str:
    match error:
        case Refusal():
            return f"{error.code}: {error.note}"
        case BundleError() | UnfitParserError() | OSError() | ValueError():
            return str(error)
        case WorkerError():
            return place(error)
        case _:
            assert_never(error)
