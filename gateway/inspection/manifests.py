"""Manifests: which members of an archive their records vouch for, and reconciliation.

Each record of a manifest names members by their exact names, from the root of the archive or from
the manifest's own folder, and their owners as `subject` says. What a manifest names must be there,
once. A record without an owner vouches for nothing, but its member must be there all the same.

What is read here is read a second time, by the manifest's own format, which decides what a record
is: where the two disagree, one of them refuses.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators, stated
from gateway.inspection.locators import Finder
from gateway.inspection.settings import Limits, MemberSpec
from gateway.inspection.source import Body, InMemory
from gateway.inspection.stated import NOTHING, Stated
from gateway.inspection.tally import Owners

if TYPE_CHECKING:
    from gateway.inspection.archive import Contents
    from gateway.inspection.formats import Reader

__all__ = ["Manifest", "Voucher", "Vouchers", "reconcile"]

_BATCH = 1024
"""Records of a manifest that are looked at together."""


@dataclass(frozen=True, slots=True)
class Voucher:
    """Who owns one member, the manifest (its member number) that says so, and what it states of
    the member's bytes."""

    owners: Owners
    manifest: int
    stated: Stated = NOTHING


Vouchers = Mapping[str, Voucher]
"""Full member name → its one voucher."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A member that vouches for others."""

    contents: "Contents"
    spec: MemberSpec


def reconcile(manifests: Iterable[Manifest], names: frozenset[str], limits: Limits) -> Vouchers:
    """The vouchers of all manifests, over the names of all members that are files.

    Raises BadUpstream: MANIFEST_MISMATCH for an entry without a member, for one that means two
    members, and for a member vouched for twice; else as the formats do.
    """
    vouchers: dict[str, Voucher] = {}
    for manifest in manifests:
        entry = manifest.contents.entry
        folder = entry.name[: entry.name.rfind("/") + 1]
        for owners, name, said in _read(manifest, limits):
            meant = {name, folder + name} & names
            if len(meant) != 1:
                which = "several members" if meant else "a member that is missing"
                raise BadUpstream(
                    Code.MANIFEST_MISMATCH, f"the manifest at member {entry.number} names {which}"
                )
            (full,) = meant
            if full in vouchers:
                raise BadUpstream(
                    Code.MANIFEST_MISMATCH,
                    f"the manifest at member {entry.number} names a member for the second time",
                )
            vouchers[full] = Voucher(owners, entry.number, said)
    return vouchers


def owner_of_archive(manifest: Manifest, limits: Limits) -> Owners:
    """Whom a member names that says whose the whole archive is; empty if nobody.

    Raises BadUpstream(BODY_AMBIGUOUS) where its records name different owners.
    """
    spec, records = _records(manifest, limits)
    attributor = locators.Attributor(spec.subject)
    found = {attributor.of(record) for record in records}
    if len(found) > 1:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "the archive's owner is named in several ways")
    return found.pop() if found else ()


def _read(manifest: Manifest, limits: Limits) -> Iterator[tuple[Owners, str, Stated]]:
    """Owners, member name and what is stated, for each member that each record names."""
    spec, records = _records(manifest, limits)
    yield from _vouched(records, spec)


def _records(manifest: Manifest, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    from gateway.inspection.formats import FORMATS  # the table holds the archives, too

    reader: Reader | None = FORMATS.get(manifest.spec.format)
    if reader is None or reader.vouching is None:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a manifest that has no records")
    source = InMemory(_text(manifest.contents, limits))
    return reader.vouching(Body(source, (), limits), manifest.spec, limits)


def _text(contents: "Contents", limits: Limits) -> bytes:
    """The whole manifest, which is read at once."""
    pieces, size = [], 0
    for chunk in contents.chunks():
        pieces.append(chunk)
        size += len(chunk)
        if size > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a manifest over limits.record")
    return b"".join(pieces)


def _vouched(records: Iterable[Any], spec: MemberSpec) -> Iterator[tuple[Owners, str, Stated]]:
    attributor = locators.Attributor(spec.subject)
    named = Finder(spec.vouches_for or "$", "vouches_for")
    sized = Finder(spec.sizes, "sizes") if spec.sizes else None
    hashed = {name: Finder(locator, "hashes") for name, locator in spec.hashes.items()}
    following = iter(records)
    while batch := [*islice(following, _BATCH)]:
        members = named.each(batch)
        sizes = _beside(batch, sized, "sizes", members)
        hashes = [(name, _beside(batch, each, "hashes", members)) for name, each in hashed.items()]
        for at, owners in enumerate(attributor.each(batch)):
            for place, name in enumerate(members[at]):
                if type(name) is not str:
                    raise BadUpstream(Code.BODY_AMBIGUOUS, "a manifest names a member by no text")
                digests = tuple(
                    (algorithm, stated.digest(algorithm, found[at][place]))
                    for algorithm, found in hashes
                    if found[at]
                )
                size = stated.size(sizes[at][place]) if sizes[at] else None
                yield owners, name, Stated(size, digests) if sizes[at] or digests else NOTHING


def _beside(
    records: Sequence[Any], finder: Finder | None, key: str, members: Sequence[list[Any]]
) -> Sequence[list[Any]]:
    """What each of a manifest's records states of each of its members, in their order; or of
    none."""
    if finder is None:
        return [[]] * len(records)
    beside = finder.each(records)
    if any(
        found and len(found) != len(names) for found, names in zip(beside, members, strict=True)
    ):
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"a manifest has {key} for some of its members")
    return beside
