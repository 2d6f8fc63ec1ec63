"""Whether masks fit a record: whether each can go where it leads.

`$.peers[*].phone` says that there is a list in `peers`, and objects in it. In a record that has an
object there, or a text, it finds nothing, and what it is meant to hide leaves all the same. Such a
record can't be masked.

A name that is missing is no fault, nor is null, an empty text, list or object, in which nothing is
to be hidden, nor a record that is itself no list or object: it has no fields. Where exports differ,
several masks may name several shapes. What one of them goes into, or hides as a whole, fits.

The places of documents must lead somewhere for the same reason (see `embedded`): what isn't found
isn't read.
"""

from collections.abc import Sequence
from typing import Any

from gateway.inspection.locators import Steps, Wildcard

_NOTHING: tuple[Any, ...] = (None, "", [], {})


def fits(record: Any, masks: Sequence[Steps]) -> bool:
    """Whether all of `masks` can go where they lead in a record."""
    return not isinstance(record, (dict, list)) or leads(record, masks)


def leads(value: Any, paths: Sequence[Steps]) -> bool:
    """Whether all of `paths` can go where they lead in a value, a record or not."""
    if () in paths or value in _NOTHING:
        return True
    if isinstance(value, list):
        below = [path[1:] for path in paths if path[0] is Wildcard.ELEMENTS]
        return bool(below) and all(leads(child, below) for child in value)
    inside = [path for path in paths if path[0] is not Wildcard.ELEMENTS]
    if not inside or not isinstance(value, dict):
        return False
    everywhere = [path[1:] for path in inside if path[0] is Wildcard.MEMBERS]
    named: dict[Any, list[Steps]] = dict.fromkeys(value, everywhere) if everywhere else {}
    for step, *rest in inside:
        if step in value:
            named[step] = [*named.get(step, ()), tuple(rest)]
    return all(leads(value[name], below) for name, below in named.items())
