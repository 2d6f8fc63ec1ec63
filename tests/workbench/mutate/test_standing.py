"""Everything that is changed in who asks, and until when they may."""

from datetime import UTC, datetime

from msgspec.structs import replace

from gateway.model import Actor, SubjectRef
from gateway.workbench.mutate.mutants import Kind
from gateway.workbench.mutate.standing import asked
from tests.policy.support import ME, question

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_each_identifier_is_another_and_in_its_control_one_that_means_nothing() -> None:
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
        known = {one.kind for one in each.control.caller.identifiers}
        assert known in ({"account", "mutant"}, {"email", "mutant"})
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
    claims = {"consent_expires_at": "2026-07-01T00:00:00Z", "case": True, "until": 1_900_000_000}
    asks = replace(question(ME, claims=claims), received_at=AT)
    found = [each for each in asked(asks, "f") if each.change.kind is Kind.EXPIRY]
    assert [each.change.where.locator for each in found] == [
        "caller.claims.consent_expires_at", "caller.claims.until",
    ]  # fmt: skip
    assert found[0].question.caller.claims["consent_expires_at"] == "2026-05-31T12:00:00Z"
    assert found[0].control is not None
    assert "consent_expires_at" not in found[0].control.caller.claims


def test_roles_scopes_and_claims_are_others_and_in_the_control_they_are_not_there() -> None:
    asks = question(ME, roles=("dpo", "staff"), scopes=("export",), claims={"case": "C-17"})
    found = [each for each in asked(asks, "f") if each.change.kind is Kind.CLAIM]
    for each in found:
        changed, control = each.question.caller, each.control and each.control.caller
        assert control is not None
        match each.change.where.locator:
            case "caller.roles.dpo":
                assert changed.roles[0] == "staff" and changed.roles[1] != "dpo"
                assert control.roles == ("staff",)
            case "caller.roles.staff":
                assert changed.roles[0] == "dpo" and control.roles == ("dpo",)
            case "caller.scopes.export":
                assert changed.scopes != ("export",) and control.scopes == ()
            case "caller.claims.case":
                assert changed.claims["case"] != "C-17" and control.claims == {}
            case other:
                raise AssertionError(other)
    assert len({each.change.where.locator for each in found}) == 4
    assert "DPO" in {each.question.caller.roles[1] for each in found if "dpo" in each.change.old}


def test_a_role_of_digits_is_not_made_a_number() -> None:
    """It would be the same role."""
    found = list(asked(question(ME, roles=("7",)), "f"))
    assert all(
        each.question.caller.roles != ("7",) for each in found if "roles" in str(each.change)
    )
