"""A file and the environment → frozen settings, or every fault at once."""

import shutil
from pathlib import Path

import pytest

from gateway.config import ConfigFaults, load
from gateway.model import Attribution, Format
from tests.config.conftest import MINIMAL, Faults, Loaded
from tests.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "docs" / "examples"

EVERYTHING_WRONG = """\
listn: 0.0.0.0:8080
upstream: http://user:hunter2@127.0.0.1:3000
identity:
  issuers:
    - issuer: https://id.example.org
      jwks: jwks.json
      algorithms: [none]
      leeway: 30s
      leeway: 60s
policy: {engine: rego}
decision_log:
  pseudonym_key: hunter2
endpoints:
  - name: Orders
    path: /exports/orders
    release: at-once
    body: {format: jsno, records: 010}
    limits: {body: 2000}
  - !secret {name: a, path: b}
"""


def test_every_fault_is_reported_at_once_with_its_line_and_path(faults: Faults) -> None:
    found = faults(EVERYTHING_WRONG, {"PRIVACY_GATEWAY_SPOL__LIMIT": "1GiB"})
    assert [tuple(fault.split(": ")[:2]) for fault in found] == [
        ("PRIVACY_GATEWAY_SPOL__LIMIT", "no setting has this variable; did you mean"
         " `PRIVACY_GATEWAY_SPOOL__LIMIT`?"),
        ("gateway.yaml:1:1", "listn"),
        ("gateway.yaml:2:1", "upstream.url"),
        ("gateway.yaml:5:7", "identity.issuers[0].audience"),
        ("gateway.yaml:5:7", "identity.issuers[0].identifiers"),
        ("gateway.yaml:6:13", "identity.issuers[0].jwks"),
        ("gateway.yaml:7:20", "identity.issuers[0].algorithms[0]"),
        ("gateway.yaml:9:7", "identity.issuers[0].leeway"),
        ("gateway.yaml:10:18", "policy.engine"),
        ("gateway.yaml:11:1", "decision_log.file"),
        ("gateway.yaml:11:1", "decision_log.pseudonym_key_file"),
        ("gateway.yaml:12:3", "decision_log.pseudonym_key"),
        ("gateway.yaml:14:11", "endpoints[0].name"),
        ("gateway.yaml:16:14", "endpoints[0].release"),
        ("gateway.yaml:17:20", "endpoints[0].body.format"),
        ("gateway.yaml:17:35", "write the number in plain decimal digits, or put it in quotes"),
        ("gateway.yaml:18:20", "endpoints[0].limits.body"),
        ("gateway.yaml:19:5", "tags (!) are not read; remove it"),
        ("gateway.yaml:19:29", "endpoints[1].path"),
    ]  # fmt: skip


def test_no_fault_gives_away_a_secret(loaded: Loaded) -> None:
    with pytest.raises(ConfigFaults) as found:
        loaded(EVERYTHING_WRONG)
    shown = [text for fault in found.value.faults for text in (str(fault), fault.place.excerpt)]
    assert "hunter2" not in "".join(shown)


def test_no_cause_that_quotes_input_hangs_on_the_fault(loaded: Loaded) -> None:
    with pytest.raises(ConfigFaults) as found:
        loaded(EVERYTHING_WRONG)
    assert found.value.__cause__ is None
    assert found.value.__suppress_context__ or found.value.__context__ is None


def test_messages_are_plain_language(faults: Faults) -> None:
    text = "\n".join(faults(EVERYTHING_WRONG)).lower()
    for jargon in ("pydantic", "validation error", "input should", "errors.pydantic.dev", "type="):
        assert jargon not in text


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_lacks_what_is_required(faults: Faults, text: str) -> None:
    assert faults(text) == [
        f"gateway.yaml: {name}: required, but missing"
        for name in ("upstream", "identity", "decision_log", "endpoints")
    ]


@pytest.mark.parametrize("text", ["5", "[]", "text", "[[1]]"])
def test_a_file_that_is_no_mapping_has_one_fault(faults: Faults, text: str) -> None:
    assert len(faults(text)) == 1
    assert "expected a mapping" in faults(text)[0]


def test_relative_paths_start_at_the_file_wherever_the_gateway_runs(
    loaded: Loaded, folder: Path, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (folder / "jwks.json").touch()
    text = MINIMAL.replace("https://id.example.org/jwks.json", "jwks.json")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    config = loaded(
        text + "spool: {directory: spool}\n",
        {"PRIVACY_GATEWAY_DECISION_LOG__FILE": "from-the-environment.jsonl"},
    )
    assert config.decision_log.pseudonym_key_file == folder / "pseudonym-key"
    assert config.decision_log.file == folder / "from-the-environment.jsonl"
    assert config.identity.issuers[0].jwks == str(folder / "jwks.json")
    assert config.spool.directory == folder / "spool"


def test_a_relative_configuration_path_works_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "gateway.yaml").write_text(MINIMAL)
    monkeypatch.chdir(folder)
    config = load(Path("gateway.yaml"), {})
    assert config.decision_log.file == folder / "decisions.jsonl"
    assert config.decision_log.file.is_absolute()


def test_absolute_paths_and_urls_stay_as_they_are(loaded: Loaded, folder: Path) -> None:
    config = loaded(MINIMAL.replace("decisions.jsonl", f"{folder}/other.jsonl"))
    assert config.decision_log.file == folder / "other.jsonl"
    assert config.identity.issuers[0].jwks == "https://id.example.org/jwks.json"


def test_a_bundle_is_anchored_where_it_is_a_path(loaded: Loaded, folder: Path) -> None:
    shutil.copytree(REPOSITORY / "policies", folder / "policies")
    assert loaded(MINIMAL + "policy: {bundle: policies}\n").policy.bundle == folder / "policies"
    url = "https://bundles.example.org/b.tar.gz"
    policy = f"policy: {{bundle: '{url}', delivery: {{state: state}}}}\n"
    config = loaded(MINIMAL + policy)
    assert config.policy.bundle == url
    assert config.policy.delivery.state == folder / "state"


def test_a_configuration_written_as_json_is_read_too(loaded: Loaded) -> None:
    text = (
        '{"upstream": "http://127.0.0.1:3000", "identity": {"issuers": [{"issuer": "i",'
        ' "audience": "a", "jwks": "https://i/jwks", "algorithms": ["RS256"],'
        ' "identifiers": {"account": "sub"}}]}, "decision_log": {"file": "d",'
        ' "pseudonym_key_file": "pseudonym-key"}, "endpoints": [{"name": "a", "path": "/a",'
        ' "body": {"format": "json"}}]}'
    )
    assert loaded(text).endpoints[0].body.format is Format.JSON


def test_an_alias_spares_writing_limits_twice(loaded: Loaded, faults: Faults) -> None:
    text = MINIMAL + (
        "    limits: &small {body: 1MiB}\n"
        "  - {name: other, path: /other, body: {format: json}, limits: *small}\n"
    )
    assert [endpoint.limits.body for endpoint in loaded(text).endpoints] == [2**20, 2**20]
    found = faults(text.replace("1MiB", "1"))
    assert [fault.split(": ")[:2] for fault in found] == [
        ["gateway.yaml:14:27", "endpoints[0].limits.body"],
        ["gateway.yaml:14:27", "endpoints[1].limits.body"],
    ]


def test_shapes_that_may_be_written_in_two_ways_become_one(loaded: Loaded) -> None:
    one = loaded()
    other = loaded(
        MINIMAL.replace("audience: data-export", "audience: [data-export]")
        .replace('{account: "$.customer.id"}', '[{account: ["$.customer.id"]}]')
        .replace("upstream: http://127.0.0.1:3000", "upstream: {url: 'http://127.0.0.1:3000'}")
    )
    assert one == other


# --- the examples -------------------------------------------------------------------------------


def example(name: str, folder: Path) -> Path:
    shutil.copy(EXAMPLES / name, folder)
    return folder / name


def test_the_minimal_example_has_ten_lines_and_loads(folder: Path) -> None:
    config = load(example("minimal.yaml", folder), {})
    assert len((EXAMPLES / "minimal.yaml").read_text().splitlines()) == 10
    assert config.endpoints[0].body.records == "$.orders[*]"


def test_the_complete_example_loads(folder: Path) -> None:
    environ = {
        "PRIVACY_GATEWAY_DECISION_LOG__FILE": "decisions.jsonl",
        "PRIVACY_GATEWAY_DECISION_LOG__PSEUDONYM_KEY_FILE": "pseudonym-key",
    }
    config = load(example("gateway.yaml", folder), environ)
    archive = config.endpoints[-1]
    assert [member.attribution for member in archive.body.members] == [
        Attribution.DIRECT, Attribution.MANIFEST, Attribution.PATH,
        Attribution.DIRECT, Attribution.DIRECT,
    ]  # fmt: skip
    assert {endpoint.body.format for endpoint in config.endpoints} == set(Format)


def test_the_complete_example_shows_every_section() -> None:
    from gateway.config.file import read
    from gateway.config.keys import KEYS

    assert set(read(EXAMPLES / "gateway.yaml").value) == set(KEYS.keys)
