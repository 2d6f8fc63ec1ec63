"""An archive, whatever its container: members, whose each of them is, and what is in them.

    container   zip, tar, …: reads its own structure, hands out entries and their contents
    archive     here: which specification reads an entry, who owns it, what it counts for
    fates       what becomes of each entry under a verdict, and the new archive
    manifests   members that vouch for others

A member is one record, or made of records where its `MemberSpec` names a format. Its owner comes
from its own content, from a manifest in the same archive, or from its name; where these name
different owners, the archive is ambiguous. A member that no pattern matches, one that its
configuration finds no owner for, and an empty directory are one unattributed record each. A
structured member without records is one record of those whom its name or a manifest names: that
it is there tells of them. A member that is an archive is read like one, two deep; what is in all of
them together unfolds to no more than one body may.

A new container is a `Container` and a `Writer`; `count` and `fates.rewrite` do the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec import structs

from gateway.errors import BadUpstream, Code, InternalError, Unavailable
from gateway.inspection import names
from gateway.inspection.inflation import Unfolding
from gateway.inspection.manifests import Manifest, Vouchers, owner_of_archive, reconcile
from gateway.inspection.members import Member, first_match, joint
from gateway.inspection.notice import find as find_notice
from gateway.inspection.proving import Proofs, check_proven
from gateway.inspection.scratch import Scratch
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Body, Meter, Source
from gateway.inspection.stated import Verified
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.unpacked import Unpacked
from gateway.model import Attribution, Group

if TYPE_CHECKING:
    from gateway.inspection.formats import Reader

_UNATTRIBUTED = Group((), Attribution.NONE, "", 1, (0,))


class Entry(Protocol):
    """One entry: `number` counts from 1 in the archive's order. The name of a directory ends with
    a slash, and it has no contents; `size` is that of the contents, in bytes."""

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def is_directory(self) -> bool: ...


class Contents(Protocol):
    """What is in one entry, as a `Source` that can be read again.

    `proven` is set once a reader has come to the end and everything was right.
    """

    @property
    def entry(self) -> Entry: ...
    @property
    def proven(self) -> bool: ...
    def chunks(self) -> Iterator[bytes]: ...


class Writer(Protocol):
    """Writes a new archive, entry by entry in their order."""

    def copy(self, number: int) -> None:
        """An entry as it is."""
        ...

    def change(self, number: int, fill: Callable[[Sink], None]) -> None:
        """An entry with other contents. `fill` writes them, the same ones each time: it is called
        twice where sizes stand before them, because they may be too big for memory."""
        ...

    def add(self, name: str, data: bytes) -> None:
        """A small file of our own."""
        ...

    def finish(self) -> None:
        """The end of the archive."""
        ...


class Container(Protocol):
    """A container whose whole structure was read and checked: no byte of it belongs to nothing, no
    two entries are one file for any reader. `entries[n - 1]` has the number n."""

    @property
    def entries(self) -> Sequence[Entry]: ...
    def contents(self, number: int) -> Contents: ...
    def writer(self, sink: Sink) -> Writer: ...


@dataclass(frozen=True, slots=True)
class Around:
    """What an archive has from what is around it: a scratch file for archives inside it, the
    counter of what they unfold to (none while rewriting: it was counted), the owners of all of it,
    and the name of the notice that something was left out."""

    scratch: Scratch | None = None
    unfolding: Unfolding | None = None
    owners: Owners = ()
    notice: str | None = None

    @classmethod
    def of(
        cls, body: Body, spec: BodySpec | MemberSpec, unfolding: Unfolding | None = None
    ) -> "Around":
        """Around an archive that is a body, or laid out from one."""
        notice = spec.removed_notice if isinstance(spec, BodySpec) else None
        return cls(body.scratch, unfolding, body.owners, notice)


@dataclass(frozen=True, slots=True)
class Archive:
    """One reading of the container and its manifests, the same for inspecting and rewriting.

    `members` are by entry number, directories left out; `folders` are those that hold a file.
    `holder` is the entry that names the owner of all of it, `notice` the one that says what was
    left out before.
    """

    container: Container
    limits: Limits
    around: Around
    members: dict[int, Member]
    vouchers: Vouchers
    folders: frozenset[str]
    holder: int | None = None
    notice: int | None = None

    def contents(self, entry: Entry) -> Contents:
        """The bytes of an entry, held against what a manifest states of them."""
        contents = self.container.contents(entry.number)
        voucher = self.vouchers.get(entry.name)
        return Verified(contents, voucher.stated) if voucher and voucher.stated else contents

    def inside(self, entry: Entry, member: Member) -> Tally:
        """The records in a structured member."""
        inside = Tally(self.limits)
        with self.opened(entry, member) as source:
            reader_of(member.spec).inspect(source, member.spec, self.limits, inside)
        if isinstance(source, Unpacked):
            inside.sealed = inside.sealed and source.sealed
        if isinstance(source, Body):
            inside.sealed = inside.sealed and not source.meter.unsealed
            if source.meter.inspected != source.stored.size:
                raise BadUpstream(
                    Code.BODY_INCOMPLETE, "some bytes of a member belong to no record"
                )
        return inside

    @contextmanager
    def opened(self, entry: Entry, member: Member) -> Iterator[Source]:
        """A structured member for its reader: decoded; for an archive, laid out in the scratch."""
        contents = _unpacked(self.contents(entry), member.spec, self.around)
        if not reader_of(member.spec).random_access:
            yield contents
            check_proven(contents)
            return
        scratch = self.around.scratch
        if scratch is None:
            raise Unavailable(
                Code.SPOOL_FAILED, "an archive inside an archive, and no scratch file"
            )
        with scratch.holding(contents.chunks()) as stored:
            check_proven(contents)
            yield Body(
                stored,
                (),
                self.limits,
                Meter(unsealed=int(isinstance(contents, Unpacked) and not contents.sealed)),
                scratch=scratch,
                unfolding=self.around.unfolding,
                owners=member.outer_owners(),
            )

    def undivided(self) -> list[Entry]:
        """The entries that are not made of records."""
        members = self.members
        return [
            entry
            for entry in self.container.entries
            if not (entry.number in members and members[entry.number].is_structured)
        ]

    def groups_outside(self, entry: Entry) -> tuple[Group, ...]:
        """What a member counts for that is one record, and a directory, that is one if empty."""
        member = self.members.get(entry.number)
        if entry.number == self.notice:
            return ()
        if member is None:
            return () if entry.name in self.folders else (_UNATTRIBUTED,)
        owners, spec = member.outer_owners(), member.spec
        return (Group(owners, spec.attribution, spec.category, 1, (0,)),)


def open_archive(
    container: Container,
    spec: BodySpec | MemberSpec,
    limits: Limits,
    around: Around = Around(),
) -> Archive:
    """Match each member with its specification, reconcile the manifests. Raises BadUpstream."""
    specs = spec.inner if isinstance(spec, MemberSpec) else spec.members
    notice = find_notice(container, around.notice) if around.notice else None
    files = [
        entry for entry in container.entries if not (entry.is_directory or entry.number == notice)
    ]
    matches = {entry.number: first_match(entry.name, specs) for entry in files}

    def manifest(entry: Entry) -> Manifest:
        spec, _ = matches[entry.number]
        return Manifest(_unpacked(container.contents(entry.number), spec, around), spec)

    manifests = [
        manifest(entry) for entry in files if matches[entry.number][0].vouches_for is not None
    ]
    holders = [entry for entry in files if matches[entry.number][0].owns_archive]
    if len(holders) > 1:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "two members say whose the archive is")
    held = around.owners
    for entry in holders:
        held = joint(held, owner_of_archive(manifest(entry), limits))
    vouchers = reconcile(manifests, frozenset(entry.name for entry in files), limits)
    members: dict[int, Member] = {}
    for entry in files:
        voucher = vouchers.get(entry.name)
        members[entry.number] = Member(
            *matches[entry.number], vouched=voucher.owners if voucher else (), held=held
        )
    folders = folders_of(entry for entry in container.entries if entry.number != notice)
    holder = holders[0].number if holders else None
    return Archive(container, limits, around, members, vouchers, folders, holder, notice)


def _unpacked(contents: Contents, spec: MemberSpec, around: Around) -> "Contents | Unpacked":
    if spec.compression:
        return Unpacked(contents, spec.compression, around.unfolding)
    return contents


def count(archive: Archive, tally: Tally, *, inflates: bool = False) -> Iterator[Entry]:
    """Read every member to its proven end, and count it or the records in it. `inflates` where that
    takes time, and what is one record may be read ahead.

    Yields each entry when that is done. Raises BadUpstream.
    """
    with Proofs(archive.contents, archive.undivided() if inflates else ()) as proofs:
        for entry in archive.container.entries:
            member, nested = archive.members.get(entry.number), 0
            if member and member.is_structured:
                inside = archive.inside(entry, member)
                tally.add_fields(inside.fields)
                tally.sealed = tally.sealed and inside.sealed
                groups = groups_inside(inside, member) or groups_hollow(member)
                nested = inside.members
            else:
                proofs.of(entry)
                tally.sealed = tally.sealed and entry.number != archive.notice
                groups = archive.groups_outside(entry)
            if member:
                tally.add_member(nested)
            tally.add_groups(groups)
            yield entry


def count_all(archive: Archive, size: int, tally: Tally) -> None:
    """Count every member; with what is around them, they must be all of `size` bytes.

    Raises BadUpstream as `count` does, and BODY_INCOMPLETE.
    """
    inspected = size - sum(entry.size for entry in archive.container.entries)
    inspected += sum(entry.size for entry in count(archive, tally))
    if inspected != size:
        raise BadUpstream(Code.BODY_INCOMPLETE, "some bytes of the archive belong to no member")


def at_random(source: Source) -> Body:
    """The body that a source is, for readers of containers."""
    if not isinstance(source, Body):
        raise InternalError(Code.INTERNAL_ERROR, "an archive that can't be read at random")
    return source


def folders_of(entries: Iterable[Entry]) -> frozenset[str]:
    """The names of the directories that one of the files is in, at any depth."""
    entries = tuple(entries)
    files = sorted(entry.name for entry in entries if not entry.is_directory)
    folders = (entry.name for entry in entries if entry.is_directory)
    return frozenset(name for name in folders if names.is_around(name, files))


def reader_of(spec: MemberSpec) -> "Reader":
    """The reader of a structured member."""
    from gateway.inspection.formats import FORMATS  # the table holds the archives, too

    return FORMATS[spec.format]


def groups_inside(inside: Tally, member: Member) -> tuple[Group, ...]:
    """A structured member's records, with the owners that its name and a manifest add."""
    own = member.tells
    return tuple(
        structs.replace(
            group,
            owners=member.owners(group.owners),
            attribution=group.attribution if own else member.spec.attribution,
        )
        for group in inside.groups
    )


def groups_hollow(member: Member) -> tuple[Group, ...]:
    """What a structured member counts for that has no records."""
    owners = member.outer_owners()
    attribution = Attribution.CONTAINER
    if member.named or member.vouched:
        attribution = Attribution.PATH if member.named else Attribution.MANIFEST
    elif member.told:
        attribution = Attribution.DIRECT
    return (Group(owners, attribution, member.spec.category, 1, (0,)),) if owners else ()
