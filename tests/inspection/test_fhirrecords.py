"""Entries and resources as records: whose, of which category, and what is left of them."""

import json
from typing import Any

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.fhirrecords import Census, Fates, Selection
from gateway.inspection.fhirreferences import Patients, Told
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.tally import Tally
from gateway.model import Format, Mask, SubjectRef
from tests.support.reading import permit

SPEC = BodySpec(
    Format.FHIR,
    subject=({"fhir": ("Patient",)},),
    base=("https://h.example/r4",),
    category="clinical",
    categories={"Practitioner": "directory", "Observation": "finding"},
)
PATIENTS = Patients(SPEC.subject, SPEC.base)
MINE = (SubjectRef("fhir", "Patient/me"),)
UUID = "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9"
ENTRIES = Fates(SPEC, PATIENTS, Limits(), {UUID: MINE, UUID + "0": Told.OTHER})
ALONE = Fates(SPEC, PATIENTS, Limits())
OBSERVATION = {"resourceType": "Observation", "id": "1", "subject": {"reference": "Patient/me"}}
DOCTOR = {"resourceType": "Practitioner", "id": "9"}


def entry(url: Any, resource: Any = OBSERVATION, **more: Any) -> dict[str, Any]:
    named = {} if url is None else {"fullUrl": url}
    return {**named, "resource": resource, **more}


@pytest.mark.parametrize(
    "url", [None, "https://h.example/r4/Observation/1", "https://h.example/r4/Observation/1/_history/3"]
)  # fmt: skip
def test_a_relative_reference_in_an_entry_of_our_server_means_our_patient(url: Any) -> None:
    assert ENTRIES.of(entry(url)) == (MINE, "finding", False)


@pytest.mark.parametrize(
    "url", ["https://other.example/r4/Observation/1", UUID, "Observation/1", "x", ""]
)
def test_elsewhere_it_means_nobody_we_know(url: str) -> None:
    """R4 bundle.html#references: beside a `urn:uuid` it has no defined meaning."""
    assert ENTRIES.of(entry(url)) == ((), "clinical", False)
    absolute = {"reference": "https://h.example/r4/Patient/me"}
    assert ENTRIES.of(entry(url, OBSERVATION | {"subject": absolute})).owners == MINE


def test_an_entry_may_name_its_patient_by_another_entry() -> None:
    assert ENTRIES.of(entry(UUID, OBSERVATION | {"subject": {"reference": UUID}})).owners == MINE
    for other in UUID + "0", UUID + "1":
        record = OBSERVATION | {"subject": {"reference": other}}
        assert ENTRIES.of(entry(UUID, record)).owners == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://h.example/r4/Observation/2",
        "https://h.example/r4/Patient/1",
        "https://other.example/Observation/2/_history/1",
        7,
        None,
    ],
)
def test_a_full_url_that_names_another_resource_is_ambiguous(url: Any) -> None:
    with pytest.raises(BadUpstream) as caught:
        ENTRIES.of({"fullUrl": url or [], "resource": OBSERVATION})
    assert caught.value.code is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "record",
    [
        None, 1, [], {}, {"fullUrl": UUID}, {"resource": None}, {"resource": [OBSERVATION]},
        {"request": {"method": "DELETE", "url": "Patient/me"}, "response": {"status": "204"}},
        {"response": {"status": "200", "outcome": DOCTOR | {"resourceType": "OperationOutcome"}}},
        entry(None, {"resourceType": "Bundle", "entry": [entry(None)]}),
        entry(None, response={"outcome": OBSERVATION}),
        entry(None, response={"outcome": DOCTOR}),
        entry(None, response="200"),
    ],
)  # fmt: skip
def test_an_entry_without_a_resource_of_its_own_is_nobodys_we_can_tell(record: Any) -> None:
    assert ENTRIES.of(record) == ((), "clinical", False)


def test_the_answer_to_a_request_is_its_resource() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": []}
    answered = entry(None, response={"status": "200", "outcome": outcome})
    assert ENTRIES.of(answered).owners == MINE


def test_a_category_goes_by_type_where_it_is_known_whose_a_resource_is() -> None:
    assert ALONE.of(DOCTOR) == ((), "directory", True)
    assert ALONE.of({"resourceType": "Organization"}) == ((), "clinical", True)
    hidden = DOCTOR | {"contained": [{"resourceType": "Patient"}]}
    assert ALONE.of(hidden) == ((), "clinical", False)
    assert ALONE.of(OBSERVATION | {"subject": {}}) == ((), "clinical", False)


def test_records_are_counted_in_order_with_their_categories() -> None:
    tally = Tally(Limits())
    census = Census(ALONE, SPEC, tally)
    census.count([OBSERVATION, DOCTOR, OBSERVATION, 1])
    census.count([])
    census.count_stray()
    assert [(each.category, each.records, each.first) for each in tally.groups] == [
        ("finding", 2, (0, 2)), ("directory", 1, (1,)), ("clinical", 2, (3, 4)),
    ]  # fmt: skip
    assert tally.fields == ("id", "resourceType", "subject")


def test_masks_are_relative_to_the_resource_wherever_it_stands() -> None:
    verdict = permit(*MINE, mask=("$.subject.display",))
    subject = {"reference": "Patient/me", "display": "x"}
    record = OBSERVATION | {"subject": subject}
    for fates, value in (ALONE, record), (ENTRIES, {"subject": subject, "resource": record}):
        selection = Selection(fates, SPEC, Limits(), verdict)
        assert selection.keeps([value, value]) == [True, True]
        assert selection.blanks([value, {"resource": DOCTOR}]) == [True, False]
        text = b" " + json.dumps(value).encode() + b"\n"
        masked = record | {"subject": subject | {"display": None}}
        assert json.loads(selection.masked(text)) == (
            masked if fates is ALONE else value | {"resource": masked}
        )
    assert not Selection(ALONE, SPEC, Limits(), verdict).keeps_stray()


def test_what_stands_beside_a_masked_primitive_goes_with_it() -> None:
    """The specification's own example has the time of birth in an extension of `birthDate`."""
    born = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
    beside = {"extension": [{"url": born, "valueDateTime": "1974-12-25T14:35:45-05:00"}]}
    record = {
        "resourceType": "Patient",
        "id": "me",
        "birthDate": "1974-12-25",
        "_birthDate": beside,
        "name": [{"given": ["Ann", None], "_given": [None, {"id": "canary"}], "_family": beside}],
    }
    given = (Mask("$.birthDate", keep=4), "$.name[*].given[*]", "$['name'][*]['family']")
    selection = Selection(ALONE, SPEC, Limits(), permit(*MINE, mask=given))
    assert selection.blanks([record, {"_birthDate": beside}, DOCTOR]) == [True, True, False]
    assert json.loads(selection.masked(json.dumps(record).encode())) == record | {
        "birthDate": "1974",
        "_birthDate": None,
        "name": [{"given": [None, None], "_given": None, "_family": None}],
    }
    other = Selection(
        ALONE, SPEC, Limits(), permit(*MINE, mask=("$.name[*].prefix", "$.photo.*.x"))
    )
    assert other.blanks([record]) == [False]
