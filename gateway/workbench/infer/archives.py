"""Sample archives → the `members:` of a body: one entry for members that are alike.

A structured member is read like a body of its own. For the others an owner is looked for outside:
in a manifest that names them, or in their names. Those for which nothing speaks get no entry, so
that the gateway withholds them.
"""

import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import BadUpstream
from gateway.inspection.settings import BodySpec
from gateway.model import Format
from gateway.workbench.infer.looks import shortened
from gateway.workbench.infer.patterns import Likeness, Named, patterns
from gateway.workbench.infer.specimens import Specimen, contents, member, prove, refused
from gateway.workbench.infer.tables import Table, read_table
from gateway.workbench.infer.vouching import Folder, Voucher, folder, vouchers
from gateway.workbench.unusable import Unusable
from gateway.workbench.wording import plain

_HEAD = 4096
_READ = 200
"""Structured members of one kind that evidence is taken from; the proposal is tried on all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `members:`. `others` are settings that are nearly as likely."""

    named: Named
    settings: Mapping[str, Any]
    table: Table | None = None
    others: tuple[Mapping[str, Any], ...] = ()
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Archives:
    """What a configuration could say of the archives."""

    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = field(default=())


def read_archives(samples: Sequence[Specimen]) -> Archives:
    """Raises Unusable for an archive that the gateway would refuse."""
    held: dict[str, list[Specimen]] = {}
    for sample in samples:
        for each in _members(sample):
            held.setdefault(each.name, []).append(each)
    if not held:
        raise Unusable(f"{samples[0].name}: an archive without members")
    names = frozenset(held)
    warnings: list[str] = []
    tables: list[tuple[Named, Table]] = []
    opaque: list[Named] = []
    for named in patterns({name: _likeness(found[0]) for name, found in held.items()}):
        first = held[named.names[0]][0]
        if first.format is Format.OPAQUE:
            opaque.append(named)
            continue
        specimens = [each for name in named.names for each in held[name]][:_READ]
        table = read_table(specimens)
        tables.append((named, table))
        warnings += [f"{plain(named.match)}: {each}" for each in table.warnings]
    vouching = sorted(_vouchers(tables, names), key=lambda each: each.rank, reverse=True)
    manifest = next((each for each in vouching if each.sound), None)
    warnings += _about_vouchers(vouching, manifest)
    warnings += _about_owners(tables)
    entries = [_structured(named, table, manifest, vouching) for named, table in tables]
    owners = _owners(tables)
    without = 0
    for named in opaque:
        entry = _opaque(named, manifest, owners)
        if entry is None:
            without += len(named.names)
            warnings.append(f"{named.match}: {_count(named)} without an owner: withheld")
        else:
            entries.append(entry)
    if without:
        warnings.append(f"{without} of {len(held)} members have no owner that anything speaks for")
    return Archives(tuple(entries), tuple(warnings))


def _members(sample: Specimen) -> Iterator[Specimen]:
    """The files of an archive that the gateway would read; of opaque ones only the beginning."""
    try:
        prove(sample, BodySpec(Format.ZIP))
    except BadUpstream as refusal:
        raise Unusable(f"{sample.name}: {refused(refusal)}") from None
    with zipfile.ZipFile(io.BytesIO(sample.data)) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            with archive.open(info) as file:
                head = file.read(_HEAD)
                found = member(info.filename, head)
                # What the beginning can't tell, the whole may.
                rest = b"" if found.format is Format.OPAQUE and len(head) == _HEAD else file.read()
            whole = member(info.filename, head + rest) if rest or len(head) < _HEAD else found
            yield _readable(whole)


def _readable(found: Specimen) -> Specimen:
    """A member as what its reader takes it for: opaque where the gateway would refuse it."""
    if found.format is Format.OPAQUE:
        return Specimen(found.name, b"", Format.OPAQUE)
    try:
        contents(found)
    except Unusable:
        return Specimen(found.name, b"", Format.OPAQUE)
    return found


def _likeness(specimen: Specimen) -> Likeness:
    if specimen.format is Format.OPAQUE:
        return (Format.OPAQUE,)
    read = contents(specimen)
    value = read.value
    if isinstance(value, list):
        value = value[0] if value else {}
    names = frozenset(value) if isinstance(value, dict) else frozenset[str]()
    return (specimen.format, tuple(sorted(read.options.items())), _salient(names))


def _salient(names: frozenset[str]) -> frozenset[str]:
    """Names of fields that say what a document is; many names are data themselves."""
    return names if len(names) <= 64 else frozenset()


# --- entries ------------------------------------------------------------------------------------


def _vouchers(tables: Sequence[tuple[Named, Table]], names: frozenset[str]) -> Iterator[Voucher]:
    for named, table in tables:
        owner = table.chosen.candidate
        if owner and len(table.chosen.place.records) == len(named.names):
            yield from vouchers(named.match, named.names, table.chosen.place, owner, names)


def _structured(
    named: Named, table: Table, manifest: Voucher | None, vouching: Sequence[Voucher]
) -> Entry:
    def settings(read: Mapping[str, Any]) -> dict[str, Any]:
        found = {"match": named.match, **read}
        if manifest and manifest.match == named.match and "subject" in read:
            found["vouches_for"] = manifest.field.locator
        return found

    tied = manifest and any(
        other.rank == manifest.rank and other.match == named.match
        for other in vouching
        if other is not manifest
    )
    others = tuple(settings(rival.settings) for rival in table.rivals)
    return Entry(named, settings(table.chosen.settings), table, others, table.sure and not tied)


def _opaque(named: Named, manifest: Voucher | None, owners: Mapping[str, str]) -> Entry | None:
    if manifest and any(name in manifest.owners for name in named.names):
        return Entry(named, {"match": named.match, "attribution": "manifest"})
    found: Folder | None = folder(named.match, named.names, owners)
    if found is None:
        return None
    settings = {"match": found.match, "attribution": "path"}
    return Entry(named, settings, sure=found.proven)


def _owners(tables: Sequence[tuple[Named, Table]]) -> dict[str, str]:
    """Every identifier found inside members, as text, with its kind."""
    return {
        str(value): table.chosen.candidate.kind
        for _, table in tables
        if table.chosen.candidate and table.sure
        for value in table.chosen.candidate.field.exact
    }


def _about_vouchers(vouching: Sequence[Voucher], manifest: Voucher | None) -> Iterator[str]:
    for each in vouching:
        if not each.sound and manifest is None:
            yield (
                f"{each.match}: {each.field.locator} looks like a manifest, but names"
                f" {each.missing} members that are not there and {each.twice} twice: the gateway"
                " would refuse it"
            )
    for each in vouching:
        if manifest is None or each is manifest:
            continue
        shared = [name for name in each.owners if name in manifest.owners]
        if shared:
            yield (
                f"{each.match}: {each.field.locator} names {len(shared)} of the members that"
                f" {manifest.match} vouches for; only one of them can be the manifest"
            )
        differ = [name for name in shared if each.owners[name] != manifest.owners[name]]
        if differ:
            one, other = manifest.owners[differ[0]], each.owners[differ[0]]
            yield (
                f"{len(differ)} members have another owner in {each.match} than in"
                f" {manifest.match}: {plain(differ[0])} is {shortened(other)}'s there,"
                f" {shortened(one)}'s here"
            )


def _about_owners(tables: Sequence[tuple[Named, Table]]) -> Iterator[str]:
    """Several persons in one archive: an export of one person should have one."""
    kinds: dict[str, Counter[Any]] = {}
    where: dict[str, dict[Any, dict[str, None]]] = {}
    for named, table in tables:
        candidate = table.chosen.candidate
        if candidate and table.sure:
            kinds.setdefault(candidate.kind, Counter()).update(candidate.field.exact)
            for value in set(candidate.field.exact):
                found = where.setdefault(candidate.kind, {}).setdefault(value, {})
                found[named.match] = None
    for kind, counts in kinds.items():
        if len(counts) > 1:
            shown = "; ".join(
                f"{shortened(value)} ({count} in {', '.join([*where[kind][value]][:3])})"
                for value, count in counts.most_common(3)
            )
            yield f"records of {len(counts)} persons ({kind}) together: {shown}"


def _count(named: Named) -> str:
    return f"{len(named.names)} members" if len(named.names) > 1 else "a member"
