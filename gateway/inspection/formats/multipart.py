"""Multipart bodies (mixed, form-data, related, byteranges): whose each part is; see `archive`.

A part is a member, named as `multipartheaders` says: one record, or made of records where its
specification names a format. What it declares must then be that format. Kept parts leave with the
very bytes of their headers and contents; where one is changed, its Content-Length is, too.

Which boundary clients look for stands in the Content-Type of the response, and must be the one of
the first line. A body of byte ranges (only where `media_type` asks for `multipart/byteranges`) has
ranges of one document, ascending and apart; what is read into is read line by line there, so that
whoever joins the ranges finds the same records.
"""

import binascii
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import archive, detection, fates
from gateway.inspection.archive import Archive
from gateway.inspection.inflation import Unfolding
from gateway.inspection.multipartdirectory import (
    BASE64_LINE,
    Contents,
    Directory,
    Entry,
    boundary_in,
    read_directory,
)
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import CountingSink, Sink
from gateway.inspection.source import Body, Source, Stored, read
from gateway.inspection.tally import Tally
from gateway.inspection.unpacked import Unpacked
from gateway.inspection.verdict import Verdict
from gateway.model import Counts, Format
from gateway.response import Payload

MEDIA_TYPES = ("multipart/mixed", "multipart/form-data", "multipart/related")

_RANGES = "multipart/byteranges"
_LINE_BY_LINE = frozenset({Format.OPAQUE, Format.NDJSON, Format.JSON_SEQ})
_HEAD = 4096


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    if payload.charset is not None:
        raise detection.mismatch("the charset")
    if payload.boundary is None or boundary_in(head) != payload.boundary.encode("ascii"):
        raise detection.mismatch("the declared boundary")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Read every part to its end; count it, or the records in it. Raises BadUpstream."""
    body = _body(source, spec)
    with body.laid_out() as stored:
        unfolding = Unfolding(limits, body.stored.size)
        unfolding.count(stored.size)
        container = _Container(stored, read_directory(stored, limits))
        opened = _open(container, spec, limits, archive.Around.of(body, spec, unfolding))
        archive.count_all(opened, stored.size, tally)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write a new body of the parts that the verdict keeps; see `fates`.

    Raises BadUpstream(REDACTION_UNSUPPORTED) where no part stays, and where one that has a digest
    or is a range of a document would change.
    """
    body = _body(source, spec)
    with body.laid_out() as stored:
        container = _Container(stored, read_directory(stored, limits))
        opened = _open(container, spec, limits, archive.Around.of(body, spec))
        return fates.rewrite(opened, verdict, sink)


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
        self._container, self._sink, self._written = container, sink, False

    def copy(self, number: int) -> None:
        entry = self._container.entries[number - 1]
        self._copy(entry.start, entry.end)
        self._end()

    def change(self, number: int, fill: Callable[[Sink], None]) -> None:
        entry = self._container.entries[number - 1]
        if entry.said.has_digest or entry.said.range:
            raise _unsupported("a part with a digest, or a range, would change")
        measured = CountingSink(None)
        _filled(entry, fill, measured)
        self._copy(entry.start, entry.header)
        self._sink.write(self._header(entry, measured.tell()))
        written = CountingSink(self._sink)
        _filled(entry, fill, written)
        if written.tell() != measured.tell():
            raise InternalError(Code.INTERNAL_ERROR, "a part was rewritten in two ways")
        self._end()

    def add(self, name: str, data: bytes) -> None:
        if self._container.entries[0].said.range:
            raise _unsupported("a notice among ranges of a document")
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        self._sink.write(b"--%b\r\n" % self._container.directory.boundary)
        self._sink.write(disposition.encode() + b"Content-Type: text/plain\r\n\r\n" + data)
        self._end()

    def finish(self) -> None:
        if not self._written:
            raise _unsupported("no part would be left")
        self._copy(self._container.directory.end, self._container.stored.size)

    def _header(self, entry: Entry, size: int) -> bytes:
        text = self._container.stored.pread(entry.data - entry.header, entry.header)
        if entry.said.at:
            begin, end = entry.said.at
            text = b"%b %d%b" % (text[:begin], size, text[end:])
        return text

    def _copy(self, start: int, end: int) -> None:
        for chunk in read(self._container.stored, start, end):
            self._sink.write(chunk)

    def _end(self) -> None:
        self._sink.write(b"\r\n")
        self._written = True


class _Base64Sink:
    """Writes lines of base64."""

    def __init__(self, target: Sink) -> None:
        self._target, self._begun, self._size = target, b"", 0

    def write(self, data: bytes) -> None:
        self._size += len(data)
        begun = self._begun + data
        whole = len(begun) - len(begun) % BASE64_LINE
        self._begun = begun[whole:]
        self._write(begun[:whole])

    def tell(self) -> int:
        return self._size

    def finish(self) -> None:
        self._write(self._begun)

    def _write(self, data: bytes) -> None:
        for at in range(0, len(data), BASE64_LINE):
            line = binascii.b2a_base64(data[at : at + BASE64_LINE], newline=False)
            self._target.write(line + b"\r\n")


def _filled(entry: Entry, fill: Callable[[Sink], None], sink: Sink) -> None:
    if not entry.said.is_base64:
        fill(sink)
        return
    encoding = _Base64Sink(sink)
    fill(encoding)
    encoding.finish()


def _body(source: Source, spec: BodySpec | MemberSpec) -> Body:
    if not isinstance(spec, BodySpec):
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "parts inside an archive: no boundary is given")
    return archive.at_random(source)


def _open(
    container: _Container, spec: BodySpec | MemberSpec, limits: Limits, around: archive.Around
) -> Archive:
    opened = archive.open_archive(container, spec, limits, around)
    wanted = isinstance(spec, BodySpec) and spec.media_type == _RANGES
    _check_ranges(opened, container.entries, wanted)
    for entry in container.entries:
        _check_declared(opened, entry)
    return opened


def _check_declared(opened: Archive, entry: Entry) -> None:
    """A part that is read into declares the format that it is read as, or nothing. The text around
    its records says nothing else: it would stay when one of them goes."""
    member = opened.members.get(entry.number)
    if member is None or not member.is_structured:  # None: the notice that something was left out
        return
    if entry.said.has_more:
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"part {entry.number} says what nobody reads")
    spec = member.spec
    reader, body = archive.reader_of(spec), _as_body(spec)
    payload = Payload(entry.said.kind, entry.said.charset)
    if entry.said.kind is not None:
        detection.check_type(payload, reader.declared(body))
    contents: archive.Contents = opened.container.contents(entry.number)
    if spec.compression:
        contents = Unpacked(contents, spec.compression, None)
    head = b""
    for chunk in contents.chunks():
        head += chunk
        if len(head) >= _HEAD:
            break
    reader.detect(payload, head[:_HEAD], body)


def _as_body(spec: MemberSpec) -> BodySpec:
    return BodySpec(spec.format, encoding=spec.encoding, compression=spec.compression)


def _check_ranges(opened: Archive, entries: tuple[Entry, ...], wanted: bool) -> None:
    """All parts are ranges of one document, or none is. Joined, they have the records they have
    apart."""
    before, complete = -1, None
    for entry in entries:
        span = entry.said.range
        if (span is not None) != wanted:
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"part {entry.number}: a range, or not one")
        if span is None:
            continue
        first, last, length = span
        complete = length if complete is None else complete
        if first <= before or length != complete or last - first + 1 != entry.size:
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"part {entry.number}: a range that doesn't fit")
        member = opened.members.get(entry.number)
        if member is None:
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"part {entry.number}: a notice that is a range")
        read_as = member.spec
        if entry.said.is_base64 or read_as.compression or read_as.format not in _LINE_BY_LINE:
            raise BadUpstream(
                Code.MEMBER_UNSUPPORTED, f"part {entry.number}: a range that is read as a whole"
            )
        before = last


def _unsupported(note: str) -> BadUpstream:
    return BadUpstream(Code.REDACTION_UNSUPPORTED, note)
