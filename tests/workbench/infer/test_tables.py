"""Samples of one kind are read in the likeliest way that the gateway's readers take."""

import json
from typing import Any

import pytest

from gateway.model import Format
from gateway.workbench.infer.specimens import Specimen
from gateway.workbench.infer.tables import Table, read_table
from gateway.workbench.unusable import Unusable


def table(*documents: Any) -> Table:
    return read_table(
        [
            Specimen(f"{number}.json", json.dumps(document).encode(), Format.JSON)
            for number, document in enumerate(documents)
        ]
    )


def rows(*texts: str) -> Table:
    return read_table(
        [Specimen(f"{n}.csv", text.encode(), Format.CSV) for n, text in enumerate(texts)]
    )


ORDERS = {
    "total": 4,
    "orders": [{"id": f"o-{n}", "customer": {"id": f"C-100{n % 2}"}} for n in range(4)],
}


def test_records_stand_where_an_array_of_objects_names_owners() -> None:
    found = table(ORDERS)
    assert found.sure
    assert found.chosen.settings == {
        "format": "json", "records": "$.orders[*]", "subject": {"customer": "$.customer.id"},
    }  # fmt: skip
    trial = found.chosen.trial
    assert (trial.records, trial.unattributed, trial.subjects) == (4, 0, 2)


def test_an_owner_in_the_envelope_owns_the_whole_document() -> None:
    found = table({"customer": {"id": "C-1001"}, "orders": [{"sku": "a1"}, {"sku": "b2"}]})
    assert found.chosen.settings["records"] == "$"
    assert found.chosen.settings["subject"] == {"customer": "$.customer.id"}


def test_a_map_of_records_is_read_by_its_members() -> None:
    users = {f"U-{n}00": {"user_id": f"U-{n}00", "city": "x"} for n in range(4)}
    found = table({"users": users})
    assert found.chosen.settings["records"] == "$.users.*"
    assert any("is a map" in warning for warning in found.warnings)


def test_two_owners_that_are_as_likely_are_both_proposed() -> None:
    trips = [{"user_id": f"U-{n % 2}00", "customer_id": f"C-{n % 3}00"} for n in range(6)]
    found = table({"trips": trips})
    assert not found.sure
    subjects = [reading.settings["subject"] for reading in (found.chosen, *found.rivals)]
    assert subjects == [{"user": "$.user_id"}, {"customer": "$.customer_id"}]


def test_mentions_alone_make_nothing_sure() -> None:
    found = table([{"sender": "a-1000", "recipient": "b-2000"} for _ in range(3)])
    assert not found.sure
    assert "subject" not in found.chosen.settings
    assert any("third persons" in warning for warning in found.warnings)


def test_what_the_readers_refuse_is_never_proposed_however_likely_it_looks() -> None:
    records = [
        {"customer": None if n == 5 else f"C-{n % 2}00", "owner_id": n % 3} for n in range(9)
    ]
    found = table({"rows": records})
    assert found.chosen.settings["subject"] == {"owner": "$.owner_id"}
    text = "\n".join(found.warnings)
    assert "null or no identifier in 1 of 9 records" in text


def test_without_any_owner_nobody_is_proposed() -> None:
    found = table({"rows": [{"text": "hello there"}]})
    assert not found.sure
    assert found.chosen.settings == {"format": "json", "records": "$.rows[*]"}
    assert found.chosen.trial.unattributed == 1


def test_columns_are_named_bare_and_the_dialect_comes_along() -> None:
    found = rows("id;customer no;total\n1;C-1001;2\n2;C-1001;3\n3;C-2002;4\n")
    assert found.sure
    assert found.chosen.settings == {
        "format": "csv", "delimiter": ";", "subject": {"customer": "$['customer no']"},
    }  # fmt: skip


def test_samples_need_one_dialect() -> None:
    with pytest.raises(Unusable, match=r"1\.csv: another dialect"):
        rows("a,b\n1,2\n", "a;b\n1;2\n")


def test_an_owner_that_only_some_records_have_leaves_the_others_without() -> None:
    records: list[dict[str, str]] = [{"customer_id": f"C-{n % 2}00"} for n in range(8)]
    found = table([*records, {"text": "x y"}])
    assert found.chosen.trial.unattributed == 1
    assert any("without an owner: 1 of 9 records" in warning for warning in found.warnings)


def test_empty_samples_say_so() -> None:
    assert any("no field" in warning for warning in table({"orders": []}).warnings)


def test_two_owners_that_are_both_likely_and_contradict_each_other_are_rivals() -> None:
    """An IBAN looks more like an identifier than a customer's number, which proves nothing where
    two customers share it."""
    ibans = ["DE45499999600000005100", "DE18499999600000005101"]

    def rows(customers: int) -> bytes:
        records = [{"customer_id": f"C-{n % customers}00", "iban": ibans[n % 2]} for n in range(12)]
        return json.dumps({"rows": records}).encode()

    shared = read_table([Specimen("x", rows(3), Format.JSON)])
    assert not shared.sure
    assert [rival.settings["subject"] for rival in shared.rivals] == [{"customer": "$.customer_id"}]
    assert read_table([Specimen("x", rows(2), Format.JSON)]).sure
