"""The shipped Rego is formatted, strictly typed against the schemas, and wholly covered."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.policy.support import POLICIES

pytestmark = pytest.mark.opa

CHECK = ("check", "--strict", "--schema", "schemas", "--bundle", ".")


def run(binary: str, *arguments: str, folder: Path = POLICIES) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [binary, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_it_is_formatted(opa_binary: str) -> None:
    done = run(opa_binary, "fmt", "--fail", "--diff", ".")
    assert done.returncode == 0, done.stdout


def test_it_is_strictly_typed_against_the_schemas(opa_binary: str) -> None:
    done = run(opa_binary, *CHECK)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("lib/subjects/subjects.rego", "input.payload.subjects", "input.payload.subject"),
        ("lib/subjects/subjects.rego", "input.caller.identifiers", "input.caller.identities"),
        ("lib/subjects/subjects.rego", "identifier.value", "identifier.id"),
        ("lib/deployment/deployment.rego", "_settings.grounds", "_settings.ground"),
        ("grounds/linked_account/linked_account.rego", "link.caller", "link.from"),
        ("grounds/self_access/self_access.rego", "input.caller.actor", "input.caller.act"),
    ],
)
def test_a_typo_in_the_contract_is_a_type_error(
    opa_binary: str, tmp_path: Path, file: str, right: str, wrong: str
) -> None:
    copy = shutil.copytree(POLICIES, tmp_path / "policies")
    module = copy / "privacy" / file
    text = module.read_text()
    assert right in text
    module.write_text(text.replace(right, wrong))
    done = run(opa_binary, *CHECK, folder=copy)
    assert done.returncode != 0
    assert "undefined ref" in done.stderr


def test_its_tests_pass_and_cover_every_line(opa_binary: str) -> None:
    passed = run(opa_binary, "test", "--bundle", ".", "--format", "json")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    covered = run(opa_binary, "test", "--coverage", "--bundle", ".", "--format", "json")
    report = json.loads(covered.stdout)
    assert report["coverage"] == 100, {
        name: file["not_covered"] for name, file in report["files"].items() if "not_covered" in file
    }
    modules = {path.relative_to(POLICIES).as_posix() for path in POLICIES.rglob("*.rego")}
    assert modules <= {name.lstrip("./") for name in report["files"]}


def test_every_module_has_its_test_beside_it_and_its_metadata() -> None:
    modules = [path for path in POLICIES.rglob("*.rego") if not path.stem.endswith("_test")]
    assert modules
    for path in modules:
        assert path.with_name(f"{path.stem}_test.rego").is_file(), path
        package = ".".join(path.parent.relative_to(POLICIES).parts)
        assert f"\npackage {package}\n" in path.read_text(), path


def test_every_ground_names_its_legal_basis(opa_binary: str) -> None:
    done = run(opa_binary, "inspect", "--annotations", "--format", "json", ".")
    assert done.returncode == 0, done.stderr
    packages = {
        tuple(part["value"] for part in each["path"][1:]): each["annotations"]
        for each in json.loads(done.stdout)["annotations"]
        if each["annotations"]["scope"] in ("package", "subpackages")
    }
    grounds = {
        path for path in packages if path[:2] == ("privacy", "grounds") and "_test" not in path[-1]
    }
    assert grounds == {("privacy", "grounds", name) for name in ("linked_account", "self_access")}
    for path in grounds:
        assert packages[path]["custom"]["legal_basis"].startswith("GDPR Art. ")
        assert packages[path]["title"] and packages[path]["description"]
