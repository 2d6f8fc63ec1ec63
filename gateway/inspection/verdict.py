"""Which records of a body stay: a `Decision` as the formats apply it."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from gateway.inspection.tally import Owners, Tally
from gateway.model import Attribution, Counts, Decision, Group, Mask

_Key = TypeVar("_Key", bound=Hashable)
_MOST_KNOWN = 16_384


@dataclass(slots=True)
class Progress:
    """Where the records of a stream went so far; of a batch on its way, all count already."""

    seen: int = 0
    released: int = 0

    @property
    def counts(self) -> Counts:
        return Counts(self.seen, self.released, self.seen - self.released)


class Inquiry(Protocol):
    """Asks for a decision as a body comes. (`inspection.asking`)"""

    def sees(self, names: Iterable[str]) -> None:
        """Note the names of fields of the records that are judged next."""
        ...

    def judge(self, owners: Sequence[Owners], category: str, attribution: Attribution) -> Decision:
        """The decision in force for the next records, whose owners these are."""
        ...

    @property
    def tally(self) -> Tally:
        """What was counted so far; a reader that counts by itself asks for the `decision` then."""
        ...

    def decision(self) -> Decision: ...


def _their_own(owners: Owners) -> Owners:
    return owners


@dataclass(slots=True)
class Verdict:
    """Applies a decision record by record.

    The paths of `mask` are relative to a record (JSONPath; for CSV `$.column`); what a masked value
    becomes is for `masking` to say, with the `key` of pseudonyms where there is one. `totals_drop`
    is the number of records that will be dropped, known from the inspection's groups before the
    rewrite starts, because a declared total often stands before the records it counts. With an
    `inquiry` the decision is asked for as records come, and `mask` may change with each batch;
    `progress` counts them. Inside a part of a body `whose` says which owners a record has of those
    that its reader finds, and `attribution` how it has them.
    """

    decision: Decision
    totals_drop: int = 0
    key: bytes | None = field(default=None, repr=False)
    inquiry: Inquiry | None = None
    progress: Progress = field(default_factory=Progress)
    whose: Callable[[Owners], Owners] = _their_own
    attribution: Attribution = Attribution.DIRECT
    _stays: tuple[Any, dict[Any, bool]] = field(default=(None, {}), init=False, repr=False)

    @property
    def mask(self) -> tuple[Mask, ...]:
        return self.decision.mask

    @property
    def asks(self) -> bool:
        """Whether nothing was decided before the records came."""
        return self.inquiry is not None

    def sees(self, names: Iterable[str]) -> None:
        """Note the names of fields of the records that come next."""
        if self.inquiry:
            self.inquiry.sees(names)

    def keeps(self, owners: Owners, category: str) -> bool:
        """Whether a record with these owners stays."""
        return self.decision.releases(Group(owners, Attribution.NONE, category, 1))

    def keeps_each(
        self, keys: Sequence[_Key], owners: Callable[[_Key], Owners], category: str
    ) -> list[bool]:
        """Whether each of the next records stays. Whose a record is follows from its key."""
        stays = self._known(owners, category)
        if self.inquiry:
            whose = {key: self.whose(owners(key)) for key in dict.fromkeys(keys)}
            each = [whose[key] for key in keys]
            self.decision = self.inquiry.judge(each, category, self.attribution)
            stays.clear()
        for key in set(keys).difference(stays):
            stays[key] = self.keeps(self.whose(owners(key)), category)
        kept = [stays[key] for key in keys]
        self.progress.seen += len(kept)
        self.progress.released += sum(kept)
        return kept

    def _known(self, owners: Callable[[_Key], Owners], category: str) -> dict[_Key, bool]:
        """Which keys of the last batches stay: the next one has most of them again."""
        asked, stays = self._stays
        if asked != (owners, category) or len(stays) > _MOST_KNOWN:
            stays = {}
            self._stays = (owners, category), stays
        return stays
