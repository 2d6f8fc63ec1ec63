"""Everything that can be changed in the deployment's data: until when somebody may.

A grant that has expired is worth no more than one that was never given; that one is the control.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.workbench.mutate.mutants import Change, Kind, Where

_WORDS = ("expir", "until", "valid_to", "validto", "not_after", "notafter", "end_at", "revoked")
_BIRTHS = ("born", "birth")
_BEFORE = timedelta(days=1)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Expired:
    """The deployment's data with one grant that has expired; in `control` it was never given."""

    change: Change
    data: Mapping[str, Any]
    control: Mapping[str, Any]


def expired(data: Mapping[str, Any], at: datetime) -> Iterator[Expired]:
    """Each moment to come in the data, made one that is past; each end that is open, made one;
    each birth, made one of long ago, since what is granted for a child ends with its childhood."""
    for path, value in _leaves(data, ()):
        name = str(path[-1])
        born = _long_ago(name, value, at)
        end = born or past(name, value, at)
        if end is not None:
            change = Change(
                Kind.EXPIRY,
                Where("", "data." + ".".join(map(str, path))),
                "a century old" if born else "in the past",
                json.dumps(value),
                json.dumps(end),
            )
            # `{"subject": …, "expires_at": …}` is the grant; in `{"actor": "2030-…"}` the key is.
            grant = (path[:-1] if born or _is_end(name) else ()) or path
            yield Expired(change, _set(data, path, end), _removed(data, grant))


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    match value:
        case dict():
            for key, each in value.items():
                yield from _leaves(each, (*path, key))
        case list():
            for index, each in enumerate(value):
                yield from _leaves(each, (*path, index))
        case _ if path:
            yield path, value
        case _:
            return


def _is_end(name: str) -> bool:
    return any(word in name.lower() for word in _WORDS)


def _long_ago(name: str, value: Any, at: datetime) -> str | None:
    """A date of birth (RFC 3339 full-date) as one of a century ago."""
    named = any(word in name.lower() for word in _BIRTHS)
    if not named or not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    return f"{at.year - 100:04}-01-01"


def past(name: str, value: Any, at: datetime) -> str | int | None:
    """The value as one that is past, where it is a moment to come (RFC 3339, or seconds), or an
    end that is open."""
    if value is None and _is_end(name):
        return (at - _BEFORE).astimezone(UTC).isoformat().replace("+00:00", "Z")
    if type(value) is int and _is_end(name) and value > at.timestamp():
        return int((at - _BEFORE).timestamp())
    if not isinstance(value, str) or len(value) < len("2026-01-01T00:00:00Z"):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None or moment <= at:
        return None
    return (at - _BEFORE).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _set(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of the data with another value at the path."""
    if not path:
        return value
    step, *rest = path
    if isinstance(data, list):
        return [
            _set(each, tuple(rest), value) if index == step else each
            for index, each in enumerate(data)
        ]
    return {
        key: _set(each, tuple(rest), value) if key == step else each for key, each in data.items()
    }


def _removed(data: Any, path: tuple[str | int, ...]) -> Any:
    """A copy of the data without what stands at the path."""
    step, *rest = path
    items = enumerate(data) if isinstance(data, list) else data.items()
    left = [
        (key, _removed(each, tuple(rest)) if key == step else each)
        for key, each in items
        if rest or key != step
    ]
    return [each for _, each in left] if isinstance(data, list) else dict(left)
