"""Sizes, durations and instants as people write them: `2GiB`, `64 KiB`, `30s`, `2026-12-31`.

Sizes are in bytes (int), durations in seconds (float), instants in UTC. A bare number is refused: a
unit that one has to guess is how a limit of two seconds becomes two milliseconds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Annotated, Any

from gateway.constraints import Before, Shown

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


_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_INSTANT = (
    rf"{_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,6}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})"
)


def parse_instant(text: Any) -> datetime:
    """`"2026-12-31"` → the end of that day in UTC; `"2026-12-31T12:00:00+01:00"` → 11:00 UTC.

    RFC 3339 with its zone. Raises ValueError.
    """
    try:
        if isinstance(text, str) and re.fullmatch(_DATE, text):
            day = date.fromisoformat(text) + timedelta(days=1)
            return datetime.combine(day, time(), UTC)
        if isinstance(text, str) and re.fullmatch(_INSTANT, text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such day or time") from None
    raise ValueError(
        "expected a date such as 2026-12-31, or a time and its zone, as in 2026-12-31T12:00:00Z"
    )


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
    Before(parse_size),
    Shown(
        {"type": "string", "pattern": _pattern(_SIZES), "examples": ["64KiB", "2GiB"]},
    ),
]
Duration = Annotated[
    float,
    Before(parse_duration),
    Shown(
        {"type": "string", "pattern": _pattern(_DURATIONS), "examples": ["250ms", "30s"]},
    ),
]
Instant = Annotated[
    datetime,
    Before(parse_instant),
    Shown(
        {
            "type": "string",
            "pattern": f"^({_DATE}|{_INSTANT})$",
            "examples": ["2026-12-31", "2026-12-31T12:00:00Z"],
        },
    ),
]
