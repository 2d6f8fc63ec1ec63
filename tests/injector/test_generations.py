"""Generations of the serving certificate, and which of them is served when."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from gateway.injector.generations import (
    Generation,
    Unreadable,
    bundle,
    chosen,
    is_due,
    issue,
    parse,
    unexpired,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIFETIME = timedelta(days=90)
NAMES = frozenset({"injector.system.svc"})


def made(after: timedelta = timedelta(), names: frozenset[str] = NAMES) -> Generation:
    return issue(names, NOW + after, LIFETIME)


def certificates(generation: Generation) -> tuple[x509.Certificate, x509.Certificate]:
    (certificate,) = x509.load_pem_x509_certificates(generation.serving)
    (ca,) = x509.load_pem_x509_certificates(generation.ca)
    return certificate, ca


def verifies(generation: Generation, trusted: bytes, name: str, at: datetime) -> bool:
    """What a strict verifier says (RFC 5280, as the Web PKI profiles it)."""
    store = Store(x509.load_pem_x509_certificates(trusted))
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(certificates(generation)[0], [])
    except VerificationError:
        return False
    return True


def test_a_generation_is_trusted_by_its_own_ca_for_its_own_names_only() -> None:
    one, other = made(), made()
    assert verifies(one, one.ca, "injector.system.svc", NOW)
    assert verifies(one, other.ca + one.ca, "injector.system.svc", NOW)
    assert not verifies(one, other.ca, "injector.system.svc", NOW)
    assert not verifies(one, one.ca, "other.system.svc", NOW)


def test_it_is_valid_a_little_before_it_is_made_until_its_lifetime_is_over() -> None:
    one = made()
    assert (one.not_before, one.not_after) == (NOW - timedelta(minutes=5), NOW + LIFETIME)
    for at, valid in (
        (NOW - timedelta(minutes=4), True), (NOW - timedelta(minutes=6), False),
        (NOW + LIFETIME - timedelta(seconds=1), True), (NOW + LIFETIME, False),
    ):  # fmt: skip
        assert one.valid(at) is valid
    assert not verifies(one, one.ca, "injector.system.svc", NOW + LIFETIME + timedelta(seconds=1))


def test_keys_are_on_p256_and_the_cas_key_is_nowhere() -> None:
    one = made()
    certificate, ca = certificates(one)
    for each in (certificate, ca):
        key = each.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"
    assert one.text.count(b"PRIVATE KEY-----") == 2
    assert b"PRIVATE" not in one.ca
    assert "PRIVATE" not in repr(one)


def test_addresses_are_names_too() -> None:
    names = frozenset({"127.0.0.1", "::1", "localhost"})
    assert made(names=names).names == names


def test_what_is_written_is_read() -> None:
    one = made()
    assert parse(one.text) == one
    assert one.file == f"{one.id}.pem"


def test_what_is_not_a_generation_is_unreadable() -> None:
    one, other = made(), made()
    certificate, key = one.serving.rpartition(b"-----END PRIVATE KEY-----\n")[2], b""
    key = other.serving.partition(b"-----BEGIN CERTIFICATE-----")[0]
    for text in (
        b"", b"x" * 1000, one.serving, one.ca, one.serving + other.ca, one.ca + one.serving,
        certificate + one.ca, key + certificate + one.ca, one.text + one.ca, one.text[:-40],
        one.text.replace(b"MI", b"MJ"),
    ):  # fmt: skip
        with pytest.raises(Unreadable):
            parse(text)


def test_expired_ones_are_left_out_and_the_rest_is_in_order() -> None:
    old, young = made(timedelta(days=-91)), made(timedelta(days=10))
    middle = made()
    assert unexpired([young, old, middle], NOW) == [middle, young]
    assert len(unexpired([made(timedelta(days=n)) for n in range(10)], NOW)) == 8


def test_the_next_is_due_when_a_third_is_left_or_no_name_fits() -> None:
    one = made()
    assert is_due([], NAMES, NOW, LIFETIME)
    assert not is_due([one], NAMES, NOW, LIFETIME)
    assert not is_due([one], NAMES, NOW + timedelta(days=59), LIFETIME)
    assert is_due([one], NAMES, NOW + timedelta(days=60), LIFETIME)
    assert not is_due([one, made(timedelta(days=60))], NAMES, NOW + timedelta(days=60), LIFETIME)
    assert is_due([one], NAMES | {"more"}, NOW, LIFETIME)
    assert is_due([made(timedelta(days=2))], NAMES, NOW, LIFETIME), "made by a clock far ahead"


def test_the_bundle_holds_every_ca() -> None:
    one, two = made(), made()
    assert bundle([one, two]) == one.ca + two.ca


def test_a_new_one_is_served_only_when_it_has_been_trusted_for_a_while() -> None:
    old, new = made(), made(timedelta(days=60))
    now, both = NOW + timedelta(days=60), [new, old]
    assert chosen([old], NAMES, now, {}, 100.0) is None, "nobody trusts it yet"
    assert chosen([old], NAMES, now, {old.id: 150.0}, 100.0) == old, "there is no better one"
    assert chosen(both, NAMES, now, {old.id: 50.0}, 100.0) == old
    assert chosen(both, NAMES, now, {old.id: 50.0, new.id: 150.0}, 100.0) == old
    assert chosen(both, NAMES, now, {old.id: 50.0, new.id: 100.0}, 100.0) == new
    assert chosen(both, NAMES, now, {old.id: 150.0, new.id: 150.0}, 100.0) == old, "just started"


def test_neither_an_expired_one_nor_one_for_other_names_is_served() -> None:
    one = made()
    assert chosen([one], NAMES, NOW + LIFETIME, {one.id: 0.0}, 1.0) is None
    assert chosen([one], frozenset({"other"}), NOW, {one.id: 0.0}, 1.0) is None


def test_openssl_agrees(tmp_path: Path) -> None:
    import shutil
    import subprocess

    from tests.conftest import missing

    if shutil.which("openssl") is None:
        missing("there is no openssl")
    one = issue(NAMES, datetime.now(UTC), LIFETIME)
    (tmp_path / "ca.pem").write_bytes(made().ca + one.ca)
    (tmp_path / "serving.pem").write_bytes(one.serving)
    answer = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname",
         "injector.system.svc", "-CAfile", "ca.pem", "serving.pem"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
