"""The differences of a whole log, counted in groups that read alike."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.workbench.replay.entries import Unreplayable
from gateway.workbench.replay.verdicts import Difference, Direction, Verdict

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Change:
    """What an added or removed text says: a reason, a masked field, a category that is withheld."""

    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def signed(self) -> tuple[str, ...]:
        """`+new`, `-old`."""
        return (*(f"+{each}" for each in self.added), *(f"-{each}" for each in self.removed))


@dataclass(frozen=True, slots=True)
class Kind:
    """What the exchanges of one group have in common."""

    direction: Direction
    endpoint: str
    before: str
    after: str
    reasons: Change
    mask: Change
    withhold: Change


@dataclass(slots=True)
class Group:
    """Exchanges that differ in the same way; `examples` are decision ids."""

    exchanges: int = 0
    newly_leaving: int = 0
    newly_staying: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """What a candidate would change, in the course of being counted."""

    unchanged: int = 0
    missing: int = 0
    _groups: dict[Kind, Group] = field(default_factory=dict)
    _not_replayed: Counter[Unreplayable] = field(default_factory=Counter)

    def count(self, decision_id: str, endpoint: str, difference: Difference | None) -> None:
        """One exchange that was replayed."""
        if difference is None:
            self.unchanged += 1
            return
        group = self._groups.setdefault(_kind(endpoint, difference), Group())
        group.exchanges += 1
        group.newly_leaving += difference.newly_leaving
        group.newly_staying += difference.newly_staying
        if len(group.examples) < _EXAMPLES:
            group.examples.append(decision_id)

    def leave_out(self, reason: Unreplayable) -> None:
        """One entry that can't be replayed."""
        self._not_replayed[reason] += 1

    @property
    def groups(self) -> Sequence[tuple[Kind, Group]]:
        """What would newly leave first, then by endpoint and number."""
        order = list(Direction)

        def rank(each: tuple[Kind, Group]) -> Any:
            kind, group = each
            return (order.index(kind.direction), kind.endpoint, -group.exchanges, repr(kind))

        return sorted(self._groups.items(), key=rank)

    @property
    def not_replayed(self) -> Sequence[tuple[Unreplayable, int]]:
        """In the order of the reasons."""
        counts = self._not_replayed
        return [(each, counts[each]) for each in Unreplayable if counts[each]]

    def exchanges(self, direction: Direction) -> int:
        """How many differ in this direction."""
        return sum(group.exchanges for kind, group in self.groups if kind.direction is direction)

    @property
    def differences(self) -> int:
        return sum(group.exchanges for _, group in self.groups)

    @property
    def newly_leaving(self) -> int:
        """Records, at most."""
        return sum(group.newly_leaving for _, group in self.groups)

    @property
    def newly_staying(self) -> int:
        """Records, at most."""
        return sum(group.newly_staying for _, group in self.groups)

    @property
    def summary(self) -> str:
        """One line."""
        said = [
            f"{self.unchanged:,} unchanged",
            f"{self.exchanges(Direction.RELEASES):,} would newly release",
            f"{self.exchanges(Direction.BLOCKS):,} would newly block",
        ]
        if others := self.exchanges(Direction.REASONS):
            said.append(f"{others:,} only for other reasons")
        if left_out := sum(count for _, count in self.not_replayed):
            said.append(f"{left_out:,} not replayed")
        return f"Plan: {', '.join(said)}."


def _kind(endpoint: str, difference: Difference) -> Kind:
    before, after = difference.before, difference.after
    return Kind(
        difference.direction,
        endpoint,
        before.name,
        after.name,
        _change(before.why, after.why),
        _change(before.mask, after.mask) if _both(before, after) else _change((), ()),
        _change(before.withhold, after.withhold) if _both(before, after) else _change((), ()),
    )


def _both(before: Verdict, after: Verdict) -> bool:
    return before.releases and after.releases


def _change(before: Iterable[str], after: Iterable[str]) -> Change:
    one, other = frozenset(before), frozenset(after)
    return Change(tuple(sorted(other - one)), tuple(sorted(one - other)))
