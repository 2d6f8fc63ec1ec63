"""Where a scan of a JSON document goes: the endpoint's locators, as one tree.

The envelope is what stands on the way to a configured place. Whatever the tree doesn't name in it
is a scalar, which stays, or something that has no owner.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsontext import Container
from gateway.inspection.locators import LocatorError, Steps, Wildcard, alike, compile


class Leaf(Enum):
    """What a scan was sent to find."""

    RECORD = "record"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Each:
    """A container all of whose children have the same plan."""

    container: Container
    child: "Plan"


@dataclass(frozen=True, slots=True)
class Envelope:
    """An object some of whose members are on the way; `required` are those on the way to records.

    `repeated` where it is itself one of many: then it describes one of them, so that its scalars
    are as personal as they are in a record.
    """

    members: dict[str, "Plan"]
    required: str | None
    repeated: bool

    def child(self, name: str) -> "Plan | None":
        """Where a member leads; None where it isn't on the way.

        Raises BadUpstream(BODY_AMBIGUOUS) for a name that parsers which fold case take for one that
        is: they would find other records.
        """
        found = self.members.get(name)
        if found is None and any(alike(name, other) for other in self.members):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a name that looks like one on the way")
        return found


Plan = Leaf | Each | Envelope


@lru_cache(maxsize=256)
def plan(records: str, totals: tuple[str, ...] = ()) -> Plan:
    """The tree for a `records` locator and the `totals` beside it.

    Raises LocatorError: for a total with a wildcard, and for one inside the records or above them.
    """
    return _tree(
        compile(records), [(total, _names(total)) for total in dict.fromkeys(totals)], False
    )


def _names(total: str) -> Steps:
    steps = compile(total)
    if not steps or any(isinstance(step, Wildcard) for step in steps):
        raise LocatorError(f"{total!r}: a total is one number, named without wildcards")
    return steps


def _tree(records: Steps | None, totals: list[tuple[str, Steps]], repeated: bool) -> Plan:
    step = records[0] if records else None
    if records is not None and not isinstance(step, str):
        if totals:
            raise LocatorError(f"{totals[0][0]!r}: a total can't stand where the records are")
        if step is None:
            return Leaf.RECORD
        container = Container.ARRAY if step is Wildcard.ELEMENTS else Container.OBJECT
        return Each(container, _tree(records[1:], [], True))
    if any(not steps for _, steps in totals):
        if len(totals) > 1 or records is not None:
            raise LocatorError(f"{totals[0][0]!r}: a total can't stand on the way to another value")
        return Leaf.TOTAL
    members: dict[str, Plan] = {}
    names = dict.fromkeys(str(steps[0]) for _, steps in totals)
    if records:
        names[str(step)] = None
    for name in names:
        members[name] = _tree(
            records[1:] if records and step == name else None,
            [(total, steps[1:]) for total, steps in totals if steps[0] == name],
            repeated,
        )
    return Envelope(members, str(step) if records else None, repeated)
