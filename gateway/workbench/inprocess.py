"""Inspects and redacts in this process: `inspection.dispatch` without its workers.

The same `work`, including the second reading of what a redaction wrote. A parser that crashes
takes the tool with it, which is all there is to take.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.inspection import work
from gateway.inspection.scratch import Scratch
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import FileSink, MemorySink
from gateway.inspection.source import InMemory, OnDisk
from gateway.model import Counts, Decision, Inspection
from gateway.response import Response
from gateway.spool import Spool, Spooled
from gateway.stored import Stored


class InProcess:
    """The `Inspector` of a trial. A big redacted body goes into `spool`; `key` is that of the
    pseudonyms that masked values may become."""

    def __init__(self, spool: Spool, key: bytes | None = None) -> None:
        self._spool, self._key = spool, key

    async def inspect(self, response: Response, spec: BodySpec, limits: Limits) -> Inspection:
        task, stored = work.Task(response.payload, spec, limits), response.body.stored
        async with self._scratch(task, stored) as scratch:
            return work.inspect(stored, task, scratch)

    async def rewrite(
        self,
        response: Response,
        spec: BodySpec,
        limits: Limits,
        inspection: Inspection,
        decision: Decision,
    ) -> tuple[Spooled, Counts]:
        task, stored = work.Task(response.payload, spec, limits), response.body.stored
        async with self._scratch(task, stored) as scratch:
            if isinstance(stored, InMemory):
                sink = MemorySink()
                counts = work.rewrite(stored, task, inspection, decision, sink, scratch, self._key)
                spooled = Spooled(InMemory(sink.getvalue()))
            else:
                used = self._spool.bytes_used
                held = await self._spool.space(self._spool.limit - used, used)
                try:
                    on_disk = FileSink(held.fd, held.reserved)
                    counts = work.rewrite(
                        stored, task, inspection, decision, on_disk, scratch, self._key
                    )
                    on_disk.flush()
                except BaseException:
                    held.close()
                    raise
                size = os.fstat(held.fd).st_size
                held.settle(size)
                spooled = Spooled(OnDisk(held.fd, size), held)
            work.confirm(spooled.stored, task, inspection, decision, counts, scratch)
        return spooled, counts

    @asynccontextmanager
    async def _scratch(self, task: work.Task, stored: Stored) -> AsyncIterator[Scratch | None]:
        """A scratch file for what needs one, bounded by the limits alone."""
        needed = min(work.scratch_needed(task, stored.size), self._spool.limit // 2)
        if not needed:
            yield None
            return
        held = await self._spool.space(needed)
        try:
            yield Scratch(held.fd, needed)
        finally:
            held.close()
