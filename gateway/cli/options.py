"""Options of several commands: what their texts mean."""

from collections.abc import Sequence
from datetime import datetime


def pairs(given: Sequence[str] | None, option: str) -> dict[str, tuple[str, ...]]:
    """`["a=1", "a=2"]` → `{"a": ("1", "2")}`. Raises Unusable."""
    from gateway.workbench.unusable import Unusable

    found: dict[str, tuple[str, ...]] = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise Unusable(f"{option} {each!r}: expected NAME=VALUE")
        if option == "--param" and name in found:
            raise Unusable(f"--param {name}: given twice")
        found[name] = (*found.get(name, ()), value)
    return found


def moment(text: str | None) -> datetime | None:
    """A time with its zone. Raises Unusable."""
    from gateway.workbench.unusable import Unusable

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Unusable(f"--at {text!r}: expected a time with its zone, as 2026-06-01T12:00:00Z")
    return found
