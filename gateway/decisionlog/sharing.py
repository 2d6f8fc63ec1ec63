"""One log for several processes that serve: one has the writer, each has a channel to it.

    main process ─▶ Spawned ─▶ writer ◀── JOIN, with one end of a socket pair
         └── the other end ─▶ a serving process ─▶ Joined ─▶ its `DecisionLog`

Whatever the processes append while the writer syncs is one group, so that there is one chain, and
one sync for all of them. A process whose channel ends, with the writer or alone, asks for another.
"""

import asyncio
import socket
from collections.abc import Callable

from gateway.child import Channel
from gateway.decisionlog import messages
from gateway.decisionlog.anchor import Anchor
from gateway.decisionlog.append import Facts
from gateway.decisionlog.messages import Report
from gateway.decisionlog.supervisor import Supervisor, Writers
from gateway.errors import Code, Unavailable

HandOver = Callable[[socket.socket], None]
"""Gives a process its end of a channel to the writer; the caller closes its own copy."""

_FAREWELL = 5.0
"""Seconds for the writer to close the file."""


class SharedLog:
    """The main process's side. It appends nothing itself."""

    def __init__(
        self, writers: Writers, *, synced: Callable[[float], None] = lambda _: None
    ) -> None:
        self._writer = Supervisor(writers, self, synced)
        self._waiting: dict[HandOver, None] = {}
        self._running = False

    @property
    def pid(self) -> int:
        """The writer's process id. Raises ProcessLookupError where there is none."""
        return self._writer.pid

    async def start(self) -> None:
        """Have the log open. Raises Unavailable(LOG_UNAVAILABLE), saying why."""
        if fault := await self._writer.start():
            raise Unavailable(Code.LOG_UNAVAILABLE, fault)
        self._running = True

    async def stop(self) -> None:
        """Close it, behind everything that was appended."""
        if not self._running:
            return
        self._running = False
        try:
            async with asyncio.timeout(_FAREWELL):
                await self._writer.finish()
        except TimeoutError:
            pass
        finally:
            self._writer.end()

    def ready(self) -> bool:
        return self._running and not self._writer.fault

    def facts(self) -> Facts:
        """What telemetry shows of the file; the queues are the processes'."""
        last = self._writer.last
        reached = last.reached
        return Facts(
            queue=0,
            queue_limit=0,
            entries=reached.seq if reached else 0,
            bytes=reached.size if reached else 0,
            syncs=self._writer.syncs,
            unrecorded=0,
            fault=self._writer.fault,
        )

    def connect(self, process: HandOver) -> None:
        """Give a process a channel, as soon as there is a writer."""
        if self._writer.writing:
            self._connect(process)
        else:
            self._waiting[process] = None

    def _connect(self, process: HandOver) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._writer.send_with((theirs.fileno(),), messages.join_frame())
            process(ours)

    # --- the writer's owner -----------------------------------------------------------------------

    def opened(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for process in waiting:
            self._connect(process)

    def reported(self, report: Report) -> bool:
        """False where it speaks of entries: none is sent from here."""
        return not (report.settled or report.refusals or report.confessed)

    def lost(self, fault: str) -> None:
        """Each process notices by itself, and asks."""


class Joined:
    """A serving process's side: its writers are channels that the main process hands over when it
    is `asked`."""

    tick = 0.1

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked
        self._handed: asyncio.Queue[socket.socket] = asyncio.Queue()

    def hand(self, channel: socket.socket) -> None:
        """What was asked for; of several, the last one counts."""
        while not self._handed.empty():
            self._handed.get_nowait().close()
        self._handed.put_nowait(channel)

    async def next(
        self, _reached: Anchor | None, heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> Channel:
        self._asked()
        return Channel(await self._handed.get(), heard=heard, lost=lost)
