"""A new ZIP container around members that are kept.

Every header is made anew: name, time, method and data survive, comments, extra fields, attributes
and whatever stood between members don't. Sizes stand in the local header, never in a descriptor,
so that a reader that can't seek needs no guess. Zip64 only where a number doesn't fit.
"""

import struct
import zlib
from typing import NamedTuple

from isal import isal_zlib

from gateway.inspection.sinks import Sink
from gateway.inspection.zipdirectory import Entry
from gateway.inspection.zipfields import STORED, UTF8, ZIP64

_LOCAL = struct.Struct("<4s3H4s3I2H")
_CENTRAL = struct.Struct("<4s4H4s3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF

_EPOCH = b"\0\0\x21\0"
"""The first day that MS-DOS knows: 1980-01-01."""

_UNIX = 3 << 8
_VERSION, _VERSION64 = 20, 45
_FILE = 0o100644 << 16
_DIRECTORY = 0o040755 << 16 | 0x10


class Digest(NamedTuple):
    """CRC-32 and size of the inflated bytes, and the compressed size."""

    crc: int
    size: int
    compressed: int


class MemberSink:
    """Takes the inflated bytes of one member and hands them on as `method` says.

    Without a target it only finds out what the header must say: the same bytes make the same
    digest when they are written a second time.
    """

    def __init__(self, method: int, target: Sink | None = None) -> None:
        self._target = target
        self._encoder = None if method == STORED else zlib.compressobj(wbits=-15)
        self._crc = self._size = self._compressed = 0

    def write(self, data: bytes) -> None:
        self._crc = isal_zlib.crc32(data, self._crc)
        self._size += len(data)
        self._hand_on(self._encoder.compress(data) if self._encoder else data)

    def tell(self) -> int:
        return self._size

    def finish(self) -> Digest:
        """Hand on what is held back."""
        if self._encoder:
            self._hand_on(self._encoder.flush())
        return Digest(self._crc, self._size, self._compressed)

    def _hand_on(self, data: bytes) -> None:
        self._compressed += len(data)
        if self._target and data:
            self._target.write(data)


class ZipWriter:
    """Writes headers; whoever calls `begin` then writes the member's compressed bytes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._central: list[bytes] = []

    def begin(self, entry: Entry, digest: Digest) -> None:
        """Write a local header for exactly `digest.compressed` bytes that follow."""
        start = self._sink.tell()
        name = entry.raw_name
        method = STORED if entry.is_directory else entry.method
        common = (entry.flags & UTF8, method, entry.modified, digest.crc)
        sizes = (digest.compressed, digest.size)
        wide = max(sizes) >= _MAX32
        extra = _extra(digest.size, digest.compressed) if wide else b""
        self._sink.write(
            _LOCAL.pack(
                b"PK\x03\x04", _VERSION64 if wide else _VERSION, *common,
                *((_MAX32, _MAX32) if wide else sizes), len(name), len(extra),
            ) + name + extra
        )  # fmt: skip
        far = wide or start >= _MAX32
        extra = _extra(digest.size, digest.compressed, start) if far else b""
        version = _VERSION64 if far else _VERSION
        self._central.append(
            _CENTRAL.pack(
                b"PK\x01\x02", _UNIX | version, version, *common,
                *((_MAX32, _MAX32) if far else sizes), len(name), len(extra), 0, 0, 0,
                _DIRECTORY if entry.is_directory else _FILE, _MAX32 if far else start,
            ) + name + extra
        )  # fmt: skip

    def add(self, name: str, data: bytes) -> None:
        """Write a whole small file of our own, without a time."""
        digest = Digest(isal_zlib.crc32(data), len(data), len(data))
        self.begin(entry_of(name, STORED, digest), digest)
        self._sink.write(data)

    def finish(self) -> None:
        """Write the central directory and the end record."""
        start, count = self._sink.tell(), len(self._central)
        for header in self._central:
            self._sink.write(header)
        end = self._sink.tell()
        size = end - start
        if count >= _MAX16 or size >= _MAX32 or start >= _MAX32:
            self._sink.write(
                _END64.pack(
                    b"PK\x06\x06", _END64.size - 12, _UNIX | _VERSION64, _VERSION64, 0, 0,
                    count, count, size, start,
                ) + _LOCATOR64.pack(b"PK\x06\x07", 0, end, 1)
            )  # fmt: skip
        count = min(count, _MAX16)
        self._sink.write(
            _END.pack(b"PK\x05\x06", 0, 0, count, count, min(size, _MAX32), min(start, _MAX32), 0)
        )


def entry_of(name: str, method: int, digest: Digest) -> Entry:
    """A member of our own, without a time."""
    crc, size, compressed = digest
    return Entry(0, name, name.encode(), UTF8, method, _EPOCH, crc, compressed, size, 0, 0)


def _extra(*values: int) -> bytes:
    """A zip64 extra field (4.5.3); with all three values, all three narrow fields are all ones."""
    return struct.pack(f"<2H{len(values)}Q", ZIP64, 8 * len(values), *values)
