"""The key that bundles must be signed with, read from a file and fit for one algorithm only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import get_default_algorithms

from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.files import MAX_SECRET, read, read_secret
from gateway.policy.bundles.settings import SigningAlgorithm, SigningSettings

_MIN_RSA_BITS = 2048
_CURVES: Mapping[SigningAlgorithm, str] = {
    SigningAlgorithm.ES256: "secp256r1",
    SigningAlgorithm.ES384: "secp384r1",
    SigningAlgorithm.ES512: "secp521r1",
}
_SECRET_BYTES: Mapping[SigningAlgorithm, int] = {
    SigningAlgorithm.HS256: 32,
    SigningAlgorithm.HS384: 48,
    SigningAlgorithm.HS512: 64,
}
"""A secret is at least as long as the hash (RFC 7518 section 3.2)."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """What a bundle's signature is held against."""

    id: str
    algorithm: SigningAlgorithm
    scope: str
    _key: Any = field(repr=False)

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether the signature is right, by the one algorithm of this key."""
        algorithm = get_default_algorithms()[self.algorithm.value]
        return bool(algorithm.verify(signed, self._key, signature))


def read_key(settings: SigningSettings) -> VerificationKey:
    """Raises BundleError, never with anything of the key, where its file holds no fitting key."""
    match settings.algorithm:
        case SigningAlgorithm.HS256 | SigningAlgorithm.HS384 | SigningAlgorithm.HS512:
            key: Any = _secret(settings)
        case (
            SigningAlgorithm.RS256
            | SigningAlgorithm.RS384
            | SigningAlgorithm.RS512
            | SigningAlgorithm.PS256
            | SigningAlgorithm.PS384
            | SigningAlgorithm.PS512
            | SigningAlgorithm.ES256
            | SigningAlgorithm.ES384
            | SigningAlgorithm.ES512
        ):
            key = _public_key(settings)
        case _:
            assert_never(settings.algorithm)
    return VerificationKey(settings.key_id, settings.algorithm, settings.scope or "", key)


def _secret(settings: SigningSettings) -> bytes:
    path, least = settings.key_file, _SECRET_BYTES[settings.algorithm]
    secret = read_secret(path)
    # A public key is known to everybody, and would make a secret that everybody knows.
    if b"-----BEGIN" in secret:
        raise BundleError(path, f"a PEM file, where {settings.algorithm} needs a secret")
    if len(secret) < least:
        raise BundleError(path, f"{settings.algorithm} needs a secret of {least} bytes or more")
    return secret


def _public_key(settings: SigningSettings) -> RSAPublicKey | EllipticCurvePublicKey:
    path, algorithm = settings.key_file, settings.algorithm
    content, _ = read(path, MAX_SECRET)
    if b"PRIVATE KEY" in content:
        raise BundleError(path, "holds a private key; the gateway needs the public one only")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise BundleError(path, "holds no public key in PEM") from None
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name == _CURVES.get(algorithm):
        return key
    if isinstance(key, RSAPublicKey) and algorithm.value[:2] in ("RS", "PS"):
        if key.key_size < _MIN_RSA_BITS:
            raise BundleError(path, f"an RSA key of less than {_MIN_RSA_BITS} bits")
        return key
    raise BundleError(path, f"holds a key that is not for {algorithm}")
