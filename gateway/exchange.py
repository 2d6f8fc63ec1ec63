"""One export, step by step: read this first.

    client ─▶ admission ─▶ route ─▶ identity ─▶ (request policy) ─▶ upstream ─▶ spool
                                                                                  │
    client ◀─ release ◀── decision log ◀── enforcement ◀── policy ◀── inspection ◀┘

`guard` walks this way top to bottom. Every step is a room of its own, handed in by `app` behind
one of the Protocols below; a step that can't do its work raises a `Refusal`, and nothing but a
`Release` from `enforcement` carries a byte of the upstream's response.

Where things go: a new format is a file in `inspection/formats/` and a row of its table; a new
ground is a folder in `policies/privacy/grounds/`; a new refusal code is a line in `errors.py`.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from gateway.decisionlog.entry import Evidence, Outcome
from gateway.endpoints import Endpoint, Endpoints, Route
from gateway.enforcement import Denial, Release, Rewriter, enforce
from gateway.errors import Code, Forbidden, InternalError, Refusal, Unavailable, place
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Admitted, Caller, Counts, Decision, Effect, Inspection, Phase, Request
from gateway.policy.contract import Question
from gateway.response import Response


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

    async def fetch(self, request: Admitted, route: Route, exchange_id: str) -> Response: ...


class Inspector(Rewriter, Protocol):
    """Response → Inspection, or BadUpstream. (`inspection.dispatch`)"""

    async def inspect(self, response: Response, spec: BodySpec, limits: Limits) -> Inspection: ...


class Log(Protocol):
    """Returns when the entry is durable, or raises Unavailable(LOG_UNAVAILABLE). (`decisionlog`)"""

    async def append(self, evidence: Evidence) -> None: ...


class Observer(Protocol):
    """Sees every exchange once, after its entry. (`telemetry`)"""

    def exchange(self, evidence: Evidence) -> None: ...


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


async def guard(request: Request, rooms: Rooms) -> Release | Denial:
    """Let one export pass, redacted where the policy says so, or refuse it.

    Returns only when the decision's log entry is durable; whatever goes wrong is a `Denial`.
    """
    seen = Evidence(exchange_id=rooms.new_id(), received_at=rooms.now(), probe=rooms.probe)
    clock = _Steps()
    response: Response | None = None
    outcome: Release | Denial
    try:
        with clock.step("admission"):
            admitted = rooms.admission(request)
            seen = replace(seen, method=admitted.method)
            route = rooms.endpoints.match(admitted.method, admitted.path)
            seen = replace(seen, endpoint=route.endpoint.name)
        with clock.step("identity"):
            caller = await rooms.identity.authenticate(admitted.authorization)
            seen = replace(seen, caller=caller)
        if rooms.request_phase:
            with clock.step("request_policy"):
                decision = await rooms.policy.decide(_question(seen, admitted, route, caller))
                seen = replace(seen, decision=decision)
                if decision.effect is not Effect.ALLOW:
                    raise Forbidden(Code.BLOCKED_BY_POLICY, "in the request phase")
        with clock.step("upstream"):
            response = await rooms.upstream.fetch(admitted, route, seen.exchange_id)
        body, limits = route.endpoint.body, route.endpoint.limits
        with clock.step("inspection"):
            inspection = await rooms.inspector.inspect(response, body, limits)
            seen = replace(seen, inspection=inspection)
        with clock.step("policy"):
            question = _question(seen, admitted, route, caller, inspection)
            decision = await rooms.policy.decide(question)
            seen = replace(seen, decision=decision)
        with clock.step("enforcement"):
            outcome = await enforce(decision, inspection, response, body, limits, rooms.inspector)
            seen = _released(seen, outcome)
    except Refusal as refusal:
        outcome, seen = _refused(seen, refusal)
    except asyncio.CancelledError:  # the drain is over; this exchange too gets its entry
        outcome, seen = _refused(seen, Unavailable(Code.SHUTTING_DOWN))
    except Exception as error:  # noqa: BLE001 - our bug, whatever it is, is a refusal
        outcome, seen = _refused(seen, InternalError(Code.INTERNAL_ERROR, place(error)))
    try:
        with clock.step("log"):
            await rooms.log.append(replace(seen, durations=clock.durations))
    except Refusal as refusal:
        _close(outcome)
        outcome, seen = _refused(seen, refusal)
    finally:
        if response and getattr(outcome, "body", None) is not response.body:
            response.body.close()
    rooms.observer.exchange(replace(seen, durations=clock.durations))
    return outcome


def _question(
    seen: Evidence,
    admitted: Admitted,
    route: Route,
    caller: Caller,
    inspection: Inspection | None = None,
) -> Question:
    endpoint: Endpoint = route.endpoint
    return Question(
        phase=Phase.REQUEST if inspection is None else Phase.RESPONSE,
        exchange_id=seen.exchange_id,
        received_at=seen.received_at,
        endpoint=endpoint.name,
        labels=endpoint.labels,
        method=admitted.method,
        path=admitted.path,
        params=route.params,
        query=admitted.query,
        caller=caller,
        inspection=inspection,
    )


def _released(seen: Evidence, release: Release) -> Evidence:
    redacted = release.effect is Effect.REDACT
    return replace(
        seen,
        outcome=Outcome.REDACTED if redacted else Outcome.RELEASED,
        http_status=200,
        counts=release.counts,
        bytes_released=release.body.size,
    )


def _refused(seen: Evidence, refusal: Refusal) -> tuple[Denial, Evidence]:
    blocked = refusal.code is Code.BLOCKED_BY_POLICY
    records = seen.inspection.records if seen.inspection else 0
    return Denial(refusal, seen.exchange_id), replace(
        seen,
        outcome=Outcome.BLOCKED if blocked else Outcome.REFUSED,
        code=refusal.code,
        note=refusal.note,
        http_status=refusal.http_status,
        counts=Counts(seen=records, blocked=records),
        bytes_released=0,
    )


def _close(outcome: Release | Denial) -> None:
    if isinstance(outcome, Release):
        outcome.body.close()


class _Steps:
    """How long each step took, in seconds."""

    def __init__(self) -> None:
        self.durations: Mapping[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.durations = {**self.durations, name: time.perf_counter() - start}
