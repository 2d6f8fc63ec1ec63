"""A small JSON document, read whole: what `jsonscan` reads piece by piece, in a tenth of the time.

Only for counting. The same parser reads the same bytes, and the same plan says what is a record
and what a stray; a test holds the two readings against each other.
"""

from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsontext
from gateway.inspection.jsonplan import Each, Envelope, Leaf, Plan
from gateway.inspection.jsonrecords import Census
from gateway.inspection.jsontext import Container
from gateway.inspection.settings import Limits

SMALL = 64 * 1024
"""Bytes: beyond this the time is in the parser, and memory begins to count."""


def count(document: bytes, plan: Plan, limits: Limits, census: Census) -> None:
    """Count the records and strays of a document. Raises BadUpstream as `jsonscan.scan` does."""
    text = document.removeprefix(jsontext.BOM)
    _count(jsontext.parse(text, limits.depth), plan, census)


def _count(value: Any, plan: Plan, census: Census) -> int:
    """Count what is in `value`; how much it was."""
    if isinstance(plan, Each):
        return _count_each(_children(value, plan.container), plan, census)
    if isinstance(plan, Envelope):
        return _count_inside(value, plan, census)
    census.count([value])
    return 1


def _count_each(values: list[Any], plan: Each, census: Census) -> int:
    if plan.child is Leaf.RECORD:
        census.count(values)
        return len(values)
    counted = 0
    for each in values:
        inside = _count(each, plan.child, census)
        if not inside and plan.container is Container.OBJECT:
            census.count_stray()
            inside = 1
        counted += inside
    return counted


def _count_inside(value: Any, plan: Envelope, census: Census) -> int:
    required = plan.required
    if type(value) is not dict or (required is not None and required not in value):
        raise _misfit()
    counted = 0
    for name, each in value.items():
        way = plan.child(name)
        if isinstance(way, Each | Envelope) and (name == required or type(each) is dict):
            counted += _count(each, way, census)
        elif way is Leaf.RECORD:
            census.count([each])
            counted += 1
        elif plan.repeated or (each and type(each) in (dict, list)):
            census.count_stray()
            counted += 1
    return counted


def _children(value: Any, container: Container) -> list[Any]:
    if container is Container.ARRAY and type(value) is list:
        return value
    if container is Container.OBJECT and type(value) is dict:
        return list(value.values())
    raise _misfit()


def _misfit() -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, "the locator of the records doesn't fit the body")
