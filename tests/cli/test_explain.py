"""`explain`, as somebody types it."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import typed
from tests.config.conftest import MINIMAL
from tests.workbench.conftest import DATA, ENDPOINTS

ME = '{"sub": "A1"}'


@pytest.fixture
def config(folder: Path) -> Path:
    (folder / "deployment.yaml").write_text(DATA)
    file = folder / "gateway.yaml"
    file.write_text(MINIMAL + ENDPOINTS + "policy: {data: deployment.yaml}\n")
    (folder / "mixed.ndjson").write_text('{"id": "A1"}\n{"id": "A9"}\n')
    (folder / "mine.ndjson").write_text('{"id": "A1"}\n')
    (folder / "broken.ndjson").write_text('{"id": "A1"}\n{"id": }\n')
    return file


def explained(config: Path, body: str, *more: str | Path, claims: str = ME) -> tuple[int, str, str]:
    result = typed(
        "explain", "-c", config, "-e", "voice", "--claims", claims,
        "--body", config.parent / body, *more,
    )  # fmt: skip
    return result.exit_code, result.stdout, result.stderr


def test_an_export_that_leaves_untouched_ends_with_0(config: Path) -> None:
    code, out, err = explained(config, "mine.ndjson")
    assert (code, err) == (0, "")
    assert "voice: released; 1 of 1 record would leave" in out
    assert "account:A1" in out and "self_access" in out


def test_one_that_is_redacted_says_who_stays_and_why_and_ends_with_1(config: Path) -> None:
    code, out, err = explained(config, "mixed.ndjson")
    assert (code, err) == (1, "")
    for words in (
        "voice: redacted; 1 of 2 records would leave",
        "account:A9: no ground permits it",
        "self_access stops at privacy/grounds/self_access/self_access.rego:",
        "not enabled: case_officer, consent, guardian, linked_account,",
        "subject_not_permitted",
        "privacy/decision/decision.rego:",
        "record 1 (from 0)",
    ):
        assert words in out


def test_a_refusal_shows_the_offending_line_under_a_caret(config: Path) -> None:
    code, out, _ = explained(config, "broken.ndjson")
    assert code == 1
    lines = out.splitlines()
    assert "refused with 502 body_malformed" in lines[0]
    at = next(number for number, line in enumerate(lines) if "broken.ndjson:2:8" in line)
    assert lines[at + 1][lines[at + 2].index("^")] == "}"


def test_json_has_everything(config: Path) -> None:
    code, out, _ = explained(config, "mixed.ndjson", "--json", "--at", "2026-06-01T12:00:00Z")
    shown = json.loads(out)
    assert (code, shown["outcome"], shown["at"]) == (1, "redacted", "2026-06-01T12:00:00+00:00")
    assert [each["value"] for each in shown["subjects"]] == ["A9", "A1"]
    assert shown["effect_rule"]["file"] == "privacy/decision/decision.rego"


def test_a_type_of_its_own_is_declared_unless_another_is_given(config: Path) -> None:
    config.write_text(
        config.read_text().replace("{format: ndjson,", "{format: ndjson, media_type: a/b,")
    )
    assert explained(config, "mine.ndjson")[0] == 0
    code, out, _ = explained(config, "mine.ndjson", "--content-type", "application/x-ndjson")
    assert (code, "format_mismatch" in out) == (1, True)


@pytest.mark.parametrize("form", ["json-seq", "sse", "javascript"])
@pytest.mark.parametrize("coding", ["", "br", "deflate, zstd", "compress"])
def test_a_broken_body_of_any_format_and_coding_is_explained(
    config: Path, form: str, coding: str
) -> None:
    config.write_text(config.read_text().replace("{format: ndjson,", f"{{format: {form},"))
    code, out, err = explained(config, "broken.ndjson", "--coding", coding)
    assert (code, err, "refused with 502" in out) == (1, "", True)


def test_the_request_can_be_described(config: Path) -> None:
    code, out, _ = explained(
        config, "mine.ndjson", "--json", "--method", "POST", "--param", "request_id=42",
        "--query", "a=1", "--query", "b=2",
    )  # fmt: skip
    shown = json.loads(out)
    assert (code, shown["method"], shown["path"]) == (0, "POST", ["exports", "42", "voice"])


def test_another_bundle_can_be_asked(config: Path, folder: Path) -> None:
    code, _, err = explained(config, "mine.ndjson", "--bundle", folder / "nothing")
    assert (code, err) == (
        2,
        f"{folder / 'nothing'}: not a folder and not a .tar.gz: there is nothing\n",
    )


WRONG = {
    "no body": ([], ME, "say either --body FILE or --url URL"),
    "both": (["--body", "mine.ndjson", "--url", "http://x/"], ME, "say either"),
    "no such file": (["--body", "none.ndjson"], ME, "can't be read: No such file"),
    "claims": (["--body", "mine.ndjson"], '{"sub": "A1",}', "claims:1:14: not strict JSON"),
    "claims file": (["--body", "mine.ndjson"], "none.json", "none.json: can't be read"),
    "claims shape": (["--body", "mine.ndjson"], "list.json", "expected an object of claims"),
    "issuer": (["--body", "mine.ndjson"], '{"iss": "x"}', "not a configured issuer"),
    "endpoint": (["--body", "mine.ndjson", "-e", "voise"], ME, "did you mean `voice`?"),
    "method": (["--body", "mine.ndjson", "--method", "PUT"], ME, "voice has only GET, POST"),
    "param form": (["--body", "mine.ndjson", "--param", "x"], ME, "expected NAME=VALUE"),
    "param name": (["--body", "mine.ndjson", "--param", "x=y"], ME, "there are request_id"),
    "param twice": (
        ["--body", "mine.ndjson", "--param", "request_id=1", "--param", "request_id=2"],
        ME,
        "given twice",
    ),
    "query form": (["--body", "mine.ndjson", "--query", "=x"], ME, "expected NAME=VALUE"),
    "time": (["--body", "mine.ndjson", "--at", "noon"], ME, "expected a time with its zone"),
    "zone": (["--body", "mine.ndjson", "--at", "2026-06-01"], ME, "expected a time"),
    "type": (["--body", "mine.ndjson", "--content-type", "ä"], ME, "can't stand in the head"),
    "token": (["--body", "mine.ndjson", "--token-env", "HOME"], ME, "go with --url"),
    "url": (["--url", "mine.ndjson"], ME, "expected http:// or https://"),
    "url type": (["--url", "http://127.0.0.1:9/", "--coding", "gzip"], ME, "go with --body"),
    "token variable": (
        ["--url", "http://127.0.0.1:9/", "--token-env", "NO_SUCH_VARIABLE"],
        ME,
        "not in the environment",
    ),
    "token file": (["--url", "http://127.0.0.1:9/", "--token-file", "none"], ME, "can't be read"),
    "nobody there": (["--url", "http://127.0.0.1:9/"], ME, "no complete answer"),
    "bundle": (["--body", "mine.ndjson", "--bundle", "mine.ndjson"], ME, "mine.ndjson: not a"),
    "bundle name": (["--body", "mine.ndjson", "--bundle", "x" * 5000], ME, "name too long"),
    "two from stdin": (["--body", "-"], "-", "can't both be standard input"),
}


@pytest.mark.parametrize(("options", "claims", "words"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_one_clear_line_and_exit_code_2(
    config: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], claims: str, words: str
) -> None:
    monkeypatch.chdir(config.parent)
    Path("list.json").write_text("[]")
    endpoint = [] if "-e" in options else ["-e", "voice"]
    result = typed("explain", "-c", config, *endpoint, "--claims", claims, *options)
    assert result.exit_code == 2
    first, *excerpt = result.stderr.splitlines()
    assert words in first
    assert excerpt == [] or (len(excerpt) == 2 and excerpt[1].strip() == "^")
    assert "Traceback" not in result.output and result.stdout == ""


def test_a_faulty_configuration_is_reported_like_everywhere(config: Path) -> None:
    config.write_text(MINIMAL + "listn: x\n")
    code, _, err = explained(config, "mine.ndjson")
    assert code == 2 and "did you mean `listen`?" in err


def test_an_opa_that_is_not_there_is_one_line(config: Path) -> None:
    config.write_text(MINIMAL + ENDPOINTS + 'policy: {engine: opa, opa: "http://127.0.0.1:9"}\n')
    code, _, err = explained(config, "mine.ndjson")
    assert code == 2 and len(err.splitlines()) == 1 and "OPA can't be asked" in err


def test_nothing_is_logged_and_nothing_is_left_behind(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "left"
    left.mkdir()
    monkeypatch.setenv("TMPDIR", str(left))
    before = set(os.listdir(config.parent))
    assert explained(config, "mixed.ndjson")[0] == 1
    assert set(os.listdir(config.parent)) == before
