"""A TAR, read so strictly that no two readers can disagree about what is in it.

    [extension header, its content] header, content, zeros up to the next block     for each member
    ...
    two blocks of zeros, and zeros to the end

The pieces tile the file. Readers stop at the first block of zeros, or at the second, or go on to
an archive that is appended (`tar -i`): there is nothing there for any of them. Python's own tarfile
takes a truncated archive for a short one, which is why it isn't used.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code
from gateway.inspection import names, tarheaders
from gateway.inspection.settings import Limits
from gateway.inspection.source import Stored, read
from gateway.inspection.tarheaders import BLOCK, DIRECTORY, FILES, LONG_NAME, PAX, Header

__all__ = ["Contents", "Directory", "Entry", "read_directory"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One member: `number` counts from 1. It begins at `start` with its extensions, its own header
    stands at `header`, its content at `data`; `is_wide` where an extension states its size."""

    number: int
    name: str
    size: int
    start: int
    header: int
    data: int
    is_wide: bool = False

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")

    @property
    def end(self) -> int:
        """Where the next member begins."""
        return self.data + self.size + -self.size % BLOCK


@dataclass(frozen=True, slots=True)
class Directory:
    """All members, in their order. `root` is the end of a header for the root directory itself,
    which may stand before them."""

    entries: tuple[Entry, ...]
    root: int


@dataclass(slots=True)
class Contents:
    """The content of one member, as a `Source` that can be read again; see `archive.Contents`."""

    stored: Stored
    entry: Entry
    proven: bool = False

    def chunks(self) -> Iterator[bytes]:
        yield from read(self.stored, self.entry.data, self.entry.data + self.entry.size)
        self.proven = True


def read_directory(stored: Stored, limits: Limits) -> Directory:
    """The members of an archive whose every byte is accounted for. Raises BadUpstream."""
    entries: list[Entry] = []
    at = root = letters = 0
    while found := _read_member(stored, at, len(entries) + 1):
        at = found.end
        if found.name:
            if len(entries) >= limits.members:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "more members than limits.members")
            letters += len(found.name)
            names.check_letters(letters)
            entries.append(found)
        elif entries or root:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "the root directory behind other members")
        else:
            root = at
    _check_end(stored, at)
    names.check_distinct([entry.name for entry in entries])
    return Directory(tuple(entries), root)


def _read_member(stored: Stored, start: int, number: int) -> Entry | None:
    """The member that begins at `start`; None where zeros do."""
    block = _block(stored, start)
    if not any(block):
        return None
    header, at = tarheaders.read(block, number), start
    extension: Header | None = None
    said: Mapping[bytes, bytes] = {}
    long_name = b""
    if header.kind in (PAX, LONG_NAME):
        extension = header
        content = _extension(stored, start + BLOCK, header, number)
        if header.kind == PAX:
            said = tarheaders.records(content, number)
            long_name = said.get(b"path", b"")
        else:
            long_name = tarheaders.long_name(content, number)
        at = _end(start + BLOCK, header.size)
        header = tarheaders.read(_block(stored, at), number)
    if header.kind not in (*FILES, DIRECTORY):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {number}: two extensions, or only one")
    raw_name = long_name or header.name
    for short in (header.name, extension.name if extension else raw_name):
        tarheaders.check_short(short, raw_name, number)
    name = tarheaders.decode_name(raw_name, header.kind, number)
    size = int(said.get(b"size", header.size))
    if size != header.size and not tarheaders.wide_only(size):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {number} has two sizes")
    if size and header.kind == DIRECTORY:
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {number}: a directory with data")
    entry = Entry(number, name, size, start, at, at + BLOCK, is_wide=b"size" in said)
    _check_padding(stored, entry.data + size, entry.end, number)
    return entry


def _extension(stored: Stored, start: int, header: Header, number: int) -> bytes:
    """The content of an extended header."""
    tarheaders.check_extension(header, number)
    end = _end(start, header.size)
    content = stored.pread(header.size, start)
    _check_padding(stored, start + header.size, end, number)
    return content


def _end(start: int, size: int) -> int:
    return start + size + -size % BLOCK


def _block(stored: Stored, at: int) -> bytes:
    block = stored.pread(BLOCK, at) if at < stored.size else b""
    if len(block) < BLOCK:
        raise BadUpstream(Code.BODY_INCOMPLETE, "the archive ends before its end")
    return block


def _check_padding(stored: Stored, start: int, end: int, number: int) -> None:
    if end > stored.size:
        raise BadUpstream(Code.BODY_INCOMPLETE, f"member {number} is cut")
    if any(stored.pread(end - start, start)):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"member {number}: bytes behind its content")


def _check_end(stored: Stored, at: int) -> None:
    if stored.size - at < 2 * BLOCK:
        raise BadUpstream(Code.BODY_INCOMPLETE, "one block of zeros at the end, or none")
    if stored.size % BLOCK or any(chunk.strip(b"\0") for chunk in read(stored, at)):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "bytes behind the end of the archive")
