"""What a mutant is, and a fair choice among more of them than there is time for."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

_T = TypeVar("_T")


class Kind(StrEnum):
    """What is changed."""

    OWNER = "owner"
    TYPE = "type"
    LOOKALIKE = "lookalike"
    MANIFEST = "manifest"
    MEMBER = "member"
    ACTOR = "actor"
    CALLER = "caller"
    CLAIM = "claim"
    EXPIRY = "expiry"


@dataclass(frozen=True, slots=True)
class Where:
    """Where something was changed. Outside of bodies `locator` names the part of the token or the
    path in the deployment's data."""

    file: str
    locator: str
    member: str = ""
    record: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed: `old` and `new` are JSON texts, or names."""

    kind: Kind
    where: Where
    how: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a body. `make` gives the changed body, `gone` are the numbers of the units that
    must not leave any more, among all units of the fixture."""

    change: Change
    make: Callable[[], bytes]
    gone: frozenset[int]


def fair(
    found: Iterable[_T], change: Callable[[_T], Change], limit: int, seed: int
) -> tuple[list[_T], int]:
    """At most `limit` of them, and how many there are: each kind in turn, and in it each record.

    The same seed makes the same choice.
    """
    dice = random.Random(seed)  # noqa: S311 - a sample, not a secret
    kinds: dict[Kind, dict[Where, list[_T]]] = {}
    count = 0
    for each in found:
        count += 1
        told = change(each)
        kinds.setdefault(told.kind, {}).setdefault(told.where, []).append(each)
    queues = []
    for places in kinds.values():
        for each_place in places.values():
            dice.shuffle(each_place)
        order = list(places.values())
        dice.shuffle(order)
        queues.append(_in_turn(order))
    return _in_turn(queues)[:limit], count


def _in_turn(queues: Sequence[Sequence[_T]]) -> list[_T]:
    """The first of each, then the second of each, and so on."""
    longest = max(map(len, queues), default=0)
    return [queue[at] for at in range(longest) for queue in queues if at < len(queue)]
