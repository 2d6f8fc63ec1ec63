"""What an engineer should look at before they believe a proposal."""

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.inspection.locators import Steps, Wildcard, find
from gateway.model import Format
from gateway.workbench.infer.evidence import Candidate
from gateway.workbench.infer.looks import Look, is_identifying, look
from gateway.workbench.infer.shapes import Place, written
from gateway.workbench.infer.specimens import Contents, Specimen
from gateway.workbench.infer.words import Role, person, role

_NAMED = 4
_TELLING = frozenset({Look.PATIENT, Look.EMAIL, Look.IBAN, Look.PHONE, Look.UUID})


def about_samples(samples: Sequence[Specimen], read: Sequence[Contents]) -> Iterator[str]:
    """Dialect and encoding, where they had to be guessed."""
    for sample, each in zip(samples, read, strict=True):
        for note in each.notes:
            yield f"{sample.name}: {note}"


def about_place(
    form: Format,
    place: Place,
    read: Sequence[Contents],
    chosen: Candidate | None,
    ranked: Sequence[Candidate],
) -> Iterator[str]:
    """Third persons, partial and disagreeing fields, maps, and scalars of the envelope."""
    mentions = [
        each.field.locator
        for each in ranked
        if each.role is Role.THIRD and each.field.look not in (Look.DATE, Look.NO_IDENTIFIER)
    ]
    if mentions:
        yield f"third persons, mentioned and no owners (mask them?): {_listed(mentions)}"
    if chosen and chosen.role is Role.AUTHOR:
        yield f"{chosen.field.locator} is whoever wrote it: make sure that they own it"
    if chosen and chosen.field.several:
        yield f"{chosen.field.locator} may find several owners: all of them must be permitted"
    for each in ranked:
        if each.role in (Role.OWNER, Role.AUTHOR) and is_identifying(each.field.look):
            yield from _about_gaps(each)
    yield from _about_disagreement(ranked)
    if _is_patient(place) and chosen and chosen.field.locator == "$.id":
        yield "other resources name this patient Patient/<id>: the caller needs the bare id, too"
    if place.keyed:
        yield (
            f"{place.locator} is a map: no locator reads its names, so that an identifier which is"
            " only a name can't be compared"
        )
    if form is Format.JSON and place.steps:
        yield from _about_envelope(place, read)


def _about_gaps(candidate: Candidate) -> Iterator[str]:
    field = candidate.field
    records = len(field.values)
    if field.unfit:
        yield (
            f"{field.locator} is null or no identifier in {field.unfit} of {records} records: the"
            " gateway refuses such a body where it is the owner"
        )
    elif field.present < records:
        yield f"{field.locator} is only in {field.present} of {records} records"


def _about_disagreement(ranked: Sequence[Candidate]) -> Iterator[str]:
    """Two identifiers of one person and kind that are mostly the same."""
    owners = [each for each in ranked if each.role is Role.OWNER and not each.field.several]
    for index, one in enumerate(owners):
        for other in owners[index + 1 :]:
            if one.kind != other.kind or person(one.field.steps) != person(other.field.steps):
                continue
            pairs = enumerate(zip(one.field.values, other.field.values, strict=True))
            differ = [at for at, (a, b) in pairs if a and b and a != b]
            if differ:
                yield (
                    f"{one.field.locator} and {other.field.locator} disagree in {len(differ)} of"
                    f" {len(one.field.values)} records, first in record {differ[0]}"
                )


def _is_patient(place: Place) -> bool:
    first = next((record for each in place.records for record in each), None)
    return isinstance(first, dict) and first.get("resourceType") == "Patient"


def _about_envelope(place: Place, read: Sequence[Contents]) -> Iterator[str]:
    """Scalars around the records stay in every answer, whoever's records are left in it. Whatever
    else stands there is nobody's."""
    personal: dict[str, None] = {}
    stray: dict[str, None] = {}
    for each in read:
        for steps, value in _around(each.value, place):
            if isinstance(value, dict | list):
                stray |= {written(steps): None} if value else {}
            elif type(value) in (str, int) and _is_personal(steps, value):
                personal[written(steps)] = None
    if personal:
        yield f"in the envelope, where it stays in every answer: {_listed(list(personal))}"
    if stray:
        yield (
            f"beside the records, each counts as one record without an owner: {_listed([*stray])};"
            " an export that holds more than one kind of records can't be told apart"
        )


def _around(document: Any, place: Place) -> Iterator[tuple[Steps, Any]]:
    """What stands on the way to the records, and isn't on it."""
    for length, on in enumerate(place.steps):
        above = place.steps[:length]
        if any(isinstance(step, Wildcard) for step in above):
            return
        for parent in find(document, above):
            for name, value in parent.items() if isinstance(parent, dict) else ():
                if on not in (name, Wildcard.MEMBERS):
                    yield (*above, name), value


def _is_personal(steps: Steps, value: Any) -> bool:
    return role(steps)[0] in (Role.OWNER, Role.THIRD) or look(value) in _TELLING


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
