"""ZIP archives: whose each member is, and a new archive of those that stay; see `archive`.

Kept members are copied as they are, compressed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import Code, InternalError
from gateway.inspection import archive, detection, fates
from gateway.inspection.inflation import Unfolding
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Body, Source, Stored, read
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.inspection.zipdata import Contents
from gateway.inspection.zipdirectory import Directory, Entry, read_directory
from gateway.inspection.zipwriter import Digest, MemberSink, ZipWriter
from gateway.model import Counts
from gateway.response import Payload

MEDIA_TYPES = ("application/zip", "application/x-zip-compressed")

_MUCH = 2 * 2**20
"""Bytes more than there were, for which inflating is worth a second thread."""

_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


def detect(_payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    if not head.startswith(_STARTS):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Read every member to its end; count it, or the records in it. Raises BadUpstream."""
    body, container = _read(source, limits)
    unfolding = body.unfolding or Unfolding(limits, body.stored.size)
    unfolding.count(container.directory.size)
    around = archive.Around.of(body, spec, unfolding)
    opened = archive.open_archive(container, spec, limits, around)
    body.meter.inspected = body.stored.size - container.directory.compressed
    body.meter.decoded = 0
    inflates = container.directory.size - container.directory.compressed > _MUCH
    for counted in archive.count(opened, tally, inflates=inflates):
        entry = container.entries[counted.number - 1]
        body.meter.inspected += entry.compressed
        body.meter.decoded += entry.size


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write a new archive of what the verdict keeps; see `fates`."""
    body, container = _read(source, limits)
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
        return _Writer(self, sink, ZipWriter(sink))


@dataclass(frozen=True, slots=True)
class _Writer:
    """See `archive.Writer`."""

    container: _Container
    sink: Sink
    writer: ZipWriter

    def copy(self, number: int) -> None:
        entry = self.container.entries[number - 1]
        if entry.is_directory:
            self.writer.begin(entry, Digest(0, 0, 0))
            return
        self.writer.begin(entry, Digest(entry.crc, entry.size, entry.compressed))
        for chunk in read(self.container.stored, entry.data, entry.data + entry.compressed):
            self.sink.write(chunk)

    def change(self, number: int, fill: Callable[[Sink], None]) -> None:
        entry = self.container.entries[number - 1]
        digest = self._fill(entry, fill, None)
        self.writer.begin(entry, digest)
        if self._fill(entry, fill, self.sink) != digest:
            raise InternalError(Code.INTERNAL_ERROR, "a member was rewritten in two ways")

    def _fill(self, entry: Entry, fill: Callable[[Sink], None], target: Sink | None) -> Digest:
        member = MemberSink(entry.method, target)
        fill(member)
        return member.finish()

    def add(self, name: str, data: bytes) -> None:
        self.writer.add(name, data)

    def finish(self) -> None:
        self.writer.finish()


def _read(source: Source, limits: Limits) -> tuple[Body, _Container]:
    body = archive.at_random(source)
    stored = body.plain()
    return body, _Container(stored, read_directory(stored, limits))
