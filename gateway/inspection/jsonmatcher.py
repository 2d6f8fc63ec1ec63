"""Batches of JSON records that all look alike: matched, not parsed.

`jsonshape` makes a pattern of records that were read before. Where a batch is nothing but records
that it matches, one search finds the text of each, and the identifiers in it. What else strict JSON
asks is looked for in the whole batch: valid UTF-8, no control character in a string. Anything that
isn't as simple as that isn't decided here: the batch is parsed like any other. So nothing is read
that the parser would refuse, and nothing otherwise than by it; a test holds the two together.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gateway.errors import BadUpstream
from gateway.inspection.jsonshape import Layout, Lesson, Path, Shape, UnfitError, layout
from gateway.inspection.jsontext import SPACE, parse
from gateway.inspection.locators import Attributor
from gateway.inspection.settings import Limits
from gateway.inspection.tally import Owners

_PATIENCE = 256 * 1024
"""Bytes that are read before anything is learnt, and twice as many before it is learnt again: a
pattern costs as much as parsing some."""

_LESSONS, _LONGEST_PAUSE = 8, 64
"""How often a shape is learnt; and for how many batches at most none is tried, which are twice as
many after each in a row that was tried in vain."""

_LONGEST = 256 * 1024
"""Bytes of a batch that is matched."""

_MOST_KNOWN, _LONGEST_KNOWN = 16_384, 256
"""Keys whose owners are kept, and the bytes of one: an identifier may be spelt in many ways."""

_CONTROLS = bytes(range(0x20))

Key = bytes | tuple[bytes, ...]
"""What a record's owners follow from: the identifier in it as it is written, or several."""


class Matched(NamedTuple):
    """The records of a batch: the text and the key of each, and whose the records of a key are."""

    texts: Sequence[bytes]
    keys: Sequence[Key]
    owners: Callable[[Key], Owners]


class Matcher:
    """Learns what the records of one body look like, and matches batches of them.

    `between` parts two records. Only owners that names alone lead to are found.
    """

    def __init__(self, attributor: Attributor, between: bytes, limits: Limits) -> None:
        self._attributor, self._between = attributor, between
        self._longest = min(_LONGEST, limits.record)
        self._paths = attributor.paths
        self._shape = Shape()
        self._layout: Layout | None = None
        self._gap = b""
        self._order: Sequence[Path] = ()
        self._patterns: dict[bool, re.Pattern[bytes]] = {}
        self._known: dict[Key, Owners] = {}
        self._lessons = _LESSONS if self._paths else 0
        self._read, self._due = 0, _PATIENCE
        self._pause, self._next_pause = 0, 1
        self._attends = self._ready = False

    def match(self, text: bytes) -> Matched | None:
        """The records that `text` is; None where it has to be parsed."""
        self._read += len(text)
        self._attends = False
        if len(text) > self._longest:
            return None
        if self._pause:
            self._pause -= 1
        elif self._ready:
            matched = self._matched(text)
            if matched is not None:
                self._next_pause = 1
                return matched
            self._pause = self._next_pause
            self._next_pause = min(2 * self._next_pause, _LONGEST_PAUSE)
        self._attends = self._lessons > 0 and self._read >= self._due
        return None

    def learn(self, text: bytes, values: Sequence[Any]) -> None:
        """Learn from a batch that was not matched, if that is worth it. All of its records have
        been counted, so that there is nothing wrong with them."""
        if not self._attends:
            return
        self._lessons -= 1
        self._due = 2 * self._read
        record = text.lstrip(SPACE)
        self._gap = text[: len(text) - len(record)]
        self._layout = layout(record)
        lesson = Lesson()
        for value in values:
            if type(value) is dict and all(_is_found(value, path) for path in self._paths):
                try:
                    self._shape.learn(value, lesson)
                except UnfitError:
                    continue
        self._order, self._patterns = self._shape.order(self._paths), {}
        fits = self._shape.fits and all(map(self._shape.has, self._paths))
        self._ready = fits and self._layout is not None
        self._lessons = self._lessons if self._ready else 0
        self._pause, self._next_pause = 0, 1

    def _matched(self, text: bytes) -> Matched | None:
        # A flat list: of each record what stands before it, its groups, and what was not matched.
        parts = self._pattern(escapes=b"\\" in text).split(text + self._between)
        width = 3 + len(self._order)
        before, texts, *columns, left = (parts[place::width] for place in range(width))
        if any(before) or any(left) or not _is_clean(text, self._controls(len(texts))):
            return None
        keys = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        try:
            for key in set(keys).difference(self._known):
                if max(map(len, _tokens(key))) > _LONGEST_KNOWN:
                    return None
                self._known[key] = self._owners(key)
        except BadUpstream:
            return None
        return Matched(texts, keys, self._known.__getitem__)

    def _pattern(self, *, escapes: bool) -> re.Pattern[bytes]:
        """Its groups: a record, the identifiers in it, and what is left where no record is."""
        pattern = self._patterns.get(escapes)
        if pattern is None:
            assert self._layout is not None
            record = self._shape.pattern(self._layout, self._paths, escapes=escapes)
            between, gap = map(re.escape, (self._between, self._gap))
            text = rb"(%b%b)%b|((?s:.)++)" % (gap, record, between)
            pattern = self._patterns[escapes] = re.compile(text)
            re.purge()  # or the names of one body would be kept for all that come after
        return pattern

    def _controls(self, records: int) -> int:
        """How many control characters stand between so many records, and before the first."""
        return records * _count(self._gap) + (records - 1) * _count(self._between)

    def _owners(self, key: Key) -> Owners:
        """As of a record in which nothing else is: no other name looks like one of a locator."""
        record: dict[str, Any] = {}
        for path, token in zip(self._order, _tokens(key), strict=True):
            inside = record
            for name in path[:-1]:
                inside = inside.setdefault(name, {})
            inside[path[-1]] = parse(token, 1)
        return self._attributor.of(record)


def _tokens(key: Key) -> tuple[bytes, ...]:
    return (key,) if isinstance(key, bytes) else key


def _is_found(value: Any, path: Path) -> bool:
    for name in path:
        if type(value) is not dict or name not in value:
            return False
        value = value[name]
    return type(value) in (str, int)


def _is_clean(text: bytes, controls: int) -> bool:
    """Whether the text is UTF-8 and has no more control characters than that."""
    if _count(text) != controls:
        return False
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False


def _count(text: bytes) -> int:
    """How many control characters there are."""
    return len(text) - len(text.translate(None, _CONTROLS))
