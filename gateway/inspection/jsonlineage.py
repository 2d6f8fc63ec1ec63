"""Owners of JSON records that stand above them: locators that climb.

    $.customer.id    in the record, as everywhere
    $^^.id           two containers up: of `$.customers[*].orders[*]` the customer, past its array
    $~               the record's own name in a map, of `$.accounts.*`
    $^~              the name of what it stands in, of `$.accounts.*[*]`

`^` and `~` are JSONPath-Plus's, written behind the `$` that is the record. The value that names an
owner must stand before the records, since a document is read once: behind them it is refused. It
is a record of that owner's by itself, and goes where they aren't permitted.

For those who look for owners, a record and what stands above it are one value:

    {"0.0": "A1", "name": "…", "record": {…}}

in which `$^^.id` is `$['0.0']` and `$.customer.id` is `$.record.customer.id`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators
from gateway.inspection.locators import LocatorError, Steps, Wildcard, compile
from gateway.inspection.settings import AlsoSpec, BodySpec, MemberSpec
from gateway.inspection.tally import Owners
from gateway.model import Attribution, SubjectRef

_LOCATOR = re.compile(r"\$(\^*)(~?)(.*)", re.DOTALL)
_NAME, _RECORD = "name", "record"
_MOST = 16
"""How many owners one locator may name above the records: each record is compared with all."""


class Climb(NamedTuple):
    """A locator that leads out of a record: `climbs` containers up, and there the name of what was
    reached (`is_name`), or `steps` down. What it finds is kept as `place`."""

    text: str
    place: str
    climbs: int
    is_name: bool
    steps: Steps


def climb(locator: str, place: str = "") -> Climb | None:
    """The compiled locator; None for one that stays in the record. Raises LocatorError."""
    found = _LOCATOR.fullmatch(locator)
    up, name, down = found.groups() if found else ("", "", "")
    if not up and not name:
        compile(locator)
        return None
    if name and down:
        raise LocatorError(f"{locator!r}: nothing is below a name")
    steps = compile(f"${down}")
    if not name and (not steps or not isinstance(steps[0], str)):
        raise LocatorError(f"{locator!r}: expected .name behind ^")
    return Climb(locator, _NAME if name and not up else place, len(up), bool(name), steps)


def check(locator: str) -> object:
    """A locator of either kind, compiled. Raises LocatorError."""
    return climb(locator) or compile(locator)


class Lineage:
    """The locators of one body's owners, and those of them that climb. `subject` are the same for
    `whole` values; `attribution` is how a record has its owners: by what contains it, where only
    something above it names one of a kind. Raises LocatorError.
    """

    def __init__(
        self, spec: BodySpec | MemberSpec | AlsoSpec, more: Sequence[str] = (), number: int = 0
    ) -> None:
        """`number` is that of the set of records, `more` are further locators from them."""
        self.subject, self.attribution = spec.subject, Attribution.DIRECT
        self.climbs: tuple[Climb, ...] = ()
        self._climbs: dict[str, Climb] = {}
        texts = [text for owner in spec.subject for found in owner.values() for text in found]
        texts += more
        if not any(map(locators.climbs, texts)):
            return  # nearly always, and for each body
        subject = [(kind, found) for owner in spec.subject for kind, found in owner.items()]
        compiled = {
            text: climb(text, f"{number}.{n}") for n, text in enumerate(dict.fromkeys(texts))
        }
        self._climbs = {text: found for text, found in compiled.items() if found}
        self.climbs = tuple(self._climbs.values())
        self._kinds = [
            (kind, [self._climbs[text] for text in found if text in self._climbs])
            for kind, found in subject
        ]
        self.subject = tuple(
            {kind: tuple(map(self.locator, found)) for kind, found in owner.items()}
            for owner in spec.subject
        )
        if any(all(map(self._climbs_up, found)) for _, found in subject):
            self.attribution = Attribution.CONTAINER

    def _climbs_up(self, text: str) -> bool:
        return text in self._climbs and self._climbs[text].climbs > 0

    def locator(self, text: str) -> str:
        """One locator for `whole` values."""
        found = self._climbs.get(text)
        if found is None:
            return f"$.{_RECORD}{text[1:]}" if self.climbs else text
        return f"$['{found.place}']" + ("[*]" if _is_many(found.steps) else "")

    def whole(
        self, records: Sequence[Any], names: Sequence[str] | None, above: Mapping[str, Any]
    ) -> Sequence[Any]:
        """The records with their names and what stands above them."""
        if not self.climbs:
            return records
        if names is None:
            return [{**above, _RECORD: record} for record in records]
        pairs = zip(records, names, strict=True)
        return [{**above, _NAME: name, _RECORD: record} for record, name in pairs]

    def named(self, found: Mapping[str, Any]) -> Owners:
        """Whoever is named by something above the records, as found by place."""
        owners: dict[SubjectRef, None] = {}
        for kind, climbs in self._kinds if self.climbs else ():
            for each in climbs:
                values = found.get(each.place, [])
                for value in values if _is_many(each.steps) else [values]:
                    if each.place in found:
                        exact = locators.identifier(value, each.text)
                        owners[SubjectRef(kind, exact)] = None
        return tuple(owners)


def found_above(value: Any, wanted: Sequence[tuple[str, Steps]]) -> dict[str, Any]:
    """What each locator finds in a value above the records, by its place; nothing where it leads
    nowhere from something on its way. Raises BadUpstream for names that look alike, and for more
    than 16 values."""
    found: dict[str, Any] = {}
    for place, steps in wanted:
        locators.check_names(value, steps, "a locator above the records")
        values = locators.find(value, steps)
        if len(values) > _MOST:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more than 16 owners above the records")
        if values and locators.is_whole(value, steps):
            found[place] = values if _is_many(steps) else values[0]
    return found


def _is_many(steps: Steps) -> bool:
    return any(isinstance(step, Wildcard) for step in steps)
