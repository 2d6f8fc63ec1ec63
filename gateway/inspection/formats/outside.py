"""Formats that other packages bring: found by their entry points, and held to the same row.

A package declares, in its `pyproject.toml`,

    [project.entry-points."privacy_gateway.formats"]
    "acme.fixed-width" = "acme_formats.fixed_width:READER"

and `body: {format: acme.fixed-width, ...}` is read by it. Its code runs where ours runs, and is
trusted as ours is: who installs it decides that. What it says is checked as for every format: all
bytes inspected, a rewritten body inspected again.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gateway.inspection.formats.reader import Reader
from gateway.inspection.settings import BodySpec, MemberSpec
from gateway.model import Format

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "privacy_gateway.formats"

_KEYS = {*BodySpec.__dataclass_fields__, *MemberSpec.__dataclass_fields__}


class OutsideFormatError(ValueError):
    """What an installed package calls a format is none, in words for its operator."""


class Table(dict[Format, Reader]):
    """The formats of ours, and behind them those of installed packages, loaded when asked for.

    Raises OutsideFormatError for one that is there and is no format. To go through the table shows
    those of ours.
    """

    def __missing__(self, form: Format) -> Reader:
        reader = _load(form.value)
        if reader is None:
            raise KeyError(form)
        return reader

    def get(self, form: Format, default: Any = None) -> Any:
        try:
            return self[form]
        except KeyError:
            return default


@lru_cache(maxsize=64)
def _load(name: str) -> Reader | None:
    if "." not in name:
        return None
    from importlib.metadata import entry_points  # mail, ZIP and more, which nobody else here needs

    match [*entry_points(group=GROUP, name=name)]:
        case []:
            return None
        case [entry]:
            return _checked(entry)
        case several:
            brought = ", ".join(sorted(_package(entry) for entry in several))
            raise OutsideFormatError(f"{name} is brought by several packages: {brought}")


def _checked(entry: "EntryPoint") -> Reader:
    what = f"{entry.name} of {_package(entry)}"
    try:
        reader = entry.load()
    except Exception as error:
        raise OutsideFormatError(f"{what} can't be loaded: {type(error).__name__}") from error
    if not isinstance(reader, Reader):
        raise OutsideFormatError(f"{what} is {type(reader).__name__}, not a Reader")
    if unknown := sorted(reader.settings - _KEYS):
        raise OutsideFormatError(f"{what} asks for settings that there are not: {unknown}")
    if not reader.media_types:
        raise OutsideFormatError(f"{what} has no media type")
    return reader


def _package(entry: "EntryPoint") -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
