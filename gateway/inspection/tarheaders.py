"""One header block of a TAR, and what extends it: each field in the one way that all readers share.

POSIX.1-2024 pax ("ustar Interchange Format", "pax Header Block") and the GNU tar manual ("Basic Tar
Format"). A block that is kept leaves as it came, so that no byte of it may be one that nobody
reads: what stands behind the end of a text, in unused fields, in a record that isn't known or in
a short name that isn't short for the long one, is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code
from gateway.inspection import names

BLOCK = 512

FILES, DIRECTORY, PAX, LONG_NAME = (b"0", b"\0"), b"5", b"x", b"L"

_MOST_EXTENSION = 16 * 1024

_REFUSED = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
    b"7": "a contiguous file",
    b"g": "a global header",
    b"K": "a link with a long name",
    b"M": "a part of another volume",
    b"S": "a sparse file",
    b"V": "a volume label",
}

_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_ACCOUNT = re.compile(rb"[ -~]{0,31}")

_RECORD = re.compile(rb"([1-9][0-9]{0,4}) ")
_TIME = re.compile(rb"-?[0-9]{1,12}(?:\.[0-9]{1,9})?")
_NUMBER = re.compile(rb"[0-9]{1,19}")
_SAID = {
    b"path": re.compile(rb"[^\0]+", re.DOTALL),
    b"size": _NUMBER,
    b"mtime": _TIME,
    b"atime": _TIME,
    b"ctime": _TIME,
    b"LIBARCHIVE.creationtime": _TIME,
    b"uid": _NUMBER,
    b"gid": _NUMBER,
    b"uname": _ACCOUNT,
    b"gname": _ACCOUNT,
}
"""The pax records that may stand there. Others carry what nobody reads (`comment`, extended
attributes), or change what a file is (`linkpath`, `GNU.sparse.*`, `hdrcharset`)."""

_CUT = 99
"""From this length on, a name in a header was cut, in bytes."""

_OF_EXTENSION = re.compile(rb"PaxHeaders?(?:\.[0-9]{1,10})?/")


@dataclass(frozen=True, slots=True)
class Header:
    """One block. `name` is as written (prefix and all), `size` that of the contents in bytes."""

    kind: bytes
    name: bytes
    size: int


def read(block: bytes, member: int) -> Header:
    """A header block that has one reading. Raises BadUpstream."""
    if _number(block[148:156], member) != sum(block[:148] + block[156:]) + 8 * 0x20:
        raise BadUpstream(Code.BODY_MALFORMED, f"member {member}: a header's checksum is wrong")
    match block[257:265]:
        case b"ustar\00000":
            prefix, rest = _text(block[345:500], member), block[500:]
        case b"ustar  \0":
            # GNU's own fields stand where others read a prefix.
            prefix, rest = b"", block[345:]
        case _:
            raise BadUpstream(Code.MEMBER_UNSUPPORTED, f"member {member}: not ustar, pax or GNU")
    kind = block[156:157]
    if kind not in (*FILES, DIRECTORY, PAX, LONG_NAME):
        what = _REFUSED.get(kind, "of an unknown kind")
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, f"member {member} is {what}")
    if any(block[157:257]) or any(rest) or any(block[329:345].strip(b"0 \0")):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: a field that must be empty")
    for field in (block[100:108], block[108:116], block[116:124], block[136:148]):
        if field.strip(b" \0"):
            _number(field, member)
    for field in (block[265:297], block[297:329]):
        if not _ACCOUNT.fullmatch(_text(field, member)):
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: an account's name")
    name = _text(block[:100], member)
    if prefix:
        name = prefix + b"/" + name
    return Header(kind, name, _number(block[124:136], member))


def long_name(content: bytes, member: int) -> bytes:
    """The name that GNU's extension has for the next header. Raises BadUpstream."""
    name = content.removesuffix(b"\0")
    if not name or b"\0" in name or content == name:
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: a long name that isn't one text")
    return name


def records(content: bytes, member: int) -> Mapping[bytes, bytes]:
    """What a pax extension says of the next header. Raises BadUpstream."""
    said: dict[bytes, bytes] = {}
    at = 0
    while at < len(content):
        length = _RECORD.match(content, at)
        end = at + int(length[1]) if length else 0
        record = content[length.end() : end] if length else b""
        key, separator, value = record.partition(b"=")
        if not separator or not record.endswith(b"\n") or end > len(content):
            raise BadUpstream(Code.BODY_MALFORMED, f"member {member}: its pax header")
        if key in said or key not in _SAID or not _SAID[key].fullmatch(value[:-1]):
            what = "a pax record twice, or one that isn't known"
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: {what}")
        said[key] = value[:-1]
        at = end
    return said


def check_extension(header: Header, member: int) -> None:
    """Whether an extension may be as long as it is."""
    if header.size > _MOST_EXTENSION:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, f"member {member}: a long extended header")


def check_short(short: bytes, full: bytes, member: int) -> None:
    """A header's own name under a longer one, and the name of an extension: both only abridge.

    Writers cut them, put `PaxHeaders/` into them or a question mark in the place of a letter.
    Whatever is left must be letters of the full name, in their order.
    """
    if short in (b"././@PaxHeader", b"././@LongLink"):
        return
    folder, _, last = short.rpartition(b"/")
    if len(short) >= _CUT and b"PaxHeaders".startswith(last.rstrip(b".0123456789")):
        short = folder  # cut in the middle of what was put in
    short = _OF_EXTENSION.sub(b"", short, count=1).replace(b"?", b"")
    if short in (b"currentdir", b"rootdir"):  # bsdtar's words for `.`
        return
    letters = iter(full + b"/.")
    short = short.removeprefix(b"./")
    if not all(letter in letters for letter in short):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member} has two names")


def decode_name(raw: bytes, kind: bytes, member: int) -> str:
    """The name of a file or directory, without the `./` that some writers put first; empty for the
    root itself. Raises BadUpstream."""
    if len(raw) > names.LONGEST:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, f"member {member}: a name of too many bytes")
    try:
        name = raw.decode("utf-8").removeprefix("./")
    except UnicodeDecodeError:
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: name isn't UTF-8") from None
    if kind != DIRECTORY:
        if name.endswith("/"):
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member} is a file and a directory")
        names.check(name, member)
        return name
    if name in ("", "."):
        return ""
    name = name.removesuffix("/") + "/"
    names.check(name, member)
    return name


def resized(block: bytes, size: int) -> bytes:
    """A header with another size. Raises BadUpstream(REDACTION_UNSUPPORTED) for one over 8 GiB."""
    digits = b"%011o" % size
    if len(digits) > 11:
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a member of over 8 GiB in a TAR")
    block = block[:124] + digits + b"\0" + block[136:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def made(name: str, size: int) -> bytes:
    """A header of our own, for a file with a short name in ASCII."""
    block = name.encode("ascii").ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2
    block += b"0" * 11 + b"\0" + b"0" * 11 + b"\0" + b" " * 8 + b"0" + bytes(100)
    return resized((block + b"ustar\00000").ljust(BLOCK, b"\0"), size)


def wide_only(size: int) -> bool:
    """Whether a size is too big for the octal digits of its field."""
    return size >= 8**11


def _text(field: bytes, member: int) -> bytes:
    text, _, rest = field.partition(b"\0")
    if any(rest):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: bytes behind a text's end")
    return text


def _number(field: bytes, member: int) -> int:
    """Octal digits; or base 256 (GNU), where there are too many of them."""
    if digits := _OCTAL.fullmatch(field):
        return int(digits[1], 8)
    if field[0] == 0x80:
        value = int.from_bytes(field[1:], "big")
        if 8 ** (len(field) - 1) <= value < 2**63:
            return value
    raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {member}: a number that readers read apart")
