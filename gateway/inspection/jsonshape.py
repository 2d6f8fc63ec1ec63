"""What the records of an export look like: learnt from some of them, written as a pattern.

Records that one program wrote have the same names in the same order, some now and then left out.
Text that the pattern of such a `Shape` matches is strict JSON (RFC 8259) in which no object has a
name twice, because each name stands in the pattern once; `jsonmatcher` says under which conditions.
So that matching a batch takes the place of parsing it, and is faster (`python -m bench.reading`).
What doesn't match is only not known yet: it says nothing about the text.

A pattern has one way to go at each byte, and never goes back: its time is linear.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.inspection.locators import alike

_PLAIN = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]*')
_MOST, _LETTERS, _DEEPEST = 128, 32, 16
"""Values of which a shape is made (a name counts once more for so many letters), and containers in
which they stand: enough for most records that a program makes, and few enough that a pattern is
compiled in some hundredths of a second, whatever they are."""

_INTEGER = rb"-?+(?!0[0-9])[0-9]{1,18}+"
_NUMBER = _INTEGER + rb"(?:\.[0-9]{1,18}+)?+"
_WORD = rb"(?>true|false|null)"
_NOTHING = rb"(?!)"
"""In the place of a value of which nothing was learnt: no text is one."""

_STRING = rb'"[^"]*+"'
_HEX = rb"[0-9a-fA-F]"
_ESCAPE = (
    rb'\\(?:["\\/bfnrt]|u(?:(?![dD][89a-fA-F])%b{4}|[dD][89abAB]%b{2}\\u[dD][c-fC-F]%b{2}))'
    % (_HEX, _HEX, _HEX)
)
_ESCAPED = rb'"[^"\\]*+(?:%b[^"\\]*+)*+"' % _ESCAPE
"""A string with escapes; surrogates in pairs only. Of control characters neither knows anything."""

Path = tuple[str, ...]
"""The names that lead to a value from the record."""


class Layout(NamedTuple):
    """What stands between two members or elements, and between a name and its value."""

    comma: bytes
    colon: bytes


_FIRST = re.compile(rb'\{"[^"\\]*+"( *+: *+)')


def layout(text: bytes) -> Layout | None:
    """How the first record in `text` is laid out, as far as its first name tells."""
    first = _FIRST.match(text)
    if first is None:
        return None
    return Layout(b", " if first[1].endswith(b" ") else b",", first[1])


class UnfitError(Exception):
    """Values of which no shape is made."""


@dataclass(slots=True)
class Lesson:
    """How much may still be learnt at one time: a value costs one, and members that are not those
    that are known as much as there are of both."""

    left: int = 16_384

    def spend(self, steps: int) -> None:
        """Raises UnfitError where it is too much."""
        self.left -= steps
        if self.left < 0:
            raise UnfitError


class Shape:
    """What may stand in one place: a scalar, an array, an object, or several of these."""

    def __init__(self) -> None:
        self._scalars: set[type] = set()
        self._element: Shape | None = None
        self._members: dict[str, Shape] | None = None
        self._optional: set[str] = set()

    def learn(self, value: Any, lesson: Lesson, levels: int = _DEEPEST) -> None:
        """Let `value`, parsed strictly, fit. Raises UnfitError; what was learnt by then stays."""
        lesson.spend(1)
        if levels == 0:
            raise UnfitError
        if type(value) is dict:
            members = self._members = self._merged(list(value), lesson)
            for name, each in value.items():
                members[name].learn(each, lesson, levels - 1)
        elif type(value) is list:
            element = self._element = self._element or Shape()
            for each in value:
                element.learn(each, lesson, levels - 1)
        else:
            self._scalars.add(type(value))

    def _merged(self, names: list[str], lesson: Lesson) -> "dict[str, Shape]":
        """The members and these, each in its order."""
        known = self._members
        if known is not None:
            if names == [*known]:
                return known
            lesson.spend(len(names) + len(known))
            if len(names) + len(known) > 2 * _MOST:
                raise UnfitError
            self._optional |= known.keys() ^ set(names)
        old = [*(known or ())]
        places = {name: place for place, name in enumerate(old)}
        merged: list[str] = []
        at = 0
        for name in names:
            place = places.get(name)
            if place is None and _PLAIN.fullmatch(name):
                merged.append(name)
            elif place is not None and place >= at:
                merged += old[at : place + 1]
                at = place + 1
            else:
                raise UnfitError
        merged += old[at:]
        return {name: (known or {}).get(name) or Shape() for name in merged}

    @property
    def fits(self) -> bool:
        """Whether it is small enough for a pattern."""
        return self._size() <= _MOST

    def _size(self) -> int:
        members = self._members or {}
        inside = [*members.values(), *([self._element] if self._element else [])]
        letters = sum(len(name) // _LETTERS for name in members)
        # What may be missing is looked for in vain: it costs as much as several that are there.
        missing = 3 * len(self._optional)
        return 1 + letters + missing + sum(each._size() for each in inside)

    def has(self, path: Path) -> bool:
        """Whether each record has one scalar at `path`, which has one or more names, and no name
        that looks like one of them."""
        if not path:
            return bool(self._scalars) and self._element is None and self._members is None
        name, members = path[0], self._members
        return (
            not self._scalars
            and self._element is None
            and members is not None
            and name in members
            and name not in self._optional
            and not any(alike(other, name) for other in members if other != name)
            and members[name].has(path[1:])
        )

    def pattern(self, found: Layout, caught: Collection[Path], *, escapes: bool) -> bytes:
        """A pattern of all that fits. What stands at the paths in `caught` are its groups, in the
        order of `order`. Without `escapes`, there are none in the text."""
        return self._pattern(_Writing(found, caught, _ESCAPED if escapes else _STRING), ())

    def order(self, caught: Collection[Path]) -> Sequence[Path]:
        """The paths in the order in which they are found."""
        names = self._members or {}
        return [
            (name, *path)
            for name, each in names.items()
            for path in ([()] if (name,) in caught else each.order(_below(caught, name)))
        ]

    def _pattern(self, writing: "_Writing", path: Path | None) -> bytes:
        """`path` is None inside an array, where nothing is caught."""
        ways = [writing.string] if str in self._scalars else []
        if float in self._scalars:
            ways.append(_NUMBER)
        elif int in self._scalars:
            ways.append(_INTEGER)
        if self._scalars & {bool, type(None)}:
            ways.append(_WORD)
        if self._members is not None:
            ways.append(self._object(writing, path))
        if self._element is not None:
            ways.append(self._array(writing))
        if not ways:
            return _NOTHING
        pattern = ways[0] if len(ways) == 1 else b"(?>%b)" % b"|".join(ways)
        return b"(%b)" % pattern if path in writing.caught else pattern

    def _array(self, writing: "_Writing") -> bytes:
        element = self._element
        if element is None or element.is_empty:
            return rb"\[\]"
        each = element._pattern(writing, None)
        # Written once: in arrays of arrays twice would be twice as long for each level.
        return rb"\[(?:%b(?>%b(?!\])|(?=\])))*+\]" % (each, re.escape(writing.layout.comma))

    def _object(self, writing: "_Writing", path: Path | None) -> bytes:
        names = self._members or {}
        comma, colon = map(re.escape, writing.layout)
        required = [name for name in names if name not in self._optional]
        last = [*names].index(required[-1]) if required else -1
        pieces = []
        for place, (name, each) in enumerate(names.items()):
            below = None if path is None else (*path, name)
            value = each._pattern(writing, below)
            # A comma where another member must follow; behind those, one only before a name.
            if place < last:
                follows = comma
            elif place + 1 < len(names):
                follows = rb'(?>%b(?=")|(?=\}))' % comma
            else:
                follows = b""
            member = b"".join((re.escape(f'"{name}"'.encode()), colon, value, follows))
            pieces.append(b"(?:%b)?+" % member if name in self._optional else member)
        return rb"\{%b\}" % b"".join(pieces)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was learnt yet."""
        return not self._scalars and self._element is None and self._members is None


class _Writing(NamedTuple):
    """What a pattern is written with."""

    layout: Layout
    caught: Collection[Path]
    string: bytes


def _below(caught: Collection[Path], name: str) -> list[Path]:
    return [path[1:] for path in caught if path[0] == name]
