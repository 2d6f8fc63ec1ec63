"""JSONPath locators: compiled once, followed through parsed values, turned into owners.

The subset of RFC 9535 that a locator may use: `$`, `.name`, `['name']`, `[*]` (the elements of an
array) and `.*` (the members of an object). No index, slice, expression or descent: a locator says
where something stands, it doesn't look for it.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence, Set
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import settings
from gateway.inspection.tally import Owners
from gateway.model import SubjectRef


class Wildcard(Enum):
    """A step that finds several values."""

    ELEMENTS = "[*]"
    MEMBERS = ".*"


Step = str | Wildcard
"""A member's name, or a wildcard."""

Steps = tuple[Step, ...]


class LocatorError(ValueError):
    """A locator that can't be compiled; says which, where and why. A fault of configuration."""


# RFC 9535 section 2.5.1.1: member-name-shorthand. Other names are quoted. Said by what may not be
# in it: a range that goes beyond U+FFFF takes `re` 8 ms to compile, at every start.
_STEP = re.compile(
    r"(?P<name>\.(?P<bare>[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*))"
    r"|(?P<elements>\[\*\])|(?P<members>\.\*)"
    r"|\['(?P<single>(?:[^'\\]|\\['\\])*)'\]"
    r'|\["(?P<double>(?:[^"\\]|\\["\\])*)"\]'
)


@lru_cache(maxsize=4096)
def compile(locator: str) -> Steps:
    """`"$.orders[*].id"` → `("orders", Wildcard.ELEMENTS, "id")`. Raises LocatorError."""
    if not locator.startswith("$"):
        raise LocatorError(f"{locator!r} at position 0: a locator starts with $")
    steps: list[Step] = []
    position = 1
    while position < len(locator):
        match = _STEP.match(locator, position)
        if match is None:
            raise LocatorError(
                f"{locator!r} at position {position}: {_expected(locator[position])}"
            )
        if match["elements"]:
            steps.append(Wildcard.ELEMENTS)
        elif match["members"]:
            steps.append(Wildcard.MEMBERS)
        elif match["bare"]:
            steps.append(match["bare"])
        else:
            quoted = match["single"] if match["single"] is not None else match["double"]
            steps.append(re.sub(r"\\(.)", r"\1", quoted))
        position = match.end()
    return tuple(steps)


def written(steps: Steps) -> str:
    """A locator that `compile` makes these steps of."""
    return "$" + "".join(
        step.value
        if isinstance(step, Wildcard)
        else "['{}']".format(step.replace("\\", r"\\").replace("'", r"\'"))
        for step in steps
    )


def _expected(character: str) -> str:
    if character == "[":
        return "expected [*] or ['name']"
    if character == ".":
        return "expected .name or .*; quote other names: ['a b']"
    return "expected .name, ['name'], [*] or .*; quote other names: ['a-b']"


def climbs(locator: str) -> bool:
    """Whether it leads out of a record (`jsonlineage`): it isn't one that `compile` knows."""
    return locator.startswith(("$^", "$~"))


def find(value: Any, steps: Steps) -> list[Any]:
    """The values that `steps` lead to, in document order; none where a step doesn't apply."""
    found = [value]
    for step in steps:
        following: list[Any] = []
        for parent in found:
            match step:
                case Wildcard.ELEMENTS:
                    if isinstance(parent, list):
                        following += parent
                case Wildcard.MEMBERS:
                    if isinstance(parent, dict):
                        following += parent.values()
                case name:
                    if isinstance(parent, dict) and name in parent:
                        following.append(parent[name])
        if not following:
            return []
        found = following
    return found


def meet(one: Steps, other: Steps) -> bool:
    """Whether one may lead to what the other finds, or into it, or to what holds it."""
    pairs = zip(one, other, strict=False)
    return all(a == b or isinstance(a, Wildcard) or isinstance(b, Wildcard) for a, b in pairs)


def is_whole(value: Any, steps: Steps) -> bool:
    """Whether `steps` lead on from everything that their wildcards find."""
    found = [value]
    for step in steps:
        following: list[Any] = []
        for parent in found:
            children = find(parent, (step,))
            if not children and not (isinstance(step, Wildcard) and parent in ([], {})):
                return False
            following += children
        found = following
    return True


def check_names(record: Any, steps: Steps, locator: str) -> None:
    """Raises BadUpstream(BODY_AMBIGUOUS) for a name where one of `steps` leads that looks like it.

    Parsers that fold case, Go's encoding/json among them, take `id` and `ID` for one member and
    keep the last; RFC 8259 section 4 leaves it to them.
    """
    found = [record]
    for step in steps:
        if isinstance(step, str):
            names = set().union(*(parent for parent in found if isinstance(parent, dict)))
            if any_alike(names - {step}, step):
                raise BadUpstream(Code.BODY_AMBIGUOUS, f"a name that looks like one in {locator}")
        found = [child for parent in found for child in find(parent, (step,))]


_FEW = 256
"""Names at the most in one look: most of many are passed over sooner by their length."""


def any_alike(names: Set[str], other: str) -> bool:
    """Whether one of the names from a body looks like `other`, a locator's."""
    if len(names) <= _FEW:
        # Of plain names nothing but the case is folded: nearly always one look at all will do.
        text, wanted = ",".join(names), _folded(other)
        plain = text.isascii() and text.isprintable() and " " not in text and "," not in wanted
        if plain and wanted not in text.lower().split(","):
            return False
    return any(alike(name, other) for name in names)


def alike(one: str, other: str) -> bool:
    """Whether `one`, a name from a body, looks like `other`, a locator's.

    Four characters at most become one when they are normalised. Longer names aren't, because that
    takes quadratic time, nor remembered.
    """
    wanted = _folded(other)
    longest = 4 * len(wanted)
    name = one if len(one) <= longest else one.strip()
    return len(name) <= longest and _folded(name) == wanted


@lru_cache(maxsize=4096)
def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


_MAX_LENGTH = 1024
_INT64 = range(-(2**63), 2**63)
_MAX_KNOWN = 16_384
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def identifier(value: Any, locator: str) -> str | int:
    """The value, if it is an identifier: a non-empty text or an exact integer.

    Raises BadUpstream(BODY_AMBIGUOUS) for everything that two readers may take for different
    identifiers: floats, booleans, null, containers, control characters, integers beyond 64 bits.
    """
    if type(value) is str:
        if 0 < len(value) <= _MAX_LENGTH and not _UNPRINTABLE.search(value):
            return value
    elif type(value) is int and value in _INT64:
        return value
    raise BadUpstream(Code.BODY_AMBIGUOUS, f"what {locator} finds is not an identifier")


def owners_of(record: Any, subject: settings.Owners) -> Owners:
    """The owners of one record; see `Attributor.of`."""
    return Attributor(subject).of(record)


class Attributor:
    """Finds the owners of records as `subject` says. Made once for each scan.

    `exact` makes an identifier of what a locator finds, or raises BadUpstream.
    """

    def __init__(
        self, subject: settings.Owners, exact: Callable[[Any, str], str | int] = identifier
    ) -> None:
        self._exact = exact
        self._kinds, self._inside, names = _compiled(
            tuple([item for owner in subject for item in owner.items()])
        )
        # What is learned of a body ends with its scan.
        self._paths = [[[(name, {name}) for name in way] for way in ways] for ways in names]
        self._known = _Known(self._kinds, exact)

    @property
    def paths(self) -> frozenset[tuple[str, ...]]:
        """The names that lead to the identifiers; none where some other step does, or no step."""
        found = [steps for _, locators in self._kinds for _, steps in locators]
        paths = [tuple(step for step in steps if isinstance(step, str)) for steps in found]
        return frozenset(paths) if self._inside and paths == found else frozenset()

    def of(self, record: Any) -> Owners:
        """The distinct owners, in the order found; empty if the record is unattributed.

        All locators of one kind must find the same identifiers. One that finds nothing, or nothing
        for one of several, leaves the record unattributed. Raises BadUpstream(BODY_AMBIGUOUS) for
        what is not an identifier, for locators that disagree, and for two names that some parsers
        take for one.
        """
        if self._inside and (not record or type(record) not in (dict, list)):
            return ()
        owners: dict[SubjectRef, None] = {}
        absent = not self._kinds
        for kind, locators in self._kinds:
            agreed: dict[str | int, None] | None = None
            for locator, steps in locators:
                values = find(record, steps)
                absent = absent or not values or not is_whole(record, steps)
                # Also where nothing was found: others may find something under a name like it.
                check_names(record, steps, locator)
                if not values:
                    continue
                found = dict.fromkeys(self._exact(value, locator) for value in values)
                if agreed is None:
                    agreed = found
                elif found.keys() != agreed.keys():
                    raise _disagreement(kind)
            owners.update((SubjectRef(kind, value), None) for value in agreed or ())
        return () if absent else tuple(owners)

    def each(self, records: Sequence[Any]) -> list[Owners]:
        """The owners of each record."""
        keys, owners = self.keyed(records)
        known = {key: owners(key) for key in set(keys)}
        return [known[key] for key in keys]

    def keyed(self, records: Sequence[Any]) -> tuple[Sequence[Any], Callable[[Any], Owners]]:
        """A key for each of the records, and a function that says whose the records of a key are.

        Raises BadUpstream as `of` does, and so does the function.
        """
        keys = self._keys(records)
        if keys is None:
            return [self.of(record) for record in records], _themselves
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        return keys, self._known.__getitem__

    def _keys(self, records: Sequence[Any]) -> Sequence[Any] | None:
        """What each record's owners follow from: the value of each kind, found column by column.

        None where it isn't as simple as that: then `of` looks at the records one by one, and
        decides.
        """
        columns: list[Sequence[Any]] = []
        for paths in self._paths:
            found = [_column(records, path) for path in paths]
            if found[0] is None or any(column != found[0] for column in found):
                return None
            columns.append(found[0])
        return list(zip(*columns, strict=True)) if columns else None


class _Known(dict[Any, Owners]):
    """The owners of each key: found when first asked for."""

    def __init__(self, kinds: "_Kinds", exact: Callable[[Any, str], str | int]) -> None:
        self._kinds, self._exact = kinds, exact

    def __missing__(self, key: Any) -> Owners:
        kinds = zip(self._kinds, key, strict=True)
        owners = [
            SubjectRef(kind, self._exact(value, locators[0][0]))
            for (kind, locators), value in kinds
        ]
        self[key] = found = tuple(dict.fromkeys(owners))
        return found


def _themselves(owners: Owners) -> Owners:
    return owners


_Kinds = tuple[tuple[str, tuple[tuple[str, Steps], ...]], ...]
_Path = list[tuple[str, set[str]]]
"""Names to follow, each with names that were seen beside it and don't look like it."""


@lru_cache(maxsize=4096)
def _compiled(
    subject: tuple[tuple[str, tuple[str, ...]], ...],
) -> tuple[_Kinds, bool, tuple[tuple[tuple[str, ...], ...], ...]]:
    """The locators of each kind; whether none is the record itself, so that a value without members
    is nobody's; and the names they follow, none where one has a wildcard."""
    kinds = tuple(
        (kind, tuple((locator, compile(locator)) for locator in locators))
        for kind, locators in subject
    )
    ways = tuple(tuple(steps for _, steps in locators) for _, locators in kinds)
    every = [steps for found in ways for steps in found]
    wild = any(isinstance(step, Wildcard) for steps in every for step in steps)
    names = tuple(tuple(tuple(map(str, steps)) for steps in found) for found in ways)
    return kinds, all(every), () if wild else names


def _column(records: Sequence[Any], path: _Path) -> Sequence[Any] | None:
    """The text or integer at the path in every record; None where one has something else."""
    found = records
    try:
        for name, unlike in path:
            if unknown := set().union(*found) - unlike:
                if any_alike(unknown, name):
                    return None
                if len(unlike) < _MAX_KNOWN:
                    unlike |= {other for other in unknown if len(other) <= _MAX_LENGTH}
            found = list(map(itemgetter(name), found))
    except (KeyError, TypeError):
        return None
    # By exact type: as keys of a dict, True and 1.0 are 1.
    return found if set(map(type, found)) <= {str, int} else None


class Finder:
    """Finds what a locator leads to in many records. Made once for each scan; `key` is the setting
    that the locator stands in."""

    def __init__(self, locator: str, key: str) -> None:
        self._steps, self._key = compile(locator), key
        names = [step for step in self._steps if isinstance(step, str)]
        self._path = [(name, {name}) for name in names] if names == [*self._steps] else []

    def each(self, records: Sequence[Any]) -> list[list[Any]]:
        """What `find` finds in each of the records. Raises BadUpstream as `check_names` does."""
        column = _column(records, self._path) if self._path else None
        if column is not None:
            return [[value] for value in column]
        for record in records:
            check_names(record, self._steps, self._key)
        return [find(record, self._steps) for record in records]


def _disagreement(kind: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, f"the locators of {kind} find different identifiers")
