"""Candidates are ranked by evidence that can be argued with."""

from typing import Any

import pytest

from gateway.model import Format
from gateway.workbench.infer.evidence import Candidate, about_another, candidates
from gateway.workbench.infer.fields import fields
from gateway.workbench.infer.shapes import places
from gateway.workbench.infer.specimens import Contents


def ranked(*records: Any, more: tuple[list[Any], ...] = ()) -> list[Candidate]:
    samples = [Contents([*records]), *map(Contents, more)]
    (place,) = places(Format.NDJSON, samples)
    return list(candidates(place, fields(place)))


def names(found: list[Candidate]) -> list[str]:
    return [each.field.locator for each in found]


def test_a_repeated_owner_goes_before_the_records_own_identifier() -> None:
    records = [{"id": f"o-{n}", "customer": {"id": f"C-100{n % 2}"}} for n in range(6)]
    best, own = ranked(*records)
    assert (best.field.locator, best.kind) == ("$.customer.id", "customer")
    assert best.belief > 0.9 > 0.2 > own.belief
    assert "the record's own identifier" in " ".join(map(str, own.reasons))


def test_a_mention_is_never_likely_whatever_it_looks_like() -> None:
    records = [
        {"account": "A-1001", "counterparty": {"iban": "DE45499999600000005100"}} for _ in range(3)
    ]
    best, mention = ranked(*records)
    assert best.field.locator == "$.account"
    assert mention.field.locator == "$.counterparty.iban" and mention.belief < 0.5


def test_what_is_in_every_record_goes_before_what_is_in_some() -> None:
    records = [
        {"user_id": n % 3, "member_id": n} if n % 2 else {"user_id": n % 3} for n in range(9)
    ]
    assert names(ranked(*records)) == ["$.user_id", "$.member_id"]


def test_fields_that_always_agree_stand_together_and_are_likelier() -> None:
    records = [{"user_id": n, "user": {"id": n}, "level": 40} for n in (16, 6, 15, 26)]
    best = ranked(*records)[0]
    assert best.locators == ("$.user_id", "$.user.id")
    alone = ranked(*({"user_id": record["user_id"]} for record in records))[0]
    assert best.points == alone.points + 1.5


def test_one_value_in_each_sample_speaks_for_an_owner() -> None:
    def points(first: int, second: int) -> float:
        return ranked({"ref": first}, {"ref": first}, more=([{"ref": second}],))[0].points

    assert points(7, 8) > points(7, 7)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Patient/1", "fhir"), ("a@b.org", "email"), ("DE45499999600000005100", "iban"),
        ("+49 170 1234567", "phone"), ("C-1001", "customer"),
    ],
)  # fmt: skip
def test_the_kind_is_what_a_value_looks_like_or_what_it_is_called(value: str, kind: str) -> None:
    assert ranked({"customer": value}, {"customer": value})[0].kind == kind


def test_the_id_of_a_record_that_is_a_person_is_its_owner() -> None:
    patient = {"resourceType": "Patient", "id": "79a66c97-6131-3213-f3c9-4606946ab056"}
    assert ranked(patient)[0].belief > 0.8
    assert ranked({**patient, "resourceType": "Device"})[0].belief < 0.3


def test_two_ids_of_a_kind_or_of_two_persons_are_rivals_and_two_names_of_one_are_not() -> None:
    records = [
        {
            "user_id": n % 3 + 10,
            "user": {"email": f"u{n}@example.org"},
            "buyer": f"b-{n % 2}000",
            "user_no": n,
        }
        for n in range(6)
    ]
    found = {each.field.locator: each for each in ranked(*records)}
    uid = found["$.user_id"]
    assert not about_another(uid, found["$.user.email"])
    assert about_another(uid, found["$.buyer"])
    assert about_another(uid, found["$.user_no"])


def test_values_that_always_come_together_tell_of_one_person() -> None:
    records = [{"driver_no": n % 3, "ref": f"R-{n % 3}00"} for n in range(9)]
    one, other = ranked(*records)
    assert not about_another(one, other)


def test_an_attribute_that_several_persons_share_may_be_somebody_elses() -> None:
    """Else an export would be released by a mailbox that belongs to two customers."""
    shared = [{"customer_id": f"C-{n % 3}00", "email": f"m{n % 2}@x.org"} for n in range(6)]
    best, other = ranked(*shared)[:2]
    assert best.field.locator == "$.email"
    assert about_another(best, other)
    own = [{"customer_id": f"C-{n % 3}00", "email": f"m{n % 3}@x.org"} for n in range(6)]
    best, other = ranked(*own)[:2]
    assert not about_another(best, other)


def test_samples_are_shown_shortened() -> None:
    best = ranked({"customer": "customer-number-1"}, {"customer": "customer-number-2"})[0]
    assert best.samples == ("cust…-1", "cust…-2")
