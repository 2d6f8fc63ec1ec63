"""A policy's reasons as metric labels.

A reason that spells an identifier of its exchange is never shown, and only so many different ones
become labels; the rest is `other`.
"""

from gateway.decisionlog.spellings import Spelt, spells

OTHER, NONE = "other", "none"
LABELS = 64
"""Different labels in the life of a gateway: each is a time series for every endpoint."""


class ReasonLabels:
    """The labels given so far: the first `most` reasons keep their names."""

    def __init__(self, most: int = LABELS) -> None:
        self._known: set[str] = set()
        self._most = most

    def label(self, reason: str, spelt: Spelt) -> str:
        """`reason`, or `other`. `spelt` is from `spellings`."""
        if spells(reason, spelt):
            return OTHER
        if reason not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(reason)
        return reason
