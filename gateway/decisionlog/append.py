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
became durable are counted, and the first entry after a fault says how many they were.
"""

import asyncio
import logging
import socket
import subprocess
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.child import spawn
from gateway.decisionlog import messages
from gateway.decisionlog.entry import Evidence, withdrawn
from gateway.decisionlog.key import Key
from gateway.decisionlog.messages import HEADER, Kind, Report, Setup
from gateway.decisionlog.settings import DecisionLogSettings
from gateway.errors import Code, Unavailable

_LOG = logging.getLogger(__name__)

WRITER = "gateway.decisionlog.process"
_READ = 64 * 1024
_START = 60.0
_RESTART = 1.0
"""Seconds before a writer that died is replaced."""

_LATE = "not durable within decision_log.deadline"
_HANGS = "a sync takes longer than decision_log.deadline"
_DIED = "the writer of the decision log died"


@dataclass(frozen=True, slots=True)
class Facts:
    """For telemetry. `queue` counts the appends under way, `entries` is the last durable `seq`,
    `unrecorded` the entries that never became durable, `fault` is empty while all is well.
    """

    queue: int
    entries: int
    bytes: int
    syncs: int
    last_sync_seconds: float
    unrecorded: int
    fault: str


class _Append:
    """One append under way. `number` is its entry's, 0 while it has no place; `heard` gets the
    fault, or an empty text; `withdrawn` says that the log was told to refuse it."""

    __slots__ = ("due", "evidence", "heard", "number", "withdrawn")

    def __init__(self, evidence: Evidence, heard: asyncio.Future[str], due: float) -> None:
        self.evidence, self.heard, self.due = evidence, heard, due
        self.number, self.withdrawn = 0, False


class DecisionLog:
    """The log of one gateway. `labels` (`id`, `version`) go into every entry.

    `tick` is the time in seconds between looks at an idle file, and between attempts to recover.
    `writer` is the module, with arguments, that writes.
    """

    def __init__(
        self,
        settings: DecisionLogSettings,
        key: Key,
        labels: Mapping[str, str],
        *,
        tick: float = 1.0,
        writer: tuple[str, ...] = (WRITER,),
    ) -> None:
        self._setup = Setup(settings.file, key, dict(labels), tick)
        self._deadline, self._places = settings.deadline, settings.queue
        self._writer = writer
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._incoming, self._outgoing = bytearray(), bytearray()
        self._flushing = self._blocked = False
        self._report: asyncio.Future[Report] | None = None
        self._loop: asyncio.AbstractEventLoop  # kept: asking for it costs a system call
        self._running = False
        self._fault = ""
        self._last = Report(0, "", 0, 0, 0, 0.0)
        self._syncs = 0  # of writers before this one
        self._sent: deque[_Append] = deque()
        self._outside: deque[_Append] = deque()
        self._numbers = 0
        self._owed: list[Evidence] = []  # refusals that a dead writer may not have written
        self._unrecorded = self._told = 0
        self._timer: asyncio.TimerHandle | None = None
        self._emptied = asyncio.Event()

    @property
    def pid(self) -> int:
        """The writer's process id. Raises ProcessLookupError where there is none."""
        if self._process is None:
            raise ProcessLookupError
        return self._process.pid

    async def start(self) -> None:
        """Open the file and start the writer. Raises Unavailable(LOG_UNAVAILABLE), saying why."""
        self._loop = asyncio.get_running_loop()
        report = await self._open()
        if report.fault:
            self._discard()
            raise Unavailable(Code.LOG_UNAVAILABLE, report.fault)
        self._running = True

    async def stop(self) -> None:
        """Write what is queued, then close; gives up after the deadline. Appends fail from now."""
        self._running = False
        process = self._process
        if process is None:
            return
        try:
            async with asyncio.timeout(self._deadline):
                while self._sent or self._outside:
                    self._emptied.clear()
                    await self._emptied.wait()
                self._send(messages.frame(Kind.STOP, b""))
                while process.poll() is None:
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            pass
        self._discard()
        self._fail_all("the decision log is stopped")

    def ready(self) -> bool:
        """Whether an append may be expected to succeed."""
        return self._running and not self._trouble()

    def facts(self) -> Facts:
        """What telemetry shows."""
        last = self._last
        return Facts(
            queue=len(self._sent) + len(self._outside),
            entries=last.entries,
            bytes=last.size,
            syncs=self._syncs + last.syncs,
            last_sync_seconds=last.last_sync,
            unrecorded=self._unrecorded,
            fault=self._trouble(),
        )

    async def append(self, evidence: Evidence) -> None:
        """Return when the entry is durable; else raise Unavailable(LOG_UNAVAILABLE).

        A cancelled append is a refusal too: its entry says SHUTTING_DOWN instead of a release.
        """
        if not self._running or self._trouble():
            self._miss()
            raise Unavailable(
                Code.LOG_UNAVAILABLE, self._trouble() or "the decision log is stopped"
            )
        loop = self._loop
        append = _Append(evidence, loop.create_future(), loop.time() + self._deadline)
        if len(self._sent) < self._places:
            self._place(append)
        else:
            self._outside.append(append)
        if self._timer is None:
            self._timer = loop.call_at(append.due, self._ring)
        try:
            fault = await append.heard
        except asyncio.CancelledError:
            self._withdraw(append, Code.SHUTTING_DOWN, "cancelled while its entry was written")
            raise
        if fault:
            raise Unavailable(Code.LOG_UNAVAILABLE, fault)

    def _trouble(self) -> str:
        """Why no entry can be durable in time now, or an empty text."""
        if self._fault:
            return self._fault
        if self._sent and self._sent[0].withdrawn and self._overdue(self._sent[0]):
            return _HANGS
        return ""

    def _overdue(self, append: _Append) -> bool:
        return self._loop.time() >= append.due

    def _place(self, append: _Append) -> None:
        """Hand the entry to the writer."""
        self._numbers += 1
        append.number = self._numbers
        self._sent.append(append)
        self._send(messages.entry_frame(append.evidence))

    def _withdraw(self, append: _Append, code: Code, note: str) -> None:
        """Nobody waits for this entry any more: it must not say that something was released."""
        append.withdrawn = True
        if append.number:
            append.evidence = withdrawn(append.evidence, code, 503, note)
            self._send(messages.refusal_frame(append.number, append.evidence))
        elif append in self._outside:
            self._outside.remove(append)
            self._miss()

    def _miss(self, entries: int = 1) -> None:
        """Count entries that never became durable, and have the writer know."""
        self._unrecorded += entries
        if self._socket and self._unrecorded > self._told:
            self._told = self._unrecorded
            self._send(messages.unrecorded_frame(self._unrecorded))

    def _ring(self) -> None:
        """One timer for all: the oldest append is due, and maybe others with it."""
        self._timer = None
        loop = self._loop
        for append in [*self._sent, *self._outside]:
            if append.withdrawn or append.heard.done():
                continue
            if append.due > loop.time():
                self._timer = loop.call_at(append.due, self._ring)
                return
            append.heard.set_result(_LATE)
            self._withdraw(append, Code.LOG_UNAVAILABLE, _LATE)

    # --- the writer's reports ---------------------------------------------------------------------

    def _heard(self, report: Report) -> None:
        self._last = report
        if self._report and not self._report.done():
            self._report.set_result(report)
        if report.fault != self._fault:
            if report.fault:
                _LOG.error("the decision log is unavailable: %s", report.fault)
            elif self._running:
                _LOG.warning("the decision log works again")
            self._fault = report.fault
        self._settle(report)
        while self._outside and len(self._sent) < self._places:
            append = self._outside.popleft()
            if not append.heard.done():
                self._place(append)
        if not self._sent:
            self._emptied.set()

    def _settle(self, report: Report) -> None:
        missing = 0
        while self._sent and self._sent[0].number <= report.settled:
            append = self._sent.popleft()
            if append.withdrawn:
                continue
            fault = report.fault
            if append.number in report.unfit:
                fault = fault or "the entry can't be rendered"
            missing += bool(fault)
            if not append.heard.done():
                append.heard.set_result(fault)
        if missing:
            self._miss(missing)

    def _fail_all(self, fault: str) -> None:
        """No report will come. What may be on disk already must be followed by a refusal."""
        for append in [*self._sent, *self._outside]:
            if append.number and append.withdrawn:
                self._owed.append(append.evidence)
            elif append.number:
                self._owed.append(withdrawn(append.evidence, Code.LOG_UNAVAILABLE, 503, fault))
            elif not append.withdrawn:
                self._unrecorded += 1
            append.withdrawn = True
            if not append.heard.done():
                append.heard.set_result(fault)
        self._sent.clear()
        self._outside.clear()
        self._emptied.set()

    # --- the writer's process ---------------------------------------------------------------------

    async def _open(self) -> Report:
        """A writer, and how it finds the log."""
        loop = self._loop
        self._report = loop.create_future()
        try:
            self._process, self._socket = spawn(*self._writer)
        except OSError:
            return Report(0, _DIED, 0, 0, 0, 0.0)
        self._incoming, self._outgoing, self._blocked = bytearray(), bytearray(), False
        self._numbers = self._told = 0
        loop.add_reader(self._socket.fileno(), self._readable)
        self._send(messages.setup_frame(self._setup))
        try:
            async with asyncio.timeout(_START):
                return await self._report
        except TimeoutError:
            return Report(0, _DIED, 0, 0, 0, 0.0)

    async def _replace(self) -> None:
        """A new writer in the place of one that died, as soon as one can open the log."""
        while self._running:
            await asyncio.sleep(_RESTART)
            report = await self._open()
            if not report.fault:
                for evidence in self._owed:
                    # A number that no entry has: it replaces none.
                    self._send(messages.refusal_frame(0, evidence))
                self._owed = []
                self._miss(0)
                return
            self._fault = report.fault
            self._discard()

    def _send(self, frame: bytes) -> None:
        """Frames of one turn of the loop share a system call."""
        self._outgoing += frame
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send what the socket takes now, the rest when it can."""
        self._flushing = False
        if self._socket is None:
            return
        loop = self._loop
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            if not self._blocked:
                loop.add_writer(self._socket.fileno(), self._flush)
                self._blocked = True
            return
        except OSError:
            return  # the reader sees the end of the stream, and handles it
        if self._blocked:
            loop.remove_writer(self._socket.fileno())
            self._blocked = False

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        self._incoming += data
        while len(self._incoming) >= HEADER.size:
            length, _ = HEADER.unpack_from(self._incoming)
            end = HEADER.size + length
            if len(self._incoming) < end:
                return
            report = messages.read_report(bytes(self._incoming[HEADER.size : end]))
            del self._incoming[:end]
            self._heard(report)

    def _lost(self) -> None:
        """The writer ended: as it was told to, or before its time."""
        self._discard()
        if self._report and not self._report.done():
            self._report.set_result(Report(0, _DIED, 0, 0, 0, 0.0))
        if self._running:
            self._fault = _DIED
            _LOG.error("the decision log is unavailable: %s", _DIED)
            self._syncs += self._last.syncs
            self._last = Report(0, _DIED, self._last.entries, self._last.size, 0, 0.0)
            self._replacing = self._loop.create_task(self._replace())
        self._fail_all(_DIED)

    def _discard(self) -> None:
        if self._socket:
            loop, fileno = self._loop, self._socket.fileno()
            loop.remove_reader(fileno)
            loop.remove_writer(fileno)
            self._socket.close()
            self._socket = None
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._emptied.set()
