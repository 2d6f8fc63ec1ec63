"""Bundle folders: what is loaded, what is left out, and what is refused with one clear line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.bundle import Bundle, BundleError, load, shipped
from gateway.policy.bundles.settings import DeliverySettings
from tests.policy.support import POLICIES, write_bundle

RULE = "package privacy.decision\n\neffect := 1\n"


def fault(folder: Path, overlay: Path | None = None) -> str:
    with pytest.raises(BundleError) as refusal:
        load(folder, overlay)
    assert "\n" not in str(refusal.value)
    return str(refusal.value).replace(f"{folder}/", "").replace(f"{folder}: ", "")


def written(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in {
        ".manifest": '{"roots": ["privacy"]}',
        "privacy/p.rego": RULE,
        **files,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_the_shipped_policies_load_without_their_tests() -> None:
    loaded = load(shipped())
    assert "privacy/decision/decision.rego" in loaded.modules
    assert not [name for name in loaded.modules if name.endswith("_test.rego")]
    assert loaded.data == {
        "privacy": {"deployment": {"grounds": {"self_access": True}, "partial": {}, "scopes": {}}}
    }
    assert loaded.deployment_schema == (POLICIES / "schemas" / "deployment.json").read_bytes()
    assert loaded.revision.startswith("sha256:")


def test_the_revision_of_the_manifest_counts_where_there_is_one(tmp_path: Path) -> None:
    assert load(write_bundle(tmp_path, {"privacy/p.rego": RULE}, revision="v7")).revision == "v7"


def test_without_one_the_revision_is_a_digest_of_everything_that_counts(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"privacy/deployment/data.json": "{}"}
    first = load(written(tmp_path / "a", files)).revision
    assert load(written(tmp_path / "b", files)).revision == first
    ignored = files | {"README.md": "x", "privacy/p_test.rego": "x", "privacy/other.json": "x"}
    assert load(written(tmp_path / "c", ignored)).revision == first
    changes: list[dict[str, str | bytes]] = [
        {"privacy/p.rego": RULE + "\n"},
        {"privacy/q.rego": RULE},
        {"privacy/deployment/data.json": '{"a": 1}'},
        {".manifest": '{"roots": ["privacy"]}\n'},
        {"schemas/deployment.json": "{}"},
    ]
    others = {
        load(written(tmp_path / str(number), files | change)).revision
        for number, change in enumerate(changes)
    }
    assert len(others | {first}) == len(changes) + 1


def test_data_at_the_top_is_what_opa_build_writes(tmp_path: Path) -> None:
    merged = {"privacy": {"deployment": {"grounds": {}}}}
    assert load(written(tmp_path, {"data.json": json.dumps(merged)})).data == merged


def test_a_url_is_not_fetched_here() -> None:
    with pytest.raises(BundleError) as refusal:
        load("https://bundles.example.org/b.tar.gz?secret=1")
    assert str(refusal.value).startswith("https://bundles.example.org/b.tar.gz: a URL, where")
    assert "secret" not in str(refusal.value)


def test_data_documents_come_together_by_their_folders(tmp_path: Path) -> None:
    loaded = load(
        written(
            tmp_path,
            {
                "privacy/data.json": '{"a": {"x": 1}}',
                "privacy/deployment/data.yaml": "grounds: {self_access: true}\n",
                "privacy/a/data.yml": "y: [2, null, 1.5, text]\n",
            },
        )
    )
    assert loaded.data == {
        "privacy": {
            "a": {"x": 1, "y": [2, None, 1.5, "text"]},
            "deployment": {"grounds": {"self_access": True}},
        }
    }


@pytest.mark.parametrize("name", ["deployment.json", "deployment.yaml"])
def test_an_overlay_takes_the_place_of_the_deployment_document(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "b", {"privacy/deployment/data.json": '{"old": 1}'})
    overlay = tmp_path / name
    overlay.write_text('{"grounds": {"self_access": true}}')
    plain, overlaid = load(folder), load(folder, overlay)
    assert overlaid.data == {"privacy": {"deployment": {"grounds": {"self_access": True}}}}
    assert overlaid.revision.startswith(plain.revision + "+sha256:")
    overlay.write_text('{"grounds": {"self_access": false}}')
    assert load(folder, overlay).revision != overlaid.revision


def test_a_mounted_config_map_is_a_bundle(tmp_path: Path) -> None:
    # Kubernetes: each file is a symlink through `..data` to a folder of that version.
    version = tmp_path / "..2026_06_01"
    written(version, {})
    (tmp_path / "..data").symlink_to(version.name)
    for name in (".manifest", "p.rego"):
        (version / name).exists() or (version / "privacy" / name).rename(version / name)
        (tmp_path / name).symlink_to(Path("..data") / name)
    loaded: Bundle = load(tmp_path)
    assert list(loaded.modules) == ["p.rego"]


BOMB = "a: &a [1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine short lines that stand for a billion values."""

REFUSED: dict[str, tuple[dict[str, str | bytes], str]] = {
    "no roots": ({".manifest": "{}"}, ".manifest: expected JSON such as"),
    "no JSON": ({".manifest": "roots: [privacy]"}, ".manifest: expected JSON such as"),
    "other roots": ({".manifest": '{"roots": [""]}'}, '.manifest: roots must be ["privacy"]'),
    "more roots": ({".manifest": '{"roots": ["privacy", "x"]}'}, ".manifest: roots must be"),
    "Rego v0": (
        {".manifest": '{"roots": ["privacy"], "rego_version": 0}'},
        ".manifest: rego_version must be 1",
    ),
    "an unknown key": (
        {".manifest": '{"roots": ["privacy"], "wasm": []}'},
        '.manifest: expected JSON such as {"roots": ["privacy"]}: Object contains unknown field'
        " `wasm`",
    ),
    "a revision of two lines": (
        {".manifest": '{"roots": ["privacy"], "revision": "a\\nb"}'},
        ".manifest: the revision must be printable",
    ),
    "a module that is not UTF-8": (
        {"privacy/q.rego": b"package privacy\xff"},
        "privacy/q.rego: not UTF-8 at byte 15",
    ),
    "a module without a package": (
        {"privacy/q.rego": "x := 1"},
        "privacy/q.rego: expected to begin",
    ),
    "a module elsewhere": (
        {"privacy/q.rego": "package system.authz"},
        "privacy/q.rego: package outside the root",
    ),
    "a module in a look-alike": (
        {"privacy/q.rego": "package privacy_.x"},
        "privacy/q.rego: package outside the root",
    ),
    "a package that a text makes believe": (
        {"privacy/q.rego": " package system.authz\n\nx := `\npackage privacy\n`\n"},
        "privacy/q.rego: expected to begin with a line",
    ),
    "a package on two lines": (
        {"privacy/q.rego": "package\nsystem.authz\nx := `\npackage privacy\n`\n"},
        "privacy/q.rego: expected to begin with a line",
    ),
    "an odd package": ({"privacy/q.rego": 'package privacy["a"]'}, "expected to begin"),
    "data elsewhere": ({"other/data.json": "{}"}, "other/data.json: data outside the root"),
    "data beside the root": (
        {"data.json": '{"privacy": {}, "other": 1}'},
        "data.json: data outside the root",
    ),
    "data at the top that is no object": ({"data.json": "[]"}, "data.json: data outside the root"),
    "a key of the manifest twice": (
        {".manifest": '{"roots": ["privacy"], "revision": "1", "revision": "2"}'},
        ".manifest: expected JSON such as",
    ),
    "a second manifest": ({"privacy/.manifest": "{}"}, "privacy/.manifest: a second manifest"),
    "a delta": ({"patch.json": "{}"}, "patch.json: part of a delta bundle, which is not read"),
    "a plan": ({"plan.json": "{}"}, "plan.json: part of a plan bundle, which is not read"),
    "WebAssembly": ({"policy.wasm": b"\0asm"}, "policy.wasm: part of a WebAssembly bundle"),
    "a module in a hidden folder": (
        {".more/privacy/q.rego": RULE},
        ".more/privacy/q.rego: in a hidden folder: OPA would read it",
    ),
    "data that is no JSON": (
        {"privacy/data.json": '{"secret": }'},
        "privacy/data.json: not strict JSON, line 1 column 12",
    ),
    "data with a key twice": (
        {"privacy/data.json": '{"secret": 1, "secret": 2}'},
        "privacy/data.json: not strict JSON, line 1 column 24",
    ),
    "data that is not a number": ({"privacy/data.json": "[NaN]"}, "not strict JSON"),
    "an integer beyond 64 bits": (
        {"privacy/data.json": f"[{2**63}]"},
        "privacy/data.json: an integer beyond 64 bits",
    ),
    "data nested deeply": (
        {"privacy/data.json": "[" * 40 + "]" * 40},
        "privacy/data.json: too many values, or nested too deeply",
    ),
    "data nested very deeply": ({"privacy/data.json": "[" * 100_000}, "not strict JSON"),
    "YAML with a key twice": (
        {"privacy/data.yaml": "a: 1\na: 2\n"},
        "privacy/data.yaml: not strict YAML, line 2 column 1",
    ),
    "YAML that is none": ({"privacy/data.yaml": "a: [\n"}, "privacy/data.yaml: not strict YAML"),
    "YAML of two documents": ({"privacy/data.yaml": "a: 1\n---\nb: 1\n"}, "not strict YAML"),
    "YAML with a date": (
        {"privacy/data.yaml": "a: 2026-06-01\n"},
        "privacy/data.yaml: a date, which JSON doesn't have: write it in quotes",
    ),
    "YAML with a number as a key": (
        {"privacy/data.yaml": "1: a\n"},
        "privacy/data.yaml: an object with a key that is no text",
    ),
    "YAML that is a bomb": (
        {"privacy/data.yaml": BOMB},
        "privacy/data.yaml: too many values, or nested too deeply",
    ),
    "YAML that holds itself": (
        {"privacy/data.yaml": "a: &a [*a]\n"},
        "privacy/data.yaml: too many values, or nested too deeply",
    ),
    "YAML that runs code": (
        {"privacy/data.yaml": "a: !!python/name:os.system\n"},
        "not strict YAML",
    ),
    "two documents in one place": (
        {"privacy/data.json": '{"a": {"x": 1}}', "privacy/a/data.json": '{"x": 1}'},
        "data in the place of another data document",
    ),
    "a document inside a number": (
        {"privacy/data.json": '{"b": 1}', "privacy/b/c/data.json": "{}"},
        "data in the place of another data document",
    ),
}


@pytest.mark.parametrize(("files", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_unclear_is_refused(
    tmp_path: Path, files: dict[str, str | bytes], says: str
) -> None:
    told = fault(written(tmp_path / "b", files))
    assert says in told
    assert "secret" not in told


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    assert fault(tmp_path / "none") == "not a folder and not a .tar.gz: there is nothing"
    assert "missing" in fault(tmp_path)
    (tmp_path / ".manifest").write_text('{"roots": ["privacy"]}')
    assert fault(tmp_path) == "no Rego module"


def test_symlinks_that_lead_out_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.rego"
    secret.write_text("package privacy.secret\n")
    folder = written(tmp_path / "b", {})
    (folder / "privacy" / "q.rego").symlink_to("../../secret.rego")
    assert fault(folder) == "privacy/q.rego: a symlink that leads out of the folder"
    (folder / "privacy" / "q.rego").unlink()
    (folder / "privacy" / "q.rego").symlink_to("nowhere")
    assert fault(folder) == "privacy/q.rego: a symlink that leads nowhere"
    (folder / "privacy" / "q.rego").unlink()
    (folder / "privacy" / "q.rego").symlink_to("q.rego")
    assert fault(folder) == "privacy/q.rego: a symlink that leads nowhere"
    (folder / "privacy" / "q.rego").unlink()
    (folder / "privacy" / "more").symlink_to(tmp_path)
    assert fault(folder) == "privacy/more: a symlink to a folder"
    (folder / "privacy" / "more").unlink()
    assert load(folder).modules


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "b", {})
    os.mkfifo(folder / "privacy" / "q.rego")
    assert fault(folder) == "privacy/q.rego: not a regular file"


def test_a_file_that_cannot_be_named_in_one_line_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "b", {"privacy/a\nb.rego": RULE})
    assert fault(folder) == "a file name that is not printable"


@pytest.mark.parametrize(
    ("limit", "value", "says"),
    [
        ("folder._MAX_FILES", 1, "more than 1 files"),
        ("contents._MAX_MODULE", 10, "privacy/p.rego: a module of more than 10 bytes"),
        ("documents._MAX_YAML", 3, "privacy/deployment/data.yaml: more than 3 bytes of YAML"),
        ("documents._MAX_VALUES", 3, "privacy/deployment/data.yaml: too many values"),
    ],
)
def test_a_bundle_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, says: str
) -> None:
    folder = written(tmp_path / "b", {"privacy/deployment/data.yaml": "a: 1\nb: 2\nc: 3\n"})
    assert load(folder).modules
    monkeypatch.setattr(f"gateway.policy.bundles.{limit}", value)
    assert says in fault(folder)


def test_all_files_together_are_bounded(tmp_path: Path) -> None:
    folder = written(tmp_path / "b", {"privacy/data.json": json.dumps({"a": "x" * 1000})})
    assert load(folder, None, DeliverySettings(max_size=1200)).modules
    with pytest.raises(BundleError, match="too large"):
        load(folder, None, DeliverySettings(max_size=1000))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "expected an object"),
        ("{", "not strict JSON"),
        ('{"a": 1, "a": 2}', "not strict JSON"),
    ],
)
def test_an_overlay_that_is_no_document_is_refused(tmp_path: Path, content: str, says: str) -> None:
    folder = written(tmp_path / "b", {})
    overlay = tmp_path / "deployment.json"
    assert "No such file" in fault(folder, overlay)
    overlay.write_text(content)
    assert says in fault(folder, overlay)
    overlay.write_text(json.dumps({"grounds": {}}))
    loaded: Any = load(folder, overlay).data
    assert loaded["privacy"]["deployment"] == {"grounds": {}}
