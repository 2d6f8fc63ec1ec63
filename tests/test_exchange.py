"""`guard`: one export, step by step; whatever goes wrong is one denial and one log entry."""

import asyncio
import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from gateway import exchange
from gateway.decisionlog.entry import Evidence, Outcome, Stage
from gateway.endpoints import Endpoint, Endpoints, Enforcement, ReleaseMode, Route
from gateway.enforcement import ENFORCEMENT, Denial, Release
from gateway.errors import (
    BadRequest,
    BadUpstream,
    Code,
    Late,
    Refusal,
    Unauthenticated,
    Unavailable,
)
from gateway.exchange import guard
from gateway.inspection.flowmessages import Ended
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import (
    Admitted,
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
    Request,
    SubjectRef,
)
from gateway.policy.contract import Question
from gateway.response import Payload, Response
from gateway.rooms import Rooms, Streaming
from gateway.spool import Spool, Spooled, SpoolSettings
from gateway.streaming import Stream
from gateway.trace import STEPS as TRACED
from gateway.trace import Trace

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
REQUEST = Request("GET", "/exports/orders", ())
BODY = b'[{"owner": "me"}]'
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS = Endpoint("orders", "/exports/orders", BodySpec(Format.JSON))
OBSERVED = replace(
    ORDERS, enforcement=Enforcement.OBSERVE, observe_until=NOW + timedelta(microseconds=1)
)
OVER = replace(ORDERS, enforcement=Enforcement.OBSERVE, observe_until=NOW)
STEPS = ("admission", "identity", "request_policy", "upstream", "inspection", "policy")


def decision(effect: Effect, *permitted: SubjectRef) -> Decision:
    return Decision(effect, frozenset(permitted), False, frozenset(), (), ("test",), "r1")


def seen_groups(*owners: SubjectRef) -> Inspection:
    groups = tuple(Group((owner,), Attribution.DIRECT, "", 1) for owner in owners)
    return Inspection(Format.JSON, groups, ("owner",), len(BODY), len(BODY), len(BODY))


@dataclass
class World:
    """Scripted rooms that write down what happened, in order."""

    spool: Spool
    events: list[str] = field(default_factory=list)
    entries: list[Evidence] = field(default_factory=list)
    observed: list[Evidence] = field(default_factory=list)
    carried: list[tuple[tuple[str, str], ...]] = field(default_factory=list)
    failures: dict[str, BaseException] = field(default_factory=dict)
    request_effect: Effect = Effect.ALLOW
    response_decision: Decision = field(default_factory=lambda: decision(Effect.ALLOW, ME))
    inspection: Inspection = field(default_factory=lambda: seen_groups(ME))
    hang: str = ""
    log_ready: bool = True
    endpoint: Endpoint = ORDERS
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def _step(self, name: str) -> None:
        self.events.append(name)
        if name in self.failures:
            raise self.failures[name]
        if self.hang == name:
            self.arrived.set()
            await asyncio.Event().wait()

    def admit(self, request: Request) -> Admitted:
        self.events.append("admission")
        if "admission" in self.failures:
            raise self.failures["admission"]
        return Admitted(request.method, ("exports", "orders"), {}, request.target, (), (b"t",))

    async def authenticate(self, authorization: tuple[bytes, ...]) -> Caller:
        await self._step("identity")
        return Caller("https://id", "me", (Identifier("account", "me"),))

    async def decide(self, question: Question) -> Decision:
        first = question.phase is Phase.REQUEST
        await self._step("request_policy" if first else "policy")
        return decision(self.request_effect) if first else self.response_decision

    async def fetch(self, request: Admitted, route: Route, question: Question) -> Response:
        await self._step("upstream")
        self.carried.append(request.headers)
        writer = self.spool.writer()
        writer.write(BODY)
        return Response((("content-type", "application/json"),), Payload(), writer.finish())

    async def inspect(self, response: Response, spec: BodySpec, limits: Limits) -> Inspection:
        await self._step("inspection")
        return self.inspection

    async def rewrite(
        self,
        response: Response,
        spec: BodySpec,
        limits: Limits,
        inspection: Inspection,
        decision: Decision,
    ) -> tuple[Spooled, Counts]:
        await self._step("rewrite")
        writer = self.spool.writer()
        writer.write(b"[]")
        return writer.finish(), Counts(seen=2, released=1, redacted=1)

    def ready(self) -> bool:
        return self.log_ready

    async def append(self, evidence: Evidence) -> None:
        await self._step("log")
        self.entries.append(evidence)

    def exchange(self, evidence: Evidence) -> None:
        self.observed.append(evidence)

    def rooms(self) -> Rooms:
        ids = itertools.count(1)
        return Rooms(
            admission=self.admit,
            endpoints=Endpoints([self.endpoint]),
            identity=self,
            policy=self,
            upstream=self,
            inspector=self,
            log=self,
            observer=self,
            request_phase=True,
            new_id=lambda: f"x{next(ids)}",
            now=lambda: NOW,
        )

    def spool_is_empty(self) -> bool:
        return self.spool.bytes_used == 0 and self.spool.files_open == 0


@pytest.fixture
def world(tmp_path: object) -> World:
    # Every body goes to a file, so that a body that isn't closed can be counted.
    return World(Spool(SpoolSettings(directory=tmp_path, memory=0)))  # type: ignore[arg-type]


async def test_an_own_export_is_released_untouched_after_its_entry_is_durable(world: World) -> None:
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Release)
    assert outcome.body.stored.pread(100, 0) == BODY
    assert world.events == [*STEPS, "log"]
    assert world.entries[0].outcome is Outcome.RELEASED
    assert world.entries[0].counts == Counts(seen=1, released=1)
    assert world.entries[0].bytes_released == len(BODY)
    outcome.body.close()
    assert world.spool_is_empty()


async def test_a_block_is_a_denial_with_every_record_blocked(world: World) -> None:
    world.response_decision = decision(Effect.BLOCK)
    world.inspection = seen_groups(ME, FOREIGN)
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert (outcome.status, outcome.code) == (403, Code.BLOCKED_BY_POLICY)
    assert world.entries[0].counts == Counts(seen=2, blocked=2)
    assert world.entries[0].outcome is Outcome.BLOCKED
    assert world.spool_is_empty()


async def test_a_redaction_releases_the_rewritten_body_and_closes_the_original(
    world: World,
) -> None:
    world.response_decision = decision(Effect.REDACT, ME)
    world.inspection = seen_groups(ME, FOREIGN)
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Release)
    assert outcome.body.stored.pread(100, 0) == b"[]"
    assert world.spool.files_open == 1
    assert world.entries[0].counts == Counts(seen=2, released=1, redacted=1)
    outcome.body.close()
    assert world.spool_is_empty()


async def test_an_allow_that_would_leave_a_foreign_record_in_the_body_is_our_bug_and_refused(
    world: World,
) -> None:
    world.inspection = seen_groups(ME, FOREIGN)
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert outcome.code is Code.INTERNAL_ERROR
    assert world.spool_is_empty()


async def test_a_block_in_the_request_phase_never_reaches_the_upstream(world: World) -> None:
    world.request_effect = Effect.BLOCK
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert outcome.status == 403
    assert "upstream" not in world.events
    assert len(world.entries) == 1


async def test_without_a_request_phase_the_policy_is_asked_once(world: World) -> None:
    outcome = await guard(REQUEST, replace(world.rooms(), request_phase=False))
    assert isinstance(outcome, Release)
    assert "request_policy" not in world.events
    outcome.body.close()


REFUSALS: dict[str, Refusal] = {
    "admission": BadRequest(Code.REQUEST_AMBIGUOUS),
    "identity": Unauthenticated(Code.TOKEN_EXPIRED),
    "request_policy": Unavailable(Code.POLICY_TIMEOUT),
    "upstream": Late(Code.UPSTREAM_TIMEOUT),
    "inspection": BadUpstream(Code.BODY_MALFORMED),
    "policy": Unavailable(Code.POLICY_UNDEFINED),
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_refusal_at_any_step_is_one_denial_one_entry_and_no_body_left(
    world: World, step: str
) -> None:
    world.failures[step] = REFUSALS[step]
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert outcome.status == REFUSALS[step].http_status
    assert outcome.code is REFUSALS[step].public_code
    assert [entry.code for entry in world.entries] == [REFUSALS[step].code]
    assert world.observed[0].code is REFUSALS[step].code
    assert world.spool_is_empty()


@pytest.mark.parametrize("step", [*STEPS, "rewrite"])
@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyError, OSError, AssertionError])
async def test_an_unexpected_error_at_any_step_is_refused_and_its_text_is_noted_nowhere(
    world: World, step: str, error: type[Exception]
) -> None:
    world.failures[step] = error("canary-7f3a")
    world.response_decision = decision(Effect.REDACT, ME)
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert (outcome.status, outcome.code) == (500, Code.INTERNAL_ERROR)
    assert error.__name__ in world.entries[0].note
    assert "canary" not in repr(world.entries[0])
    assert world.spool_is_empty()


async def test_an_export_that_could_not_be_logged_is_not_asked_for(world: World) -> None:
    """E06"""
    world.log_ready = False
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert (outcome.status, outcome.code) == (503, Code.LOG_UNAVAILABLE)
    assert world.events == ["admission", "identity", "request_policy", "log"]


async def test_a_log_that_fails_turns_a_release_into_a_denial(world: World) -> None:
    world.failures["log"] = Unavailable(Code.LOG_UNAVAILABLE)
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert (outcome.status, outcome.code) == (503, Code.LOG_UNAVAILABLE)
    assert world.observed[0].outcome is Outcome.REFUSED
    assert world.spool_is_empty()


async def test_a_log_that_fails_unexpectedly_turns_a_release_into_a_denial_too(
    world: World,
) -> None:
    world.failures["log"] = KeyError("canary")
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert outcome.code is Code.INTERNAL_ERROR
    assert world.spool_is_empty()


@pytest.mark.parametrize("step", [*STEPS[1:], "rewrite"])
async def test_an_exchange_that_is_cut_off_by_the_end_of_the_drain_gets_its_entry(
    world: World, step: str
) -> None:
    world.hang = step
    world.response_decision = decision(Effect.REDACT, ME)
    task = asyncio.create_task(guard(REQUEST, world.rooms()))
    await world.arrived.wait()
    task.cancel()
    outcome = await task
    assert isinstance(outcome, Denial)
    assert outcome.code is Code.SHUTTING_DOWN
    assert [entry.code for entry in world.entries] == [Code.SHUTTING_DOWN]
    assert world.spool_is_empty()


@pytest.mark.parametrize("step", [*STEPS[1:], "rewrite"])
async def test_an_exchange_whose_caller_left_says_so(world: World, step: str) -> None:
    """E14"""
    world.hang = step
    world.response_decision = decision(Effect.REDACT, ME)
    task = asyncio.create_task(guard(REQUEST, world.rooms()))
    await world.arrived.wait()
    task.cancel(Code.CALLER_LEFT)
    outcome = await task
    assert isinstance(outcome, Denial)
    assert (outcome.status, outcome.code) == (499, Code.CALLER_LEFT)
    assert [entry.code for entry in world.entries] == [Code.CALLER_LEFT]
    assert world.spool_is_empty()


@pytest.mark.parametrize("effect", list(Effect))
async def test_records_seen_are_released_redacted_or_blocked_whatever_happens(
    world: World, effect: Effect
) -> None:
    world.response_decision = decision(effect, ME, FOREIGN)
    world.inspection = seen_groups(ME, FOREIGN)
    outcome = await guard(REQUEST, world.rooms())
    counts = world.entries[0].counts
    assert counts.seen == 2 == counts.released + counts.redacted + counts.blocked
    if isinstance(outcome, Release):
        outcome.body.close()


# --- an endpoint that is only observed, and its twin that is enforced ---------------------------


@pytest.mark.parametrize("effect", [Effect.BLOCK, Effect.REDACT])
async def test_what_is_only_observed_is_released_whole_and_recorded_as_decided(
    world: World, effect: Effect
) -> None:
    world.endpoint, world.inspection = OBSERVED, seen_groups(ME, FOREIGN)
    world.response_decision = decision(effect, ME)
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Release)
    assert outcome.body.stored.pread(100, 0) == BODY
    assert dict(outcome.headers)[ENFORCEMENT] == f"observe; would={effect.value}"
    (entry,) = world.entries
    assert (entry.outcome, entry.code, entry.http_status) == (Outcome.OBSERVED, None, 200)
    assert entry.decision == world.response_decision and entry.observing
    assert entry.counts == Counts(seen=2, released=2)
    assert entry.against_policy == (2 if effect is Effect.BLOCK else 1)
    assert "rewrite" not in world.events
    outcome.body.close()
    assert world.spool_is_empty()


@pytest.mark.parametrize("endpoint", [ORDERS, OVER], ids=["enforced", "the date has passed"])
@pytest.mark.parametrize("phase", list(Phase))
async def test_what_is_enforced_blocks(world: World, endpoint: Endpoint, phase: Phase) -> None:
    world.endpoint, world.inspection = endpoint, seen_groups(ME, FOREIGN)
    world.response_decision = decision(Effect.BLOCK)
    if phase is Phase.REQUEST:
        world.request_effect = Effect.BLOCK
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert (outcome.code, outcome.observing) == (Code.BLOCKED_BY_POLICY, False)
    assert world.entries[0].outcome is Outcome.BLOCKED and not world.entries[0].observing
    assert world.entries[0].against_policy == 0


async def test_a_block_in_the_request_phase_is_observed_and_is_the_decision(world: World) -> None:
    world.endpoint, world.request_effect = OBSERVED, Effect.BLOCK
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Release)
    assert dict(outcome.headers)[ENFORCEMENT] == "observe; would=block"
    (entry,) = world.entries
    assert entry.outcome is Outcome.OBSERVED
    assert entry.decision is not None and entry.decision.effect is Effect.BLOCK
    assert entry.question is not None and entry.question.phase is Phase.REQUEST
    # The body was read to its end all the same; what it holds was not asked about again.
    assert world.events == [step for step in STEPS if step != "policy"] + ["log"]
    outcome.body.close()


@pytest.mark.parametrize("phase", list(Phase))
async def test_what_is_observed_no_more_when_its_body_has_come_is_enforced(
    world: World, phase: Phase
) -> None:
    """Nobody gets around the last day by reading or sending slowly."""
    world.endpoint, world.inspection = OBSERVED, seen_groups(ME, FOREIGN)
    world.response_decision = decision(Effect.BLOCK)
    if phase is Phase.REQUEST:
        world.request_effect = Effect.BLOCK
    assert OBSERVED.observe_until is not None
    times = iter([NOW, OBSERVED.observe_until])
    outcome = await guard(REQUEST, replace(world.rooms(), now=times.__next__))
    assert isinstance(outcome, Denial)
    assert outcome.code is Code.BLOCKED_BY_POLICY
    (entry,) = world.entries
    assert (entry.outcome, entry.counts.released) == (Outcome.BLOCKED, 0)
    assert world.spool_is_empty()


async def test_what_the_policy_allows_is_an_ordinary_release_where_it_is_only_observed(
    world: World,
) -> None:
    world.endpoint = OBSERVED
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Release)
    assert dict(outcome.headers)[ENFORCEMENT] == "observe"
    assert world.entries[0].outcome is Outcome.RELEASED and world.entries[0].observing
    assert world.events == [*STEPS, "log"]
    outcome.body.close()


@pytest.mark.parametrize("step", [*STEPS[1:], "log"])
async def test_what_can_not_be_told_is_refused_also_where_it_is_only_observed(
    world: World, step: str
) -> None:
    world.endpoint = OBSERVED
    world.failures[step] = REFUSALS.get(step, Unavailable(Code.LOG_UNAVAILABLE))
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert outcome.observing
    assert world.observed[0].outcome is Outcome.REFUSED
    assert world.observed[0].counts.released == 0 == world.observed[0].bytes_released
    assert world.spool_is_empty()


async def test_an_observed_export_without_its_entry_does_not_leave(world: World) -> None:
    world.endpoint, world.failures["log"] = OBSERVED, Unavailable(Code.LOG_UNAVAILABLE)
    world.response_decision = decision(Effect.BLOCK)
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Denial)
    assert world.observed[0].against_policy == 0
    assert world.spool_is_empty()


@dataclass
class Placed:
    """A tracer whose traces are kept, or not."""

    kept: bool
    begun: list[str] = field(default_factory=list)

    def begin(self, exchange_id: str, headers: object) -> Trace:
        self.begun.append(exchange_id)
        return Trace("a" * 32, "b" * 16, "c" * 16, self.kept, (("traceparent", "p"),))


async def test_a_kept_trace_is_in_the_evidence_with_the_moments_at_which_each_step_began(
    world: World,
) -> None:
    tracer = Placed(kept=True)
    outcome = await guard(REQUEST, replace(world.rooms(), tracer=tracer))
    assert isinstance(outcome, Release)
    outcome.body.close()
    evidence = world.observed[0]
    assert tracer.begun == [evidence.exchange_id] and evidence.trace_id == "a" * 32
    span = evidence.span
    assert span is not None and (span.span_id, span.parent_id) == ("b" * 16, "c" * 16)
    assert list(span.starts) == list(evidence.durations) == list(TRACED)
    ends = [span.starts[step] + evidence.durations[step] for step in TRACED]
    nexts = [span.starts[step] for step in TRACED[1:]]
    assert all(end <= start + 1e-9 for end, start in zip(ends[:-1], nexts, strict=True))
    assert world.carried == [(("traceparent", "p"),)]


async def test_a_trace_that_is_not_kept_is_carried_and_nothing_else(world: World) -> None:
    outcome = await guard(REQUEST, replace(world.rooms(), tracer=Placed(kept=False)))
    assert isinstance(outcome, Release)
    outcome.body.close()
    assert (world.observed[0].trace_id, world.observed[0].span) == ("", None)
    assert world.carried == [(("traceparent", "p"),)]


@pytest.mark.parametrize("step", (*STEPS, "log"))
async def test_a_refused_exchange_is_traced_too_up_to_the_step_that_refused(
    world: World, step: str
) -> None:
    world.failures[step] = REFUSALS.get(step, Unavailable(Code.LOG_UNAVAILABLE))
    await guard(REQUEST, replace(world.rooms(), tracer=Placed(kept=True)))
    span = world.observed[0].span
    assert span is not None
    *before, last = span.starts
    assert last == "log" and before[-1] == ("enforcement" if step == "log" else step)


async def test_the_evidence_holds_the_question_that_the_decision_answers(world: World) -> None:
    outcome = await guard(REQUEST, world.rooms())
    assert isinstance(outcome, Release)
    outcome.body.close()
    question = world.observed[0].question
    assert question is not None and question.inspection is world.inspection
    world.request_effect = Effect.BLOCK
    await guard(REQUEST, world.rooms())
    blocked = world.observed[1]
    assert blocked.question is not None and blocked.question.phase is Phase.REQUEST


def test_only_enforcement_can_make_a_release() -> None:
    with pytest.raises(TypeError):
        Release(object(), effect=Effect.ALLOW, headers=(), body=None, counts=Counts())  # type: ignore[arg-type]


def test_guard_can_be_read_on_one_screen() -> None:
    lines: Callable[..., tuple[list[str], int]] = inspect.getsourcelines
    assert len(lines(exchange.guard)[0]) < 80


# --- as it comes --------------------------------------------------------------------------------


STREAMED = Endpoint(
    "orders", "/exports/orders", BodySpec(Format.NDJSON), release=ReleaseMode.STREAM
)


@dataclass
class Coming:
    """A response that is still coming, and its session, which ends at once."""

    seen: Inspection
    headers: tuple[tuple[str, str], ...] = (("X-A", "b"),)
    payload: Payload = field(default_factory=Payload)
    received: int = 0
    complete: bool = True
    waited: float = 0.0
    closed: int = 0
    in_force: list[Decision] = field(default_factory=list)

    async def read(self) -> bytes:
        return b""

    async def next(self) -> Ended:
        return Ended(self.seen, Counts(seen=1, released=1))

    def answer(self, decision: Decision) -> None:
        self.in_force.append(decision)

    def taken(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


def streaming(world: World) -> tuple[Coming, Rooms]:
    world.endpoint = STREAMED
    coming = Coming(world.inspection)

    async def arrive(*_: object) -> Coming:
        await world._step("upstream")
        return coming

    async def read(*_: object) -> Coming:
        await world._step("inspection")
        return coming

    return coming, replace(world.rooms(), streaming=Streaming(arrive, read))


async def test_a_stream_is_handed_out_when_its_opening_is_in_the_log(world: World) -> None:
    coming, rooms = streaming(world)
    outcome = await guard(REQUEST, rooms)
    assert isinstance(outcome, Stream)
    assert outcome.headers == (("X-A", "b"),)
    assert world.events == [*STEPS, "log"]
    (opening,) = world.entries
    assert (opening.stage, opening.part, opening.outcome) == (Stage.OPENING, 1, Outcome.RELEASED)
    assert (opening.counts, world.observed, coming.closed) == (Counts(), [], 0)

    async def send(data: bytes) -> None: ...

    assert await outcome.deliver(send)
    assert world.entries[1].stage is Stage.END
    assert world.observed == [world.entries[1]]
    assert coming.closed == 1 and coming.in_force == [world.response_decision]


@pytest.mark.parametrize("step", ["upstream", "inspection", "policy", "log"])
async def test_a_stream_that_can_not_be_opened_is_a_denial_as_any_other(
    world: World, step: str
) -> None:
    coming, rooms = streaming(world)
    world.failures[step] = Unavailable(Code.OVERLOADED, "full")
    outcome = await guard(REQUEST, rooms)
    assert isinstance(outcome, Denial) and outcome.code is Code.OVERLOADED
    assert [entry.stage for entry in world.observed] == [None]
    assert coming.closed == (step in ("policy", "log"))


async def test_a_block_of_the_opening_is_a_denial(world: World) -> None:
    coming, rooms = streaming(world)
    world.response_decision = decision(Effect.BLOCK)
    outcome = await guard(REQUEST, rooms)
    assert isinstance(outcome, Denial) and outcome.status == 403
    assert (world.entries[0].stage, coming.closed) == (None, 1)


async def test_a_caller_of_http_1_0_is_not_streamed_to(world: World) -> None:
    _, rooms = streaming(world)
    outcome = await guard(structs.replace(REQUEST, version=(1, 0)), rooms)
    assert isinstance(outcome, Release)
    outcome.body.close()
