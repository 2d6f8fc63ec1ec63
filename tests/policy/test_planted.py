"""Planted persons: written as the configuration says, in several forms, each time others."""

import re

import pytest

from gateway.model import SubjectRef
from gateway.policy.planted import FORMS, Cast, Holdings, Look

LOOKS = {
    "account": Look(),
    "fhir": Look(("Patient/", "")),
    "email": Look(("", "@example.org")),
    "number": Look(integer=True),
}


def cast(form: int = 0, salt: str = "a" * 32) -> Cast:
    return Cast("https://id.example.org", LOOKS, salt, form=form)


@pytest.mark.parametrize(
    ("kind", "form", "written"),
    [
        ("account", 0, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("account", 1, r"[1-9][0-9]{11}"),
        ("account", 2, r"[A-Z][1-9][0-9]{11}"),
        ("fhir", 1, r"Patient/[1-9][0-9]{11}"),
        ("email", 2, r"[A-Z][1-9][0-9]{11}@example\.org"),
        ("a kind of no issuer", 1, r"[1-9][0-9]{11}"),
    ],
)
def test_an_identifier_is_written_as_its_kind_is(kind: str, form: int, written: str) -> None:
    for person in (cast(form).own(kind), cast(form).foreign(kind)):
        assert person.kind == kind
        assert re.fullmatch(written, str(person.value))
        assert type(person.value) is str


def test_an_integer_is_one() -> None:
    assert all(type(cast(form).own("number").value) is int for form in range(FORMS))


def test_nobody_is_anybody_else() -> None:
    persons = {
        cast(form, salt).person(kind, who).value
        for form in range(FORMS)
        for salt in ("a" * 32, "b" * 32)
        for kind in ("account", "fhir", "email")
        for who in ("own", "foreign", "actor")
    }
    assert len(persons) == FORMS * 2 * 3 * 3


def test_a_caller_holds_what_every_caller_holds_and_has_the_first_identifier_as_name() -> None:
    holds = Holdings(("export",), ("customer",), {"tenant": "t1"})
    planted = Cast("https://id.example.org", LOOKS, "a" * 32, holds)
    caller = planted.everything
    assert [SubjectRef(i.kind, i.value) for i in caller.identifiers] == [
        planted.own(kind) for kind in LOOKS
    ]
    assert caller.id == planted.own("account").value
    assert (caller.scopes, caller.roles, dict(caller.claims)) == (
        ("export",),
        ("customer",),
        {"tenant": "t1"},
    )
    nobody = planted.caller(actor="somebody")
    assert (nobody.identifiers, nobody.id) == ((), caller.id)
    assert nobody.actor and nobody.actor.id == "somebody"


@pytest.mark.parametrize("kind", LOOKS)
def test_no_two_lookalikes_are_the_same(kind: str) -> None:
    for about, mine, theirs in cast().lookalikes(kind):
        assert mine != theirs or type(mine.value) is not type(theirs.value), about
        assert mine.kind == kind
