"""Where the records of a JSON document may stand, told by its shape alone.

    {"orders": [{…}, {…}]}              $.orders[*]   an array of objects
    {"A1": {…}, "B2": {…}}              $.*           a map of objects that are alike
    {"customer": {…}, "orders": [{…}]}  $             the whole, always possible

A map needs many objects, or alike ones: the members of an object are its fields, not records.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.inspection.locators import Step, Steps, Wildcard, find
from gateway.model import Format
from gateway.workbench.infer.specimens import Contents

_MAX_RECORDS = 50_000
_DEEPEST, _WILDCARDS = 8, 2
_MANY, _ALIKE = 8, 0.6
_BARE = re.compile(r"[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where records may stand, and those of each sample that stand there.

    `keyed` where they are the members of a map: its names can't be read by any locator.
    """

    steps: Steps
    records: tuple[tuple[Any, ...], ...]
    keyed: bool = False

    @property
    def locator(self) -> str:
        return written(self.steps)

    @property
    def wildcards(self) -> int:
        return sum(isinstance(step, Wildcard) for step in self.steps)


def places(form: Format, samples: Sequence[Contents]) -> tuple[Place, ...]:
    """All places of records in samples of one format, the outermost first."""
    if form is not Format.JSON:
        return (Place((), tuple(tuple(sample.value) for sample in samples)),)
    found = {steps: None for sample in samples for steps in _walk(sample.value, ())}
    everywhere = [
        Place(
            steps,
            tuple(tuple(islice(find(each.value, steps), _MAX_RECORDS)) for each in samples),
            keyed=Wildcard.MEMBERS in steps,
        )
        for steps in found
    ]
    return tuple(sorted(everywhere, key=lambda place: (place.wildcards, len(place.steps))))


def _walk(value: Any, steps: Steps) -> Iterator[Steps]:
    """The paths to whatever could be a record: `$`, elements of arrays, members of maps."""
    if not steps:
        yield ()
    if len(steps) >= _DEEPEST:
        return
    wildcards = sum(isinstance(step, Wildcard) for step in steps)
    match value:
        case list() if wildcards < _WILDCARDS and any(isinstance(each, dict) for each in value):
            below = (*steps, Wildcard.ELEMENTS)
            yield below
            for each in value[:100]:
                yield from _walk(each, below) if isinstance(each, dict) else ()
        case dict():
            if wildcards < _WILDCARDS and is_map(value):
                below = (*steps, Wildcard.MEMBERS)
                yield below
                for each in islice(value.values(), 100):
                    yield from _walk(each, below)
                return
            for name, each in value.items():
                if isinstance(each, dict | list):
                    yield from _walk(each, (*steps, name))
        case _:
            return


def is_map(value: dict[str, Any]) -> bool:
    """Whether an object is a map of records: names are data, and all that they name is alike."""
    inside = list(value.values())
    if len(inside) < 2 or not all(isinstance(each, dict) and each for each in inside):
        return False
    names = set().union(*inside)
    alike = sum(len(each) for each in inside) / (len(names) * len(inside))
    return alike >= _ALIKE or len(inside) >= _MANY


def written(steps: Sequence[Step]) -> str:
    """A locator that compiles to these steps."""
    pieces = ["$"]
    for step in steps:
        match step:
            case Wildcard.ELEMENTS:
                pieces.append("[*]")
            case Wildcard.MEMBERS:
                pieces.append(".*")
            case name if _BARE.fullmatch(name):
                pieces.append(f".{name}")
            case name:
                escaped = name.replace("\\", "\\\\").replace("'", "\\'")
                pieces.append(f"['{escaped}']")
    return "".join(pieces)
