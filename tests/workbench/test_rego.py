"""Accounts and tests, as the child gives them."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from gateway.policy import bundle
from gateway.policy.contract import encode_question
from gateway.workbench.account import (
    Account,
    Answer,
    Ask,
    Broken,
    Find,
    Found,
    Job,
    Part,
    Setup,
    Tried,
    Try,
    decode_answer,
    encode_job,
)
from gateway.workbench.rego import serve
from tests.policy.support import FOREIGN, ME, question


def linked(subject: str, expires_at: str | None = None) -> dict[str, Any]:
    link = {"kind": "account", "value": subject, "expires_at": expires_at}
    return {"links": {"account": {"string": {"A1": [link]}}}}


def answered(modules: Mapping[str, str], data: Any, job: Job) -> Answer:
    setup = msgspec.msgpack.encode(Setup(dict(modules), json.dumps(data).encode()))
    answer: Answer = decode_answer(serve(setup)(encode_job(job), []))
    return answer


def accounted(deployment: Any, *subjects: Any, stops: list[int]) -> Account:
    modules = bundle.load(bundle.shipped()).modules
    ask = Ask(encode_question(question(*subjects)), stops)
    answer = answered(modules, {"privacy": {"deployment": deployment}}, ask)
    assert isinstance(answer, Account)
    return answer


def part(account: Account, name: str) -> Part:
    (found,) = [each for each in account.grounds if each.name == name]
    return found


def text_at(file: str, line: int) -> str:
    return (bundle.shipped() / file).read_text().split("\n")[line - 1]


def test_a_ground_that_permits_is_named_with_its_rule_and_its_legal_basis() -> None:
    account = accounted({"grounds": {"self_access": True}}, ME, stops=[])
    ground = part(account, "self_access")
    assert ground.ran and "GDPR Art. 15" in ground.legal_basis
    assert json.loads(ground.values["permits"]) == [{"kind": "account", "value": "A1"}]
    spot = ground.spots["permits"]
    assert text_at(spot.file, spot.line).startswith("permits contains")


def test_a_ground_that_is_not_enabled_did_not_run() -> None:
    account = accounted({"grounds": {"self_access": True}}, ME, stops=[])
    assert not part(account, "linked_account").ran
    assert part(account, "linked_account").values == {}


def test_the_statement_that_a_ground_stopped_at_is_the_one_that_did_not_hold() -> None:
    expired = linked("A9", "2020-01-01T00:00:00Z")
    deployment = {"grounds": {"self_access": True, "linked_account": expired}}
    stops = {each.ground: each.spot for each in accounted(deployment, FOREIGN, stops=[0]).stops}
    link, own = stops["linked_account"], stops["self_access"]
    assert link is not None and link.text == "data.privacy.lib.moments.open(link.expires_at)"
    assert own is not None and own.text.startswith("some subject in")
    no_link = {"grounds": {"linked_account": linked("A1")}}
    (stop,) = accounted(no_link, FOREIGN, stops=[0]).stops
    assert stop.spot is not None and stop.spot.text.startswith("subject in")


def test_only_the_subjects_that_were_asked_for_are_accounted_for_one_by_one() -> None:
    account = accounted({"grounds": {"self_access": True}}, ME, FOREIGN, stops=[1])
    assert [each.subject for each in account.stops] == [1]


@pytest.mark.parametrize(
    ("subjects", "partial", "effect"),
    [
        ((ME,), "block", "allow"),
        ((FOREIGN,), "block", "block"),
        ((ME, FOREIGN), "redact", "redact"),
    ],
)
def test_the_rule_of_the_effect_is_the_one_that_held(
    subjects: tuple[Any, ...], partial: str, effect: str
) -> None:
    deployment = {"grounds": {"self_access": True}, "partial": {"orders": partial}}
    account = accounted(deployment, *subjects, stops=[])
    assert account.effect is not None and f'"{effect}"' in account.effect.text


def test_reasons_that_a_rule_names_have_a_place() -> None:
    account = accounted({"grounds": {"self_access": True}}, FOREIGN, stops=[])
    assert 'contains "subject_not_permitted"' in account.names["subject_not_permitted"].text


def test_a_rule_that_fails_is_told_with_its_line() -> None:
    modules = {"privacy/decision.rego": "package privacy.decision\n\neffect := 1 / 0\n"}
    answer = answered(modules, {}, Ask(b"{}", []))
    assert isinstance(answer, Broken) and answer.spot is not None
    assert (answer.message, answer.spot.line) == ("divide by zero", 3)


TESTS = {
    "privacy/x_test.rego": """package privacy.x_test

test_holds if true

test_fails if 1 == 2

test_prints if {
	print("seen", 1)
	true
}

test_is_a_function(x) := x

todo_test_later if true

other if true
"""
}


def test_tests_are_found_by_their_names() -> None:
    found = answered(TESTS, {}, Find())
    assert isinstance(found, Found)
    names = [each.rpartition(".")[2] for each in found.tests]
    assert names == ["test_holds", "test_fails", "test_prints", "todo_test_later"]


@pytest.mark.parametrize(("name", "value"), [("holds", "true"), ("fails", None)])
def test_a_test_ends_with_its_value(name: str, value: str | None) -> None:
    answer = answered(TESTS, {}, Try(f"data.privacy.x_test.test_{name}"))
    assert answer == Tried(value, [])


def test_what_a_test_prints_comes_along() -> None:
    answer = answered(TESTS, {}, Try("data.privacy.x_test.test_prints"))
    assert isinstance(answer, Tried) and "seen 1" in answer.printed[0]
