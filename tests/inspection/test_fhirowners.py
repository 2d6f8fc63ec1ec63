"""Whose a resource is: all patients in whose compartment it is, or nobody's that can be told."""

from typing import Any

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import fhirowners
from gateway.inspection.fhirreferences import Patients, Place
from gateway.inspection.fhirtypes import NOBODYS, ROWS

MRN = "https://hospital.example/mrn"
PATIENTS = Patients(({"fhir": ("Patient",), "mrn": (MRN,)},), ("https://h.example/r4",))
TO_ME, TO_OTHER = {"reference": "Patient/me"}, {"reference": "Patient/other"}
TO_DOCTOR = {"reference": "Practitioner/9"}


def of(resource: Any, place: Place = Place()) -> Any:  # noqa: B008 - frozen
    """The owners' values, `nobody`, or `untold`."""
    found = fhirowners.of(resource, place, PATIENTS)
    if found.owners:
        return {owner.value for owner in found.owners}
    return "nobody" if found.nobodys else "untold"


def a(kind: str, **elements: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": "1", **elements}


def nested(path: tuple[str, ...], value: Any, many: bool) -> dict[str, Any]:
    for step in reversed(path):
        value = {step: [value] if many else value}
    return value


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("many", [False, True])
def test_each_element_of_the_compartment_leads_to_the_owner(kind: str, many: bool) -> None:
    about, others = ROWS[kind]
    own = {"Patient/1"} if kind == "Patient" else set()
    for path in about + others:
        assert of(a(kind, **nested(path, TO_ME, many))) == {"Patient/me"} | own
    for path in others:
        mention = of(a(kind, **nested(path, TO_DOCTOR, many)))
        assert mention == (own or "untold")
        foreign = {"reference": "https://other.example/Patient/1"}
        assert of(a(kind, **nested(path, foreign, many))) == "untold"
    for path in about:
        for other in TO_DOCTOR, {"reference": "Group/1"}, {"display": "me"}, {}:
            assert of(a(kind, **nested(path, other, many))) == "untold"


@pytest.mark.parametrize("kind", sorted(NOBODYS))
def test_a_type_about_no_patient_is_nobodys_whatever_it_mentions(kind: str) -> None:
    assert of(a(kind, subject=TO_ME, patient=TO_ME)) == "nobody"


@pytest.mark.parametrize(
    "resource",
    [
        a("Bundle", entry=[]), a("Binary", securityContext=TO_ME), a("Parameters"), a("Contract"),
        a("patient"), a("Nutrition"), a(""), {}, {"id": "1"}, {"resourceType": ["Patient"]},
        [], "x", 1, None, a("Patient") | {"id": "a/b"}, {"resourceType": "Patient"},
        a("Patient", contained={"a": 1}), a("Organization", contained="x"),
    ],
)  # fmt: skip
def test_what_is_no_resource_whose_owner_can_be_told_has_none(resource: Any) -> None:
    assert of(resource) == "untold"


def test_a_patient_owns_herself_together_with_those_she_is_linked_to() -> None:
    assert of(a("Patient")) == {"Patient/1"}
    linked = a("Patient", link=[{"other": TO_OTHER, "type": "seealso"}, {"other": TO_ME}])
    assert of(linked) == {"Patient/1", "Patient/me", "Patient/other"}


def test_a_patient_elsewhere_has_the_names_of_her_identifiers_only() -> None:
    elsewhere = Place(ours=False)
    assert of(a("Patient"), elsewhere) == "untold"
    known = a("Patient", identifier=[{"system": MRN, "value": "42"}])
    assert of(known, elsewhere) == {"42"}
    assert of(known) == {"Patient/1"}


def test_two_patients_own_a_record_together() -> None:
    assert of(a("Observation", subject=TO_ME, performer=[TO_OTHER, TO_ME])) == {
        "Patient/me", "Patient/other",
    }  # fmt: skip
    assert of(a("Account", subject=[TO_ME, TO_OTHER])) == {"Patient/me", "Patient/other"}


def test_one_whom_we_do_not_know_among_those_it_is_about_leaves_it_untold() -> None:
    assert of(a("Account", subject=[TO_ME, TO_ME])) == {"Patient/me"}
    assert of(a("Account", subject=[TO_ME, {"reference": "Device/1"}])) == "untold"
    assert of(a("Group", member=[{"entity": TO_ME}, {"entity": {"reference": "#x"}}])) == "untold"


def test_other_elements_are_mentions() -> None:
    """Owner, not mention: whom a record is about, not whom it names."""
    record = a("MedicationRequest", subject=TO_ME, requester=TO_OTHER, recorder=TO_DOCTOR)
    assert of(record) == {"Patient/me"}
    assert of(a("Observation", subject=TO_ME, focus=[TO_OTHER])) == {"Patient/me"}


# Contained resources


def test_a_contained_patient_is_an_owner_where_an_identifier_says_who() -> None:
    patient = a("Patient", identifier=[{"system": MRN, "value": "42"}]) | {"id": "p"}
    record = a("Observation", subject={"reference": "#p"}, contained=[patient])
    assert of(record) == {"42"}
    assert of({**record, "subject": TO_ME}) == {"42", "Patient/me"}
    for anonymous in patient | {"identifier": []}, patient | {"identifier": [{"value": "42"}]}:
        assert of({**record, "contained": [anonymous]}) == "untold"
        assert of({**record, "subject": TO_ME, "contained": [anonymous]}) == "untold"
        assert of(a("Practitioner", contained=[anonymous])) == "untold"


def test_a_contained_resource_about_another_patient_has_that_owner_too() -> None:
    hers = a("Observation", subject=TO_OTHER) | {"id": "o"}
    assert of(a("DiagnosticReport", subject=TO_ME, contained=[hers])) == {
        "Patient/me", "Patient/other",
    }  # fmt: skip
    assert of(a("Practitioner", contained=[hers])) == {"Patient/other"}
    unknown = hers | {"subject": {"reference": "urn:uuid:x"}}
    assert of(a("DiagnosticReport", subject=TO_ME, contained=[unknown])) == "untold"


def test_contained_resources_that_are_about_nobody_change_nothing() -> None:
    inner = [a("Practitioner"), a("Medication"), a("Observation"), a("RelatedPerson")]
    assert of(a("MedicationRequest", subject=TO_ME, contained=inner)) == {"Patient/me"}
    assert of(a("Location", contained=[a("Organization")])) == "nobody"


@pytest.mark.parametrize(
    "inner",
    [a("Bundle"), a("Binary"), a("Parameters"), {}, 1, None, {"resourceType": {}},
     a("Practitioner", contained=[])],
)  # fmt: skip
def test_a_contained_resource_that_may_be_anybodys_leaves_all_of_it_untold(inner: Any) -> None:
    assert of(a("Observation", subject=TO_ME, contained=[inner])) == "untold"
    assert of(a("Observation", subject=TO_ME, contained=[a("Medication")])) == {"Patient/me"}


def test_two_contained_resources_with_one_id_are_not_told_apart() -> None:
    inner = [a("Practitioner") | {"id": "x"}, a("Organization") | {"id": "x"}]
    record = a("Observation", performer=[{"reference": "#x"}], subject=TO_ME, contained=inner)
    assert of(record) == "untold"
    assert of({**record, "contained": inner[:1]}) == {"Patient/me"}


def test_what_a_mask_left_behind_is_as_if_it_were_not_there() -> None:
    masked = a("Observation", subject=TO_ME, performer=[None, TO_DOCTOR], contained=None)
    assert of(masked) == of(masked | {"performer": None}) == {"Patient/me"}
    assert of(a("Observation", subject=None)) == of(a("Group", member=[None])) == "untold"


@pytest.mark.parametrize(
    "resource",
    [
        a("Observation", subject="Patient/me"),
        a("Observation", subject=[[TO_ME]]),
        a("Observation", subject=TO_ME, Subject=TO_OTHER),
        a("Observation", subject={**TO_ME, "Reference": "Patient/other"}),
        a("Claim", patient=TO_ME, payee={"party": TO_ME, "PARTY": TO_OTHER}),
        a("Observation", subject=TO_ME, contained=[a("Patient", ID="x")]),
        {"resourceType": "Observation", "resourcetype": "Patient", "subject": TO_ME},
    ],
)
def test_what_two_readers_take_differently_is_ambiguous(resource: Any) -> None:
    with pytest.raises(BadUpstream) as caught:
        of(resource)
    assert caught.value.code is Code.BODY_AMBIGUOUS
