"""Whose a FHIR resource is: the patients in whose compartment it is, by the references in it.

All patients that its compartment elements name own it together. It is unattributed where an element
that says who it is about leads to no patient we know, where another one leads to a patient that we
can't name, and where it has none.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection import fhirtypes
from gateway.inspection.fhirreferences import (
    PATIENT,
    Meant,
    Patients,
    Place,
    Told,
    inside,
    resolve,
)
from gateway.inspection.tally import Owners
from gateway.model import SubjectRef


class Ownership(NamedTuple):
    """Whose a resource is. `nobodys` where it is about no patient, which isn't the same as a
    resource whose owner can't be told."""

    owners: Owners
    nobodys: bool = False


UNTOLD = Ownership(())


def of(resource: Any, place: Place, patients: Patients, url: str | None = None) -> Ownership:
    """The owners of a resource, and of those that it contains (R4: references.html#contained).

    `url` is the name that a Bundle gives it. A Patient has its id for a name where there is no url,
    or one on our server, and else what `inside` says. Raises BadUpstream(BODY_AMBIGUOUS) for what
    readers take in two ways.
    """
    if type(resource) is not dict:
        return UNTOLD
    fhirtypes.check_names(resource)
    # null, which FHIR doesn't have, is what a mask leaves behind.
    kind, contained = resource.get("resourceType"), resource.get("contained") or []
    if type(kind) is not str or type(contained) is not list:
        return UNTOLD
    inner = Place(place.ours, place.entries, _by_id(contained, patients))
    found: _Found
    if kind == PATIENT:
        own = patients.named(resource.get("id")) if place.ours else ()
        meant = own or inside(resource, patients, url or "")
        found = _together(_known(meant), _owners(resource, kind, inner, patients))
    elif kind in fhirtypes.ROWS:
        found = _owners(resource, kind, inner, patients) or None
    else:
        found = () if kind in fhirtypes.NOBODYS else None
    for each in contained:
        found = _together(found, _contained(each, inner, patients))
    if found is None:
        return UNTOLD
    return Ownership(tuple(dict.fromkeys(found)), nobodys=not found)


_Found = tuple[SubjectRef, ...] | None
"""Owners, perhaps none; None where they can't be told."""


def _together(one: _Found, other: _Found) -> _Found:
    return None if one is None or other is None else one + other


def _known(meant: Meant) -> _Found:
    return None if isinstance(meant, Told) else meant


def _contained(resource: Any, place: Place, patients: Patients) -> _Found:
    """What a contained resource adds. It has no name of its own outside of the one around it."""
    if type(resource) is not dict or "contained" in resource:
        return None
    fhirtypes.check_names(resource)
    kind = str(resource.get("resourceType"))
    if kind == PATIENT:
        known = _known(inside(resource, patients))
        return _together(known, _owners(resource, PATIENT, place, patients))
    if kind in fhirtypes.ROWS:
        return _owners(resource, kind, place, patients)
    return () if kind in fhirtypes.NOBODYS else None


def _owners(resource: dict[str, Any], kind: str, place: Place, patients: Patients) -> _Found:
    about, others = fhirtypes.ROWS[kind]
    owners: dict[SubjectRef, None] = {}
    for reference in _references(resource, about):
        told = resolve(reference, place, patients)
        if isinstance(told, Told):
            return None
        owners.update(dict.fromkeys(told))
    for reference in _references(resource, others):
        told = resolve(reference, place, patients)
        if told is Told.PATIENT:
            return None
        if not isinstance(told, Told):
            owners.update(dict.fromkeys(told))
    return tuple(owners)


def _references(
    resource: dict[str, Any], paths: Iterable[tuple[str, ...]]
) -> Iterator[Mapping[str, Any]]:
    """The References at the paths. Raises BadUpstream(BODY_AMBIGUOUS) for anything else there."""
    for path in paths:
        found: list[Any] = [resource]
        for step in path:
            found = [
                child for parent in found if step in parent for child in _objects(parent[step])
            ]
        yield from found


def _objects(value: Any) -> list[dict[str, Any]]:
    given = value if type(value) is list else [value]
    objects = [each for each in given if each is not None]
    for each in objects:
        if type(each) is not dict:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "no object where FHIR has a reference")
        fhirtypes.check_names(each)
    return objects


def _by_id(contained: list[Any], patients: Patients) -> dict[str, Meant]:
    found: dict[str, Meant] = {}
    for each in contained:
        if type(each) is dict and type(each.get("id")) is str:
            twice = each["id"] in found
            found[each["id"]] = Told.PATIENT if twice else inside(each, patients)
    return found
