"""One export, step by step: read this first.

    client ─▶ admission ─▶ route ─▶ identity ─▶ (request policy) ─▶ upstream ─▶ spool
                                                                                  │
    client ◀─ release ◀── decision log ◀── enforcement ◀── policy ◀── inspection ◀┘

`guard` walks this way top to bottom. Every step is a room of its own, handed in by `app` behind
one of the Protocols below; a step that can't do its work raises a `Refusal`, and nothing but a
`Release` from `enforcement` carries a byte of the upstream's response.

Where things go: a new format is a name in `model.Format`, a file in `inspection/formats/` and a row
of the table there; a new ground is a folder in `policies/privacy/grounds/`, a rule in
`policies/privacy/lib/permission/` and a name in `policies/schemas/deployment.json`; a new refusal
code is a line in `errors.py`, in the class whose status it has.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypedDict

from gateway.decisionlog.entry import Evidence, Outcome
from gateway.endpoints import Endpoints, Route
from gateway.enforcement import Denial, Release, Rewriter, enforce
from gateway.errors import Code, Forbidden, InternalError, Refusal, Unavailable, cut_off, place
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Admitted, Caller, Counts, Decision, Effect, Inspection, Phase, Request
from gateway.policy.contract import Question
from gateway.response import Response
from gateway.trace import UNTRACED, RawHeaders, Span, Trace


class Admission(Protocol):
    """Reads a request in one way, or raises BadRequest. (`proxy.admission`)"""

    def __call__(self, request: Request) -> Admitted: ...


class Identity(Protocol):
    """Authorization field values → Caller, or Unauthenticated, or Unavailable. (`identity`)"""

    async def authenticate(self, authorization: tuple[bytes, ...]) -> Caller: ...


class Policy(Protocol):
    """Question → checked Decision, block included, or Unavailable. (`policy`)"""

    async def decide(self, question: Question) -> Decision: ...


class Upstream(Protocol):
    """Fetches a complete 200 response into the spool, or raises. (`proxy.upstream`)"""

    async def fetch(self, request: Admitted, route: Route, question: Question) -> Response: ...


class Inspector(Rewriter, Protocol):
    """Response → Inspection, or BadUpstream. (`inspection.dispatch`)"""

    async def inspect(self, response: Response, spec: BodySpec, limits: Limits) -> Inspection: ...


class Log(Protocol):
    """Returns when the entry is durable, or raises Unavailable(LOG_UNAVAILABLE). (`decisionlog`)"""

    def ready(self) -> bool: ...

    async def append(self, evidence: Evidence) -> None: ...


class Observer(Protocol):
    """Sees every exchange once, after its entry. (`telemetry`)"""

    def exchange(self, evidence: Evidence) -> None: ...


class Tracer(Protocol):
    """Finds an exchange's place in a trace, for the upstream and the log. (`telemetry.tracing`)"""

    def begin(self, exchange_id: str, headers: RawHeaders) -> Trace: ...


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms that an exchange passes through."""

    admission: Admission
    endpoints: Endpoints
    identity: Identity
    policy: Policy
    upstream: Upstream
    inspector: Inspector
    log: Log
    observer: Observer
    request_phase: bool
    new_id: Callable[[], str]
    now: Callable[[], datetime]
    probe: bool = False
    tracer: Tracer = UNTRACED


async def guard(request: Request, rooms: Rooms) -> Release | Denial:
    """Let one export pass, redacted where the policy says so, or refuse it.

    Returns only when the decision's log entry is durable; whatever goes wrong is a `Denial`. Where
    an endpoint is only observed, what its policy would hold back is released whole, and nothing
    else is.
    """
    exchange_id, received_at, steps = rooms.new_id(), rooms.now(), _Steps()
    trace = rooms.tracer.begin(exchange_id, request.headers)
    admitted: Admitted | None = None
    route: Route | None = None
    caller: Caller | None = None
    question: Question | None = None
    response: Response | None = None
    inspection: Inspection | None = None
    decision: Decision | None = None
    observing = False
    outcome: Release | Denial
    refusal: Refusal | None = None
    try:
        with steps("admission"):
            admitted = rooms.admission(request)
            route = rooms.endpoints.match(admitted.method, admitted.path)
            body, limits = route.endpoint.body, route.endpoint.limits
            observing = route.endpoint.observes(received_at)
        with steps("identity"):
            caller = await rooms.identity.authenticate(admitted.authorization)
        question = _question(exchange_id, received_at, admitted, route, caller)
        if rooms.request_phase:
            with steps("request_policy"):
                decision = await rooms.policy.decide(question)
            if decision.effect is not Effect.ALLOW and not observing:
                raise Forbidden(Code.BLOCKED_BY_POLICY, "in the request phase")
        if not rooms.log.ready():
            raise Unavailable(Code.LOG_UNAVAILABLE, "before the upstream was asked")
        with steps("upstream"):
            response = await rooms.upstream.fetch(trace.carried_by(admitted), route, question)
        with steps("inspection"):
            inspection = await rooms.inspector.inspect(response, body, limits)
        if decision is None or decision.effect is Effect.ALLOW:  # else it was blocked, and observed
            question, decision = question.about(inspection), None
            with steps("policy"):
                decision = await rooms.policy.decide(question)
        with steps("enforcement"):
            still = observing and route.endpoint.observes(rooms.now())  # a slow body outlasts it
            outcome = await enforce(
                decision, inspection, response, body, limits, rooms.inspector, observing=still
            )
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all become a denial
        refusal = _as_refusal(error)
        outcome = Denial(refusal, exchange_id, observing)
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
        with steps("log"):
            await rooms.log.append(evidence)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - no entry, no release
        if isinstance(outcome, Release):
            outcome.body.close()
        refusal = _as_refusal(error)
        outcome = Denial(refusal, exchange_id, observing)
        evidence = replace(evidence, **_account(outcome, refusal, inspection))
    if response and not (isinstance(outcome, Release) and outcome.body is response.body):
        response.body.close()
    rooms.observer.exchange(evidence)
    return outcome


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


def _account(
    outcome: Release | Denial, refusal: Refusal | None, inspection: Inspection | None
) -> _Account:
    """Every record seen is released, redacted or blocked."""
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


def _as_refusal(error: BaseException) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, asyncio.CancelledError):
        return cut_off(error)
    return InternalError(Code.INTERNAL_ERROR, place(error))


class _Steps:
    """When each step began and how long it took, in seconds: `with steps("identity"): ...`."""

    __slots__ = ("_began", "_name", "_start", "durations", "starts")

    def __init__(self) -> None:
        self.durations: dict[str, float] = {}
        self.starts: dict[str, float] = {}
        self._began = time.perf_counter()

    def __call__(self, name: str) -> "_Steps":
        self._name = name
        return self

    def __enter__(self) -> None:
        self._start = time.perf_counter()
        self.starts[self._name] = self._start - self._began

    def __exit__(self, *_: object) -> None:
        self.durations[self._name] = time.perf_counter() - self._start
