"""What an issuer's configuration may say (B35), and what is refused before anything starts."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.identity.settings import (
    Algorithm,
    ClaimSource,
    IdentitySettings,
    IssuerSettings,
    Template,
    media_type,
)

ISSUER: dict[str, Any] = {
    "issuer": "https://id.example.org",
    "audience": "data-export",
    "jwks": "https://id.example.org/jwks.json",
    "algorithms": ["RS256"],
}


def load(**settings: Any) -> IssuerSettings:
    return TypeAdapter(IssuerSettings).validate_python(ISSUER | settings)


def faults(**settings: Any) -> dict[tuple[int | str, ...], str]:
    """Where → what, for every fault of these settings."""
    with pytest.raises(ValidationError) as caught:
        load(**settings)
    return {error["loc"]: error["msg"] for error in caught.value.errors()}


def test_a_short_configuration_has_safe_defaults() -> None:
    settings = load()
    assert settings.audience == ("data-export",)
    assert settings.algorithms == (Algorithm.RS256,)
    assert settings.types == ("at+jwt", "JWT")
    assert settings.identifiers == {}
    assert settings.other_audiences == settings.claims == ()
    assert settings.jwks_max_age == 3600


def test_identifiers_are_claims_templates_or_typed_claims() -> None:
    settings = load(
        identifiers={
            "account": "sub",
            "fhir": "Patient/{patient}",
            "customer": {"claim": "https://example.org/no", "type": "integer"},
        }
    )
    assert settings.identifiers == {
        "account": ClaimSource("sub"),
        "fhir": Template(("Patient/", ""), ("patient",)),
        "customer": ClaimSource("https://example.org/no", "integer"),
    }


@pytest.mark.parametrize(
    "algorithms", [[], None, [""], ["none"], ["HS256"], ["RS256", "HS512"], ["ES256K"]]
)
def test_only_asymmetric_algorithms_can_be_pinned_and_one_must_be(algorithms: Any) -> None:
    (where,) = faults(algorithms=algorithms)
    assert where[0] == "algorithms"


def test_the_algorithms_have_no_default() -> None:
    without = {name: value for name, value in ISSUER.items() if name != "algorithms"}
    with pytest.raises(ValidationError):
        TypeAdapter(IssuerSettings).validate_python(without)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"audience": []}, ("audience",)),
        ({"audience": ""}, ("audience", 0)),
        ({"issuer": ""}, ("issuer",)),
        ({"types": []}, ("types",)),
        ({"types": ["at+\u212awt"]}, ("types", 0)),
        ({"leeway": "10m"}, ("leeway",)),
        ({"leeway": 10}, ("leeway",)),
        ({"jwks_refresh": "10ms"}, ("jwks_refresh",)),
        ({"jwks_max_size": "1GiB"}, ("jwks_max_size",)),
        ({"algorithm": "RS256"}, ("algorithm",)),
        ({"identifiers": {"a b": "sub"}}, ("identifiers", "a b", "[key]")),
        ({"identifiers": {"a\n": "sub"}}, ("identifiers", "a\n", "[key]")),
        ({"identifiers": {"a": ""}}, ("identifiers", "a", "claim")),
        ({"identifiers": {"a": 1}}, ("identifiers", "a")),
        ({"identifiers": {"a": ["sub"]}}, ("identifiers", "a")),
        ({"identifiers": {"a": {"claim": "x", "type": "float"}}}, ("identifiers", "a", "type")),
        ({"identifiers": {"a": {"claim": "x", "kind": "y"}}}, ("identifiers", "a", "kind")),
        ({"identifiers": {"a": "Patient/{"}}, ("identifiers", "a")),
        ({"identifiers": {"a": "{}"}}, ("identifiers", "a")),
        ({"identifiers": {"a": "{{x}}"}}, ("identifiers", "a")),
        ({"identifiers": {"a": "{x}{y}"}}, ("identifiers", "a")),
    ],
)
def test_each_fault_is_reported_once_and_in_its_place(
    settings: dict[str, Any], where: tuple[int | str, ...]
) -> None:
    assert list(faults(**settings)) == [where]


def test_the_kind_email_comes_from_the_claim_that_can_be_verified() -> None:
    load(identifiers={"email": "email"})
    load(identifiers={"email": "mailto:{email}"})
    load(identifiers={"mailbox": "upn"})
    for source in ("upn", "{upn}@x", "{email}:{tenant}", {"claim": "mail"}):
        assert "email_verified" in faults(identifiers={"email": source})[()]


@pytest.mark.parametrize(
    "jwks",
    [
        "https://id.example.org/jwks",
        "http://127.0.0.1:8080/jwks",
        "http://localhost/jwks",
        "http://[::1]:8080/jwks",
        "/run/keys/jwks.json",
        "jwks.json",
    ],
)
def test_keys_come_by_https_from_loopback_or_from_a_file(jwks: str) -> None:
    assert load(jwks=jwks).jwks == jwks


@pytest.mark.parametrize(
    "jwks",
    [
        "",
        "ftp://id.example.org/jwks",
        "file:///etc/passwd",
        "https://",
        "https://secret:word@id.example.org/jwks",
        "https://id.example.org/jwks#x",
        "https://id.example.org:99999/jwks",
        "http://id.example.org/jwks",
        "http://127.0.0.1.example.org/jwks",
        "http://localhost.example.org/jwks",
    ],
)
def test_keys_from_elsewhere_are_refused(jwks: str) -> None:
    assert "secret" not in str(list(faults(jwks=jwks).values()))


def test_plain_http_must_be_asked_for() -> None:
    assert load(jwks="http://issuer:8080/jwks", jwks_allow_http=True)


def test_keys_must_not_age_out_between_two_reads() -> None:
    load(jwks_refresh="5m", jwks_timeout="5s", jwks_max_age="305s")
    assert "jwks_max_age" in faults(jwks_refresh="5m", jwks_timeout="5s", jwks_max_age="304s")[()]


def test_an_issuer_is_configured_once_and_one_must_be() -> None:
    read = TypeAdapter(IdentitySettings).validate_python
    assert len(read({"issuers": [ISSUER, ISSUER | {"issuer": "https://other"}]}).issuers) == 2
    for issuers in ([], [ISSUER, ISSUER]):
        with pytest.raises(ValidationError):
            read({"issuers": issuers})


def test_the_settings_describe_themselves() -> None:
    schema = TypeAdapter(IdentitySettings).json_schema()
    issuer = schema["$defs"]["IssuerSettings"]
    assert issuer["additionalProperties"] is False
    assert set(issuer["required"]) == {"issuer", "audience", "jwks", "algorithms"}


def test_a_media_type_has_a_short_form() -> None:
    assert media_type("application/AT+JWT") == media_type("at+jwt") == "at+jwt"
