"""The patient compartment as a table: what HL7 publishes, and names that look alike."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.fhirtypes import NOBODYS, ROWS, check_names, known_type


def test_a_type_is_a_patients_or_nobodys_or_neither() -> None:
    assert not NOBODYS & ROWS.keys()
    assert (len(ROWS), len(NOBODYS)) == (67 + 2, 62)
    for neither in "Binary", "Bundle", "Parameters", "Contract", "Linkage", "MessageHeader", "Slot":
        assert neither not in NOBODYS | ROWS.keys()


def test_a_row_tells_who_a_resource_is_about_from_who_took_part() -> None:
    assert ROWS["Observation"] == ((("subject",),), (("performer",),))
    assert ROWS["Patient"] == ((), (("link", "other"),))
    assert ROWS["Claim"] == ((("patient",),), (("payee", "party"),))
    assert ROWS["Immunization"] == ((("patient",),), ())


def test_a_category_goes_to_a_type_whose_owner_can_be_told() -> None:
    assert known_type("Observation") == "Observation"
    for unknown in "observation", "Binary", "Bundle", "":
        with pytest.raises(ValueError, match="no resource type"):
            known_type(unknown)


@pytest.mark.parametrize(
    "name", ["Subject", "SUBJECT", " subject", "ſubject", "resourcetype", "fullURL", "Id", "id\n"]
)
def test_a_name_that_looks_like_ours_is_ambiguous(name: str) -> None:
    for _ in range(2):
        with pytest.raises(BadUpstream) as caught:
            check_names({"subject": 1, name: 2})
        assert caught.value.code is Code.BODY_AMBIGUOUS
    check_names({"subject": 1, "_subject": 1, "bodySite": 2, "é" * 100_000: 3})
