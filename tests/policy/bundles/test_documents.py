"""Data documents: strict, bounded, and hashed in the form in which OPA hashes them."""

import hashlib
import json
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.policy.bundles.documents import canonical, parse, parse_deployment, placed
from gateway.policy.bundles.faults import BundleError
from tests.policy.bundles.support import files, folder, signing_key


def said(place: str, content: bytes) -> str:
    with pytest.raises(BundleError) as refusal:
        parse(place, content)
    return str(refusal.value)


def test_json_and_yaml_mean_the_same() -> None:
    value = {"a": [1, 2.5, None, True, "x"], "b": {}}
    assert parse("d.json", json.dumps(value).encode()) == value
    assert parse("d.yaml", b"a: [1, 2.5, null, true, x]\nb: {}\n") == value


def test_a_document_of_too_many_values_is_refused_before_it_is_made() -> None:
    """D16: 30 MiB of `[],` would be 700 MiB of lists."""
    bomb = b"[" + b"[]," * (10 << 20) + b"[]]"
    tracemalloc.start()
    try:
        assert said("d.json", bomb) == "d.json: too many values, or nested too deeply"
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_commas_in_texts_are_no_values() -> None:
    text = 'a,[{"' * 600_000
    assert parse("d.json", json.dumps([text]).encode()) == [text]


def test_a_deployment_is_an_object() -> None:
    assert parse_deployment("d.json", b"{}") == {}
    with pytest.raises(BundleError, match="expected an object"):
        parse_deployment("d.yaml", b"[]")


def test_documents_are_placed_by_their_folders() -> None:
    data = placed({}, "b/data.json", "data.json", {"privacy": {"a": 1}})
    data = placed(data, "b/privacy/x/data.json", "privacy/x/data.json", {"y": 2})
    assert data == {"privacy": {"a": 1, "x": {"y": 2}}}
    with pytest.raises(BundleError, match="outside the root"):
        placed(data, "b/x/data.json", "x/data.json", {})


AWKWARD: list[Any] = [
    '{"b": 1, "a": {"d": [], "c": {}}, "aa": null, "B": true, "é": false}',
    "[1, 1.0, 1.50, 1e3, 1E+3, -0.0, 0.1, 100000000000000000000, 9007199254740993]",
    '["<>&", "\\u2028\\u2029", "\\u007f", "\\b\\f\\n\\r\\t\\u0001\\u001f", "\\"\\\\\\/", "é😀"]',
    '["\\ud83d\\ude00", "\\u00e9", "\\u0000"]',
    '{"\\u2028": 1, "z": {"10": 1, "9": 2, "": 3}}',
    "  [ ]  ",
    "null",
    '"text"',
]


@pytest.mark.opa
@pytest.mark.parametrize("document", AWKWARD, ids=range(len(AWKWARD)))
def test_the_canonical_form_is_the_one_that_opa_hashes(
    opa_binary: str, tmp_path: Path, document: str
) -> None:
    source = folder(tmp_path / "b", files() | {"privacy/x/data.json": document.encode()})
    key = signing_key(tmp_path, "HS256")
    subprocess.run(
        [opa_binary, "sign", "-b", ".", "--signing-key", key.private, "--signing-alg", "HS256",
         "-o", tmp_path],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    (token,) = json.loads((tmp_path / ".signatures.json").read_bytes())["signatures"]
    listed = jwt.api_jws.decode_complete(token, options={"verify_signature": False})["payload"]
    hashes = {file["name"]: file["hash"] for file in json.loads(listed)["files"]}
    form = canonical("privacy/x/data.json", document.encode())
    assert hashlib.sha256(form).hexdigest() == hashes["privacy/x/data.json"]


@pytest.mark.opa
def test_yaml_is_hashed_as_its_value(opa_binary: str, tmp_path: Path) -> None:
    document = b"# a comment\nb: [1, text, true, null]\na: {y: 1.5, x: 'no'}\n"
    source = folder(tmp_path / "b", files() | {"privacy/x/data.yaml": document})
    key = signing_key(tmp_path, "HS256")
    subprocess.run(
        [opa_binary, "sign", "-b", ".", "--signing-key", key.private, "--signing-alg", "HS256",
         "-o", tmp_path],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    (token,) = json.loads((tmp_path / ".signatures.json").read_bytes())["signatures"]
    listed = jwt.api_jws.decode_complete(token, options={"verify_signature": False})["payload"]
    hashes = {file["name"]: file["hash"] for file in json.loads(listed)["files"]}
    form = canonical("privacy/x/data.yaml", document)
    assert hashlib.sha256(form).hexdigest() == hashes["privacy/x/data.yaml"]


def test_what_has_no_canonical_form_is_refused() -> None:
    for content in (b"{", b"\xff", b"[" * 100_000, b'"\\ud800"'):
        with pytest.raises(BundleError, match="not strict JSON"):
            canonical("d.json", content)
