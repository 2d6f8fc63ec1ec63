"""Which issuers are believed, how their tokens must look, and which claims name a person."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

from gateway.constraints import STRICT, After, Around, Before, Besides, Pattern, Shown
from gateway.locations import check_url, is_url
from gateway.quantities import Duration, Size

Text = Annotated[str, MinLen(1), MaxLen(1024)]
Kind = Annotated[str, Pattern(r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
"""The kind of a subject identifier, as in `account:A1`."""

_INSECURE = (
    "lets the network choose the keys; use https, or set jwks_allow_http where the network itself"
    " is trusted"
)


class Algorithm(StrEnum):
    """JWS algorithms that can be allowed: asymmetric ones only (RFC 8725 section 2.1).

    `none` and HMAC are no members, so that no configuration can allow them. EdDSA means Ed25519.
    """

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"


@dataclass(frozen=True, slots=True)
class ClaimSource:
    """An identifier that is a claim's own value, exact and of this type."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    claim: Text
    type: Literal["string", "integer"] = "string"


@dataclass(frozen=True, slots=True)
class Template:
    """An identifier composed of string claims: `Patient/{patient}`.

    `literals` is one longer than `claims`; they alternate, a literal first.
    """

    literals: tuple[str, ...]
    claims: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Raises ValueError where two different sets of claims could compose the same text."""
        pieces = re.split(r"\{([^{}]+)\}", text)
        literals, claims = tuple(pieces[::2]), tuple(pieces[1::2])
        if not claims or any(brace in literal for literal in literals for brace in "{}"):
            raise ValueError("a template names claims in braces, as in Patient/{patient}")
        if not all(literals[1:-1]):
            raise ValueError("two claims of a template need text between them")
        return cls(literals, claims)

    @property
    def separators(self) -> frozenset[str]:
        """Characters that no claim of this template may hold: `a/b` + `c` is not `a` + `b/c`."""
        return frozenset("".join(self.literals[1:-1]))


def _read_source(value: Any, as_claim: Callable[[Any], Any]) -> Any:
    if isinstance(value, ClaimSource | Template):
        return value
    if isinstance(value, str):
        return Template.parse(value) if {"{", "}"} & {*value} else as_claim({"claim": value})
    if not isinstance(value, Mapping):
        raise ValueError("expected a claim's name, a template or a mapping with claim and type")
    return as_claim(value)


IdentifierSource = Annotated[
    ClaimSource | Template,
    # Not a plain union: a fault in one form would be reported as a fault in both.
    Around(_read_source, ClaimSource),
    Shown(
        {
            "anyOf": [
                {"type": "string", "examples": ["sub", "Patient/{patient}"]},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["claim"],
                    "properties": {
                        "claim": {"type": "string"},
                        "type": {"enum": ["string", "integer"], "default": "string"},
                    },
                },
            ]
        }
    ),
]
"""A claim's name, a template over claims, or a mapping with `claim` and `type`."""


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _at_least_one(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("at least one is needed")
    return values


# Not `min_length`: that would also be reported where the only item is faulty.
NOT_EMPTY = (After(_at_least_one), Besides({"minItems": 1}))

Texts = Annotated[
    tuple[Text, ...],
    Before(_as_tuple),
    Shown({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


def media_type(typ: str) -> str:
    """A `typ` value in its short form: `application/AT+JWT` → `at+jwt` (RFC 7515 section 4.1.9)."""
    return typ.lower().removeprefix("application/")


def _check_type(typ: str) -> str:
    if not typ.isascii() or not typ.isprintable():
        raise ValueError("a token type is printable ASCII, as in at+jwt")
    return typ


TokenType = Annotated[str, MaxLen(64), After(_check_type)]


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """One issuer, pinned: what it signs with, for whom, and what its claims mean.

    `issuer` is compared with `iss` character by character. A token must be for one of `audience`,
    and for nobody else but those in `other_audiences`: a service that shares a token's audience
    can replay the token here.

    `types` are the accepted `typ` header values, `application/` and case aside. The default takes
    `at+jwt` (RFC 9068) and the plain `JWT` that most issuers still write; an ID, logout or refresh
    token is refused by its type or, under a plain `JWT`, by the claims that mark it. The empty
    string accepts tokens without `typ` (Amazon Cognito and some Okta servers write none).

    `identifiers` maps an identifier kind to where it comes from. The claim `email`, wherever it is
    used, counts only beside an `email_verified` that is the boolean true (OpenID Connect Core 1.0
    section 5.1). `claims` are the verified claims that the policy may see.

    `jwks` is a URL or a file. Its keys are read again every `jwks_refresh`, and count until
    `jwks_max_age` after the last good read; an unknown `kid` causes at most one read in
    `jwks_cooldown`. Plain http is for loopback, or for a network that `jwks_allow_http` vouches
    for: whoever can change this document can be anybody.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    issuer: Text
    audience: Annotated[Texts, *NOT_EMPTY]
    jwks: Text
    algorithms: Annotated[tuple[Algorithm, ...], *NOT_EMPTY]
    other_audiences: Texts = ()
    types: Annotated[tuple[TokenType, ...], Before(_as_tuple), *NOT_EMPTY] = (
        "at+jwt",
        "JWT",
    )
    identifiers: Mapping[Kind, IdentifierSource] = field(default_factory=dict)
    claims: Texts = ()
    leeway: Annotated[Duration, Le(300)] = 30.0
    jwks_refresh: Annotated[Duration, Ge(1)] = 300.0
    jwks_max_age: Annotated[Duration, Ge(1)] = 3600.0
    jwks_cooldown: Annotated[Duration, Ge(1)] = 30.0
    jwks_timeout: Annotated[Duration, Gt(0), Le(60)] = 5.0
    jwks_max_size: Annotated[Size, Ge(1), Le(2**24)] = 2**18
    jwks_allow_http: bool = False

    def __post_init__(self) -> None:
        if is_url(self.jwks):
            check_url(self.jwks, "jwks", allow_http=self.jwks_allow_http, insecure=_INSECURE)
        if self.jwks_max_age < self.jwks_refresh + self.jwks_timeout:
            raise ValueError("jwks_max_age must be longer than jwks_refresh and jwks_timeout")
        email = self.identifiers.get("email")
        if email is not None and _claims_of(email) != ("email",):
            raise ValueError(
                "identifiers.email must come from the claim email, the only one that"
                " email_verified speaks about; give another claim another kind"
            )


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """The issuers that are believed; each `iss` is configured once."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    issuers: Annotated[tuple[IssuerSettings, ...], *NOT_EMPTY]

    def __post_init__(self) -> None:
        if len({settings.issuer for settings in self.issuers}) != len(self.issuers):
            raise ValueError("two issuers have the same name")


def _claims_of(source: ClaimSource | Template) -> tuple[str, ...]:
    return (source.claim,) if isinstance(source, ClaimSource) else source.claims
