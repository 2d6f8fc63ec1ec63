"""Files of cases: what may stand there, and where each fault is."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from gateway.config import ConfigFaults
from gateway.errors import Code
from gateway.model import Effect, SubjectRef
from gateway.workbench.cases import CaseFile, Cases, json_schema, load
from tests.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "docs" / "examples" / "cases"
GOOD = """\
endpoint: orders
caller: {sub: A1}
cases:
  - name: one
    body: orders.json
    expect: {effect: allow, kept: 2}
"""


def loaded(tmp_path: Path, text: str) -> Cases:
    file = tmp_path / "cases.yaml"
    file.write_text(text)
    return load(file, ["orders", "voice"])


def content(tmp_path: Path, expect: str) -> CaseFile:
    return loaded(tmp_path, GOOD.replace("{effect: allow, kept: 2}", expect)).content


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        loaded(tmp_path, text)
    return [str(fault).removeprefix(f"{tmp_path}/") for fault in caught.value.faults]


def test_a_case_is_a_caller_a_body_and_what_must_become_of_them(tmp_path: Path) -> None:
    cases = loaded(tmp_path, GOOD)
    (case,) = cases.content.cases
    assert (case.name, case.body, cases.content.endpoint) == ("one", Path("orders.json"), "orders")
    assert (case.expect.effect, case.expect.kept) == (Effect.ALLOW, 2)
    assert cases.place(0).line == 4


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0", 0),
        ("[]", ()),
        ("[0, 2]", (0, 2)),
        ("[account:A1]", (SubjectRef("account", "A1"),)),
        ("['fhir:Patient/1:2']", (SubjectRef("fhir", "Patient/1:2"),)),
        (
            "[{account: 42}, {account: '42'}]",
            (SubjectRef("account", 42), SubjectRef("account", "42")),
        ),
    ],
)
def test_records_are_said_by_number_by_owner_or_by_place(
    tmp_path: Path, written: str, read: Any
) -> None:
    for key in ("kept", "dropped"):
        case = content(tmp_path, f"{{{key}: {written}}}").cases[0]
        found = getattr(case.expect, key)
        assert found == read
        assert [type(each) for each in found] == [type(each) for each in read] if read else True


def test_everything_that_a_case_may_say(tmp_path: Path) -> None:
    text = """\
cases:
  - name: all of it
    endpoint: voice
    caller: {sub: A1, roles: [dpo]}
    json: {a: [1, null]}
    content_type: application/json
    coding: gzip
    method: POST
    params: {request_id: "1"}
    query: {q: x, r: [y, z]}
    at: 2026-06-01T12:00:00Z
    expect:
      refused: blocked_by_policy
      members: []
      masked: $.a
      reasons: [self_access, other]
"""
    (case,) = loaded(tmp_path, text).content.cases
    assert case.at == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert case.query == {"q": ("x",), "r": ("y", "z")}
    assert case.expect.refused is Code.BLOCKED_BY_POLICY
    assert (case.expect.members, case.expect.masked) == ((), ("$.a",))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "cases.yaml: cases: required, but missing"),
        ("[]", "expected a mapping with the key cases, found a list"),
        ("cases: []", "cases.yaml:1:8: cases: at least one case is needed"),
        ("a: [", "cases.yaml:1:"),
        (GOOD.replace("caller:", "caler:"), "yaml:2:1: caler: unknown key; did you mean `caller`?"),
        (GOOD.replace("kept", "keept"), "expect.keept: unknown key; did you mean `kept`?"),
        (GOOD.replace("allow", "alow"), "did you mean `allow`?"),
        (GOOD.replace("effect: allow", "refused: blocked_by_polcy"), "mean `blocked_by_policy`?"),
        (GOOD.replace("kept: 2", "kept: -1"), "expected a number of records, a list of subjects"),
        (GOOD.replace("kept: 2", "kept: true"), "expected a number of records"),
        (GOOD.replace("kept: 2", "kept: [account]"), "such as account:A1"),
        (GOOD.replace("kept: 2", "kept: [1, account:A1]"), "such as account:A1"),
        (GOOD.replace("kept: 2", "kept: [{account: 1.5}]"), "such as account:A1"),
        (GOOD.replace("{effect: allow, kept: 2}", "{}"), "expects nothing"),
        (GOOD.replace("orders\n", "ordres\n"), ":1:11: endpoint: the configuration has no such"),
        (GOOD.replace("endpoint: orders\n", ""), "cases[0]: no endpoint: say it here"),
        (GOOD.replace("caller: {sub: A1}\n", ""), "cases[0]: no caller: say it here"),
        (GOOD.replace("    body: orders.json\n", ""), "needs one of body (a file), json and text"),
        (GOOD.replace("body: orders.json", "body: a\n    text: b"), "needs one of body"),
        (GOOD + "at: tomorrow\n", "at: expected a time with its zone"),
        (GOOD + "at: 2026-06-01T12:00:00\n", "at: expected a time with its zone"),
        (GOOD.replace("one\n", "one\n    name: two\n"), "this key is already in line 4"),
        (GOOD.replace("caller: {sub: A1}", "caller: A1"), "caller: expected a mapping, found text"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_in_plain_words(
    tmp_path: Path, text: str, fault: str
) -> None:
    found = faults(tmp_path, text)
    assert any(fault in each for each in found), found
    assert all("\n" not in each and "pydantic" not in each for each in found)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("effect: allow, kept: 2", "efect: allow, kept: x") + "endpoit: x\n"
    assert len(faults(tmp_path, text)) == 3


@pytest.mark.parametrize("name", ["orders.yaml", "messages.yaml"])
def test_the_examples_match_the_published_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    document = YAML(typ="safe").load((EXAMPLES / name).read_text())
    plain = json.loads(json.dumps(document, default=lambda moment: moment.isoformat() + "Z"))
    jsonschema.Draft202012Validator(json_schema()).validate(plain)


def test_the_schema_is_closed_and_knows_the_forms_of_records() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    case: dict[str, Any] = {"name": "x", "text": "", "expect": {"kept": ["account:A1"]}}
    assert validator.is_valid({"cases": [case]})
    for wrong in ({"kept": [True]}, {"kept": "x"}, {"keptt": 1}):
        assert not validator.is_valid({"cases": [{**case, "expect": wrong}]})
    assert not validator.is_valid({"cases": []})
