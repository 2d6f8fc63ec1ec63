"""Which patient a FHIR reference means (R4: references.html, bundle.html#references).

A patient is `Patient/23` on one of the configured servers (`base`), and nowhere else: a reference
to another server's Patient/23 is one to a patient that nobody here knows. What a configured system
says of an identifier is a patient, too (a logical reference).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection import fhirtypes
from gateway.inspection.locators import LocatorError, identifier
from gateway.inspection.tally import Owners
from gateway.inspection.writable import Owners as Subject
from gateway.model import SubjectRef

PATIENT = "Patient"
"""The locator of the patients that literal references lead to."""


class Told(Enum):
    """What is told of a reference that leads to no patient we know."""

    OTHER = "other"  # something that is no patient
    PATIENT = "patient"  # a patient, but not which
    NOTHING = "nothing"


_SYSTEM = re.compile(r"[a-z][a-z0-9+.-]{1,31}:[!-~]{1,1000}")
# R4 references.html#literal; no identifier is a dot that a path would swallow.
_ID = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9.-]{1,64}"
_RESTFUL = re.compile(
    rf"(?:(?P<root>https?://[!-~]{{1,1000}})/)?(?P<type>[A-Z][A-Za-z]{{1,63}})/(?P<id>{_ID})"
    rf"(?:/_history/{_ID})?"
)
_CONDITIONAL = re.compile(
    r"(?P<type>[A-Z][A-Za-z]{1,63})\?identifier=(?P<system>[^|&%+#?]+)\|(?P<value>[^|&%+#?]+)"
)
_LONGEST = 1024


@lru_cache(maxsize=4096)
def locator(text: str) -> str:
    """A locator of `subject`: `Patient`, or the system of an identifier. Raises LocatorError."""
    if text != PATIENT and not _SYSTEM.fullmatch(text):
        raise LocatorError(
            f"{text!r}: FHIR has {PATIENT}, or the system (a URI) of a patient's identifiers"
        )
    return text


class Url(NamedTuple):
    """A RESTful URL: its root (None if relative), a resource type and an id, without a version."""

    root: str | None
    type: str
    id: str


def restful(text: str) -> Url | None:
    """The parts of `[root/]Type/id[/_history/version]`; None for anything else."""
    match = _RESTFUL.fullmatch(text) if len(text) <= _LONGEST else None
    return Url(match["root"], match["type"], match["id"]) if match else None


class Patients:
    """The patients that an endpoint's configuration knows how to name."""

    def __init__(self, subject: Subject, base: tuple[str, ...]) -> None:
        self._base = frozenset(each.rstrip("/") for each in base)
        self._kinds: tuple[str, ...] = ()
        self._systems: dict[str, tuple[str, ...]] = {}
        for owner in subject:
            for kind, locators in owner.items():
                for each in map(locator, locators):
                    if each == PATIENT:
                        self._kinds += (kind,)
                    else:
                        self._systems[each] = (*self._systems.get(each, ()), kind)

    def serves(self, root: str) -> bool:
        """Whether a root is one of the configured servers'."""
        return root in self._base

    def named(self, id: Any) -> Owners:
        """The patient with this id on our server; none for what is no id."""
        if type(id) is not str or restful(f"{PATIENT}/{id}") is None or "/" in id:
            return ()
        return tuple(SubjectRef(kind, f"{PATIENT}/{id}") for kind in self._kinds)

    def identified(self, system: Any, value: Any) -> Owners:
        """The patient with this identifier, where its system is configured."""
        kinds = self._systems.get(system, ()) if type(system) is str else ()
        if not kinds:
            return ()
        if type(value) is not str:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "an identifier whose value is no text")
        exact = identifier(value, "an identifier's system")
        return tuple(SubjectRef(kind, exact) for kind in kinds)


Meant = Owners | Told
"""Who is meant: a patient by all names that we know, never none."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reference stands: what it is relative to, and what it may name.

    `ours` where a relative one means our server. `entries` are those of the Bundle, by their
    `urn:`, `contained` the resources inside the same one, by their id.
    """

    ours: bool = True
    entries: Mapping[str, Meant] = field(default_factory=dict)
    contained: Mapping[str, Meant] = field(default_factory=dict)


def resolve(reference: Mapping[str, Any], place: Place, patients: Patients) -> Meant:
    """The patient that a Reference means, by all of the names that it gives them.

    Raises BadUpstream(BODY_AMBIGUOUS) for a Reference that contradicts itself.
    """
    literal, declared = reference.get("reference"), reference.get("type")
    if type(literal) not in (str, type(None)) or type(declared) not in (str, type(None)):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a reference that is no text")
    told: Meant = Told.NOTHING
    if literal is not None:
        told = _literal(literal, place, patients)
        is_patient = told is Told.PATIENT or isinstance(told, tuple)
        if declared is not None and (
            (is_patient and declared != PATIENT) or (told is Told.OTHER and declared == PATIENT)
        ):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a reference of another type than it says")
    if told is Told.NOTHING and declared is not None:
        told = Told.PATIENT if declared == PATIENT else _other(declared)
    logical = reference.get("identifier")
    if type(logical) not in (dict, type(None)):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a logical reference that is no identifier")
    if isinstance(logical, dict):
        fhirtypes.check_names(logical)
        owners = patients.identified(logical.get("system"), logical.get("value"))
        if owners and told is Told.OTHER:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a patient's identifier for something else")
        if owners:
            told = (told if isinstance(told, tuple) else ()) + owners
    return told


_MOST_NAMES = 8
"""Names that one patient may have here: each reference to them is all of these."""


def identities(patient: Mapping[str, Any], patients: Patients) -> Owners:
    """What a Patient's own identifiers say; for one that has no other name.

    Raises BadUpstream(BODY_TOO_COMPLEX) for more than a few.
    """
    given = patient.get("identifier")
    owners: dict[SubjectRef, None] = {}
    for each in given if isinstance(given, list) else ():
        if isinstance(each, dict):
            fhirtypes.check_names(each)
            found = patients.identified(each.get("system"), each.get("value"))
            owners.update(dict.fromkeys(found))
    if len(owners) > _MOST_NAMES:
        raise BadUpstream(Code.BODY_TOO_COMPLEX, "a patient with too many identifiers")
    return tuple(owners)


def inside(resource: Any, patients: Patients, url: str = "") -> Meant:
    """What is meant by the name of a resource in a Bundle (its `url`), or in another resource.

    The id of a Patient is a name outside of it only where it is the same as the `urn:uuid:` that
    the Bundle gives: two systems may both have a Patient/23, and not the same UUID.
    """
    kind = resource.get("resourceType") if type(resource) is dict else None
    if kind != PATIENT:
        return _other(kind)
    is_unique = type(resource.get("id")) is str and url == f"urn:uuid:{resource['id']}"
    own = patients.named(resource["id"]) if is_unique else ()
    return own or identities(resource, patients) or Told.PATIENT


def _literal(text: str, place: Place, patients: Patients) -> Meant:
    if text.startswith("#"):
        return place.contained.get(text[1:], Told.NOTHING)
    if text in place.entries:
        return place.entries[text]
    if parts := restful(text):
        root, kind, id = parts
        if kind != PATIENT:
            return _other(kind)
        ours = place.ours if root is None else patients.serves(root)
        return (patients.named(id) if ours else ()) or Told.PATIENT
    if len(text) <= _LONGEST and (match := _CONDITIONAL.fullmatch(text)):
        if match["type"] != PATIENT:
            return _other(match["type"])
        return patients.identified(match["system"], match["value"]) or Told.PATIENT
    return Told.NOTHING


def _other(kind: Any) -> Told:
    is_known = type(kind) is str and (kind in fhirtypes.ROWS or kind in fhirtypes.NOBODYS)
    return Told.OTHER if is_known and kind != PATIENT else Told.NOTHING
