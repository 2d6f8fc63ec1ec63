"""The child's side of the embedded engine, in this process: frames in, frames out."""

import json
import os
from typing import Any

import msgspec
import pytest

from gateway.policy import rego_worker
from gateway.policy.contract import encode_question
from gateway.policy.rego_worker import serve
from tests.policy.support import ECHO, ME, answer, question


def worker(
    rego: str | dict[str, str], data: Any = None, schema: Any = None, engine: str = "embedded"
) -> Any:
    setup = {
        "modules": {"privacy/p.rego": rego} if isinstance(rego, str) else rego,
        "engine": engine,
        "data": json.dumps(data or {}).encode(),
        "schema": None if schema is None else json.dumps(schema).encode(),
    }
    return serve(msgspec.msgpack.encode(setup))


def faults(*setup: Any) -> Any:
    report = worker(*setup)(b"", [])
    assert report[:1] == b"R"
    return json.loads(report[1:])


def fault(*setup: Any) -> Any:
    (one,) = faults(*setup)
    return one


def asked(text: str) -> bytes:
    return encode_question(question(ME, claims={"answer": text}))


def test_an_empty_job_reports_on_the_bundle() -> None:
    assert faults(ECHO) == []
    assert fault("package") == {
        "path": "privacy/p.rego",
        "message": "expecting identifier",
        "line": 1,
        "column": 8,
    }


def test_every_module_that_cannot_be_read_is_reported_at_once() -> None:
    found = faults({"privacy/a.rego": "package", "privacy/b.rego": ECHO, "privacy/c.rego": "x"})
    assert [each["path"] for each in found] == ["privacy/a.rego", "privacy/c.rego"]


def test_a_rule_that_no_decision_asks_for_is_held_to_the_grammar_and_not_to_the_probe() -> None:
    assert fault("package privacy\n\ndecision := 1\n\nx := y\n")["message"] == "var y is unsafe"
    assert faults("package privacy\n\ndecision := 1\n\nx := to_number(input.phase)\n") == []


def test_every_call_that_leads_nowhere_is_reported_at_once() -> None:
    rego = "package privacy\n\nx := io.jwt.decode(input.t)\n\ny := lenght(input)\n\n"
    rego += "z := opa.runtime()\n"
    assert [(each["line"], each["column"], each["message"]) for each in faults(rego)] == [
        (3, 6, "io.jwt.decode is not known to the embedded engine"),
        (5, 6, "no function is called lenght"),
        (7, 6, "opa.runtime is not allowed: a policy must not reach outside"),
    ]


def test_for_opa_a_bundle_is_held_against_what_opa_knows_and_is_not_evaluated() -> None:
    assert fault(
        "package privacy\n\nx := io.jwt.decode(input.t)\n\ny := y\n", None, None, "embedded"
    )
    assert (
        faults("package privacy\n\nx := io.jwt.decode(input.t)\n\ny := y\n", None, None, "opa")
        == []
    )
    schema = {"type": "object", "required": ["grounds"]}
    data = {"privacy": {"deployment": {}}}
    assert "does not match" in fault(ECHO, data, schema, "opa")["message"]
    assert faults(ECHO, {"privacy": {"deployment": {"grounds": 1}}}, schema, "opa") == []


def test_an_answer_is_the_json_of_the_decision() -> None:
    frame = worker(ECHO)(asked(answer().decode()), [])
    assert frame[:1] == b"A"
    assert json.loads(frame[1:]) == json.loads(answer())


@pytest.mark.parametrize("text", ["null", "false", '""', "[]", "{}", '"<undefined>"'])
def test_a_value_that_means_little_is_still_a_value(text: str) -> None:
    frame = worker(ECHO)(asked(text), [])
    assert (frame[:1], json.loads(frame[1:])) == (b"A", json.loads(text))


def test_an_undefined_decision_is_no_value() -> None:
    assert worker(ECHO)(encode_question(question(ME)), []) == b"U"
    assert worker("package privacy.other\n\nx := 1\n")(asked("1"), []) == b"U"


def test_an_error_names_the_place_and_leaves_nothing_behind() -> None:
    answers = worker(ECHO)
    for _ in range(3):
        assert answers(asked("secret{"), []) == b"Eprivacy/p.rego:4:27"
        assert answers(asked("1"), []) == b"A1"


@pytest.mark.parametrize("job", [b"{", b"[]", b'{"caller":1e999}', b"null"])
def test_a_question_that_is_none_never_gets_the_answer_of_the_one_before(job: bytes) -> None:
    answers = worker(ECHO)
    assert answers(asked("1"), []) == b"A1"
    assert answers(job, []) in (b"E", b"U")
    assert answers(asked("2"), []) == b"A2"


def test_a_broken_bundle_answers_no_question() -> None:
    assert worker("package")(asked("1"), []) == b"E"


def test_integers_stay_exact() -> None:
    rego = """package privacy

decision := [input.a == input.b, input.a, input.b, count({input.a, input.b})]
"""
    answers = worker(rego)
    for a in (2**53, -(2**63), 2**63 - 2):
        frame = answers(json.dumps({"a": a, "b": a + 1}).encode(), [])
        assert json.loads(frame[1:]) == [False, a, a + 1, 2]


def test_data_is_held_against_the_deployments_schema() -> None:
    schema = {"type": "object", "required": ["grounds"]}
    assert faults(ECHO, {"privacy": {"deployment": {"grounds": {}}}}, schema) == []
    assert faults(ECHO, {}, schema) == []
    assert fault(ECHO, {"privacy": {"deployment": {"ground": {}}}}, schema) == {
        "path": "",
        "message": "data.privacy.deployment does not match schemas/deployment.json",
        "line": 0,
        "column": 0,
    }
    assert fault(ECHO, {"privacy": {"deployment": {}}}, {"type": "nonsense"}) == {
        "path": "schemas/deployment.json",
        "message": "not a JSON Schema that can be used",
        "line": 0,
        "column": 0,
    }


@pytest.mark.parametrize(
    ("rego", "data"),
    [
        ("package privacy\n\ndecision := 1\n", {"privacy": {"decision": 2}}),
        ("package privacy.decision\n\neffect := 1\n", {"privacy": {"decision": {"effect": 2}}}),
        (
            "package privacy.decision\n\ndefault effect := 1\n",
            {"privacy": {"decision": {"effect": 2}}},
        ),
        ("package privacy.decision\n\nmask contains 1\n", {"privacy": {"decision": {"mask": []}}}),
        ("package privacy.decision\n\nf(_) := 1\n", {"privacy": {"decision": {"f": 2}}}),
        ('package privacy\n\ndecision["effect"] := 1\n', {"privacy": {"decision": {}}}),
        ("package privacy.decision.more\n\neffect := 1\n", {"privacy": {"decision": 1}}),
        ("package privacy.decision\n\neffect := 1\n", {"privacy": {"decision": 1}}),
    ],
)
def test_data_in_the_place_of_a_rule_is_refused(rego: str, data: Any) -> None:
    assert "data stands in the place of" in fault(rego, data)["message"]


def test_data_beside_a_rule_is_fine() -> None:
    rego = "package privacy\n\ndecision := data.privacy.deployment.x\n"
    answers = worker(rego, {"privacy": {"deployment": {"x": 7}}})
    assert answers(b"", []) == b"R[]"
    assert answers(asked("1"), []) == b"A7"


@pytest.mark.parametrize("code", [0, 1])
def test_a_bundle_whose_look_through_comes_to_no_end_is_not_taken_for_one_without_faults(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """It is looked through in a process of its own, which may die of it."""
    before = len(os.listdir("/proc/self/fd"))
    assert faults(ECHO) == []
    monkeypatch.setattr(rego_worker, "call_faults", lambda *_: os._exit(code))
    with pytest.raises(EOFError):
        worker(ECHO)

    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(rego_worker, "call_faults", fails)
    with pytest.raises(EOFError):
        worker(ECHO)
    assert len(os.listdir("/proc/self/fd")) == before
