"""Signatures: what the real OPA signs passes, and every unhappy twin of it is refused (D13)."""

import base64
import hashlib
import hmac
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.bundles.archive import unpack
from gateway.policy.bundles.contents import SIGNATURES, parse
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.folder import read_folder
from gateway.policy.bundles.keys import VerificationKey, read_key
from gateway.policy.bundles.settings import SigningAlgorithm, SigningSettings
from gateway.policy.bundles.signatures import verify
from tests.policy.bundles.support import (
    SigningKey,
    files,
    folder,
    jws,
    opa_build,
    signed_by,
    signing_key,
)
from tests.policy.support import POLICIES

NOW = 1_780_000_000.0
LIMIT = 1 << 25
Contents = dict[str, bytes]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, SigningKey]:
    directory = tmp_path_factory.mktemp("keys")
    made = {name: signing_key(directory, name) for name in ("RS256", "PS256", "ES256", "HS256")}
    return made | {"other": signing_key(directory, "RS256", "other")}


def verification(key: SigningKey, **changes: Any) -> VerificationKey:
    algorithm = SigningAlgorithm(key.algorithm)
    return replace(read_key(SigningSettings(key.public, "prod", algorithm)), **changes)


def said(contents: Mapping[str, bytes], key: VerificationKey | None, now: float = NOW) -> str:
    with pytest.raises(BundleError) as refusal:
        verify(contents, key, "b", now)
    told = str(refusal.value)
    assert told.startswith("b/")
    assert "\n" not in told
    return told.removeprefix("b/")


# --- the real OPA -------------------------------------------------------------------------------


@pytest.mark.opa
@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "HS256"])
def test_what_opa_builds_and_signs_is_verified(
    opa_binary: str, tmp_path: Path, keys: Mapping[str, SigningKey], algorithm: str
) -> None:
    key = keys[algorithm]
    archive = opa_build(opa_binary, POLICIES, tmp_path / "b.tar.gz", *signed_by(key), revision="7")
    contents = unpack(archive, "b", LIMIT)
    verify(contents, verification(key), "b", NOW)
    assert parse(contents, "b").revision == "7"
    for name, content in contents.items():
        if name != SIGNATURES:
            told = said({**contents, name: content + b"\n# changed\n"}, verification(key))
            assert told.startswith(name)
            gone = {other: each for other, each in contents.items() if other != name}
            assert "1 of the files that it lists are missing" in said(gone, verification(key))
    stripped = {name: each for name, each in contents.items() if name != SIGNATURES}
    assert "missing: the configuration asks for" in said(stripped, verification(key))
    more = {**contents, "privacy/more.rego": b"package privacy.more"}
    assert said(more, verification(key)) == (
        "privacy/more.rego: not among the files that are signed"
    )


@pytest.mark.opa
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "HS256"])
def test_a_folder_that_opa_signs_is_verified(
    opa_binary: str, tmp_path: Path, keys: Mapping[str, SigningKey], algorithm: str
) -> None:
    key = keys[algorithm]
    claims = tmp_path / "claims.json"
    claims.write_text(json.dumps({"keyid": "prod", "scope": "read", "iat": 1}))
    data = b'{ "a": [1.50, "\\u003c"] }'
    source = folder(
        tmp_path / "b",
        files("1") | {"README.md": b"# signed, too", "privacy/x/data.json": data},
    )
    subprocess.run(
        [opa_binary, "sign", "-b", ".", "--signing-key", key.private, "--signing-alg", algorithm,
         "--claims-file", claims],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    contents, _ = read_folder(source, LIMIT, whole=True)
    verify(contents, verification(key, scope="read"), "b", NOW)
    assert "for another scope" in said(contents, verification(key))
    spaced = {**contents, "privacy/x/data.json": b'{"a":[1.50,"<"]}'}
    verify(spaced, verification(key, scope="read"), "b", NOW)  # the same value, as OPA hashes it
    changed = {**contents, "privacy/x/data.json": data.replace(b"1.50", b"1.51")}
    assert "its hash differs" in said(changed, verification(key, scope="read"))


@pytest.mark.opa
def test_a_signature_of_opa_that_names_no_key_or_another_is_refused(
    opa_binary: str, tmp_path: Path, keys: Mapping[str, SigningKey]
) -> None:
    key = keys["ES256"]
    archive = opa_build(opa_binary, POLICIES, tmp_path / "b.tar.gz", *signed_by(key, "staging"))
    contents = unpack(archive, "b", LIMIT)
    assert "names another key" in said(contents, verification(key))
    verify(contents, verification(key, id="staging"), "b", NOW)


# --- made by hand -------------------------------------------------------------------------------


def listed(contents: Mapping[str, bytes], **changes: Any) -> list[dict[str, Any]]:
    """The list of files as OPA writes it."""
    manifest = json.dumps(json.loads(contents[".manifest"]), sort_keys=True, separators=(",", ":"))
    by_value = {".manifest": manifest.encode()}
    return [
        {
            "name": name,
            "hash": hashlib.sha256(by_value.get(name, content)).hexdigest(),
            "algorithm": "SHA-256",
        }
        | changes
        for name, content in contents.items()
    ]


def signed(key: SigningKey, payload: Any = None, **header: Any) -> Contents:
    """A small bundle with a signature over this payload, its own files if there is none."""
    contents = files("1")
    payload = {"files": listed(contents)} if payload is None else payload
    return with_tokens(contents, jws(payload, key, header=header))


def with_tokens(contents: Mapping[str, bytes], *tokens: str, **more: Any) -> Contents:
    return {**contents, SIGNATURES: json.dumps({"signatures": list(tokens), **more}).encode()}


def forged(header: Mapping[str, Any], payload: Any, signature: bytes) -> str:
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "HS256"])
def test_the_pass_twin_of_what_follows(keys: Mapping[str, SigningKey], algorithm: str) -> None:
    key = keys[algorithm]
    verify(signed(key), verification(key), "b", NOW)
    payload = {"files": listed(files("1")), "keyid": "prod", "iss": "ci", "exp": NOW + 1}
    verify(signed(key, payload, kid=None), verification(key), "b", NOW)
    scoped = {"files": listed(files("1")), "scope": "read"}
    verify(signed(key, scoped), verification(key, scope="read"), "b", NOW)
    verify(
        with_tokens(files("1"), jws({"files": listed(files("1"))}, key), plugin="_default"),
        verification(key),
        "b",
        NOW,
    )


FILES = listed(files("1"))
ONE = FILES[0]
PAYLOADS: dict[str, tuple[Any, str]] = {
    "no files": ({"files": []}, "the signature is over no file"),
    "no list": ({}, "not one over a list of files"),
    "a list that is null": ({"files": None}, "not one over a list of files"),
    "a list in a list": ([FILES], "not one over a list of files"),
    "a file twice": ({"files": [*FILES, ONE]}, "lists a file twice"),
    "a file twice with two hashes": (
        {"files": [*FILES, ONE | {"hash": "0" * 64}]},
        "lists a file twice",
    ),
    "a file less": ({"files": FILES[:1]}, "privacy/p.rego: not among the files that are signed"),
    "a file more": (
        {"files": [*FILES, ONE | {"name": "x.rego"}]},
        "1 of the files that it lists are missing",
    ),
    "a name with a slash": (
        {"files": [ONE, FILES[1] | {"name": "/privacy/p.rego"}]},
        "1 of the files that it lists are missing",
    ),
    "a wrong hash": ({"files": [ONE, FILES[1] | {"hash": "0" * 64}]}, "its hash differs"),
    "no hash": ({"files": [ONE, FILES[1] | {"hash": ""}]}, "its hash differs"),
    "half a hash": ({"files": [ONE, FILES[1] | {"hash": ONE["hash"][:32]}]}, "its hash differs"),
    "a weak hash": (
        {"files": [FILES[1] | {"algorithm": "MD5"}, ONE]},
        "privacy/p.rego: its hash is by none of",
    ),
    "no hashing algorithm": (
        {"files": [FILES[1] | {"algorithm": ""}, ONE]},
        "privacy/p.rego: its hash is by none of",
    ),
    "an unknown key of a file": ({"files": [ONE | {"x": 1}]}, "not one over a list of files"),
    "another key": ({"files": FILES, "keyid": "staging"}, "names another key"),
    "a scope": ({"files": FILES, "scope": "read"}, "for another scope"),
    "an end": ({"files": FILES, "exp": NOW}, "has expired"),
    "a key twice": (b'{"files": [], "files": %s}' % json.dumps(FILES).encode(), "not strict JSON"),
    "no JSON": (b"files", "not strict JSON"),
}


@pytest.mark.parametrize(("payload", "says"), PAYLOADS.values(), ids=PAYLOADS.keys())
def test_what_is_signed_must_be_these_files(
    keys: Mapping[str, SigningKey], payload: Any, says: str
) -> None:
    key = keys["ES256"]
    assert says in said(signed(key, payload), verification(key))


def as_none(_: Mapping[str, SigningKey]) -> Contents:
    return with_tokens(files("1"), forged({"alg": "none", "kid": "prod"}, {"files": FILES}, b""))


def confused(keys: Mapping[str, SigningKey]) -> Contents:
    """HMAC with the public key, which everybody knows."""
    token = forged({"alg": "HS256", "kid": "prod"}, {"files": FILES}, b"")
    content = token.rpartition(".")[0]
    mac = hmac.digest(keys["RS256"].public.read_bytes(), content.encode(), "sha256")
    signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    return with_tokens(files("1"), f"{content}.{signature}")


def cut(keys: Mapping[str, SigningKey], change: Callable[[str], str]) -> Contents:
    return with_tokens(files("1"), change(jws({"files": FILES}, keys["RS256"])))


TOKENS: dict[str, tuple[Callable[[Mapping[str, SigningKey]], Contents], str]] = {
    "no file": (lambda _: files("1"), "missing: the configuration asks for a signed bundle"),
    "no signatures": (lambda _: with_tokens(files("1")), "0 signatures; expected exactly one"),
    "an empty object": (lambda _: files("1") | {SIGNATURES: b"{}"}, "expected {"),
    "an empty file": (lambda _: files("1") | {SIGNATURES: b""}, "not strict JSON"),
    "null": (lambda _: files("1") | {SIGNATURES: b'{"signatures": null}'}, "expected {"),
    "only a plugin": (lambda _: files("1") | {SIGNATURES: b'{"plugin": "_default"}'}, "expected {"),
    "another key of the file": (
        lambda keys: with_tokens(files("1"), jws({"files": FILES}, keys["RS256"]), more=1),
        "expected {",
    ),
    "signatures twice": (
        lambda _: files("1") | {SIGNATURES: b'{"signatures": [], "signatures": ["x.y.z"]}'},
        "not strict JSON",
    ),
    "two signatures": (
        lambda keys: with_tokens(
            files("1"),
            jws({"files": FILES}, keys["RS256"]),
            jws({"files": FILES}, keys["other"]),
        ),
        "2 signatures; expected exactly one",
    ),
    "an empty signature": (lambda _: with_tokens(files("1"), ""), "not a compact JWS"),
    "another plugin": (
        lambda keys: with_tokens(files("1"), jws({"files": FILES}, keys["RS256"]), plugin="x"),
        "made by a plugin that is not known here",
    ),
    "no key id": (lambda keys: signed(keys["RS256"], kid=None), "doesn't name its key"),
    "an empty key id": (lambda keys: signed(keys["RS256"], kid=""), "doesn't name its key"),
    "another key id": (lambda keys: signed(keys["RS256"], kid="staging"), "names another key"),
    "another key": (lambda keys: signed(keys["other"]), "the signature is wrong"),
    "another algorithm of the key": (lambda keys: signed(keys["PS256"]), "is not by RS256"),
    "another algorithm": (lambda keys: signed(keys["ES256"]), "is not by RS256"),
    "no algorithm": (as_none, "is not by RS256"),
    "a public key as a secret": (confused, "is not by RS256"),
    "a key in the header": (
        lambda keys: signed(keys["RS256"], jwk={"kty": "oct", "k": "AAAA"}),
        "not one over a list of files",
    ),
    "an extension that must be known": (
        lambda keys: with_tokens(
            files("1"), forged({"alg": "RS256", "crit": ["x"], "x": 1}, {"files": FILES}, b"")
        ),
        "not one over a list of files",
    ),
    "two parts": (
        lambda keys: cut(keys, lambda token: token.rpartition(".")[0]),
        "not a compact JWS",
    ),
    "four parts": (lambda keys: cut(keys, lambda token: token + ".AAAA"), "not a compact JWS"),
    "no signature in it": (
        lambda keys: cut(keys, lambda token: token.rpartition(".")[0] + "."),
        "the signature is wrong",
    ),
    "padding": (lambda keys: cut(keys, lambda token: token + "=="), "not a compact JWS"),
    "another spelling": (lambda keys: cut(keys, lambda token: token + "\n"), "not a compact JWS"),
    "another alphabet": (lambda keys: cut(keys, lambda token: "é" + token), "not a compact JWS"),
    "a huge header": (
        lambda _: with_tokens(files("1"), "A" * 5000 + ".AAAA.AAAA"),
        "not a compact JWS",
    ),
    "a huge file": (
        lambda _: files("1") | {SIGNATURES: b'{"signatures": ["%s"]}' % (b"A" * (1 << 20))},
        "more than 1048576 bytes",
    ),
    "a signature elsewhere": (
        lambda keys: {
            ("x" + name if name == SIGNATURES else name): content
            for name, content in signed(keys["RS256"]).items()
        },
        "missing: the configuration asks for a signed bundle",
    ),
}


@pytest.mark.parametrize(("contents", "says"), TOKENS.values(), ids=TOKENS.keys())
def test_a_signature_is_one_by_the_configured_key_in_the_configured_way(
    keys: Mapping[str, SigningKey],
    contents: Callable[[Mapping[str, SigningKey]], Contents],
    says: str,
) -> None:
    assert says in said(contents(keys), verification(keys["RS256"]))


def test_every_byte_of_a_token_counts(keys: Mapping[str, SigningKey]) -> None:
    key = keys["ES256"]
    token = jws({"files": FILES}, key)
    for at in range(0, len(token), 7):
        other = "A" if token[at] != "A" else "B"
        assert said(
            with_tokens(files("1"), token[:at] + other + token[at + 1 :]), verification(key)
        )


def test_a_scope_that_is_configured_is_needed(keys: Mapping[str, SigningKey]) -> None:
    key = keys["ES256"]
    wanted = verification(key, scope="read")
    assert "for another scope" in said(signed(key), wanted)
    payload = {"files": FILES, "scope": "write"}
    assert "for another scope" in said(signed(key, payload), wanted)


def test_without_a_key_only_what_is_unsigned_passes(keys: Mapping[str, SigningKey]) -> None:
    """As OPA does: a bundle that is signed is meant to be verified."""
    verify(files("1"), None, "b", NOW)
    assert said(signed(keys["RS256"]), None).startswith(f"{SIGNATURES}: signed, but no key")


def test_other_hashes_are_known(keys: Mapping[str, SigningKey]) -> None:
    key = keys["ES256"]
    contents = {"privacy/p.rego": b"x"}
    for name, digest in (("SHA-384", hashlib.sha384), ("SHA-512", hashlib.sha512)):
        file = {"name": "privacy/p.rego", "hash": digest(b"x").hexdigest(), "algorithm": name}
        verify(with_tokens(contents, jws({"files": [file]}, key)), verification(key), "b", NOW)
