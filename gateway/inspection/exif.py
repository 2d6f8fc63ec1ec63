"""EXIF: the texts of an image's first directory (CIPA DC-008, TIFF 6.0 section 2).

A header says the order of bytes and where the first directory stands; an entry of a directory is a
tag, a type, a count and a value, or where that stands. Pillow and others keep the last of two
entries for one tag, others the first: a directory with a tag twice is refused. So is a text that
isn't ASCII, which readers decode as they like, and one with more behind its end.
"""

import struct
from collections.abc import Iterable, Iterator

from gateway.errors import BadUpstream, Code

TAGS = {
    "DocumentName": 0x010D,
    "ImageDescription": 0x010E,
    "Artist": 0x013B,
    "HostComputer": 0x013C,
    "Copyright": 0x8298,
}
"""Those that hold a text, and of whom or what it is."""

_ASCII = 2
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def read(data: bytes, names: Iterable[str]) -> dict[str, list[str]]:
    """The texts in a TIFF structure, by their names; of no data none."""
    if not data:
        return {}
    order = _ORDERS.get(data[:4])
    if order is None:
        raise _malformed()
    entries: dict[int, bytes] = {}
    for tag, value in _entries(data, order):
        if tag in entries:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a tag that stands twice in an EXIF")
        entries[tag] = value
    return {name: [_text(entries[TAGS[name]])] for name in names if TAGS[name] in entries}


def _entries(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """The tags of the first directory, those of our names with their values."""
    (at,) = _unpacked(order + "I", data, 4)
    (count,) = _unpacked(order + "H", data, at)
    for place in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, size = _unpacked(order + "HHI", data, place)
        if tag not in TAGS.values():
            yield tag, b""
            continue
        if kind != _ASCII:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "an EXIF text of another type")
        begin = place + 8 if size <= 4 else _unpacked(order + "I", data, place + 8)[0]
        if begin + size > len(data):
            raise _malformed()
        yield tag, data[begin : begin + size]


def _text(value: bytes) -> str:
    text, end = value[:-1], value[-1:]
    if end != b"\0" or b"\0" in text or not text.isascii():
        raise BadUpstream(Code.BODY_AMBIGUOUS, "an EXIF text that isn't one ASCII text")
    return text.decode("ascii")


def _unpacked(form: str, data: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, data, at)
    except struct.error:
        raise _malformed() from None


def _malformed() -> BadUpstream:
    return BadUpstream(Code.BODY_MALFORMED, "an EXIF with a fault in it")
