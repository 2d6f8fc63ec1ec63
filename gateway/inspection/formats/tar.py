"""TAR archives: whose each member is, and a new archive of those that stay; see `archive`.

Kept members leave with the very bytes of their headers and contents, in their order.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import archive, detection, fates, tarheaders
from gateway.inspection.inflation import Unfolding
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import CountingSink, Sink
from gateway.inspection.source import Source, Stored, read
from gateway.inspection.tally import Tally
from gateway.inspection.tardirectory import Contents, Directory, Entry, read_directory
from gateway.inspection.tarheaders import BLOCK
from gateway.inspection.verdict import Verdict
from gateway.model import Counts
from gateway.response import Payload

MEDIA_TYPES = ("application/x-tar", "application/tar", "application/x-gtar")

_MAGIC = slice(257, 262)
_RECORD = 20 * BLOCK
"""Archives are padded to whole records (POSIX: pax -b; GNU tar and Python do so, too)."""


def detect(_payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`. An archive of nothing is zeros; a file's name may look like another format."""
    detection.check_no_other(head)
    if head[_MAGIC] != b"ustar" and (any(head) or not head):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Read every member to its end; count it, or the records in it. Raises BadUpstream."""
    body = archive.at_random(source)
    with body.laid_out() as stored:
        unfolding = body.unfolding
        if unfolding is None:
            unfolding = Unfolding(limits, body.stored.size)
            unfolding.count(stored.size)
        container = _Container(stored, read_directory(stored, limits))
        around = archive.Around.of(body, spec, unfolding)
        opened = archive.open_archive(container, spec, limits, around)
        archive.count_all(opened, stored.size, tally)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write a new archive of what the verdict keeps; see `fates`."""
    body = archive.at_random(source)
    with body.laid_out() as stored:
        container = _Container(stored, read_directory(stored, limits))
        around = archive.Around.of(body, spec)
        return fates.rewrite(archive.open_archive(container, spec, limits, around), verdict, sink)


@dataclass(frozen=True, slots=True)
class _Container:
    """See `archive.Container`."""

    stored: Stored
    directory: Directory

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.directory.entries

    def contents(self, number: int) -> Contents:
        return Contents(self.stored, self.entries[number - 1])

    def writer(self, sink: Sink) -> "_Writer":
        return _Writer(self, sink)


class _Writer:
    """See `archive.Writer`."""

    def __init__(self, container: _Container, sink: Sink) -> None:
        self._container, self._sink, self._start = container, sink, sink.tell()
        self._copy(0, container.directory.root)

    def copy(self, number: int) -> None:
        entry = self._container.entries[number - 1]
        self._copy(entry.start, entry.end)

    def change(self, number: int, fill: Callable[[Sink], None]) -> None:
        entry = self._container.entries[number - 1]
        if entry.is_wide:
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a member with its size in an extension")
        measured = CountingSink(None)
        fill(measured)
        self._copy(entry.start, entry.header)
        header = self._container.stored.pread(BLOCK, entry.header)
        self._sink.write(tarheaders.resized(header, measured.tell()))
        written = CountingSink(self._sink)
        fill(written)
        if written.tell() != measured.tell():
            raise InternalError(Code.INTERNAL_ERROR, "a member was rewritten in two ways")
        self._sink.write(bytes(-written.tell() % BLOCK))

    def add(self, name: str, data: bytes) -> None:
        self._sink.write(tarheaders.made(name, len(data)) + data + bytes(-len(data) % BLOCK))

    def finish(self) -> None:
        self._sink.write(bytes(2 * BLOCK))
        self._sink.write(bytes(-(self._sink.tell() - self._start) % _RECORD))

    def _copy(self, start: int, end: int) -> None:
        for chunk in read(self._container.stored, start, end):
            self._sink.write(chunk)
