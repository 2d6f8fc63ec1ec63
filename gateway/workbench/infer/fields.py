"""Records → their fields, each with the values it has in each record.

A field is a path: `$.customer.id`, and `$.items[*].sku` where one record has several. Only what
ends in a scalar is one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gateway.inspection.locators import Step, Steps, Wildcard
from gateway.workbench.infer.looks import Look, common
from gateway.workbench.infer.shapes import Place, written

_MAX_FIELDS, _DEEPEST = 512, 6


@dataclass(frozen=True)
class Field:
    """One field of a place's records. `values` has an entry for each record, over all samples: the
    values that the path finds in it; `samples` says which sample the record is from."""

    steps: Steps
    values: tuple[tuple[Any, ...], ...]
    samples: tuple[int, ...]

    @cached_property
    def locator(self) -> str:
        return written(self.steps)

    @property
    def several(self) -> bool:
        """Whether it may find more than one value in a record."""
        return any(isinstance(step, Wildcard) for step in self.steps)

    @cached_property
    def exact(self) -> tuple[Any, ...]:
        """All its values that are text or an integer."""
        return tuple(
            value
            for found in self.values
            for value in found
            if type(value) in (str, int) and value != ""
        )

    @cached_property
    def present(self) -> int:
        """In how many records it has a value, null not being one."""
        return sum(any(value is not None for value in found) for found in self.values)

    @cached_property
    def unfit(self) -> int:
        """In how many records it has something that is no identifier: the gateway would refuse."""
        return sum(
            any(type(value) not in (str, int) or value == "" for value in found)
            for found in self.values
        )

    @cached_property
    def distinct(self) -> int:
        return len({(type(value), value) for value in self.exact})

    @cached_property
    def look(self) -> Look:
        return common(self.exact)

    @cached_property
    def varies(self) -> bool:
        """Whether each sample has one value throughout, and not all samples the same."""
        inside: dict[int, set[Any]] = {}
        for sample, found in zip(self.samples, self.values, strict=True):
            inside.setdefault(sample, set()).update(map(repr, found))
        single = all(len(values) == 1 for values in inside.values())
        return single and len(inside) > 1 and self.distinct > 1


def fields(place: Place) -> tuple[Field, ...]:
    """The fields of all records at a place, in the order in which they are met."""
    records = [record for each in place.records for record in each]
    samples = tuple(index for index, each in enumerate(place.records) for _ in each)
    found: dict[Steps, dict[int, list[Any]]] = {}
    for index, record in enumerate(records):
        for steps, value in _leaves(record, ()):
            if steps in found or len(found) < _MAX_FIELDS:
                found.setdefault(steps, {}).setdefault(index, []).append(value)
    return tuple(
        Field(steps, tuple(tuple(values.get(i, ())) for i in range(len(records))), samples)
        for steps, values in found.items()
    )


def _leaves(value: Any, steps: tuple[Step, ...]) -> Iterator[tuple[Steps, Any]]:
    if len(steps) > _DEEPEST:
        return
    match value:
        case dict():
            for name, each in value.items():
                yield from _leaves(each, (*steps, name))
        case list():
            for each in value:
                yield from _leaves(each, (*steps, Wildcard.ELEMENTS))
        case _ if steps:
            yield steps, value
        case _:
            return


def agreeing(one: Field, other: Field) -> bool:
    """Whether two fields have the same value in every record, which is no accident."""
    if one.values != other.values or one.exact != other.exact:
        return False
    long = all(len(str(value)) >= 8 for value in one.exact)
    return bool(one.exact) and (one.distinct > 1 or long)


def telling(field: Field, others: Sequence[Field]) -> tuple[Field, ...]:
    """The other fields that agree with this one in every record."""
    return tuple(other for other in others if other is not field and agreeing(field, other))
