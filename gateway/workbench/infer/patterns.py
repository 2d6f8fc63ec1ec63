"""Names of archive members → the patterns of a configuration, one for members that are alike.

    orders/2018-01.json, orders/2018-02.json      orders/*.json
    accounts/A1/photo.jpg, accounts/B2/photo.jpg  accounts/*/photo.jpg
    manifest.json                                 manifest.json

Members are alike that have the same depth, the same ending and the same shape inside. A pattern
never takes members of another: where it would, its own are named one by one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile, zip_longest

_ONE_BY_ONE = 20

Likeness = tuple[object, ...]
"""What is equal for members that are alike: their format, its options, and, last, the shape of
their contents, which may differ where the names are the same. Nothing else for opaque ones."""


@dataclass(frozen=True, slots=True)
class Named:
    """A pattern and the names of those members that are meant by it."""

    match: str
    names: tuple[str, ...]


def patterns(likeness: Mapping[str, Likeness]) -> tuple[Named, ...]:
    """The patterns, in the order that a configuration needs: the first match counts."""
    groups: dict[tuple[object, ...], list[str]] = {}
    bases = Counter(map(_base_of, likeness))
    for name, alike in likeness.items():
        depth, base = name.count("/"), _base_of(name)
        ending: object = _ending(base)
        if len(alike) > 1 and bases[base] > 1:
            ending, alike = base, alike[:-1]
        groups.setdefault((depth, ending, alike), []).append(name)
    parts = [part for names in groups.values() for part in _parted(names)]
    found = _ordered(Named(_pattern(names), tuple(names)) for names in parts)
    return _ordered(each for named in found for each in _apart(named, found))


def _parted(names: Sequence[str]) -> list[list[str]]:
    """Members in different trees are not alike, unless they are called the same."""
    trees: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        folders = name.split("/")[:-1]
        trees.setdefault(tuple(folders[:1] if len(folders) > 1 else folders), []).append(name)
    if len(set(map(_base_of, names))) == 1:
        return [list(names)]
    return list(trees.values())


def _pattern(names: Sequence[str]) -> str:
    if len(names) == 1:
        return _literal(names[0])
    columns = zip_longest(*(name.split("/")[:-1] for name in names))
    folders = [_literal(each[0]) if len(set(each)) == 1 else "*" for each in columns]
    return "/".join((*folders, _base([*map(_base_of, names)])))


def _base(names: Sequence[str]) -> str:
    """`0001.wav`, `0002.wav` → `*.wav`; a beginning of letters that all share is kept."""
    if len(set(names)) == 1:
        return _literal(names[0])
    ending = _ending(names[0])
    columns = takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False))
    shared = re.match(r"[^\W\d]*[-_ ]?", "".join(each[0] for each in columns))
    begin = shared[0] if shared and len(shared[0]) > 2 else ""
    if any(len(name) < len(begin) + len(ending) for name in names):
        begin = ""
    return f"{_literal(begin)}*{_literal(ending)}"


def _base_of(name: str) -> str:
    return name.rpartition("/")[2]


def _ending(base: str) -> str:
    dot = base.rfind(".")
    return base[dot:] if dot > 0 else ""


def _literal(text: str) -> str:
    """A text as a pattern that means it; what a pattern can't say is any text."""
    return re.sub(r"[*{}]+", "*", text)


def _ordered(found: Iterable[Named]) -> tuple[Named, ...]:
    """The exact ones before those with wildcards, in the order of their names."""
    return tuple(sorted(found, key=lambda named: (named.match.count("*"), named.match)))


def _apart(named: Named, found: Sequence[Named]) -> list[Named]:
    """The pattern, or its names one by one where another pattern before it takes some of them."""
    for other in found:
        if other is named:
            return [named]
        taken = [name for name in named.names if covers(other.match, name)]
        if taken and len(named.names) <= _ONE_BY_ONE:
            return [Named(_literal(name), (name,)) for name in named.names]
    return [named]


def covers(match: str, name: str) -> bool:
    """Whether a pattern with nothing but stars matches a name, as the gateway would read it."""
    pieces = (re.escape(piece) for piece in match.split("*"))
    return re.fullmatch("[^/]*".join(pieces), name) is not None
