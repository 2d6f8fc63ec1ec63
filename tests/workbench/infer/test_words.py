"""Whose a field's name speaks of."""

import pytest

from gateway.inspection import locators
from gateway.workbench.infer.words import Role, entity, is_generic, person, role, singular, words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("customerId", ("customer", "id")),
        ("customer_id", ("customer", "id")),
        ("CUSTOMERID", ("customer", "id")),
        ("Customer-No.", ("customer", "no")),
        ("Kundennummer", ("kundennummer",)),
        ("IBAN", ("iban",)),
        ("userHTTPLink", ("user", "http", "link")),
        ("avoid", ("avoid",)),
    ],
)
def test_names_are_parted_however_they_are_joined(name: str, expected: tuple[str, ...]) -> None:
    assert words(name) == expected


@pytest.mark.parametrize(
    ("locator", "expected"),
    [
        ("$.customer.id", Role.OWNER),
        ("$.PATIENT", Role.OWNER),
        ("$.user_id", Role.OWNER),
        ("$.iban", Role.OWNER),
        ("$.account.owner.reference", Role.OWNER),
        ("$.creator.email", Role.AUTHOR),
        ("$.created_by", Role.AUTHOR),
        ("$.counterparty.account", Role.THIRD),
        ("$.recipient_email", Role.THIRD),
        ("$.customer.contact.email", Role.THIRD),
        ("$.sender", Role.THIRD),
        ("$.encounter.reference", Role.THING),
        ("$.user_type", Role.THING),
        ("$.customer.created_at", Role.THING),
        ("$.ownerName", Role.NAME),
        ("$.customer.name", Role.NAME),
        ("$.id", Role.PLAIN),
        ("$.a", Role.PLAIN),
    ],
)
def test_a_third_person_anywhere_makes_it_a_mention_and_the_last_word_counts(
    locator: str, expected: Role
) -> None:
    assert role(locators.compile(locator))[0] is expected


@pytest.mark.parametrize(
    ("locator", "whose", "what"),
    [
        ("$.user.public_email", "user", "email"),
        ("$.user_id", "user", "user"),
        ("$.customers[*].id", "customer", "customer"),
        ("$.id", "", ""),
        ("$.address.customer", "customer", "customer"),
    ],
)
def test_a_path_has_an_outermost_person_and_an_innermost_word(
    locator: str, whose: str, what: str
) -> None:
    steps = locators.compile(locator)
    assert (person(steps), entity(steps)) == (whose, what)


def test_id_says_nothing_and_customer_id_does() -> None:
    assert is_generic("id") and is_generic("uuid") and is_generic("external_id")
    assert not is_generic("customer_id")


def test_plurals_are_undone_and_other_words_left_alone() -> None:
    assert [singular(word) for word in ("accounts", "companies", "address", "gas")] == [
        "account", "company", "address", "gas",
    ]  # fmt: skip
