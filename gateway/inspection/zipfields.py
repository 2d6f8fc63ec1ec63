"""The fields of one ZIP member that carry meaning: its name, attributes and extra fields.

APPNOTE 6.3.10 sections 4.4 and 4.5. Every reader must get the same name out of a header; anything
that some readers follow (symbolic links, a second name) is refused. See `names`.
"""

import struct
from collections.abc import Mapping

from isal import isal_zlib

from gateway.errors import BadUpstream, Code
from gateway.inspection import names

UTF8 = 0x800
"""General purpose bit 11: name and comment are UTF-8."""

DESCRIPTOR = 0x8
"""General purpose bit 3: CRC and sizes follow the data."""

STORED, DEFLATED = 0, 8

_COMPRESSION_OPTION = 0x6
_ENCRYPTED = 0x2041  # bits 0, 6 and 13: ZipCrypto, strong encryption, masked headers
_KNOWN_FLAGS = UTF8 | DESCRIPTOR | _COMPRESSION_OPTION

_MAX_VERSION = 63
"""The last that there is, 6.3; the upper byte is the writer's own."""

ZIP64 = 0x0001
_UNICODE_PATH = 0x7075

_DOS_VOLUME, _DOS_DIRECTORY, _DOS_REPARSE = 0x08, 0x10, 0x400
_UNIX_DIRECTORY, _UNIX_REGULAR = 0o040000, 0o100000


def check_readable(version: int, flags: int, method: int, member: int) -> None:
    """Raises BadUpstream(MEMBER_UNSUPPORTED) for what can't be read, here or by some readers."""
    if version & 0xFF > _MAX_VERSION:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, f"member {member} needs a later version")
    if flags & _ENCRYPTED:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, f"member {member} is encrypted")
    if flags & ~_KNOWN_FLAGS:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, f"member {member} has reserved flags")
    if method not in (STORED, DEFLATED):
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, f"member {member} has method {method}")


def decode_name(raw: bytes, flags: int, member: int) -> str:
    """The one name that all readers get. Raises BadUpstream."""
    if len(raw) > names.LONGEST:
        raise BadUpstream(
            Code.BODY_TOO_COMPLEX, f"member {member}: name over {names.LONGEST} bytes"
        )
    if raw.isascii():
        name = raw.decode("ascii")
    elif flags & UTF8:
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise BadUpstream(Code.BODY_MALFORMED, f"member {member}: name isn't UTF-8") from None
    else:
        # Section 4.4.4 says code page 437; many writers mean the local one, or UTF-8.
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: name in an unstated encoding")
    names.check(name, member)
    return name


def check_attributes(attributes: int, name: str, member: int) -> None:
    """Refuse links, devices and a member that is a directory for some readers only."""
    kind = (attributes >> 16) & 0o170000
    directory = name.endswith("/")
    if attributes & (_DOS_VOLUME | _DOS_REPARSE):
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, f"member {member} is a link or a volume label")
    if kind not in (0, _UNIX_REGULAR, _UNIX_DIRECTORY):
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, f"member {member} isn't a file or directory")
    if kind == (_UNIX_REGULAR if directory else _UNIX_DIRECTORY) or (
        attributes & _DOS_DIRECTORY and not directory
    ):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member} is a file and a directory")


def read_extra(raw: bytes, member: int) -> Mapping[int, bytes]:
    """Header id → data. Raises BadUpstream for anything but known fields of known shape.

    An unknown field may carry 64 KiB that nobody inspects.
    """
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise BadUpstream(Code.BODY_MALFORMED, f"member {member}: extra field is cut")
        header, length = struct.unpack_from("<HH", raw, at)
        at += 4
        data = raw[at : at + length]
        at += length
        if len(data) != length:
            raise BadUpstream(Code.BODY_MALFORMED, f"member {member}: extra field is cut")
        if header in fields:
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: extra field twice")
        if header not in (ZIP64, _UNICODE_PATH) and not _is_known(header, data):
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: unknown extra field")
        fields[header] = data
    return fields


def check_unicode_path(fields: Mapping[int, bytes], name: str, raw: bytes, member: int) -> None:
    """Section 4.6.9: some readers take this name instead of the header's."""
    data = fields.get(_UNICODE_PATH)
    if data is None:
        return
    if data != struct.pack("<BI", 1, isal_zlib.crc32(raw)) + name.encode():
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member} has two names")


def _is_known(header: int, data: bytes) -> bool:
    """Whether a field is one of those that only hold times and owners' numbers."""
    length = len(data)
    match header:
        case 0x5455:  # extended timestamp: flags, then one to three times
            return length in (1, 5, 9, 13)
        case 0x7875:  # Unix ids: version, length and uid, length and gid
            return (
                length >= 3
                and data[0] == 1
                and data[1] <= 8
                and length > 2 + data[1]
                and data[2 + data[1]] <= 8
                and length == 3 + data[1] + data[2 + data[1]]
            )
        case 0x7855:  # the same, first version; empty in the central directory
            return length in (0, 4)
        case 0x5855:  # the same with two times
            return length in (8, 12)
        case 0x000A:  # NTFS: attribute 1 with three times
            return length == 32 and data[4:8] == b"\x01\x00\x18\x00"
        case 0xA220:  # room to grow in a file of Microsoft's: a mark, how much, and so many zeros
            return data.startswith(b"\x28\xa0") and not any(data[4:])
        case 0xCAFE:  # the mark of a Java archive
            return length == 0
        case _:
            return False
