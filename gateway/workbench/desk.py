"""One trial: what would become of this body, for these claims, at this endpoint?

A trial is an exchange, played through `exchange.guard` like the self-proof: only its two ends are
planted, the token that came and the response that the upstream gave. Between them everything is
real (identity, the route, inspection, the policy engine, enforcement), so that what a trial says
would leave is what would leave. Nothing is written to a decision log, and no socket is opened but
those of a configured OPA.

    async with Desk(config) as desk:
        verdict = await desk.judge(Trial("orders", {"sub": "A1"}, sample(body, Format.JSON)))

`question` and `decide` are the two halves of it, for tools that change a question in between.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, assert_never
from urllib.parse import quote, urlencode

from gateway.config import Config
from gateway.config.wording import did_you_mean
from gateway.decisionlog.entry import Evidence
from gateway.endpoints import Endpoint, Endpoints, Route, split_template
from gateway.enforcement import Release
from gateway.errors import BadRequest, BadUpstream, Code, Unauthenticated
from gateway.exchange import guard
from gateway.inspection import masking
from gateway.inspection.settings import InspectionSettings
from gateway.model import Admitted, Caller, Counts, Decision, Group, Inspection, Request
from gateway.policy.bundle import BundleError
from gateway.policy.contract import Question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import Engine, EngineKind
from gateway.policy.opa import OpaEngine
from gateway.policy.settings import PolicySettings
from gateway.proxy.admission import Admission
from gateway.proxy.framing import client_headers, read_head
from gateway.proxy.settings import RequestLimits
from gateway.response import Response
from gateway.rooms import Rooms
from gateway.spool import Spool, Spooled, SpoolSettings
from gateway.workbench import tokens
from gateway.workbench.inprocess import InProcess
from gateway.workbench.samples import Sample
from gateway.workbench.unusable import Unusable

UNNAMED = "-"
"""A path parameter that a trial doesn't give."""

_PATIENCE = 10.0
"""Seconds for one evaluation, at least: a laptop that is busy says nothing about the policy."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Claims, a response and an endpoint. Without `method`, it is the endpoint's first one;
    without `at`, now."""

    endpoint: str
    claims: Mapping[str, Any]
    sample: Sample
    method: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing would leave: a code from the closed set, the caller's status, what and where."""

    code: Code
    status: int
    note: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of a trial. `evidence` is all that the decision log would have been told;
    `question` is the one asked last, `release` what would leave, None where nothing would."""

    trial: Trial
    endpoint: Endpoint
    evidence: Evidence
    question: Question | None
    release: Release | None

    @property
    def caller(self) -> Caller | None:
        return self.evidence.caller

    @property
    def inspection(self) -> Inspection | None:
        return self.evidence.inspection

    @property
    def decision(self) -> Decision | None:
        return self.evidence.decision

    @property
    def counts(self) -> Counts:
        return self.evidence.counts

    @property
    def refusal(self) -> Refused | None:
        """None where something would leave. A block is a refusal with `blocked_by_policy`."""
        code = self.evidence.code
        if code is None:
            return None
        return Refused(code, self.evidence.http_status, self.evidence.note)

    def leaves(self, group: Group) -> bool:
        """Whether the records of a group would leave."""
        return self.release is not None and bool(self.decision and self.decision.releases(group))

    def released(self) -> bytes | None:
        """The body that would leave, whole and still coded."""
        if self.release is None:
            return None
        stored = self.release.body.stored
        return stored.pread(stored.size, 0)


class Desk:
    """Plays trials against one policy: the configured one, or `bundle` in its place.

    A bundle in the place of a configured OPA's is evaluated by the embedded engine, as OPA alone
    decides what it has loaded. Raises Unusable on entering where the policy can't be used.
    """

    def __init__(self, config: Config, bundle: Path | None = None) -> None:
        self.config = config
        self.policy = settings(config.policy, bundle)
        self.engine: Engine = _engine(self.policy)
        self._decisions = PolicyDecisions(self.engine)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="privacy-gateway-"))
            spool = Spool(SpoolSettings(directory=Path(folder), limit=self.config.spool.limit))
            self._inspector = InProcess(spool, _key(self.config.inspection))
            try:
                await self.engine.start()
            except BundleError as error:
                raise Unusable(str(error)) from None
            stack.push_async_callback(self.engine.stop)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of this name. Raises Unusable."""
        known = {endpoint.name: endpoint for endpoint in self.config.endpoints}
        if name not in known:
            listed = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise Unusable(f"endpoint {name!r}: the configuration has none of this name{listed}")
        return known[name]

    async def inspect(self, trial: Trial) -> Inspection:
        """Read a trial's body. Raises Unusable, and what an inspection raises."""
        endpoint = self.endpoint(trial.endpoint)
        response = _response(trial.sample, endpoint, "")
        return await self._inspector.inspect(response, endpoint.body, endpoint.limits)

    async def decide(self, question: Question) -> Decision:
        """Ask the policy, and hold its answer against the contract. Raises what it raises."""
        return await self._decisions.decide(question)

    async def judge(self, trial: Trial) -> Verdict:
        """Play the trial. Refusals are part of the verdict; raises Unusable for a trial that no
        request could lead to."""
        endpoint = self.endpoint(trial.endpoint)
        at = trial.at or datetime.now(UTC)
        play = _Play(self, trial, endpoint, at)
        rooms = Rooms(
            admission=play.admit,
            # What the policy says is what a trial is about, also of an endpoint that is observed.
            endpoints=Endpoints([endpoint.enforced for endpoint in self.config.endpoints]),
            identity=play,
            policy=play,
            upstream=play,
            inspector=self._inspector,
            log=play,
            observer=play,
            request_phase=self.config.policy.request_phase,
            new_id=lambda: "trial",
            now=lambda: at,
        )
        outcome = await guard(Request(play.admitted.method, play.admitted.target, ()), rooms)
        evidence = play.evidence
        assert evidence is not None
        if evidence.code is Code.SHUTTING_DOWN:
            raise asyncio.CancelledError
        release = outcome if isinstance(outcome, Release) else None
        return Verdict(trial, endpoint, evidence, play.question, release)


def _key(inspection: InspectionSettings) -> bytes | None:
    """Pseudonyms of a trial's own, where the gateway makes any: who tries out a policy needs no key
    to the real ones."""
    return masking.derive(b"trial") if inspection.pseudonym_key_file else None


def settings(policy: PolicySettings, bundle: Path | None = None) -> PolicySettings:
    """The policy's settings for one trial after the other, perhaps with another bundle."""
    patient = replace(policy, deadline=max(policy.deadline, _PATIENCE), workers=1)
    if bundle is None:
        return patient
    return replace(patient, bundle=bundle, engine=EngineKind.EMBEDDED, opa=None)


def _engine(policy: PolicySettings) -> Engine:
    match policy.engine:
        case EngineKind.EMBEDDED:
            return EmbeddedEngine(policy)
        case EngineKind.OPA:
            return OpaEngine(policy)
        case _:
            assert_never(policy.engine)


class _Play:
    """One trial: stands in for admission, identity, upstream, log and observer, and listens to
    what the policy is asked."""

    def __init__(self, desk: Desk, trial: Trial, endpoint: Endpoint, at: datetime) -> None:
        self._trial, self._endpoint = trial, endpoint
        self._decide = desk.decide
        self.question: Question | None = None
        self.evidence: Evidence | None = None
        self.admitted = _admitted(trial, endpoint, desk.config.client.limits)
        _check_route(desk.config.endpoints, endpoint, self.admitted)
        self._caller: Caller | Unauthenticated
        try:
            self._caller = tokens.caller(trial.claims, desk.config.identity, at)
        except Unauthenticated as refusal:
            self._caller = refusal

    def admit(self, request: Request) -> Admitted:
        return self.admitted

    async def authenticate(self, authorization: tuple[bytes, ...]) -> Caller:
        if isinstance(self._caller, Unauthenticated):
            raise self._caller
        return self._caller

    async def decide(self, question: Question) -> Decision:
        self.question = question
        return await self._decide(question)

    async def fetch(self, request: Admitted, route: Route, question: Question) -> Response:
        return _response(self._trial.sample, self._endpoint, question.exchange_id)

    def ready(self) -> bool:
        return True

    async def append(self, evidence: Evidence) -> None:
        self.evidence = evidence

    def exchange(self, evidence: Evidence) -> None: ...


def _response(sample: Sample, endpoint: Endpoint, exchange_id: str) -> Response:
    """What `proxy.upstream` makes of such a response."""
    subject = endpoint.body.subject_header
    head = read_head((1, 1), sample.status, "", sample.headers, subject)
    if sample.stored.size > endpoint.limits.body:
        raise BadUpstream(Code.BODY_TOO_LARGE, "more bytes than limits.body")
    headers = client_headers(head.payload, endpoint, exchange_id)
    return Response(headers, head.payload, Spooled(sample.stored))


def _admitted(trial: Trial, endpoint: Endpoint, limits: RequestLimits) -> Admitted:
    """The request of a trial as the gateway would read it. Raises Unusable where it wouldn't."""
    path = "/".join(quote(segment, safe="") for segment in _path(endpoint, trial.params))
    query = urlencode(trial.query, doseq=True)
    target = f"/{path}?{query}" if query else f"/{path}"
    request = Request(trial.method or endpoint.methods[0], target, ((b"Host", b"desk"),))
    try:
        return Admission(limits)(request)
    except BadRequest as refusal:
        raise Unusable(f"no request can be for {target}: {refusal.note}") from None


def _path(endpoint: Endpoint, params: Mapping[str, str]) -> tuple[str, ...]:
    template = split_template(endpoint.path)
    names = [segment[1:-1] for segment in template if segment.startswith("{")]
    for name, value in params.items():
        if name not in names:
            listed = did_you_mean(name, names) or (
                f"; there are {', '.join(names)}" if names else "; it has none"
            )
            raise Unusable(f"parameter {name!r}: not in the path of {endpoint.name}{listed}")
        if not value:
            raise Unusable(f"parameter {name!r}: a path segment is not empty")
    return tuple(
        params.get(segment[1:-1], UNNAMED) if segment.startswith("{") else segment
        for segment in template
    )


def _check_route(endpoints: tuple[Endpoint, ...], wanted: Endpoint, asked: Admitted) -> None:
    if asked.method not in wanted.methods:
        listed = ", ".join(wanted.methods)
        raise Unusable(f"method {asked.method!r}: {wanted.name} has only {listed}")
    found = Endpoints(endpoints).match(asked.method, asked.path).endpoint
    if found is not wanted:
        raise Unusable(f"these parameters make a path of another endpoint, {found.name}")
