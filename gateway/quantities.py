"""Sizes and durations as people write them: `2GiB`, `64 KiB`, `30s`, `250ms`.

Sizes are in bytes (int), durations in seconds (float). A bare number is refused: a unit that one
has to guess is how a limit of two seconds becomes two milliseconds.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_SIZES = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"(?P<number>\d{1,15}(\.\d{1,9})?) ?(?P<unit>[A-Za-z]{1,3})", re.ASCII)


def parse_size(text: str) -> int:
    """`"64KiB"` → 65536. Raises ValueError, naming the units there are."""
    number, factor = _parse(text, _SIZES, "a size such as 64KiB")
    size = number * factor
    if size != int(size):
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(size)


def parse_duration(text: str) -> float:
    """`"250ms"` → 0.25. Raises ValueError, naming the units there are."""
    number, factor = _parse(text, _DURATIONS, "a duration such as 30s")
    return float(number * factor)


def _parse(text: Any, units: dict[str, Any], example: str) -> tuple[float, Any]:
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or match["unit"] not in units:
        raise ValueError(f"expected {example}; the units are {', '.join(units)}")
    return float(match["number"]), units[match["unit"]]


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": "string", "examples": ["64KiB", "2GiB"]}),
]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "examples": ["250ms", "30s"]}),
]
