"""ZIP archives: whose each member is, and a new archive of those that stay.

A member is one record, or made of records where its `MemberSpec` names a format. Its owner comes
from its own content, from a manifest in the same archive, or from its name; where these name
different owners, the archive is ambiguous. A member that no pattern matches, one that its
configuration finds no owner for, and an empty directory are one unattributed record each. A
structured member without records is one record of those whom its name or a manifest names: that
it is there tells of them.

Kept members are copied as they are, compressed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import detection
from gateway.inspection.manifests import Manifest, Vouchers, reconcile
from gateway.inspection.members import Member, first_match
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Body, Source, read
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.inspection.zipdata import Contents
from gateway.inspection.zipdirectory import Directory, Entry, read_directory
from gateway.inspection.zipwriter import Digest, MemberSink, ZipWriter
from gateway.model import Attribution, Counts, Group
from gateway.response import Payload

if TYPE_CHECKING:
    from gateway.inspection.formats import Reader

MEDIA_TYPES = ("application/zip", "application/x-zip-compressed")

_STARTS = (b"PK\x03\x04", b"PK\x05\x06")

_UNATTRIBUTED = Group((), Attribution.NONE, "", 1, (0,))


@dataclass(frozen=True, slots=True)
class _Archive:
    """One reading of the container and its manifests, the same for inspecting and rewriting.

    `members` are by entry number, directories left out; `folders` are those that hold a file.
    """

    body: Body
    limits: Limits
    directory: Directory
    members: dict[int, Member]
    vouchers: Vouchers
    folders: frozenset[str]

    def contents(self, entry: Entry) -> Contents:
        return Contents(self.body.stored, entry)


def detect(_payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    if not head.startswith(_STARTS):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Read every member to its end; count it, or the records in it. Raises BadUpstream."""
    archive = _open(source, spec, limits)
    meter = archive.body.meter
    meter.inspected = archive.body.stored.size - archive.directory.compressed
    meter.decoded = 0
    for entry in archive.directory.entries:
        contents = archive.contents(entry)
        member = archive.members.get(entry.number)
        if member and member.is_structured:
            inside = _inspect_inside(contents, member, limits)
            tally.add_fields(inside.fields)
            groups = _groups_inside(inside, member) or _groups_hollow(member)
        else:
            contents.prove()
            groups = _groups_outside(archive, entry)
        if member:
            tally.add_member()
        tally.add_groups(groups)
        meter.inspected += entry.compressed
        meter.decoded += entry.size


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write a new archive of what the verdict keeps, of the very bytes that `inspect` has proven.

    Raises BadUpstream(REDACTION_UNSUPPORTED) where a manifest and its members don't stay or go
    together.
    """
    archive = _open(source, spec, limits)
    fates = {entry.number: _decide(archive, entry, verdict) for entry in archive.directory.entries}
    _check_manifests(archive, fates, verdict)
    kept = (
        entry for entry in archive.directory.entries if fates[entry.number].way is not _Way.DROP
    )
    folders = _folders(entry.name for entry in kept if not entry.is_directory)
    writer = ZipWriter(sink)
    for entry in archive.directory.entries:
        fate = fates[entry.number]
        if entry.is_directory and fate.seen == 0 and entry.name[:-1] not in folders:
            continue
        match fate.way:
            case _Way.DROP:
                continue
            case _Way.COPY:
                _copy(archive, entry, writer, sink)
            case _Way.REWRITE:
                _rewrite_member(archive, entry, fate, verdict, writer, sink)
    writer.finish()
    seen = sum(fate.seen for fate in fates.values())
    released = sum(fate.kept for fate in fates.values())
    return Counts(seen=seen, released=released, redacted=seen - released)


def _open(source: Source, spec: BodySpec | MemberSpec, limits: Limits) -> _Archive:
    if not isinstance(source, Body) or not isinstance(spec, BodySpec):
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "an archive inside an archive")
    stored = source.plain()
    directory = read_directory(stored, limits)
    files = [entry for entry in directory.entries if not entry.is_directory]
    matches = {entry.number: first_match(entry.name, spec.members) for entry in files}
    manifests = [
        Manifest(Contents(stored, entry), matches[entry.number][0])
        for entry in files
        if matches[entry.number][0].vouches_for is not None
    ]
    vouchers = reconcile(manifests, frozenset(entry.name for entry in files), limits)
    members: dict[int, Member] = {}
    for entry in files:
        voucher = vouchers.get(entry.name)
        members[entry.number] = Member(
            *matches[entry.number], vouched=voucher.owners if voucher else ()
        )
    folders = _folders(entry.name for entry in files)
    return _Archive(source, limits, directory, members, vouchers, folders)


def _folders(names: Iterable[str]) -> frozenset[str]:
    """Every folder that one of the files is in, at any depth."""
    folders: set[str] = set()
    for name in names:
        parent = name.rpartition("/")[0]
        while parent and parent not in folders:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
    return frozenset(folders)


def _reader(spec: MemberSpec) -> "Reader":
    from gateway.inspection.formats import FORMATS  # the table holds this module, too

    reader = FORMATS[spec.format]
    if reader.random_access:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "an archive inside an archive")
    return reader


def _inspect_inside(contents: Contents, member: Member, limits: Limits) -> Tally:
    inside = Tally(limits)
    _reader(member.spec).inspect(contents, member.spec, limits, inside)
    _check_proven(contents)
    return inside


def _check_proven(contents: Contents) -> None:
    if not contents.proven:
        raise InternalError(Code.INTERNAL_ERROR, "a member's reader stopped before its end")


def _groups_inside(inside: Tally, member: Member) -> tuple[Group, ...]:
    """A structured member's records, with the owners that its name and a manifest add."""
    own = bool(member.spec.subject)
    return tuple(
        replace(
            group,
            owners=member.owners(group.owners),
            attribution=group.attribution if own else member.spec.attribution,
        )
        for group in inside.groups
    )


def _groups_hollow(member: Member) -> tuple[Group, ...]:
    """What a structured member counts for that has no records."""
    owners = member.outer_owners()
    attribution = Attribution.PATH if member.named else Attribution.MANIFEST
    return (Group(owners, attribution, member.spec.category, 1, (0,)),) if owners else ()


def _groups_outside(archive: _Archive, entry: Entry) -> tuple[Group, ...]:
    """What a member counts for that is one record, and a directory, that is one if it is empty."""
    member = archive.members.get(entry.number)
    if member is None:
        return () if entry.name[:-1] in archive.folders else (_UNATTRIBUTED,)
    owners, spec = member.outer_owners(), member.spec
    return (Group(owners, spec.attribution, spec.category, 1, (0,)),)


class _Way(Enum):
    """What becomes of a member."""

    DROP = auto()
    COPY = auto()
    REWRITE = auto()


@dataclass(frozen=True, slots=True)
class _Fate:
    """What becomes of a member, and of how many of its records."""

    way: _Way
    seen: int
    kept: int


def _decide(archive: _Archive, entry: Entry, verdict: Verdict) -> _Fate:
    member = archive.members.get(entry.number)
    inside: tuple[Group, ...] = ()
    if member and member.is_structured:
        found = _inspect_inside(archive.contents(entry), member, archive.limits)
        inside = _groups_inside(found, member)
        groups = inside or _groups_hollow(member)
    else:
        groups = _groups_outside(archive, entry)
    seen = sum(group.records for group in groups)
    kept = sum(group.records for group in groups if verdict.keeps(group.owners, group.category))
    if member and seen == 0:
        # Nobody knows whose it is, but its name and the text around the records may tell of
        # someone.
        return _Fate(_Way.DROP, 0, 0)
    if seen and not kept:
        return _Fate(_Way.DROP, seen, 0)
    changes = bool(inside) and (kept < seen or bool(verdict.mask))
    return _Fate(_Way.REWRITE if changes else _Way.COPY, seen, kept)


def _check_manifests(archive: _Archive, fates: dict[int, _Fate], verdict: Verdict) -> None:
    """What a manifest lists must be what remains: each record goes where its member goes."""
    for entry in archive.directory.entries:
        voucher = archive.vouchers.get(entry.name)
        if voucher is None:
            continue
        manifest = archive.members[voucher.manifest]
        listed = verdict.keeps(manifest.owners(voucher.owners), manifest.spec.category)
        if listed != (fates[entry.number].way is not _Way.DROP):
            raise BadUpstream(
                Code.REDACTION_UNSUPPORTED,
                f"member {entry.number} and its record in the manifest at member "
                f"{voucher.manifest} would not stay together",
            )


def _copy(archive: _Archive, entry: Entry, writer: ZipWriter, sink: Sink) -> None:
    if entry.is_directory:
        writer.begin(entry, Digest(0, 0, 0))
        return
    writer.begin(entry, Digest(entry.crc, entry.size, entry.compressed))
    for chunk in read(archive.body.stored, entry.data, entry.data + entry.compressed):
        sink.write(chunk)


def _rewrite_member(
    archive: _Archive,
    entry: Entry,
    fate: _Fate,
    verdict: Verdict,
    writer: ZipWriter,
    sink: Sink,
) -> None:
    """Write what stays of a structured member.

    Twice: the header before it holds its sizes, and it may be too big for memory.
    """
    digest = _rewrite_inside(archive, entry, fate, verdict, None)
    writer.begin(entry, digest)
    if _rewrite_inside(archive, entry, fate, verdict, sink) != digest:
        raise InternalError(Code.INTERNAL_ERROR, "a member was rewritten in two ways")


def _rewrite_inside(
    archive: _Archive, entry: Entry, fate: _Fate, verdict: Verdict, target: Sink | None
) -> Digest:
    member, contents = archive.members[entry.number], archive.contents(entry)
    rewritten = MemberSink(entry.method, target)
    counts = _reader(member.spec).rewrite(
        contents, member.spec, archive.limits, _verdict_inside(member, fate, verdict), rewritten
    )
    _check_proven(contents)
    if (counts.seen, counts.released) != (fate.seen, fate.kept):
        raise InternalError(Code.INTERNAL_ERROR, "redaction and inspection count differently")
    return rewritten.finish()


def _verdict_inside(member: Member, fate: _Fate, verdict: Verdict) -> Verdict:
    """The verdict for a reader that knows only the owners inside: it keeps the same records."""
    owners, decision = member.outer_owners(), verdict.decision
    if not member.spec.subject:
        stays = verdict.keeps(owners, member.spec.category)
        decision = replace(decision, release_unattributed=stays)
    elif not all(owner in decision.permitted for owner in owners):
        decision = replace(decision, permitted=frozenset())
    return replace(verdict, decision=decision, totals_drop=fate.seen - fate.kept)
