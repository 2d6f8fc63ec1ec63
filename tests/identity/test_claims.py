"""Verified claims become typed identifiers, scopes, roles and an actor, or the token is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code, Unauthenticated
from gateway.identity.claims import caller
from gateway.identity.settings import Template
from gateway.identity.tokens import VerifiedClaims
from gateway.model import Actor, Caller, Identifier
from tests.identity.conftest import pins
from tests.support.issuer import TestIssuer

ISSUER = TestIssuer(clock=lambda: 1_800_000_000)


def read(claims: dict[str, Any], /, **settings: Any) -> Caller:
    settings.setdefault("identifiers", {})
    all_claims = ISSUER.claims(**claims)
    return caller(
        VerifiedClaims(ISSUER.issuer, all_claims["sub"], all_claims["exp"], all_claims),
        pins(ISSUER, **settings),
    )


def refused(claims: dict[str, Any], /, **settings: Any) -> None:
    with pytest.raises(Unauthenticated) as caught:
        read(claims, **settings)
    assert caught.value.code is Code.TOKEN_CLAIMS
    for value in claims.values():
        assert str(value) not in caught.value.note or len(str(value)) < 4


def identifiers(claims: dict[str, Any], /, **sources: Any) -> tuple[Identifier, ...]:
    return read(claims, identifiers=sources).identifiers


def test_a_caller_is_named_by_issuer_and_subject() -> None:
    found = read({})
    assert (found.issuer, found.id) == (ISSUER.issuer, "A1")
    assert found.expires_at == datetime.fromtimestamp(1_800_000_300, UTC)
    assert found.identifiers == found.scopes == found.roles == ()
    assert found.actor is None
    assert found.claims == {}


# --- Identifiers (B31) -----------------------------------------------------------------------


def test_an_identifier_is_a_claims_exact_value() -> None:
    assert identifiers({"no": "042"}, account="sub", customer="no") == (
        Identifier("account", "A1"),
        Identifier("customer", "042"),
    )


@pytest.mark.parametrize(
    "value", ["ME", "me", "\uff14\uff12", "4_2", " me", "42 ", "caf\u00e9", "cafe\u0301"]
)
def test_an_identifier_is_not_folded(value: str) -> None:
    assert identifiers({"no": value}, customer="no") == (Identifier("customer", value),)


@pytest.mark.parametrize("claims", [{}, {"no": None}, {"no": ""}])
def test_an_absent_claim_gives_no_identifier(claims: dict[str, Any]) -> None:
    assert identifiers(claims, customer="no") == ()
    assert identifiers(claims, customer="C/{no}") == ()


@pytest.mark.parametrize(
    "value", [42, 4.2, True, ["42"], {"id": "42"}, " ", "a\nb", "a\0", "\u200b42", "x" * 256]
)
def test_a_claim_of_another_shape_refuses_the_token(value: Any) -> None:
    refused({"no": value}, identifiers={"customer": "no"})
    refused({"no": value}, identifiers={"customer": "C/{no}"})


def test_an_integer_claim_is_an_integer_only_where_configured() -> None:
    source = {"claim": "no", "type": "integer"}
    (found,) = identifiers({"no": 42}, customer=source)
    assert found == Identifier("customer", 42)
    assert type(found.value) is int
    assert identifiers({}, customer=source) == ()
    for value in ("42", 42.0, True, 2**63, [42], ""):
        refused({"no": value}, identifiers={"customer": source})


def test_a_string_and_an_integer_are_two_identifiers() -> None:
    (text,) = identifiers({"no": "42"}, customer="no")
    (number,) = identifiers({"no": 42}, customer={"claim": "no", "type": "integer"})
    assert text != number


def test_a_template_composes_claims() -> None:
    assert identifiers({"patient": "23"}, fhir="Patient/{patient}") == (
        Identifier("fhir", "Patient/23"),
    )
    claims = {"https://example.org/tenant": "acme", "no": "7"}
    assert identifiers(claims, member="{https://example.org/tenant}:{no}") == (
        Identifier("member", "acme:7"),
    )
    assert identifiers({"no": "7"}, member="{tenant}:{no}") == ()


def test_a_claim_that_holds_the_separator_refuses_the_token() -> None:
    refused({"a": "x:y", "b": "z"}, identifiers={"member": "{a}:{b}"})
    refused({"a": "x", "b": "y:z"}, identifiers={"member": "{a}:{b}"})


@given(
    st.tuples(st.text("ab:/", min_size=1, max_size=4), st.text("ab:/", min_size=1, max_size=4)),
    st.tuples(st.text("ab:/", min_size=1, max_size=4), st.text("ab:/", min_size=1, max_size=4)),
)
def test_different_claims_never_compose_the_same_identifier(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    composed = []
    for a, b in (one, other):
        try:
            composed.append(identifiers({"a": a, "b": b}, member="m/{a}:{b}"))
        except Unauthenticated:
            return
    assert (composed[0] == composed[1]) == (one == other)


# --- E-mail ----------------------------------------------------------------------------------


def test_a_verified_address_is_an_identifier() -> None:
    claims = {"email": "x@y.org", "email_verified": True}
    assert identifiers(claims, email="email") == (Identifier("email", "x@y.org"),)
    assert identifiers(claims, mailbox="mailto:{email}") == (
        Identifier("mailbox", "mailto:x@y.org"),
    )
    assert read(claims, claims=["email"]).claims == {"email": "x@y.org"}


@pytest.mark.parametrize("verified", [False, None, "true", "True", 1, 1.0, "", [True], {}])
def test_an_address_that_is_not_verified_counts_nowhere(verified: Any) -> None:
    claims = {"email": "x@y.org", "email_verified": verified}
    assert identifiers(claims, email="email", mailbox="mailto:{email}", other="email") == ()
    assert read(claims, claims=["email"]).claims == {}


def test_an_address_without_a_statement_is_not_verified() -> None:
    assert identifiers({"email": "x@y.org"}, email="email") == ()


# --- Scopes and roles (B30) ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "export.read export.write"}, ("export.read", "export.write")),
        ({"scp": ["export.read", "export.write"]}, ("export.read", "export.write")),
        ({"scp": "export.read"}, ("export.read",)),
        ({"scope": ["export.read"]}, ("export.read",)),
        ({"scope": "export.read.all"}, ("export.read.all",)),
        ({"scope": "a b a"}, ("a", "b")),
        ({"scope": " a  b "}, ("a", "b")),
        ({"scope": ""}, ()),
        ({"scope": None}, ()),
        ({"scope": []}, ()),
        ({"scope": "a b", "scp": ["b", "a"]}, ("a", "b")),
    ],
)
def test_scopes_are_exact_tokens(claims: dict[str, Any], scopes: tuple[str, ...]) -> None:
    assert read(claims).scopes == scopes


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": 1},
        {"scope": {"a": True}},
        {"scope": ["a", 1]},
        {"scope": ["a b"]},
        {"scope": [""]},
        {"scope": "a\tb"},
        {"scope": "a\nb"},
        {"scope": "a\u00a0b"},
        {"scope": 'a"b'},
        {"scope": "a", "scp": ["b"]},
    ],
)
def test_scopes_in_another_shape_refuse_the_token(claims: dict[str, Any]) -> None:
    refused(claims)


def test_roles_are_a_list_of_names() -> None:
    assert read({"roles": ["dpo", "case officer", "dpo"]}).roles == ("dpo", "case officer")
    assert read({"roles": []}).roles == ()
    assert read({"roles": None}).roles == ()
    for roles in ("dpo", [1], [""], ["dpo\n"], {"dpo": True}, [["dpo"]], True):
        refused({"roles": roles})


# --- Actors (B29) ----------------------------------------------------------------------------


def test_an_actor_acts_for_the_subject() -> None:
    found = read({"act": {"sub": "agent-7", "client_id": "app"}})
    assert found.actor == Actor("agent-7")
    assert found.id == "A1"
    found = read({"act": {"sub": "A1", "iss": "https://other.example"}})
    assert found.actor == Actor("A1", "https://other.example")
    assert read({"act": None}).actor is None


@pytest.mark.parametrize(
    "act",
    [
        {},
        "agent-7",
        ["agent-7"],
        True,
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
        {"sub": ["agent-7"]},
        {"sub": "agent-7\n"},
        {"sub": "agent-7", "iss": 1},
        {"sub": "agent-7", "iss": ""},
        {"sub": "agent-7", "act": {"sub": "agent-8"}},
        {"sub": "agent-7", "act": None},
        {"sub": "agent-7", "act": {"sub": "agent-8", "act": {"sub": "agent-7"}}},
        {"sub": "A1"},
        {"sub": "A1", "iss": "https://id.example.org"},
    ],
)
def test_a_chain_or_an_unclear_actor_refuses_the_token(act: Any) -> None:
    refused({"act": act})


# --- Claims for the policy -------------------------------------------------------------------


def test_only_configured_claims_reach_the_policy() -> None:
    found = read({"amr": ["mfa"], "acr": "2", "name": "Jane"}, claims=["amr", "acr", "absent"])
    assert found.claims == {"amr": ["mfa"], "acr": "2"}


def test_claims_for_the_policy_keep_their_types() -> None:
    value = {"a": [1, -1, "1", True, None, 0.5, {"b": 2**63 - 1}]}
    assert read({"x": value}, claims=["x"]).claims == {"x": value}


@pytest.mark.parametrize("value", [2**63, -(2**63), float("inf"), [[2**64]], {"a": {"b": 2**70}}])
def test_a_number_that_would_not_stay_exact_refuses_the_token(value: Any) -> None:
    refused({"x": value}, claims=["x"])
    assert read({"x": value}).claims == {}


def test_a_template_of_one_claim_has_no_separator() -> None:
    assert Template.parse("Patient/{patient}").separators == frozenset()
    assert identifiers({"p": "a/b"}, fhir="Patient/{p}") == (Identifier("fhir", "Patient/a/b"),)
