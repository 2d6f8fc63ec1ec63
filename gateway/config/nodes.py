"""YAML text → nodes that know their places. Strict, bounded, and YAML 1.2 only.

What two YAML readers may read differently is a fault: tags, merge keys, several documents, numbers
such as `010` (eight in YAML 1.1, ten in 1.2). `yes`, `no` and `on` are text, as YAML 1.2 says.
Built from the parser's events: no constructor runs, so that no tag can make one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

MAX_VALUES = 50_000
"""Values of a configuration, each alias counted as what it stands for."""

MAX_DEPTH = 24

Mark = tuple[int, int]
"""Line and column, from 1."""

Note = tuple[Mark, str]
"""What is wrong, and where."""


def compose(text: str) -> tuple["Node | None", list["Note"]]:
    """The only document of a text (None where it is empty), and what is wrong with it.

    Raises Stop where there is nothing to go on with.
    """
    odd = re.search("[\x85\u2028\u2029]", text)
    if odd:
        line = len(re.findall(r"\r\n|\r|\n", text[: odd.start()])) + 1
        raise Stop((line, 1), "a line end that YAML 1.1 has and YAML 1.2 has not; remove it")
    builder = _Builder(YAML(typ="safe", pure=True).parse(text))
    return builder.document(), builder.notes


def scalar(text: str) -> Any:
    """A plain (unquoted) scalar in YAML 1.2's core schema.

    Raises ValueError for a number that other readers take for another number, or for text.
    """
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if re.fullmatch(r"[-+]?(0|[1-9][0-9]{0,17})", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}", text, re.ASCII):
        return float(text)
    if re.fullmatch(r"[-+.]?[0-9][0-9_.]*([eE][-+]?[0-9]+)?|0[xob][0-9A-Fa-f_]+", text, re.ASCII):
        if text.count(".") > 1:
            return text
        raise ValueError("write the number in plain decimal digits, or put it in quotes")
    return text


class Stop(Exception):
    """The text ends to make sense here."""

    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.mark, self.message = mark, message


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value."""

    mark: Mark
    value: Any


@dataclass(frozen=True, slots=True)
class List:
    """A sequence."""

    mark: Mark
    items: list["Node"]


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping: keys, where they stand, and their values, in order and perhaps repeated."""

    mark: Mark
    items: list[tuple[str, Mark, "Node"]]


Node = Scalar | List | Map


class _Builder:
    """Makes nodes of events; an alias is the very node that its anchor names."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._left = MAX_VALUES
        self.notes: list[Note] = []

    def document(self) -> Node | None:
        """The only document of the text; None where the text is empty."""
        node: Node | None = None
        for event in iter(self._next, None):
            match event:
                case DocumentStartEvent() if node is not None:
                    raise Stop(_mark(event), "a second document; a configuration is one")
                case DocumentStartEvent(version=version) if version not in (None, (1, 2)):
                    raise Stop(_mark(event), "only YAML 1.2 is read; remove the %YAML line")
                case ScalarEvent() | SequenceStartEvent() | MappingStartEvent() | AliasEvent():
                    node = self._node(event, 0)
                case _:
                    pass
        return node

    def _next(self) -> Event | None:
        try:
            return next(self._events, None)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise Stop(_spot(mark), _syntax(error)) from None
        except (YAMLError, ValueError, OverflowError):  # an escape beyond Unicode is a ValueError
            raise Stop((1, 1), "a character that YAML or Unicode doesn't have") from None

    def _inside(self, end: type[Event]) -> Iterator[Event]:
        event = self._next()
        while event is not None and not isinstance(event, end):
            yield event
            event = self._next()

    def _node(self, event: Event, depth: int) -> Node:
        mark = _mark(event)
        self._left -= 1
        if self._left < 0:
            raise Stop(mark, f"more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise Stop(mark, "nested too deeply")
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise Stop(mark, "an alias of an anchor that isn't complete before it")
            return self._anchors[event.anchor]
        if not isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent):
            raise Stop(mark, "a value is missing")
        if event.tag is not None:
            self.notes.append((mark, "tags (!) are not read; remove it"))
        node = self._content(event, depth)
        if event.anchor is not None:
            if event.anchor in self._anchors:
                self.notes.append((mark, "an anchor's name used twice"))
            self._anchors[event.anchor] = node
        return node

    def _content(
        self, event: ScalarEvent | SequenceStartEvent | MappingStartEvent, depth: int
    ) -> Node:
        mark = _mark(event)
        match event:
            case SequenceStartEvent():
                items = [self._node(each, depth + 1) for each in self._inside(SequenceEndEvent)]
                return List(mark, items)
            case MappingStartEvent():
                return self._mapping(mark, depth)
            case ScalarEvent(style=style, value=text):
                try:
                    text.encode()
                    return Scalar(mark, text if style else scalar(text))
                except UnicodeEncodeError:
                    self.notes.append((mark, "half a character (a surrogate)"))
                except ValueError as error:
                    self.notes.append((mark, str(error)))
                return Scalar(mark, text)

    def _mapping(self, mark: Mark, depth: int) -> Map:
        items: list[tuple[str, Mark, Node]] = []
        for event in self._inside(MappingEndEvent):
            key, where = self._node(event, depth + 1), _mark(event)
            following = self._next()
            if following is None:
                raise Stop(where, "the key has no value")
            value = self._node(following, depth + 1)
            is_plain = isinstance(event, ScalarEvent) and event.style is None
            if not isinstance(key, Scalar) or not isinstance(key.value, str):
                self.notes.append((where, "a key must be text; put it in quotes"))
            elif key.value == "<<" and is_plain:
                message = "merge keys (<<) are not part of YAML 1.2; write the keys out"
                self.notes.append((where, message))
            else:
                items.append((key.value, where, value))
        return Map(mark, items)


def _mark(event: Event) -> Mark:
    return _spot(event.start_mark)


def _spot(mark: StringMark | None) -> Mark:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


_SYNTAX = (
    ("mapping values are not allowed", "a colon where none may stand: indent, or use quotes"),
    ("found character '\\t'", "a tab; indent with spaces"),
    ("that cannot start any token", "a value can't start with this character: put it in quotes"),
    ("expected <block end>", "the indentation doesn't fit the lines before"),
    ("could not find expected ':'", "a key without a colon"),
    ("unexpected end of stream", "a quote that is never closed"),
    ("expected ',' or ']'", "a comma or ] is missing"),
    ("expected ',' or '}'", "a comma or } is missing"),
    ("unknown escape character", "an unknown escape; use single quotes for a plain backslash"),
    ("alphabetic or numeric character", "a name must follow & or *; put other text in quotes"),
)


def _syntax(error: MarkedYAMLError) -> str:
    problem = str(error.problem or "")
    for part, plain in _SYNTAX:
        if part in problem:
            return plain
    return "this is not YAML"
