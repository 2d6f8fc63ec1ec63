"""Where a scan of a JSON document goes: the endpoint's locators, as one tree.

The envelope is what stands on the way to a configured place. Whatever the tree doesn't name in it
is a scalar, which stays, or something that has no owner.
"""

from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from gateway.inspection.jsonlineage import Climb
from gateway.inspection.jsontext import Container
from gateway.inspection.locators import LocatorError, Steps, Wildcard, compile


class Leaf(Enum):
    """What a scan was sent to find."""

    RECORD = "record"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Each:
    """A container all of whose children have the same plan. `names` are the places (see
    `jsonlineage`) of their names, where those are looked for."""

    container: Container
    child: "Plan"
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """An object some of whose members are on the way; `required` are those on the way to records.

    `repeated` where it is itself one of many: then it describes one of them, so that its scalars
    are as personal as they are in a record. `above` are the other members that may name the owners
    of the records below: the place of each locator, and its steps in the member.
    """

    members: dict[str, "Plan"]
    required: str | None
    repeated: bool
    above: dict[str, list[tuple[str, Steps]]] = field(default_factory=dict)


Plan = Leaf | Each | Envelope


@lru_cache(maxsize=256)
def plan(records: str, totals: tuple[str, ...] = (), climbs: tuple[Climb, ...] = ()) -> Plan:
    """The tree for a `records` locator, the `totals` beside it, and the locators of owners that
    climb from the records.

    Raises LocatorError: for a total with a wildcard, for one inside the records or above them, and
    for a locator that climbs to where nothing can name an owner.
    """
    steps = compile(records)
    names = {total: _names(total) for total in totals}
    for each in climbs:
        _check_climb(each, steps, names)
    return _Tree(steps, climbs).grown(0, [*names.items()], True)


def _names(total: str) -> Steps:
    steps = compile(total)
    if not steps or any(isinstance(step, Wildcard) for step in steps):
        raise LocatorError(f"{total!r}: a total is one number, named without wildcards")
    return steps


def _check_climb(each: Climb, records: Steps, totals: dict[str, Steps]) -> None:
    level = len(records) - each.climbs
    if level < 0 or (each.is_name and level == 0):
        raise LocatorError(f"{each.text!r}: climbs beyond the document")
    if each.is_name:
        if records[level - 1] is not Wildcard.MEMBERS:
            raise LocatorError(f"{each.text!r}: a name is what .* in records stands for")
        return
    step = records[level]
    if isinstance(step, Wildcard):
        raise LocatorError(f"{each.text!r}: climbs to a list or a map of what it comes from")
    way = (*records[:level], each.steps[0])
    if step == each.steps[0] or any(total[: len(way)] == way for total in totals.values()):
        raise LocatorError(f"{each.text!r}: finds what is on the way to records or totals")


class _Tree:
    """`grown` makes the tree of one level of the document and all below it; `here` where that is
    on the way to the records."""

    def __init__(self, records: Steps, climbs: tuple[Climb, ...]) -> None:
        self._records, self._climbs = records, climbs

    def grown(self, level: int, totals: list[tuple[str, Steps]], here: bool) -> Plan:
        records = self._records
        step = records[level] if here and level < len(records) else None
        if here and not isinstance(step, str):
            if totals:
                raise LocatorError(f"{totals[0][0]!r}: a total can't stand where the records are")
            if step is None:
                return Leaf.RECORD
            container = Container.ARRAY if step is Wildcard.ELEMENTS else Container.OBJECT
            return Each(container, self.grown(level + 1, [], True), self._places(level + 1))
        if any(not steps for _, steps in totals):
            if len(totals) > 1 or here:
                name = totals[0][0]
                raise LocatorError(f"{name!r}: a total can't stand on the way to another value")
            return Leaf.TOTAL
        members: dict[str, Plan] = {}
        names = dict.fromkeys(str(steps[0]) for _, steps in totals)
        if here:
            names[str(step)] = None
        for name in names:
            below = [(total, steps[1:]) for total, steps in totals if steps[0] == name]
            members[name] = self.grown(level + 1, below, here and step == name)
        repeated = any(isinstance(each, Wildcard) for each in records[:level]) and here
        return Envelope(members, str(step) if here else None, repeated, self._above(level, here))

    def _places(self, level: int) -> tuple[str, ...]:
        """Of the names that the values at this level have."""
        return tuple(
            each.place for each in self._climbs if each.is_name and self._level(each) == level
        )

    def _above(self, level: int, here: bool) -> dict[str, list[tuple[str, Steps]]]:
        found: dict[str, list[tuple[str, Steps]]] = {}
        for each in self._climbs:
            if here and not each.is_name and self._level(each) == level:
                found.setdefault(str(each.steps[0]), []).append((each.place, each.steps[1:]))
        return found

    def _level(self, each: Climb) -> int:
        return len(self._records) - each.climbs
