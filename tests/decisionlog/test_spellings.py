"""A value of a person is found in a policy's text, however it is spelt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.decisionlog.spellings import spellings, spells
from gateway.model import Actor, SubjectRef
from tests.policy.support import FOREIGN, question

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True)


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("A9-canary", "owner_a9_canary"),
        ("a9", "a9"),
        ("a9", "not_a9_here"),
        ("Max.Muster@Example.org", "foreign_max_muster_example_org"),
        (4711, "owner_4711"),
        ("_x_", "is_x"),
        ("Max\nMuster", "by_max_muster"),
    ],
)
def test_a_reason_that_spells_an_identifier_of_its_exchange_is_not_shown(
    identifier: str | int, reason: str
) -> None:
    """Whoever it is: a subject, the caller, the actor, or somebody in the path."""
    plain = question(FOREIGN)
    subject = question(SubjectRef("account", identifier))
    asked = [
        subject,
        question(identifiers=[SubjectRef("account", identifier)]),
        structs.replace(plain, caller=structs.replace(plain.caller, id=str(identifier))),
        structs.replace(plain, caller=structs.replace(plain.caller, actor=Actor(str(identifier)))),
        structs.replace(plain, params={"id": str(identifier)}),
    ]
    for each in asked:
        assert spells(reason, spellings(each))
        assert not spells("self_access", spellings(each))
    assert not spells(reason, spellings(question(SubjectRef("account", "somebody"))))


def test_what_no_reason_can_spell_hides_none() -> None:
    spelt = spellings(question(SubjectRef("account", 2**5_000), SubjectRef("account", "@")))
    assert not spells("self_access", spelt)
    assert not spells("trailing_", spelt)


@given(identifier=NAMES, before=NAMES, after=NAMES)
def test_an_identifier_is_found_wherever_it_stands_in_a_reason(
    identifier: str, before: str, after: str
) -> None:
    spelt = spellings(question(SubjectRef("account", identifier)))
    assert spells(f"{before}_{identifier}_{after}", spelt)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Erika Mustermann", "hello_erika_mustermann"),
        ("1964-08-12", "born_1964_08_12"),
        (196408, "number_196408"),
        ("X12/345.678", "$.people['x12_345_678'].phone"),
    ],
)
def test_a_value_of_a_claim_or_a_query_is_found_too(value: str | int, text: str) -> None:
    plain = question(FOREIGN)
    claims = {"person": {"names": [value], "adult": True, "height": 1.7, "none": None}}
    for asked in (
        structs.replace(plain, caller=structs.replace(plain.caller, claims=claims)),
        structs.replace(plain, caller=structs.replace(plain.caller, claims={"a": {str(value): 1}})),
        structs.replace(plain, query={"q": ("1", str(value))}),
    ):
        assert spells(text, spellings(asked))


def test_a_role_a_page_or_a_level_in_a_claim_or_a_query_hides_no_reason() -> None:
    plain = question(FOREIGN)
    claims = {"role": "case_officer", "realm": {"roles": ["support/first"]}, "level": 2, "on": True}
    asked = structs.replace(
        plain, caller=structs.replace(plain.caller, claims=claims), query={"page": ("18", "self")}
    )
    for reason in ("case_officer", "support_first", "level_2", "over_18", "self_access", "true"):
        assert not spells(reason, spellings(asked))
