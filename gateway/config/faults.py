"""Configuration faults: where each one is, and how it is said in plain words.

A fault never quotes a value, except a short one that stands where only a closed set may stand.
The line it points at is shown, unless that line looks as if somebody put a secret in it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.config.keys import KeyPath, spell


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault is: a file with a line and column (from 1), or an environment variable.

    `excerpt` is the line itself with a caret below, or empty where it must not be shown. `beyond`
    where it is another file, which the configuration names.
    """

    source: str
    line: int | None = None
    column: int | None = None
    excerpt: str = ""
    beyond: bool = False

    def __str__(self) -> str:
        marks = (str(mark) for mark in (self.line, self.column) if mark is not None)
        return ":".join((self.source, *marks))


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault without its place. `on_key` where the key is wrong, and not what it holds; `place`
    where it is known already, because it is in another file."""

    path: KeyPath
    message: str
    on_key: bool = False
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, where (`path` is the YAML path), and what to do about it."""

    place: Place
    path: KeyPath
    message: str

    def __str__(self) -> str:
        path = f"{spell(self.path)}: " if self.path else ""
        return f"{self.place}: {path}{self.message}"


class ConfigFaults(Exception):
    """Everything that is wrong with a configuration, in the order of its lines; what is wrong with
    the files that it names comes last."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=_order))
        super().__init__("\n".join(map(str, self.faults)))


def _order(fault: Fault) -> tuple[bool, str, int, int]:
    place = fault.place
    return (
        place.beyond,
        place.source if place.beyond else "",
        place.line or 0,
        place.column or 0,
    )


_SECRETIVE = re.compile(r"(?i)key|secret|token|passw|credential|[A-Za-z0-9+/=_-]{32,}|//[^/]*@")


def excerpt(text: str, column: int) -> str:
    """A line of the file with a caret below the column, or nothing if it may hold a secret."""
    if _SECRETIVE.search(text) or len(text) > 160 or not text.isprintable():
        return ""
    return f"    {text}\n    {' ' * (column - 1)}^"
