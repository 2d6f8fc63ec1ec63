"""Evidence in, durability out: `await log.append(evidence)` returns when the entry is on disk.

One thread owns the file. Whatever came in while it synced is its next group, so that concurrent
exchanges share one `fdatasync`; the order of the queue is the order of the file and of the chain.
The event loop hears of a group once, not once for each entry.

    append ─▶ slot (bounded) ─▶ queue ─▶ thread: write, fdatasync, anchor ─▶ loop: all done

An append fails, with Unavailable(LOG_UNAVAILABLE), when the disk does, when the file isn't the one
that was written, or at the deadline. Then its exchange is refused, and the log must not say that
it was released: an entry still in the queue is replaced by a refusal, one that was already being
written is followed by a refusal with the same `decision_id`. Entries that never became durable are
counted, and the first entry after a fault says how many they were.
"""

import asyncio
import errno
import logging
import math
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from gateway.decisionlog.entry import Evidence, Renderer, withdrawn
from gateway.decisionlog.file import Disk, LogFile
from gateway.decisionlog.key import Key
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.decisionlog.settings import DecisionLogSettings
from gateway.errors import Code, Unavailable

_LOG = logging.getLogger(__name__)

_MAX_GROUP = 8 * 2**20
"""Bytes in one group, about: bounds the memory of a write and the time of a sync."""

_SOON = 0.01
"""While stopping: seconds between looks whether an append is still under way."""


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


class _Item:
    """One entry on its way. `written` hears the fault, or None; a refusal nobody waits for has no
    `written`, and is written again until it is durable."""

    __slots__ = ("body", "taken", "written")

    def __init__(self, body: bytes, written: asyncio.Future[str | None] | None) -> None:
        self.body, self.written, self.taken = body, written, False


class DecisionLog:
    """The log of one gateway. `labels` (`id`, `version`) go into every entry.

    `tick` is the time in seconds between looks at an idle file, and between attempts to recover.
    """

    def __init__(
        self,
        settings: DecisionLogSettings,
        key: Key,
        labels: Mapping[str, str],
        *,
        disk: Disk | None = None,
        tick: float = 1.0,
    ) -> None:
        self._renderer = Renderer(Pseudonyms(key.pseudonym), key.id, labels)
        self._file = LogFile(settings.file, key, disk or Disk())
        self._deadline, self._tick = settings.deadline, tick
        self._slots = asyncio.Semaphore(settings.queue)
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = False
        # The loop counts these two, the writer all that follow; each side only reads the other's.
        self._waiting = self._unrecorded = 0
        self._fault = ""
        self._confessed = self._syncs = 0
        self._last_sync = self._tended = 0.0
        self._writing = math.inf  # since when, on the monotonic clock
        self._owed: list[_Item] = []

    async def start(self) -> None:
        """Open the file and start the writer. Raises Unavailable(LOG_UNAVAILABLE), saying why."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._file.open)
        except OSError as error:
            raise Unavailable(Code.LOG_UNAVAILABLE, _reason(error)) from None
        self._running = True
        # A daemon: a sync that never returns must not keep the gateway from exiting.
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Write what is queued, then close; gives up after the deadline. Appends fail from now."""
        if self._thread is not None:
            self._running = False
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join, self._deadline)
            self._thread = None

    def ready(self) -> bool:
        """Whether an append may be expected to succeed."""
        return self._running and not self._trouble()

    def facts(self) -> Facts:
        """What telemetry shows."""
        return Facts(
            queue=self._waiting,
            entries=self._file.head.seq,
            bytes=self._file.size,
            syncs=self._syncs,
            last_sync_seconds=self._last_sync,
            unrecorded=self._unrecorded,
            fault=self._trouble(),
        )

    async def append(self, evidence: Evidence) -> None:
        """Return when the entry is durable; else raise Unavailable(LOG_UNAVAILABLE).

        A cancelled append is a refusal too: its entry says SHUTTING_DOWN instead of a release.
        """
        if not self.ready():
            self._unrecorded += 1
            raise Unavailable(
                Code.LOG_UNAVAILABLE, self._trouble() or "the decision log is stopped"
            )
        body, item = self._renderer.render(evidence), None
        self._waiting += 1
        try:
            async with asyncio.timeout(self._deadline):
                await self._slots.acquire()
                written: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
                item = _Item(body, written)
                self._queue.put(item)
                fault = await written
        except TimeoutError:
            note = "not durable within decision_log.deadline"
            self._withdraw(item, withdrawn(evidence, Code.LOG_UNAVAILABLE, 503, note))
            raise Unavailable(Code.LOG_UNAVAILABLE, note) from None
        except asyncio.CancelledError:
            note = "cancelled while its entry was written"
            self._withdraw(item, withdrawn(evidence, Code.SHUTTING_DOWN, 503, note))
            raise
        if fault is not None:
            raise Unavailable(Code.LOG_UNAVAILABLE, fault)

    def _trouble(self) -> str:
        """Why no entry can be durable in time now, or an empty text."""
        if time.monotonic() - self._writing > self._deadline:
            return "a sync takes longer than decision_log.deadline"
        return self._fault

    def _withdraw(self, item: _Item | None, evidence: Evidence) -> None:
        """Nobody waits for this entry any more: it must not say that something was released."""
        if item is None:
            self._waiting -= 1
            self._unrecorded += 1
            return
        body = self._renderer.render(evidence)
        # The writer sets `taken`, then reads `body`; seen in this order, one of the two is enough.
        item.body = body
        if item.taken:
            self._queue.put(_Item(body, None))

    def _settled(self, group: list[_Item], fault: str | None) -> None:
        """On the loop, once for a group."""
        for item in group:
            if item.written is None:
                continue
            self._waiting -= 1
            self._slots.release()
            if fault is not None:
                self._unrecorded += 1
            if not item.written.done():
                item.written.set_result(fault)

    # What follows runs in the writer's thread.

    def _run(self) -> None:
        try:
            stopping = False
            while self._waiting or not stopping:
                group, stop = self._next_group(_SOON if stopping else self._tick)
                stopping = stopping or stop
                self._tend()
                if group or self._owed:
                    self._commit(group)
        finally:
            if self._running:
                self._fault = "the writer of the decision log died"
            self._file.close()

    def _next_group(self, patience: float) -> tuple[list[_Item], bool]:
        """What is queued, up to a group, and whether to stop. Waits for the first, in seconds."""
        group: list[_Item] = []
        size = 0
        try:
            item = self._queue.get(timeout=patience)
            while item is not None:
                group.append(item)
                size += len(item.body)
                if size > _MAX_GROUP:
                    return group, False
                item = self._queue.get_nowait()
        except Empty:
            return group, False
        return group, True

    def _tend(self) -> None:
        """Once a tick: see whether the file is still ours, or try to take it up again."""
        now = time.monotonic()
        if now - self._tended < self._tick:
            return
        self._tended = now
        try:
            if not self._fault:
                self._file.check()
                return
            self._file.recover()
            # The entry about the gap proves that writing works again.
            self._write([], confess=True)
        except (OSError, Unavailable) as error:
            self._fail(error)
        else:
            self._fault = ""
            _LOG.warning("the decision log works again")

    def _commit(self, group: list[_Item]) -> None:
        if not self._fault:
            try:
                self._write(self._owed + group)
                self._owed = []
            except (OSError, Unavailable) as error:
                self._fail(error)
        if self._fault:
            self._owed += [item for item in group if item.written is None]
        if group and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._settled, group, self._fault or None)

    def _write(self, group: list[_Item], *, confess: bool = False) -> None:
        """One group, durable; first the entry about a gap, if there is one."""
        bodies = []
        if confess or self._unrecorded > self._confessed:
            missing = self._unrecorded - self._confessed
            bodies.append(self._renderer.gap(uuid.uuid4().hex, datetime.now(UTC), missing))
        else:
            missing = 0
        for item in group:
            item.taken = True
            bodies.append(item.body)
        start = self._writing = time.monotonic()
        try:
            self._file.commit(bodies)
        finally:
            self._writing = math.inf
        self._last_sync = time.monotonic() - start
        self._syncs += 1
        self._confessed += missing

    def _fail(self, error: OSError | Unavailable) -> None:
        reason = _reason(error)
        if reason != self._fault:
            _LOG.error("the decision log is unavailable: %s", reason)
        self._fault, self._tended = reason, time.monotonic()


def _reason(error: OSError | Unavailable) -> str:
    """For operators; without the path that an OSError quotes."""
    if isinstance(error, Unavailable):
        return error.note
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return f"{name} ({error.strerror})"
