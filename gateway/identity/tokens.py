"""Authorization field lines → verified claims.

    read     field lines → UnverifiedToken: size, shape, strict JSON; no key is touched yet
    admit    its header against the pins of the issuer that it names
    verify   signature, then the registered claims → VerifiedClaims; nothing else makes one

The bytes are read once. PyJWT supplies the signature algorithms and the key types, but not the
reading: it would parse header and payload again, keep the last of two equal keys where we refuse
both, and accept the padding that we don't (RFC 8725 section 3.10 asks for one reading).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import jiter

from gateway import base64url
from gateway.errors import Code, Unauthenticated
from gateway.identity.jwks import VerifyingKey, is_key_name
from gateway.identity.settings import IssuerSettings, media_type

MAX_TOKEN = 16 * 1024
"""Bytes of a compact token. Known issuers stay below 8 KiB, which is what proxies let through."""

MAX_NAME = 255
"""Characters of `sub` (OpenID Connect Core 1.0 section 2) and of any other name of a person."""

_END_OF_TIME = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second that a datetime can hold."""

_BEARER = re.compile(rb"bearer (\S+)", re.IGNORECASE)

_UNSUPPORTED_HEADERS = ("crit", "b64", "zip")
"""They change what the signed bytes mean (RFC 7515 section 4.1.11, RFC 7797, RFC 7516)."""

_OTHER_PURPOSE = ("nonce", "at_hash", "c_hash", "s_hash", "events", "cnf")
"""Claims of tokens that are no bearer access tokens, whatever their `typ`: ID tokens (OpenID
Connect Core 1.0 section 2), logout and security events (RFC 8417), and tokens bound to a key
(RFC 7800), which need a proof of possession that nobody has checked here."""

_PURPOSE_VALUES = {
    "typ": ("Bearer", "at+jwt", "JWT"),
    "token_use": ("access",),
    "token_type": ("access", "access_token", "Bearer", "bearer"),
}
"""Claims in which Keycloak, Amazon Cognito and others say what a token is for: these pass."""


@dataclass(frozen=True, slots=True, repr=False)
class UnverifiedToken:
    """A compact JWS, taken apart. Nothing in it may be believed yet, or be shown."""

    issuer: str
    algorithm: str
    kid: str | None
    type: str
    signing_input: bytes
    signature: bytes
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class VerifiedClaims:
    """The claims of a token whose signature, issuer, audience, type and times are right."""

    issuer: str
    subject: str
    expires_at: int
    claims: Mapping[str, Any]


def read(lines: Sequence[bytes]) -> UnverifiedToken:
    """The token in the raw values of all Authorization field lines of a request.

    There must be one line, `Bearer <token>`, with one space; the scheme's case doesn't matter
    (RFC 9110 section 11.1). Raises Unauthenticated(TOKEN_MISSING, TOKEN_MALFORMED, TOKEN_CLAIMS).
    """
    if not lines:
        raise Unauthenticated(Code.TOKEN_MISSING, "no Authorization line")
    if len(lines) > 1:
        raise _malformed("more than one Authorization line")
    if len(lines[0]) > MAX_TOKEN + len(b"Bearer "):
        raise _malformed("longer than 16 KiB")
    match = _BEARER.fullmatch(lines[0])
    if match is None:
        if lines[0][:6].lower() == b"bearer":
            raise _malformed("not `Bearer`, one space and a token")
        raise Unauthenticated(Code.TOKEN_MISSING, "another scheme than Bearer")
    segments = match[1].split(b".")
    if len(segments) != 3 or not all(segments):
        # Five are a JWE; an empty one is an unsigned or a detached token.
        raise _malformed("not three segments")
    header = _read_object(segments[0], "header")
    claims = _read_object(segments[1], "payload")
    try:
        signature = base64url.decode(segments[2])
    except ValueError:
        raise _malformed("the signature is not base64url") from None
    _check_header(header)
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise _claim("iss is not a string")
    return UnverifiedToken(
        issuer=issuer,
        algorithm=header["alg"],
        kid=header.get("kid"),
        type=media_type(header.get("typ", "")),
        signing_input=match[1][: -len(segments[2]) - 1],
        signature=signature,
        claims=claims,
    )


def admit(token: UnverifiedToken, pins: IssuerSettings) -> None:
    """Refuse what the issuer's pins exclude before a key is looked for.

    Raises Unauthenticated(TOKEN_UNTRUSTED, TOKEN_CLAIMS).
    """
    if token.algorithm not in pins.algorithms:
        raise Unauthenticated(Code.TOKEN_UNTRUSTED, "an algorithm that the issuer may not use")
    if token.type not in map(media_type, pins.types):
        raise _claim("typ is not one of the issuer's types")


def verify(
    token: UnverifiedToken, key: VerifyingKey, pins: IssuerSettings, now: float
) -> VerifiedClaims:
    """The token's claims, proven: signed by this key, for us, and valid at `now`.

    `now` is in seconds since the epoch. With a leeway of L seconds a token is valid from `nbf` - L
    on and until just before `exp` + L, and it may be issued up to L in the future.
    Raises Unauthenticated(TOKEN_UNTRUSTED, TOKEN_EXPIRED, TOKEN_CLAIMS).
    """
    admit(token, pins)
    if token.issuer != pins.issuer:
        raise Unauthenticated(Code.TOKEN_UNTRUSTED, "another issuer than the key's")
    if not key.verifies(token.algorithm, token.signing_input, token.signature):
        raise Unauthenticated(Code.TOKEN_UNTRUSTED, "the signature is wrong")
    expires_at = check_times(token.claims, pins.leeway, now)
    _check_audience(token.claims.get("aud"), pins)
    _check_purpose(token.claims)
    subject = token.claims.get("sub")
    if not is_name(subject):
        raise _claim("sub is not a name")
    return VerifiedClaims(pins.issuer, subject, expires_at, token.claims)


def is_name(value: Any) -> TypeGuard[str]:
    """Whether a claim's value can name a person: visible text, 1 to 255 characters.

    Control characters, line ends and invisible characters are refused: two names that look the
    same and differ there would be told apart by us and by nobody who reads the log.
    """
    return (
        isinstance(value, str)
        and len(value) <= MAX_NAME
        and value.isprintable()
        and bool(value.strip())
    )


def _read_object(segment: bytes, name: str) -> dict[str, Any]:
    try:
        # No cache of strings: they are personal data and would outlive the exchange.
        content = jiter.from_json(
            base64url.decode(segment),
            allow_inf_nan=False,
            cache_mode="none",
            catch_duplicate_keys=True,
        )
    except ValueError:
        raise _malformed(f"the {name} is not base64url of strict JSON") from None
    if not isinstance(content, dict):
        raise _malformed(f"the {name} is not a JSON object")
    return content


def _check_header(header: Mapping[str, Any]) -> None:
    """The keys that a header brings or points to (jwk, jku, x5c, x5u) are not even looked at."""
    if not isinstance(header.get("alg"), str):
        raise _malformed("alg is not a string")
    if any(name in header for name in _UNSUPPORTED_HEADERS):
        raise _malformed("the header asks for crit, b64 or zip")
    if "kid" in header and not is_key_name(header["kid"]):
        raise _malformed("kid is not a key's name")
    typ = header.get("typ", "")
    if not isinstance(typ, str) or not typ.isascii():
        raise _malformed("typ is not a media type")


def check_times(claims: Mapping[str, Any], leeway: float, now: float) -> int:
    """Returns `exp`. Times are whole seconds: a fraction is legal, but nobody needs one.

    Raises Unauthenticated(TOKEN_EXPIRED, TOKEN_CLAIMS).
    """
    expires_at, issued_at = _time(claims, "exp"), _time(claims, "iat")
    starts_at = max(issued_at, _time(claims, "nbf")) if "nbf" in claims else issued_at
    if now >= expires_at + leeway:
        raise Unauthenticated(Code.TOKEN_EXPIRED, "exp has passed")
    if now < starts_at - leeway:
        raise Unauthenticated(Code.TOKEN_EXPIRED, "nbf or iat is in the future")
    return expires_at


def _time(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    # type(), not isinstance(): true is no time.
    if type(value) is not int or not 0 <= value <= _END_OF_TIME:
        raise _claim(f"{name} is not a time in whole seconds")
    return value


def _check_audience(value: Any, pins: IssuerSettings) -> None:
    audiences = [value] if isinstance(value, str) else value
    if not isinstance(audiences, list):
        raise _claim("aud is neither a string nor a list")
    if not any(name in pins.audience for name in audiences):
        raise _claim("aud doesn't name us")
    if not all(name in pins.audience or name in pins.other_audiences for name in audiences):
        raise _claim("aud names others, and identity.issuers.other_audiences doesn't")


def _check_purpose(claims: Mapping[str, Any]) -> None:
    for name in _OTHER_PURPOSE:
        if name in claims:
            raise _claim(f"{name} marks a token that is no bearer access token")
    for name, values in _PURPOSE_VALUES.items():
        if name in claims and claims[name] not in values:
            raise _claim(f"{name} says that this is no access token")


def _malformed(note: str) -> Unauthenticated:
    return Unauthenticated(Code.TOKEN_MALFORMED, note)


def _claim(note: str) -> Unauthenticated:
    return Unauthenticated(Code.TOKEN_CLAIMS, note)
