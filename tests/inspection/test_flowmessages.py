"""The words between the gateway and a stream's reader survive the way, and nothing else is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code
from gateway.inspection import flowmessages as messages
from gateway.inspection.flowmessages import Asked, Ended, Kind, Piece, Ready, Refused, Wanting
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.work import Task
from gateway.living import HEADER
from gateway.model import (
    Attribution,
    Counts,
    Decision,
    Effect,
    Format,
    Group,
    Inspection,
    SubjectRef,
)
from gateway.response import Payload

SEEN = Inspection(
    Format.NDJSON,
    (Group((SubjectRef("account", 1), SubjectRef("account", "1")), Attribution.DIRECT, "", 3),),
    ("owner",),
    10,
    10,
    10,
)
COUNTS = Counts(3, 2, 1)


def payload(frame: bytes) -> bytes:
    length, _ = HEADER.unpack_from(frame)
    assert len(frame) == HEADER.size + length
    return frame[HEADER.size :]


@pytest.mark.parametrize(
    "word",
    [
        Ready(),
        Wanting(),
        Asked(SEEN, COUNTS),
        Ended(SEEN, COUNTS),
        Refused(Code.BODY_MALFORMED, "line 3"),
    ],
    ids=lambda word: type(word).__name__,
)
def test_a_word_is_heard_as_it_was_said(word: messages.Word) -> None:
    assert messages.read_told(payload(messages.word_frame(word))) == word


@given(data=st.binary(min_size=1), seen=st.integers(0, 2**40))
def test_a_piece_is_heard_with_its_counts(data: bytes, seen: int) -> None:
    counts = Counts(seen, seen // 2, seen - seen // 2)
    assert messages.read_told(payload(messages.piece_frame(data, counts))) == Piece(data, counts)


@given(data=st.binary())
def test_anything_else_is_no_word(data: bytes) -> None:
    """It comes from a process that reads hostile input."""
    try:
        told = messages.read_told(data)
    except ValueError:
        return
    assert isinstance(told, Piece | Ready | Wanting | Asked | Ended | Refused)


def test_a_task_and_a_decision_are_heard_as_they_were_said() -> None:
    spec = BodySpec(Format.NDJSON, subject=({"account": ("$.owner",)},))
    task = Task(Payload("application/x-ndjson"), spec, Limits(record=2**20))
    decision = Decision(
        Effect.REDACT, frozenset({SubjectRef("account", 1)}), False, frozenset(), ("$.a",), (), "r"
    )
    for key in (None, b"key of pseudonyms"):
        assert messages.read_task(payload(messages.task_frame(task, key))) == (task, key)
    assert messages.read_decision(payload(messages.decision_frame(decision))) == decision
    assert HEADER.unpack_from(messages.frame(Kind.TAKEN)) == (0, Kind.TAKEN)
