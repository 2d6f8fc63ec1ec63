"""The writer: groups of entries made durable, faults confessed, refusals that are owed.

    ENTRY … ENTRY, REFUSAL ─▶ take ─▶ [group] ─▶ commit: write, fdatasync, anchor ─▶ Reports

Runs in a process of its own (`process`), since a thread would share the interpreter with the
exchanges: measured, that cost each small one a third of its time. It knows no sockets.

An entry that nobody waits for any more arrives as a refusal: it takes the entry's place where that
isn't written yet, and follows it where it is. Refusals are owed: they are written again until they
are durable. Entries that never became durable are counted, and an entry of the log's own says how
many they were, the first one after a fault.

Where several processes serve, each has an `Account` here, with numbers of its own; what they sent
is one group, and one chain.
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


class Account:
    """What one process sent, and was told of. `due` while it waits for a report."""

    def __init__(self) -> None:
        self.taken = self.refusals = self.refused = 0
        self.unrecorded = self.confessed = 0
        self.unfit: list[int] = []
        self.due = False

    @property
    def owed(self) -> bool:
        """Whether there is something to tell it that a commit would bring about."""
        return bool(self.unfit) or self.refusals > self.refused


class Writer:
    """Owns the file, which is open. For one thread; every method but `take` and `refuse` blocks.

    `main` is the account of the gateway's main process, the only one where no other serves.
    """

    def __init__(self, file: LogFile, renderer: Renderer, tick: float) -> None:
        self._file, self._renderer, self._tick = file, renderer, tick
        self.main = Account()
        self._accounts = [self.main]
        self._group: dict[tuple[Account, int], bytes] = {}
        self._owed: list[bytes] = []
        self._syncs = self._unrecorded = self._confessed = 0
        self._fault = ""
        self._synced: list[float] = []
        self._tended = 0.0

    def open_account(self) -> Account:
        """Another process sends entries, too."""
        account = Account()
        self._accounts.append(account)
        return account

    def close_account(self, account: Account) -> None:
        """It is gone. What it sent is written all the same."""
        self._accounts.remove(account)

    def take(self, evidence: Evidence | None, account: Account | None = None) -> int:
        """Put the next entry into the group; its bytes are counted. None is one that can't be
        read."""
        account = account or self.main
        account.taken += 1
        account.due = True
        body = self._rendered(evidence)
        if body is None:
            account.unfit.append(account.taken)
            return 0
        self._group[account, account.taken] = body
        return len(body)

    def refuse(self, number: int, evidence: Evidence | None, account: Account | None = None) -> int:
        """Nobody waits for this entry any more: it must not say that something was released."""
        account = account or self.main
        account.refusals += 1
        account.due = True
        replaces = self._group.pop((account, number), None) is not None
        body = self._rendered(evidence)
        if body is None:
            account.unfit += [number] * replaces
            return 0
        self._owed.append(body)
        return len(body)

    def miss(self, entries: int, account: Account | None = None) -> None:
        """So many more entries never became durable."""
        account = account or self.main
        account.unrecorded += entries
        account.due = True
        self._unrecorded += entries

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be written that can be."""
        owed = bool(self._owed) or any(account.owed for account in self._accounts)
        missing = self._unrecorded > self._confessed and not self._fault
        return not (self._group or owed or missing)

    def commit(self) -> Report:
        """Make the group durable, with what is owed. Returns the report for `main`."""
        if not self._fault and not self.idle:
            try:
                self._write([*self._owed, *self._group.values()])
                self._owed = []
                for account in self._accounts:
                    account.refused = account.refusals
            except (OSError, Unavailable) as error:
                self._fail(error)
        self._group = {}
        self._renderer.forget()
        report = self.report()
        self._synced = []
        return report

    def report(self, account: Account | None = None) -> Report:
        """How the log stands for one account. `main` hears how long the syncs took."""
        account = account or self.main
        unfit, account.unfit, account.due = tuple(account.unfit), [], False
        return Report(
            settled=account.taken,
            fault=self._fault,
            refusals=account.refused,
            confessed=account.confessed,
            reached=self._file.reached,
            syncs=self._syncs,
            synced=tuple(self._synced) if account is self.main else (),
            unfit=unfit,
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
        for account in self._accounts:
            account.confessed = account.unrecorded

    def _fail(self, error: OSError | Unavailable) -> None:
        self._fault, self._tended = reason(error), time.monotonic()


def reason(error: OSError | Unavailable) -> str:
    """For operators; without the path that an OSError quotes."""
    if isinstance(error, Unavailable):
        return error.note
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return f"{name} ({error.strerror})"
