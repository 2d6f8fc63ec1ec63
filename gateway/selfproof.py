"""The gateway proves itself before it reports ready.

A planted foreign record must be blocked and an own record must pass, through `exchange.guard` with
the real policy, the real inspection (in the event loop and in a worker) and the real decision log;
only the caller and the upstream are planted. The entries are marked as probes in the log.

A policy by itself is asked many more planted questions before it goes live (`policy.probes`); what
they can be about follows from the configuration, in `plan`.
"""

import asyncio
import gzip
import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, assert_never

from gateway.endpoints import Endpoint, Endpoints, Route, split_template
from gateway.enforcement import Denial, Release
from gateway.errors import Code
from gateway.exchange import guard
from gateway.identity.settings import ClaimSource, IssuerSettings, Template
from gateway.inspection.settings import BodySpec, MemberSpec
from gateway.log import Log
from gateway.model import Admitted, Attribution, Caller, Format, Request
from gateway.policy.contract import Question
from gateway.policy.planted import Cast, Holdings, Look
from gateway.policy.probes import PROOF, Plan, Target
from gateway.policy.settings import PolicySettings
from gateway.response import Payload, Response
from gateway.rooms import Rooms
from gateway.spool import Spooled
from gateway.stored import InMemory
from gateway.streaming import Stream
from gateway.trace import CURRENT, UNTRACED

_RETRY, _PERIOD = 1.0, 300.0
_LOG = Log(__name__)

_T = TypeVar("_T")

_KIND = re.compile(r"\{([^{}/]+)\}")


@dataclass(frozen=True, slots=True)
class _Planted:
    """One caller, one body: stands in for admission, identity and upstream."""

    caller: Caller
    body: bytes
    coding: tuple[str, ...]

    def admit(self, request: Request) -> Admitted:
        return Admitted(request.method, (PROOF,), {}, request.target, (), ())

    async def authenticate(self, authorization: tuple[bytes, ...]) -> Caller:
        return self.caller

    async def fetch(self, request: Admitted, route: Route, question: Question) -> Response:
        payload = Payload("application/json", None, self.coding)
        return Response((), payload, Spooled(InMemory(self.body)))


async def prove(rooms: Rooms, plan: Plan) -> str | None:
    """Play the planted exchanges, for the first identifier kind of the plan's first issuer.

    Returns None when all went as they must, or one sentence that says which did not.
    """
    issuer, looks = next(iter(plan.issuers.items()))
    cast, kind = Cast(issuer, looks, secrets.token_hex(16), plan.holds), next(iter(looks))
    caller = cast.caller(cast.own(kind))
    own, foreign = cast.own(kind).value, cast.foreign(kind).value
    spec = BodySpec(Format.JSON, records="$[*]", subject=({kind: ("$.owner",)},))
    planted = replace(
        rooms,
        endpoints=Endpoints([Endpoint(PROOF, f"/{PROOF}", spec)]),
        probe=True,
        tracer=UNTRACED,
    )
    for owners, must_pass in (((own,), True), ((own, foreign), False), ((foreign,), False)):
        body = json.dumps([{"owner": owner} for owner in owners]).encode()
        for coded, coding in ((body, ()), (gzip.compress(body, mtime=0), ("gzip",))):
            play = _Planted(caller, coded, coding)
            outcome = await guard(
                Request("GET", f"/{PROOF}", ()),
                replace(planted, admission=play.admit, identity=play, upstream=play),
            )
            assert not isinstance(outcome, Stream), "its endpoint is held"
            CURRENT.set(None)  # what is said after this is not of that exchange
            if fault := _fault(outcome, must_pass):
                return fault
    return None


class Heard(Protocol):
    """(`telemetry.metrics`)"""

    def __call__(self, *, passed: bool) -> None: ...


class SelfProof:
    """The proof as the gateway lives: played until it passes, then again every five minutes.

    `heard` is told of each whether it `passed`. `fault` says what went wrong, or that none was
    played yet; it is empty where `proven`.
    """

    def __init__(self, rooms: Rooms, plan: Plan, heard: Heard) -> None:
        self._rooms, self._plan, self._heard = replace(rooms, observer=_Nobody()), plan, heard
        self.fault = "not yet played"

    @property
    def proven(self) -> bool:
        return not self.fault

    async def keep_playing(self, draining: Callable[[], bool]) -> None:
        while True:
            fault = await prove(self._rooms, self._plan) or ""
            if draining():
                return  # its exchanges were cut off, which says nothing about the policy
            self._heard(passed=not fault)
            if fault != self.fault:
                (_LOG.error if fault else _LOG.info)("self-proof", fault=fault or None)
            self.fault = fault
            await asyncio.sleep(_RETRY if fault else _PERIOD)


class _Nobody:
    """The self-proof stays out of the metrics: they are about real exports."""

    def exchange(self, evidence: object) -> None: ...


def _fault(outcome: Release | Denial, must_pass: bool) -> str | None:
    if isinstance(outcome, Release):
        outcome.body.close()
        if must_pass:
            return None if outcome.counts.released == 1 else "the own record did not pass whole"
        return None if outcome.counts.redacted else "a planted foreign record was released"
    if must_pass:
        return f"the own record did not pass: {outcome.code}"
    if outcome.code is Code.BLOCKED_BY_POLICY:
        return None
    return f"a planted foreign record met {outcome.code}, not the policy"


# --- what a policy by itself is asked -----------------------------------------------------------


def plan(
    endpoints: Sequence[Endpoint], issuers: Sequence[IssuerSettings], policy: PolicySettings
) -> Plan:
    """The probes' plan for a configuration."""
    looks = {
        issuer.issuer: {kind: _look(source) for kind, source in issuer.identifiers.items()}
        for issuer in issuers
    }
    kinds = tuple({kind: None for each in looks.values() for kind in each})
    targets = tuple(_target(endpoint, kinds) for endpoint in endpoints)
    proof = policy.proof
    holds = Holdings(proof.scopes, proof.roles, proof.claims)
    return Plan(targets, looks, policy.request_phase, holds)


def _look(source: ClaimSource | Template) -> Look:
    match source:
        case Template(literals=literals):
            return Look(literals)
        case ClaimSource(claim="email"):
            return Look(("", "@example.org"))
        case ClaimSource(type=kind):
            return Look(integer=kind == "integer")
        case _:
            assert_never(source)


def _target(endpoint: Endpoint, kinds: tuple[str, ...]) -> Target:
    body = endpoint.body
    specs: tuple[BodySpec | MemberSpec, ...] = (body, *body.members)
    return Target(
        endpoint=endpoint.name,
        path=split_template(endpoint.path),
        kinds=_distinct(kind for spec in specs for kind in _kinds(spec)) or kinds,
        format=body.format,
        attributions=_distinct(_attribution(spec) for spec in specs) or (Attribution.DIRECT,),
        categories=_distinct(
            category
            for spec in body.members or (body,)
            for category in (spec.category, *spec.categories.values())
        ),
        method=endpoint.methods[0],
        labels=endpoint.labels,
    )


def _kinds(spec: BodySpec | MemberSpec) -> Iterator[str]:
    for owner in spec.subject:
        yield from owner
    if isinstance(spec, MemberSpec) and spec.attribution is Attribution.PATH:
        yield from _KIND.findall(spec.match)


def _attribution(spec: BodySpec | MemberSpec) -> Attribution | None:
    """How the spec's records get an owner; None where it names none."""
    if spec.subject:
        return Attribution.DIRECT
    if isinstance(spec, MemberSpec) and spec.attribution not in (
        Attribution.DIRECT,
        Attribution.NONE,
    ):
        return spec.attribution
    return None


def _distinct(values: Iterator[_T | None]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(value for value in values if value is not None))
