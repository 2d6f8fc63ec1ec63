"""XPath locators: where records stand in an XML document, and what in them names an owner.

The subset of XPath 1.0 that a locator may use, for `records`:

    /export/order               absolute, one element a step
    /d:Document/d:Stmt/*        prefixes as `namespaces` says; `*` only as the last step

and, relative to a record, for `subject` and `vouches_for`:

    customer/id                 the text of an element
    @id    customer/@id         an attribute
    .                           the text of the record itself
    ../Acct/Id/IBAN    ../@id   what stands in an element above the record
    id/@root^@extension         not XPath but C-CDA's: two attributes, joined with ^

No index, predicate, function or descent: a locator says where something stands, it doesn't look
for it. A name without a prefix is in no namespace, or where it is an element's in the one that
`namespaces` has for the empty prefix.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from gateway.inspection import locators
from gateway.inspection.locators import LocatorError, Wildcard

SEPARATOR = "\x1f"
"""Between namespace and local name; no XML document has this character."""

_NAME = r"[A-Za-z_\u00c0-\U000effff][A-Za-z0-9_.\-\u00b7-\U000effff]*"
_XML = "http://www.w3.org/XML/1998/namespace"
_UP = ".."

Step = str | None
"""The expanded name of an element, or None for any."""


@dataclass(frozen=True, slots=True)
class Path:
    """A locator relative to a record: `climbs` elements up, `steps` down, and there the joined
    `attributes`, or without any the text."""

    climbs: int
    steps: tuple[Step, ...]
    attributes: tuple[str, ...]


def local(name: str) -> str:
    """The part of an expanded name that isn't the namespace."""
    return name.rpartition(SEPARATOR)[2]


def compile_records(locator: str, namespaces: Mapping[str, str]) -> tuple[Step, ...]:
    """`"/export/order"` → `("export", "order")`. Raises LocatorError.

    `$`, which all formats have for it, is the whole document: `/*`.
    """
    if locator == "$":
        return (None,)
    if not locator.startswith("/"):
        raise LocatorError(f"{locator!r}: records stand at an absolute path: /export/order")
    names = locator[1:].split("/")
    steps = tuple(_step(name, locator, namespaces) for name in names)
    if None in steps[:-1]:
        raise LocatorError(f"{locator!r}: only the last step may be *")
    return steps


def compile(locator: str, records: tuple[Step, ...], namespaces: Mapping[str, str]) -> Path:
    """A locator relative to the records at `records`. Raises LocatorError."""
    parts = locator.split("/")
    climbs = next((index for index, part in enumerate(parts) if part != _UP), len(parts))
    *names, last = parts[climbs:] or [""]
    attributes: tuple[str, ...] = ()
    if last.startswith("@"):
        attributes = tuple(_attribute(name, locator, namespaces) for name in last.split("^"))
        if len(set(attributes)) < len(attributes):
            raise LocatorError(f"{locator!r}: joins an attribute with itself")
    elif last != "." or names or climbs:
        names.append(last)
    steps = tuple(_step(name, locator, namespaces) for name in names)
    if climbs >= len(records):
        above = f"{len(records) - 1} elements" if len(records) > 1 else "no element"
        if climbs:
            raise LocatorError(f"{locator!r}: climbs too far; there is {above} above the records")
    elif climbs and steps and steps[0] in (records[len(records) - climbs], None):
        raise LocatorError(f"{locator!r}: comes down where the records stand")
    return Path(climbs, steps, attributes)


def check(locator: str) -> object:
    """A locator of either kind, compiled for any records and prefixes. Raises LocatorError."""
    if locator.startswith("/") or locator == "$":
        return compile_records(locator, _Any())
    return compile(locator, ("",) * (locator.count("/") + 2), _Any())


def compile_mask(mask: str, namespaces: Mapping[str, str]) -> Path:
    """A policy's mask, which is JSONPath in every format, for a record that is XML.

    `$.contact.phone` is `contact/phone`, `$['@id']` is `@id`, `$.*` any element. An element that
    stands there several times is like an array: `[*]` says nothing more. Raises LocatorError.
    """
    steps: list[Step] = []
    attribute: tuple[str, ...] = ()
    for step in locators.compile(mask):
        if attribute:
            raise LocatorError(f"{mask!r}: nothing is below an attribute")
        match step:
            case Wildcard.ELEMENTS:
                pass
            case Wildcard.MEMBERS:
                steps.append(None)
            case str() if step.startswith("@"):
                attribute = (_attribute(step, mask, namespaces),)
            case str():
                steps.append(_step(step, mask, namespaces))
    return Path(0, tuple(steps), attribute)


class _Any(dict[str, str]):
    """Namespaces in which every prefix has one."""

    def __missing__(self, key: str) -> str:
        return key

    def __contains__(self, key: object) -> bool:
        return True


def _step(name: str, locator: str, namespaces: Mapping[str, str]) -> Step:
    return None if name == "*" else _expanded(name, locator, namespaces, "")


def _attribute(name: str, locator: str, namespaces: Mapping[str, str]) -> str:
    if not name.startswith("@"):
        raise LocatorError(f"{locator!r}: expected @name behind ^")
    return _expanded(name[1:], locator, namespaces, None)


@cache
def _qualified() -> re.Pattern[str]:
    """When it is asked for first: its ranges take `re` 9 ms to compile, at every start."""
    return re.compile(rf"(?:({_NAME}):)?({_NAME})")


def _expanded(name: str, locator: str, namespaces: Mapping[str, str], default: str | None) -> str:
    found = _qualified().fullmatch(name)
    if found is None:
        what = "an empty step" if not name else f"{name!r} is no name"
        raise LocatorError(f"{locator!r}: {what}; a step is name, prefix:name, * or at the end @id")
    prefix = found[1] or default
    if prefix == "xml":
        return f"{_XML}{SEPARATOR}{found[2]}"
    if prefix and prefix not in namespaces:
        raise LocatorError(f"{locator!r}: namespaces has no prefix {prefix}")
    uri = namespaces[prefix] if prefix is not None and prefix in namespaces else ""
    return f"{uri}{SEPARATOR}{found[2]}" if uri else found[2]
