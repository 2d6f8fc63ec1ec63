"""The end of a ZIP: its end record, and the zip64 record that overrides it.

APPNOTE 6.3.10 sections 4.3.14 to 4.3.16. Readers search for the end record in different ways, so
that there may be only one place where any of them finds it: the last 22 bytes.
"""

import struct

from gateway.errors import BadUpstream, Code
from gateway.inspection.source import Stored

__all__ = ["exactly", "find_directory"]

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_END_MARK = b"PK\x05\x06"
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF


def exactly(stored: Stored, length: int, offset: int) -> bytes:
    """`length` bytes at `offset`. Raises BadUpstream(BODY_MALFORMED) where there are fewer."""
    data = stored.pread(length, offset) if 0 <= offset <= stored.size else b""
    if len(data) != length:
        raise BadUpstream(Code.BODY_MALFORMED, "the archive refers to bytes behind its end")
    return data


def find_directory(stored: Stored) -> tuple[int, int, int]:
    """Number of members, offset and size of the central directory. Raises BadUpstream."""
    at = stored.size - _END.size
    if at < 0:
        raise BadUpstream(Code.BODY_MALFORMED, "too short for an archive")
    mark, disk, start_disk, here, count, size, start, comment = _END.unpack(
        exactly(stored, _END.size, at)
    )
    if mark != _END_MARK or comment:
        if _END_MARK in stored.pread(_END.size + _MAX16, max(0, at - _MAX16)):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a comment or other bytes behind the end record")
        raise BadUpstream(Code.BODY_MALFORMED, "the archive has no end record")
    _check_single_end(stored, at)
    end = at
    if at >= _LOCATOR64.size + _END64.size:
        mark, locator_disk, end64, disks = _LOCATOR64.unpack(
            exactly(stored, _LOCATOR64.size, at - _LOCATOR64.size)
        )
        if mark == b"PK\x06\x07":
            end = at - _LOCATOR64.size - _END64.size
            if (locator_disk, end64, disks) != (0, end, 1):
                raise BadUpstream(Code.BODY_AMBIGUOUS, "the zip64 locator points elsewhere")
            narrow = (disk, start_disk, here, count, size, start)
            wide = _read_end64(exactly(stored, _END64.size, end))
            bounds = (_MAX16, _MAX16, _MAX16, _MAX16, _MAX32, _MAX32)
            for short, long, bound in zip(narrow, wide, bounds, strict=True):
                if short not in (long, bound):
                    raise BadUpstream(Code.BODY_AMBIGUOUS, "the two end records differ")
            disk, start_disk, here, count, size, start = wide
    if (disk, start_disk) != (0, 0) or here != count:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "one volume of several")
    if start + size != end:
        raise BadUpstream(
            Code.BODY_AMBIGUOUS, "the central directory doesn't end at its end record"
        )
    return count, start, size


def _read_end64(data: bytes) -> tuple[int, int, int, int, int, int]:
    mark, length, _, _, disk, start_disk, here, count, size, start = _END64.unpack(data)
    # Version 2 records and the extensible data sector are about encryption.
    if mark != b"PK\x06\x06" or length != _END64.size - 12:
        raise BadUpstream(Code.BODY_MALFORMED, "no zip64 end record where the locator points")
    return disk, start_disk, here, count, size, start


def _check_single_end(stored: Stored, at: int) -> None:
    """Some readers look for the end record from the back, some for one whose comment fits."""
    first = max(0, at - _MAX16)
    tail = stored.pread(at + _END.size - first, first)
    found = tail.find(_END_MARK)
    while 0 <= found < len(tail):
        other = first + found != at
        comment = tail[found + 20 : found + 22]
        behind = len(tail) - found - _END.size
        if other and (behind <= 0 or int.from_bytes(comment, "little") == behind):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "two end records")
        found = tail.find(_END_MARK, found + 1)
