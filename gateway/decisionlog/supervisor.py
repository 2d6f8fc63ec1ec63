"""One process at a time that writes the log, and another in the place of each that died.

    open ─▶ Setup ─▶ Report: it is open ─▶ `opened` ─▶ Report ─▶ `reported` ─▶ Report ─▶ …
      ▲                                                   │
      └── a pause ◀── `lost` ◀── it died, or its report can't be true

What is in its entries, and who waits for them, is the owner's. `writers` says where the next writer
comes from: one that is spawned here, or, where several processes serve, a channel to the writer of
them all (`sharing`).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from gateway.child import Child
from gateway.decisionlog import messages
from gateway.decisionlog.anchor import Anchor
from gateway.decisionlog.messages import Kind, Report, Setup
from gateway.log import Log

_LOG = Log(__name__)

WRITER = "gateway.decisionlog.process"
_START = 60.0
_SLOWER = 5
"""How often the pause before another writer doubles, while none comes to write anything."""

_DIED = "the writer of the decision log died"


class Owner(Protocol):
    """Whose entries are written. (`append`)"""

    def opened(self) -> None:
        """Another writer has the log open. It was told nothing yet."""

    def reported(self, report: Report) -> bool:
        """False for a report that can't be true: what its writer wrote can't be relied on."""
        ...

    def lost(self, fault: str) -> None:
        """There will be no report about what was sent so far."""


class Line(Protocol):
    """What frames are sent on."""

    def send(self, frame: bytes) -> None: ...

    def send_with(self, fds: Sequence[int], frame: bytes) -> None: ...

    def end(self) -> None: ...


class Writers(Protocol):
    """Where writers come from."""

    @property
    def tick(self) -> float:
        """Seconds between two of them."""
        ...

    async def next(
        self, reached: Anchor | None, heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> Line:
        """Another one, which goes on at `reached`. Raises OSError where there is none."""
        ...


class Spawned:
    """A process of our own each time. `command` is the writer's module, with arguments."""

    def __init__(self, setup: Setup, command: tuple[str, ...] = (WRITER,)) -> None:
        self._setup, self._command = setup, command

    @property
    def tick(self) -> float:
        return self._setup.tick

    async def next(
        self, reached: Anchor | None, heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> Child:
        child = Child(*self._command, heard=heard, lost=lost)
        child.send(messages.setup_frame(replace(self._setup, reached=reached)))
        return child


class Supervisor:
    """`synced` hears how many seconds each sync took.

    `fault` says why nothing can be written now, and is empty while all is well; `last` is the last
    report, and `syncs` counts those of all writers.
    """

    def __init__(self, writers: Writers, owner: Owner, synced: Callable[[float], None]) -> None:
        self._writers, self._owner, self._synced = writers, owner, synced
        self._line: Line | None = None
        self._opened: asyncio.Future[str] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self.fault = ""
        self.last = Report()
        self._syncs_before = self._failures = 0  # of writers before this one
        self._news, self._gone = asyncio.Event(), asyncio.Event()

    @property
    def pid(self) -> int:
        """The writer's process id. Raises ProcessLookupError where there is none of ours."""
        if not isinstance(self._line, Child):
            raise ProcessLookupError
        return self._line.pid

    @property
    def writing(self) -> bool:
        """Whether a writer has the log open."""
        return self._line is not None and self._opened is not None and self._opened.done()

    @property
    def syncs(self) -> int:
        return self._syncs_before + self.last.syncs

    async def start(self) -> str:
        """Have the log open; returns why it can't be, or an empty text."""
        fault = await self._open()
        if not fault:
            self._keeping = asyncio.create_task(self._keep_writing())
        return fault

    def send(self, frame: bytes) -> None:
        """Lost where there is no writer."""
        if self._line:
            self._line.send(frame)

    def send_with(self, fds: Sequence[int], frame: bytes) -> None:
        """With descriptors; behind nothing that waits. Lost where there is no writer."""
        if self._line:
            self._line.send_with(fds, frame)

    async def news(self) -> None:
        """Wait for the next report, or the end of a writer."""
        self._news.clear()
        await self._news.wait()

    async def finish(self) -> None:
        """Have what was sent written, and the log closed. None takes this writer's place."""
        self._keep_no_more()
        self.send(messages.frame(Kind.STOP, b""))
        while self._line:
            await self.news()

    def end(self) -> None:
        """Whatever it still does."""
        self._keep_no_more()
        self._end_line()

    # --- what a writer says -----------------------------------------------------------------------

    def _heard(self, payload: bytes) -> None:
        try:
            report = messages.read_report(payload)
        except msgspec.DecodeError:
            self._lost()
            return
        for warning, values in report.warnings:
            _LOG.warning("the writer warns", warning=warning, **values)
        if self._opened and not self._opened.done():
            self._begin(self._opened, report)
        elif self._owner.reported(report):
            self._go_on(report)
        else:
            self._lost()

    def _begin(self, opened: asyncio.Future[str], report: Report) -> None:
        """The first report of a writer."""
        opened.set_result(report.fault)
        if report.fault:
            self._end_line()
            return
        self.last = report
        self._owner.opened()

    def _go_on(self, report: Report) -> None:
        _LOG.debug("entries are settled", number=report.settled)
        self.last = report
        for seconds in report.synced:
            self._synced(seconds)
        if report.syncs:
            self._failures = 0
        if self._keeping:
            self._say(report.fault)
        self._news.set()

    def _say(self, fault: str) -> None:
        if fault and fault != self.fault:
            _LOG.error("the decision log is unavailable", reason=fault)
        elif self.fault and not fault:
            _LOG.warning("the decision log works again")
        self.fault = fault

    # --- its process ------------------------------------------------------------------------------

    async def _open(self) -> str:
        """A writer that has the log open, or why there is none."""
        opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._opened = opened
        self._syncs_before += self.last.syncs
        self.last = Report(reached=self.last.reached)
        try:
            async with asyncio.timeout(_START):
                self._gone.clear()
                self._line = await self._writers.next(self.last.reached, self._heard, self._lost)
                return await opened
        except (OSError, TimeoutError):
            self._end_line()
            return _DIED
        except asyncio.CancelledError:
            self._end_line()
            raise

    async def _keep_writing(self) -> None:
        """A new writer in the place of each that died, as soon as one can open the log."""
        while True:
            await self._gone.wait()
            await asyncio.sleep(self._writers.tick * 2 ** min(self._failures, _SLOWER))
            self._failures += 1
            self._say(await self._open())

    def _keep_no_more(self) -> None:
        if self._keeping:
            self._keeping.cancel()
        self._keeping = None

    def _lost(self) -> None:
        """The writer ended: as it was told to, or before its time."""
        self._end_line()
        if self._opened and not self._opened.done():
            self._opened.set_result(_DIED)
        elif self._keeping:
            self._say(_DIED)
        self._owner.lost(_DIED)

    def _end_line(self) -> None:
        if self._line:
            self._line.end()
        self._line = None
        self._gone.set()
        self._news.set()
