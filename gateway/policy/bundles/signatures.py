"""`.signatures.json`, as OPA writes it: whether each file of a bundle is the one that was signed.

    {"signatures": ["<JWS over the payload>"]}
    payload: {"files": [{"name": "privacy/p.rego", "hash": "<hex>", "algorithm": "SHA-256"}, ...],
              "keyid": "prod", "scope": "write"}

The files of the bundle and the files of the list must be the same: nothing more, nothing less. An
empty list signs nothing, and an empty `signatures` is no signature (the class of
GHSA-g2pf-6v5v-qcc8). What OPA leaves open is closed here: the signature names its key and the
algorithm is the configured one, whatever its header says; weak hashes are refused.

Source: https://www.openpolicyagent.org/docs/management-bundles#signing
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec

from gateway import base64url
from gateway.policy.bundles import documents
from gateway.policy.bundles.contents import MANIFEST, SIGNATURES
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.keys import VerificationKey

_MAX_SIGNATURES = 1 << 20
_MAX_HEADER = 4 << 10
_HASHES: Mapping[str, Callable[[bytes], Any]] = {
    "SHA-256": hashlib.sha256,
    "SHA-384": hashlib.sha384,
    "SHA-512": hashlib.sha512,
}
_HASHED_BY_VALUE = ("data.json", "data.yaml", MANIFEST)
"""OPA hashes these as values, so that white space and the order of keys don't matter."""


class _Signatures(msgspec.Struct, forbid_unknown_fields=True):
    signatures: list[str]
    plugin: str = ""


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    """No `crit`: an extension that must be understood isn't. No `jwk`, `jku`, `x5c`: the key is
    the configured one."""

    alg: str
    kid: str = ""
    typ: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    hash: str
    algorithm: str


class _Payload(msgspec.Struct):
    """Other claims (`iat`, `iss`, ...) are the signer's own."""

    files: list[_File]
    scope: str = ""
    keyid: str = ""
    exp: float | None = None


def verify(
    contents: Mapping[str, bytes], key: VerificationKey | None, origin: str, now: float
) -> None:
    """Raises BundleError unless every file is signed with the key; `now` is in Unix seconds.

    Without a key only an unsigned bundle passes: one that is signed is meant to be verified.
    """
    signed, place = contents.get(SIGNATURES), f"{origin}/{SIGNATURES}"
    if key is None:
        if signed is not None:
            raise BundleError(place, "signed, but no key is configured: policy.delivery.signing")
        return
    if signed is None:
        raise BundleError(place, "missing: the configuration asks for a signed bundle")
    payload = _payload(_token(place, signed), key, place)
    if payload.scope != key.scope:
        raise BundleError(place, "the signature is for another scope")
    if payload.exp is not None and payload.exp <= now:
        raise BundleError(place, "the signature has expired")
    _check_files(contents, payload.files, origin, place)


def _token(place: str, content: bytes) -> bytes:
    if len(content) > _MAX_SIGNATURES:
        raise BundleError(place, f"more than {_MAX_SIGNATURES} bytes")
    try:
        document = msgspec.convert(documents.strict_json(place, content), _Signatures)
    except msgspec.ValidationError:
        raise BundleError(place, 'expected {"signatures": ["..."]}') from None
    if document.plugin not in ("", "_default"):
        raise BundleError(place, "made by a plugin that is not known here")
    if len(document.signatures) != 1:
        raise BundleError(place, f"{len(document.signatures)} signatures; expected exactly one")
    try:
        return document.signatures[0].encode("ascii")
    except UnicodeEncodeError:
        raise BundleError(place, "the signature is not a compact JWS") from None


def _payload(token: bytes, key: VerificationKey, place: str) -> _Payload:
    """What is signed, read only after the signature over it was found right."""
    match token.split(b"."):
        case [head, body, signature] if len(head) <= _MAX_HEADER:
            signed = head + b"." + body
        case _:
            raise BundleError(place, "the signature is not a compact JWS")
    header: _Header = _part(head, _Header, place)
    if header.alg != key.algorithm.value:
        raise BundleError(place, f"the signature is not by {key.algorithm.value}")
    if header.kid not in ("", key.id):
        raise BundleError(place, "the signature names another key")
    if not key.verifies(signed, _decoded(signature, place)):
        raise BundleError(place, "the signature is wrong")
    payload: _Payload = _part(body, _Payload, place)
    if payload.keyid not in ("", key.id):
        raise BundleError(place, "the signature names another key")
    if not header.kid and not payload.keyid:
        raise BundleError(place, "the signature doesn't name its key (kid, or the claim keyid)")
    return payload


def _part(text: bytes, kind: type[Any], place: str) -> Any:
    try:
        return msgspec.convert(documents.strict_json(place, _decoded(text, place)), kind)
    except msgspec.ValidationError:
        raise BundleError(place, "the signature is not one over a list of files") from None


def _decoded(text: bytes, place: str) -> bytes:
    try:
        return base64url.decode(text)
    except ValueError:
        raise BundleError(place, "the signature is not a compact JWS") from None


def _check_files(
    contents: Mapping[str, bytes], listed: list[_File], origin: str, place: str
) -> None:
    by_name = {file.name: file for file in listed}
    if not listed:
        raise BundleError(place, "the signature is over no file")
    if len(by_name) != len(listed):
        raise BundleError(place, "the signature lists a file twice")
    present = contents.keys() - {SIGNATURES}
    if missing := by_name.keys() - present:
        raise BundleError(place, f"{len(missing)} of the files that it lists are missing")
    for name in sorted(present):
        if name not in by_name:
            raise BundleError(f"{origin}/{name}", "not among the files that are signed")
        file = by_name[name]
        if file.algorithm not in _HASHES:
            raise BundleError(f"{origin}/{name}", "its hash is by none of SHA-256, -384, -512")
        hashed = _HASHES[file.algorithm](_hashed(f"{origin}/{name}", contents[name])).hexdigest()
        if not hmac.compare_digest(hashed.encode(), file.hash.lower().encode()):
            raise BundleError(f"{origin}/{name}", "not the file that was signed: its hash differs")


def _hashed(place: str, content: bytes) -> bytes:
    """What of a file is hashed: its bytes, or its value in OPA's canonical form."""
    name = PurePosixPath(place).name
    return documents.canonical(place, content) if name in _HASHED_BY_VALUE else content
