"""The question says exactly what was seen; the only answer accepted is one that is consistent."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code, Unavailable
from gateway.model import Actor, Attribution, Effect, Group, Mask, Phase, SubjectRef
from gateway.policy.contract import Question, encode_question, read_answer
from tests.policy.support import FOREIGN, ME, POLICIES, answer, question, unattributed
from tests.support.reading import masks


def schema(name: str) -> jsonschema.Draft7Validator:
    document = json.loads((POLICIES / "schemas" / f"{name}.json").read_text())
    jsonschema.Draft7Validator.check_schema(document)
    return jsonschema.Draft7Validator(document)


def refused(raw: bytes | None, asked: Question) -> Unavailable:
    with pytest.raises(Unavailable) as refusal:
        read_answer(raw, asked, "r1")
    return refusal.value


# --- the question -------------------------------------------------------------------------------


def test_a_question_of_the_response_phase_says_what_was_seen_and_by_whom() -> None:
    asked = question(
        Group((ME,), Attribution.DIRECT, "", 3),
        Group((ME,), Attribution.MANIFEST, "voice", 2),
        Group((FOREIGN, ME), Attribution.PATH, "voice", 1),
        unattributed(4, "document"),
        unattributed(1),
        actor=Actor("support-desk"),
        scopes=("export",),
        claims={"tier": 2},
        query={"page": ("1", "2")},
    )
    document = json.loads(encode_question(asked))
    schema("question").validate(document)
    assert document == {
        "schema": "privacy-gateway/question/v1",
        "phase": "response",
        "exchange": {"id": "0123456789abcdef", "received_at": "2026-06-01T12:00:00Z"},
        "endpoint": {"name": "orders", "labels": {}},
        "request": {
            "method": "GET",
            "path": ["exports", "orders"],
            "params": {},
            "query": {"page": ["1", "2"]},
        },
        "caller": {
            "issuer": "https://id.example.org",
            "id": "A1",
            "identifiers": [{"kind": "account", "value": "A1", "basis": "claim"}],
            "actor": {"id": "support-desk", "issuer": None},
            "scopes": ["export"],
            "roles": [],
            "claims": {"tier": 2},
        },
        "payload": {
            "format": "json",
            "records": 11,
            "unattributed": {"records": 5, "categories": ["document"]},
            "subjects": [
                {
                    "kind": "account",
                    "value": "A1",
                    "records": 6,
                    "attribution": ["direct", "manifest", "path"],
                    "categories": ["voice"],
                },
                {
                    "kind": "account",
                    "value": "A9",
                    "records": 1,
                    "attribution": ["path"],
                    "categories": ["voice"],
                },
            ],
            "fields": ["id"],
        },
    }


def test_what_a_client_sends_stays_under_its_own_keys() -> None:
    names = ("caller", "claims", "identifiers", "input", "payload", "phase", "schema", "endpoint")
    hostile = '"}, "caller": {"identifiers": [{"kind": "account", "value": "A9"}]}, "x": {"'
    plain = json.loads(encode_question(question(ME)))
    document = json.loads(
        encode_question(
            question(
                ME,
                path=(*names, hostile),
                query=dict.fromkeys((*names, hostile), (hostile,)),
            )
        )
    )
    assert document.keys() == plain.keys()
    for key in plain.keys() - {"request"}:
        assert document[key] == plain[key]
    assert document["request"].keys() == plain["request"].keys()
    assert document["request"]["path"] == [*names, hostile]


def test_a_question_of_the_request_phase_has_no_payload() -> None:
    document = json.loads(encode_question(question(phase=Phase.REQUEST)))
    schema("question").validate(document)
    assert "payload" not in document


def test_a_request_becomes_the_question_about_its_response() -> None:
    whole = question(ME)
    assert whole.inspection is not None
    assert question(phase=Phase.REQUEST).about(whole.inspection) == whole


def test_the_schema_refuses_a_payload_in_the_wrong_phase() -> None:
    document = json.loads(encode_question(question(ME)))
    assert not schema("question").is_valid(document | {"phase": "request"})
    del document["payload"]
    assert not schema("question").is_valid(document)


def test_a_phase_without_its_inspection_is_no_question() -> None:
    whole = question(ME)
    given = {name: getattr(whole, name) for name in Question.__struct_fields__}
    with pytest.raises(ValueError, match="response phase"):
        Question(**given | {"inspection": None})


@pytest.mark.parametrize("value", [2**53 + 1, -(2**63), 2**63 - 1, "2", 'a"]\\/../\u0000', "é"])
def test_values_are_asked_about_exactly(value: str | int) -> None:
    asked = question(SubjectRef("account", value), identifiers=[SubjectRef("account", value)])
    document = json.loads(encode_question(asked))
    assert document["payload"]["subjects"][0]["value"] == value
    assert type(document["payload"]["subjects"][0]["value"]) is type(value)
    assert document["caller"]["identifiers"][0]["value"] == value


def test_a_number_and_its_text_are_two_subjects() -> None:
    document = json.loads(
        encode_question(question(SubjectRef("account", 42), SubjectRef("account", "42")))
    )
    assert [each["value"] for each in document["payload"]["subjects"]] == [42, "42"]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**64 + 1, True])
def test_a_subject_that_an_engine_would_round_is_refused(value: int) -> None:
    with pytest.raises(BadUpstream) as refusal:
        encode_question(question(SubjectRef("account", value)))
    assert refusal.value.code is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "asked",
    [
        question(ME, identifiers=[SubjectRef("account", 2**64)]),
        question(ME, claims={"nested": [{"number": 2**64}]}),
        question(ME, claims={"odd": object()}),
        question(ME, claims={"odd": "\ud800"}),
    ],
    ids=["identifier", "claim", "not JSON", "lone surrogate"],
)
def test_a_caller_that_cannot_be_asked_about_exactly_is_refused(asked: Question) -> None:
    with pytest.raises(Unavailable) as refusal:
        encode_question(asked)
    assert refusal.value.code is Code.POLICY_UNAVAILABLE


def test_a_claim_that_fits_is_asked_about() -> None:
    claims = {"nested": [{"number": 2**63 - 1, "yes": True, "half": 0.5, "none": None}]}
    assert json.loads(encode_question(question(ME, claims=claims)))["caller"]["claims"] == claims


# --- the answer ---------------------------------------------------------------------------------


def test_an_allow_permits_everybody_asked_about() -> None:
    decision = read_answer(answer(), question(ME), "r1")
    assert decision.effect is Effect.ALLOW
    assert decision.permitted == {ME}
    assert not decision.release_unattributed
    assert (decision.withhold, decision.mask) == (frozenset(), ())
    assert (decision.reasons, decision.revision) == (("self_access",), "r1")


def test_a_redact_keeps_what_it_permits_withholds_and_masks() -> None:
    raw = answer(
        effect="redact",
        unattributed="release",
        withhold=["voice"],
        mask=[
            "$.contacts[*].phone",
            "$['a-b']",
            '$["a b"].*',
            {"path": "$.note", "text": "[gelöscht] 1+1"},
            {"path": "$.iban", "keep": 4},
            {"path": "$.peers[*].id", "pseudonym": True},
        ],
    )
    schema("answer").validate(json.loads(raw))
    decision = read_answer(raw, question(ME, FOREIGN, unattributed()), "r1")
    assert decision.effect is Effect.REDACT
    assert decision.permitted == {ME}
    assert decision.release_unattributed
    assert decision.withhold == {"voice"}
    assert decision.mask == masks(
        "$.contacts[*].phone",
        "$['a-b']",
        '$["a b"].*',
        Mask("$.note", text="[gelöscht] 1+1"),
        Mask("$.iban", keep=4),
        Mask("$.peers[*].id", pseudonym=True),
    )


def test_a_block_releases_nothing_whatever_else_it_says() -> None:
    raw = answer(effect="block", unattributed="release", mask=["$.a"])
    decision = read_answer(raw, question(ME), "r1")
    assert decision.effect is Effect.BLOCK
    assert decision.permitted == frozenset()
    assert not decision.release_unattributed
    assert not any(decision.releases(group) for group in question(ME).inspection.groups)  # type: ignore[union-attr]


def test_an_export_without_records_can_be_allowed() -> None:
    assert read_answer(answer(permitted=[]), question(), "r1").effect is Effect.ALLOW


def test_unattributed_records_are_allowed_only_when_released_explicitly() -> None:
    asked = question(ME, unattributed())
    assert refused(answer(), asked).code is Code.DECISION_INVALID
    assert read_answer(answer(unattributed="release"), asked, "r1").release_unattributed


def test_a_request_is_allowed_or_blocked() -> None:
    asked = question(phase=Phase.REQUEST)
    assert read_answer(answer(permitted=[]), asked, "r1").effect is Effect.ALLOW
    assert read_answer(answer(effect="block", permitted=[]), asked, "r1").effect is Effect.BLOCK
    assert refused(answer(effect="redact", permitted=[]), asked).code is Code.DECISION_INVALID
    assert refused(answer(), asked).code is Code.DECISION_INVALID


def test_an_undefined_answer_has_its_own_code() -> None:
    assert refused(None, question(ME)).code is Code.POLICY_UNDEFINED


ILL_TYPED = {
    "the text true": b'"true"',
    "a number": b"1",
    "null": b"null",
    "a list": b"[]",
    "true": b"true",
    "an empty object": b"{}",
    "another contract's answer": b'{"allow": "yes"}',
    "nothing": b"",
    "no JSON": b"{",
    "two answers": answer() + answer(),
    "not UTF-8": answer().replace(b"A1", b"\xff"),
    "nested deeply": b"[" * 100_000,
    "no effect": answer(effect=None),
    "no permitted": answer(permitted=None),
    "no unattributed": answer(unattributed=None),
    "no withhold": answer(withhold=None),
    "no mask": answer(mask=None),
    "no reasons": answer(reasons=None),
    "an unknown field": answer(allow=True),
    "an unknown effect": answer(effect="Allow"),
    "two effects": answer(effect=["allow", "block"]),
    "permitted is an object": answer(permitted={"kind": "account", "value": "A1"}),
    "a bare subject": answer(permitted=["A1"]),
    "a subject without a kind": answer(permitted=[{"value": "A1"}]),
    "a subject with more": answer(permitted=[{"kind": "account", "value": "A1", "x": 1}]),
    "a subject true": answer(permitted=[{"kind": "account", "value": True}]),
    "a subject null": answer(permitted=[{"kind": "account", "value": None}]),
    "unattributed true": answer(unattributed=True),
    "an unknown unattributed": answer(unattributed="allow"),
    "a category that is empty": answer(effect="redact", withhold=[""]),
    "a category that is a number": answer(effect="redact", withhold=[1]),
    **{
        f"a mask with {name}": answer(effect="redact", mask=[{"path": "$.a", **more}])
        for name, more in {
            "nothing in its place": {},
            "two things in its place": {"keep": 4, "pseudonym": True},
            "no path": {"path": None, "keep": 4},
            "the whole record for a path": {"path": "$", "keep": 4},
            "nothing to keep": {"keep": 0},
            "too much to keep": {"keep": 1025},
            "half a character to keep": {"keep": 1.5},
            "a truth value to keep": {"keep": True},
            "a pseudonym that is none": {"pseudonym": False},
            "a pseudonym that is a number": {"pseudonym": 1},
            "null in its place": {"text": None},
            "an empty text": {"text": ""},
            "a long text": {"text": "x" * 65},
            "a text of two lines": {"text": "a\nb"},
            "a text with a line end of its own": {"text": "a\u2028b"},
            "a text that is blank": {"text": " "},
            "a text with a blank behind it": {"text": "a "},
            "a text with a quote": {"text": 'a"b'},
            "a text with a backslash": {"text": "a\\"},
            "a text that is a formula": {"text": "=1+1"},
            "another name": {"text": "a", "keeps": 1},
        }.items()
    },
    "a mask of the whole record": answer(effect="redact", mask=["$"]),
    "a mask without a root": answer(effect="redact", mask=["a.b"]),
    "a mask with an index": answer(effect="redact", mask=["$.a[0]"]),
    "a mask with a descent": answer(effect="redact", mask=["$..a"]),
    "a mask with an expression": answer(effect="redact", mask=["$[?(@.a)]"]),
    "a mask with a line behind it": answer(effect="redact", mask=["$.a\n"]),
    "a reason that could hold data": answer(reasons=["owner is A1"]),
    "a reason with a line behind it": answer(reasons=["self_access\n"]),
    "too many reasons": answer(reasons=["r"] * 65),
}


@pytest.mark.parametrize("raw", ILL_TYPED.values(), ids=ILL_TYPED.keys())
def test_an_ill_typed_answer_is_invalid(raw: bytes) -> None:
    refusal = refused(raw, question(ME, FOREIGN))
    assert refusal.code is Code.DECISION_INVALID
    assert "A1" not in refusal.note
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return
    # In JSON Schema `$` is the end; in Python's library a line end may follow it.
    assert b"\\n" in raw or not schema("answer").is_valid(document)


CONTRADICTORY = {
    "allow without everybody": answer(permitted=[]),
    "allow that withholds": answer(withhold=["voice"]),
    "allow that masks": answer(mask=["$.a"]),
    "a subject nobody asked about": answer(
        effect="redact", permitted=[{"kind": "account", "value": "A2"}]
    ),
    "a subject of another kind": answer(
        effect="redact", permitted=[{"kind": "email", "value": "A1"}]
    ),
    "a subject twice": answer(effect="redact", permitted=[{"kind": "account", "value": "A1"}] * 2),
    "a block that permits a stranger": answer(
        effect="block", permitted=[{"kind": "account", "value": "A2"}]
    ),
}


@pytest.mark.parametrize("raw", CONTRADICTORY.values(), ids=CONTRADICTORY.keys())
def test_a_contradictory_answer_is_invalid(raw: bytes) -> None:
    assert refused(raw, question(ME)).code is Code.DECISION_INVALID


@pytest.mark.parametrize(
    ("asked", "permitted"), [(42, "42"), ("42", 42), (2**53, 2**53 + 1), ("é", "e\u0301")]
)
def test_a_permitted_subject_is_the_one_asked_about_exactly(
    asked: str | int, permitted: str | int
) -> None:
    about = question(SubjectRef("account", asked))
    raw = answer(permitted=[{"kind": "account", "value": permitted}])
    assert refused(raw, about).code is Code.DECISION_INVALID
    exact = answer(permitted=[{"kind": "account", "value": asked}])
    assert read_answer(exact, about, "r1").permitted == {SubjectRef("account", asked)}


@pytest.mark.parametrize("value", ["1.0", "1e0", "10e-1"])
def test_a_float_is_not_the_integer_it_equals(value: str) -> None:
    raw = answer(permitted=[{"kind": "account", "value": 1}]).replace(
        b": 1}", f": {value}}}".encode()
    )
    assert refused(raw, question(SubjectRef("account", 1))).code is Code.DECISION_INVALID


def test_a_note_names_the_place_and_never_the_value() -> None:
    refusal = refused(answer(permitted=[{"kind": "account", "value": 1.5}]), question(ME))
    assert refusal.note == "ill-typed at $.permitted[0].value"
    refusal = refused(answer(effect="secret"), question(ME))
    assert refusal.note == "ill-typed at $.effect"


VALUES = st.one_of(st.integers(-3, 3), st.sampled_from(["1", "2", "a", "A", ""]))
SUBJECTS = st.builds(SubjectRef, st.sampled_from(["account", "email"]), VALUES)


@settings(deadline=None)
@given(
    asked=st.lists(SUBJECTS, unique_by=lambda each: each.key),
    permitted=st.lists(SUBJECTS),
    effect=st.sampled_from(["allow", "redact", "block"]),
    unattributed_records=st.integers(0, 1),
    release=st.sampled_from(["withhold", "release"]),
    mask=st.lists(st.sampled_from(["$.a", "$.b[*]"]), max_size=1),
)
def test_an_accepted_answer_permits_only_what_was_asked_and_said(
    asked: list[SubjectRef],
    permitted: list[SubjectRef],
    effect: str,
    unattributed_records: int,
    release: str,
    mask: list[str],
) -> None:
    groups: list[Any] = [*asked, *([unattributed()] * unattributed_records)]
    raw = msgspec.json.encode(
        {
            "effect": effect,
            "permitted": [{"kind": each.kind, "value": each.value} for each in permitted],
            "unattributed": release,
            "withhold": [],
            "mask": mask,
            "reasons": [],
        }
    )
    about = question(*groups)
    try:
        decision = read_answer(raw, about, "r1")
    except Unavailable as refusal:
        assert refusal.code is Code.DECISION_INVALID
        return
    assert decision.permitted <= set(asked)
    assert decision.permitted <= set(permitted)
    assert about.inspection is not None
    released = [decision.releases(group) for group in about.inspection.groups]
    match decision.effect:
        case Effect.ALLOW:
            assert all(released) and not decision.mask
        case Effect.BLOCK:
            assert not any(released)
