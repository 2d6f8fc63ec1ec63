"""Evidence in, durability out: `await log.append(evidence)` returns when the entry is on disk.

    append ─▶ place (bounded) ─▶ frame ─▶ writer's process: render, write, fdatasync, anchor
       ▲                                                        │
       └────────────── once for each group ◀── Report ◀─────────┘

Another process owns the file. Whatever came in while it synced is its next group, so that
concurrent exchanges share one `fdatasync`; the order of the frames is the order of the file and of
the chain. What an entry costs the event loop is its encoding.

An append fails, with Unavailable(LOG_UNAVAILABLE), when the disk does, when the file isn't the one
that was written, when the writer dies, or at the deadline. Then its exchange is refused, and the
log must not say that it was released: a refusal is sent after the entry, which replaces it where it
still waits, and follows it, with the same `decision_id`, where it is written. Entries that never
became durable are counted, and the log says how many they were. What it owes of both (`debts`) is
told again to the writer that takes the place of one that died.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec

from gateway.child import Child
from gateway.deadlines import Deadlines
from gateway.decisionlog import messages
from gateway.decisionlog.debts import Debts
from gateway.decisionlog.entry import Evidence, withdrawn
from gateway.decisionlog.key import Key
from gateway.decisionlog.messages import Kind, Report, Setup
from gateway.decisionlog.settings import DecisionLogSettings
from gateway.errors import Code, Unavailable, place

_LOG = logging.getLogger(__name__)

WRITER = "gateway.decisionlog.process"
_START = 60.0
_SLOWER = 5
"""How often the pause before another writer doubles, while none comes to write anything."""

_LATE = "not durable within decision_log.deadline"
_HANGS = "a sync takes longer than decision_log.deadline"
_DIED = "the writer of the decision log died"
_STOPPED = "the decision log is stopped"
_UNFIT = "the entry can't be rendered"
_UNTOLD = "the entry can't be told to the writer"


@dataclass(frozen=True, slots=True)
class Facts:
    """For telemetry. `queue` counts the appends under way, of which `queue_limit` may wait for one
    sync; `entries` is the last durable `seq`, `unrecorded` the entries that never became durable,
    `fault` is empty while all is well.
    """

    queue: int
    queue_limit: int
    entries: int
    bytes: int
    syncs: int
    unrecorded: int
    fault: str


class _Append:
    """One append under way. `number` is its entry's, 0 while it has no place; `heard` gets the
    fault, or an empty text; `withdrawn` says that nobody waits for it any more."""

    __slots__ = ("due", "evidence", "heard", "number", "withdrawn")

    def __init__(self, evidence: Evidence, heard: asyncio.Future[str], due: float) -> None:
        self.evidence, self.heard, self.due = evidence, heard, due
        self.number, self.withdrawn = 0, False


class DecisionLog:
    """The log of one gateway. `labels` (`id`, `version`) go into every entry.

    `tick` is the time in seconds between looks at an idle file, and between attempts to recover.
    `patience` is how long another writer may still hold the file: one that was killed ends only
    when the disk has answered, which takes seconds where that is busy. `writer` is the module, with
    arguments, that writes. `synced` hears how many seconds each sync took.
    """

    def __init__(
        self,
        settings: DecisionLogSettings,
        key: Key,
        labels: Mapping[str, str],
        *,
        tick: float = 1.0,
        patience: float = 10.0,
        writer: tuple[str, ...] = (WRITER,),
        synced: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._setup = Setup(settings.file, key, dict(labels), tick, patience)
        self._deadline, self._places = settings.deadline, settings.queue
        self._in_time = Deadlines(settings.deadline)
        self._tick, self._command, self._synced = tick, writer, synced
        self._loop: asyncio.AbstractEventLoop  # kept: asking for it costs a system call
        self._writer: Child | None = None
        self._opened: asyncio.Future[str] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._running = False
        self._fault = ""
        self._last = Report()
        self._syncs = self._failures = 0  # of writers before this one
        self._sent: deque[_Append] = deque()
        self._outside: deque[_Append] = deque()
        self._numbers = 0
        self._debts = Debts()
        self._news, self._gone = asyncio.Event(), asyncio.Event()

    @property
    def pid(self) -> int:
        """The writer's process id. Raises ProcessLookupError where there is none."""
        if self._writer is None:
            raise ProcessLookupError
        return self._writer.pid

    async def start(self) -> None:
        """Open the file and start the writer. Raises Unavailable(LOG_UNAVAILABLE), saying why."""
        self._loop = asyncio.get_running_loop()
        fault = await self._open()
        if fault:
            raise Unavailable(Code.LOG_UNAVAILABLE, fault)
        self._running = True
        self._keeping = self._loop.create_task(self._keep_writing())

    async def stop(self) -> None:
        """Write what is queued and owed, then close; gives up after the deadline. Appends fail from
        now."""
        self._running = False
        keeping = self._keeping
        if keeping is None:
            return
        try:
            async with asyncio.timeout(self._deadline):
                while self._sent or self._outside or self._debts.refusals:
                    await self._something()
                self._keeping = None
                keeping.cancel()
                self._send(messages.frame(Kind.STOP, b""))
                while self._writer:
                    await self._something()
        except TimeoutError:
            pass
        finally:
            self._keeping = None
            keeping.cancel()
            self._end_writer()
            self._fail_all(_STOPPED)

    def ready(self) -> bool:
        """Whether an append may be expected to succeed."""
        return self._running and not self._trouble()

    def facts(self) -> Facts:
        """What telemetry shows."""
        last = self._last
        return Facts(
            queue=len(self._sent) + len(self._outside),
            queue_limit=self._places,
            entries=last.reached.seq if last.reached else 0,
            bytes=last.reached.size if last.reached else 0,
            syncs=self._syncs + last.syncs,
            unrecorded=self._debts.unrecorded,
            fault=self._trouble(),
        )

    async def append(self, evidence: Evidence) -> None:
        """Return when the entry is durable; else raise Unavailable(LOG_UNAVAILABLE).

        A cancelled append is a refusal too: its entry says SHUTTING_DOWN instead of a release.
        """
        trouble = self._trouble() if self._running else _STOPPED
        if trouble:
            self._miss()
            raise Unavailable(Code.LOG_UNAVAILABLE, trouble)
        loop = self._loop
        append = _Append(evidence, loop.create_future(), loop.time() + self._deadline)
        if len(self._sent) < self._places:
            self._place(append)
        else:
            self._outside.append(append)
        try:
            with self._in_time():
                fault = await append.heard
        except asyncio.CancelledError:
            self._withdraw(append, Code.SHUTTING_DOWN, "cancelled while its entry was written")
            raise
        except TimeoutError:
            self._withdraw(append, Code.LOG_UNAVAILABLE, _LATE)
            fault = _LATE
        if fault:
            raise Unavailable(Code.LOG_UNAVAILABLE, fault)

    def _trouble(self) -> str:
        """Why no entry can be durable in time now, or an empty text."""
        return self._fault or (_HANGS if self._hangs() else "")

    def _hangs(self) -> bool:
        return bool(self._sent) and self._loop.time() >= self._sent[0].due

    def _place(self, append: _Append) -> None:
        """Hand the entry to the writer."""
        try:
            frame = messages.entry_frame(append.evidence)
        except Exception as error:  # noqa: BLE001 - too deep, too long, of no type that can be told
            _LOG.error("%s: %s", _UNTOLD, place(error))  # not its text
            self._drop(append, _UNTOLD)
            return
        self._numbers += 1
        append.number = self._numbers
        self._sent.append(append)
        self._send(frame)

    def _drop(self, append: _Append, fault: str) -> None:
        """No entry of this one is written."""
        append.withdrawn = True
        self._miss()
        if not append.heard.done():
            append.heard.set_result(fault)

    def _withdraw(self, append: _Append, code: Code, note: str) -> None:
        """Nobody waits for this entry any more: it must not say that something was released."""
        if append.withdrawn:
            return
        append.withdrawn = True
        if append.number:
            self._refuse(append, code, note)
        else:
            self._outside.remove(append)
            self._miss()

    def _refuse(self, append: _Append, code: Code, note: str) -> None:
        refusal = withdrawn(append.evidence, code, 503, note)
        self._send(self._debts.refuse(append.number, refusal))

    def _miss(self, entries: int = 1) -> None:
        """Count entries that never became durable, and have the writer know."""
        self._debts.miss(entries)
        self._tell()

    def _tell(self) -> None:
        """Not to one that hangs: it would be told of each of a million refusals."""
        if self._opened and self._opened.done() and not self._hangs():
            self._send(self._debts.told())

    def _send(self, frame: bytes) -> None:
        if self._writer:
            self._writer.send(frame)

    def _say(self, fault: str) -> None:
        if fault and fault != self._fault:
            _LOG.error("the decision log is unavailable: %s", fault)
        elif self._fault and not fault:
            _LOG.warning("the decision log works again")
        self._fault = fault

    async def _something(self) -> None:
        """Wait until something has changed."""
        self._news.clear()
        await self._news.wait()

    # --- the writer's reports ---------------------------------------------------------------------

    def _heard(self, payload: bytes) -> None:
        try:
            report = messages.read_report(payload)
        except msgspec.DecodeError:
            self._lost()
            return
        for warning in report.warnings:
            _LOG.warning("%s", warning)
        if self._opened and not self._opened.done():
            self._begin(self._opened, report)
        elif report.settled > self._numbers or not self._debts.settle(report):
            self._lost()  # what can't be true: what it wrote can't be relied on either
        else:
            self._go_on(report)

    def _begin(self, opened: asyncio.Future[str], report: Report) -> None:
        """The first report of a writer: tell it what the one before may not have written."""
        opened.set_result(report.fault)
        if report.fault:
            self._end_writer()
            return
        self._last = report
        self._send(self._debts.tell_again())

    def _go_on(self, report: Report) -> None:
        _LOG.debug("entries up to number %d of this writer are settled", report.settled)
        self._last = report
        for seconds in report.synced:
            self._synced(seconds)
        if report.syncs:
            self._failures = 0
        if self._keeping:
            self._say(report.fault)
        self._settle(report)
        while self._outside and len(self._sent) < self._places:
            self._place(self._outside.popleft())
        self._tell()
        self._news.set()

    def _settle(self, report: Report) -> None:
        missing = 0
        while self._sent and self._sent[0].number <= report.settled:
            append = self._sent.popleft()
            unfit = append.number in report.unfit
            fault = report.fault or (_UNFIT if unfit else "")
            # The refusal of one that was withdrawn says enough, unless it is unfit as well.
            missing += bool(fault) and (unfit or not append.withdrawn)
            if not append.heard.done():
                append.heard.set_result(fault)
        if missing:
            self._miss(missing)

    def _fail_all(self, fault: str) -> None:
        """No report will come. What may be on disk already must be followed by a refusal."""
        for append in self._sent:
            if not append.withdrawn:
                append.withdrawn = True
                self._refuse(append, Code.LOG_UNAVAILABLE, fault)
            if not append.heard.done():
                append.heard.set_result(fault)
        for append in self._outside:
            self._drop(append, fault)
        self._sent.clear()
        self._outside.clear()

    # --- the writer's process ---------------------------------------------------------------------

    async def _open(self) -> str:
        """A writer that has the log open, or why there is none."""
        opened: asyncio.Future[str] = self._loop.create_future()
        self._opened = opened
        self._numbers = 0
        self._syncs += self._last.syncs
        self._last = Report(reached=self._last.reached)
        setup = replace(self._setup, reached=self._last.reached)
        try:
            self._writer = Child(*self._command, heard=self._heard, lost=self._lost)
            self._gone.clear()
            self._send(messages.setup_frame(setup))
            async with asyncio.timeout(_START):
                return await opened
        except (OSError, TimeoutError):
            self._end_writer()
            return _DIED
        except asyncio.CancelledError:
            self._end_writer()
            raise

    async def _keep_writing(self) -> None:
        """A new writer in the place of each that died, as soon as one can open the log."""
        while True:
            await self._gone.wait()
            await asyncio.sleep(self._tick * 2 ** min(self._failures, _SLOWER))
            self._failures += 1
            self._say(await self._open())

    def _lost(self) -> None:
        """The writer ended: as it was told to, or before its time."""
        self._end_writer()
        if self._opened and not self._opened.done():
            self._opened.set_result(_DIED)
        elif self._keeping:
            self._say(_DIED)
        self._fail_all(_DIED)

    def _end_writer(self) -> None:
        if self._writer:
            self._writer.end()
        self._writer = None
        self._gone.set()
        self._news.set()
