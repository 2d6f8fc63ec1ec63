"""The fields that nothing ever compares."""

import json
from typing import Any

from gateway.inspection.settings import BodySpec
from gateway.model import Format
from gateway.workbench.mutate.bodies import dissect
from gateway.workbench.mutate.uncompared import Known, known, uncompared
from tests.workbench.mutate.support import ARCHIVE, exported

ORDERS = BodySpec(
    Format.JSON, records="$.orders[*]", subject=({"account": ("$.customer.id",)},),
    totals=("$.count",),
)  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "count": 2,
    "email": "me@example.org",
    "orders": [
        {
            "customer": {"id": f"C-{n}", "email": f"c{n}@example.org"},
            "recipient": {"email": "jo@example.org"},
            "note": "two words",
            "phone": f"+49 170 123456{n}",
        }
        for n in range(2)
    ],
}
NOTHING = Known()


def found(policy: Known = NOTHING) -> dict[str, str]:
    body = dissect(json.dumps(DOCUMENT).encode(), ORDERS)
    return {each.locator: each.hint for each in uncompared([body], policy)}


def test_what_no_locator_names_is_listed_with_a_hint_where_it_identifies() -> None:
    assert found() == {
        "$.customer.email": "looks like an owner's, an e-mail address: compare it?",
        "$.recipient.email": "a third person's, an e-mail address: mask it?",
        "$.note": "",
        "$.phone": "looks like a telephone number",
        "$.email (envelope)": "looks like an owner's, an e-mail address: compare it?",
    }


def test_what_was_masked_is_looked_at() -> None:
    assert "$.note" not in found(known([], {}, ["$.note"]))
    assert "$.recipient.email" not in found(known([], {}, ["$.recipient"]))


def test_a_mask_that_is_written_down_and_was_not_applied_is_told() -> None:
    said = "the policy names it, and left it as it is"
    rego = 'package x\n\nmasks := {"$.recipient.email", `$.phone`}\n'
    fields = found(known([rego], {}, []))
    assert (fields["$.recipient.email"], fields["$.phone"], fields["$.note"]) == (said, said, "")
    data = {"masks": {"orders": ["$.recipient"]}}
    assert found(known([], data, []))["$.recipient.email"] == said


def test_names_count_only_where_a_rule_reads_the_names_of_fields() -> None:
    names = 'bad if "note" in input.payload.fields'
    assert "$.note" not in found(known([names], {}, []))
    assert "$.note" in found(known(['bad if "note" == 1'], {}, []))
    assert "$.note" in found(known(['bad if "x" in input.payload.fields', 'y := "note"'], {}, []))


def test_a_text_that_is_no_locator_is_none() -> None:
    read = known(['x := "$["', 'y := "$"'], {}, ["$.a[0]"])
    assert read == Known()


def test_of_an_archive_the_members_that_nobody_reads_are_listed_if_they_can_leave() -> None:
    parts = {
        (each.part, each.locator)
        for each in uncompared([dissect(exported("A1"), ARCHIVE)], NOTHING)
    }
    assert parts == {
        ("recordings/*.wav", ""), ("photos/{account}/*", ""), ("orders.csv", "$.cents"),
    }  # fmt: skip
