"""Claims become a caller by the code that reads real tokens."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.errors import Code, Unauthenticated
from gateway.model import Actor, Identifier
from gateway.workbench.tokens import caller, given_claims, json_value, read_claims
from gateway.workbench.unusable import Unusable

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def of(config: Config, **claims: Any) -> Any:
    return caller(claims, config.identity, NOW)


def test_a_sub_alone_is_enough(config: Config) -> None:
    found = of(config, sub="A1")
    assert found.identifiers == (Identifier("account", "A1"),)
    assert (found.issuer, found.id, found.actor) == ("https://id.example.org", "A1", None)


def test_actor_scopes_and_roles_are_read_as_in_production(config: Config) -> None:
    found = of(config, sub="A1", act={"sub": "bot"}, scope="a b", roles=["dpo"])
    assert (found.actor, found.scopes, found.roles) == (Actor("bot"), ("a", "b"), ("dpo",))


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, Code.TOKEN_CLAIMS),
        ({"sub": 1}, Code.TOKEN_CLAIMS),
        ({"sub": ""}, Code.TOKEN_CLAIMS),
        ({"sub": "A1", "aud": "elsewhere"}, Code.TOKEN_CLAIMS),
        ({"sub": "A1", "nonce": "x"}, Code.TOKEN_CLAIMS),
        ({"sub": "A1", "exp": int(NOW.timestamp()) - 60}, Code.TOKEN_EXPIRED),
        ({"sub": "A1", "nbf": int(NOW.timestamp()) + 60}, Code.TOKEN_EXPIRED),
        ({"sub": "A1", "act": {"sub": "A1"}}, Code.TOKEN_CLAIMS),
        ({"sub": "A1", "roles": ["x" * 20_000]}, Code.TOKEN_MALFORMED),
    ],
)
def test_claims_that_a_real_token_could_not_have_are_refused(
    config: Config, claims: dict[str, Any], code: Code
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        of(config, **claims)
    assert refused.value.code is code


def test_an_unverified_email_is_no_identifier(config: Config) -> None:
    pins = replace(config.identity.issuers[0], identifiers={"email": _claim("email")})
    identity = replace(config.identity, issuers=(pins,))
    for verified, expected in ((True, 1), (False, 0), ("true", 0)):
        claims = {"sub": "A1", "email": "a@b.org", "email_verified": verified}
        assert len(caller(claims, identity, NOW).identifiers) == expected


def test_where_there_are_several_issuers_the_claims_must_name_one(config: Config) -> None:
    other = replace(config.identity.issuers[0], issuer="https://other.example")
    identity = replace(config.identity, issuers=(*config.identity.issuers, other))
    named = caller({"sub": "A1", "iss": "https://other.example"}, identity, NOW)
    assert named.issuer == "https://other.example"
    with pytest.raises(Unusable, match="several issuers"):
        caller({"sub": "A1"}, identity, NOW)


def test_an_issuer_that_is_not_configured_is_unusable(config: Config) -> None:
    with pytest.raises(Unusable, match="not a configured issuer"):
        of(config, sub="A1", iss=3)


def test_claims_come_from_the_command_line_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "claims.json"
    file.write_text('{"sub": "A1"}')
    assert given_claims(str(file)) == given_claims(' {"sub": "A1"}') == {"sub": "A1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "expected an object"),
        ('{"sub": "A1", "sub": "A2"}', "Detected duplicate key"),
        ('{"sub": NaN}', "claims:1:9"),
        ("{", "EOF"),
    ],
)
def test_claims_that_are_no_strict_object_are_unusable(text: str, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        read_claims(text, "claims")


def test_a_fault_is_shown_where_it_is() -> None:
    with pytest.raises(Unusable) as caught:
        json_value('{\n  "ä": "ö",\n}', "file")
    assert str(caught.value).startswith("file:3:1: not strict JSON: trailing comma")


@pytest.mark.parametrize("content", [b"\xff", b"x" * (2**20 + 1)])
def test_a_file_that_is_not_claims_is_unusable(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "claims.json"
    file.write_bytes(content)
    with pytest.raises(Unusable, match=str(file)):
        given_claims(str(file))


def _claim(name: str) -> Any:
    from gateway.identity.settings import ClaimSource

    return ClaimSource(name)


def test_the_values_of_claims_stay_exact(config: Config) -> None:
    pins = replace(config.identity.issuers[0], claims=("n", "o"))
    claims = json.loads('{"sub": "A1", "n": 9007199254740993, "o": {"x": [1, null]}}')
    found = caller(claims, replace(config.identity, issuers=(pins,)), NOW)
    assert found.claims == {"n": 9007199254740993, "o": {"x": [1, None]}}
