"""The rooms that an exchange passes through, as `exchange.guard` sees them: `app` hands them in."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.decisionlog.entry import Evidence
from gateway.endpoints import Endpoints, ReleaseMode, Route
from gateway.enforcement import Rewriter, Session
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.streams import Incoming
from gateway.model import Admitted, Caller, Decision, Inspection, Request
from gateway.policy.contract import Question
from gateway.response import Response
from gateway.streaming import Course
from gateway.trace import UNTRACED, RawHeaders, Trace


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


class Arriving(Incoming, Protocol):
    """A 200 response whose body is still coming; `headers` are those for the caller."""

    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Streaming:
    """What a stream release has in the place of upstream and inspector: a response that is still
    coming (`proxy.upstream`), and its body read up to the first question (`inspection.streams`),
    which takes the response over, for the caller whose it is."""

    arrive: Callable[[Admitted, Route, str], Awaitable[Arriving]]
    read: Callable[[Incoming, BodySpec, Limits, Hashable], Awaitable[Session]]


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms that an exchange passes through. Without `streaming` everything is held."""

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
    streaming: Streaming | None = None

    def streams(self, route: Route, request: Request) -> bool:
        """Whether records leave as they come. A caller of HTTP/1.0 couldn't tell a stream that was
        cut from a whole one, so that everything is held for it."""
        wanted = route.endpoint.release is ReleaseMode.STREAM
        return wanted and self.streaming is not None and request.version >= (1, 1)

    def course(self, route: Route | None) -> Course:
        """What a stream release goes on with."""
        assert route, "nothing is opened without one"
        observe, endpoint = self.observer.exchange, route.endpoint
        return Course(self.policy.decide, self.log.append, observe, self.now, endpoint)
