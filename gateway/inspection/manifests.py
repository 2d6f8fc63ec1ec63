"""Manifests: which members of an archive their records vouch for, and reconciliation.

Each record of a manifest names members by their exact names, from the root of the archive or from
the manifest's own folder, and their owners as `subject` says. What a manifest names must be there,
once. A record without an owner vouches for nothing, but its member must be there all the same.

What is read here is read a second time, by the manifest's own format, which decides what a record
is: where the two disagree, one of them refuses.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators
from gateway.inspection.charset import read_text
from gateway.inspection.jsontext import BOM, SPACE, parse
from gateway.inspection.rows import Dialect, Rows
from gateway.inspection.settings import Limits, MemberSpec
from gateway.inspection.tally import Owners
from gateway.inspection.zipdata import Contents
from gateway.model import Format

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

    contents: Contents
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
    spec, entry = manifest.spec, manifest.contents.entry
    if entry.size > limits.record:
        raise BadUpstream(Code.BODY_TOO_LARGE, "a manifest over limits.record")
    match spec.format:
        case Format.JSON:
            text = b"".join(manifest.contents.chunks()).removeprefix(BOM)
            root = parse(text, limits.depth)
            yield from _vouched(locators.find(root, locators.compile(spec.records)), spec)
        case Format.NDJSON:
            lines = b"".join(manifest.contents.chunks()).removeprefix(BOM).split(b"\n")
            parsed = (parse(line, limits.depth) for line in lines if line.strip(SPACE))
            yield from _vouched(parsed, spec)
        case Format.CSV:
            spec = _with_paths(spec)
            yield from _vouched(_rows(manifest, limits, spec), spec)
        case Format.ZIP | Format.OPAQUE:
            raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a manifest that has no records")
        case other:
            assert_never(other)


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


def _with_paths(spec: MemberSpec) -> MemberSpec:
    """Where a CSV's locator is a column's bare name, the JSONPath to it."""

    def path(locator: str) -> str:
        escaped = locator.replace("\\", r"\\").replace("'", r"\'")
        return locator if locator.startswith("$") else f"$['{escaped}']"

    subject = tuple(
        {kind: tuple(map(path, found)) for kind, found in owner.items()} for owner in spec.subject
    )
    return replace(spec, subject=subject, vouches_for=path(spec.vouches_for or "$"))


def _rows(manifest: Manifest, limits: Limits, spec: MemberSpec) -> Iterator[dict[str, str]]:
    """The rows of a CSV manifest as records: column → text, empty cells left out."""
    _, text = read_text(manifest.contents.chunks(), spec.encoding)
    rows = Rows(text, Dialect(spec.delimiter or ",", spec.quote or '"'), limits)
    if not set(locators.compile(spec.vouches_for or "$")) <= set(rows.names):
        raise BadUpstream(Code.MANIFEST_MISMATCH, "a manifest without its column of members")
    every = range(len(rows.names))
    for batch in rows.batches(every):
        for cells in batch.keys:
            named = zip(rows.names, cells, strict=True)
            yield {name: cell.decode() for name, cell in named if cell}
