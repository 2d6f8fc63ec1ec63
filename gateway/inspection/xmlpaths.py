"""XPath locators followed through an XML document as it streams by.

A `Trail` is a locator that leads on from one open element, or ends there. Nothing is kept of a
document but these, so that an element of millions of children takes no more memory than its text.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators
from gateway.inspection.xmlscan import XSI, Scan
from gateway.inspection.xpath import Path, local

_LONGEST = 1024
_MOST = 1 << 20
"""Masked values in one record: each is several values of its own in memory."""

_BLANK = " \t\r\n"
_TEXT = Path(0, (), ())

Attributes = dict[str, str]
Span = tuple[int, int]
MISFIT = Path(0, ("",), ())
"""In the place of a mask's path: a text stands where the mask goes into elements."""

Masked = tuple[int, int, Path | None]
"""Where a masked value begins and ends, and the path that led there; None for an attribute of a
masked element, which becomes nothing."""

_NEEDED = (f"{XSI}type", f"{XSI}nil")
"""Attributes that stay: they say what an element is."""


class Found:
    """The distinct values that one locator found in one place, in document order.

    `whole` unless it led nowhere from something on its way. `rivals` are values that another
    reader might take for them.
    """

    __slots__ = ("rivals", "values", "whole")

    def __init__(self) -> None:
        self.values: dict[str, None] = {}
        self.whole = True
        self.rivals: Found | None = None

    def rival(self) -> "Found":
        self.rivals = self.rivals or Found()
        return self.rivals

    def merge(self, other: "Found") -> None:
        self.values |= other.values
        self.whole = self.whole and other.whole

    def check(self) -> None:
        """Raises BadUpstream(BODY_AMBIGUOUS) for a rival that says something else."""
        if self.rivals and self.rivals.values.keys() - self.values.keys():
            raise BadUpstream(Code.BODY_AMBIGUOUS, "an owner is named in two ways")


class Trail:
    """One locator at one open element: the next step is `path.steps[step]`.

    `found` is None for a mask. `text` gathers what stands in the element that it leads to, as
    pieces; `closed` where that was a CDATA section, and is over. `leaf` while there is no element
    in it, `filled` where there is text in it.
    """

    __slots__ = (
        "begin", "closed", "filled", "found", "hit", "leaf", "path", "rival", "step", "text",
    )  # fmt: skip

    def __init__(self, path: Path, step: int, found: Found | None, rival: bool, begin: int) -> None:
        self.path, self.step, self.found = path, step, found
        self.rival, self.begin, self.hit = rival, begin, False
        self.text: list[str] | None = None
        self.closed = self.filled = False
        self.leaf = True


Trails = Sequence[Trail]


class Follower:
    """Follows trails. `masked` are the places of what masks lead to, for whoever takes them.

    Everything raises BadUpstream: BODY_AMBIGUOUS for what two readers may find different values
    in, BODY_TOO_COMPLEX for more values than `most`.
    """

    def __init__(self, scan: Scan, most: int) -> None:
        self._scan, self._most = scan, most
        self.masked: list[Masked] = []

    def begin(
        self,
        paths: Iterable[tuple[Path, Found | None]],
        attributes: list[str],
        begin: int,
        rival: bool = False,
    ) -> list[Trail]:
        """The trails that begin at an element."""
        trails: list[Trail] = []
        for path, found in paths:
            self._arrive(Trail(path, 0, found, rival, begin), attributes, trails)
        return trails

    def descend(self, trails: Trails, name: str, attributes: list[str], begin: int) -> list[Trail]:
        """The trails that lead on from an element to this child of it."""
        following: list[Trail] = []
        for trail in trails:
            path, found = trail.path, trail.found
            trail.leaf = False
            if trail.step < len(path.steps):
                wanted = path.steps[trail.step]
                if wanted is None or wanted == name:
                    trail.hit = True
                    next_step = Trail(path, trail.step + 1, found, trail.rival, begin)
                    self._arrive(next_step, attributes, following)
                elif alike(name, wanted):
                    raise self._scan.ambiguous("an element that looks like a locator's")
            elif found is None or trail.rival:
                continue
            elif trail.text is not None:
                raise self._scan.ambiguous("an identifier with elements in it")
            elif len(path.attributes) == 1 and _same_local(name, path.attributes[0]):
                rival = Trail(_TEXT, 0, found.rival(), True, begin)
                self._arrive(rival, attributes, following)
        return following

    def leave(self, trails: Trails, end_tag: int) -> None:
        """The element that the trails are at ends."""
        for trail in trails:
            found = trail.found
            if found is None:
                if trail.step == len(trail.path.steps):
                    if not trail.path.attributes:
                        self._mask(trail, end_tag, trail.path)
                elif trail.step and trail.leaf and trail.filled:
                    self._mask(trail, end_tag, MISFIT)
                continue
            if trail.text is not None:
                self._take_text(trail, found)
            if not trail.hit:
                found.whole = False

    def text(self, trails: Trails, text: str) -> None:
        for trail in trails:
            if trail.found is None:
                trail.filled = trail.filled or bool(text.strip(_BLANK))
            elif trail.text is not None:
                if trail.closed:
                    raise self._scan.ambiguous("an identifier in pieces")
                trail.text.append(text)
                if len(trail.text) > _LONGEST:
                    trail.text = ["".join(trail.text)]
                    if len(trail.text[0]) > 2 * _LONGEST:
                        raise self._scan.ambiguous("an identifier that is too long")

    def comment(self, trails: Trails) -> None:
        """A comment stands in the element; some readers stop there."""
        if any(trail.text is not None and not trail.rival for trail in trails):
            raise self._scan.ambiguous("an identifier in pieces")

    def cdata(self, trails: Trails, opens: bool) -> None:
        """A CDATA section opens or closes; the whole text may stand in one."""
        for trail in trails:
            if trail.text is not None and not trail.rival:
                if opens and (trail.text or trail.closed):
                    raise self._scan.ambiguous("an identifier in pieces")
                trail.closed = not opens

    def _arrive(self, trail: Trail, attributes: list[str], following: list[Trail]) -> None:
        following.append(trail)
        path, found = trail.path, trail.found
        if trail.step < len(path.steps):
            last = path.steps[trail.step]
            if trail.step == len(path.steps) - 1 and found and last and not path.attributes:
                for name, value in _pairs(attributes):
                    if _same_local(name, last) and value:
                        self._add(found.rival(), value)
        elif path.attributes:
            self._take_attributes(trail, attributes)
        elif found is None:
            self._mask_attributes(trail, attributes)
        else:
            if dict(_pairs(attributes)).get(f"{XSI}nil") in ("true", "1") and not trail.rival:
                raise self._scan.ambiguous("an identifier that is nil")
            trail.text = []

    def _take_attributes(self, trail: Trail, attributes: list[str]) -> None:
        wanted, found = trail.path.attributes, trail.found
        given = dict(_pairs(attributes))
        for name in given:
            if name not in wanted and any(alike(name, each) for each in wanted):
                raise self._scan.ambiguous("an attribute that looks like a locator's")
        if found is None:
            places = self._values(trail, attributes)
            self._note((*value, trail.path) for name, value in places if name in wanted)
            return
        values = [given.get(name, "") for name in wanted]
        if all(values):
            if len(values) > 1 and any("^" in value for value in values):
                raise self._scan.ambiguous("an attribute with the sign that joins it")
            self._add(found, "^".join(values))
            trail.hit = True

    def _take_text(self, trail: Trail, found: Found) -> None:
        text = "".join(trail.text or ())
        if trail.rival and not text.strip(_BLANK):
            return
        if text:
            self._add(found, text)
            trail.hit = True

    def _add(self, found: Found, value: str) -> None:
        locators.identifier(value, "a locator")
        # Some readers trim.
        if value != value.strip():
            raise self._scan.ambiguous("an identifier with space around it")
        found.values[value] = None
        if len(found.values) > self._most:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more values than limits.subjects")

    def _mask_attributes(self, trail: Trail, attributes: list[str]) -> None:
        places = self._values(trail, attributes)
        self._note(
            (begin, end, None)
            for name, (begin, end) in places
            if begin < end and name not in _NEEDED
        )

    def _values(self, trail: Trail, attributes: list[str]) -> Iterator[tuple[str, Span]]:
        """The attributes of the element that a trail is at, and where their values stand."""
        for name, (_, value) in zip(
            attributes[::2], self._scan.attributes(trail.begin), strict=True
        ):
            yield name, value

    def _mask(self, trail: Trail, end_tag: int, path: Path) -> None:
        content, alone = self._scan.tag(trail.begin)
        if not alone:
            self._note([(content, end_tag, path)])

    def _note(self, places: Iterable[Masked]) -> None:
        self.masked += places
        if len(self.masked) > _MOST:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "a million masked values in one record")


def _pairs(attributes: list[str]) -> Iterable[tuple[str, str]]:
    return zip(attributes[::2], attributes[1::2], strict=True)


def alike(name: str, wanted: str) -> bool:
    """Whether an element or attribute is another than the one wanted, and looks like it to a
    reader that doesn't know namespaces or case."""
    return name != wanted and _same_local(name, wanted)


def _same_local(name: str, other: str) -> bool:
    """Whether two expanded names have local parts that look the same."""
    return _compared(name, other) if len(name) <= _LONGEST else _compare(name, other)


def _compare(name: str, other: str) -> bool:
    return locators.alike(local(name), local(other))


_compared = lru_cache(maxsize=4096)(_compare)
"""Long names are never remembered."""
