"""What to look at before a proposal is believed."""

import json
from typing import Any

import pytest

from gateway.model import Format
from gateway.workbench.infer.specimens import Specimen
from gateway.workbench.infer.tables import read_table


def warnings(document: Any) -> str:
    sample = Specimen("x.json", json.dumps(document).encode(), Format.JSON)
    return "\n".join(read_table([sample]).warnings)


def records(**changing: Any) -> list[dict[str, Any]]:
    """Four records of two customers, and what else is said of each."""
    return [
        {"customer_id": f"C-100{n % 2}"} | {name: value(n) for name, value in changing.items()}
        for n in range(4)
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"payments": records(counterparty=lambda n: {"iban": "DE45499999600000005100"})},
            "third persons, mentioned and no owners (mask them?): $.counterparty.iban",
        ),
        (
            {"posts": [{"author_id": f"A-{n % 2}000"} for n in range(4)]},
            "$.author_id is whoever wrote it",
        ),
        (
            {"rows": records(user_id=lambda n: None if n else "U-1000")},
            "$.user_id is null or no identifier in 3 of 4 records",
        ),
        (
            {"rows": records(customer=lambda n: {"id": "C-9999" if n == 3 else f"C-100{n % 2}"})},
            "disagree in 1 of 4 records, first in record 3",
        ),
        (
            {"email": "me@example.org", "count": 4, "rows": records()},
            "in the envelope, where it stays in every answer: $.email",
        ),
        (
            {"refunds": records(), "seen": [], "rows": records(x=lambda n: n), "to": {"a": 1}},
            "each counts as one record without an owner: $.rows, $.to;",
        ),
        (
            {"resourceType": "Patient", "id": "79a66c97-6131-3213-f3c9-4606946ab056"},
            "other resources name this patient Patient/<id>",
        ),
        (
            {"rows": [{"owners": ["A-1000", "B-2000"]}, {"owners": ["A-1000"]}]},
            "may find several owners",
        ),
    ],
)
def test_what_an_engineer_should_look_at_is_said(document: Any, said: str) -> None:
    assert said in warnings(document)


def test_a_clear_sample_has_no_warnings() -> None:
    assert warnings({"count": 4, "rows": records(sku=lambda n: f"s-{n}000")}) == ""


def test_the_twin_of_a_disagreement_says_nothing() -> None:
    agreed = {"rows": records(customer=lambda n: {"id": f"C-100{n % 2}"})}
    assert "disagree" not in warnings(agreed)
