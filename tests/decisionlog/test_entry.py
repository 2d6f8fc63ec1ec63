"""What an entry says, and what it must never say."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.decisionlog.entry import MAX_SUBJECTS, Evidence, Outcome, Renderer, Stage, withdrawn
from gateway.decisionlog.pseudonyms import Pseudonyms, Remembered
from gateway.errors import Code
from gateway.model import Actor, Attribution, Counts, Effect, Group, Identifier, Mask, SubjectRef
from gateway.trace import Span
from tests.decisionlog.support import (
    A1,
    A9,
    KEY,
    LABELS,
    NOON,
    caller,
    decision,
    group,
    inspection,
    question,
    released,
)

NAMES = Pseudonyms(KEY.pseudonym)
RENDERER = Renderer(NAMES, KEY.id, LABELS)


def entry(evidence: Evidence) -> dict[str, Any]:
    return dict(json.loads(RENDERER.render(evidence)))


def test_an_entry_of_a_released_export_says_who_received_whose_data() -> None:
    assert entry(released()) == {
        "decision_id": "e1",
        "timestamp": "2026-07-01T12:00:00.123456Z",
        "path": "privacy/decision",
        "outcome": "released",
        "http_status": 200,
        "endpoint": "orders",
        "method": "GET",
        "caller": Remembered(NAMES).caller(caller()),
        "records": {"seen": 3, "released": 3, "redacted": 0, "blocked": 0},
        "bytes": {"received": 2_000, "inspected": 2_000, "released": 2_000},
        "subjects": [
            {
                "subject": NAMES.subject(A1),
                "kind": "account",
                "records": 3,
                "attribution": ["direct"],
                "categories": ["order"],
                "permitted": True,
            }
        ],
        "subjects_total": 1,
        "bundles": {"privacy": {"revision": "rev-7"}},
        "input": {
            "schema": "privacy-gateway/question/v1",
            "phase": "response",
            "exchange": {"id": "e1", "received_at": "2026-07-01T12:00:00.123456Z"},
            "endpoint": {"name": "orders", "labels": {"team": "shop"}},
            "request": {
                "method": "GET",
                "path": [NAMES.value("exports"), NAMES.value("A1"), NAMES.value("orders")],
                "params": {"account": NAMES.value("A1")},
                "query": {NAMES.value("page"): [NAMES.value("1"), NAMES.value("2")]},
            },
            "caller": {
                "issuer": NAMES.value("https://id.example.org"),
                "id": NAMES.value("A1"),
                "identifiers": [{"kind": "account", "value": NAMES.value("A1"), "basis": "claim"}],
                "actor": None,
                "scopes": [],
                "roles": [],
                "claims": {},
            },
            "payload": {
                "format": "json",
                "records": 3,
                "unattributed": {"records": 0, "categories": []},
                "subjects": [
                    {
                        "kind": "account",
                        "value": NAMES.value("A1"),
                        "records": 3,
                        "attribution": ["direct"],
                        "categories": ["order"],
                    }
                ],
                "fields": [NAMES.value("id"), NAMES.value("item")],
            },
        },
        "result": {
            "effect": "allow",
            "permitted": [NAMES.subject(A1)],
            "permitted_total": 1,
            "unattributed": "withhold",
            "withhold": [],
            "mask": [],
            "reasons": ["self_access"],
        },
        "metrics": {"timer_inspection_ns": 1_000_000},
        "pseudonym_key": KEY.id,
        "labels": LABELS,
    }


def test_an_entry_whose_trace_is_kept_names_it_as_opa_would() -> None:
    span = Span("00f067aa0ba902b7", "", {"admission": 0.0})
    found = entry(released(trace_id="4bf92f3577b34da6a3ce929d0e0e4736", span=span))
    assert found["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert found["span_id"] == "00f067aa0ba902b7"
    assert {*found} - {*entry(released())} == {"trace_id", "span_id"}


def test_an_entry_of_a_forged_token_has_no_decision_to_speak_of() -> None:
    evidence = Evidence("e2", NOON, code=Code.TOKEN_UNTRUSTED, http_status=401, note="signature")
    assert entry(evidence) == {
        "decision_id": "e2",
        "timestamp": "2026-07-01T12:00:00.123456Z",
        "outcome": "refused",
        "code": "token_untrusted",
        "http_status": 401,
        "records": {"seen": 0, "released": 0, "redacted": 0, "blocked": 0},
        "bytes": {"released": 0},
        "error": {"code": "token_untrusted", "message": "signature"},
        "pseudonym_key": KEY.id,
        "labels": LABELS,
    }


def test_a_blocked_export_lists_its_subjects_and_permits_none() -> None:
    found = entry(
        released(
            inspection=inspection(group(A1, records=3), group(A9, records=1_700)),
            decision=decision(Effect.BLOCK, A1, reasons=()),
            outcome=Outcome.BLOCKED,
            code=Code.BLOCKED_BY_POLICY,
            http_status=403,
        )
    )
    assert (found["outcome"], found["code"]) == ("blocked", "blocked_by_policy")
    assert "error" not in found  # a decision was made
    assert [each["permitted"] for each in found["subjects"]] == [False, False]
    assert found["result"]["permitted"] == []


MASKS = (
    Mask("$.contacts[*].phone"),
    Mask("$.iban", keep=4),
    Mask("$.peer", pseudonym=True),
    Mask("$.note", text="[removed]"),
    Mask("$.x", text="A1"),
)
"""The last one spells an identifier of the exchange."""


def test_a_redacted_export_says_whose_records_stayed_behind() -> None:
    found = entry(
        released(
            inspection=inspection(group(A9, records=5), group(A1, records=3), group(records=2)),
            decision=decision(Effect.REDACT, A1, withhold=frozenset({"voice"}), mask=MASKS),
            counts=Counts(seen=10, released=2, redacted=1, blocked=7),
            outcome=Outcome.REDACTED,
        )
    )
    assert [(each["subject"], each["permitted"]) for each in found["subjects"]] == [
        (NAMES.subject(A1), True),
        (NAMES.subject(A9), False),
    ]
    assert found["input"]["payload"]["unattributed"] == {"records": 2, "categories": ["order"]}
    assert found["result"]["withhold"] == ["voice"]
    assert found["result"]["mask"] == [
        "$.contacts[*].phone",
        "$.iban keep 4",
        "$.peer pseudonym",
        '$.note text "[removed]"',
        NAMES.text('$.x text "A1"'),
    ]
    assert found["records"] == {"seen": 10, "released": 2, "redacted": 1, "blocked": 7}


@pytest.mark.parametrize(("effect", "against"), [(Effect.BLOCK, 8), (Effect.REDACT, 5)])
def test_an_observed_export_has_the_true_decision_and_what_left_against_it(
    effect: Effect, against: int
) -> None:
    observed = released(
        inspection=inspection(group(A9, records=5), group(A1, records=3)),
        decision=decision(effect, A1, reasons=("foreign_subject",)),
        counts=Counts(seen=8, released=8),
        outcome=Outcome.OBSERVED,
        observing=True,
    )
    found = entry(observed)
    assert (found["outcome"], found["enforcement"]) == ("observed", "observe")
    assert found["against_policy"] == against
    assert found["result"]["effect"] == effect
    assert found["result"]["reasons"] == ["foreign_subject"]
    assert found["records"] == {"seen": 8, "released": 8, "redacted": 0, "blocked": 0}
    assert found["bytes"]["released"] == 2_000
    assert not {"code", "error"} & found.keys()
    refused = entry(withdrawn(observed, Code.LOG_UNAVAILABLE, 503, "late"))
    assert (refused["outcome"], refused["enforcement"]) == ("refused", "observe")
    assert "against_policy" not in refused
    assert refused["records"] == {"seen": 8, "released": 0, "redacted": 0, "blocked": 8}


def test_an_enforced_export_says_nothing_of_enforcement() -> None:
    assert not {"enforcement", "against_policy"} & entry(released()).keys()


def test_a_subject_that_was_found_in_several_ways_is_listed_once() -> None:
    found = entry(
        released(
            inspection=inspection(
                Group((A1,), Attribution.MANIFEST, "voice", 2),
                Group((A1, A9), Attribution.DIRECT, "order", 1),
            ),
            decision=decision(Effect.ALLOW, A1, A9),
        )
    )
    by_subject = {each["subject"]: each for each in found["subjects"]}
    assert by_subject[NAMES.subject(A1)]["records"] == 3
    assert by_subject[NAMES.subject(A1)]["attribution"] == ["direct", "manifest"]
    assert by_subject[NAMES.subject(A1)]["categories"] == ["order", "voice"]
    assert by_subject[NAMES.subject(A9)]["records"] == 1


def test_a_number_and_its_digits_are_two_subjects() -> None:
    one, other = SubjectRef("account", 42), SubjectRef("account", "42")
    found = entry(
        released(
            inspection=inspection(group(one), group(other)), decision=decision(Effect.REDACT, one)
        )
    )
    assert [each["subject"] for each in found["subjects"] if each["permitted"]] == [
        NAMES.subject(one)
    ]
    assert found["subjects_total"] == 2


def test_the_list_of_subjects_ends_somewhere_and_says_how_many_there_were() -> None:
    strangers = [SubjectRef("account", number) for number in range(MAX_SUBJECTS + 500)]
    found = entry(
        released(
            inspection=inspection(*map(group, strangers), group(A1)),
            decision=decision(Effect.REDACT, A1),
        )
    )
    assert len(found["subjects"]) == MAX_SUBJECTS
    assert found["subjects_total"] == MAX_SUBJECTS + 501
    assert found["subjects"][0]["subject"] == NAMES.subject(A1)  # whoever received comes first
    assert found["truncated"] is True  # so that nobody asks a policy about a part of the body
    assert "truncated" not in entry(released())


def test_a_question_lists_its_subjects_in_the_order_of_the_entry() -> None:
    found = entry(
        released(
            inspection=inspection(group(A9, records=5), group(A1, records=3)),
            decision=decision(Effect.REDACT, A1),
        )
    )
    assert [each["records"] for each in found["subjects"]] == [3, 5]
    assert [each["records"] for each in found["input"]["payload"]["subjects"]] == [3, 5]


def test_the_members_of_an_archive_are_counted() -> None:
    assert (
        entry(released(inspection=structs.replace(inspection(group(A1)), members=4)))["members"]
        == 4
    )


def test_an_exchange_without_a_caller_has_no_question() -> None:
    assert "input" not in entry(released(caller=None))


def test_an_exchange_that_ended_before_its_body_was_read_has_the_question_of_its_request() -> None:
    found = entry(released(inspection=None))["input"]
    assert found["phase"] == "request"
    assert "payload" not in found


def test_who_acted_for_whom_is_written() -> None:
    acting = caller(actor=Actor("agent-7"))
    assert entry(released(caller=acting))["actor"] == Remembered(NAMES).actor(
        Actor("agent-7"), acting
    )
    assert "actor" not in entry(released())


def test_the_gateways_own_probe_is_marked() -> None:
    assert entry(released(probe=True))["probe"] is True
    assert "probe" not in entry(released())


def test_a_method_outside_the_standard_is_other() -> None:
    assert entry(released(method="CANARY"))["method"] == "other"
    assert entry(released(method="POST"))["method"] == "POST"


def test_times_are_written_in_utc() -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=2)))
    assert entry(structs.replace(released(), received_at=berlin)) == entry(released())


def test_a_time_without_a_zone_is_our_bug() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        RENDERER.render(structs.replace(released(), received_at=datetime(2026, 7, 1)))


def test_a_withdrawn_release_is_a_refusal_that_released_nothing() -> None:
    found = entry(withdrawn(released(), Code.LOG_UNAVAILABLE, 503, "too late"))
    assert (found["outcome"], found["code"], found["http_status"]) == (
        "refused",
        "log_unavailable",
        503,
    )
    assert found["bytes"]["released"] == 0
    assert found["records"] == {"seen": 3, "released": 0, "redacted": 0, "blocked": 3}
    assert found["error"] == {"code": "log_unavailable", "message": "too late"}


def test_a_gap_says_how_many_entries_were_lost() -> None:
    found = json.loads(RENDERER.gap("g1", NOON, 12))
    assert (found["decision_id"], found["outcome"], found["unrecorded"]) == ("g1", "refused", 12)


CANARY = "canary-7f3a@example.org"
MASK = "$.people['Jane-Doe-example-org'].phone"


def test_nothing_of_a_person_is_written_wherever_it_stands() -> None:
    """O1, F01: the canary stands in every place that a body, a token or a path can reach."""
    subject = SubjectRef("email", CANARY)
    asking = caller(
        id=CANARY,
        issuer=CANARY,
        identifiers=(Identifier("email", CANARY),),
        actor=Actor(CANARY, CANARY),
        scopes=(CANARY,),
        roles=(CANARY,),
        claims={"address": {CANARY: [CANARY]}},
    )
    evidence = released(
        caller=asking,
        question=question(
            asking,
            method=CANARY,
            path=("exports", CANARY),
            params={"email": CANARY},
            query={CANARY: (CANARY,)},
        ),
        inspection=structs.replace(inspection(group(subject), group()), fields=(CANARY,)),
        decision=decision(
            Effect.REDACT,
            subject,
            withhold=frozenset({CANARY}),
            mask=(f"$.{CANARY}",),
            reasons=(f"{CANARY} asked", CANARY, "of_canary_7f3a_example_org"),
        ),
        method=CANARY,
    )
    written = RENDERER.render(evidence).decode()
    assert "canary" not in written.lower()
    assert NAMES.subject(subject) in written


@pytest.mark.parametrize(
    "quoted",
    ["A9", "denied_A9", "A9-is-foreign", "not 4711", "über_mich", "owner_a9", "of_jane_doe_here"],
)
def test_a_policy_that_quotes_an_identifier_is_not_quoted(quoted: str) -> None:
    evidence = released(
        inspection=inspection(
            group(A9),
            group(SubjectRef("account", 4_711)),
            group(SubjectRef("email", "Jane.Doe@example.org"), SubjectRef("login", "jane_doe")),
        ),
        decision=decision(Effect.REDACT, reasons=(quoted,), mask=(MASK,)),
    )
    result = entry(evidence)["result"]
    assert result["reasons"] == [NAMES.text(quoted)]
    assert result["mask"] == [NAMES.text(MASK)]


@pytest.mark.parametrize("reason", ["self_access", "art_15", "ccpa-7024", "A8"])
def test_a_reason_that_is_a_name_is_written_as_it_is(reason: str) -> None:
    evidence = released(inspection=inspection(group(A9)), decision=decision(reasons=(reason,)))
    assert entry(evidence)["result"]["reasons"] == [reason]


anything = st.text(st.characters(), max_size=20)
identifiers = st.builds(SubjectRef, anything, st.one_of(anything, st.integers()))
counts = st.integers(0, 2**62)


@given(
    texts=st.tuples(*[anything] * 8),
    owners=st.lists(st.lists(identifiers, max_size=2, unique=True), max_size=4),
    huge=st.integers(0, 6_000),
    took=st.floats(0, 1e6),
)
def test_whatever_happened_it_can_be_written(
    texts: tuple[str, ...], owners: list[list[SubjectRef]], huge: int, took: float
) -> None:
    """An entry that can't be rendered would be an exchange without a record."""
    a, b, c, d, e, f, g, h = texts
    subjects = [subject for each in owners for subject in each]
    evidence = released(
        exchange_id=a,
        endpoint=b,
        method=c,
        caller=caller(
            id=d, issuer=e, identifiers=(Identifier(f, 10**huge),), actor=Actor(g), claims={h: h}
        ),
        inspection=inspection(*(group(*each, category=h) for each in owners)),
        decision=decision(
            Effect.REDACT,
            *subjects[:2],
            withhold=frozenset({h}),
            mask=(a,),
            reasons=(b, c),
            revision=g,
        ),
        code=Code.INTERNAL_ERROR,
        note=h * 100,
        durations={"policy": took},
    )
    written = RENDERER.render(evidence)
    assert b"\n" not in written
    assert json.loads(written)["pseudonym_key"] == KEY.id


def test_the_entries_of_a_stream_say_which_they_are() -> None:
    stream = structs.replace(released(), stage=Stage.CHANGE, part=2)
    assert (entry(stream)["stage"], entry(stream)["part"]) == ("change", 2)
    assert not {"stage", "part"} & entry(released()).keys()


def test_what_left_of_a_stream_has_left_also_where_its_entry_is_withdrawn() -> None:
    counts = Counts(seen=3, released=1, redacted=1, blocked=1)
    held = structs.replace(released(), counts=counts, bytes_released=9)
    refused = withdrawn(held, Code.CALLER_LEFT, 499, "gone")
    assert (refused.counts, refused.bytes_released) == (Counts(seen=3, blocked=3), 0)
    cut = withdrawn(structs.replace(held, stage=Stage.END), Code.CALLER_LEFT, 499, "gone")
    assert (cut.counts, cut.bytes_released, cut.code) == (counts, 9, Code.CALLER_LEFT)
