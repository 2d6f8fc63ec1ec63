"""The keys of the configuration, read off the settings classes: what may stand where.

One tree serves the suggestions, the environment variables, the paths and the reference manual, so
that a new setting needs its dataclass field and nothing else.
"""

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from gateway.config.settings import Config
from gateway.constraints import Before, Shown
from gateway.quantities import parse_duration, parse_size, spell_duration, spell_size

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top: `("endpoints", 0, "body")`."""


class Unit(Enum):
    """What a number counts."""

    NONE = ""
    BYTES = "B"
    SECONDS = "s"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value; `annotation` as declared, `kind` without its annotations."""

    annotation: Any
    kind: Any
    unit: Unit


@dataclass(frozen=True, slots=True)
class Items:
    """A list. `annotation` as declared: it may also be written as its only item."""

    annotation: Any
    each: "Shape"


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping whose keys the writer chooses."""

    each: "Shape"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section. `default` is meaningless where it is required."""

    shape: "Shape"
    required: bool
    default: Any


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping with fixed keys: one settings class."""

    settings: type
    keys: Mapping[str, Key]


Shape = Section | Named | Items | Leaf


@cache
def section(settings: type) -> Section:
    """The keys of a settings dataclass, in the order of its fields."""
    hints = get_type_hints(settings, include_extras=True)
    keys: dict[str, Key] = {}
    for field in dataclasses.fields(settings):
        required = field.default is field.default_factory is dataclasses.MISSING
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        keys[field.name] = Key(_shape(hints[field.name]), required, default)
    return Section(settings, keys)


def at(shape: Shape | None, path: KeyPath) -> Shape | None:
    """What may stand at a path below `shape`; None where the settings don't say."""
    for part in path:
        match shape:
            case Section(keys=keys):
                shape = keys[part].shape if isinstance(part, str) and part in keys else None
            case Named(each=each) if isinstance(part, str):
                shape = each
            case Items(each=each) if isinstance(part, int):
                shape = each
            # A list may be written as its only item.
            case Items(each=Named() as each):
                shape = at(each, (part,))
            case _:
                return None
    return shape


def spell(path: KeyPath) -> str:
    """`("endpoints", 0, "body")` → `"endpoints[0].body"`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "").replace("-", "").isalnum():
            text += f".{part}" if text else part
        else:
            text += f"[{part[:64]!r}]"
    return text


def plain(annotation: Any) -> Any:
    """A type without its annotations, and without the None it may also be."""
    if get_origin(annotation) is Annotated:
        return plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        others = [each for each in get_args(annotation) if each is not type(None)]
        if len(others) == 1:
            return plain(others[0])
    return annotation


def _shape(annotation: Any) -> Shape:
    kind = plain(annotation)
    arguments = get_args(kind)
    # What brings a JSON Schema of its own is written otherwise than it is kept, as one value.
    is_own = any(isinstance(note, Shown) for note in _notes(annotation))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and not is_own:
        return section(kind)
    if get_origin(kind) is tuple and arguments[1:] == (Ellipsis,):
        return Items(annotation, _shape(arguments[0]))
    if get_origin(kind) is Mapping:
        return Named(_shape(arguments[1]))
    return Leaf(annotation, kind, _unit(annotation))


def _unit(annotation: Any) -> Unit:
    """The unit of a `Size` or `Duration`, whatever else is declared around it."""
    if get_origin(annotation) in (Union, types.UnionType):
        units = {_unit(each) for each in get_args(annotation)} - {Unit.NONE}
        return units.pop() if units else Unit.NONE
    for note in _notes(annotation):
        if isinstance(note, Before):
            if note.check is parse_size:
                return Unit.BYTES
            if note.check is parse_duration:
                return Unit.SECONDS
    return Unit.NONE


def _notes(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__metadata__", ())


def spell_default(key: Key) -> Any:
    """A key's default as it is written in the file: text, a number, a boolean, a list or None."""
    unit = key.shape.unit if isinstance(key.shape, Leaf) else Unit.NONE
    match unit, key.default:
        case _, None:
            return None
        case Unit.BYTES, size:
            return spell_size(size)
        case Unit.SECONDS, seconds:
            return spell_duration(seconds)
        case _, bool() | int() | float() as simple if type(simple) in (bool, int, float):
            return simple
        case _, tuple() | Mapping() as several:
            return [str(each) for each in several]
        case _, value:
            return str(value)


def is_path(shape: Shape | None) -> bool:
    """Whether the value names a file or a folder."""
    return isinstance(shape, Leaf) and shape.kind is Path


def is_location(shape: Shape | None) -> bool:
    """Whether the value is a path or a URL (`locations.Location`)."""
    return isinstance(shape, Leaf) and shape.kind == Path | str


KEYS: Section = section(Config)
"""Every key there is."""
