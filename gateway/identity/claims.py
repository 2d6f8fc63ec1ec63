"""Verified claims → `Caller`: the identifiers, scopes, roles and actor that a policy may weigh.

A claim that is absent, null or empty gives nothing. One that is there in another shape than its
meaning allows refuses the token: to guess what an issuer meant is how a caller gets somebody
else's name.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_never

from gateway.errors import Code, Unauthenticated
from gateway.identity.settings import ClaimSource, IssuerSettings, Template
from gateway.identity.tokens import VerifiedClaims, is_name
from gateway.model import Actor, Caller, Identifier

_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
"""RFC 6749 section 3.3."""

_MAX_INTEGER = 2**63 - 1
"""What every reader of JSON numbers on our way (policy engines, log readers) keeps exact."""


def caller(verified: VerifiedClaims, settings: IssuerSettings) -> Caller:
    """Who asks, in the terms of the configuration. Raises Unauthenticated(TOKEN_CLAIMS)."""
    claims = _usable(verified.claims)
    return Caller(
        issuer=verified.issuer,
        id=verified.subject,
        identifiers=_identifiers(claims, settings.identifiers),
        actor=_actor(claims, verified),
        scopes=_scopes(claims),
        roles=_roles(claims),
        claims={name: _exact(claims[name]) for name in settings.claims if name in claims},
        expires_at=datetime.fromtimestamp(verified.expires_at, UTC),
    )


def _usable(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without an address that the issuer hasn't verified (OpenID Connect Core 1.0 section 5.1)."""
    if "email" not in claims or claims.get("email_verified") is True:
        return claims
    return {name: value for name, value in claims.items() if name != "email"}


def _identifiers(
    claims: Mapping[str, Any], sources: Mapping[str, ClaimSource | Template]
) -> tuple[Identifier, ...]:
    found = ((kind, _identifier(claims, source, kind)) for kind, source in sources.items())
    return tuple(Identifier(kind, value) for kind, value in found if value is not None)


def _identifier(
    claims: Mapping[str, Any], source: ClaimSource | Template, kind: str
) -> str | int | None:
    match source:
        case ClaimSource():
            read = _text if source.type == "string" else _integer
            return read(claims, source.claim, kind)
        case Template():
            return _composed(claims, source, kind)
        case _:
            assert_never(source)


def _text(claims: Mapping[str, Any], name: str, kind: str) -> str | None:
    value = claims.get(name)
    if value is None or value == "":
        return None
    if not is_name(value):
        raise _refused(f"the claim of identifiers.{kind} is not a name")
    return value


def _integer(claims: Mapping[str, Any], name: str, kind: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    # type(), not isinstance(): true is not 1. And 1.0 is not an integer here, nor "1".
    if type(value) is not int or not -_MAX_INTEGER <= value <= _MAX_INTEGER:
        raise _refused(f"the claim of identifiers.{kind} is not an exact integer")
    return value


def _composed(claims: Mapping[str, Any], template: Template, kind: str) -> str | None:
    text = template.literals[0]
    for name, literal in zip(template.claims, template.literals[1:], strict=True):
        value = _text(claims, name, kind)
        if value is None:
            return None
        if not template.separators.isdisjoint(value):
            raise _refused(f"a claim of identifiers.{kind} holds the template's separator")
        text += value + literal
    return text


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The tokens of `scope` (RFC 6749) or `scp`, each whole: `a.b` never stands for `a.b.c`."""
    scope, scp = (_scope_tokens(claims.get(name), name) for name in ("scope", "scp"))
    if scope and scp and set(scope) != set(scp):
        raise _refused("scope and scp disagree")
    return scope or scp


def _scope_tokens(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    tokens = [token for token in value.split(" ") if token] if isinstance(value, str) else value
    if not isinstance(tokens, list) or not all(
        isinstance(token, str) and _SCOPE.fullmatch(token) for token in tokens
    ):
        raise _refused(f"{name} is neither a string nor a list of scope tokens")
    return tuple(dict.fromkeys(tokens))


def _roles(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The claim `roles` (RFC 9068 section 2.2.3.1), a list of strings."""
    value = claims.get("roles")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(map(is_name, value)):
        raise _refused("roles is not a list of names")
    return tuple(dict.fromkeys(value))


def _actor(claims: Mapping[str, Any], verified: VerifiedClaims) -> Actor | None:
    """Who acts for the subject (RFC 8693 section 4.1): one party, and not the subject again.

    A nested `act` tells a longer story, of which only the newest actor may count; we would have to
    show the rest to the policy as history, so a chain is refused.
    """
    act = claims.get("act")
    if act is None:
        return None
    if not isinstance(act, dict) or "act" in act or not is_name(act.get("sub")):
        raise _refused("act is not one actor with a sub")
    issuer = act.get("iss")
    if issuer is not None and not is_name(issuer):
        raise _refused("act.iss is not a name")
    if act["sub"] == verified.subject and issuer in (None, verified.issuer):
        raise _refused("act names the subject itself")
    return Actor(act["sub"], issuer)


def _exact(value: Any) -> Any:
    """A claim's value for the policy, if every number in it stays the same on the way there."""
    match value:
        case None | bool() | str():
            return value
        case int() if -_MAX_INTEGER <= value <= _MAX_INTEGER:
            return value
        case float() if math.isfinite(value):
            return value
        case list():
            return [_exact(item) for item in value]
        case dict():
            return {key: _exact(item) for key, item in value.items()}
        case _:
            raise _refused("a claim for the policy holds a number that isn't exact")


def _refused(note: str) -> Unauthenticated:
    return Unauthenticated(Code.TOKEN_CLAIMS, note)
