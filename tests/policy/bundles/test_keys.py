"""Keys: fit for one algorithm, strong enough, and never said aloud."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.keys import read_key
from gateway.policy.bundles.settings import SigningAlgorithm, SigningSettings
from tests.policy.bundles.support import signing_key


def settings(path: Path, algorithm: str) -> SigningSettings:
    return SigningSettings(path, "prod", SigningAlgorithm(algorithm))


def said(path: Path, algorithm: str) -> str:
    with pytest.raises(BundleError) as refusal:
        read_key(settings(path, algorithm))
    assert refusal.value.path == str(path)
    return refusal.value.message


@pytest.mark.parametrize("algorithm", [each.value for each in SigningAlgorithm])
def test_each_algorithm_has_a_key_that_fits(tmp_path: Path, algorithm: str) -> None:
    key = signing_key(tmp_path, algorithm)
    read = read_key(settings(key.public, algorithm))
    assert (read.id, read.algorithm.value, read.scope) == ("prod", algorithm, "")
    assert not read.verifies(b"signed", b"no signature")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    rsa_key, ec_key = signing_key(tmp_path, "RS256"), signing_key(tmp_path, "ES256")
    assert said(rsa_key.public, "ES256") == "holds a key that is not for ES256"
    assert said(ec_key.public, "RS256") == "holds a key that is not for RS256"
    assert said(ec_key.public, "ES384") == "holds a key that is not for ES384"
    other = tmp_path / "ed25519.pem"
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    other.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert said(other, "ES256") == "holds a key that is not for ES256"


def test_a_public_key_is_never_a_secret(tmp_path: Path) -> None:
    """The confusion of algorithms: everybody could sign with what everybody knows."""
    key = signing_key(tmp_path, "RS256")
    key.public.chmod(0o600)
    assert said(key.public, "HS256") == "a PEM file, where HS256 needs a secret"


def test_a_private_key_does_not_belong_here(tmp_path: Path) -> None:
    for algorithm in ("RS256", "ES256"):
        key = signing_key(tmp_path, algorithm)
        assert said(key.private, algorithm).startswith("holds a private key")


def test_a_weak_key_is_refused(tmp_path: Path) -> None:
    weak = tmp_path / "weak.pem"
    public = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    weak.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert said(weak, "RS256") == "an RSA key of less than 2048 bits"
    odd = tmp_path / "odd.pem"
    curve = ec.generate_private_key(ec.SECP256K1()).public_key()
    odd.write_bytes(curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert said(odd, "ES256") == "holds a key that is not for ES256"
    for algorithm, length in (("HS256", 31), ("HS384", 47), ("HS512", 63)):
        secret = tmp_path / f"secret-{length}"
        secret.touch(0o600)
        secret.write_bytes(b"s" * length)
        assert said(secret, algorithm).endswith(f"{length + 1} bytes or more")


def test_what_is_no_key_is_refused_without_being_quoted(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert "No such file" in said(path, "RS256")
    path.touch(0o600)
    path.write_bytes(b"hunter2 " * 10)
    assert said(path, "RS256") == "holds no public key in PEM"
    path.chmod(0o644)
    assert "open to everybody" in said(path, "HS256")


def test_a_key_says_nothing_of_itself(tmp_path: Path) -> None:
    key = signing_key(tmp_path, "HS256")
    assert "secret" not in repr(read_key(settings(key.private, "HS256")))
