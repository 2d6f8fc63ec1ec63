"""`check`, as somebody types it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.config import json_schema
from tests.cli.conftest import typed
from tests.config.conftest import MINIMAL
from tests.policy.support import POLICIES, write_bundle


def test_a_good_configuration_is_summarized(config: Path) -> None:
    result = typed("check", "--config", config)
    assert result.exit_code == 0
    for word in (
        "orders", "/exports/orders", "json", "account: $.customer.id", "https://id.example.org",
        "RS256", "embedded", "127.0.0.1:8282", "no faults",
    ):  # fmt: skip
        assert word in result.stdout
    assert result.stderr == ""


def test_the_summary_says_whose_a_member_is(config: Path) -> None:
    body = (
        "{format: zip, members: ["
        "{match: manifest.json, format: json, records: '$.r[*]', subject: {account: $.a},"
        " vouches_for: $.f}, {match: '*.wav', attribution: manifest}, {match: '*.pdf'}]}"
    )
    archive = f"  - {{name: archive, path: /a, methods: [GET, POST], body: {body}}}\n"
    config.write_text(MINIMAL + archive)
    shown = " ".join(typed("check", "-c", config).stdout.split())
    for words in ("GET, POST /a", "manifest.json: account: $.a", "*.wav: manifest",
                  "*.pdf: unattributed"):  # fmt: skip
        assert words in shown


def test_every_fault_is_printed_with_its_line_and_a_caret(config: Path) -> None:
    config.write_text(MINIMAL.replace("format: json", "format: jsno") + "listn: x\n")
    result = typed("check", "--config", config)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{config}:13:20: endpoints[0].body.format: `jsno` is not one of")
    assert lines[0].endswith("did you mean `json`?")
    assert lines[1].lstrip().startswith("body: {format: jsno")
    assert lines[1][lines[2].index("^") :].startswith("jsno")
    assert lines[3] == f"{config}:14:1: listn: unknown key; did you mean `listen`?"
    assert lines[-1] == f"{config}: 2 faults"


def test_a_fault_of_the_rego_is_printed_with_its_own_line(config: Path, tmp_path: Path) -> None:
    rego = "package privacy\n\ndecision := io.jwt.decode(input.token)\n"
    bundle = write_bundle(tmp_path / "b", {"privacy/p.rego": rego})
    config.write_text(MINIMAL + f"policy: {{bundle: '{bundle}'}}\nlistn: x\n")
    result = typed("check", "--config", config)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{config}:15:1: listn: unknown key")
    assert lines[3:] == [
        f"{bundle}/privacy/p.rego:3:13: policy.bundle:"
        " io.jwt.decode is not known to the embedded engine",
        "    decision := io.jwt.decode(input.token)",
        "                ^",
        f"{config}: 2 faults",
    ]


def test_a_bundle_beside_opa_is_checked_against_what_opa_knows(
    config: Path, tmp_path: Path
) -> None:
    rego = "package privacy\n\ndecision := io.jwt.decode(input.token)\n"
    bundle = write_bundle(tmp_path / "b", {"privacy/p.rego": rego})
    policy = f"policy: {{bundle: '{bundle}', engine: opa, opa: 'http://127.0.0.1:8181'}}\n"
    config.write_text(MINIMAL + policy)
    assert typed("check", "--config", config).exit_code == 0
    (bundle / "privacy" / "p.rego").write_text(rego.replace("io.jwt.decode", "http.send"))
    result = typed("check", "--config", config)
    assert result.exit_code == 2
    assert "p.rego:3:13: policy.bundle: http.send is not allowed" in result.stderr


def test_a_long_fault_stays_on_one_line(config: Path) -> None:
    config.write_text(MINIMAL.replace("RS256", "RS-256"))
    first = typed("check", "--config", config).stderr.splitlines()[0]
    assert len(first) > 120
    assert first.endswith("?")


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    result = typed("check", "--config", tmp_path / "nothing.yaml")
    assert result.exit_code == 2
    assert "can't be read: No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_environment_counts_as_it_does_for_run(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVACY_GATEWAY_UPSTREAM", "https://other.example")
    assert "https://other.example" in typed("check", "--config", config).stdout
    monkeypatch.setenv("PRIVACY_GATEWAY_UPSTRAEM", "https://other.example")
    result = typed("check", "--config", config)
    assert result.exit_code == 2
    assert "did you mean `PRIVACY_GATEWAY_UPSTREAM`?" in result.stderr


def test_an_endpoint_that_is_only_observed_is_shown_loudly(config: Path) -> None:
    assert "NOT ENFORCED" not in typed("check", "-c", config).stdout
    until = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    observed = f"    enforcement: observe\n    observe_until: {until}\n"
    config.write_text(MINIMAL + observed)
    result = typed("check", "-c", config)
    assert result.exit_code == 0
    assert "NOT ENFORCED: orders is only observed until" in result.stdout
    config.write_text(MINIMAL + observed.replace(until, "2026-01-01"))
    shown = " ".join(typed("check", "-c", config).stdout.split())
    assert "orders: enforcement: observe is over since 2026-01-02T00:00:00Z" in shown
    assert "NOT ENFORCED" not in shown


def test_a_shadow_is_shown_and_one_that_can_not_be_used_is_not_well(
    config: Path, tmp_path: Path
) -> None:
    assert "compared only" not in typed("check", "-c", config).stdout
    config.write_text(MINIMAL + f"policy: {{shadow: {POLICIES}}}\n")
    well = typed("check", "-c", config)
    assert well.exit_code == 0
    assert "compared only, it decides nothing" in " ".join(well.stdout.split())
    config.write_text(MINIMAL + "policy: {shadow: nowhere}\n")
    broken = typed("check", "-c", config)
    assert broken.exit_code == 1
    assert "no faults" not in broken.stdout
    (line,) = broken.stderr.splitlines()
    assert line.startswith(f"{config}: policy.shadow: {tmp_path / 'nowhere'}: ")
    write_bundle(tmp_path / "next", {"privacy/decision.rego": "package privacy.decision\n\nno"})
    config.write_text(MINIMAL + "policy: {shadow: next}\n")
    (line,) = typed("check", "-c", config).stderr.splitlines()
    assert "next/privacy/decision.rego:3:" in line
    config.write_text(MINIMAL + "policy: {shadow: 'https://bundles.example.org/next.tar.gz'}\n")
    assert typed("check", "-c", config).exit_code == 0  # nothing is fetched


def test_the_schema_is_printed_as_json() -> None:
    result = typed("check", "--schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()


def test_check_needs_one_of_its_two_options(config: Path) -> None:
    assert typed("check").exit_code == 2
    assert typed("check", "--schema", "--config", config).exit_code == 2
