"""Numbers as Grafana writes them, for the units that the screen uses."""

import math
from datetime import UTC, datetime

_SMALL = ((1e-6, "µ"), (1e-3, "m"), (1.0, ""))
_BIG = ((1e3, "K"), (1e6, "Mil"), (1e9, "Bil"))
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
_TAILS = {"cps": " c/s", "cpm": " c/m", "reqps": " req/s"}


def written(value: float, unit: str) -> str:
    """`0.0123`, "s" → "12.3 ms". Raises ValueError for a unit that is not known here."""
    if math.isnan(value):
        return "–"
    match unit:
        case "short" | "none":
            return _short(value)
        case "cps" | "cpm" | "reqps":
            return _short(value) + _TAILS[unit]
        case "s":
            return _seconds(value)
        case "bytes":
            return _bytes(value)
        case "Bps":
            return _bytes(value) + "/s"
        case "percentunit":
            return f"{_digits(round(value * 100, 1))}%"
        case "dateTimeAsIso":
            return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        case _:
            raise ValueError(unit)


def _digits(value: float) -> str:
    """Three that count, and no noughts behind the point."""
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _short(value: float) -> str:
    for size, name in reversed(_BIG):
        if abs(value) >= size:
            return f"{_digits(value / size)} {name}"
    return _digits(value)


def _seconds(value: float) -> str:
    if abs(value) >= 60:
        return f"{_digits(value / 60)} min"
    for size, name in reversed(_SMALL):
        if abs(value) >= size:
            return f"{_digits(value / size)} {name}s"
    return "0 s"


def _bytes(value: float) -> str:
    power = min(int(math.log2(abs(value)) // 10), len(_BYTES) - 1) if abs(value) >= 1 else 0
    return f"{_digits(value / 1024**power)} {_BYTES[power]}"
