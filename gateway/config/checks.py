"""What no single setting can know: whether locators make sense, files exist, endpoints are clear.

Works on the plain values, before and beside the settings classes, so that a wrong unit in one line
doesn't hide a wrong locator in the next. Where a value has another fault already, it is left alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.bodies import check_body, check_streamed
from gateway.config.faults import Finding
from gateway.config.keys import KeyPath
from gateway.config.policies import rego_findings
from gateway.endpoints import ReleaseMode, split_template
from gateway.locations import is_url
from gateway.policy import bundle
from gateway.policy.bundles.keys import read_key as read_signing_key
from gateway.policy.bundles.reading import read_overlay
from gateway.policy.bundles.settings import DeliverySettings
from gateway.policy.engine import EngineKind
from gateway.policy.probes import PROOF
from gateway.proxy.settings import parse_address
from gateway.quantities import parse_instant
from gateway.secretfile import read_secret

_OBSERVED_DAYS = 90
"""How long an endpoint may be observed before somebody has to say so again."""

_KEY = "pseudonym key"

_DELIVERY: TypeAdapter[DeliverySettings] = TypeAdapter(DeliverySettings)


def check(settings: Any, known: Sequence[Finding], *, thorough: bool = False) -> list[Finding]:
    """The findings about `settings` that are not `known` already, nor about what is. `thorough`
    has Rego compiled."""
    if not isinstance(settings, Mapping):
        return []
    found = [
        *_ports(settings),
        *_issuers(settings),
        *_decision_log(settings),
        *_inspection(settings),
        *_policy(settings, thorough),
        *_trust(settings),
        *_endpoints(settings),
    ]
    faulty = {finding.path for finding in known}
    return [
        finding
        for finding in found
        if not any(finding.path[:length] in faulty for length in range(1, len(finding.path) + 1))
    ]


def _at(value: Any, *path: str | int) -> Any:
    """What stands at a path, or None."""
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _ports(settings: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        data, admin = (
            parse_address(settings.get(name, default))
            for name, default in (("listen", "0.0.0.0:8080"), ("admin", "127.0.0.1:8282"))
        )
    except ValueError:
        return
    if data.port == admin.port != 0:
        yield Finding(("admin",), "the data port and the admin port must be two")


def _issuers(settings: Mapping[str, Any]) -> Iterator[Finding]:
    for index, issuer in enumerate(_list(_at(settings, "identity", "issuers"))):
        path: KeyPath = ("identity", "issuers", index)
        jwks = _at(issuer, "jwks")
        if isinstance(jwks, str) and jwks and not is_url(jwks):
            yield from _file((*path, "jwks"), jwks)
        if isinstance(issuer, Mapping) and not issuer.get("identifiers"):
            message = "name at least one identifier, or nothing belongs to this issuer's callers"
            yield Finding((*path, "identifiers"), message)


def _decision_log(settings: Mapping[str, Any]) -> Iterator[Finding]:
    log, key = (_at(settings, "decision_log", name) for name in ("file", "pseudonym_key_file"))
    if isinstance(log, str) and log and not _is_folder(Path(log).parent):
        yield Finding(("decision_log", "file"), "its folder doesn't exist")
    if isinstance(key, str) and key:
        yield from _secret(("decision_log", "pseudonym_key_file"), key)


def _inspection(settings: Mapping[str, Any]) -> Iterator[Finding]:
    path: KeyPath = ("inspection", "pseudonym_key_file")
    key, other = _at(settings, *path), _at(settings, "decision_log", "pseudonym_key_file")
    if isinstance(key, str) and key:
        yield from _secret(path, key)
        if isinstance(other, str) and _same_secret(key, other):
            yield Finding(path, "the decision log's secret; what leaves needs one of its own")


def _secret(path: KeyPath, file: str) -> Iterator[Finding]:
    try:
        read_secret(Path(file), _KEY)
    except ValueError as error:
        # Without the path: somebody may have put the key itself there.
        yield Finding(path, str(error).removeprefix(f"{_KEY} file {file}: "))


def _same_secret(one: str, other: str) -> bool:
    """Whether both hold one secret, whatever they are called."""
    try:
        return read_secret(Path(one), _KEY) == read_secret(Path(other), _KEY)
    except ValueError:
        return False


def _policy(settings: Mapping[str, Any], thorough: bool) -> Iterator[Finding]:
    kind = _at(settings, "policy", "engine") or EngineKind.EMBEDDED
    if kind == EngineKind.OPA and not (thorough and _at(settings, "policy", "bundle")):
        return  # OPA has its own; a bundle that is named beside it is there to be checked
    location, data = (_at(settings, "policy", name) for name in ("bundle", "data"))
    overlay = Path(data) if isinstance(data, str) else None
    delivery = _delivery(_at(settings, "policy", "delivery"))
    try:
        if delivery and delivery.signing:
            read_signing_key(delivery.signing)
    except bundle.BundleError as error:
        yield Finding(("policy", "delivery", "signing", "key_file"), error.message)
        return
    try:
        if isinstance(location, str) and is_url(location):
            # Nothing is fetched here. What can be read on this machine is read.
            if overlay and delivery:
                read_overlay(overlay, delivery.max_size)
        elif delivery:
            path = Path(location) if isinstance(location, str) else bundle.shipped()
            loaded = bundle.load(path, overlay, delivery)
            if thorough and kind in list(EngineKind):
                yield from rego_findings(loaded, EngineKind(kind), overlay)
    except bundle.BundleError as error:
        about_data = overlay is not None and error.path == str(overlay)
        key = "data" if about_data else "bundle"
        yield Finding(("policy", key), f"{error.path}: {error.message}")
    for name in ("token_file", "ca_file"):
        path_to = ("policy", "delivery", name)
        value = _at(settings, *path_to)
        if isinstance(value, str) and value:
            yield from _file(path_to, value)


def _delivery(settings: Any) -> DeliverySettings | None:
    """None where the settings have a fault, which is told elsewhere."""
    try:
        return _DELIVERY.validate_python({} if settings is None else settings)
    except ValidationError:
        return None


def _trust(settings: Mapping[str, Any]) -> Iterator[Finding]:
    path = ("upstream", "ca_file")
    certificates = _at(settings, *path)
    if isinstance(certificates, str) and certificates:
        yield from _file(path, certificates)


def _file(path: KeyPath, name: str) -> Iterator[Finding]:
    try:
        exists = Path(name).is_file()
    except ValueError:  # a NUL
        exists = False
    if not exists:
        yield Finding(path, "no such file (a relative path starts at the configuration's folder)")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except ValueError:
        return False


# --- endpoints ----------------------------------------------------------------------------------


def _endpoints(settings: Mapping[str, Any]) -> Iterator[Finding]:
    endpoints = _list(settings.get("endpoints"))
    names: dict[Any, int] = {}
    for index, endpoint in enumerate(endpoints):
        name, body = _at(endpoint, "name"), _at(endpoint, "body")
        if isinstance(name, str) and names.setdefault(name, index) != index:
            message = f"endpoints[{names[name]}] already has this name"
            yield Finding(("endpoints", index, "name"), message)
        if name == PROOF:
            message = "this name is for the planted exchanges that the gateway proves itself by"
            yield Finding(("endpoints", index, "name"), message)
        if isinstance(body, Mapping):
            yield from check_body(body, ("endpoints", index, "body"), _at(endpoint, "limits"))
            if _at(endpoint, "release") == ReleaseMode.STREAM:
                yield from check_streamed(body, ("endpoints", index, "release"))
        yield from _observing(_at(endpoint, "observe_until"), ("endpoints", index))
    templates = [(index, _template(_at(each, "path"))) for index, each in enumerate(endpoints)]
    known = [(index, template) for index, template in templates if template]
    for (first, one), (second, other) in combinations(known, 2):
        if _unclear(one, other):
            message = f"endpoints[{first}] matches the same paths, and neither is more specific"
            yield Finding(("endpoints", second, "path"), message)


def _observing(until: Any, path: KeyPath) -> Iterator[Finding]:
    """A date that has passed is none: a gateway that starts after it enforces, and says so."""
    try:
        end = parse_instant(until)
    except ValueError:
        return
    today = datetime.combine(datetime.now(UTC).date(), time(), UTC)
    if end > today + timedelta(days=_OBSERVED_DAYS + 1):  # to the end of the last day
        message = f"at most {_OBSERVED_DAYS} days ahead; observe for a shorter time, then enforce"
        yield Finding((*path, "observe_until"), message)


def _template(path: Any) -> tuple[str, ...] | None:
    try:
        return split_template(path) if isinstance(path, str) else None
    except ValueError:
        return None


def _unclear(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether some path matches both, and neither matches only part of what the other does."""
    if len(one) != len(other):
        return False
    free = [(a.startswith("{"), b.startswith("{")) for a, b in zip(one, other, strict=True)]
    pairs = zip(one, other, free, strict=True)
    if any(a != b and not any(parameters) for a, b, parameters in pairs):
        return False
    return ((True, False) in free) is ((False, True) in free)
