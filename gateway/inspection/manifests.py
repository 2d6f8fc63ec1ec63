"""Manifests: which members of an archive their records vouch for, and reconciliation.

Each record of a manifest names members by their exact names, from the root of the archive or from
the manifest's own folder, and their owners as `subject` says. What a manifest names must be there,
once. A record without an owner vouches for nothing, but its member must be there all the same.

What is read here is read a second time, by the manifest's own format, which decides what a record
is: where the two disagree, one of them refuses.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators, stated
from gateway.inspection.settings import Limits, MemberSpec
from gateway.inspection.source import Body, InMemory
from gateway.inspection.stated import NOTHING, Stated
from gateway.inspection.tally import Owners

if TYPE_CHECKING:
    from gateway.inspection.archive import Contents
    from gateway.inspection.formats import Reader

__all__ = ["Manifest", "Voucher", "Vouchers", "reconcile"]


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
    steps = locators.compile(spec.vouches_for or "$")
    for record in records:
        owners = attributor.of(record)
        locators.check_names(record, steps, "vouches_for")
        names = locators.find(record, steps)
        sizes = _beside(record, spec.sizes, "sizes", len(names))
        hashes = {
            algorithm: _beside(record, locator, "hashes", len(names))
            for algorithm, locator in spec.hashes.items()
        }
        for place, name in enumerate(names):
            if type(name) is not str:
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a manifest names a member by no text")
            digests = tuple(
                (algorithm, stated.digest(algorithm, found[place]))
                for algorithm, found in hashes.items()
                if found
            )
            size = stated.size(sizes[place]) if sizes else None
            yield owners, name, Stated(size, digests)


def _beside(record: Any, locator: str | None, key: str, names: int) -> list[Any]:
    """What a manifest's record states of each of its members, in their order; or of none."""
    if locator is None:
        return []
    steps = locators.compile(locator)
    locators.check_names(record, steps, key)
    found = locators.find(record, steps)
    if found and len(found) != names:
        raise BadUpstream(Code.BODY_AMBIGUOUS, f"a manifest has {key} for some of its members")
    return found
