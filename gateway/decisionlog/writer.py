"""The writer: groups of entries made durable, faults confessed, refusals that are owed.

    ENTRY … ENTRY, REFUSAL ─▶ take ─▶ [group] ─▶ commit: write, fdatasync, anchor ─▶ Report

Runs in a process of its own (`process`), since a thread would share the interpreter with the
exchanges: measured, that cost each small one a third of its time. It knows no sockets.

An entry that nobody waits for any more arrives as a refusal: it takes the entry's place where that
isn't written yet, and follows it where it is. Refusals are owed: they are written again until they
are durable. Entries that never became durable are counted, and an entry of the log's own says how
many they were, the first one after a fault.
"""

import errno
import time
import uuid
from datetime import UTC, datetime

from gateway.decisionlog.entry import Evidence, Renderer
from gateway.decisionlog.file import LogFile
from gateway.decisionlog.messages import Report
from gateway.errors import Unavailable, place
from gateway.log import Log

_LOG = Log(__name__)


class Writer:
    """Owns the file, which is open. For one thread; every method but `take` and `refuse` blocks."""

    def __init__(self, file: LogFile, renderer: Renderer, tick: float) -> None:
        self._file, self._renderer, self._tick = file, renderer, tick
        self._group: dict[int, bytes] = {}
        self._owed: list[bytes] = []
        self._unfit: list[int] = []
        self._taken = self._refusals = self._refused = self._syncs = 0
        self._unrecorded = self._confessed = 0
        self._fault = ""
        self._synced: list[float] = []
        self._tended = 0.0

    def take(self, evidence: Evidence | None) -> int:
        """Put the next entry into the group; its bytes are counted. None is one that can't be
        read."""
        self._taken += 1
        body = self._rendered(evidence)
        if body is None:
            self._unfit.append(self._taken)
            return 0
        self._group[self._taken] = body
        return len(body)

    def refuse(self, number: int, evidence: Evidence | None) -> int:
        """Nobody waits for this entry any more: it must not say that something was released."""
        self._refusals += 1
        replaces = self._group.pop(number, None) is not None
        body = self._rendered(evidence)
        if body is None:
            self._unfit += [number] * replaces
            return 0
        self._owed.append(body)
        return len(body)

    def miss(self, entries: int) -> None:
        """So many more entries never became durable."""
        self._unrecorded += entries

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be written that can be."""
        owed = self._refusals > self._refused
        missing = self._unrecorded > self._confessed and not self._fault
        return not (self._group or self._unfit or owed or missing)

    def commit(self) -> Report:
        """Make the group durable, with what is owed."""
        if not self._fault and not self.idle:
            try:
                self._write([*self._owed, *self._group.values()])
                self._owed, self._refused = [], self._refusals
            except (OSError, Unavailable) as error:
                self._fail(error)
        self._group = {}
        report = self.report()
        self._unfit, self._synced = [], []
        return report

    def report(self) -> Report:
        return Report(
            settled=self._taken,
            fault=self._fault,
            refusals=self._refused,
            confessed=self._confessed,
            reached=self._file.reached,
            syncs=self._syncs,
            synced=tuple(self._synced),
            unfit=tuple(self._unfit),
        )

    def tend(self) -> bool:
        """Once a tick: see whether the file is still ours, or try to take it up again.

        Returns whether the answer is a new one.
        """
        now = time.monotonic()
        if now - self._tended < self._tick:
            return False
        self._tended = now
        before = self._fault
        try:
            if not self._fault:
                self._file.check()
                return False
            self._file.recover()
            # The entry about the gap proves that writing works again.
            self._write([], confess=True)
        except (OSError, Unavailable) as error:
            self._fail(error)
        else:
            self._fault = ""
        return self._fault != before

    def close(self) -> None:
        self._file.close()

    def _rendered(self, evidence: Evidence | None) -> bytes | None:
        try:
            return self._renderer.render(evidence) if evidence else None
        except Exception as error:  # noqa: BLE001 - one entry's bug must not end all the others'
            _LOG.error("an entry can't be rendered", error=place(error))
            return None

    def _write(self, bodies: list[bytes], *, confess: bool = False) -> None:
        """One group, durable; first the entry about a gap, if there is one."""
        missing = self._unrecorded - self._confessed
        if confess or missing > 0:
            gap = self._renderer.gap(uuid.uuid4().hex, datetime.now(UTC), missing)
            bodies = [gap, *bodies]
        if bodies:
            start = time.monotonic()
            self._file.commit(bodies)
            self._synced.append(time.monotonic() - start)
            self._syncs += 1
        self._confessed = self._unrecorded

    def _fail(self, error: OSError | Unavailable) -> None:
        self._fault, self._tended = reason(error), time.monotonic()


def reason(error: OSError | Unavailable) -> str:
    """For operators; without the path that an OSError quotes."""
    if isinstance(error, Unavailable):
        return error.note
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return f"{name} ({error.strerror})"
