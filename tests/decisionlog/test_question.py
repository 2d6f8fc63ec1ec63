"""A question in the log: whole, equal where it was equal, and about nobody in particular."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.decisionlog.entry import Evidence, Renderer
from gateway.decisionlog.pseudonyms import Pseudonyms, Remembered
from gateway.decisionlog.question import MAX_LISTED, Seen, write
from gateway.model import Actor, Attribution, Caller, Group, Identifier, SubjectRef
from gateway.policy.contract import Question, encode_question
from tests.decisionlog.support import (
    A1,
    KEY,
    LABELS,
    NOON,
    OTHER_KEY,
    caller,
    group,
    inspection,
    question,
    released,
)
from tests.policy.support import POLICIES

NAMES = Pseudonyms(KEY.pseudonym)
SCHEMA = jsonschema.Draft7Validator(
    json.loads((POLICIES / "schemas" / "question.json").read_text())
)

# Canaries: longer than any word of the contract, and in no configuration.
canaries = st.text("bdfhkqvwxz", min_size=5, max_size=12)
numbers = st.integers(10**9, 2**63 - 1)
values = st.one_of(canaries, numbers)
claims = st.recursive(
    st.one_of(st.none(), st.booleans(), canaries, numbers, st.floats(1e9, 1e15)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(canaries, inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.sampled_from(["account", "email", "tier"])
owners = st.builds(SubjectRef, names, values)
attributions = st.sampled_from([each for each in Attribution if each is not Attribution.NONE])
groups = st.one_of(
    st.builds(
        Group,
        st.lists(owners, min_size=1, max_size=3, unique_by=lambda owner: owner.key).map(tuple),
        attributions,
        st.sampled_from(["", "order", "voice"]),
        st.integers(1, 9),
    ),
    st.builds(
        Group, st.just(()), st.just(Attribution.NONE), st.sampled_from(["", "x"]), st.just(2)
    ),
)
callers = st.builds(
    Caller,
    issuer=st.just("https://id.example.org"),
    id=canaries,
    identifiers=st.lists(st.builds(Identifier, names, values), max_size=3).map(tuple),
    actor=st.one_of(st.none(), st.builds(Actor, canaries, st.one_of(st.none(), canaries))),
    scopes=st.lists(canaries, max_size=3).map(tuple),
    roles=st.lists(canaries, max_size=2).map(tuple),
    claims=st.dictionaries(names, claims, max_size=2),
)


@st.composite
def asked(draw: st.DrawFn) -> Question:
    """A question of the response phase in which every value of a person is a canary."""
    request = question(
        draw(callers),
        path=tuple(draw(st.lists(canaries, max_size=4))),
        params=draw(st.dictionaries(names, canaries, max_size=2)),
        query=draw(
            st.dictionaries(canaries, st.lists(canaries, max_size=2).map(tuple), max_size=2)
        ),
    )
    seen = structs.replace(
        inspection(*draw(st.lists(groups, max_size=4))),
        fields=tuple(draw(st.lists(canaries, max_size=3, unique=True))),
    )
    return request.about(seen)


def evidence(whole: Question) -> Evidence:
    return released(question=whole, caller=whole.caller, inspection=whole.inspection, decision=None)


def rendered(whole: Question, names: Pseudonyms = NAMES) -> dict[str, Any]:
    return dict(json.loads(Renderer(names, KEY.id, LABELS).render(evidence(whole))))


def disguised(value: Any, names: Pseudonyms = NAMES) -> Any:
    """Every text and number in a JSON value as its pseudonym."""
    match value:
        case None | bool():
            return value
        case list():
            return [disguised(each, names) for each in value]
        case dict():
            return {names.value(key): disguised(each, names) for key, each in value.items()}
        case _:
            return names.value(value)


@given(asked())
def test_it_is_the_contracts_question_with_pseudonyms_in_the_places_of_values(
    whole: Question,
) -> None:
    """The oracle is the question that the policy was asked: a new member of it must appear here."""
    expected = json.loads(encode_question(whole))
    request, asking, payload = expected["request"], expected["caller"], expected["payload"]
    expected["exchange"]["received_at"] = "2026-07-01T12:00:00.123456Z"
    request["path"], request["query"] = disguised(request["path"]), disguised(request["query"])
    request["params"] = {name: disguised(text) for name, text in request["params"].items()}
    for name in ("issuer", "id", "scopes", "roles"):
        asking[name] = disguised(asking[name])
    asking["claims"] = {name: disguised(claim) for name, claim in asking["claims"].items()}
    if asking["actor"]:
        asking["actor"] = {name: disguised(text) for name, text in asking["actor"].items()}
    for each in (*asking["identifiers"], *payload["subjects"]):
        each["value"] = disguised(each["value"])
    payload["fields"] = disguised(payload["fields"])
    assert rendered(whole)["input"] == expected


@given(asked())
def test_it_still_is_a_question_of_the_schema(whole: Question) -> None:
    found = rendered(whole)
    SCHEMA.validate(found["input"])
    assert "truncated" not in found


def texts(value: Any) -> set[str]:
    """Every text and number in a JSON value, as text."""
    match value:
        case None | bool():
            return set()
        case dict():
            return set(value) | texts(list(value.values()))
        case list() | tuple():
            return set().union(*map(texts, value))
        case _:
            return {str(value)}


@given(asked())
def test_no_value_of_a_person_is_anywhere_in_the_entry(whole: Question) -> None:
    asking, seen = whole.caller, whole.inspection
    assert seen
    planted = texts(
        [
            list(whole.path), list(whole.params.values()), dict(whole.query), asking.id,
            [each.value for each in asking.identifiers], list(asking.scopes), list(asking.roles),
            list(asking.claims.values()), list(seen.fields),
            [asking.actor.id, asking.actor.issuer] if asking.actor else [],
            [owner.value for owner in whole.subjects],
        ]
    )  # fmt: skip
    written = json.dumps(rendered(whole))
    assert not [text for text in planted if text in written]


@given(asked())
def test_under_another_key_nothing_is_the_same(whole: Question) -> None:
    def pseudonyms(key: bytes) -> set[str]:
        found = texts(rendered(whole, Pseudonyms(key))["input"])
        return {text for text in found if text.startswith(("p1:", "n1:"))}

    one, other = pseudonyms(KEY.pseudonym), pseudonyms(OTHER_KEY.pseudonym)
    assert len(one) == len(other) > 0
    assert one.isdisjoint(other)


def test_what_is_equal_in_two_places_is_equal_in_the_log() -> None:
    """A policy may compare a path segment, a parameter and a claim with a subject."""
    asking = caller(claims={"account": "A1", "number": 42, "digits": "42"})
    found = rendered(question(asking).about(inspection(group(A1))))["input"]
    subject = found["payload"]["subjects"][0]["value"]
    assert found["request"]["params"]["account"] == subject == found["caller"]["claims"]["account"]
    assert subject in found["request"]["path"]
    claims = found["caller"]["claims"]
    assert claims["number"] != claims["digits"]


def test_a_name_inside_a_claim_is_hidden_and_the_name_of_a_claim_is_not() -> None:
    claim = {"owner": {"jane@example.org": True}}
    found = rendered(question(caller(claims=claim)).about(inspection()))["input"]
    assert found["caller"]["claims"] == {"owner": {NAMES.value("jane@example.org"): True}}


def test_an_actor_without_an_issuer_stays_one() -> None:
    acting = caller(actor=Actor("agent-7"))
    found = rendered(question(acting).about(inspection()))["input"]
    assert found["caller"]["actor"] == {"id": NAMES.value("agent-7"), "issuer": None}


@pytest.mark.parametrize("what", ["fields", "scopes", "path", "query", "claims"])
def test_a_question_that_is_too_long_is_cut_and_says_so(what: str) -> None:
    many = tuple(f"x{number}" for number in range(MAX_LISTED + 1))
    changes: dict[str, Any] = {}
    asking, seen = caller(), inspection(group(A1))
    match what:
        case "fields":
            seen = structs.replace(seen, fields=many)
        case "scopes":
            asking = caller(scopes=many)
        case "claims":
            asking = caller(claims={"many": list(many)})
        case "path":
            changes["path"] = many
        case "query":
            changes["query"] = dict.fromkeys(many, ("1",))
    found = rendered(question(asking, **changes).about(seen))
    assert found["truncated"] is True
    SCHEMA.validate(found["input"])


def test_a_list_of_the_greatest_length_is_whole() -> None:
    many = tuple(f"x{number}" for number in range(MAX_LISTED))
    found = rendered(question(caller(scopes=many)).about(inspection()))
    assert "truncated" not in found
    assert len(found["input"]["caller"]["scopes"]) == MAX_LISTED


def test_a_claim_that_is_nested_without_end_is_cut() -> None:
    nested: Any = "deep"
    for _ in range(40):
        nested = [nested]
    assert rendered(question(caller(claims={"tier": nested})).about(inspection()))["truncated"]


def test_a_value_is_hashed_once_in_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str | float] = []
    make = Pseudonyms.value
    monkeypatch.setattr(
        Pseudonyms, "value", lambda self, value: (made.append(value), make(self, value))[1]
    )
    seen = [Seen(A1, 1, [Attribution.DIRECT], ["order"])]
    written = write(question(caller()), inspection(group(A1)), "", seen, 1, Remembered(NAMES))
    assert len(made) == len(set(made))
    assert "A1" in made
    msgspec.json.encode(written.question)


def test_the_question_of_a_request_has_no_payload() -> None:
    written = write(question(caller()), None, str(NOON), [], 0, Remembered(NAMES))
    assert (written.question["phase"], written.truncated) == ("request", False)
    assert "payload" not in written.question
