"""Properties as locators and masks: exact names and values, owners and not mentions."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import properties
from gateway.inspection.contentlines import CARD, Line, Property, parsed
from gateway.inspection.locators import LocatorError
from gateway.inspection.properties import Plan
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Attribution, Format, SubjectRef


def plan(*subject: dict[str, tuple[str, ...]]) -> Plan:
    return Plan(BodySpec(Format.ICALENDAR, subject=subject), Limits(), lambda each: each.value)


def line(text: str) -> Property:
    return parsed(Line(1, text.encode() + b"\r\n", text.encode()), CARD)


def owners(of: Plan, *texts: str, above: tuple[str, ...] = ()) -> list[str | int]:
    found = {**of.found(map(line, above), above=True), **of.found(map(line, texts))}
    return [owner.value for owner in of.owners(found)]


@pytest.mark.parametrize("text", ["email", "EMAIL", "$.EMAIL", "$['eMail']"])
def test_a_locator_is_the_name_of_a_property(text: str) -> None:
    assert properties.name(text) == "EMAIL"
    assert properties.name_in_container("../" + text) == "../EMAIL"


@pytest.mark.parametrize("text", ["", "a b", "a/b", "../A", "$", "$.a.b", "$.*", "item1.EMAIL"])
def test_what_is_no_name_is_no_locator(text: str) -> None:
    with pytest.raises(LocatorError):
        properties.name(text)


def test_every_property_of_the_name_names_an_owner() -> None:
    email = plan({"email": ("EMAIL",)})
    assert owners(email, "FN:x", "EMAIL:a", "item1.email;TYPE=home:b", "EMAIL:a") == ["a", "b"]
    assert owners(email, "FN:x") == owners(email) == owners(email, "X-EMAIL:a") == []
    assert owners(email, "EMAIL:a", "EMAIL:") == []


def test_locators_of_one_kind_agree() -> None:
    both = plan({"email": ("EMAIL", "../OWNER")})
    assert owners(both, "EMAIL:a", above=("OWNER:a",)) == ["a"]
    assert owners(both, "EMAIL:a") == owners(both, above=("OWNER:a",)) == []
    with pytest.raises(BadUpstream) as caught:
        owners(both, "EMAIL:a", above=("OWNER:b",))
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_what_is_above_names_by_itself_and_says_how() -> None:
    above = plan({"email": ("../OWNER",)})
    assert above.attribution is Attribution.CONTAINER
    assert above.named(above.found([line("OWNER:a")], above=True)) == (SubjectRef("email", "a"),)
    assert owners(above, "OWNER:a") == []
    assert plan({"email": ("OWNER",)}).attribution is Attribution.DIRECT


@pytest.mark.parametrize(
    "value", ["a\\,b", "a,b", "a;b", "a\\nb", "a\\", "a\tb", "x" * 1025, "a\u0080"]
)
def test_a_value_that_readers_take_differently_is_ambiguous(value: str) -> None:
    with pytest.raises(BadUpstream) as caught:
        owners(plan({"email": ("EMAIL",)}), f"EMAIL:{value}")
    assert caught.value.code is Code.BODY_AMBIGUOUS
    assert owners(plan({"email": ("EMAIL",)}), "EMAIL: Á:b ") == [" Á:b "]


def test_an_encoded_value_is_ambiguous() -> None:
    with pytest.raises(BadUpstream):
        owners(plan({"email": ("EMAIL",)}), "EMAIL;ENCODING=b:bWU=")
    assert owners(plan({"email": ("EMAIL",)}), "NOTE;ENCODING=b:bWU=", "EMAIL:me") == ["me"]


def test_a_mask_empties_text_and_takes_its_parameters_along() -> None:
    found = [line("item1.NOTE;X-FROM=me:hello"), line("FN:me")]
    masked = plan().check_masks(["$.note", "$['X-A']"], frozenset({"NOTE"}))
    assert masked == {"NOTE", "X-A"}
    assert properties.written(found, masked) == b"item1.NOTE:\r\nFN:me\r\n"
    assert properties.written(found, frozenset()) == b"item1.NOTE;X-FROM=me:hello\r\nFN:me\r\n"


@pytest.mark.parametrize("mask", ["$.BDAY", "$.NOTE.a", "$.*", "$", "$.EMAIL", "$['X-OWNER']"])
def test_a_mask_that_would_leave_something_else_is_unsupported(mask: str) -> None:
    with pytest.raises(BadUpstream) as caught:
        plan({"a": ("EMAIL", "../X-OWNER")}).check_masks([mask], frozenset({"NOTE", "EMAIL"}))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
