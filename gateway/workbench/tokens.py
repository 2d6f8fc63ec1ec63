"""Claims without a signature → `Caller`, by the very code that reads real tokens.

The bench is an issuer of its own: it signs what it is given with a key that lives as long as the
process, puts that key in the place of the configured issuer's, and has the token read, verified
and interpreted like any other. So what a claim means here is what it means in production, and
there is no way through that code that skips a check.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jiter
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.config.wording import did_you_mean
from gateway.identity import claims as claims_of
from gateway.identity import tokens
from gateway.identity.jwks import KeySet, parse_key_set
from gateway.identity.settings import Algorithm, IdentitySettings, IssuerSettings
from gateway.model import Caller
from gateway.workbench.bodyfault import json_fault
from gateway.workbench.samples import whole
from gateway.workbench.unusable import Unusable, pointed

_ALGORITHM = Algorithm.ES256
_LIFETIME = 3600
_MOST = 1 << 20


def read_claims(text: str, source: str) -> Mapping[str, Any]:
    """The claims in a JSON text: strict, one object. Raises Unusable, with the line."""
    claims = json_value(text, source)
    if not isinstance(claims, dict):
        raise Unusable(f'{source}: expected an object of claims, such as {{"sub": "A1"}}')
    return claims


def json_value(text: str, source: str) -> Any:
    """The value of a strict JSON text. Raises Unusable, with the line."""
    data = text.encode(errors="surrogatepass")
    if fault := json_fault(data):
        said, line, column = fault
        raise Unusable(f"not strict JSON: {said}", pointed(source, text, line, column))
    return jiter.from_json(data, allow_inf_nan=False)


def given_claims(given: str) -> Mapping[str, Any]:
    """The claims that a command line names: a JSON object, or the file that holds one."""
    if given.lstrip().startswith("{"):
        return read_claims(given, "claims")
    source = "standard input" if given == "-" else given
    try:
        return read_claims(whole(Path(given), _MOST).decode("utf-8-sig"), source)
    except UnicodeDecodeError as error:
        raise Unusable(f"{source}: not UTF-8 at byte {error.start}") from None


def caller(claims: Mapping[str, Any], identity: IdentitySettings, at: datetime) -> Caller:
    """Who such claims stand for at a moment.

    `iss` may be left out where there is one issuer, `aud`, `iat` and `exp` always; what is there
    is held against the configuration like in a real token. Raises Unauthenticated for claims that
    would be refused, and Unusable where there is no issuer to hold them against.
    """
    pins, now = _issuer(claims, identity), at.timestamp()
    completed = {
        "iss": pins.issuer,
        "aud": pins.audience[0],
        "iat": int(now),
        "exp": int(now) + _LIFETIME,
        **claims,
    }
    try:
        token = jwt.encode(completed, _key(), _ALGORITHM.value, {"typ": pins.types[0]})
    except (TypeError, ValueError) as error:
        raise Unusable(f"claims: no token can hold them: {error}") from None
    ours = replace(pins, algorithms=(_ALGORITHM,))
    unverified = tokens.read((b"Bearer " + token.encode(),))
    key = _keys().find(None)
    assert key is not None
    return claims_of.caller(tokens.verify(unverified, key, ours, now), ours)


def _issuer(claims: Mapping[str, Any], identity: IdentitySettings) -> IssuerSettings:
    known = {pins.issuer: pins for pins in identity.issuers}
    if "iss" not in claims:
        if len(known) > 1:
            raise Unusable(f"claims: there are several issuers; say iss, one of {', '.join(known)}")
        return identity.issuers[0]
    name = claims["iss"]
    if not isinstance(name, str) or name not in known:
        near = did_you_mean(name, known) if isinstance(name, str) else ""
        raise Unusable(f"claims: iss: {name!r} is not a configured issuer{near}")
    return known[name]


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def _keys() -> KeySet:
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(_key().public_key())
    return parse_key_set(json.dumps({"keys": [json.loads(jwk)]}).encode(), (_ALGORITHM,))
