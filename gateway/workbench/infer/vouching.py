"""Members that name other members: manifests, and folders that are called like an owner."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.workbench.infer.evidence import Candidate
from gateway.workbench.infer.fields import Field, fields
from gateway.workbench.infer.looks import Look, look
from gateway.workbench.infer.shapes import Place
from gateway.workbench.infer.words import Role, entity, role, words

_MANIFESTS = frozenset({"manifest", "index", "catalog", "catalogue", "inventory", "contents"})
_MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class Voucher:
    """A field whose values name members; `owners` are those of the records, by member named.

    `missing` counts values that name no member, `twice` those that name one again.
    """

    match: str
    field: Field
    owners: Mapping[str, Any]
    missing: int
    twice: int

    @property
    def sound(self) -> bool:
        """Whether the gateway would take it for a manifest: each entry has its own member."""
        return not self.missing and not self.twice

    @property
    def rank(self) -> tuple[bool, bool, int]:
        named = bool(_MANIFESTS & set(words(self.match)))
        return (self.sound, named, len(self.owners))


def vouchers(
    match: str, members: Sequence[str], place: Place, owner: Candidate, names: frozenset[str]
) -> Iterator[Voucher]:
    """The fields of a place's records that name members. `members` are the names of those that
    the records are from, one for each sample of the place."""
    for field in fields(place):
        if field.several or field.unfit or field.present < len(field.values):
            continue
        owners: dict[str, Any] = {}
        missing = twice = 0
        for index, (value,) in enumerate(field.values):
            folder = members[field.samples[index]].rpartition("/")[0]
            meant = _meant(value, folder, names)
            if meant is None:
                missing += 1
            elif meant in owners:
                twice += 1
            else:
                found = owner.field.values[index]
                owners[meant] = found[0] if found else None
        if len(owners) > _MOSTLY * len(field.values):
            yield Voucher(match, field, owners, missing, twice)


def _meant(value: Any, folder: str, names: frozenset[str]) -> str | None:
    if not isinstance(value, str):
        return None
    full = f"{folder}/{value}" if folder else value
    found = {value, full} & names
    return next(iter(found)) if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Folder:
    """A pattern with a capture, and whether the captured are owners found elsewhere, too."""

    match: str
    proven: bool


def folder(match: str, names: Sequence[str], owners: Mapping[str, str]) -> Folder | None:
    """The pattern with `{kind}` in the place of the part of the names that is an owner.

    `owners` are the identifiers found inside other members, each with its kind.
    """
    segments = match.split("/")
    columns = list(zip(*(name.split("/") for name in names), strict=True))
    for index, segment in enumerate(segments):
        ending = segment[1:] if segment.startswith("*") else ""
        values = [value.removesuffix(ending) for value in columns[index]]
        kinds = {owners.get(value) for value in values}
        if len(kinds) == 1 and None not in kinds and segment in (values[0], f"*{ending}"):
            return _captured(segments, index, str(kinds.pop()), ending, proven=True)
    for index, segment in enumerate(segments[:-1]):
        above = segments[index - 1] if index else ""
        if segment != "*":
            continue
        emails = all(look(value) is Look.EMAIL for value in columns[index])
        if emails or role((above,))[0] is Role.OWNER:
            kind = "email" if emails else entity((above,))
            return _captured(segments, index, kind, "", proven=False)
    return None


def _captured(
    segments: Sequence[str], index: int, kind: str, ending: str, *, proven: bool
) -> Folder:
    changed = [*segments]
    changed[index] = f"{{{kind}}}{ending}"
    return Folder("/".join(changed), proven)
