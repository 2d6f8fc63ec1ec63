"""What the injector is told on its command line, checked."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from gateway.injector.upkeep import Places
from gateway.proxy.settings import Address, parse_address
from gateway.quantities import parse_duration

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_LEAST_LIFETIME = 5.0


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate that the injector makes, renews and has trusted itself."""

    names: frozenset[str]
    places: Places
    lifetime: timedelta
    api: str
    account: Path


@dataclass(frozen=True, slots=True)
class MountedCertificate:
    """A certificate that somebody else keeps (cert-manager): `tls.crt` and `tls.key`."""

    folder: Path


@dataclass(frozen=True, slots=True)
class InjectorSettings:
    """`drain` is how long, in seconds, reviews are still taken after a stop."""

    sidecar: Path
    certificate: OwnCertificate | MountedCertificate
    listen: Address
    admin: Address
    drain: float
    log_level: str


def address(text: str, option: str) -> Address:
    """Raises ValueError, naming the option."""
    try:
        return parse_address(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def seconds(text: str, option: str) -> float:
    """Raises ValueError, naming the option."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def own_certificate(
    names: Sequence[str], secret: str, webhook: str, lifetime: str, api: str | None, account: Path,
    environ: Mapping[str, str],
) -> OwnCertificate:  # fmt: skip
    """Raises ValueError with one sentence for the operator."""
    for name in names:
        if not (_is_ip(name) or _NAME.fullmatch(name)):
            raise ValueError("--name: expected a DNS name or an IP address")
    if not names:
        raise ValueError("--name: the names that the API server knows the injector by are missing")
    namespace, slash, object_ = secret.partition("/")
    if not slash or not _NAME.fullmatch(namespace) or not _NAME.fullmatch(object_):
        raise ValueError("--secret: expected NAMESPACE/NAME")
    if not _NAME.fullmatch(webhook):
        raise ValueError("--webhook: expected the name of a MutatingWebhookConfiguration")
    lasts = seconds(lifetime, "--lifetime")
    if not _LEAST_LIFETIME <= lasts <= 3650 * 86400:
        raise ValueError("--lifetime: expected 5s to 3650d")
    return OwnCertificate(
        # As a certificate spells them.
        frozenset(str(ipaddress.ip_address(name)) if _is_ip(name) else name for name in names),
        Places(namespace, object_, webhook),
        timedelta(seconds=lasts),
        _api(api, environ),
        account,
    )


def _api(given: str | None, environ: Mapping[str, str]) -> str:
    """The API server's URL: as given, or as Kubernetes tells every container."""
    if given is None:
        host = environ.get("KUBERNETES_SERVICE_HOST", "")
        port = environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise ValueError("--api: outside of Kubernetes the API server's URL must be given")
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError:
        raise ValueError("--api: not a URL") from None
    whole = parts.path in ("", "/") and not parts.query and not parts.fragment
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or not whole:
        raise ValueError("--api: expected https, a host, and perhaps a port")
    return f"https://{parts.netloc}"


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
