"""Sizes and durations as people write them: `2GiB`, `64 KiB`, `30s`, `250ms`.

Sizes are in bytes (int), durations in seconds (float). A bare number is refused: a unit that one
has to guess is how a limit of two seconds becomes two milliseconds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_SIZES: Mapping[str, int | Fraction] = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_DURATIONS: Mapping[str, int | Fraction] = {
    "ms": Fraction(1, 1000),
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
}
_QUANTITY = re.compile(r"(?P<number>\d{1,15}(\.\d{1,9})?) ?(?P<unit>[A-Za-z]{1,3})", re.ASCII)


def parse_size(text: str) -> int:
    """`"64KiB"` → 65536. Raises ValueError, naming the units there are."""
    size = _parse(text, _SIZES, "a size such as 64KiB")
    if size.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(size)


def parse_duration(text: str) -> float:
    """`"250ms"` → 0.25. Raises ValueError, naming the units there are."""
    return float(_parse(text, _DURATIONS, "a duration such as 30s"))


def _parse(text: Any, units: Mapping[str, int | Fraction], example: str) -> Fraction:
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or match["unit"] not in units:
        raise ValueError(f"expected {example}; the units are {', '.join(units)}")
    return Fraction(match["number"]) * units[match["unit"]]


def spell_size(size: int) -> str:
    """65536 → `"64KiB"`: in the largest unit that leaves a whole number, binary ones first."""
    units = ("GiB", "MiB", "KiB", "GB", "MB", "kB", "B") if size else ("B",)
    return _spell(Fraction(size), units, _SIZES)


def spell_duration(seconds: float) -> str:
    """0.25 → `"250ms"`: in the largest unit that leaves a whole number. Exact to a millisecond."""
    milliseconds = Fraction(round(seconds * 1000), 1000)
    units = ("d", "h", "m", "s", "ms") if milliseconds else ("s",)
    return _spell(milliseconds, units, _DURATIONS)


def _spell(quantity: Fraction, units: Sequence[str], factors: Mapping[str, int | Fraction]) -> str:
    unit = next(unit for unit in units if (quantity / factors[unit]).denominator == 1)
    return f"{quantity / factors[unit]}{unit}"


def _pattern(units: Iterable[str]) -> str:
    return rf"^[0-9]{{1,15}}(\.[0-9]{{1,9}})? ?({'|'.join(units)})$"


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {"type": "string", "pattern": _pattern(_SIZES), "examples": ["64KiB", "2GiB"]},
    ),
]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {"type": "string", "pattern": _pattern(_DURATIONS), "examples": ["250ms", "30s"]},
    ),
]
