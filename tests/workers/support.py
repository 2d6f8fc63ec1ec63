"""A pool whose workers obey what their jobs say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.workers.pool import WorkerPool

ENTRY = "tests.support.echo_worker:serve"
AMPLE = 30.0


@asynccontextmanager
async def running(**options: object) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(entry=ENTRY, **options)  # type: ignore[arg-type]
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()
