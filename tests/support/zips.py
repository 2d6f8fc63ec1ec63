"""ZIP archives byte by byte, honest by default and wrong where a test says so."""

import io
import shutil
import struct
import sys
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.conftest import missing

STORED, DEFLATED = 0, 8
UTF8, DESCRIPTOR = 0x800, 0x8

_LOCAL = ("mark", "needed", "flags", "method", "time", "date", "crc", "compressed", "size")
_CENTRAL = (
    "mark", "made_by", "needed", "flags", "method", "time", "date", "crc", "compressed", "size",
    "name_length", "extra_length", "comment_length", "disk", "internal", "attributes", "start",
)  # fmt: skip
_END = ("mark", "disk", "start_disk", "here", "count", "size", "start", "comment_length")
_END64 = (
    "mark", "length", "made_by", "needed", "disk", "start_disk", "here", "count", "size", "start",
)  # fmt: skip


def deflate(data: bytes, level: int = 6) -> bytes:
    encoder = zlib.compressobj(level, zlib.DEFLATED, -15)
    return encoder.compress(data) + encoder.flush()


@dataclass
class M:
    """One member. `local` and `central` replace fields of its two headers; `raw` its data as it
    lies in the file; `descriptor` is `"32"` or `"64"`, with an `m` where it has its mark."""

    name: str | bytes
    data: bytes = b""
    method: int = STORED
    flags: int | None = None
    raw: bytes | None = None
    descriptor: str | bytes = ""
    local_extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    attributes: int = 0
    gap: bytes = b""
    after: bytes = b""
    local: Mapping[str, int] = field(default_factory=dict)
    central: Mapping[str, int] = field(default_factory=dict)
    local_name: bytes | None = None

    @property
    def raw_name(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def packed(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return deflate(self.data) if self.method == DEFLATED else self.data

    def fields(self) -> dict[str, int | bytes]:
        flags = self.flags
        if flags is None:
            flags = 0 if self.raw_name.isascii() else UTF8
            flags |= DESCRIPTOR if self.descriptor else 0
        return {
            "made_by": 20, "needed": 20, "flags": flags, "method": self.method,
            "time": 0x6000, "date": 0x4D80, "crc": zlib.crc32(self.data),
            "compressed": len(self.packed), "size": len(self.data),
            "name_length": len(self.raw_name), "comment_length": len(self.comment),
            "disk": 0, "internal": 0, "attributes": self.attributes,
        }  # fmt: skip

    def local_part(self) -> bytes:
        values = self.fields() | {"mark": b"PK\x03\x04"}
        if self.descriptor:
            values |= {"crc": 0, "compressed": 0, "size": 0}
        values |= self.local
        name = self.raw_name if self.local_name is None else self.local_name
        header = struct.pack(
            "<4s5H3I2H", *(values[key] for key in _LOCAL), len(name), len(self.local_extra)
        )
        return header + name + self.local_extra + self.packed + self._descriptor() + self.after

    def _descriptor(self) -> bytes:
        if isinstance(self.descriptor, bytes):
            return self.descriptor
        if not self.descriptor:
            return b""
        values = self.fields()
        form = "<I2Q" if self.descriptor.startswith("64") else "<3I"
        mark = b"PK\x07\x08" if self.descriptor.endswith("m") else b""
        return mark + struct.pack(form, values["crc"], values["compressed"], values["size"])

    def central_part(self, start: int) -> bytes:
        values = self.fields() | {"mark": b"PK\x01\x02", "start": start}
        values["extra_length"] = len(self.central_extra)
        values |= self.central
        header = struct.pack("<4s6H3I5H2I", *(values[key] for key in _CENTRAL))
        return header + self.raw_name + self.central_extra + self.comment


def archive(
    *members: M,
    before: bytes = b"",
    between: bytes = b"",
    behind: bytes = b"",
    comment: bytes = b"",
    end: Mapping[str, int] | None = None,
    zip64: Mapping[str, int] | None = None,
    locator: tuple[int, int | None, int] = (0, None, 1),
    shift: int = 0,
) -> bytes:
    """An archive of these members.

    `before` and `between` stand before the first member and the central directory, `behind` after
    the end record; `end` replaces fields of the end record; with `zip64` (fields of the zip64
    record to replace) there is such a record. Offsets count from `shift`.
    """
    body, starts = before, []
    for member in members:
        body += member.gap
        starts.append(len(body) + shift)
        body += member.local_part()
    body += between
    start = len(body) + shift
    central = b"".join(m.central_part(at) for m, at in zip(members, starts, strict=True))
    body += central
    values: dict[str, int | bytes] = {
        "mark": b"PK\x05\x06", "disk": 0, "start_disk": 0, "here": len(members),
        "count": len(members), "size": len(central), "start": start,
        "comment_length": len(comment),
    }  # fmt: skip
    if zip64 is not None:
        wide = values | {"mark": b"PK\x06\x06", "length": 44, "made_by": 45, "needed": 45} | zip64
        at = len(body) + shift
        body += struct.pack("<4sQ2H2I4Q", *(wide[key] for key in _END64))
        points_to = at if locator[1] is None else locator[1]
        body += struct.pack("<4sIQI", b"PK\x06\x07", locator[0], points_to, locator[2])
    values |= end or {}
    return body + struct.pack("<4s4H2IH", *(values[key] for key in _END)) + comment + behind


def tlv(header: int, data: bytes) -> bytes:
    """An extra field."""
    return struct.pack("<2H", header, len(data)) + data


class Unseekable(io.RawIOBase):
    """A pipe: zipfile writes data descriptors into it."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self.written += piece
        return len(piece)


def zipped(members: Mapping[str, bytes], method: int = STORED, *, streamed: bool = False) -> bytes:
    """What Python's zipfile makes of these members; `streamed` as into a pipe."""
    target: io.BytesIO | Unseekable = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as made:  # type: ignore[arg-type]
        for name, data in members.items():
            made.writestr(name, data)
    return bytes(target.written) if isinstance(target, Unseekable) else target.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    """Name → contents, as Python's zipfile reads them, directories included."""
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.testzip() is None
        return {name: read.read(name) for name in read.namelist()}


READERS = {
    "unzip": ["unzip", "-tq"],
    "7z": ["7z", "t"],
    "bsdtar": ["bsdtar", "-tf"],
    "python": ["python", "-m", "zipfile", "-t"],
}
"""Commands that read a whole archive, by the reader's name."""


def tool(command: list[str]) -> list[str]:
    """The command with its program's path. Skips the test where the program isn't installed."""
    name, *arguments = command
    if name == "python":
        return [sys.executable, *arguments]
    path = shutil.which(name) or (shutil.which("7zz") if name == "7z" else None)
    if path is None:
        missing(f"{name} is not installed")
    return [path, *arguments]
