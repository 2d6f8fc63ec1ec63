"""Evidence in, durability out: `await log.append(evidence)` returns when the entry is on disk.

    append ─▶ place (bounded) ─▶ frame ─▶ writer's process: render, write, fdatasync, anchor
       ▲                                                        │
       └────────────── once for each group ◀── Report ◀─────────┘

Another process owns the file (`supervisor`). Whatever came in while it synced is its next group:
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
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway.deadlines import Deadlines
from gateway.decisionlog import messages
from gateway.decisionlog.debts import Debts
from gateway.decisionlog.entry import Evidence, withdrawn
from gateway.decisionlog.messages import Report
from gateway.decisionlog.settings import DecisionLogSettings
from gateway.decisionlog.supervisor import Supervisor, Writers
from gateway.errors import Code, Refusal, Unavailable, cut_off, place
from gateway.log import Log

_LOG = Log(__name__)

_LATE = "not durable within decision_log.deadline"
_HANGS = "a sync takes longer than decision_log.deadline"
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
    """The log, as one process of a gateway appends to it. `writers` says who writes it; `synced`
    hears how many seconds each sync took.
    """

    def __init__(
        self,
        settings: DecisionLogSettings,
        writers: Writers,
        *,
        synced: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._writer = Supervisor(writers, self, synced)
        self._deadline, self._places = settings.deadline, settings.queue
        self._in_time = Deadlines(settings.deadline)
        self._loop: asyncio.AbstractEventLoop  # kept: asking for it costs a system call
        self._running = False
        self._sent: deque[_Append] = deque()
        self._outside: deque[_Append] = deque()
        self._numbers = 0
        self._debts = Debts()

    @property
    def pid(self) -> int:
        """The writer's process id. Raises ProcessLookupError where it isn't this process's."""
        return self._writer.pid

    async def start(self) -> None:
        """Open the file and start the writer. Raises Unavailable(LOG_UNAVAILABLE), saying why."""
        self._loop = asyncio.get_running_loop()
        if fault := await self._writer.start():
            raise Unavailable(Code.LOG_UNAVAILABLE, fault)
        self._running = True

    async def stop(self) -> None:
        """Write what is queued and owed, then close; gives up after the deadline. Appends fail from
        now."""
        if not self._running:
            return
        self._running = False
        try:
            async with asyncio.timeout(self._deadline):
                while self._sent or self._outside or self._debts.refusals:
                    await self._writer.news()
                await self._writer.finish()
        except TimeoutError:
            pass
        finally:
            self._writer.end()
            self.lost(_STOPPED)

    def ready(self) -> bool:
        """Whether an append may be expected to succeed."""
        return self._running and not self._trouble()

    def facts(self) -> Facts:
        """What telemetry shows."""
        last = self._writer.last
        return Facts(
            queue=len(self._sent) + len(self._outside),
            queue_limit=self._places,
            entries=last.reached.seq if last.reached else 0,
            bytes=last.reached.size if last.reached else 0,
            syncs=self._writer.syncs,
            unrecorded=self._debts.unrecorded,
            fault=self._trouble(),
        )

    async def append(self, evidence: Evidence) -> None:
        """Return when the entry is durable; else raise Unavailable(LOG_UNAVAILABLE).

        A cancelled append is a refusal too: its entry says why (`errors.cut_off`), instead of a
        release.
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
        except asyncio.CancelledError as cancelled:
            self._withdraw(append, cut_off(cancelled))
            raise
        except TimeoutError:
            self._withdraw(append, Unavailable(Code.LOG_UNAVAILABLE, _LATE))
            fault = _LATE
        if fault:
            raise Unavailable(Code.LOG_UNAVAILABLE, fault)

    def _trouble(self) -> str:
        """Why no entry can be durable in time now, or an empty text."""
        return self._writer.fault or (_HANGS if self._hangs() else "")

    def _hangs(self) -> bool:
        return bool(self._sent) and self._loop.time() >= self._sent[0].due

    def _place(self, append: _Append) -> None:
        """Hand the entry to the writer."""
        try:
            frame = messages.entry_frame(append.evidence)
        except Exception as error:  # noqa: BLE001 - too deep, too long, of no type that can be told
            _LOG.error("an entry can't be told to the writer", error=place(error))
            self._drop(append, _UNTOLD)
            return
        self._numbers += 1
        append.number = self._numbers
        self._sent.append(append)
        self._writer.send(frame)

    def _drop(self, append: _Append, fault: str) -> None:
        """No entry of this one is written."""
        append.withdrawn = True
        self._miss()
        if not append.heard.done():
            append.heard.set_result(fault)

    def _withdraw(self, append: _Append, why: Refusal) -> None:
        """Nobody waits for this entry any more: it must not say that something was released."""
        if append.withdrawn:
            return
        append.withdrawn = True
        if append.number:
            self._refuse(append, why)
        else:
            self._outside.remove(append)
            self._miss()

    def _refuse(self, append: _Append, why: Refusal) -> None:
        refusal = withdrawn(append.evidence, why.code, why.http_status, why.note)
        self._writer.send(self._debts.refuse(append.number, refusal))

    def _miss(self, entries: int = 1) -> None:
        """Count entries that never became durable, and have the writer know."""
        self._debts.miss(entries)
        self._tell()

    def _tell(self) -> None:
        """Not to one that hangs: it would be told of each of a million refusals."""
        if self._writer.writing and not self._hangs():
            self._writer.send(self._debts.told())

    # --- the writer's owner -----------------------------------------------------------------------

    def opened(self) -> None:
        """Tell the writer what the one before may not have written."""
        self._numbers = 0
        self._writer.send(self._debts.tell_again())

    def reported(self, report: Report) -> bool:
        """Settle what it says; False where it speaks of what was never sent."""
        if report.settled > self._numbers or not self._debts.settle(report):
            return False
        self._settle(report)
        while self._outside and len(self._sent) < self._places:
            self._place(self._outside.popleft())
        self._tell()
        return True

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

    def lost(self, fault: str) -> None:
        """What may be on disk already must be followed by a refusal."""
        for append in self._sent:
            if not append.withdrawn:
                append.withdrawn = True
                self._refuse(append, Unavailable(Code.LOG_UNAVAILABLE, fault))
            if not append.heard.done():
                append.heard.set_result(fault)
        for append in self._outside:
            self._drop(append, fault)
        self._sent.clear()
        self._outside.clear()
