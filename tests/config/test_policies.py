"""Faults of a policy's Rego, as `check` finds them: every one, with its line."""

import json
from pathlib import Path

import pytest

from gateway.config.faults import Finding, Place
from gateway.config.policies import rego_findings
from gateway.policy.bundle import load
from gateway.policy.engine import EngineKind
from tests.policy.support import POLICIES, shipped_bundle, write_bundle


def found(
    folder: Path, kind: EngineKind = EngineKind.EMBEDDED, data: Path | None = None
) -> list[Finding]:
    return list(rego_findings(load(folder, data), kind, data))


@pytest.mark.parametrize("kind", list(EngineKind))
def test_the_policies_that_ship_have_no_faults_on_either_engine(kind: EngineKind) -> None:
    assert found(POLICIES, kind) == []


def test_every_fault_has_its_line_with_a_caret_below(tmp_path: Path) -> None:
    rego = "package privacy\n\nx if {\n\ty := opa.runtime()\n\tlenght(y) == 1\n}\n"
    folder = write_bundle(tmp_path / "b", {"privacy/p.rego": rego})
    assert found(folder) == [
        Finding(
            ("policy", "bundle"),
            "opa.runtime is not allowed: a policy must not reach outside",
            place=Place(
                f"{folder}/privacy/p.rego",
                4,
                7,
                "        y := opa.runtime()\n             ^",
                beyond=True,
            ),
        ),
        Finding(
            ("policy", "bundle"),
            "no function is called lenght",
            place=Place(
                f"{folder}/privacy/p.rego", 5, 2, "        lenght(y) == 1\n        ^", beyond=True
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("rego", "line", "column", "says"),
    [
        ("package privacy\n\nx := := 1\n", 3, 6, "expecting expression"),
        ("package privacy\n\nx := y\n", 3, 6, "var y is unsafe"),
        ("package privacy\n\ndecision := 1\n\ndecision := 2\n", 5, 1, "conflicts"),
        ("package privacy\n\nx = y { y := 1 }\n", 3, 7, "`if` keyword is required"),
    ],
)
def test_rego_that_is_none_is_found_without_running_a_gateway(
    tmp_path: Path, rego: str, line: int, column: int, says: str
) -> None:
    (fault,) = found(write_bundle(tmp_path / "b", {"privacy/p.rego": rego}))
    assert fault.place
    assert (fault.place.line, fault.place.column) == (line, column)
    assert says in fault.message


def test_a_builtin_that_only_opa_has_is_a_fault_for_the_embedded_engine(tmp_path: Path) -> None:
    rego = "package privacy\n\nx := io.jwt.decode(input.token)\n"
    folder = write_bundle(tmp_path / "b", {"privacy/p.rego": rego})
    (fault,) = found(folder)
    assert fault.message == "io.jwt.decode is not known to the embedded engine"
    assert found(folder, EngineKind.OPA) == []


def test_data_that_does_not_match_its_schema_is_a_fault_of_the_file_it_is_in(
    tmp_path: Path,
) -> None:
    message = "data.privacy.deployment does not match schemas/deployment.json"
    folder = shipped_bundle(tmp_path / "b", {"grounds": {"typo": True}})
    assert found(folder) == [Finding(("policy", "bundle"), f"{folder}: {message}")]
    data = tmp_path / "deployment.json"
    data.write_text(json.dumps({"grounds": {"typo": True}}))
    for kind in EngineKind:
        assert found(POLICIES, kind, data) == [Finding(("policy", "data"), f"{data}: {message}")]


def test_a_bundle_that_kills_its_reader_is_a_fault(tmp_path: Path) -> None:
    rego = "package privacy\n\ndecision := f(1)\n\nf(x) := f(x + 1)\n"
    folder = write_bundle(tmp_path / "b", {"privacy/p.rego": rego})
    (fault,) = found(folder)
    assert fault.message.startswith(f"{folder}: regorus does not survive loading it")


def test_a_line_that_nobody_could_read_is_not_shown(tmp_path: Path) -> None:
    rego = f"package privacy\n\nx := [{'1, ' * 100}y]\n"
    (fault,) = found(write_bundle(tmp_path / "b", {"privacy/p.rego": rego}))
    assert fault.place
    assert fault.place.excerpt == ""
