"""References lead to a patient of ours, to something else, or nowhere: never to a guess."""

from typing import Any

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.fhirreferences import (
    Patients,
    Place,
    Told,
    identities,
    inside,
    locator,
    resolve,
    restful,
)
from gateway.inspection.locators import LocatorError
from gateway.model import SubjectRef

MRN = "https://hospital.example/mrn"
PATIENTS = Patients(({"fhir": ("Patient",), "mrn": (MRN,)},), ("https://h.example/r4",))
ME = (SubjectRef("fhir", "Patient/23"),)
NUMBER = (SubjectRef("mrn", "0042"),)
UUID = "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9"


def told(reference: Any, place: Place = Place(), **more: Any) -> Any:  # noqa: B008 - frozen
    return resolve({"reference": reference, **more}, place, PATIENTS)


@pytest.mark.parametrize("text", ["Patient", MRN, "urn:oid:1.2.36.146.595.217.0.1"])
def test_a_locator_is_the_patient_or_a_system(text: str) -> None:
    assert locator(text) == text


@pytest.mark.parametrize("text", ["patient", "Observation", "$.subject", "mrn", "https://a b", ""])
def test_anything_else_is_no_locator(text: str) -> None:
    with pytest.raises(LocatorError):
        locator(text)


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/23",
        "Patient/23/_history/7",
        "https://h.example/r4/Patient/23",
        "https://h.example/r4/Patient/23/_history/7",
    ],
)
def test_relative_absolute_and_versioned_references_mean_one_patient(reference: str) -> None:
    assert told(reference) == told(reference, type="Patient") == ME


@pytest.mark.parametrize(
    "reference",
    [
        "https://other.example/r4/Patient/23",
        "http://h.example/r4/Patient/23",
        "https://h.example/Patient/23",
        "https://h.example/r4/x/Patient/23",
        "https://h.example/r4/../r4/Patient/23",
        "https://H.example/r4/Patient/23",
        "https://h.example/r4//Patient/23",
        "Patient?identifier=https://unknown.example|1",
    ],
)
def test_a_patient_of_another_server_is_one_but_nobody_we_know(reference: str) -> None:
    assert told(reference) is Told.PATIENT
    assert told(reference.replace("Patient", "Practitioner")) is Told.OTHER


@pytest.mark.parametrize(
    "reference",
    [
        "", "Patient", "Patient/", "patient/23", "Patients/23", "/Patient/23", "Patient/23/",
        "Patient/23#a", "Patient/23?x=1", "Patient/2 3", "Patient/23\n", "Patient/é", "Patient/..",
        "Patient/.", "Patient/" + "1" * 65, "Patient/23/_history/", "Patient/23/Observation",
        "Patient/%32%33", UUID, "#p", "#", "urn:oid:1.2.3", "ftp://h.example/r4/Patient/23",
        "https://h.example/r4/Patient/23?x", "Patient?identifier=0042", "Patient?name=a",
        f"Patient?identifier={MRN}|0042&x=1", "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_reference_of_ours_means_nobody(reference: str) -> None:
    assert told(reference) in (Told.NOTHING, Told.PATIENT)


def test_relative_references_mean_the_server_that_they_come_from() -> None:
    assert told("Patient/23", Place(ours=False)) is Told.PATIENT
    assert told("Practitioner/23", Place(ours=False)) is Told.OTHER
    assert told("https://h.example/r4/Patient/23", Place(ours=False)) == ME


def test_a_base_may_be_written_with_a_slash_at_its_end() -> None:
    slashed = Patients(({"fhir": ("Patient",)},), ("https://h.example/r4/", "http://other"))
    for root in "https://h.example/r4", "http://other":
        assert resolve({"reference": f"{root}/Patient/23"}, Place(), slashed) == ME


def test_names_inside_a_bundle_and_inside_a_resource_are_looked_up() -> None:
    place = Place(entries={UUID: ME}, contained={"p": NUMBER, "q": Told.OTHER})
    assert told(UUID, place) == ME
    assert told("#p", place) == NUMBER
    assert told("#q", place) is Told.OTHER
    assert told(UUID.upper(), place) is told("#P", place) is Told.NOTHING


def test_a_logical_reference_means_a_patient_where_its_system_is_configured() -> None:
    logical = {"system": MRN, "value": "0042"}
    assert resolve({"identifier": logical}, Place(), PATIENTS) == NUMBER
    assert told(f"Patient?identifier={MRN}|0042") == NUMBER
    assert told("https://other.example/Patient/1", identifier=logical) == NUMBER
    for other in {"system": MRN + "/", "value": "0042"}, {"value": "0042"}, {"system": MRN[:-1]}:
        assert resolve({"identifier": other}, Place(), PATIENTS) is Told.NOTHING
        assert resolve({"identifier": other, "type": "Patient"}, Place(), PATIENTS) is Told.PATIENT


def test_a_reference_with_two_names_of_a_patient_means_both() -> None:
    assert told("Patient/23", identifier={"system": MRN, "value": "0042"}) == ME + NUMBER


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": 23},
        {"reference": ["Patient/23"]},
        {"reference": "Patient/23", "type": "Group"},
        {"reference": "Group/23", "type": "Patient"},
        {"reference": "Patient/23", "type": 1},
        {"reference": "Group/23", "identifier": {"system": MRN, "value": "0042"}},
        {"reference": "Patient/23", "identifier": [{"system": MRN, "value": "42"}]},
        {"identifier": {"system": MRN, "value": 42}},
        {"identifier": {"system": MRN, "value": ""}},
        {"identifier": {"system": MRN}},
        {"identifier": {"system": MRN, "value": "1", "Value": "2"}},
    ],
)
def test_a_reference_that_contradicts_itself_is_ambiguous(reference: dict[str, Any]) -> None:
    with pytest.raises(BadUpstream) as caught:
        resolve(reference, Place(), PATIENTS)
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_a_reference_with_a_display_only_tells_nothing() -> None:
    assert resolve({"display": "Dr. Smith"}, Place(), PATIENTS) is Told.NOTHING
    assert resolve({"type": "Practitioner"}, Place(), PATIENTS) is Told.OTHER


def test_an_id_is_a_name_in_a_bundle_only_where_it_is_the_same_uuid() -> None:
    """Two hospitals may both have a Patient/23."""
    one = {"resourceType": "Patient", "id": UUID.removeprefix("urn:uuid:")}
    assert inside(one, PATIENTS, UUID) == (SubjectRef("fhir", f"Patient/{one['id']}"),)
    assert inside({**one, "id": "23"}, PATIENTS, UUID) is Told.PATIENT
    assert inside({**one, "id": 23}, PATIENTS, UUID) is Told.PATIENT
    assert inside(one, PATIENTS) is Told.PATIENT
    named = {"resourceType": "Patient", "identifier": [{"system": MRN, "value": "0042"}]}
    assert inside(named, PATIENTS, UUID) == NUMBER
    assert inside({"resourceType": "Organization"}, PATIENTS, UUID) is Told.OTHER
    for nothing in None, [], {}, {"resourceType": ["Patient"]}, {"resourceType": "Bundle"}:
        assert inside(nothing, PATIENTS, UUID) is Told.NOTHING


def test_a_patient_has_few_identifiers() -> None:
    """Each reference to one is as many owners as it has."""
    many = [{"system": MRN, "value": str(n)} for n in range(9)]
    assert len(identities({"identifier": many[:8] * 9}, PATIENTS)) == 8
    with pytest.raises(BadUpstream) as caught:
        identities({"identifier": many}, PATIENTS)
    assert caught.value.code is Code.BODY_TOO_COMPLEX
    assert identities({"identifier": [1, {"system": "x"}]}, PATIENTS) == ()
    assert identities({"identifier": "x"}, PATIENTS) == ()


def test_without_the_patients_locator_an_id_names_nobody() -> None:
    by_number = Patients(({"mrn": (MRN,)},), ())
    assert resolve({"reference": "Patient/23"}, Place(), by_number) is Told.PATIENT
    assert by_number.named("23") == ()
    assert PATIENTS.named("23") == ME
    for no_id in None, 23, "", "a/b", "..", "a b", "23/_history/1", "1" * 65:
        assert PATIENTS.named(no_id) == ()


def test_a_restful_url_has_a_root_a_type_and_an_id() -> None:
    assert restful("https://h.example/a/b/Group/1/_history/2") == (
        "https://h.example/a/b", "Group", "1",
    )  # fmt: skip
    assert restful("Group/1") == (None, "Group", "1")
    assert restful("https://h.example/" + "a/" * 40_000 + "Group/1") is None
