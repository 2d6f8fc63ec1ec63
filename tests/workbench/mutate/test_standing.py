"""Everything that is changed in who asks, and until when they may."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.model import Actor, SubjectRef
from gateway.workbench.mutate.mutants import Kind
from gateway.workbench.mutate.standing import asked, expired
from tests.policy.support import ME, question

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_each_identifier_is_another_and_its_control_has_none() -> None:
    email = SubjectRef("email", "a@b.org")
    found = [
        each for each in asked(question(ME, identifiers=(ME, email)), "f")
        if each.change.kind is Kind.CALLER
    ]  # fmt: skip
    for each in found:
        kinds = [identifier.kind for identifier in each.question.caller.identifiers]
        assert kinds == ["account", "email"]
        changed = {(one.kind, one.value) for one in each.question.caller.identifiers}
        assert changed != {("account", "A1"), ("email", "a@b.org")}
        assert each.control is not None
        assert len(each.control.caller.identifiers) == 1
    assert {each.change.where.locator for each in found} == {
        "caller.identifiers.account", "caller.identifiers.email",
    }  # fmt: skip


def test_a_strange_caller_is_nobody_that_was_asked_about() -> None:
    other = SubjectRef("account", "A9")
    first = next(iter(asked(question(ME, other), "f")))
    assert first.question.caller.identifiers[0].value not in ("A1", "A9")


def test_an_actor_is_added_where_there_is_none() -> None:
    found = [each for each in asked(question(ME), "f") if each.change.kind is Kind.ACTOR]
    assert all(each.question.caller.actor for each in found) and len(found) == 2
    assert all(each.control is None for each in found)


def test_an_actor_is_replaced_made_to_look_alike_and_removed() -> None:
    found = [
        each for each in asked(question(ME, actor=Actor("desk", "https://id.example.org")), "f")
        if each.change.kind is Kind.ACTOR
    ]  # fmt: skip
    actors = [each.question.caller.actor for each in found]
    assert Actor("DESK", "https://id.example.org") in actors
    assert Actor("desk", "https://mutant.invalid") in actors
    assert [each.reasons for each in found if each.question.caller.actor is None] == [True]


def test_claims_that_end_are_made_to_have_ended() -> None:
    claims = {"consent_expires_at": "2026-07-01T00:00:00Z", "case": "C-1", "until": 1_900_000_000}
    asks = replace(question(ME, claims=claims), received_at=AT)
    found = [each for each in asked(asks, "f") if each.change.kind is Kind.EXPIRY]
    assert [each.change.where.locator for each in found] == [
        "caller.claims.consent_expires_at", "caller.claims.until",
    ]  # fmt: skip
    assert found[0].question.caller.claims["consent_expires_at"] == "2026-05-31T12:00:00Z"
    assert found[0].control is not None
    assert "consent_expires_at" not in found[0].control.caller.claims


@pytest.mark.parametrize(
    ("data", "where", "past", "control"),
    [
        (
            {"links": [{"subject": "B7", "expires_at": "2026-06-01T13:00:00Z"}, {"subject": "C"}]},
            "data.links.0.expires_at",
            {"links": [{"subject": "B7", "expires_at": "2026-05-31T12:00:00Z"}, {"subject": "C"}]},
            {"links": [{"subject": "C"}]},
        ),
        (
            {"delegations": {"A1": {"desk": "2030-01-01T00:00:00+02:00", "x": "-"}}},
            "data.delegations.A1.desk",
            {"delegations": {"A1": {"desk": "2026-05-31T12:00:00Z", "x": "-"}}},
            {"delegations": {"A1": {"x": "-"}}},
        ),
        (
            {"consents": {"C1": {"revoked_at": None}}},
            "data.consents.C1.revoked_at",
            {"consents": {"C1": {"revoked_at": "2026-05-31T12:00:00Z"}}},
            {"consents": {}},
        ),
    ],
)
def test_grants_are_made_to_have_ended_and_in_the_control_never_were(
    data: dict[str, object], where: str, past: object, control: object
) -> None:
    (end,) = expired(data, AT)
    assert end.change.where.locator == where
    assert (end.data, end.control) == (past, control)


@pytest.mark.parametrize(
    "value", ["2020-01-01T00:00:00Z", "2030-01-01", "B7", 12, True, None, "2030-01-01T00:00:00"]
)
def test_what_is_past_or_no_moment_is_left_alone(value: object) -> None:
    assert list(expired({"links": [{"born": value}]}, AT)) == []
