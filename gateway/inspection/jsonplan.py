"""Where a scan of a JSON document goes: the endpoint's locators, as one tree.

The envelope is what stands on the way to a configured place. Whatever the tree doesn't name in it
is a scalar, which stays, or something that has no owner.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonlineage import Climb
from gateway.inspection.jsontext import Container
from gateway.inspection.locators import LocatorError, Step, Steps, Wildcard, alike, compile


class Leaf(Enum):
    """What a scan was sent to find."""

    RECORD = "record"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Also:
    """Records of another set than the first: its number."""

    number: int


@dataclass(frozen=True, slots=True)
class Each:
    """A container all of whose children have the same plan. `names` are the places (see
    `jsonlineage`) of their names, where those are looked for."""

    container: Container
    child: "Plan"
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """An object some of whose members are on the way; `required` is the one on the way to the first
    set of records.

    `repeated` where it is itself one of many: then it describes one of them, so that its scalars
    are as personal as they are in a record. `above` are the other members that may name the owners
    of the records below: the place of each locator, and its steps in the member. `notice` is the
    member that says that something was left out.
    """

    members: dict[str, "Plan"]
    required: str | None
    repeated: bool
    above: dict[str, list[tuple[str, Steps]]] = field(default_factory=dict)
    notice: str | None = None

    def child(self, name: str) -> "Plan | None":
        """Where a member leads; None where it isn't on the way.

        Raises BadUpstream(BODY_AMBIGUOUS) for a name that parsers which fold case take for one that
        is, or that names an owner: they would find other records, and others' records.
        """
        if any(
            name != other and alike(name, other)
            for names in (self.members, self.above, (self.notice,) if self.notice else ())
            for other in names
        ):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a name that looks like one in a locator")
        return self.members.get(name)


Plan = Leaf | Also | Each | Envelope


Way = tuple[str, tuple[Climb, ...]]
"""Where a set of records stands, and the locators of its owners that climb from there."""


@lru_cache(maxsize=256)
def plan(
    records: str,
    totals: tuple[str, ...] = (),
    climbs: tuple[Climb, ...] = (),
    also: tuple[Way, ...] = (),
) -> Plan:
    """The tree for a `records` locator, the `totals` beside it, the locators of owners that climb
    from the records, and for what else is records.

    Raises LocatorError: for a total with a wildcard, for one inside the records or above them, for
    records in others' way, and for a locator that climbs to where nothing can name an owner.
    """
    names = {total: _names(total) for total in totals}
    ways = [(compile(text), found) for text, found in ((records, climbs), *also)]
    for steps, found in ways:
        for each in found:
            _check_climb(each, steps, [*(way for way, _ in ways), *names.values()])
    texts = [records, *(text for text, _ in also)]
    return _Tree(texts, ways).grown(0, range(len(ways)), [*names.items()])


def noticed(plan: Plan, notice: str) -> Envelope:
    """The plan of a document that may have a notice at its root.

    Raises LocatorError where that is no object around the records, or has the name otherwise.
    """
    if not isinstance(plan, Envelope):
        raise LocatorError(f"{notice!r}: records must stand in a member of the document's root")
    if any(alike(name, notice) for name in (*plan.members, *plan.above)):
        raise LocatorError(f"{notice!r}: a locator looks for something else under this name")
    return replace(plan, notice=notice)


def _names(total: str) -> Steps:
    steps = compile(total)
    if not steps or any(isinstance(step, Wildcard) for step in steps):
        raise LocatorError(f"{total!r}: a total is one number, named without wildcards")
    return steps


def _check_climb(each: Climb, records: Steps, ways: Sequence[Steps]) -> None:
    level = len(records) - each.climbs
    if level < 0 or (each.is_name and level == 0):
        raise LocatorError(f"{each.text!r}: climbs beyond the document")
    if each.is_name:
        if records[level - 1] is not Wildcard.MEMBERS:
            raise LocatorError(f"{each.text!r}: a name is what .* in records stands for")
        return
    if isinstance(records[level], Wildcard):
        raise LocatorError(f"{each.text!r}: climbs to a list or a map of what it comes from")
    to = (*records[:level], each.steps[0])
    if any(way[: len(to)] == to for way in ways):
        raise LocatorError(f"{each.text!r}: finds what is on the way to records or totals")


class _Tree:
    """`grown` makes the tree of one level of the document and all below it, for the sets of records
    that stand there, by their numbers."""

    def __init__(self, texts: list[str], ways: list[tuple[Steps, tuple[Climb, ...]]]) -> None:
        self._texts, self._ways = texts, ways

    def grown(self, level: int, sets: Sequence[int], totals: list[tuple[str, Steps]]) -> Plan:
        steps = {each: self._step(each, level) for each in sets}
        if any(not isinstance(step, str) for step in steps.values()):
            return self._repeated(level, steps, totals)
        if any(not below for _, below in totals):
            if len(totals) > 1 or sets:
                name = totals[0][0]
                raise LocatorError(f"{name!r}: a total can't stand on the way to another value")
            return Leaf.TOTAL
        members: dict[str, Plan] = {}
        for name in dict.fromkeys((*(str(way[0]) for _, way in totals), *map(str, steps.values()))):
            below = [(total, way[1:]) for total, way in totals if way[0] == name]
            here = [each for each, step in steps.items() if step == name]
            members[name] = self.grown(level + 1, here, below)
        first = self._ways[sets[0]][0][:level] if sets else ()
        repeated = any(isinstance(each, Wildcard) for each in first)
        required = steps.get(0)
        return Envelope(
            members, str(required) if required else None, repeated, self._above(level, sets)
        )

    def _repeated(
        self, level: int, steps: Mapping[int, Step | None], totals: list[tuple[str, Steps]]
    ) -> Plan:
        """Where records are, or where many of what stands above them are."""
        if totals:
            raise LocatorError(f"{totals[0][0]!r}: a total can't stand where the records are")
        step, *others = dict.fromkeys(steps.values())
        if others or (step is None and len(steps) > 1):
            name = self._texts[max(steps)]
            raise LocatorError(f"{name!r}: records can't stand in or above others")
        number, *_ = steps
        if step is None:
            return Also(number) if number else Leaf.RECORD
        container = Container.ARRAY if step is Wildcard.ELEMENTS else Container.OBJECT
        below = self.grown(level + 1, list(steps), [])
        return Each(container, below, self._places(level + 1, steps))

    def _step(self, number: int, level: int) -> Step | None:
        steps, _ = self._ways[number]
        return steps[level] if level < len(steps) else None

    def _places(self, level: int, sets: Iterable[int]) -> tuple[str, ...]:
        """Of the names that the values at this level have."""
        return tuple(each.place for each in self._climbs(level, sets) if each.is_name)

    def _above(self, level: int, sets: Iterable[int]) -> dict[str, list[tuple[str, Steps]]]:
        found: dict[str, list[tuple[str, Steps]]] = {}
        for each in self._climbs(level, sets):
            if not each.is_name:
                found.setdefault(str(each.steps[0]), []).append((each.place, each.steps[1:]))
        return found

    def _climbs(self, level: int, sets: Iterable[int]) -> Iterator[Climb]:
        """The locators that lead to this level."""
        for number in sets:
            steps, climbs = self._ways[number]
            yield from (each for each in climbs if len(steps) - each.climbs == level)
