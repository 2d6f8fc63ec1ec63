"""What an entry may hold as it is: text from the configuration, closed sets, times.

Operators' text is made encodable whatever it holds: an entry that can't be written would be an
exchange without a record.
"""

from datetime import UTC, datetime

_MAX_TEXT = 512
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def text(value: str) -> str:
    """Operators' text, bounded and encodable."""
    return whole(value[:_MAX_TEXT])


def whole(value: str) -> str:
    """A text of the configuration, not shortened: a policy may compare it."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def timestamp(at: datetime) -> str:
    """RFC 3339, UTC. Raises ValueError for a time without a zone."""
    if at.tzinfo is not UTC:
        if at.utcoffset() is None:
            raise ValueError("a time without a zone")
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def method(name: str | None) -> str | None:
    """A method that everybody knows, or `other`."""
    return name if name is None or name in _METHODS else "other"
