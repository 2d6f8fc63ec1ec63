"""`test`, as somebody types it."""

import json
import shutil
from pathlib import Path

import pytest

from gateway.workbench.cases import json_schema
from tests.cli.conftest import typed
from tests.config.conftest import MINIMAL
from tests.conftest import REPOSITORY
from tests.policy.bundles.support import opa_build, signed_by, signing_key
from tests.policy.support import POLICIES, write_bundle
from tests.workbench.conftest import DATA, ENDPOINTS

GOOD = """\
endpoint: voice
caller: {sub: A1}
cases:
  - name: a stranger's record stays behind
    json: [{id: A1}, {id: A9}]
    expect: {effect: redact, kept: 1}
"""
TESTS = {
    "privacy/x.rego": "package privacy.x\n",
    "privacy/x_test.rego": "package privacy.x_test\n\ntest_holds if true\n\ntest_fails if 1 == 2\n",
}


@pytest.fixture
def config(folder: Path) -> Path:
    (folder / "deployment.yaml").write_text(DATA)
    file = folder / "gateway.yaml"
    file.write_text(MINIMAL + ENDPOINTS + "policy: {data: deployment.yaml}\n")
    (folder / "cases.yaml").write_text(GOOD)
    return file


def test_the_shipped_tests_and_good_cases_hold(config: Path) -> None:
    result = typed("test", "-c", config, config.parent / "cases.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "tests, all hold" in result.stdout
    assert "1 case, holds" in result.stdout
    assert "a stranger's record stays behind" in result.stdout


def test_a_case_that_fails_shows_what_was_expected_and_found(config: Path) -> None:
    cases = config.parent / "cases.yaml"
    cases.write_text(GOOD.replace("kept: 1", "kept: 2"))
    result = typed("test", "-c", config, cases)
    assert result.exit_code == 1
    assert "fails" in result.stdout and "cases.yaml:4" in result.stdout
    lines = result.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if "kept: expected 2, found 1" in line)
    assert lines[at].startswith(f"{cases}:6: ")
    assert lines[at + 1].endswith("expect: {effect: redact, kept: 2}")
    assert lines[at + 1][lines[at + 2].index("^") :].startswith("kept")
    assert "it ended: redact" in lines[at - 1]


@pytest.mark.opa
def test_a_bundle_is_tested_as_it_is_delivered_signed(
    config: Path, tmp_path: Path, opa_binary: str
) -> None:
    key = signing_key(tmp_path, "ES256")
    opa_build(opa_binary, POLICIES, tmp_path / "privacy.tar.gz", *signed_by(key), revision="1")
    config.write_text(
        MINIMAL + ENDPOINTS + f"policy: {{data: deployment.yaml, bundle: {tmp_path}/privacy.tar.gz,"
        f" delivery: {{signing: {{key_file: {key.public}, key_id: prod, algorithm: ES256}}}}}}\n"
    )
    result = typed("test", "-c", config, config.parent / "cases.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "1 case, holds" in result.stdout


def test_a_rego_test_that_fails_is_named_with_its_place(config: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", TESTS)
    result = typed("test", "-c", config, "--bundle", bundle)
    assert result.exit_code == 1
    assert "privacy.x_test.test_fails  privacy/x_test.rego:5" in result.stdout
    assert "2 tests, 1 failed" in result.stdout


def test_json_has_both(config: Path, tmp_path: Path) -> None:
    result = typed("test", "-c", config, "--json", config.parent / "cases.yaml")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["holds"]) == (0, True)
    assert report["cases"][0]["name"] == "a stranger's record stays behind"
    assert {each["outcome"] for each in report["tests"]} == {"pass"}
    bundle = write_bundle(tmp_path / "bundle", TESTS)
    report = json.loads(typed("test", "-c", config, "--json", "--bundle", bundle).stdout)
    assert not report["holds"]


def test_the_examples_of_the_manual_hold(folder: Path) -> None:
    examples = folder / "examples"
    shutil.copytree(REPOSITORY / "docs" / "examples" / "cases", examples)
    shutil.copy(folder / "pseudonym-key", examples)
    files = [examples / "orders.yaml", examples / "messages.yaml"]
    result = typed("test", "-c", examples / "gateway.yaml", *files)
    assert result.exit_code == 0, result.output
    assert "8 cases, all hold" in result.stdout


def test_the_schema_is_printed_as_json() -> None:
    result = typed("test", "--schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()


@pytest.mark.opa
def test_with_opa_configured_opa_runs_the_tests(
    config: Path, tmp_path: Path, opa_binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(opa_binary).parent), prepend=":")
    config.write_text(MINIMAL + ENDPOINTS + 'policy: {engine: opa, opa: "http://127.0.0.1:9"}\n')
    bundle = write_bundle(tmp_path / "bundle", TESTS)
    result = typed("test", "-c", config, "--bundle", bundle)
    assert result.exit_code == 1, result.output
    assert "privacy.x_test.test_fails  privacy/x_test.rego:5" in result.stdout


def test_with_opa_configured_and_none_on_path_there_is_one_line(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    config.write_text(MINIMAL + ENDPOINTS + 'policy: {engine: opa, opa: "http://127.0.0.1:9"}\n')
    result = typed("test", "-c", config)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "the configured engine is OPA, and there is no opa on PATH to run its tests"
    ]


def test_nothing_to_test_proves_nothing(config: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", {"privacy/x.rego": "package privacy.x\n"})
    result = typed("test", "-c", config, "--bundle", bundle)
    assert result.exit_code == 2
    assert result.stderr == "found no test and no case: nothing proves nothing\n"


SKIPPED = {"privacy/x_test.rego": "package privacy.x_test\n\ntodo_test_x if false\n"}


def test_tests_that_are_all_skipped_prove_nothing_either(config: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", {**TESTS, **SKIPPED})
    result = typed("test", "-c", config, "--bundle", bundle)
    assert result.exit_code == 2
    assert result.stderr == "found 1 test, all skipped, and no case: nothing proves nothing\n"
    some = SKIPPED["privacy/x_test.rego"] + "\ntest_y if true\n"
    bundle = write_bundle(tmp_path / "other", {**TESTS, "privacy/x_test.rego": some})
    result = typed("test", "-c", config, "--bundle", bundle)
    assert (result.exit_code, result.stdout) == (0, "1 test, holds, 1 skipped (todo_)\n")


def test_cases_alone_are_said_to_be_alone(config: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(REPOSITORY / "policies", bundle)
    for file in bundle.rglob("*_test.rego"):
        file.unlink()
    result = typed("test", "-c", config, "--bundle", bundle, config.parent / "cases.yaml")
    assert result.exit_code == 0
    assert "no Rego test in the bundle\n1 case, holds" in result.stdout


BROKEN_TEST = {"privacy/x_test.rego": "package privacy.x_test\n\ntest_x if {\n"}


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        (None, "can't be read: No such file"),
        (b"\xff", "not UTF-8"),
        (b"cases: []", "at least one case is needed"),
        (b"cases: [", "cases.yaml:1:"),
        (GOOD.replace("json", "jsn").encode(), "unknown key; did you mean `json`?"),
        (GOOD.replace("voice", "voise").encode(), "did you mean `voice`?"),
        (GOOD.replace("json: [{id: A1}, {id: A9}]", "body: none").encode(), "can't be read"),
    ],
)
def test_wrong_cases_are_told_in_a_clear_line_and_exit_code_2(
    config: Path, cases: bytes | None, words: str
) -> None:
    file = config.parent / "cases.yaml"
    file.unlink()
    if cases is not None:
        file.write_bytes(cases)
    result = typed("test", "-c", config, file)
    assert result.exit_code == 2
    assert words in result.stderr.splitlines()[0]
    assert "Traceback" not in result.output and result.stdout == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "say --config FILE"),
        (["-c", "none.yaml"], "can't be read"),
        (["-c", "gateway.yaml", "--bundle", "none"], "not a folder"),
        (["-c", "gateway.yaml", "--bundle", "broken"], "x_test.rego:"),
    ],
)
def test_wrong_options_are_one_clear_line_and_exit_code_2(
    config: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(config.parent)
    write_bundle(Path("broken"), {"privacy/x.rego": "package privacy.x\n", **BROKEN_TEST})
    result = typed("test", *options)
    assert result.exit_code == 2
    assert words in result.stderr.splitlines()[0]
    assert "Traceback" not in result.output
