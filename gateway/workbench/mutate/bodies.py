"""A whole body: the units that leave or stay by themselves, whose they are, and edits of it.

A unit is a record, or an opaque member of an archive. Two readings of a body (the fixture, and what
left of it) are compared by their units' texts, byte for byte.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from gateway.inspection.formats.csv import column
from gateway.inspection.locators import Attributor, find
from gateway.inspection.locators import compile as compiled
from gateway.inspection.manifests import Manifest, Vouchers, reconcile
from gateway.inspection.members import Member, first_match
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.inspection.tally import Owners
from gateway.inspection.zipdata import Contents
from gateway.inspection.zipdirectory import Entry, read_directory
from gateway.inspection.zipfields import UTF8
from gateway.inspection.zipwriter import Digest, MemberSink, ZipWriter
from gateway.model import Attribution, Decision, Format, Group
from gateway.workbench.mutate.tables import Table, table

_ANY = Attribution.DIRECT


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: the member it is in (empty: the body is no archive), its number in it (None for an
    opaque member), and its text, or a digest of it."""

    member: str
    index: int | None
    text: bytes

    @property
    def identity(self) -> tuple[str, bytes]:
        """What is equal for a unit that was left as it is, whatever else is gone."""
        return self.member, self.text


@dataclass(frozen=True, slots=True)
class Owned:
    """A unit, whose it is, and its category."""

    unit: Unit
    owners: Owners
    category: str

    def leaves(self, decision: Decision) -> bool:
        return decision.releases(Group(self.owners, _ANY, self.category, 1))


@dataclass(frozen=True, slots=True)
class Part:
    """A structured text inside a body: the body itself (`name` empty), or a member."""

    name: str
    table: Table
    member: Member | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A body that the gateway has read. `entries` and `vouchers` are an archive's."""

    spec: BodySpec
    data: bytes
    parts: tuple[Part, ...]
    entries: tuple[Entry, ...] = ()
    vouchers: Vouchers | None = None
    members: Mapping[str, Member] | None = None

    def owned(self) -> tuple[Owned, ...]:
        """Every unit with its owners, in the order of the body."""
        inside = {part.name: iter(_owners(part)) for part in self.parts}
        found: list[Owned] = []
        for unit in self.units():
            if unit.index is not None:
                found.append(Owned(unit, *next(inside[unit.member])))
                continue
            assert self.members is not None
            member = self.members[unit.member]
            found.append(Owned(unit, member.outer_owners(), member.spec.category))
        return tuple(found)

    def units(self) -> tuple[Unit, ...]:
        """Every unit, without asking whose it is."""
        parts = {part.name: part for part in self.parts}
        if self.members is None:
            return _units(parts[""])
        found: list[Unit] = []
        for entry in self.entries:
            if entry.name in parts:
                found += _units(parts[entry.name])
            elif entry.name in self.members:
                found.append(Unit(entry.name, None, self._digest(entry)))
        return tuple(found)

    def edited(self, part: Part, changed: Table) -> bytes:
        """The body with another text in the place of a part's."""
        data = changed.encoded()
        if not part.name:
            return data
        return self._rebuilt(lambda entry: (entry, data if entry.name == part.name else None))

    def renamed(self, old: str, new: str) -> bytes:
        """The archive with one member under another name."""
        flag = 0 if new.isascii() else UTF8

        def named(entry: Entry) -> tuple[Entry, None]:
            if entry.name != old:
                return entry, None
            flags = entry.flags & ~UTF8 | flag
            return replace(entry, name=new, raw_name=new.encode(), flags=flags), None

        return self._rebuilt(named)

    def _rebuilt(self, each: Callable[[Entry], tuple[Entry, bytes | None]]) -> bytes:
        """The archive anew: members as they are, compressed, but for those with other contents."""
        sink = MemorySink()
        writer = ZipWriter(sink)
        for old in self.entries:
            entry, contents = each(old)
            if contents is None:
                digest = Digest(entry.crc, entry.size, entry.compressed)
                writer.begin(entry, Digest(0, 0, 0) if entry.is_directory else digest)
                sink.write(self.data[entry.data : entry.data + entry.compressed])
                continue
            for target in (None, sink):
                member = MemberSink(entry.method, target)
                if target:
                    writer.begin(entry, digest)
                member.write(contents)
                digest = member.finish()
        writer.finish()
        return sink.getvalue()

    def _digest(self, entry: Entry) -> bytes:
        raw = self.data[entry.data : entry.data + entry.compressed]
        digest = hashlib.sha256(entry.size.to_bytes(8, "big") + entry.crc.to_bytes(4, "big"))
        digest.update(raw)
        return digest.digest()


def dissect(data: bytes, spec: BodySpec) -> Body:
    """A body that the gateway's readers have taken, in its units. Raises what they raise."""
    if spec.format is not Format.ZIP:
        return Body(spec, data, (Part("", table(data, spec)),))
    stored = InMemory(data)
    entries = read_directory(stored, Limits()).entries
    files = [entry for entry in entries if not entry.is_directory]
    matches = {entry.name: first_match(entry.name, spec.members) for entry in files}
    manifests = [
        Manifest(Contents(stored, entry), matches[entry.name][0])
        for entry in files
        if matches[entry.name][0].vouches_for is not None
    ]
    vouchers = reconcile(manifests, frozenset(matches), Limits())
    members: dict[str, Member] = {}
    parts: list[Part] = []
    for entry in files:
        voucher = vouchers.get(entry.name)
        member = Member(*matches[entry.name], vouched=voucher.owners if voucher else ())
        members[entry.name] = member
        if member.is_structured:
            text = b"".join(Contents(stored, entry).chunks())
            parts.append(Part(entry.name, table(text, member.spec), member))
    return Body(spec, data, tuple(parts), tuple(entries), vouchers, members)


def _units(part: Part) -> tuple[Unit, ...]:
    text = part.table.text
    return tuple(
        Unit(part.name, index, text[begin:end])
        for index, (begin, end) in enumerate(part.table.records)
    )


def _owners(part: Part) -> Iterator[tuple[Owners, str]]:
    """Whose each record is, and its category."""
    spec = part.table.spec
    attributor = Attributor(_paths(spec))
    for index in range(len(part.table.records)):
        owners = attributor.of(part.table.record(index)) if spec.subject else ()
        if part.member is not None:
            owners = part.member.owners(owners)
        yield owners, spec.category


def _paths(spec: BodySpec | MemberSpec) -> tuple[Mapping[str, tuple[str, ...]], ...]:
    """The subject with JSONPaths, also where a CSV's locators are bare names."""
    if spec.format is not Format.CSV:
        return spec.subject
    return tuple(
        {kind: tuple(map(_path, locators)) for kind, locators in owner.items()}
        for owner in spec.subject
    )


def _path(locator: str) -> str:
    escaped = column(locator).replace("\\", r"\\").replace("'", r"\'")
    return f"$['{escaped}']"


def vouched(part: Part, index: int, names: frozenset[str]) -> tuple[str, ...]:
    """Those of the `names` that a record of a manifest names, from the root or its own folder."""
    spec = part.table.spec
    if not isinstance(spec, MemberSpec) or spec.vouches_for is None:
        return ()
    path = _path(spec.vouches_for) if spec.format is Format.CSV else spec.vouches_for
    folder = part.name[: part.name.rfind("/") + 1]
    values = find(part.table.record(index), compiled(path))
    return tuple(
        full
        for value in values
        if isinstance(value, str)
        for full in {value, folder + value} & names
    )
