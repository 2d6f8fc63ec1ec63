"""The certificate of the next handshake, changed without a listener noticing.

A context per certificate: one context would keep an RSA certificate beside the elliptic one that
replaces it, and go on serving it to whoever prefers it.
"""

import os
import ssl
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509


@dataclass(frozen=True, slots=True)
class Certificate:
    """`text` is a private key and a chain, in PEM."""

    text: bytes = field(repr=False)
    not_after: datetime


class Handshakes:
    """`context` is for the listener; until there is a certificate every handshake fails."""

    def __init__(self) -> None:
        self.certificate: Certificate | None = None
        self._current: ssl.SSLContext | None = None
        self.context = _context()
        self.context.sni_callback = self._choose

    def use(self, certificate: Certificate) -> None:
        """For every handshake from now on. Raises ValueError where key and chain don't fit."""
        if self.certificate == certificate:
            return
        context = _context()
        _load(context, certificate.text)
        self._current, self.certificate = context, certificate

    def valid(self, now: datetime) -> bool:
        return self.certificate is not None and now < self.certificate.not_after

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _: ssl.SSLContext
    ) -> int | None:
        """OpenSSL asks in every handshake, whether a server name came or not."""
        if self._current is None:
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
        connection.context = self._current
        return None


def certificate_of(key: bytes, chain: bytes) -> Certificate:
    """Raises ValueError for what is no certificate, or one of another key."""
    found = x509.load_pem_x509_certificates(chain)
    certificate = Certificate(key.rstrip() + b"\n" + chain, found[0].not_valid_after_utc)
    _load(_context(), certificate.text)
    return certificate


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A ticket would let a client resume under a certificate that is gone.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, text: bytes) -> None:
    """OpenSSL's Python reads files only; this one is in memory, and nowhere else."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        except ssl.SSLError as error:
            raise ValueError(f"key and certificates don't fit ({error.reason})") from None
