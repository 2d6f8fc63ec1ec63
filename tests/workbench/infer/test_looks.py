"""What values look like, and how little of them is shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.workbench.infer.looks import Look, common, is_identifying, look, shortened


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Patient/79a66c97-6131-3213-f3c9-4606946ab056", Look.PATIENT),
        ("https://fhir.example.org/r4/Patient/23", Look.PATIENT),
        ("Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|99", Look.OTHER_REFERENCE),
        ("Encounter/1", Look.OTHER_REFERENCE),
        ("jo@example.org", Look.EMAIL),
        ("jo@example", Look.TEXT),
        ("DE45499999600000005100", Look.IBAN),
        ("DE46499999600000005100", Look.OPAQUE),
        ("+49 170 1234567", Look.PHONE),
        ("79a66c97-6131-3213-f3c9-4606946ab056", Look.UUID),
        ("cus_QXg1o8vcGmoR32", Look.OPAQUE),
        (42, Look.INTEGER),
        ("0042", Look.INTEGER),
        ("confirmed", Look.WORD),
        ("2018-11-20T09:00:00Z", Look.DATE),
        ("2018-11", Look.DATE),
        ("/v1/accounts/1", Look.LINK),
        ("Anna Schmidt", Look.TEXT),
        ("12.50", Look.NO_IDENTIFIER),
        (True, Look.NO_IDENTIFIER),
        (1.5, Look.NO_IDENTIFIER),
        (None, Look.NO_IDENTIFIER),
        ("", Look.NO_IDENTIFIER),
    ],
)
def test_a_value_is_told_by_its_text_alone(value: Any, expected: Look) -> None:
    assert look(value) is expected


def test_values_look_like_what_nearly_all_of_them_do() -> None:
    assert common(["a@b.org"] * 19 + ["?"]) is Look.EMAIL
    assert common(["a@b.org", "Anna Schmidt"]) is Look.TEXT
    assert common(["A-1001", 7, "guest"]) is Look.OPAQUE
    assert common([]) is Look.NO_IDENTIFIER


def test_words_and_dates_are_not_identifying_and_addresses_are() -> None:
    assert {each for each in Look if is_identifying(each)} == {
        Look.PATIENT, Look.EMAIL, Look.IBAN, Look.PHONE, Look.UUID, Look.OPAQUE,
    }  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.integers()))
def test_at_most_half_of_a_value_is_shown_and_nothing_steers_a_terminal(value: str | int) -> None:
    shown = shortened(value)
    kept = shown.replace("…", "")
    assert shown.isprintable()
    assert len(kept) <= max(1, len(str(value)) // 2)
