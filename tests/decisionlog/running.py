"""A log with a writer of its own, and what stands in it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.decisionlog.append import DecisionLog
from gateway.decisionlog.file import anchor_path
from gateway.decisionlog.verify import verify
from gateway.errors import Code, Unavailable
from tests.decisionlog.support import KEY, FaultyDisk, decision_log
from tests.support.children import children as children_of

SHORT = 0.2
"""A deadline that a test lets pass, in seconds."""


@asynccontextmanager
async def running(folder: Path, **changes: Any) -> AsyncIterator[DecisionLog]:
    log = decision_log(folder, **changes)
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


def entries(folder: Path) -> list[dict[str, Any]]:
    """The entries of a log that verifies with its anchor."""
    path = folder / "decisions.jsonl"
    found = verify(path, anchor=anchor_path(path), key=KEY)
    assert found.ok, found.message
    assert found.anchored == found.entries
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def told(folder: Path) -> list[tuple[str, str]]:
    """What the log says, without the log's own entries about gaps."""
    return [
        (entry["decision_id"], entry["outcome"])
        for entry in entries(folder)
        if "unrecorded" not in entry
    ]


def unrecorded(folder: Path) -> int:
    return sum(entry.get("unrecorded", 0) for entry in entries(folder))


async def refused(append: Any) -> str:
    with pytest.raises(Unavailable) as caught:
        await append
    assert caught.value.code is Code.LOG_UNAVAILABLE
    assert caught.value.http_status == 503
    return caught.value.note


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)


async def syncing(faulty: FaultyDisk) -> None:
    """Until the writer hangs in a sync."""
    await until(lambda: bool(faulty.syncing))


def children() -> list[int]:
    """The processes that this one has started and not yet seen off."""
    return children_of(os.getpid())


def deleted(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    path.write_bytes(b"")
