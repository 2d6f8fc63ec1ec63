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
from gateway.inspection import locators
from gateway.inspection.settings import Limits, MemberSpec
from gateway.inspection.source import Body, InMemory
from gateway.inspection.tally import Owners

if TYPE_CHECKING:
    from gateway.inspection.archive import Contents

__all__ = ["Manifest", "Voucher", "Vouchers", "reconcile"]


@dataclass(frozen=True, slots=True)
class Voucher:
    """Who owns one member, and the manifest (its member number) that says so."""

    owners: Owners
    manifest: int


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
        for owners, name in _read(manifest, limits):
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
            vouchers[full] = Voucher(owners, entry.number)
    return vouchers


def _read(manifest: Manifest, limits: Limits) -> Iterator[tuple[Owners, str]]:
    """Owners and member name, for each member that each record names."""
    from gateway.inspection.formats import FORMATS  # the table holds the archives, too

    reader = FORMATS.get(manifest.spec.format)
    if reader is None or reader.vouching is None:
        raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a manifest that has no records")
    source = InMemory(_text(manifest.contents, limits))
    spec, records = reader.vouching(Body(source, (), limits), manifest.spec, limits)
    yield from _vouched(records, spec)


def _text(contents: "Contents", limits: Limits) -> bytes:
    """The whole manifest, which is read at once."""
    pieces, size = [], 0
    for chunk in contents.chunks():
        pieces.append(chunk)
        size += len(chunk)
        if size > limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a manifest over limits.record")
    return b"".join(pieces)


def _vouched(records: Iterable[Any], spec: MemberSpec) -> Iterator[tuple[Owners, str]]:
    attributor = locators.Attributor(spec.subject)
    steps = locators.compile(spec.vouches_for or "$")
    for record in records:
        owners = attributor.of(record)
        locators.check_names(record, steps, "vouches_for")
        for name in locators.find(record, steps):
            if type(name) is not str:
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a manifest names a member by no text")
            yield owners, name
