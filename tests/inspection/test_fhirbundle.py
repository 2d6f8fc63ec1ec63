"""A Bundle in pieces: what must be known before its entries, and what may stand around them."""

import json
from typing import Any

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.fhirbundle import Around, Bundle, pieces, survey
from gateway.inspection.fhirreferences import Patients, Told
from gateway.inspection.jsonscan import Items, Role
from gateway.inspection.settings import Limits
from gateway.model import SubjectRef
from tests.support.reading import Cut

PATIENTS = Patients(({"fhir": ("Patient",)},), ())
ONE, TWO = (f"0000000{n}-4be2-4561-91ce-51548425acb9" for n in (1, 2))


def entry(uuid: str, kind: str = "Patient", **resource: Any) -> dict[str, Any]:
    return {
        "fullUrl": f"urn:uuid:{uuid}", "resource": {"resourceType": kind, "id": uuid, **resource},
    }  # fmt: skip


def surveyed(limits: Limits = Limits(), **elements: Any) -> Bundle | None:  # noqa: B008 - frozen
    body = json.dumps({"resourceType": "Bundle", "type": "collection", **elements}).encode()
    return survey(Cut(body, 7), limits, PATIENTS)


def roles(**elements: Any) -> dict[str, str]:
    """What each element around the entries is."""
    body = json.dumps({"resourceType": "Bundle", **elements}).encode()
    found = {}
    for piece, around in pieces(Cut(body), Limits()):
        if isinstance(piece, Items) and piece.role is not Role.RECORD:
            (name,) = json.loads(b"{" + piece.text + b"}")
            found[name] = around.value if around is Around.LINK else piece.role.value
    return found


def test_a_survey_finds_the_type_and_the_names_that_hold_inside() -> None:
    found = surveyed(entry=[entry(ONE), entry(TWO, "Device"), {"fullUrl": "https://h/Patient/1"}])
    assert found == Bundle(
        "collection",
        {
            f"urn:uuid:{ONE}": (SubjectRef("fhir", f"Patient/{ONE}"),),
            f"urn:uuid:{TWO}": Told.OTHER,
        },
    )


def test_two_resources_of_one_name_are_not_told_apart() -> None:
    assert surveyed(entry=[entry(ONE), entry(ONE)]) == surveyed(entry=[entry(ONE)])
    found = surveyed(entry=[entry(ONE), entry(ONE, "Device"), entry(ONE)])
    assert found and found.entries == {f"urn:uuid:{ONE}": Told.PATIENT}


def test_a_document_of_another_type_is_no_bundle() -> None:
    assert surveyed(resourceType="List", entry=[{"item": {}}]) is None
    assert surveyed(resourceType="bundle") is None
    assert surveyed() == Bundle("collection", {})


def test_names_are_held_within_the_limit_of_a_record() -> None:
    many = [entry(f"{n:08}" + ONE[8:], "Device") for n in range(40)]
    small = Limits(record=2_000)
    with pytest.raises(BadUpstream) as caught:
        surveyed(small, entry=many)
    assert caught.value.code is Code.BODY_TOO_COMPLEX
    assert surveyed(small, entry=many[:10])


@pytest.mark.parametrize("elements", [{"Entry": []}, {"entry": None}, {"entry": {}}, {"entry": 1},
                                      {"entry": {"a": 1}}, {"TYPE": "x"}])  # fmt: skip
def test_what_may_be_taken_for_entries_is_ambiguous(elements: dict[str, Any]) -> None:
    with pytest.raises(BadUpstream) as caught:
        roles(**elements)
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_what_the_specification_has_around_the_entries_stays() -> None:
    assert roles(
        id="1",
        meta={"lastUpdated": "2020", "profile": ["a"], "tag": [{"system": "a", "code": "b"}]},
        identifier={"system": "a", "value": "b"},
        type="searchset",
        timestamp="2020",
        total=1,
        link=[{"relation": "self", "url": "https://h/x"}],
        entry=[entry(ONE)],
    ) == {
        "resourceType": "scalar", "id": "scalar", "meta": "scalar", "identifier": "scalar",
        "type": "scalar", "timestamp": "scalar", "total": "total", "link": "link",
    }  # fmt: skip


@pytest.mark.parametrize(
    "elements",
    [
        {"meta": {"extension": [{"url": "a", "valueString": "b"}]}},
        {"meta": {"tag": [{"code": {"a": 1}}]}},
        {"meta": {"profile": [["a"]]}},
        {"meta": [1]},
        {"identifier": {"assigner": {"display": "a"}}},
        {"signature": {"data": "MA=="}},
        {"extension": [{"url": "a"}]},
        {"contained": [{"resourceType": "Patient"}]},
        {"resource": {"resourceType": "Patient"}},
    ],
)
def test_anything_more_is_a_stray(elements: dict[str, Any]) -> None:
    assert {*roles(**elements).values()} == {"scalar", "stray"}


def test_a_link_with_more_than_a_relation_and_a_url_is_a_stray() -> None:
    body = json.dumps({"link": [{"relation": "self", "url": "x", "patient": "y"}]}).encode()
    (link,) = [piece for piece, around in pieces(Cut(body), Limits()) if around is Around.LINK]
    assert isinstance(link, Items) and link.role is Role.STRAY
