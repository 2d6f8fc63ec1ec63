"""A stream release: the rest of an export that leaves as it comes.

    question ─▶ decision ─▶ entry ─▶ records ─▶ something new? ─▶ question ─▶ … ─▶ entry of the end

`exchange.guard` opens it: the first question is decided, enforced and in the log like that of any
other exchange, and only then there is a `Stream`. `deliver` goes on from there. Whatever is new in
the body is asked about before anything of it leaves; an answer is in force when its entry is
durable. A refusal in the midst can't take back what left, so that the caller must see the
connection break: `deliver` says whether the body is whole, and the server ends it accordingly.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict, assert_never

from msgspec.structs import replace

from gateway.decisionlog.entry import Evidence, Outcome, Stage, withdrawn
from gateway.endpoints import Endpoint
from gateway.enforcement import InForce, Opening, put_in_force
from gateway.errors import CallerLeft, Code, Forbidden, Refusal, as_refusal
from gateway.inspection.flowmessages import Asked, Ended, Piece
from gateway.model import Counts, Decision, Effect, Inspection, Phase
from gateway.policy.contract import Question


@dataclass(frozen=True, slots=True)
class Course:
    """What a stream goes on with: the rooms that it comes back to, and its endpoint."""

    decide: Callable[[Question], Awaitable[Decision]]
    append: Callable[[Evidence], Awaitable[None]]
    observe: Callable[[Evidence], None]
    now: Callable[[], datetime]
    endpoint: Endpoint


Send = Callable[[bytes], Awaitable[None]]
"""Returns when the caller's connection took the bytes; raises OSError where it never will."""


class Stream:
    """What may reach the client of a stream release, under the decisions put in force so far.

    Like a `Release` it can be made only of what `enforcement` made.
    """

    def __init__(self, opening: Opening, course: Course, evidence: Evidence) -> None:
        """`evidence` is what the entry of the opening says."""
        self.headers = opening.headers
        self._session, self._course = opening.session, course
        self._in_force: InForce = opening.in_force
        self._evidence = evidence
        self._redacted = opening.in_force.effect is Effect.REDACT
        self._observed = opening.in_force.observed
        self._progress = Counts()
        self.sent = 0

    def close(self) -> None:
        """Give it up, with nothing sent."""
        self._session.close()

    async def deliver(self, send: Send) -> bool:
        """Send the records as they come and are decided. Returns when the entry of the end is
        durable: whether the body is whole. If not, the caller must not take it for such."""
        refusal: Refusal | None = None
        try:
            await self._go_on(send)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all end the stream
            refusal = as_refusal(error)
            if isinstance(refusal, CallerLeft):
                refusal = CallerLeft(Code.CALLER_LEFT, "in the midst of a stream")
        finally:
            self._session.close()
        evidence = self._end(refusal)
        try:
            await self._course.append(evidence)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - no entry, no end
            refusal = as_refusal(error)
            evidence = withdrawn(evidence, refusal.code, refusal.http_status, refusal.note)
        self._course.observe(evidence)
        return refusal is None

    async def _go_on(self, send: Send) -> None:
        self._session.answer(self._in_force.decision)
        while True:
            match told := await self._session.next():
                case Piece():
                    self._check_observing()
                    self._progress = told.counts
                    self.sent += len(told.data)
                    try:
                        await send(told.data)
                    except OSError:
                        raise CallerLeft(Code.CALLER_LEFT, "in the midst of a stream") from None
                    self._session.taken()
                case Asked():
                    self._progress = told.counts
                    await self._ask(told.inspection)
                case Ended():
                    self._progress = told.counts
                    self._evidence = replace(self._evidence, inspection=told.inspection)
                    return
                case _:
                    assert_never(told)

    async def _ask(self, inspection: Inspection) -> None:
        """Something new was seen. What is decided is in force when its entry is durable."""
        course, before = self._course, self._evidence
        assert before.question
        question, decision = before.question, before.decision
        if question.phase is Phase.RESPONSE:  # else it was blocked before that, and observed
            question, decision = question.about(inspection), None
        self._evidence = replace(
            before, question=question, inspection=inspection, decision=decision
        )
        if decision is None:
            decision = await course.decide(question)
        refusal: Refusal | None = None
        try:
            observing = self._still_observing()
            body = course.endpoint.body
            self._in_force = put_in_force(decision, inspection, body, observing=observing)
        except Refusal as error:
            refusal = error
        self._redacted |= self._in_force.effect is Effect.REDACT
        self._observed |= self._in_force.observed
        self._evidence = replace(
            self._evidence,
            decision=decision,
            stage=Stage.CHANGE,
            part=self._evidence.part + 1,
            counts=self._progress,
            bytes_released=self.sent,
            **self._account(refusal),
        )
        await course.append(self._evidence)
        if refusal:
            raise refusal
        self._session.answer(self._in_force.decision)

    def _still_observing(self) -> bool:
        return self._evidence.observing and self._course.endpoint.observes(self._course.now())

    def _check_observing(self) -> None:
        """What was only observed is enforced from its date on, also in the midst of a stream."""
        if self._in_force.observed and not self._still_observing():
            raise Forbidden(Code.BLOCKED_BY_POLICY, "the endpoint is no longer only observed")

    def _end(self, refusal: Refusal | None) -> Evidence:
        """All records that were seen are accounted for; of a stream that was cut, those that may
        have left count as released."""
        progress, inspection = self._progress, self._evidence.inspection
        seen = max(progress.seen, inspection.records if inspection else 0)
        return replace(
            self._evidence,
            stage=Stage.END,
            part=self._evidence.part + 1,
            counts=replace(progress, seen=seen, blocked=seen - progress.seen),
            bytes_released=self.sent,
            **self._account(refusal),
        )

    def _account(self, refusal: Refusal | None) -> "_Account":
        if refusal is None:
            as_decided = Outcome.REDACTED if self._redacted else Outcome.RELEASED
            outcome = Outcome.OBSERVED if self._observed else as_decided
            return _Account(outcome=outcome, code=None, http_status=200, note="")
        blocked = refusal.code is Code.BLOCKED_BY_POLICY
        return _Account(
            outcome=Outcome.BLOCKED if blocked else Outcome.REFUSED,
            code=refusal.code,
            http_status=refusal.http_status,
            note=refusal.note,
        )


class _Account(TypedDict):
    """The part of the evidence that says how it stands."""

    outcome: Outcome
    code: Code | None
    http_status: int
    note: str
