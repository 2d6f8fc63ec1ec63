"""Generations of the serving certificate: a CA of its own each, whose key is thrown away at once.

    lifetime      0 ─────────────── 2/3 ─────────── 1
    generation 1  ████ served ████████████████┊ trusted still
    generation 2                      ┊ trusted ┊████ served ███████████
                                      made      settled

The next generation is made when a third of the lifetime is left, and served only when the API
servers have had time to learn its CA. Its predecessor stays trusted until it expires, so that a
replica that is late is trusted, too. All are in one Secret; every replica decides alike from it.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_BACKDATED = timedelta(minutes=5)
"""Clocks differ; a certificate that isn't valid yet is a failed handshake."""
_MOST = 8
_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n"
)
_PEM = serialization.Encoding.PEM


class Unreadable(Exception):
    """No generation is in this text."""


@dataclass(frozen=True, slots=True)
class Generation:
    """`serving` is the key and the certificate, `ca` what signed it, all in PEM.

    `names` are the certificate's DNS names and IP addresses, `id` its serial number in hexadecimal.
    """

    id: str
    names: frozenset[str]
    not_before: datetime
    not_after: datetime
    ca: bytes
    serving: bytes = field(repr=False)

    @property
    def file(self) -> str:
        """Its key in the Secret's data."""
        return f"{self.id}.pem"

    @property
    def text(self) -> bytes:
        """What `parse` reads."""
        return self.serving + self.ca

    def valid(self, now: datetime) -> bool:
        return self.not_before <= now < self.not_after


def issue(names: Iterable[str], now: datetime, lifetime: timedelta) -> Generation:
    """A new CA and a certificate for these DNS names and IP addresses (ECDSA on P-256)."""
    now = now.replace(microsecond=0)
    start, end = now - _BACKDATED, now + lifetime
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    # Two generations' CAs differ in name, so that a verifier never tries the wrong one.
    ca_name = _name(f"privacy-gateway injector CA {ca_id.digest.hex()[:16]}")
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        _builder(_name("privacy-gateway injector"), ca_name, key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([_general(name) for name in sorted(set(names))]),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    private = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return parse(private + certificate.public_bytes(_PEM) + ca.public_bytes(_PEM))


def parse(text: bytes) -> Generation:
    """Raises Unreadable for anything but a key, its certificate, and the CA that signed it."""
    try:
        certificate, ca = map(x509.load_pem_x509_certificate, _CERTIFICATE.findall(text))
        serving = text[: text.index(ca.public_bytes(_PEM))]
        key = serialization.load_pem_private_key(serving, password=None)
        certificate.verify_directly_issued_by(ca)
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        raise Unreadable from None
    if key.public_key() != certificate.public_key():
        raise Unreadable
    return Generation(
        id=f"{certificate.serial_number:040x}",
        names=frozenset(str(name.value) for name in alternatives.value),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        ca=ca.public_bytes(_PEM),
        serving=serving,
    )


def unexpired(found: Iterable[Generation], now: datetime) -> list[Generation]:
    """Those that count, the oldest first; of very many, the newest."""
    left = (generation for generation in found if now < generation.not_after)
    return sorted(left, key=lambda each: (each.not_after, each.id))[-_MOST:]


def is_due(
    generations: Iterable[Generation], names: frozenset[str], now: datetime, lifetime: timedelta
) -> bool:
    """Whether the next one must be made: none has these names and two thirds of a lifetime less."""
    return not any(
        generation.names == names and generation.valid(now + lifetime / 3) and generation.valid(now)
        for generation in generations
    )


def bundle(generations: Sequence[Generation]) -> bytes:
    """What the API servers are to trust: every CA, in PEM."""
    return b"".join(generation.ca for generation in generations)


def chosen(
    generations: Iterable[Generation],
    names: frozenset[str],
    now: datetime,
    trusted: Mapping[str, float],
    settled: float,
) -> Generation | None:
    """The one to serve: the newest that has been trusted since `settled`, else the oldest that is.

    `trusted` says since when each id's CA has been seen in the caBundle, in seconds of the same
    clock as `settled`.
    """
    fit = [
        each
        for each in sorted(generations, key=lambda each: (each.not_after, each.id))
        if each.id in trusted and each.names == names and each.valid(now)
    ]
    known = [each for each in fit if trusted[each.id] <= settled]
    return known[-1] if known else next(iter(fit), None)


def now() -> datetime:
    return datetime.now(UTC)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
