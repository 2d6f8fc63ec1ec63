"""What the log still owes of exchanges that were refused, until it is durable: refusals that follow
entries, and how many entries there never were. It outlives the writer that was told of it."""

from collections import deque

from gateway.decisionlog.entry import Evidence
from gateway.decisionlog.messages import Report, refusal_frame, unrecorded_frame


class Debts:
    """`unrecorded` counts all entries that never became durable, told and untold."""

    def __init__(self) -> None:
        self.unrecorded = 0
        self._refusals: deque[Evidence] = deque()  # in the order in which they were sent
        self._unconfessed = self._untold = 0
        self._refused = self._confessed = 0  # by this writer

    @property
    def refusals(self) -> int:
        """How many are not known to be durable."""
        return len(self._refusals)

    def refuse(self, number: int, refusal: Evidence) -> bytes:
        """The frame that says so in the place of entry `number`, or after it."""
        self._refusals.append(refusal)
        return refusal_frame(number, refusal)

    def miss(self, entries: int = 1) -> None:
        """So many more entries never became durable."""
        self.unrecorded += entries
        self._unconfessed += entries
        self._untold += entries

    def told(self) -> bytes:
        """The frame about the entries that the writer wasn't told of yet; empty if it was."""
        untold, self._untold = self._untold, 0
        return unrecorded_frame(untold) if untold else b""

    def tell_again(self) -> bytes:
        """Everything, for a new writer. A refusal has a number that no entry has: it replaces
        none."""
        self._refused = self._confessed = 0
        self._untold = self._unconfessed
        return b"".join(refusal_frame(0, refusal) for refusal in self._refusals) + self.told()

    def settle(self, report: Report) -> bool:
        """Forget what is durable now. False for a report that can't be true."""
        refused, confessed = report.refusals - self._refused, report.confessed - self._confessed
        if not (0 <= refused <= len(self._refusals) and 0 <= confessed <= self._unconfessed):
            return False
        for _ in range(refused):
            self._refusals.popleft()
        self._unconfessed -= confessed
        self._refused, self._confessed = report.refusals, report.confessed
        return True
