"""What an XML document is made of, as far as anybody may receive it: units, in document order.

A unit is a record, or anything else that is not the mere markup around the records; `formats.xml`
says what counts as what. Here are the bounds of each unit, and whose it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.source import Source
from gateway.inspection.tally import Owners
from gateway.inspection.xmlpaths import Follower, Found, Masked, Span, Trail, alike
from gateway.inspection.xmlplan import Plan
from gateway.inspection.xmlscan import XSI, Scan
from gateway.inspection.xpath import Path, local
from gateway.model import Attribution

_BLANK = " \t\r\n"
_SCHEMA, _SCHEMA_OF_NONE = f"{XSI}schemaLocation", f"{XSI}noNamespaceSchemaLocation"


@dataclass(frozen=True, slots=True)
class Unit:
    """The bytes from `begin` to `end`, that stay or go together.

    `counts` unless it is a piece of one already counted. `cuts` are all of it that goes where only
    that can go. `masked` are the places of masked values in it. `root` where it is the whole
    document. `found` is what each locator found for a record, and empty for anything else.
    """

    begin: int
    end: int
    owners: Owners = ()
    attribution: Attribution = Attribution.NONE
    counts: bool = True
    cuts: tuple[Span, ...] = ()
    masked: tuple[Masked, ...] = ()
    root: bool = False
    found: tuple[Found, ...] = ()


class Walk:
    """One walk through a document.

    `units` yields those of each block; `take` then hands out the text, from where it last ended.
    """

    def __init__(self, source: Source, plan: Plan, limits: Limits, doctype: bool) -> None:
        self._plan, self._limits = plan, limits
        self._scan = Scan(source, limits, doctype)
        self._follower = Follower(self._scan, limits.subjects)
        self._levels: list[_Level] = []
        self._open: _Open | None = None
        self._run: tuple[int, bool] | None = None
        self._units: list[Unit] = []
        self._at = self._taken = 0
        self._attributes: set[str] = set()
        self._children: set[str] = set()

    def units(self) -> Iterator[list[Unit]]:
        """Raises BadUpstream; see `xmlscan.Scan`."""
        for _ in self._scan.run(self):
            units, self._units = self._units, []
            yield units
            self._scan.forget(self._at if self.needed is None else self.needed)

    def fields(self) -> set[str]:
        """The names of the fields of records, since it was last asked for."""
        named = {f"@{local(name)}" for name in self._attributes} | set(map(local, self._children))
        self._attributes.clear()
        self._children.clear()
        return named

    def take(self, end: int) -> bytes:
        """The text from where the last one taken ended."""
        begin, self._taken = self._taken, max(self._taken, end)
        return self._scan.raw(begin, end)

    def rest(self) -> bytes:
        """All text that no unit still to come needs."""
        return self.take(self._at if self.needed is None else self.needed)

    def last(self) -> bytes:
        """All text that is left, at the end."""
        return self.take(self._scan.size)

    # --- what the scan tells ----------------------------------------------------------------------

    @property
    def needed(self) -> int | None:
        if self._open:
            return self._open.begin
        return self._run[0] if self._run else None

    def start(self, name: str, attributes: list[str], begin: int) -> None:
        self._at = begin
        if self._open:
            self._start_inside(self._open, name, attributes, begin)
            return
        self._end_run(begin)
        depth = len(self._levels) + 1
        wanted = self._plan.records[depth - 1]
        if self._scan.hinting:
            _check_hints(attributes, depth, self._plan.uris)
        if wanted is not None and wanted != name:
            if depth == 1 or alike(name, wanted):
                raise self._scan.ambiguous("the locator of the records doesn't fit the document")
            self._open = self._start_beside(name, attributes, begin)
        elif depth == self._plan.depth:
            self._open = self._start_record(name, attributes, begin)
        else:
            self._start_above(attributes, begin, depth)

    def end(self, begin: int) -> None:
        self._at = begin
        if self._open is None:
            self._end_run(begin)
            self._levels.pop()
            return
        self._follower.leave(self._open.trails.pop(), begin)
        if not self._open.trails:
            self._close(self._open, self._scan.element_end(self._open.begin, begin))
            self._open = None

    def text(self, text: str, begin: int) -> None:
        self._at = begin
        if self._open:
            if self._open.trails[-1]:
                self._follower.text(self._open.trails[-1], text)
        else:
            start, filled = self._run or (begin, False)
            self._run = (start, filled or bool(text.strip(_BLANK)))

    def cdata(self, begin: int, opens: bool) -> None:
        self._at = begin
        if self._open:
            self._follower.cdata(self._open.trails[-1], opens)
        elif self._run is None:
            self._run = (begin, False)

    def comment(self, begin: int, end: int) -> None:
        self._at = begin
        if self._open:
            self._follower.comment(self._open.trails[-1])
            return
        self._end_run(begin)
        self._units.append(Unit(begin, end))

    def doctype(self, begin: int, end: int) -> None:
        self._units.append(Unit(begin, end))

    # --- elements ---------------------------------------------------------------------------------

    def _start_record(self, name: str, attributes: list[str], begin: int) -> "_Open":
        found = [Found() for _ in self._plan.paths]
        opened = _Open(begin, name, found, True)
        own = [
            (path, each)
            for path, each in zip(self._plan.paths, found, strict=True)
            if not path.climbs
        ]
        masked = [(path, None) for path in self._plan.masks]
        opened.trails.append(self._follower.begin([*own, *masked], attributes, begin))
        self._attributes.update(attributes[::2])
        for level in self._levels:
            level.below = True
        return opened

    def _start_beside(self, name: str, attributes: list[str], begin: int) -> "_Open":
        """Something else where the records stand, or on the way to them."""
        level = self._levels[-1]
        opened = _Open(begin, name, [Found() for _ in level.paths], False)
        paths = zip((path for _, path in level.paths), opened.found, strict=True)
        trails = [Trail(path, 0, found, False, begin) for path, found in paths if path.steps]
        opened.trails.append(self._follower.descend(trails, name, attributes, begin))
        return opened

    def _start_above(self, attributes: list[str], begin: int, depth: int) -> None:
        """An element above the records: its attributes may name an owner, or be a stray."""
        level = _Level(self._plan.climbing(depth))
        self._levels.append(level)
        here = [(path, level.found[place]) for place, path in level.paths if not path.steps]
        self._follower.leave(self._follower.begin(here, attributes, begin), begin)
        owners = self._plan.named(level.found)
        if owners or (depth > 1 and attributes):
            end, _ = self._scan.tag(begin)
            cuts = tuple(span for span, _ in self._scan.attributes(begin))
            self._units.append(Unit(begin, end, owners, _attribution(owners), cuts=cuts))

    def _start_inside(self, opened: "_Open", name: str, attributes: list[str], begin: int) -> None:
        trails = opened.trails[-1]
        depth = len(opened.trails)
        following = self._follower.descend(trails, name, attributes, begin) if trails else []
        if self._scan.hinting:
            _check_hints(attributes, 0, self._plan.uris)
        if opened.record:
            if depth == 1:
                self._children.add(name)
            if name == opened.name:
                nested = [
                    (path, each.rival())
                    for path, each in zip(self._plan.paths, opened.found, strict=True)
                    if not path.climbs
                ]
                masked = [(path, None) for path in self._plan.masks]
                inner = [*nested, *masked]
                following += self._follower.begin(inner, attributes, begin, rival=True)
        opened.trails.append(following)

    def _close(self, opened: "_Open", end: int) -> None:
        if end - opened.begin > self._limits.record:
            raise self._scan.too_large(opened.begin)
        for each in opened.found:
            each.check()
        if opened.record:
            self._units.append(self._record(opened, end))
            return
        level, named = self._levels[-1], {}
        for (place, _), found in zip(level.paths, opened.found, strict=True):
            named[place] = found
            if found.values and level.below:
                raise self._scan.ambiguous("an owner is named behind records that it owns")
            level.found[place].merge(found)
        owners = self._plan.named(named)
        self._units.append(Unit(opened.begin, end, owners, _attribution(owners)))

    def _record(self, opened: "_Open", end: int) -> Unit:
        found = list(opened.found)
        for level in self._levels:
            for place, each in level.found.items():
                found[place] = each
        masked, self._follower.masked = tuple(self._follower.masked), []
        return Unit(
            opened.begin,
            end,
            self._plan.owners(found),
            self._plan.attribution,
            masked=masked,
            root=not self._levels,
            found=tuple(found),
        )

    def _end_run(self, end: int) -> None:
        """A run of text above the records ends. All of an element's own text is one stray, in
        however many pieces, since what goes from between them makes them one."""
        if self._run is None:
            return
        begin, filled = self._run
        self._run = None
        if end - begin > self._limits.record:
            raise self._scan.too_large(begin)
        if filled:
            level = self._levels[-1]
            self._units.append(Unit(begin, end, counts=not level.text))
            level.text = True


class _Level:
    """An open element above the records: `paths` are the locators that come down from it, with
    their numbers, and `found` what they found so far; `below` where there were records since."""

    __slots__ = ("below", "found", "paths", "text")

    def __init__(self, paths: list[tuple[int, Path]]) -> None:
        self.paths = paths
        self.found = {place: Found() for place, _ in paths}
        self.below = self.text = False


class _Open:
    """The outermost open element of a unit, and the trails at each element open in it."""

    __slots__ = ("begin", "found", "name", "record", "trails")

    def __init__(self, begin: int, name: str, found: list[Found], record: bool) -> None:
        self.begin, self.name, self.found, self.record = begin, name, found, record
        self.trails: list[list[Trail]] = []


def _attribution(owners: Owners) -> Attribution:
    return Attribution.DIRECT if owners else Attribution.NONE


def _check_hints(attributes: list[str], depth: int, known: frozenset[str]) -> None:
    """Where a schema may be had stands at the root, and only for configured namespaces: a reader
    that validates fetches it."""
    for name, value in zip(attributes[::2], attributes[1::2], strict=True):
        if name == _SCHEMA and depth == 1 and known.issuperset(value.split()[::2]):
            continue
        if name in (_SCHEMA, _SCHEMA_OF_NONE):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a schema to be fetched")
