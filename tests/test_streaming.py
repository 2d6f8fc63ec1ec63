"""The rest of a stream release: nothing new leaves before its entry, and only a whole one ends."""

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.decisionlog.entry import Evidence, Outcome, Stage
from gateway.endpoints import Endpoint, Enforcement
from gateway.enforcement import open_stream
from gateway.errors import BadUpstream, Code, Refusal, Unavailable
from gateway.inspection.flowmessages import Asked, Ended, Piece
from gateway.inspection.settings import BodySpec
from gateway.model import (
    Attribution,
    Caller,
    Counts,
    Decision,
    Effect,
    Format,
    Group,
    Identifier,
    Inspection,
    Phase,
    SubjectRef,
)
from gateway.policy.contract import Question
from gateway.streaming import Course, Stream

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDPOINT = Endpoint("events", "/events", BodySpec(Format.NDJSON))
OBSERVED = replace(
    ENDPOINT, enforcement=Enforcement.OBSERVE, observe_until=NOW + timedelta(hours=1)
)


def seen(*owners: SubjectRef) -> Inspection:
    groups = tuple(Group((owner,), Attribution.DIRECT, "", 1) for owner in owners)
    return Inspection(Format.NDJSON, groups, ("owner",), 10, 10, 10)


def decision(effect: Effect, *permitted: SubjectRef, revision: str = "r1") -> Decision:
    return Decision(effect, frozenset(permitted), False, frozenset(), (), ("test",), revision)


ALLOW, REDACT = decision(Effect.ALLOW, ME), decision(Effect.REDACT, ME)
BLOCK = decision(Effect.BLOCK)


@dataclass
class World:
    """A scripted session and scripted rooms, which write down what happened, in order."""

    said: deque[Piece | Asked | Ended | BaseException]
    events: list[str] = field(default_factory=list)
    entries: list[Evidence] = field(default_factory=list)
    observed: list[Evidence] = field(default_factory=list)
    in_force: list[Decision] = field(default_factory=list)
    sent: bytes = b""
    decision: Decision | Refusal = REDACT
    log_fails: bool = False
    caller_left: bool = False
    now: datetime = NOW
    endpoint: Endpoint = ENDPOINT
    seen: Inspection = field(default_factory=lambda: seen(ME))
    waited: float = 0.0

    # --- the session

    async def next(self) -> Piece | Asked | Ended:
        told = self.said.popleft()
        if isinstance(told, BaseException):
            raise told
        return told

    def answer(self, decision: Decision) -> None:
        self.events.append("in force")
        self.in_force.append(decision)

    def taken(self) -> None:
        self.events.append("taken")

    def close(self) -> None:
        self.events.append("closed")

    # --- the rooms

    async def decide(self, question: Question) -> Decision:
        self.events.append("policy")
        assert question.phase is Phase.RESPONSE
        if isinstance(self.decision, Refusal):
            raise self.decision
        return self.decision

    async def append(self, evidence: Evidence) -> None:
        self.events.append(f"log {evidence.stage}")
        if self.log_fails:
            raise Unavailable(Code.LOG_UNAVAILABLE, "the disk is full")
        self.entries.append(evidence)

    async def send(self, data: bytes) -> None:
        self.events.append("sent")
        if self.caller_left:
            raise ConnectionResetError
        self.sent += data

    def stream(self, opened: Decision = ALLOW, phase: Phase = Phase.RESPONSE) -> Stream:
        observing = self.endpoint is OBSERVED
        caller = Caller("https://id", "me", (Identifier("account", "me"),))
        question = Question(
            Phase.REQUEST, "x1", NOW, "events", {}, "GET", ("events",), {}, {}, caller
        )
        if phase is Phase.RESPONSE:
            question = question.about(self.seen)
        evidence = Evidence(
            "x1",
            NOW,
            endpoint="events",
            question=question,
            inspection=self.seen,
            decision=opened,
            observing=observing,
            outcome=Outcome.RELEASED,
            http_status=200,
            stage=Stage.OPENING,
            part=1,
        )
        opening = open_stream(opened, self, (("X", "y"),), self.endpoint.body, observing=observing)
        rooms = (self.decide, self.append, self.observed.append, lambda: self.now)
        return Stream(opening, Course(*rooms, self.endpoint), evidence)

    @property
    def end(self) -> Evidence:
        """The last entry, which the observers saw, too."""
        assert self.observed == [self.entries[-1]]
        assert self.entries[-1].stage is Stage.END
        return self.entries[-1]


def world(*said: Piece | Asked | Ended | BaseException, **how: Any) -> World:
    return World(deque(said), **how)


def piece(data: bytes, records: int) -> Piece:
    return Piece(data, Counts(records, records))


CHANGED = Asked(seen(ME, FOREIGN), Counts(1, 1))
REDACTED = Ended(seen(ME, FOREIGN), Counts(2, 1, 1))


async def test_records_leave_under_the_opening_s_decision_and_the_end_is_logged() -> None:
    scene = world(piece(b"one", 1), piece(b"two", 2), Ended(seen(ME), Counts(2, 2)))
    assert await scene.stream().deliver(scene.send)
    assert scene.sent == b"onetwo"
    assert scene.events == ["in force", *["sent", "taken"] * 2, "closed", "log end"]
    assert (scene.end.outcome, scene.end.part, scene.end.bytes_released) == (
        Outcome.RELEASED,
        2,
        6,
    )
    assert scene.end.counts == Counts(2, 2)


async def test_an_answer_is_in_force_when_its_entry_is_durable_and_not_before() -> None:
    scene = world(piece(b"one", 1), CHANGED, REDACTED)
    assert await scene.stream().deliver(scene.send)
    asked = ["policy", "log change", "in force"]
    assert scene.events == ["in force", "sent", "taken", *asked, "closed", "log end"]
    assert scene.in_force == [ALLOW, REDACT]
    change = scene.entries[0]
    assert (change.part, change.outcome, change.decision) == (2, Outcome.REDACTED, REDACT)
    assert (change.counts, change.bytes_released) == (Counts(1, 1), 3)
    assert change.question and change.question.inspection == CHANGED.inspection
    assert (scene.end.part, scene.end.outcome) == (3, Outcome.REDACTED)
    assert scene.end.counts == Counts(2, 1, 1)


async def test_a_block_in_the_midst_is_logged_as_what_it_is_and_cuts_the_stream() -> None:
    scene = world(piece(b"one", 1), CHANGED, decision=BLOCK)
    assert not await scene.stream().deliver(scene.send)
    assert scene.in_force == [ALLOW]
    assert [entry.outcome for entry in scene.entries] == [Outcome.BLOCKED] * 2
    assert [entry.stage for entry in scene.entries] == [Stage.CHANGE, Stage.END]
    assert (scene.end.code, scene.end.http_status) == (Code.BLOCKED_BY_POLICY, 403)
    assert scene.end.counts == Counts(2, 1, 0, 1)


@pytest.mark.parametrize(
    ("decision", "code"),
    [
        (Unavailable(Code.POLICY_TIMEOUT, "late"), Code.POLICY_TIMEOUT),
        (ALLOW, Code.INTERNAL_ERROR),
    ],
    ids=["no answer", "an allow that isn't one"],
)
async def test_without_a_sound_answer_nothing_more_leaves(
    decision: Decision | Refusal, code: Code
) -> None:
    scene = world(piece(b"one", 1), CHANGED, decision=decision)
    assert not await scene.stream().deliver(scene.send)
    assert (scene.sent, scene.in_force) == (b"one", [ALLOW])
    assert (scene.end.outcome, scene.end.code) == (Outcome.REFUSED, code)


async def test_without_an_entry_nothing_more_leaves_and_nothing_ends_well() -> None:
    scene = world(piece(b"one", 1), CHANGED)
    stream = scene.stream()
    scene.log_fails = True
    assert not await stream.deliver(scene.send)
    assert scene.in_force == [ALLOW]
    (told,) = scene.observed
    assert (told.code, told.outcome) == (Code.LOG_UNAVAILABLE, Outcome.REFUSED)
    assert told.counts.released == 1 and told.bytes_released == 3

    whole = world(piece(b"one", 1), Ended(seen(ME), Counts(1, 1)), log_fails=True)
    assert not await whole.stream().deliver(whole.send)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (BadUpstream(Code.BODY_MALFORMED, "line 2"), Code.BODY_MALFORMED),
        (KeyError("a value"), Code.INTERNAL_ERROR),
        (asyncio.CancelledError(Code.CALLER_LEFT), Code.CALLER_LEFT),
        (asyncio.CancelledError(), Code.SHUTTING_DOWN),
    ],
    ids=["body", "bug", "caller", "drain"],
)
async def test_whatever_goes_wrong_cuts_the_stream_and_is_logged(
    fault: BaseException, code: Code
) -> None:
    scene = world(piece(b"one", 1), fault)
    assert not await scene.stream().deliver(scene.send)
    assert (scene.end.code, scene.end.counts.released) == (code, 1)
    assert "a value" not in scene.end.note
    assert scene.events[-2:] == ["closed", "log end"]


async def test_a_caller_who_does_not_take_the_bytes_has_left() -> None:
    scene = world(piece(b"one", 1), caller_left=True)
    assert not await scene.stream().deliver(scene.send)
    assert scene.end.code is Code.CALLER_LEFT


async def test_an_observed_endpoint_releases_what_the_policy_would_hold_back() -> None:
    scene = world(piece(b"one", 1), CHANGED, REDACTED, decision=BLOCK, endpoint=OBSERVED)
    assert await scene.stream().deliver(scene.send)
    assert scene.in_force[1].permitted == {ME, FOREIGN}
    assert [entry.outcome for entry in scene.entries] == [Outcome.OBSERVED] * 2
    assert scene.end.decision == BLOCK and scene.end.against_policy == 2


async def test_from_its_date_on_an_observed_endpoint_is_enforced_in_the_midst() -> None:
    scene = world(piece(b"one", 1), CHANGED, decision=BLOCK, endpoint=OBSERVED)
    stream = scene.stream()
    scene.now = NOW + timedelta(hours=2)
    assert not await stream.deliver(scene.send)
    assert (scene.sent, scene.end.code) == (b"one", Code.BLOCKED_BY_POLICY)

    against = world(piece(b"one", 1), endpoint=OBSERVED)
    stream = against.stream(BLOCK)
    against.now = NOW + timedelta(hours=2)
    assert not await stream.deliver(against.send)
    assert (against.sent, against.end.code) == (b"", Code.BLOCKED_BY_POLICY)


async def test_an_observed_block_of_the_request_phase_asks_nothing_more() -> None:
    scene = world(piece(b"one", 1), CHANGED, REDACTED, endpoint=OBSERVED)
    assert await scene.stream(BLOCK, Phase.REQUEST).deliver(scene.send)
    assert "policy" not in scene.events
    assert scene.in_force[1].permitted == {ME, FOREIGN}


def test_a_stream_that_is_given_up_ends_its_session() -> None:
    scene = world()
    scene.stream().close()
    assert scene.events == ["closed"]
