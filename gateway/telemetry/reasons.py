"""A policy's reasons as names that may be shown: as metric labels, and in the log.

The contract bounds how a reason is spelt, not which ones there are, and a careless rule can make
one of an identifier (`sprintf("owner_%s", [lower(id)])`). So a reason that spells an identifier of
its exchange is never shown, and only so many different ones become labels; the rest is `other`.
"""

import re

from gateway.policy.contract import Question

OTHER, NONE = "other", "none"
_LABELS = 64
"""Different labels in the life of a gateway: each is a time series for every endpoint."""
_NOT_A_NAME = re.compile(r"[^a-z0-9\n]+")


class ReasonLabels:
    """The labels given so far: the first `most` reasons keep their names."""

    def __init__(self, most: int = _LABELS) -> None:
        self._known: set[str] = set()
        self._most = most

    def label(self, reason: str, spelt: frozenset[str]) -> str:
        """`reason`, or `other`. `spelt` is from `spellings`."""
        if spells(reason, spelt):
            return OTHER
        if reason not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(reason)
        return reason


def spellings(question: Question) -> frozenset[str]:
    """The identifiers of an exchange, spelt as a reason could spell them."""
    caller, inspection = question.caller, question.inspection
    values: list[str | int] = [caller.id, *(each.value for each in caller.identifiers)]
    values += question.params.values()
    if caller.actor:
        values.append(caller.actor.id)
    if inspection:
        values += (owner.value for group in inspection.groups for owner in group.owners)
    # One text, folded in one go: there may be ten thousand subjects. Python refuses to print very
    # long integers, and none of these fits into a reason.
    texts = (str(each) for each in values if isinstance(each, str) or each.bit_length() < 256)
    folded = _NOT_A_NAME.sub("_", "\n".join(texts).lower())
    return frozenset(each.strip("_") for each in folded.split("\n")) - {""}


def spells(reason: str, spelt: frozenset[str]) -> bool:
    """Whether some words of a reason, in a row, are an identifier."""
    words = reason.split("_")
    return any(
        "_".join(words[begin:end]) in spelt
        for begin in range(len(words))
        for end in range(begin + 1, len(words) + 1)
    )
