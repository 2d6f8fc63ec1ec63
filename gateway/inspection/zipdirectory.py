"""A ZIP container, read so strictly that no two readers can disagree about it.

    local header, data [, descriptor]      one for each member, from byte 0
    ...
    central directory                      one header for each member
    [zip64 end record, zip64 locator]
    end record                             the last 22 bytes

APPNOTE 6.3.10 section 4.3.6. The pieces tile the file: no gap, no overlap, nothing before, between
or behind them that could be another archive for another reader. What a local header says must be
what the central directory says. Nothing here inflates anything.
"""

import struct
from dataclasses import dataclass

import msgspec

from gateway.errors import BadUpstream, Code
from gateway.inspection import names, zipfields
from gateway.inspection.inflation import Inflation
from gateway.inspection.settings import Limits
from gateway.inspection.source import Stored
from gateway.inspection.zipend import exactly, find_directory
from gateway.inspection.zipfields import DESCRIPTOR, STORED, ZIP64

__all__ = ["Directory", "Entry", "read_directory"]

_LOCAL = struct.Struct("<4s3H4s3I2H")
_CENTRAL = struct.Struct("<4s4H4s3I5H2I")
_DESCRIPTOR_MARK = b"PK\x07\x08"
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF

_MAX_DIRECTORY = 64 * 2**20
"""The central directory is held in memory; 100,000 members take about 12 MiB."""

_MAX_EXTRA = 8192
_USUAL_EXTRA = 64


class Entry(msgspec.Struct, frozen=True):
    """One member: `number` counts from 1 in the order of the central directory.

    `raw_name` is the name as written, `modified` MS-DOS time and date (4 bytes), `crc` that of
    the inflated bytes. Its header stands at `start`, its `compressed` bytes at `data`.
    """

    number: int
    name: str
    raw_name: bytes
    flags: int
    method: int
    modified: bytes
    crc: int
    compressed: int
    size: int
    start: int
    data: int

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class Directory:
    """All members, in the order of the central directory.

    Their data takes `compressed` bytes, all else in the file is structure that was checked; it
    inflates to `size` bytes if what they declare is true.
    """

    entries: tuple[Entry, ...]
    compressed: int
    size: int


def read_directory(stored: Stored, limits: Limits) -> Directory:
    """The members of an archive whose every byte is accounted for.

    Raises BadUpstream: BODY_MALFORMED, BODY_AMBIGUOUS (another reader may see something else),
    MEMBER_UNSUPPORTED, BODY_TOO_COMPLEX and BODY_TOO_LARGE (by the sizes that it declares).
    """
    count, start, length = find_directory(stored)
    if count > limits.members:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "more members than limits.members")
    if length > _MAX_DIRECTORY:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "a central directory over 64 MiB")
    entries = _read_central(stored, exactly(stored, length, start), count)
    names.check_distinct([entry.name for entry in entries])
    size = sum(entry.size for entry in entries)
    Inflation(limits).count(size, stored.size)
    _check_tiling(stored, entries, start)
    return Directory(tuple(entries), sum(entry.compressed for entry in entries), size)


def _read_central(stored: Stored, data: bytes, count: int) -> list[Entry]:
    entries: list[Entry] = []
    at = 0
    for number in range(1, count + 1):
        if at + _CENTRAL.size > len(data):
            raise BadUpstream(Code.BODY_MALFORMED, "fewer members than the end record says")
        (
            mark, _made_by, version, flags, method, modified, crc, compressed, size,
            name_length, extra_length, comment_length, disk, _internal, attributes, start,
        ) = _CENTRAL.unpack_from(data, at)  # fmt: skip
        name_at = at + _CENTRAL.size
        extra_at = name_at + name_length
        at = extra_at + extra_length
        if mark != b"PK\x01\x02" or at > len(data):
            raise BadUpstream(Code.BODY_MALFORMED, f"member {number}: no central header")
        if comment_length:
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {number} has a comment")
        raw_name = data[name_at:extra_at]
        zipfields.check_readable(version, flags, method, number)
        name = zipfields.decode_name(raw_name, flags, number)
        zipfields.check_attributes(attributes, name, number)
        if extra_length:
            fields = zipfields.read_extra(data[extra_at:at], number)
            zipfields.check_unicode_path(fields, name, raw_name, number)
            if ZIP64 in fields:
                size, compressed, start, disk = _widen(
                    fields[ZIP64], (size, compressed, start, disk), number
                )
        if disk:
            raise BadUpstream(Code.MEMBER_UNSUPPORTED, "one volume of several")
        if method == STORED and compressed != size:
            raise BadUpstream(Code.BODY_MALFORMED, f"member {number}: stored, of two sizes")
        if size and name.endswith("/"):
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {number}: a directory with data")
        fixed = (number, name, raw_name, flags, method, modified, crc, compressed, size, start)
        entries.append(Entry(*fixed, data=_check_local(stored, *fixed)))
    if at != len(data):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "more members than the end record says")
    return entries


def _check_local(
    stored: Stored,
    number: int,
    name: str,
    raw_name: bytes,
    flags: int,
    method: int,
    _modified: bytes,
    crc: int,
    compressed: int,
    size: int,
    start: int,
) -> int:
    """Check a member's local header against its central one; returns where its data starts."""
    name_end = _LOCAL.size + len(raw_name)
    header = stored.pread(name_end + _USUAL_EXTRA, start) if start < stored.size else b""
    if header[:4] != b"PK\x03\x04" or len(header) < name_end:
        raise BadUpstream(Code.BODY_MALFORMED, f"member {number}: no local header")
    (
        _, own_version, own_flags, own_method, _, own_crc, own_compressed, own_size,
        name_length, extra_length,
    ) = _LOCAL.unpack_from(header)  # fmt: skip
    zipfields.check_readable(own_version, own_flags, own_method, number)
    own_name = header[_LOCAL.size : name_end]
    if (own_flags, own_method, name_length, own_name) != (flags, method, len(raw_name), raw_name):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {number}: its two headers differ")
    if extra_length:
        if extra_length > _MAX_EXTRA:
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {number}: unknown extra field")
        fields = zipfields.read_extra(exactly(stored, extra_length, start + name_end), number)
        zipfields.check_unicode_path(fields, name, raw_name, number)
        if ZIP64 in fields:
            if len(fields[ZIP64]) != 16 or (own_compressed, own_size) != (_MAX32, _MAX32):
                raise BadUpstream(Code.BODY_MALFORMED, f"member {number}: zip64 sizes")
            own_size, own_compressed = struct.unpack("<2Q", fields[ZIP64])
    # With a descriptor, section 4.4.4 wants zeros here; some writers know the sizes beforehand.
    late = 0 if flags & DESCRIPTOR else -1
    if not (
        own_crc in (crc, late) and own_compressed in (compressed, late) and own_size in (size, late)
    ):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {number}: its two headers differ")
    return start + name_end + int(extra_length)


def _widen(data: bytes, narrow: tuple[int, int, int, int], member: int) -> tuple[int, ...]:
    """Size, compressed size, header offset and disk, from the zip64 extra field (4.5.3).

    It must hold exactly the values whose narrow field is all ones; or all of them, where those
    that the narrow field also holds are the same, and come last: readers take as many values as
    they need, in order, so that a size before the offset would be their offset.
    """
    widths = (8, 8, 8, 4)
    bounds = (_MAX32, _MAX32, _MAX32, _MAX16)
    absent = [value == bound for value, bound in zip(narrow, bounds, strict=True)]
    if len(data) == sum(width for width, gone in zip(widths, absent, strict=True) if gone):
        present = absent
    elif len(data) in (24, 28) and absent == sorted(absent, reverse=True):
        present = [True, True, True, len(data) == 28]
    else:
        raise BadUpstream(Code.BODY_MALFORMED, f"member {member}: zip64 field of another length")
    wide: list[int] = []
    at = 0
    for value, width, gone, there in zip(narrow, widths, absent, present, strict=True):
        if there:
            long = int.from_bytes(data[at : at + width], "little")
            at += width
            if not gone and long != value:
                raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: zip64 sizes differ")
            value = long
        elif gone:
            raise BadUpstream(Code.BODY_MALFORMED, f"member {member}: zip64 field lacks a value")
        wide.append(value)
    return tuple(wide)


def _check_tiling(stored: Stored, entries: list[Entry], end: int) -> None:
    """The members' headers, data and descriptors fill the file from 0 to `end`."""
    ordered = sorted(entries, key=lambda entry: entry.start)
    starts = [entry.start for entry in ordered] + [end]
    if starts[0] != 0:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "bytes before the first member")
    for entry, following in zip(ordered, starts[1:], strict=True):
        data_end = entry.data + entry.compressed
        rest = following - data_end
        if entry.flags & DESCRIPTOR and rest in (12, 16, 20, 24):
            _check_descriptor(exactly(stored, rest, data_end), entry)
        elif rest or entry.flags & DESCRIPTOR:
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"a gap or overlap behind member {entry.number}")


def _check_descriptor(data: bytes, entry: Entry) -> None:
    """Section 4.3.9: CRC and sizes, narrow or wide, with or without a mark before them."""
    mark = _DESCRIPTOR_MARK if len(data) in (16, 24) else b""
    numbers = (entry.crc, entry.compressed, entry.size)
    wide = len(data) >= 20
    fits = wide or max(numbers) <= _MAX32
    if not fits or data != mark + struct.pack("<I2Q" if wide else "<3I", *numbers):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {entry.number}: its data descriptor")
    if not mark and data.startswith(_DESCRIPTOR_MARK):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {entry.number}: its data descriptor")
