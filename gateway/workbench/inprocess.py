"""Inspects and redacts in this process: `inspection.dispatch` without its workers.

The same `work`, including the second reading of what a redaction wrote. A parser that crashes
takes the tool with it, which is all there is to take.
"""

import os

from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import FileSink, MemorySink
from gateway.inspection.source import InMemory, OnDisk
from gateway.model import Counts, Decision, Inspection
from gateway.response import Response
from gateway.spool import Spool, Spooled


class InProcess:
    """The `Inspector` of a trial. A big redacted body goes into `spool`."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    async def inspect(self, response: Response, spec: BodySpec, limits: Limits) -> Inspection:
        return work.inspect(response.body.stored, work.Task(response.payload, spec, limits))

    async def rewrite(
        self,
        response: Response,
        spec: BodySpec,
        limits: Limits,
        inspection: Inspection,
        decision: Decision,
    ) -> tuple[Spooled, Counts]:
        task, stored = work.Task(response.payload, spec, limits), response.body.stored
        if isinstance(stored, InMemory):
            sink = MemorySink()
            counts = work.rewrite(stored, task, inspection, decision, sink)
            spooled = Spooled(InMemory(sink.getvalue()))
        else:
            used = self._spool.bytes_used
            held = await self._spool.space(self._spool.limit - used, used)
            try:
                on_disk = FileSink(held.fd, held.reserved)
                counts = work.rewrite(stored, task, inspection, decision, on_disk)
                on_disk.flush()
            except BaseException:
                held.close()
                raise
            size = os.fstat(held.fd).st_size
            held.settle(size)
            spooled = Spooled(OnDisk(held.fd, size), held)
        work.confirm(spooled.stored, task, decision, counts)
        return spooled, counts
