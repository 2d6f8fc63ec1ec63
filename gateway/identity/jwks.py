"""A JWK set document (RFC 7517) → the keys that may verify this issuer's tokens.

A set is published for everybody and holds keys for other uses, for algorithms we don't allow, and
now and then a mistake. Each key is judged on its own: one that is unfit is left out and counted
by its flaw, so that it neither verifies anything nor takes the good keys with it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jiter
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from gateway import base64url
from gateway.identity.settings import Algorithm

MAX_KEYS = 100
MAX_KID = 256
"""Characters of a key's name; issuers use 8 to 64."""

_MIN_RSA_BITS, _MAX_RSA_BITS = 2048, 8192
_MIN_RSA_EXPONENT, _MAX_RSA_EXPONENT = 2**16, 2**32
"""FIPS 186-5 asks for an odd exponent above 2^16; a huge one makes every verification slow."""

_SHAPES: Mapping[Algorithm, tuple[str, str | None]] = {
    Algorithm.RS256: ("RSA", None),
    Algorithm.RS384: ("RSA", None),
    Algorithm.RS512: ("RSA", None),
    Algorithm.PS256: ("RSA", None),
    Algorithm.PS384: ("RSA", None),
    Algorithm.PS512: ("RSA", None),
    Algorithm.ES256: ("EC", "P-256"),
    Algorithm.ES384: ("EC", "P-384"),
    Algorithm.ES512: ("EC", "P-521"),
    Algorithm.EDDSA: ("OKP", "Ed25519"),
}
"""Algorithm → the `kty` and `crv` of its keys (RFC 7518 section 3.1, RFC 8037)."""

_NUMBERS = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
"""Key type → the members that are numbers or points, in base64url."""

_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class KeyFault(StrEnum):
    """Why a key set could not be read; the one read before it stays in use."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    STATUS = "status"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    NO_USABLE_KEY = "no_usable_key"


class KeyFlaw(StrEnum):
    """Why one key of a set is left out."""

    MALFORMED = "malformed"
    OTHER_USE = "other_use"
    OTHER_ALGORITHM = "other_algorithm"
    WEAK = "weak"
    SECRET = "secret"  # noqa: S105 - private or symmetric key material was published
    DUPLICATE = "duplicate"


class KeySetUnusable(Exception):
    """A document holds no key set that we could use."""

    def __init__(self, fault: KeyFault) -> None:
        super().__init__(fault)
        self.fault = fault


class _Unfit(Exception):
    def __init__(self, flaw: KeyFlaw) -> None:
        super().__init__(flaw)
        self.flaw = flaw


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, ready for each of the algorithms it may be used with."""

    kid: str | None
    prepared: Mapping[str, PyJWK]

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Whether the signature is right, and the algorithm one of this key's."""
        jwk = self.prepared.get(algorithm)
        return jwk is not None and jwk.Algorithm.verify(signing_input, jwk.key, signature)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one document, by name; `flaws` counts those left out."""

    keys: Mapping[str | None, VerifyingKey]
    flaws: Mapping[KeyFlaw, int]

    def find(self, kid: str | None) -> VerifyingKey | None:
        """The key of this name; without a name, the only key there is."""
        if kid is None:
            return next(iter(self.keys.values())) if len(self.keys) == 1 else None
        return self.keys.get(kid)


def parse_key_set(document: bytes, allowed: Iterable[Algorithm]) -> KeySet:
    """The keys that fit one of the allowed algorithms. Raises KeySetUnusable."""
    try:
        content = jiter.from_json(document, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        raise KeySetUnusable(KeyFault.MALFORMED) from None
    members = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(members, list):
        raise KeySetUnusable(KeyFault.MALFORMED)
    if len(members) > MAX_KEYS:
        raise KeySetUnusable(KeyFault.TOO_LARGE)
    allowed, flaws, fit = tuple(allowed), Counter[KeyFlaw](), list[VerifyingKey]()
    for jwk in members:
        try:
            fit.append(_verifying_key(jwk, allowed))
        except _Unfit as unfit:
            flaws[unfit.flaw] += 1
    names = Counter(key.kid for key in fit)
    # Of two keys with one name none is the right one.
    keys = {key.kid: key for key in fit if names[key.kid] == 1}
    if len(keys) < len(fit):
        flaws[KeyFlaw.DUPLICATE] = len(fit) - len(keys)
    if not keys:
        raise KeySetUnusable(KeyFault.NO_USABLE_KEY)
    return KeySet(keys, dict(flaws))


def _verifying_key(jwk: Any, allowed: tuple[Algorithm, ...]) -> VerifyingKey:
    if not isinstance(jwk, dict):
        raise _Unfit(KeyFlaw.MALFORMED)
    # A key whose private half is public proves nothing about who signed.
    if _SECRET_MEMBERS & jwk.keys() or jwk.get("kty") == "oct":
        raise _Unfit(KeyFlaw.SECRET)
    kid = jwk.get("kid")
    if "kid" in jwk and not is_key_name(kid):
        raise _Unfit(KeyFlaw.MALFORMED)
    _check_use(jwk)
    algorithms = [
        algorithm
        for algorithm in allowed
        if _SHAPES[algorithm] == (jwk.get("kty"), jwk.get("crv"))
        and jwk.get("alg", algorithm) == algorithm
    ]
    if not algorithms:
        raise _Unfit(KeyFlaw.OTHER_ALGORITHM)
    _check_numbers(jwk)
    try:
        return VerifyingKey(kid, {name.value: PyJWK(jwk, name.value) for name in algorithms})
    except (PyJWTError, ValueError):  # off the curve, of the wrong length, ...
        raise _Unfit(KeyFlaw.MALFORMED) from None


def is_key_name(kid: Any) -> bool:
    """Whether a `kid`, in a key or in a token's header, is a name at all."""
    return isinstance(kid, str) and 0 < len(kid) <= MAX_KID and kid.isprintable()


def _check_use(jwk: Mapping[str, Any]) -> None:
    """RFC 7517 sections 4.2 and 4.3; PyJWT ignores both."""
    if jwk.get("use", "sig") != "sig":
        raise _Unfit(KeyFlaw.OTHER_USE)
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _Unfit(KeyFlaw.OTHER_USE)


def _check_numbers(jwk: Mapping[str, Any]) -> None:
    """The numbers are canonical base64url, and an RSA key is neither too weak nor too slow."""
    numbers = [_number(jwk, member) for member in _NUMBERS[jwk["kty"]]]
    if jwk["kty"] == "RSA":
        modulus, exponent = numbers
        if not (
            _MIN_RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS
            and _MIN_RSA_EXPONENT < exponent < _MAX_RSA_EXPONENT
            and modulus & exponent & 1
        ):
            raise _Unfit(KeyFlaw.WEAK)


def _number(jwk: Mapping[str, Any], member: str) -> int:
    text = jwk.get(member)
    if not isinstance(text, str) or not text:
        raise _Unfit(KeyFlaw.MALFORMED)
    try:
        return int.from_bytes(base64url.decode(text.encode("ascii")))
    except ValueError:
        raise _Unfit(KeyFlaw.MALFORMED) from None
