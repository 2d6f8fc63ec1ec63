"""What goes to the writer comes out there as it was."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.decisionlog import anchor, messages
from gateway.decisionlog.entry import Evidence
from gateway.decisionlog.messages import Kind, Report, Setup
from gateway.living import HEADER
from gateway.model import Identifier, Phase, SubjectRef
from gateway.trace import Span
from tests.decisionlog.support import A1, KEY, caller, group, inspection, released


def opened(frame: bytes) -> tuple[Kind, bytes]:
    length, kind = HEADER.unpack_from(frame)
    payload = frame[HEADER.size :]
    assert len(payload) == length
    return Kind(kind), payload


@pytest.mark.parametrize(
    ("evidence", "kind"),
    [
        (released(), Kind.ENTRY),
        (Evidence("e1", released().received_at), Kind.ENTRY),
        (
            replace(released(), trace_id="a" * 32, span=Span("b" * 16, "", {"log": 0.5})),
            Kind.ENTRY,
        ),
        (replace(released(), inspection=inspection(group(A1), group())), Kind.ENTRY),
        (replace(released(), caller=caller(claims={"a": [1, None, {"b": True}]})), Kind.ENTRY),
        (replace(released(), caller=caller(id="lone \ud800")), Kind.ODD_ENTRY),
        (
            replace(released(), caller=caller(identifiers=(Identifier("n", 2**64),))),
            Kind.ODD_ENTRY,
        ),
    ],
)
def test_evidence_arrives_as_it_was_sent(evidence: Evidence, kind: Kind) -> None:
    came, payload = opened(messages.entry_frame(evidence))
    assert came is kind
    assert messages.read_entry(came, payload) == evidence


def test_who_asked_and_what_was_seen_are_told_once() -> None:
    told = released()
    assert told.question is not None
    question = replace(told.question, phase=Phase.RESPONSE, inspection=told.inspection)
    once = replace(told, caller=question.caller, question=question)
    again = replace(once, question=replace(question, caller=replace(question.caller, id="A2")))
    shorter = len(messages.entry_frame(again)) - len(messages.entry_frame(once))
    assert shorter > 50  # a caller and an inspection less
    assert messages.read_entry(*opened(messages.entry_frame(once))) == once
    unseen, nobody = replace(once, inspection=None), replace(again, caller=None)
    for each in (again, unseen, nobody):
        assert messages.read_entry(*opened(messages.entry_frame(each))) == each


@pytest.mark.parametrize("value", [42, "42", "lone \ud800", -(2**63), 2**63, 2**200])
def test_an_identifier_keeps_its_type_and_value(value: Any) -> None:
    sent = replace(released(), inspection=inspection(group(SubjectRef("n", value))))
    arrived = messages.read_entry(*opened(messages.entry_frame(sent)))
    assert arrived is not None
    assert arrived.inspection
    (owner,) = arrived.inspection.subjects
    assert (type(owner.value), owner.value) == (type(value), value)


@pytest.mark.parametrize("identifier", ["A1", "lone \ud800"])
def test_a_refusal_names_the_entry_that_it_replaces(identifier: str) -> None:
    evidence = released(caller=caller(id=identifier))
    kind, payload = opened(messages.refusal_frame(7, evidence))
    assert messages.read_refusal(kind, payload) == (7, evidence)


@pytest.mark.parametrize("kind", [Kind.ENTRY, Kind.ODD_ENTRY])
@pytest.mark.parametrize("payload", [b"", b"no evidence", b"\xff" * 20])
def test_what_is_no_evidence_is_none(kind: Kind, payload: bytes) -> None:
    assert messages.read_entry(kind, payload) is None


def test_reports_and_counts_arrive_as_they_were_sent() -> None:
    warning = ("a warning", {"bytes": 3, "to": "there"})
    report = Report(3, "ENOSPC", 2, 1, anchor.first(KEY), 1, (0.5,), (3,), (warning,))
    for each in (report, Report()):
        assert messages.read_report(opened(messages.report_frame(each))[1]) == each
    assert messages.read_unrecorded(opened(messages.unrecorded_frame(9))[1]) == 9


def test_the_setup_brings_the_key_and_shows_it_nowhere(tmp_path: Any) -> None:
    setup = Setup(tmp_path, KEY, {"id": "g"}, 1.0, 10.0, anchor.first(KEY))
    kind, payload = opened(messages.setup_frame(setup))
    assert kind is Kind.SETUP
    assert messages.read_setup(payload) == setup
    assert KEY.pseudonym.hex() not in repr(setup)
    assert repr(KEY.pseudonym) not in repr(setup)
