"""TAR archives block by block, honest by default and wrong where a test says so."""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

BLOCK = 512
END = bytes(2 * BLOCK)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def octal(number: int, width: int = 12) -> bytes:
    return b"%0*o\0" % (width - 1, number)


def base256(number: int, width: int = 12) -> bytes:
    return b"\x80" + number.to_bytes(width - 1, "big")


@dataclass
class T:
    """One header and its content. Fields are as they lie in the block."""

    name: bytes
    data: bytes = b""
    kind: bytes = b"0"
    size: bytes | None = None
    mode: bytes = octal(0o644, 8)
    uid: bytes = octal(0, 8)
    gid: bytes = octal(0, 8)
    mtime: bytes = octal(0x5678)
    link: bytes = b""
    magic: bytes = b"ustar\00000"
    uname: bytes = b""
    device: bytes = b""
    prefix: bytes = b""
    rest: bytes = b""
    checksum: bytes | None = None
    padding: bytes | None = None

    def bytes(self) -> bytes:
        size = octal(len(self.data)) if self.size is None else self.size
        before = self.name.ljust(100, b"\0") + self.mode + self.uid + self.gid + size + self.mtime
        behind = self.kind + self.link.ljust(100, b"\0") + self.magic
        behind += self.uname.ljust(64, b"\0") + self.device.ljust(16, b"\0")
        behind += self.prefix.ljust(155, b"\0") + self.rest.ljust(12, b"\0")
        checksum = b"%06o\0 " % (sum(before + behind) + 256)
        block = before + (self.checksum or checksum) + behind
        assert len(block) == BLOCK
        padding = bytes(-len(self.data) % BLOCK) if self.padding is None else self.padding
        return block + self.data + padding


def tar(*members: T, end: bytes = END) -> bytes:
    """An archive of these members."""
    return b"".join(member.bytes() for member in members) + end


def pax(*records: tuple[str, str], name: bytes = b"././@PaxHeader", kind: bytes = b"x") -> T:
    """An extended header for the next member."""
    data = b""
    for key, value in records:
        body = f" {key}={value}\n".encode()
        length = len(body) + len(str(len(body)))
        length += len(str(length)) > len(str(len(body)))
        data += b"%d" % length + body
    return T(name, data, kind)


def long_name(name: bytes, short: bytes | None = None, data: bytes = b"", **more: bytes) -> list[T]:
    """A member with GNU's extension for a long name."""
    gnu = b"ustar  \0"
    extension = T(b"././@LongLink", name + b"\0", b"L", magic=gnu)
    return [extension, T(name[:100] if short is None else short, data, magic=gnu, **more)]


FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}


def tarred(
    members: Mapping[str, bytes], form: str = "pax", mtime: float = 1_700_000_000.5
) -> bytes:
    """What Python's tarfile makes of these members; a directory's name ends with a slash."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=FORMATS[form]) as made:
        for name, data in members.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mtime = mtime if form == "pax" else int(mtime)  # type: ignore[assignment]
            member.size, member.uname = len(data), "export"
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            made.addfile(member, io.BytesIO(data))
    return target.getvalue()


def untarred(data: bytes) -> dict[str, bytes]:
    """Name → contents, as Python's tarfile reads them, directories included."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as read:
        for member in read:
            file = read.extractfile(member)
            name = member.name + "/" * member.isdir()
            assert name not in found
            found[name] = file.read() if file else b""
    return found


READERS = {
    "gnu tar": ["tar", "-xf"],
    "bsdtar": ["bsdtar", "-xf"],
    "7z": ["7z", "x", "-y"],
    "python": ["python", "-m", "tarfile", "-e"],
}
"""Commands that unpack an archive here, by the reader's name."""
