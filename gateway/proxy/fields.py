"""Field lines, read strictly and spelled safely (RFC 9110 section 5, RFC 9112 section 6).

What a peer sent is looked at as raw bytes: a parser that has already folded, joined or decoded
them has already chosen between two readings.
"""

import re
import string
from collections.abc import Iterable, Mapping, Sequence

RawHeaders = Sequence[tuple[bytes, bytes]]
"""Field lines, in order, with the whitespace around the values removed."""

_DIGITS = re.compile(rb"[0-9]{1,18}")
_TOKEN = b"!#$%&'*+-.^_`|~" + (string.digits + string.ascii_letters).encode("ascii")
_ASCII = bytes([0x09, *range(0x20, 0x7F)])
_FREE_OF_CONTROLS = _ASCII + bytes(range(0x80, 0x100))
"""The bytes that a name, a value read by everyone alike, and a value at all may hold."""
_UNSPEAKABLE = "a head holds a character that can't be sent"


def are_named(headers: RawHeaders) -> bool:
    """Whether every name is a token (RFC 9110 section 5.6.2)."""
    names = [name for name, _ in headers]
    return all(names) and not b"".join(names).translate(None, _TOKEN)


def are_free_of_controls(headers: RawHeaders) -> bool:
    """Whether no value holds a control character other than HTAB."""
    return not b"".join([value for _, value in headers]).translate(None, _FREE_OF_CONTROLS)


def are_ascii(headers: RawHeaders) -> bool:
    """Whether all values are visible ASCII, spaces and tabs: what everyone reads alike."""
    return not b"".join([value for _, value in headers]).translate(None, _ASCII)


def are_within(headers: RawHeaders, *, line: int, lines: int, head: int) -> bool:
    """Whether there are at most `lines` of them, none has more than `line` bytes of name and value,
    and all together take at most `head` bytes on the wire."""
    sizes = [len(name) + len(value) for name, value in headers]
    if not sizes:
        return True
    return len(sizes) <= lines and max(sizes) <= line and sum(sizes) + 4 * len(sizes) <= head


def gather(headers: RawHeaders) -> dict[bytes, list[bytes]]:
    """Lower-case name → its values, in order."""
    gathered: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        gathered.setdefault(name.lower(), []).append(value)
    return gathered


def members(values: Iterable[bytes]) -> list[bytes]:
    """The elements of a comma-separated list over all its lines; an empty element stays empty."""
    return [element.strip(b" \t") for value in values for element in value.split(b",")]


def content_length(values: Sequence[bytes]) -> int | None:
    """The one Content-Length, if any. Raises ValueError for anything but one run of digits.

    Eighteen digits are more than any disk holds; 2^64 - 1, which llhttp uses to say "none", and
    whatever overflows are beyond them.
    """
    if not values:
        return None
    if len(values) > 1 or _DIGITS.fullmatch(values[0]) is None:
        raise ValueError("content-length")
    return int(values[0])


def is_chunked(values: Sequence[bytes]) -> bool:
    """Whether the one transfer coding is `chunked`. Raises ValueError for any other coding."""
    if not values:
        return False
    if len(values) > 1 or values[0].lower() != b"chunked":
        raise ValueError("transfer-encoding")
    return True


def spell(start_line: str, headers: Mapping[str, str]) -> bytes:
    """A message head. Raises ValueError rather than let a value start a line of its own."""
    lines = [start_line, *[f"{name}: {value}" for name, value in headers.items()], "\r\n"]
    try:
        head = "\r\n".join(lines).encode("ascii")
    except UnicodeEncodeError:
        raise ValueError(_UNSPEAKABLE) from None
    # Nothing but the ends of the lines is beside what can be read alike by everyone.
    if head.translate(None, _ASCII) != b"\r\n" * len(lines):
        raise ValueError(_UNSPEAKABLE)
    return head
