"""One export, step by step: read this first.

    client ─▶ admission ─▶ route ─▶ identity ─▶ (request policy) ─▶ upstream ─▶ spool
                                                                                  │
    client ◀─ release ◀── decision log ◀── enforcement ◀── policy ◀── inspection ◀┘

(An endpoint with `release: stream` goes round from inspection to the log whenever its body brings
something new: `streaming`.)

`guard` walks this way top to bottom. Every step is a room of its own, handed in by `app` behind
one of the Protocols in `rooms`; a step that can't do its work raises a `Refusal`, and nothing but a
`Release` from `enforcement` carries a byte of the upstream's response.

Where things go: a new format is a name in `model.Format`, a file in `inspection/formats/` and a row
of the table there; a new ground is a folder in `policies/privacy/grounds/`, a rule in
`policies/privacy/lib/permission/` and a name in `policies/schemas/deployment.json`; a new refusal
code is a line in `errors.py`, in the class whose status it has.
"""

import asyncio
import time
from datetime import datetime
from typing import TypedDict

import msgspec
from msgspec.structs import replace

from gateway.decisionlog.entry import Evidence, Outcome, Stage
from gateway.endpoints import Endpoint, Route
from gateway.enforcement import Denial, Opening, Release, Rewriter, Session, enforce, open_stream
from gateway.errors import Code, Forbidden, Refusal, Unavailable, as_refusal
from gateway.inspection.settings import BodySpec
from gateway.model import Admitted, Caller, Counts, Decision, Effect, Inspection, Phase, Request
from gateway.policy.contract import Question
from gateway.response import Response
from gateway.rooms import Rooms
from gateway.streaming import Stream
from gateway.trace import Span, Trace


async def guard(request: Request, rooms: Rooms) -> Release | Stream | Denial:
    """Let one export pass, redacted where the policy says so, or refuse it.

    Returns only when the decision's log entry is durable; whatever goes wrong is a `Denial`. Where
    an endpoint is only observed, what its policy would hold back is released whole, and nothing
    else is. A `Stream` is decided as far as its first records; it goes on by `deliver`.
    """
    exchange_id, received_at, steps = rooms.new_id(), rooms.now(), _Steps()
    trace = rooms.tracer.begin(exchange_id, request.headers)
    admitted: Admitted | None = None
    route: Route | None = None
    caller: Caller | None = None
    question: Question | None = None
    answer: _Held | _Coming | None = None
    inspection: Inspection | None = None
    decision: Decision | None = None
    observing = False
    outcome: Release | Opening | Denial
    refusal: Refusal | None = None
    try:
        steps.begin("admission")
        admitted = rooms.admission(request)
        route = rooms.endpoints.match(admitted.method, admitted.path)
        observing = route.endpoint.observes(received_at)
        steps.begin("identity")
        caller = await rooms.identity.authenticate(admitted.authorization)
        request.claim((caller.issuer, caller.id))
        question = _question(exchange_id, received_at, admitted, route, caller)
        if rooms.request_phase:
            steps.begin("request_policy")
            decision = await rooms.policy.decide(question)
            if decision.effect is not Effect.ALLOW and not observing:
                raise Forbidden(Code.BLOCKED_BY_POLICY, "in the request phase")
        if not rooms.log.ready():
            raise Unavailable(Code.LOG_UNAVAILABLE, "before the upstream was asked")
        read = _coming if rooms.streams(route, request) else _held
        answer = await read(rooms, steps, trace.carried_by(admitted), route, question)
        inspection = answer.inspection
        if decision is None or decision.effect is Effect.ALLOW:  # else it was blocked, and observed
            question, decision = question.about(inspection), None
            steps.begin("policy")
            decision = await rooms.policy.decide(question)
        steps.begin("enforcement")
        still = observing and route.endpoint.observes(rooms.now())  # a slow body outlasts it
        outcome = await answer.enforce(decision, observing=still)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all become a denial
        refusal = as_refusal(error)
        outcome = Denial(refusal, exchange_id, observing)
    steps.begin("log")
    evidence = Evidence(
        exchange_id,
        received_at,
        endpoint=route.endpoint.name if route else None,
        method=admitted.method if admitted else None,
        caller=caller,
        question=question,
        inspection=inspection,
        decision=decision,
        durations=steps.durations,
        probe=rooms.probe,
        observing=observing,
        **_account(outcome, refusal, inspection),
        **_traced(trace, steps),
    )
    try:
        await rooms.log.append(evidence)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - no entry, no release
        if isinstance(outcome, Release):
            outcome.body.close()
        refusal = as_refusal(error)
        outcome = Denial(refusal, exchange_id, observing)
        evidence = replace(evidence, **_account(outcome, refusal, inspection))
    steps.end()
    if answer:
        answer.close(outcome)
    if isinstance(outcome, Opening):
        return Stream(outcome, rooms.course(route), evidence)
    rooms.observer.exchange(evidence)
    return outcome


class _Held(msgspec.Struct, frozen=True):
    """A response at rest, read to its end before anything of it leaves."""

    response: Response
    inspection: Inspection
    endpoint: Endpoint
    rewriter: Rewriter

    async def enforce(self, decision: Decision, *, observing: bool) -> Release:
        body, limits, rewriter = self.endpoint.body, self.endpoint.limits, self.rewriter
        return await enforce(
            decision, self.inspection, self.response, body, limits, rewriter, observing=observing
        )

    def close(self, outcome: Release | Opening | Denial) -> None:
        """Unless it is what leaves."""
        if not (isinstance(outcome, Release) and outcome.body is self.response.body):
            self.response.body.close()


async def _held(
    rooms: Rooms, steps: "_Steps", asked: Admitted, route: Route, question: Question
) -> _Held:
    steps.begin("upstream")
    response = await rooms.upstream.fetch(asked, route, question)
    endpoint = route.endpoint
    try:
        steps.begin("inspection")
        inspection = await rooms.inspector.inspect(response, endpoint.body, endpoint.limits)
    except BaseException:
        response.body.close()
        raise
    return _Held(response, inspection, endpoint, rooms.inspector)


class _Coming(msgspec.Struct, frozen=True):
    """A response that is still coming, read up to the first question about it."""

    headers: tuple[tuple[str, str], ...]
    session: Session
    body: BodySpec

    @property
    def inspection(self) -> Inspection:
        return self.session.seen

    async def enforce(self, decision: Decision, *, observing: bool) -> Opening:
        return open_stream(decision, self.session, self.headers, self.body, observing=observing)

    def close(self, outcome: Release | Opening | Denial) -> None:
        """Unless it goes on."""
        if not isinstance(outcome, Opening):
            self.session.close()


async def _coming(
    rooms: Rooms, steps: "_Steps", asked: Admitted, route: Route, question: Question
) -> _Coming:
    assert rooms.streaming
    steps.begin("upstream")
    arriving = await rooms.streaming.arrive(asked, route, question.exchange_id)
    steps.begin("inspection")
    endpoint = route.endpoint
    owner = (question.caller.issuer, question.caller.id)
    session = await rooms.streaming.read(arriving, endpoint.body, endpoint.limits, owner)
    steps.end()
    steps.shift(session.waited, "inspection", "upstream")
    return _Coming(arriving.headers, session, endpoint.body)


def _question(
    exchange_id: str, received_at: datetime, admitted: Admitted, route: Route, caller: Caller
) -> Question:
    return Question(
        phase=Phase.REQUEST,
        exchange_id=exchange_id,
        received_at=received_at,
        endpoint=route.endpoint.name,
        labels=route.endpoint.labels,
        method=admitted.method,
        path=admitted.path,
        params=route.params,
        query=admitted.query,
        caller=caller,
    )


class _Account(TypedDict):
    """The part of the evidence that says how an exchange ended."""

    outcome: Outcome
    code: Code | None
    note: str
    http_status: int
    counts: Counts
    bytes_released: int
    stage: Stage | None
    part: int


def _account(
    outcome: Release | Opening | Denial, refusal: Refusal | None, inspection: Inspection | None
) -> _Account:
    """Every record seen is released, redacted or blocked; of a stream's none is, yet."""
    if isinstance(outcome, Opening):
        redacted = outcome.in_force.effect is Effect.REDACT
        as_decided = Outcome.REDACTED if redacted else Outcome.RELEASED
        return _Account(
            outcome=Outcome.OBSERVED if outcome.in_force.observed else as_decided,
            code=None,
            note="",
            http_status=200,
            counts=Counts(),
            bytes_released=0,
            stage=Stage.OPENING,
            part=1,
        )
    if isinstance(outcome, Release):
        redacted = outcome.effect is Effect.REDACT
        as_decided = Outcome.REDACTED if redacted else Outcome.RELEASED
        return _Account(
            outcome=Outcome.OBSERVED if outcome.observed else as_decided,
            code=None,
            note="",
            http_status=200,
            counts=outcome.counts,
            bytes_released=outcome.body.size,
            stage=None,
            part=0,
        )
    assert refusal
    blocked = refusal.code is Code.BLOCKED_BY_POLICY
    records = inspection.records if inspection else 0
    return _Account(
        outcome=Outcome.BLOCKED if blocked else Outcome.REFUSED,
        code=refusal.code,
        note=refusal.note,
        http_status=refusal.http_status,
        counts=Counts(seen=records, blocked=records),
        bytes_released=0,
        stage=None,
        part=0,
    )


class _Traced(TypedDict, total=False):
    """The part of the evidence that is there where the trace is kept."""

    trace_id: str
    span: Span


def _traced(trace: Trace, steps: "_Steps") -> _Traced:
    if not trace.kept:
        return _Traced()
    span = Span(trace.span_id, trace.parent_id, steps.starts)
    return _Traced(trace_id=trace.trace_id, span=span)


class _Steps:
    """When each step began and how long it took, in seconds. One begins where another ends."""

    __slots__ = ("_began", "_name", "_start", "durations", "starts")

    def __init__(self) -> None:
        self.durations: dict[str, float] = {}
        self.starts: dict[str, float] = {}
        self._began, self._name, self._start = time.perf_counter(), "", 0.0

    def begin(self, name: str) -> None:
        """End the step under way, if there is one, and begin this one."""
        now = time.perf_counter()
        if self._name:
            self.durations[self._name] = now - self._start
        self._name, self._start = name, now
        self.starts[name] = now - self._began

    def end(self) -> None:
        """End the step under way, if there is one: none follows at once."""
        if self._name:
            self.durations[self._name] = time.perf_counter() - self._start
            self._name = ""

    def shift(self, seconds: float, name: str, to: str) -> None:
        """A part of one step was another one's."""
        self.durations[name] -= seconds
        self.durations[to] += seconds
