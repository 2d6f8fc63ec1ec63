"""A tar archive in memory → its files, in the one reading that all readers share.

Written for what makes bundles: `opa build` (ustar, names with a leading "/"), GNU tar, bsdtar and
Python's tarfile (names with a leading "./", long names in a pax or GNU header). Whatever readers
read differently, or could write outside a folder, is refused: links, devices, sparse files, `..`,
names that come twice, an archive that ends early or goes on after its end. Python's own tarfile
takes a truncated archive for a short one, and that is why it isn't used.

    header block of 512 bytes, content, zeros up to the next block, ..., two blocks of zeros, zeros

Sources: POSIX.1-2024 pax, "ustar Interchange Format" and "pax Header Block"; the GNU tar manual.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_BLOCK = 512
_MAX_ENTRIES = 4_000
_MAX_FILES = 1_000
_MAX_EXTENSION = 64 << 10
_MAX_NAME = 1_024

_OCTAL = re.compile(rb" *([0-7]{1,11})[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,5}) ")
_IGNORED = re.compile(r"(?:[amc]time|[ug]id|[ug]name|comment)|(?:SCHILY|LIBARCHIVE)\..*", re.DOTALL)
"""pax records that say nothing about a file's name or content."""

_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
    b"K": "a link with a long name",
    b"S": "a sparse file",
}


class TarError(Exception):
    """Not a tar archive that everybody reads in the same way. The text quotes no content."""


@dataclass(frozen=True, slots=True)
class _Header:
    kind: bytes
    name: bytes
    size: int


def files(archive: memoryview) -> Mapping[str, bytes]:
    """The regular files, path inside the archive → content. Raises TarError."""
    found: dict[str, bytes] = {}
    for name, content in _entries(archive):
        if name in found:
            raise TarError(f"{name} comes twice")
        if len(found) >= _MAX_FILES:
            raise TarError(f"more than {_MAX_FILES} files")
        found[name] = bytes(content)
    return found


def _entries(archive: memoryview) -> Iterator[tuple[str, memoryview]]:
    long_name: bytes | None = None
    at = 0
    for _ in range(_MAX_ENTRIES):
        block = bytes(archive[at : at + _BLOCK])
        if len(block) < _BLOCK:
            raise TarError("the archive ends early")
        if not any(block):
            _check_end(archive, at)
            if long_name is not None:
                raise TarError("a long name without its file")
            return
        header = _header(block)
        start, end = at + _BLOCK, at + _BLOCK + header.size
        at = end + -end % _BLOCK
        if at > len(archive):
            raise TarError("the archive ends early")
        content = archive[start:end]
        if any(archive[end:at]):
            raise TarError("something between two files")
        match header.kind:
            case b"0" | b"\0":
                yield _name(long_name or header.name), content
                long_name = None
            case b"5":
                if header.size:
                    raise TarError("a folder that has content")
                _folder(long_name or header.name)
                long_name = None
            case b"x" | b"L":
                if long_name is not None:
                    raise TarError("two long names for one file")
                long_name = _long_name(header, bytes(content))
            case b"g":
                _records(bytes(content), header.size)
            case kind:
                raise TarError(f"{_KINDS.get(kind, 'an entry')} that is not a regular file")
    raise TarError(f"more than {_MAX_ENTRIES} entries")


def _check_end(archive: memoryview, at: int) -> None:
    if len(archive) - at < 2 * _BLOCK:
        raise TarError("the archive ends early")
    if bytes(archive[at:]).strip(b"\0"):
        raise TarError("something after the end of the archive")


def _header(block: bytes) -> _Header:
    if _number(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 0x20:
        raise TarError("a header with a wrong checksum")
    match block[257:265]:
        case b"ustar\00000":
            prefix = _up_to_nul(block[345:500])
        case b"ustar  \0":
            prefix = b""
            # GNU's own fields stand where others read a prefix.
            if any(block[345:500]):
                raise TarError("a header that is read in two ways")
        case _:
            raise TarError("not a ustar, pax or GNU header")
    name = _up_to_nul(block[:100])
    if prefix:
        name = prefix + b"/" + name
    return _Header(kind=block[156:157], name=name, size=_number(block[124:136]))


def _up_to_nul(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    match = _OCTAL.fullmatch(field)
    if not match:
        raise TarError("a header with a number that is none")
    return int(match[1], 8)


def _long_name(header: _Header, content: bytes) -> bytes | None:
    """The name for the next entry, if this extension has one."""
    if header.kind == b"L":
        return _up_to_nul(content) or None
    return _records(content, header.size, path=True)


def _records(content: bytes, size: int, *, path: bool = False) -> bytes | None:
    """The `path` record of a pax extension, where there may be one; the others must not matter."""
    if size > _MAX_EXTENSION:
        raise TarError(f"an extended header of more than {_MAX_EXTENSION} bytes")
    name: bytes | None = None
    at = 0
    while at < size:
        length = _RECORD.match(content, at)
        end = at + int(length[1]) if length else 0
        record = content[length.end() : end] if length else b""
        key, separator, value = record.partition(b"=")
        if not separator or not record.endswith(b"\n") or end > size:
            raise TarError("an extended header that is malformed")
        if key == b"path" and path and name is None:
            name = value[:-1]
        elif not _IGNORED.fullmatch(key.decode("utf-8", "replace")):
            raise TarError("an extended header that changes more than a name")
        at = end
    return name


# --- names --------------------------------------------------------------------------------------


def _name(name: bytes) -> str:
    """A file's path inside the archive, without the "/" or "./" that some writers put first."""
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        raise TarError("a file name that is not UTF-8") from None
    path = path.removeprefix("/") if path.startswith("/") else path.removeprefix("./")
    if len(path) > _MAX_NAME or not path.isprintable() or "\\" in path:
        raise TarError("a file name that is not printable, or too long")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise TarError("a file name that leads elsewhere (empty, `.` or `..`)")
    return path


def _folder(name: bytes) -> None:
    """Folders hold nothing, but an archive that names an odd one is an odd archive."""
    if name not in (b".", b"./", b"/"):
        _name(name.removesuffix(b"/"))
