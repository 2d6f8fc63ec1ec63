"""The shipped Rego is formatted, strictly typed against the schemas, and wholly covered."""

import json
import re
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
        ("lib/payload/payload.rego", "input.payload.records", "input.payload.record"),
        ("lib/permission/permission.rego", "settings.grounds", "settings.ground"),
        ("lib/deployment/deployment.rego", "settings.partial", "settings.parts"),
        ("grounds/consent/consent.rego", "consent.consents", "consent.consent"),
        ("grounds/representative/representative.rego", "actor.issuer", "actor.iss"),
        (
            "restrictions/special_category/special_category.rego",
            "special_category.categories",
            "special_category.category",
        ),
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


GROUNDS = {
    "self_access",
    "linked_account",
    "representative",
    "guardian",
    "consent",
    "case_officer",
    "participant",
}
RESTRICTIONS = {"special_category", "third_person_fields", "never_disclose", "entitled_categories"}


@pytest.mark.parametrize(("group", "names"), [("grounds", GROUNDS), ("restrictions", RESTRICTIONS)])
def test_every_ground_and_restriction_names_its_legal_basis(
    opa_binary: str, group: str, names: set[str]
) -> None:
    done = run(opa_binary, "inspect", "--annotations", "--format", "json", ".")
    assert done.returncode == 0, done.stderr
    packages = {
        tuple(part["value"] for part in each["path"][1:]): each["annotations"]
        for each in json.loads(done.stdout)["annotations"]
        if each["annotations"]["scope"] in ("package", "subpackages")
    }
    found = {
        path[2]
        for path in packages
        if path[:2] == ("privacy", group) and not path[-1].endswith("_test")
    }
    assert found == names
    for name in names:
        annotations = packages["privacy", group, name]
        assert annotations["custom"]["legal_basis"].startswith(("GDPR Art. ", "CCPA "))
        assert annotations["title"] and annotations["description"] and annotations["schemas"]


def test_every_ground_and_restriction_has_its_data_in_the_schema_and_is_put_together() -> None:
    schema = json.loads((POLICIES / "schemas" / "deployment.json").read_text())
    for group, names, module in (
        ("grounds", GROUNDS, "permission"),
        ("restrictions", RESTRICTIONS, "restriction"),
    ):
        assert {path.name for path in (POLICIES / "privacy" / group).iterdir()} == names
        assert schema["properties"][group]["properties"].keys() == names
        text = (POLICIES / "privacy" / "lib" / module / f"{module}.rego").read_text()
        assert set(re.findall(rf"data\.privacy\.{group}\.(\w+)\.", text)) == names
