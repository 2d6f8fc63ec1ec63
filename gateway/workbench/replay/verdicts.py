"""What was decided about an exchange, in terms that two policies and a log entry share.

Subjects are places in the entry's list: nobody's identifier is needed to compare.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.errors import Code
from gateway.model import Decision, Effect, SubjectRef
from gateway.workbench.replay.entries import Exchange

ORPHANS = -1
"""The place of the records without an owner."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, or why there is none: then `effect` is None, and nothing would leave."""

    effect: Effect | None
    permitted: frozenset[int] = frozenset()
    withhold: frozenset[str] = frozenset()
    mask: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    code: Code | None = None

    @property
    def name(self) -> str:
        return self.effect.value if self.effect else "refused"

    @property
    def releases(self) -> bool:
        return self.effect in (Effect.ALLOW, Effect.REDACT)

    @property
    def why(self) -> frozenset[str]:
        """Its reasons, or the code of its failure."""
        return frozenset({self.code.value}) if self.code else self.reasons

    def leaving(self, exchange: Exchange) -> frozenset[tuple[int, str]]:
        """Which records would leave: the place of their owner, and their category."""
        if not self.releases:
            return frozenset()
        owned = [
            (place, category)
            for place in self.permitted
            for category in categories(exchange, place)
        ]
        return frozenset(each for each in owned if each[1] not in self.withhold)


class Direction(StrEnum):
    """What a difference means, the worst first."""

    RELEASES = "releases"  # something would leave that didn't
    BLOCKS = "blocks"  # something would stay that left
    REASONS = "reasons"  # the same would leave, for other reasons


@dataclass(frozen=True, slots=True)
class Difference:
    """How two verdicts on one exchange differ. Records are at most so many: one with several
    owners, or in one of several categories, may be counted where it doesn't move."""

    direction: Direction
    before: Verdict
    after: Verdict
    newly_leaving: int
    newly_staying: int


def recorded(exchange: Exchange) -> Verdict:
    """What the entry says was decided."""
    result = exchange.recorded
    assert result is not None
    if result.effect is Effect.BLOCK:
        return Verdict(Effect.BLOCK, reasons=frozenset(result.reasons))
    places = {place for place, each in enumerate(exchange.subjects) if each.permitted}
    return Verdict(
        result.effect,
        frozenset(places | ({ORPHANS} if result.unattributed == "release" else set())),
        frozenset(result.withhold),
        frozenset(result.mask),
        frozenset(result.reasons),
    )


def decided(decision: Decision, subjects: Mapping[SubjectRef, int]) -> Verdict:
    """What a policy says now; `subjects` are those of the question, with their places."""
    if decision.effect is Effect.BLOCK:
        return Verdict(Effect.BLOCK, reasons=frozenset(decision.reasons))
    places = {subjects[each] for each in decision.permitted}
    return Verdict(
        decision.effect,
        frozenset(places | ({ORPHANS} if decision.release_unattributed else set())),
        decision.withhold,
        frozenset(map(str, decision.mask)),
        frozenset(decision.reasons),
    )


def as_logged(verdict: Verdict, entry: Verdict, names: Pseudonyms) -> Verdict:
    """A verdict in the words of an entry, which hides a policy's text that could be a value."""

    def logged(texts: Iterable[str], hidden: frozenset[str]) -> frozenset[str]:
        made = ((text, names.text(text)) for text in texts)
        return frozenset(name if name in hidden else text for text, name in made)

    return Verdict(
        verdict.effect,
        verdict.permitted,
        logged(verdict.withhold, entry.withhold),
        logged(verdict.mask, entry.mask),
        logged(verdict.reasons, entry.reasons),
        verdict.code,
    )


def compare(before: Verdict, after: Verdict, exchange: Exchange) -> Difference | None:
    """None where both say the same."""
    if not exchange.orphans:  # then what becomes of such records is no difference
        before, after = (
            replace(each, permitted=each.permitted - {ORPHANS}) for each in (before, after)
        )
    if before == after:
        return None
    left, leaves = before.leaving(exchange), after.leaving(exchange)
    newly, no_longer = leaves - left, left - leaves
    both = before.releases and after.releases
    shown = both and not before.mask <= after.mask
    hidden = both and not after.mask <= before.mask
    if newly or shown or (after.releases and not before.releases):
        direction = Direction.RELEASES
    elif no_longer or hidden or (before.releases and not after.releases):
        direction = Direction.BLOCKS
    else:
        direction = Direction.REASONS
    return Difference(
        direction, before, after, _records(exchange, newly), _records(exchange, no_longer)
    )


def categories(exchange: Exchange, place: int) -> Sequence[str]:
    """Those of one subject's records; the empty name stands for none."""
    named = exchange.orphan_categories if place == ORPHANS else exchange.subjects[place].categories
    return named or ("",)


def _records(exchange: Exchange, moved: Iterable[tuple[int, str]]) -> int:
    places = {place for place, _ in moved}
    owned = sum(each.records for place, each in enumerate(exchange.subjects) if place in places)
    return owned + (exchange.orphans if ORPHANS in places else 0)
