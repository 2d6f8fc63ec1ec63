"""A second policy on live traffic: bounded, and never in the way."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from gateway.errors import Code, Unavailable
from gateway.model import Attribution, Decision, Effect, Group, Phase, SubjectRef
from gateway.policy import shadow as module
from gateway.policy.bundle import Bundle, BundleError, load
from gateway.policy.bundles.source import make_source
from gateway.policy.comparison import Difference
from gateway.policy.contract import Question
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import EngineFacts, EngineKind, Evaluation
from gateway.policy.settings import PolicySettings, ShadowSettings
from gateway.policy.shadow import Listener, Shadow, ShadowFacts, State
from gateway.trace import CURRENT, Trace
from tests.policy.support import AMPLE, ECHO, FOREIGN, ME, answer, question, write_bundle
from tests.support import said

ALLOW = Decision(Effect.ALLOW, frozenset({ME}), False, frozenset(), (), ("self_access",), "r1")
BLOCK = answer(effect="block", permitted=[], reasons=["no_ground"])

Heard = tuple[str, Question, Any]


@dataclass
class Ear(Listener):
    """Writes down what it hears."""

    heard: list[Heard] = field(default_factory=list)
    states: list[ShadowFacts] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def compared(
        self, question: Question, active: Decision, shadow: Decision, found: Difference | None
    ) -> None:
        self._hear(("differed" if found else "agreed", question, shadow))

    def failed(self, question: Question, code: Code) -> None:
        self._hear(("failed", question, code))

    def dropped(self, question: Question) -> None:
        self._hear(("dropped", question, None))

    def changed(self, facts: ShadowFacts) -> None:
        self.states.append(facts)
        self.news.set()

    def _hear(self, what: Heard) -> None:
        self.heard.append(what)
        self.news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(AMPLE):
            while not true():
                self.news.clear()
                await self.news.wait()

    async def kinds(self, count: int) -> list[str]:
        """What was heard, once it is so much."""
        await self.until(lambda: len(self.heard) >= count)
        return [kind for kind, _, _ in self.heard]


@dataclass
class Scripted:
    """An engine that does what the test says."""

    act: Callable[[bytes], Awaitable[bytes | None]]
    starts: Callable[[], None] = lambda: None
    stopped: bool = False

    async def start(self) -> None:
        self.starts()

    async def stop(self) -> None:
        self.stopped = True

    async def evaluate(self, question: bytes) -> Evaluation:
        return Evaluation(await self.act(question), "next")

    async def ready(self) -> bool:
        return True

    def facts(self) -> EngineFacts:
        return EngineFacts(EngineKind.EMBEDDED, "next", True, restarts=2)


@dataclass
class Scroll:
    """Candidates that the test puts there."""

    coming: asyncio.Queue[Bundle | Exception] = field(default_factory=asyncio.Queue)
    stopped: bool = False

    async def next(self) -> Bundle:
        found = await self.coming.get()
        if isinstance(found, Exception):
            raise found
        return found

    start = next

    async def stop(self) -> None:
        self.stopped = True


def says(raw: bytes | None) -> Scripted:
    async def act(_: bytes) -> bytes | None:
        return raw

    return Scripted(act)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load(write_bundle(tmp_path / "next", {"privacy/echo.rego": ECHO}, revision="next"))


@asynccontextmanager
async def shadowing(bundle: Bundle, engine: Scripted, **settings: Any) -> Any:
    """A shadow that has loaded, and the ear that hears it."""
    ear, scroll = Ear(), Scroll()
    scroll.coming.put_nowait(bundle)
    shadow = Shadow(ShadowSettings(**settings), scroll, lambda _: engine, ear)
    shadow.start()
    try:
        await ear.until(lambda: bool(ear.states))
        yield shadow, ear
    finally:
        await shadow.stop()


# --- comparing ----------------------------------------------------------------------------------


async def test_it_hears_where_the_two_agree_and_where_they_differ(bundle: Bundle) -> None:
    async with shadowing(bundle, says(answer())) as (shadow, ear):
        assert ear.states == [ShadowFacts(State.READY, "next", restarts=2)]
        shadow.offer(question(ME), ALLOW)
        assert await ear.kinds(1) == ["agreed"]
    async with shadowing(bundle, says(BLOCK)) as (shadow, ear):
        shadow.offer(question(ME), ALLOW)
        assert await ear.kinds(1) == ["differed"]
        assert ear.heard[0][2].revision == "next"


async def test_what_is_heard_of_a_comparison_is_heard_in_the_context_of_its_exchange(
    bundle: Bundle,
) -> None:
    """So that its line of the log names the exchange and the trace, though nobody waits for it."""
    own = ("x1", Trace("a" * 32, "b" * 16, kept=True))
    async with shadowing(bundle, says(answer())) as (shadow, ear):
        hear, contexts = ear._hear, []

        def told(what: Heard) -> None:
            contexts.append(CURRENT.get())
            hear(what)

        ear._hear = told
        CURRENT.set(own)
        shadow.offer(question(ME), ALLOW)
        CURRENT.set(None)
        await ear.kinds(1)
    assert contexts == [own]


async def test_the_request_phase_is_compared_too(bundle: Bundle) -> None:
    allow = structs.replace(ALLOW, permitted=frozenset())
    async with shadowing(bundle, says(answer(permitted=[]))) as (shadow, ear):
        shadow.offer(question(phase=Phase.REQUEST), allow)
        assert await ear.kinds(1) == ["agreed"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (None, Code.POLICY_UNDEFINED),
        (b"", Code.DECISION_INVALID),
        (b"garbage\xff", Code.DECISION_INVALID),
        (b"[" * 100_000, Code.DECISION_INVALID),
        (answer(permitted=[{"kind": "account", "value": "nobody"}]), Code.DECISION_INVALID),
        (answer(reasons=["Not A Name"]), Code.DECISION_INVALID),
    ],
)
async def test_an_answer_that_the_contract_does_not_accept_is_a_failure(
    bundle: Bundle, raw: bytes | None, code: Code
) -> None:
    async with shadowing(bundle, says(raw)) as (shadow, ear):
        shadow.offer(question(ME), ALLOW)
        assert await ear.kinds(1) == ["failed"]
        assert ear.heard[0][2] is code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable(Code.POLICY_TIMEOUT, "late"), Code.POLICY_TIMEOUT),
        (TimeoutError(), Code.POLICY_TIMEOUT),
        (KeyError("canary"), Code.INTERNAL_ERROR),
        (MemoryError(), Code.INTERNAL_ERROR),
    ],
)
async def test_an_engine_that_fails_is_a_failure_and_is_asked_again(
    bundle: Bundle, error: Exception, code: Code, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(_: bytes) -> bytes:
        raise error

    async with shadowing(bundle, Scripted(act)) as (shadow, ear):
        for _ in range(2):
            shadow.offer(question(ME), ALLOW)
        assert await ear.kinds(2) == ["failed"] * 2
        assert ear.heard[0][2] is code
    assert "canary" not in said.text(caplog)


async def test_an_engine_that_hangs_is_given_up(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE", 0.0)

    async def act(asked: bytes) -> bytes:
        if json.loads(asked)["endpoint"]["name"] == "hang":
            await asyncio.Event().wait()
        return answer()

    async with shadowing(bundle, Scripted(act), deadline=0.05) as (shadow, ear):
        shadow.offer(question(ME, endpoint="hang"), ALLOW)
        shadow.offer(question(ME), ALLOW)
        assert await ear.kinds(2) == ["failed", "agreed"]
        assert ear.heard[0][2] is Code.POLICY_TIMEOUT


async def test_a_question_that_can_not_be_asked_is_a_failure(bundle: Bundle) -> None:
    async with shadowing(bundle, says(answer())) as (shadow, ear):
        shadow.offer(question(SubjectRef("account", 2**70)), ALLOW)
        assert await ear.kinds(1) == ["failed"]
        assert ear.heard[0][2] is Code.BODY_AMBIGUOUS


async def test_a_listener_that_fails_ends_nothing(bundle: Bundle) -> None:
    async with shadowing(bundle, says(answer())) as (shadow, ear):
        hear = ear._hear

        def fail(what: Heard) -> None:
            ear._hear = hear
            ear.news.set()
            raise KeyError("canary")

        ear._hear = fail
        shadow.offer(question(ME), ALLOW)
        shadow.offer(question(ME), ALLOW)
        assert await ear.kinds(1) == ["agreed"]


# --- bounds -------------------------------------------------------------------------------------


@dataclass
class Gate:
    """Holds every evaluation until it is opened, and counts how many there are at a time."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    inside: int = 0
    most: int = 0

    async def __call__(self, _: bytes) -> bytes:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.set()
        await self.opened.wait()
        self.inside -= 1
        return answer()


async def test_beyond_its_queue_a_comparison_is_dropped_and_counted(bundle: Bundle) -> None:
    gate = Gate()
    async with shadowing(bundle, Scripted(gate), queue=3, deadline=AMPLE) as (shadow, ear):
        shadow.offer(question(ME), ALLOW)
        await gate.entered.wait()
        for _ in range(5):
            shadow.offer(question(ME), ALLOW)
        assert shadow.facts().waiting == 3
        assert [kind for kind, _, _ in ear.heard] == ["dropped"] * 2
        gate.opened.set()
        assert sorted(await ear.kinds(6)) == ["agreed"] * 4 + ["dropped"] * 2
        assert gate.most == 1
        shadow.offer(question(ME), ALLOW)
        assert (await ear.kinds(7))[-1] == "agreed"


async def test_as_many_are_evaluated_at_a_time_as_there_are_workers(bundle: Bundle) -> None:
    gate = Gate()
    async with shadowing(bundle, Scripted(gate), workers=3, deadline=AMPLE) as (shadow, ear):
        for _ in range(9):
            shadow.offer(question(ME), ALLOW)
        while gate.inside < 3:
            gate.entered.clear()
            await gate.entered.wait()
        gate.opened.set()
        assert await ear.kinds(9) == ["agreed"] * 9
        assert gate.most == 3


async def test_what_waits_is_bounded_by_what_it_holds(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HELD", 100)
    crowd = [Group((SubjectRef("account", n),), Attribution.DIRECT, "", 1) for n in range(150)]
    gate = Gate()
    async with shadowing(bundle, Scripted(gate), deadline=AMPLE) as (shadow, ear):
        shadow.offer(question(*crowd), ALLOW)  # larger than all that may wait, but alone
        await gate.entered.wait()
        shadow.offer(question(ME), ALLOW)
        assert [kind for kind, _, _ in ear.heard] == ["dropped"]
        gate.opened.set()
        await ear.kinds(2)
        shadow.offer(question(ME), ALLOW)
        assert (await ear.kinds(3))[-1] == "agreed"


async def test_a_big_question_is_compared_as_a_small_one_is(bundle: Bundle) -> None:
    crowd = [SubjectRef("account", n) for n in range(1_000)]
    allow = structs.replace(ALLOW, permitted=frozenset(crowd))
    named = [{"kind": each.kind, "value": each.value} for each in crowd]
    async with shadowing(bundle, says(answer(permitted=named))) as (shadow, ear):
        shadow.offer(question(*crowd), allow)
        assert await ear.kinds(1) == ["agreed"]
    async with shadowing(bundle, says(BLOCK)) as (shadow, ear):
        shadow.offer(question(*crowd), allow)
        assert await ear.kinds(1) == ["differed"]


async def test_stopping_drops_what_waits_and_ends_the_engine(bundle: Bundle) -> None:
    gate = Gate()
    engine = Scripted(gate)
    async with shadowing(bundle, engine, deadline=AMPLE) as (shadow, ear):
        for _ in range(3):
            shadow.offer(question(ME), ALLOW)
        await gate.entered.wait()
    assert engine.stopped
    assert ear.heard == []
    shadow.offer(question(ME), ALLOW)  # as in the last moments of a drain
    assert [kind for kind, _, _ in ear.heard] == ["failed"]


# --- loading ------------------------------------------------------------------------------------


async def test_a_shadow_that_can_not_be_used_is_reported_once_and_again_when_it_can(
    bundle: Bundle,
) -> None:
    ear, scroll, engine = Ear(), Scroll(), says(answer())
    shadow = Shadow(ShadowSettings(), scroll, lambda _: engine, ear)
    shadow.start()
    assert shadow.facts().state is State.LOADING
    shadow.offer(question(ME), ALLOW)
    assert [(kind, code) for kind, _, code in ear.heard] == [("failed", Code.POLICY_UNAVAILABLE)]
    for _ in range(2):
        scroll.coming.put_nowait(BundleError("next/x.rego", "line 3 column 1: no"))
    scroll.coming.put_nowait(bundle)
    await ear.until(lambda: len(ear.states) == 2)
    broken, ready = ear.states
    assert (broken.state, broken.fault) == (State.BROKEN, "next/x.rego: line 3 column 1: no")
    assert (ready.state, ready.revision, ready.fault) == (State.READY, "next", "")
    shadow.offer(question(ME), ALLOW)
    assert (await ear.kinds(2))[-1] == "agreed"
    scroll.coming.put_nowait(BundleError("next", "gone"))
    await ear.until(lambda: len(ear.states) == 3)
    assert engine.stopped
    assert shadow.facts() == ShadowFacts(State.BROKEN, fault="next: gone", restarts=2)  # no fewer
    await shadow.stop()
    assert scroll.stopped


async def test_an_engine_that_does_not_start_makes_a_shadow_that_can_not_be_used(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    faults: list[Exception] = [KeyError("canary"), BundleError("next", "no module")]

    def starts() -> None:
        if faults:
            raise faults.pop(0)

    ear, scroll = Ear(), Scroll()
    for _ in range(3):
        scroll.coming.put_nowait(bundle)
    engine = says(answer())
    engine.starts = starts
    shadow = Shadow(ShadowSettings(), scroll, lambda _: engine, ear)
    shadow.start()
    await ear.until(lambda: len(ear.states) == 3)
    assert [facts.state for facts in ear.states] == [State.BROKEN, State.BROKEN, State.READY]
    assert "KeyError at " in ear.states[0].fault and "canary" not in ear.states[0].fault
    await shadow.stop()


async def test_a_real_bundle_is_evaluated_and_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_bundle(tmp_path / "next", {"privacy/echo.rego": ECHO}, revision="1")
    policy = PolicySettings(shadow=ShadowSettings(folder, deadline=AMPLE))
    settings = policy.shadowing
    assert settings is not None and policy.shadow is not None
    polling = changed(settings.delivery.polling, files=0.1)
    settings = changed(settings, delivery=changed(settings.delivery, polling=polling))
    ear, source = Ear(), make_source(settings)
    shadow = Shadow(policy.shadow, source, lambda b: EmbeddedEngine(settings, b, nice=5), ear)
    shadow.start()
    try:
        await ear.until(lambda: bool(ear.states))
        asked = question(ME, claims={"answer": answer().decode()})
        shadow.offer(asked, ALLOW)
        shadow.offer(question(ME), ALLOW)
        assert await ear.kinds(2) == ["agreed", "failed"]
        (folder / ".manifest").write_text('{"roots": ["privacy"], "revision": "2"}')
        (folder / "privacy" / "echo.rego").write_text("package privacy\nno")
        await ear.until(lambda: len(ear.states) == 2)
        assert ear.states[1].state is State.BROKEN
        assert "echo.rego" in ear.states[1].fault
        (folder / "privacy" / "echo.rego").write_text(ECHO)
        await ear.until(lambda: len(ear.states) == 3)
        assert (ear.states[2].state, ear.states[2].revision) == (State.READY, "2")
        shadow.offer(asked, ALLOW)
        assert (await ear.kinds(3))[-1] == "agreed"
        assert ear.heard[-1][2].revision == "2"
    finally:
        await shadow.stop()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_bundle_that_is_not_there_yet_is_taken_up_when_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    policy = PolicySettings(shadow=ShadowSettings(folder))
    settings = policy.shadowing
    assert settings is not None and policy.shadow is not None
    polling = changed(settings.delivery.polling, files=0.1)
    settings = changed(settings, delivery=changed(settings.delivery, polling=polling))
    ear = Ear()
    shadow = Shadow(policy.shadow, make_source(settings), lambda _: says(answer()), ear)
    shadow.start()
    try:
        await ear.until(lambda: bool(ear.states))
        assert ear.states[0].state is State.BROKEN
        write_bundle(folder, {"privacy/echo.rego": ECHO})
        await ear.until(lambda: ear.states[-1].state is State.READY)
    finally:
        await shadow.stop()
    assert FOREIGN.value not in str(ear.states)
