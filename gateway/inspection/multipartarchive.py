"""Multipart bodies as archives: a container of parts, a writer of others, and what each part says.

Kept parts leave with the very bytes of their headers and contents; where one is changed, its
Content-Length is, too. What a part declares must be the format that it is read as. One that nobody
reads may declare what is well known (`opaquetypes`), or what its specification says, and nothing
beside it: what it declares leaves unread.

A part may be named twice, by a form field or a Content-ID beside its file's name. It is read as
its file, so that no other name may say that it is somebody else's, or a manifest, or be vouched for
by one. A part whose records are read has no Content-ID beside its name.
"""

import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import archive, charset, detection, opaquetypes
from gateway.inspection.archive import Archive
from gateway.inspection.members import UNMATCHED, Member, first_match
from gateway.inspection.multipartdirectory import BASE64_LINE, Contents, Directory, Entry
from gateway.inspection.multipartheaders import Said
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import CountingSink, Sink
from gateway.inspection.source import Stored, read
from gateway.inspection.tally import Owners
from gateway.inspection.unpacked import Unpacked
from gateway.model import Format, SubjectRef
from gateway.response import Payload

_RANGES = "multipart/byteranges"
_LINE_BY_LINE = frozenset({Format.OPAQUE, Format.NDJSON, Format.JSON_SEQ})
_HEAD = 4096


def wanted(spec: BodySpec) -> frozenset[str]:
    """The fields of parts' headers that name owners, in lower case."""
    return frozenset(
        field.lower() for member in spec.members for field in member.subject_header.values()
    )


def told(number: int, said: Said, spec: MemberSpec) -> Owners:
    """Whom the fields of a part's header name; nobody where one of them is missing."""
    owners: list[SubjectRef] = []
    for kind, field in spec.subject_header.items():
        if field.lower() not in said.told:
            return ()
        value = said.told[field.lower()]
        if value is None:
            raise _ambiguous(f"part {number}: {field} isn't one identifier")
        owners.append(SubjectRef(kind, value))
    return tuple(owners)


def open_parts(
    container: "Container", spec: BodySpec, limits: Limits, around: archive.Around, ranges: "Ranges"
) -> Archive:
    """Whose each part is, and whether it says what it is. Raises BadUpstream."""
    opened = archive.open_archive(container, spec, limits, around)
    members = {
        entry.number: replace(member, told=told(entry.number, entry.said, member.spec))
        for entry in container.entries
        if (member := opened.members.get(entry.number))
    }
    opened = replace(opened, members=members)
    for entry in container.entries:
        member = members.get(entry.number)
        ranges.check(entry, member)
        if member is None:  # the notice that something was left out
            continue
        payload = check_said(entry.number, entry.said, member, spec)
        if any(name in opened.vouchers for name in entry.said.others):
            raise _ambiguous(f"part {entry.number}: a second name that a manifest vouches for")
        if member.is_structured:
            _detect(opened, entry, member.spec, payload)
    return opened


def check_said(number: int, said: Said, member: Member, spec: BodySpec) -> Payload:
    """What a part declares, which must be what it is read as, or nothing. The text around its
    records says nothing else: it would stay when one of them goes."""
    _check_others(number, said, member, spec)
    payload = Payload(said.kind, said.charset)
    read_here = {field.lower() for field in member.spec.subject_header.values()}
    if member.is_structured:
        more = said.has_more or said.has_parameters or said.identity is not None
        if more or not said.told.keys() <= read_here:
            raise _ambiguous(f"part {number} says what nobody reads")
        if said.kind is not None:
            declared = archive.reader_of(member.spec).declared(as_body(member.spec))
            detection.check_type(payload, declared)
        return payload
    if said.has_parameters:
        raise _ambiguous(f"part {number} has parameters that nobody reads")
    if said.kind is not None:
        media_type = member.spec.media_type
        detection.check_type(payload, (media_type,) if media_type else opaquetypes.KNOWN)
    if said.charset is not None and said.charset not in charset.LABELS:
        raise detection.mismatch("the charset of a part")
    return payload


def as_body(spec: MemberSpec) -> BodySpec:
    """The specification of a part as if it were a body."""
    return BodySpec(
        spec.format,
        delimiter=spec.delimiter,
        quote=spec.quote,
        encoding=spec.encoding,
        compression=spec.compression,
        lines=spec.lines,
        media_type=spec.media_type,
    )


def as_part(boundary: bytes, name: str, data: bytes) -> bytes:
    """A small text of our own as a part, with its delimiter."""
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
    return b"--%b\r\n%bContent-Type: text/plain\r\n\r\n%b" % (boundary, disposition.encode(), data)


def _check_others(number: int, said: Said, member: Member, spec: BodySpec) -> None:
    """A reader that calls the part by another name finds no other owner, and no manifest."""
    for name in said.others:
        other, named = first_match(name, spec.members)
        if other is UNMATCHED or (other, named) == (member.spec, member.named):
            continue
        if named or other.vouches_for or other.owns_archive:
            raise _ambiguous(f"part {number}: two names that are read differently")


def _detect(opened: Archive, entry: Entry, spec: MemberSpec, payload: Payload) -> None:
    contents: archive.Contents = opened.container.contents(entry.number)
    if spec.compression:
        contents = Unpacked(contents, spec.compression, None)
    head = b""
    for chunk in contents.chunks():
        head += chunk
        if len(head) >= _HEAD:
            break
    archive.reader_of(spec).detect(payload, head[:_HEAD], as_body(spec))


class Ranges:
    """Byte ranges: all parts are ranges of one document, ascending and apart, or none is one.
    Joined, they have the records they have apart: what is read into is read line by line."""

    def __init__(self, spec: BodySpec) -> None:
        self.wanted = spec.media_type == _RANGES
        self._before = -1
        self._complete: int | None = None

    def check(self, entry: Entry, member: Member | None) -> None:
        """Hold the next part against those before it. Raises BadUpstream."""
        span = entry.said.range
        if (span is not None) != self.wanted:
            raise _ambiguous(f"part {entry.number}: a range, or not one")
        if span is None:
            return
        first, last, length = span
        complete = length if self._complete is None else self._complete
        if first <= self._before or length != complete or last - first + 1 != entry.size:
            raise _ambiguous(f"part {entry.number}: a range that doesn't fit")
        if member is None:
            raise _ambiguous(f"part {entry.number}: a notice that is a range")
        spec = member.spec
        if entry.said.is_base64 or spec.compression or spec.format not in _LINE_BY_LINE:
            raise BadUpstream(
                Code.MEMBER_UNSUPPORTED, f"part {entry.number}: a range that is read as a whole"
            )
        self._before, self._complete = last, complete


@dataclass(frozen=True, slots=True)
class Container:
    """See `archive.Container`."""

    stored: Stored
    directory: Directory

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.directory.entries

    def contents(self, number: int) -> Contents:
        return Contents(self.stored, self.directory.entry(number))

    def writer(self, sink: Sink) -> "Writer":
        return Writer(self, sink)


class Writer:
    """See `archive.Writer`."""

    def __init__(self, container: Container, sink: Sink) -> None:
        self._container, self._sink, self._written = container, sink, False

    def copy(self, number: int) -> None:
        entry = self._container.directory.entry(number)
        self._copy(entry.start, entry.end)
        self._end()

    def change(self, number: int, fill: Callable[[Sink], None]) -> None:
        entry = self._container.directory.entry(number)
        if entry.said.range:
            raise unsupported("a part that is a range would change")
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
            raise unsupported("a notice among ranges of a document")
        self._sink.write(as_part(self._container.directory.boundary, name, data))
        self._end()

    def finish(self) -> None:
        if not self._written:
            raise unsupported("no part would be left")
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


def unsupported(note: str) -> BadUpstream:
    return BadUpstream(Code.REDACTION_UNSUPPORTED, note)


def _ambiguous(note: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, note)
