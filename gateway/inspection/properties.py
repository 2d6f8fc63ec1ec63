"""An endpoint's locators and a policy's masks, for records that are made of content lines.

A locator is the name of a property, in any case: `EMAIL`, or `$.EMAIL` and `$['X-ID']`, which mean
the same; `../X-WR-CALNAME` is a property of what contains the record. Groups and parameters change
nothing about which property it is. Every property of that name in the record itself names an owner;
those of components in it (an alarm's attendee) are only mentioned. An empty value is none.

An identifier is the exact value. One with a backslash, comma or semicolon is ambiguous: whether
`a\\,b` is one text, and `a,b` one value or two, depends on what a reader knows about the property.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators
from gateway.inspection.contentlines import Property, ambiguous
from gateway.inspection.locators import LocatorError
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.tally import Owners
from gateway.model import Attribution, SubjectRef

_UP = "../"
_NAME = re.compile(r"[A-Za-z0-9-]+")
_SPLITS = re.compile(rb"[\\,;]")

Value = Callable[[Property], bytes]
"""What of a property is the identifier; may raise BadUpstream."""


def name(locator: str) -> str:
    """The name of the property that a locator means. Raises LocatorError."""
    match locators.compile(locator) if locator.startswith("$") else (locator,):
        case (str(found),) if _NAME.fullmatch(found):
            return found.upper()
        case _:
            raise LocatorError(f"{locator!r}: expected the name of one property, such as EMAIL")


def name_in_container(locator: str) -> str:
    """The same where there is something above the records; `../` stays in front."""
    if locator.startswith(_UP):
        return _UP + name(locator.removeprefix(_UP))
    return name(locator)


class Plan:
    """The locators of one body. `attribution` is how a record has its owners: by what contains it,
    where there is a kind that only a property above it names."""

    def __init__(self, spec: BodySpec | MemberSpec, limits: Limits, value: Value) -> None:
        self._value = value
        self._kinds = [
            (kind, tuple(map(name_in_container, found)))
            for owner in spec.subject
            for kind, found in owner.items()
        ]
        self._names = tuple(dict.fromkeys(each for _, found in self._kinds for each in found))
        above = (all(each.startswith(_UP) for each in found) for _, found in self._kinds)
        self.attribution = Attribution.CONTAINER if any(above) else Attribution.DIRECT
        attributor = locators.Attributor(
            tuple({kind: tuple(map(_path, found))} for kind, found in self._kinds)
        )

        @lru_cache(maxsize=limits.subjects)
        def owners(key: tuple[tuple[str, ...], ...]) -> Owners:
            return attributor.of(dict(zip(self._names, map(list, key), strict=True)))

        self._owners = owners

    def found(self, properties: Iterable[Property], above: bool = False) -> dict[str, list[str]]:
        """Locator → the values it found; none where one of them is empty."""
        prefix = _UP if above else ""
        found: dict[str, list[str]] = {}
        for each in properties:
            if prefix + each.name in self._names:
                found.setdefault(prefix + each.name, []).append(self._identifier(each))
        return {locator: values for locator, values in found.items() if all(values)}

    def owners(self, found: Mapping[str, Sequence[str]]) -> Owners:
        """The owners of a record; see `locators.Attributor.of`."""
        return self._owners(tuple(tuple(found.get(each, ())) for each in self._names))

    def named(self, found: Mapping[str, Sequence[str]]) -> Owners:
        """Those whom the container itself names."""
        owners = {
            SubjectRef(kind, value): None
            for kind, names in self._kinds
            for each in names
            for value in found.get(each, ())
        }
        return tuple(owners)

    def check_masks(self, masks: Sequence[str], texts: frozenset[str]) -> frozenset[str]:
        """The names of the properties to empty: any of `texts`, or an extension.

        Raises BadUpstream(REDACTION_UNSUPPORTED) for one that would be invalid without its value,
        and for one that names an owner.
        """
        try:
            named = frozenset(map(name, masks))
        except LocatorError:
            raise _unsupported("a mask that isn't one property: $.NAME") from None
        if not all(each in texts or each.startswith("X-") for each in named):
            raise _unsupported("a mask of a property that can't be empty")
        if any(each.removeprefix(_UP) in named for each in self._names):
            raise _unsupported("a mask of a property that names an owner")
        return named

    def _identifier(self, found: Property) -> str:
        value = self._value(found)
        if _SPLITS.search(value):
            raise ambiguous(found.line, "an identifier that some readers split or unescape")
        if b";ENCODING" in found.parameters:
            raise ambiguous(found.line, "an identifier in a transfer encoding")
        text = value.decode()
        return str(locators.identifier(text, f"line {found.line.number}")) if text else ""


def written(found: Iterable[Property], masked: frozenset[str]) -> bytes:
    """The lines of a record that stays, in whatever component of it they stand."""
    if not masked:
        return b"".join([each.line.whole for each in found])
    return b"".join([_emptied(each) if each.name in masked else each.line.whole for each in found])


def _emptied(found: Property) -> bytes:
    """A property whose value is masked: its parameters may repeat the value, so that they go."""
    end = found.line.whole[len(found.line.whole.rstrip(b"\r\n")) :]
    head = found.line.text[: len(found.group) + bool(found.group) + len(found.name)]
    return head + b":" + end


def _path(locator: str) -> str:
    return f"$['{locator}'][*]"


def _unsupported(what: str) -> BadUpstream:
    return BadUpstream(Code.REDACTION_UNSUPPORTED, what)
