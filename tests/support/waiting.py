"""Waiting for another process: a bounded poll, and never how two things are kept in step."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiohttp import ClientError, ClientSession

_ATTEMPTS, _PAUSE = 1200, 0.05


async def until_ok(
    session: ClientSession,
    url: str,
    said: Callable[[], str],
    process: asyncio.subprocess.Process | None = None,
) -> None:
    """Until a GET of `url` is answered with 200; `said` explains why it never was. Where the
    `process` is given, its end ends the waiting."""
    answered = ""
    for _ in range(_ATTEMPTS):
        assert process is None or process.returncode is None, said()
        with suppress(ClientError):
            async with session.get(url) as answer:
                if answer.status == 200:
                    return
                answered = await answer.text()
        await asyncio.sleep(_PAUSE)
    raise AssertionError(f"{url} is never answered with 200: {answered}\n{said()}")
