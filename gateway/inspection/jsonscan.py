"""One reading of a JSON document, piece by piece, in bounded memory.

The pieces, put together again with the commas between items, are the document byte for byte. So
inspection counts pieces, and redaction leaves some out.

Records are read in batches. Where a batch ends is guessed (before something that looks like the
next record) and then proven: a JSON parser has one way to read a text, so if `[` + batch + `]` is
valid and a comma follows, that comma stands between two elements of the array and nowhere else.
A wrong guess costs time only.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsontext
from gateway.inspection.jsonguide import SHORTEST, TRIES, Guide
from gateway.inspection.jsonlineage import found_above
from gateway.inspection.jsonmatcher import Matched, Matcher
from gateway.inspection.jsonplan import Also, Each, Envelope, Leaf, Plan
from gateway.inspection.jsonreader import Text
from gateway.inspection.jsontext import Container, malformed, too_deep
from gateway.inspection.notice import is_in_json
from gateway.inspection.settings import Limits
from gateway.inspection.source import Source


class Mark(Enum):
    """What a piece of structure does."""

    OPEN = "open"  # opens a container
    ENTER = "enter"  # begins an item that is itself read piece by piece
    NAMED = "named"  # likewise, in a map: its name may tell of someone
    LEFT = "left"  # ends what NAMED began
    CLOSE = "close"
    SPACE = "space"


class Role(Enum):
    """What items are."""

    RECORD = "record"
    OWNER = "owner"  # data above the records that names whose they are: a record of theirs
    STRAY = "stray"  # data in the envelope that no locator names: counted, and has no owner
    SCALAR = "scalar"  # a number, text or emptiness in the envelope
    TOTAL = "total"
    NOTICE = "notice"  # that something was left out before


@dataclass(frozen=True, slots=True)
class Structure:
    """Text that stays."""

    mark: Mark
    text: bytes


@dataclass(frozen=True, slots=True)
class Items:
    """Items of one container: their text with the commas between them, and their values.

    `fixed` where it is the one record that a locator without a final wildcard names: nothing
    sensible remains without it. `names` are those of records in a map. `above` is what was
    found above the records, by place (see `jsonlineage`): of an owner what it is itself. `number`
    is that of the set of records. What was `matched` has no values.
    """

    role: Role
    text: bytes
    container: Container
    values: Sequence[Any]
    fixed: bool = False
    names: Sequence[str] | None = None
    above: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    matched: Matched | None = None


Piece = Structure | Items


def scan(
    source: Source, plan: Plan, limits: Limits, matcher: Matcher | None = None
) -> Iterator[Piece]:
    """Read a document to its end; the `matcher` is for the records in its arrays.

    Raises BadUpstream, for the causes that `jsontext.parse` names.
    BODY_AMBIGUOUS also where the locators don't fit the document, BODY_TOO_LARGE where one record
    or other item is longer than limits.record.
    """
    text = Text(source, limits)
    mark = len(jsontext.BOM)
    if text.hold(mark) and text.slice(mark) == jsontext.BOM:
        yield Structure(Mark.SPACE, text.take(mark))
    if not isinstance(plan, Each | Envelope):
        held = text.hold(limits.record + 1)
        if held > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "one record longer than limits.record")
        whole = text.take(held)
        values = [jsontext.parse(whole, limits.depth)]
        yield Items(Role.RECORD, whole, Container.ARRAY, values, fixed=True)
    else:
        yield from _Walk(text, limits, matcher).value(plan, 1)
        for space in text.rest():
            yield Structure(Mark.SPACE, space)


_Batch = tuple[bytes, Any, bytes]
"""Items, the list or dict they make or what was matched, and what closes their container if they
are the last."""

_FREE = 64 * 1024
"""Bytes of names that any object may have."""


class _Names:
    """The member names of one object, held to find duplicates: no more than a record's bytes."""

    def __init__(self, limits: Limits) -> None:
        self._names: set[str] = set()
        self._room = limits.record + _FREE

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, names: Collection[str]) -> None:
        if not self._names.isdisjoint(names):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a duplicate name in the envelope")
        self._names.update(names)
        self._room -= sum(map(len, names)) + 64 * len(names)
        if self._room < 0:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more member names than limits.record holds")


class _Walk:
    """The way through the envelope. `depth` counts a container and those it stands in."""

    def __init__(self, text: Text, limits: Limits, matcher: Matcher | None) -> None:
        self._text, self._limits, self._matcher = text, limits, matcher
        self._guide = Guide(text.window)
        self._above: Mapping[str, Any] = {}
        self._records_seen = 0

    def value(self, plan: Each | Envelope, depth: int) -> Iterator[Piece]:
        if depth > self._limits.depth:
            raise too_deep()
        match plan:
            case Envelope():
                return self._envelope(plan, depth)
            case Each(container, Leaf() | Also() as leaf):
                return self._records(container, depth, _number(leaf))
            case Each(_, Each() | Envelope() as child):
                return self._each(plan, child, depth)
        raise AssertionError(plan)

    def _envelope(self, plan: Envelope, depth: int) -> Iterator[Piece]:
        yield self._open(Container.OBJECT)
        names, closing = _Names(self._limits), self._empty(Container.OBJECT)
        outside, before = self._above, self._records_seen
        while not closing:
            length, name = self._text.name()
            names.add((name,))
            child = plan.child(name)
            # The first records must be there. What else isn't where it may be is no such thing.
            if isinstance(child, Each | Envelope) and (
                name == plan.required or self._text.byte(length) == _opener(child)
            ):
                yield Structure(Mark.ENTER, self._text.take(length))
                yield from self.value(child, depth + 1)
                space, closing = self._take(self._text.space(), Container.OBJECT)
                yield Structure(Mark.SPACE, space)
            else:
                offset, end = self._text.offset, self._text.item_end(0, self._limits.depth - depth)
                item, closing = self._take(end, Container.OBJECT)
                (value,) = self._parse(item, Container.OBJECT, depth, offset).values()
                if name == plan.notice:
                    if not is_in_json(value):
                        raise _ambiguous("something else has the notice's name", offset)
                    yield Items(Role.NOTICE, item, Container.OBJECT, (value,))
                    continue
                if found := found_above(value, plan.above.get(name, ())):
                    if self._records_seen > before:
                        raise _ambiguous("an owner is named behind records that it owns", offset)
                    self._above = {**self._above, **found}
                    yield Items(Role.OWNER, item, Container.OBJECT, (value,), above=found)
                    continue
                role = _role(value, child, plan)
                fixed = role is Role.RECORD and not isinstance(child, Also)
                self._records_seen += role is Role.RECORD
                yield Items(
                    role,
                    item,
                    Container.OBJECT,
                    (value,),
                    fixed=fixed,
                    above=self._above,
                    number=_number(child),
                )
        self._above = outside
        if plan.required is not None and plan.required not in names:
            raise _misfit(self._text.offset)
        yield Structure(Mark.CLOSE, closing)

    def _each(self, plan: Each, child: Each | Envelope, depth: int) -> Iterator[Piece]:
        container, outside = plan.container, self._above
        yield self._open(container)
        names, closing = _Names(self._limits), self._empty(container)
        while not closing:
            if container is Container.OBJECT:
                length, name = self._text.name()
                names.add((name,))
                own = dict.fromkeys(plan.names, name)
                self._above = {**outside, **own}
                yield Structure(Mark.NAMED, self._text.take(length))
                yield from _never_hollow(self.value(child, depth + 1), own)
            else:
                yield Structure(Mark.ENTER, b"")
                yield from self.value(child, depth + 1)
            space, closing = self._take(self._text.space(), container)
            yield Structure(Mark.LEFT if container is Container.OBJECT else Mark.SPACE, space)
        self._above = outside
        yield Structure(Mark.CLOSE, closing)

    def _records(self, container: Container, depth: int, number: int) -> Iterator[Piece]:
        yield self._open(container)
        names, closing = _Names(self._limits), self._empty(container)
        while not closing:
            batch = self._guessed(container, depth) or self._exact(container, depth)
            items, values, closing = batch
            matched = values if isinstance(values, Matched) else None
            named = None
            if isinstance(values, dict):
                named = list(values)
                names.add(named)
                values = list(values.values())
            self._records_seen += len(matched.keys if matched else values)
            yield Items(
                Role.RECORD,
                items,
                container,
                () if matched else values,
                names=named,
                above=self._above,
                number=number,
                matched=matched,
            )
            if self._matcher and not matched and container is Container.ARRAY:
                self._matcher.learn(items, values)
        yield Structure(Mark.CLOSE, closing)

    def _guessed(self, container: Container, depth: int) -> _Batch | None:
        """Items up to a guessed comma, proven; None where no guess is right."""
        guide, offset = self._guide, self._text.offset
        guide.wrong = False
        if not guide.marker:
            return None
        size = guide.size = min(max(guide.size, SHORTEST), self._text.window)
        end = min(size, self._text.hold(size, 1))
        for attempt in range(TRIES):
            end = self._text.rfind(guide.marker, end)
            if end < 0:
                guide.wrong = attempt > 0
                guide.size = size // 2 if attempt else 2 * size
                return None
            items = self._text.slice(end + guide.comma)
            if attempt == 0 and self._matcher and container is Container.ARRAY:
                matched = self._matcher.match(items)
                if matched:
                    guide.size = 2 * size
                    self._text.take(len(items) + 1)
                    return items, matched, b""
            if guide.wary and not jsontext.plausible(items, container):
                continue
            try:
                values = self._parse(items, container, depth, offset)
            except BadUpstream:
                # Not refused yet: the same bytes are read again, up to commas that are certain.
                guide.wary = True
                continue
            guide.size = len(items) if attempt else 2 * size
            self._text.take(len(items) + 1)
            return items, values, b""
        guide.size, guide.wrong = size // 2, True
        return None

    def _exact(self, container: Container, depth: int) -> _Batch:
        """Two items to learn from; after a wrong guess, as many as were guessed. Where they are
        still coming, one that could not be guessed since its end wasn't there."""
        guide, text, levels = self._guide, self._text, self._limits.depth - depth
        offset, ends = text.offset, [text.item_end(0, levels)]
        most = guide.size if guide.wrong or not text.flowing else 0
        while text.byte(ends[-1]) == b"," and (ends[-1] < most if guide.marker else len(ends) < 2):
            end = text.item_end(ends[-1] + 1, levels, there=text.flowing)
            if end < 0:
                break
            ends.append(end)
        if len(ends) > 1:
            items = text.slice(ends[1])
            guide.learn(items[: ends[0]], items[ends[0] + 1 :])
        items, closing = self._take(ends[-1], container)
        return items, self._parse(items, container, depth, offset), closing

    def _parse(self, items: bytes, container: Container, depth: int, offset: int) -> Any:
        return jsontext.parse_items(items, container, self._limits.depth - depth, offset)

    def _open(self, container: Container) -> Structure:
        space = self._text.space()
        opener = self._text.byte(space)
        if opener == container.opener:
            return Structure(Mark.OPEN, self._text.take(space + 1))
        if opener and opener in b'[{"-0123456789tfn':
            raise _misfit(self._text.offset)
        raise malformed(self._text.offset)

    def _empty(self, container: Container) -> bytes:
        """What closes an empty container; nothing if it has items."""
        space = self._text.space()
        is_empty = self._text.byte(space) == container.closer
        return self._text.take(space + 1) if is_empty else b""

    def _take(self, size: int, container: Container) -> tuple[bytes, bytes]:
        """The next `size` bytes, and what closes the container if nothing more follows in it."""
        self._text.hold(size + 1)
        taken, stop = self._text.take(size), self._text.take(1)
        if stop == b",":
            return taken, b""
        if stop != container.closer:
            raise malformed(self._text.offset)
        item = taken.rstrip(jsontext.SPACE)
        return item, taken[len(item) :] + stop


def _never_hollow(pieces: Iterator[Piece], own: Mapping[str, Any]) -> Iterator[Piece]:
    """The pieces of a map's member, and one for its name if there is nothing else in it: a stray,
    or `own`, where the name is an owner's."""
    hollow = True
    for piece in pieces:
        hollow = hollow and not isinstance(piece, Items)
        yield piece
    if hollow:
        role = Role.OWNER if own else Role.STRAY
        yield Items(role, b"", Container.OBJECT, (None,), above=own)


def _number(plan: Plan | None) -> int:
    return plan.number if isinstance(plan, Also) else 0


def _opener(plan: Each | Envelope) -> bytes:
    return (plan.container if isinstance(plan, Each) else Container.OBJECT).opener


def _role(value: Any, plan: Plan | None, envelope: Envelope) -> Role:
    if plan is Leaf.RECORD or isinstance(plan, Also):
        return Role.RECORD
    if envelope.repeated or (value and isinstance(value, (dict, list))):
        return Role.STRAY
    return Role.TOTAL if plan is Leaf.TOTAL else Role.SCALAR


def _misfit(offset: int) -> BadUpstream:
    return _ambiguous("the locator of the records doesn't fit the body", offset)


def _ambiguous(what: str, offset: int) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, f"{what} at byte {offset}")
