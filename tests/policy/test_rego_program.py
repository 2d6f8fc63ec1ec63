"""The compiled library means what the interpreter, and so OPA, takes it to mean.

`test_differential` holds the interpreter of other deployments, and the machine of sound ones,
against a real OPA. Here it is machine against interpreter, in this process and so many times more:
every document is made of the full one by changes that its schema lets through.
"""

import copy
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import msgspec
import pytest
import regorus
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.model import Effect
from gateway.policy import rego_program
from gateway.policy.bundle import load, shipped
from gateway.policy.contract import encode_question
from gateway.policy.rego_program import LIBRARY, MOST_DATA, Program, digest
from gateway.policy.rego_worker import serve
from tests.policy.deployments import FULL, HOSTILE
from tests.policy.support import ME, question
from tests.policy.test_differential import ENDPOINTS, GRID, SOUND, questions

BUNDLE = load(shipped())
SCHEMA = json.loads(BUNDLE.deployment_schema or b"")
RULE = "data.asked.answer"
MODULES = {
    **BUNDLE.modules,
    "asked.rego": "package asked\n\nanswer := [data.privacy.decision]\n",
}
Ask = Callable[[str], Any]

DOCUMENTS = 400
ASKED = 40
"""Questions for each document."""

VALID = jsonschema.validators.validator_for(SCHEMA)(SCHEMA).is_valid


def data(deployment: Any) -> str:
    return json.dumps({"privacy": {"deployment": deployment}})


def interpreter(deployment: Any) -> Ask:
    engine = regorus.Engine()
    for name, text in MODULES.items():
        engine.add_policy(name, text)
    engine.add_data_json(data(deployment))

    def ask(text: str) -> Any:
        engine.set_input_json(text)
        try:
            return json.loads(engine.eval_rule_as_json(RULE))
        except RuntimeError:
            return "refused"

    return ask


def machine(deployment: Any) -> Ask:
    program = Program(MODULES, RULE, data(deployment))

    def ask(text: str) -> Any:
        answer = program.evaluate(text)
        return None if answer is None else json.loads(answer)

    return ask


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document."""
    members = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in members:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def values(node: Any) -> Iterator[Any]:
    for path in places(node):
        value = node
        for key in path:
            value = value[key]
        yield value


def key_of(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


POOL = [
    *{key_of(each): each for document in (*SOUND, *HOSTILE) for each in values(document)}.values(),
    *([], {}, "", "\0", "é", 2**53 + 1, -1, 0, 1, 21),
]
"""Everything that stands anywhere in the documents of the tests, hostile ones included."""
KEYS = sorted({key for document in (*SOUND, *HOSTILE) for path in places(document) for key in path
               if isinstance(key, str)})  # fmt: skip


@st.composite
def deployments(draw: st.DrawFn) -> Any:
    """A document that the schema lets through: some of FULL, and changes at a few places."""
    document = copy.deepcopy(FULL)
    for section in ("grounds", "restrictions"):
        for name in sorted(draw(st.sets(st.sampled_from(sorted(FULL[section]))))):
            del document[section][name]
    for section in sorted(draw(st.sets(st.sampled_from(["restrictions", "partial", "scopes"])))):
        if draw(st.booleans()):
            del document[section]
    for _ in range(draw(st.integers(0, 8))):
        changed = copy.deepcopy(document)
        *way, last = draw(st.sampled_from(list(places(changed))))
        node = changed
        for key in way:
            node = node[key]
        match draw(st.integers(0, 3)), node:
            case 0, _:
                del node[last]
            case 1, dict():
                node[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(POOL)))
            case 1, list():
                node.append(copy.deepcopy(draw(st.sampled_from(POOL))))
            case _:
                node[last] = copy.deepcopy(draw(st.sampled_from(POOL)))
        if VALID(changed):
            document = changed
    return document


def telling() -> list[str]:
    """For each ground and restriction a question that the full document answers by it."""
    ask = interpreter(FULL)
    found: dict[str, str] = {}
    for each in GRID:
        text = encode_question(each).decode()
        for name in ask(text)[0]["reasons"]:
            found.setdefault(name, text)
    return sorted({found[name] for name in (*FULL["grounds"], *FULL["restrictions"])})


TELLING = telling()
"""Asked of every document: some grounds are rare, and what nobody asks for proves nothing."""
seen: Counter[str] = Counter()


@settings(
    deadline=None,
    max_examples=DOCUMENTS,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(deployment=deployments(), asked=questions(), at=st.integers(0, len(GRID) - 1))
def check_documents(deployment: Any, asked: list[Any], at: int) -> None:
    one, other = interpreter(deployment), machine(deployment)
    step = len(asked) // ASKED + 1
    told = (GRID[at:] + GRID[:at])[: ASKED - len(asked[::step]) - len(ENDPOINTS)]
    rest = (*asked[::step], *told, *GRID[-len(ENDPOINTS) :])
    for text in (*TELLING, *(encode_question(each).decode() for each in rest)):
        answer = other(text)
        if answer is None:
            seen["left to the interpreter"] += 1
            continue
        assert answer == one(text), (deployment, text)
        seen[answer[0]["effect"]] += 1
        seen.update(answer[0]["reasons"])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_machine_means_what_the_interpreter_means_or_leaves_the_answer_to_it() -> None:
    seen.clear()
    check_documents()
    effects = {each.value: seen[each.value] for each in Effect}
    assert sum(effects.values()) >= DOCUMENTS * ASKED * 0.9
    assert min(effects.values()) >= 50, effects  # or it would prove little
    rarest = {name: seen[name] for name in (*FULL["grounds"], *FULL["restrictions"])}
    assert min(rarest.values()) >= 10, rarest


@pytest.mark.parametrize("deployment", [each for each in (*SOUND, {"grounds": {}}) if VALID(each)])
def test_every_story_with_every_subject_is_answered_alike(deployment: Any) -> None:
    one, other = interpreter(deployment), machine(deployment)
    for each in GRID:
        text = encode_question(each).decode()
        assert other(text) == one(text), text


def test_the_digest_is_of_the_library_that_these_tests_compare() -> None:
    found = digest(BUNDLE.modules, BUNDLE.deployment_schema)
    assert found == LIBRARY, (
        "the library has changed: once all other tests here and in test_differential pass, "
        f"LIBRARY in gateway/policy/rego_program.py becomes {found}"
    )


def test_what_moves_from_one_module_to_another_changes_the_digest() -> None:
    assert digest({"a": "bc", "b": ""}, b"") != digest({"a": "b", "b": "c"}, b"")
    assert digest({"a": "b"}, b"c") != digest({"a": "b"}, None)


def worker(
    modules: dict[str, str], schema: bytes | None, deployment: Any, **more: Any
) -> Callable[[bytes, list[int]], bytes]:
    setup = {"modules": modules, "schema": schema, "data": data(deployment).encode(), **more}
    answer: Callable[[bytes, list[int]], bytes] = serve(msgspec.msgpack.encode(setup))
    return answer


def never() -> int:
    raise AssertionError


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Program]:
    """The programs that workers made."""
    made: list[Program] = []
    real = Program.__init__

    def noted(self: Program, *arguments: Any) -> None:
        real(self, *arguments)
        made.append(self)

    monkeypatch.setattr(rego_program.Program, "__init__", noted)
    return made


def test_a_worker_compiles_the_library_with_any_deployment(compiled: list[Program]) -> None:
    frame = worker(BUNDLE.modules, BUNDLE.deployment_schema, FULL)(
        encode_question(question(ME)), []
    )
    assert len(compiled) == 1
    assert json.loads(frame[1:])["effect"] == "allow"


def test_a_worker_compiles_no_other_text_and_no_data_that_is_unchecked_or_large(
    compiled: list[Program],
) -> None:
    name = "privacy/decision/decision.rego"
    changed = {**BUNDLE.modules, name: BUNDLE.modules[name] + "\n"}
    more = {**BUNDLE.modules, "privacy/own/own.rego": "package privacy.own\n\nx := 1\n"}
    schema = BUNDLE.deployment_schema
    large = copy.deepcopy(FULL)
    large["scopes"] = {"x": ["y" * MOST_DATA]}
    for modules, checked, deployment in (
        (changed, schema, FULL),
        (more, schema, FULL),
        (BUNDLE.modules, None, FULL),
        (BUNDLE.modules, b'{"type": "object"}', FULL),
        (BUNDLE.modules, schema, large),
    ):
        frame = worker(modules, checked, deployment)(encode_question(question(ME)), [])
        assert json.loads(frame[1:])["effect"] == "allow"
    assert compiled == []


def test_what_takes_the_machine_too_many_steps_is_answered_by_the_interpreter(
    compiled: list[Program],
) -> None:
    linked = [{"kind": "account", "value": f"L{n}", "expires_at": None} for n in range(3_000)]
    links = {"account": {"string": {"A1": linked}}}
    deployment = {"grounds": {"self_access": True, "linked_account": {"links": links}}}
    answers = worker(BUNDLE.modules, BUNDLE.deployment_schema, deployment)
    asked = encode_question(question(ME))
    assert compiled[0].evaluate(asked.decode()) is None
    assert json.loads(answers(asked, [])[1:])["permitted"] == [{"kind": "account", "value": "A1"}]


def test_a_long_question_is_left_to_the_interpreter_at_once(
    compiled: list[Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = worker(BUNDLE.modules, BUNDLE.deployment_schema, {"grounds": {"self_access": True}})
    # Within the question's deadline the bundle isn't looked through again, which takes processes.
    monkeypatch.setattr(os, "fork", never)
    asked = encode_question(question(ME, fields=tuple(f"field-{n}" for n in range(4_000))))
    assert compiled[0].evaluate(asked.decode()) is None
    assert json.loads(answers(asked, [])[1:])["effect"] == "allow"


def test_after_a_failure_the_machine_answers_as_before() -> None:
    program = Program(MODULES, RULE, data(FULL))
    asked = encode_question(question(ME)).decode()
    before = program.evaluate(asked)
    assert before is not None
    for hostile in ("{", "[]", "null", '{"payload": {"subjects": 1}}'):
        program.evaluate(hostile)
        assert program.evaluate(asked) == before
