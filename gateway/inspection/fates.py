"""What becomes of each entry of an archive under a verdict, and a new archive of those that stay.

An entry is dropped, copied as it is, or has records taken out of it. What a manifest lists must be
what remains: it and its members stay or go together, or the archive can't be redacted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import assert_never

from msgspec import structs

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import notice
from gateway.inspection.archive import (
    Archive,
    Entry,
    Writer,
    folders_of,
    groups_hollow,
    groups_inside,
    reader_of,
)
from gateway.inspection.members import Member
from gateway.inspection.sinks import CodedSink, Sink, under
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts, Format, Group


class Way(Enum):
    """What becomes of an entry."""

    DROP = auto()
    COPY = auto()
    CHANGE = auto()


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an entry, and of how many of its records; `is_hollow` where these are not
    inside it."""

    way: Way
    seen: int
    kept: int
    is_hollow: bool = False


def rewrite(archive: Archive, verdict: Verdict, sink: Sink) -> Counts:
    """Write a new archive of what the verdict keeps, of the very bytes that `count` has proven.

    Raises BadUpstream(REDACTION_UNSUPPORTED) where a manifest and its members don't stay or go
    together.
    """
    entries = archive.container.entries
    fates = {entry.number: decide(archive, entry, verdict) for entry in entries}
    _check_manifests(archive, fates, verdict)
    _check_holder(archive, fates)
    kept = (entry for entry in entries if fates[entry.number].way is not Way.DROP)
    folders = folders_of(kept)
    writer = archive.container.writer(sink)
    for entry in entries:
        fate = fates[entry.number]
        if entry.is_directory and fate.seen == 0 and entry.name not in folders:
            continue
        write(archive, entry, fate, verdict, writer)
    seen = sum(fate.seen for fate in fates.values())
    released = sum(fate.kept for fate in fates.values())
    if archive.around.notice and released < seen:
        gone = sum(fates[number].way is Way.DROP for number in archive.members)
        writer.add(archive.around.notice, notice.text(seen - released, gone))
    writer.finish()
    return Counts(seen=seen, released=released, redacted=seen - released)


def write(archive: Archive, entry: Entry, fate: Fate, verdict: Verdict, writer: Writer) -> None:
    """Write what becomes of an entry."""
    match fate.way:
        case Way.DROP:
            return
        case Way.COPY:
            writer.copy(entry.number)
        case Way.CHANGE:
            writer.change(entry.number, _Change(archive, entry, fate, verdict))
        case _:
            assert_never(fate.way)


def decide(archive: Archive, entry: Entry, verdict: Verdict) -> Fate:
    """What becomes of an entry under a verdict. Raises BadUpstream as reading it does."""
    if entry.number == archive.notice:
        return Fate(Way.DROP, 0, 0)
    member = archive.members.get(entry.number)
    inside: tuple[Group, ...] = ()
    sealed = True
    if member and member.is_structured:
        found = archive.inside(entry, member)
        inside, sealed = groups_inside(found, member), found.sealed
        groups = inside or groups_hollow(member)
    else:
        groups = archive.groups_outside(entry)
    seen = sum(group.records for group in groups)
    kept = sum(group.records for group in groups if verdict.keeps(group.owners, group.category))
    if member and seen == 0:
        # Nobody knows whose it is, but its name and the text around the records may tell of
        # someone.
        return Fate(Way.DROP, 0, 0)
    if seen and not kept:
        return Fate(Way.DROP, seen, 0)
    masks = verdict.mask and member and member.spec.format is not Format.OPAQUE
    changes = not sealed or (bool(inside) and (kept < seen or bool(masks)))
    return Fate(Way.CHANGE if changes else Way.COPY, seen, kept, is_hollow=not inside)


def _check_manifests(archive: Archive, fates: Mapping[int, Fate], verdict: Verdict) -> None:
    """Each record of a manifest goes where its member goes."""
    for entry in archive.container.entries:
        voucher = archive.vouchers.get(entry.name)
        if voucher is None:
            continue
        manifest = archive.members[voucher.manifest]
        listed = verdict.keeps(manifest.owners(voucher.owners), manifest.spec.category)
        if listed != (fates[entry.number].way is not Way.DROP):
            raise BadUpstream(
                Code.REDACTION_UNSUPPORTED,
                f"member {entry.number} and its record in the manifest at member "
                f"{voucher.manifest} would not stay together",
            )
        if voucher.stated and fates[entry.number].way is Way.CHANGE:
            raise BadUpstream(
                Code.REDACTION_UNSUPPORTED,
                f"member {entry.number} would no longer be what its manifest states",
            )


def _check_holder(archive: Archive, fates: Mapping[int, Fate]) -> None:
    """Where the member that names the owner of all goes, nothing may stay that is owned by it."""
    if archive.holder is None or fates[archive.holder].way is not Way.DROP:
        return
    for number, member in archive.members.items():
        owned = member.spec.attribution is Attribution.CONTAINER
        if owned and fates[number].way is not Way.DROP:
            raise BadUpstream(
                Code.REDACTION_UNSUPPORTED, f"member {number} would stay without its owner's name"
            )


@dataclass(frozen=True, slots=True)
class _Change:
    """Writes what stays of a structured member."""

    archive: Archive
    entry: Entry
    fate: Fate
    verdict: Verdict

    def __call__(self, sink: Sink) -> None:
        archive, fate = self.archive, self.fate
        member = archive.members[self.entry.number]
        inside = _verdict_inside(member, fate, self.verdict)
        reader = reader_of(member.spec)
        compression = member.spec.compression
        target = under((), compression, sink) if compression else sink
        with archive.opened(self.entry, member) as source:
            counts = reader.rewrite(source, member.spec, archive.limits, inside, target)
        if isinstance(target, CodedSink):
            target.finish()
        expected = (0, 0) if fate.is_hollow else (fate.seen, fate.kept)
        if (counts.seen, counts.released) != expected:
            raise InternalError(Code.INTERNAL_ERROR, "redaction and inspection count differently")


def _verdict_inside(member: Member, fate: Fate, verdict: Verdict) -> Verdict:
    """The verdict for a reader that knows only the owners inside: it keeps the same records."""
    owners, decision = member.outer_owners(), verdict.decision
    if not member.tells:
        stays = verdict.keeps(owners, member.spec.category)
        decision = structs.replace(decision, release_unattributed=stays)
    elif not all(owner in decision.permitted for owner in owners):
        decision = structs.replace(decision, permitted=frozenset())
    return replace(verdict, decision=decision, totals_drop=fate.seen - fate.kept)
