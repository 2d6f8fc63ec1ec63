"""Candidates that go live and candidates that don't, on real worker processes."""

import asyncio
import errno
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Code, Unavailable
from gateway.model import Decision, Effect
from gateway.policy import activation
from gateway.policy.activation import Activation
from gateway.policy.bundle import Bundle, BundleError, load
from gateway.policy.contract import encode_question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import Stage
from gateway.policy.planted import Look
from gateway.policy.probes import Plan, Target
from gateway.policy.settings import PolicySettings
from tests.policy.support import AMPLE, FOREIGN, ME, POLICIES, question, write_bundle
from tests.support.children import children as children_of
from tests.support.said import capture_logs

PLAN = Plan(
    (Target("orders", ("exports", "orders"), ("account",)),),
    {"https://id.example.org": {"account": Look()}},
)
QUESTION = encode_question(question(ME))

# A small policy that guards, and names itself in its reasons.
GUARD = """package privacy.decision

mine := {{"kind": i.kind, "value": i.value} | some i in input.caller.identifiers}

asked := {{"kind": s.kind, "value": s.value} | some s in input.payload.subjects}

foreign := asked - mine

default decided := "block"

decided := "allow" if {
	is_null(input.caller.actor)
	count(mine) > 0
	count(foreign) == 0
	input.payload.unattributed.records == 0
}
"""
ANSWER = """package privacy

decision := {
	"effect": data.privacy.guard.decided,
	"permitted": [s | some s in data.privacy.guard.asked; data.privacy.guard.decided == "allow"],
	"unattributed": "withhold",
	"withhold": [],
	"mask": [],
	"reasons": ["NAME"],
}
"""
GUARD = GUARD.replace("package privacy.decision", "package privacy.guard")


class Scripted:
    """A source that yields what the test puts in, one after the other."""

    def __init__(self, *candidates: Bundle | BaseException) -> None:
        self.candidates: asyncio.Queue[Bundle | BaseException] = asyncio.Queue()
        for each in candidates:
            self.candidates.put_nowait(each)
        self.good: Bundle | None = None
        self.active: list[str] = []
        self.age = float("inf")
        self.stopped = False

    async def start(self) -> Bundle:
        return await self.next()

    async def next(self) -> Bundle:
        match await self.candidates.get():
            case Bundle() as bundle:
                return bundle
            case BaseException() as error:
                raise error

    async def last_good(self) -> Bundle:
        if self.good is None:
            raise BundleError("server", "no last good bundle is kept")
        return self.good

    def activated(self, bundle: Bundle) -> None:
        self.active.append(bundle.revision)
        self.age = 0.0

    async def stop(self) -> None:
        self.stopped = True


class Shelf:
    """Makes bundles, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._number = folder, 0

    def rego(self, revision: str, *modules: str, data: Any = None, **more: str) -> Bundle:
        self._number += 1
        files = {f"privacy/{number}.rego": text for number, text in enumerate(modules)} | more
        folder = self._folder / str(self._number)
        return load(write_bundle(folder, files, revision=revision, data=data))

    def guard(self, name: str) -> Bundle:
        """A policy that guards, with its own name as revision and reason."""
        return self.rego(name, GUARD, ANSWER.replace("NAME", name))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activation, "_PAUSE", 0.0)


@asynccontextmanager
async def running(source: Scripted, **settings: Any) -> AsyncIterator[Activation]:
    settings.setdefault("deadline", AMPLE)
    engine = Activation(PolicySettings(**settings), source, PLAN)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.005)  # a bounded poll (pytest-timeout) of work in the background


async def decided(engine: Activation) -> Decision:
    return await PolicyDecisions(engine).decide(question(ME))


# --- going live ---------------------------------------------------------------------------------


async def test_the_first_candidate_is_proven_and_decides(shelf: Shelf) -> None:
    source = Scripted(shelf.guard("one"))
    async with running(source) as engine:
        assert (await decided(engine)).reasons == ("one",)
        facts = engine.facts()
        assert (facts.revision, facts.ready, facts.activations) == ("one", True, 1)
        assert facts.activated_at and facts.age == 0.0
        assert source.active == ["one"]
    assert source.stopped
    assert engine.pids() == ()


async def test_what_ships_is_proven() -> None:
    source = Scripted(load(POLICIES))
    async with running(source) as engine:
        assert (await decided(engine)).effect is Effect.ALLOW


async def test_a_change_under_load_drops_no_question_and_every_decision_has_one_revision(
    shelf: Shelf,
) -> None:
    source = Scripted(shelf.guard("one"))
    names = [f"n{number}" for number in range(4)]
    decisions: list[Decision] = []
    changing = True

    async def export(engine: Activation) -> None:
        while changing:
            decisions.append(await decided(engine))

    async with running(source) as engine:
        exports = [asyncio.create_task(export(engine)) for _ in range(20)]
        for name in names:
            await source.candidates.put(shelf.guard(name))
            await until(lambda name=name: source.active[-1] == name)
        changing = False
        await asyncio.gather(*exports)
        decisions.append(await decided(engine))
    # The policy names itself: what evaluated is what the decision says, to the last one.
    assert all(each.reasons == (each.revision,) for each in decisions)
    assert {each.revision for each in decisions} == {"one", *names}


async def test_questions_in_flight_are_answered_by_the_policy_that_they_were_asked(
    shelf: Shelf,
) -> None:
    source = Scripted(shelf.guard("one"))
    async with running(source) as engine:
        before = engine.pids()
        asked = [asyncio.create_task(decided(engine)) for _ in range(200)]
        await asyncio.sleep(0)
        await source.candidates.put(shelf.guard("two"))
        await until(lambda: source.active[-1] == "two")
        assert {each.revision for each in await asyncio.gather(*asked)} == {"one"}
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before))


async def test_what_is_counted_never_falls_while_one_policy_takes_the_place_of_another(
    shelf: Shelf,
) -> None:
    source = Scripted(shelf.guard("one"))
    async with running(source) as engine:
        (pid,) = engine.pids()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: engine.facts().restarts == 1 and engine.facts().ready)
        seen: set[int] = set()

        async def export() -> None:
            while source.active[-1] == "one":
                await decided(engine)

        exports = [asyncio.create_task(export()) for _ in range(50)]
        source.candidates.put_nowait(shelf.guard("two"))
        while not all(task.done() for task in exports):
            seen.add(engine.facts().restarts)
            await asyncio.sleep(0)  # every turn of the loop is looked at
        await asyncio.gather(*exports)
        assert seen == {1}


async def test_a_flood_of_candidates_leaks_neither_processes_nor_descriptors(shelf: Shelf) -> None:
    names = [f"n{number}" for number in range(12)]
    source = Scripted(shelf.guard("one"))
    async with running(source) as engine:
        await decided(engine)
        descriptors = len(os.listdir("/proc/self/fd"))
        for name in names:
            source.candidates.put_nowait(shelf.guard(name))
        most = 0
        while source.active[-1] != names[-1]:
            most = max(most, len(children()))
            await asyncio.sleep(0.002)  # a bounded poll of work in the background
        await until(lambda: children() == set(engine.pids()))
        assert most <= 2
        assert len(os.listdir("/proc/self/fd")) == descriptors
        assert source.active == ["one", *names]


def children() -> set[int]:
    """Our Rego workers."""
    return {*children_of(os.getpid(), "rego_worker")}


async def test_what_is_active_already_is_confirmed_and_not_loaded_again(shelf: Shelf) -> None:
    one = shelf.guard("one")
    source = Scripted(one)
    async with running(source) as engine:
        before = engine.pids()
        await source.candidates.put(one)
        await until(lambda: source.active == ["one", "one"])
        assert engine.pids() == before
        assert engine.facts().activations == 1


# --- not going live -----------------------------------------------------------------------------


def permissive(name: str) -> str:
    return (
        ANSWER.replace("NAME", name)
        .replace("data.privacy.guard.decided", '"allow"')
        .replace('; "allow" == "allow"', "")
        .replace('"withhold",\n\t"withhold"', '"release",\n\t"withhold"')
    )


SETTINGS = {"grounds": {"self_access": True}}
BAD: dict[str, tuple[tuple[str, ...], Stage, str]] = {
    "default allow": ((GUARD, permissive("x")), Stage.PROOF, "must stay behind, but the answer is"),
    "blocks everything": (
        (GUARD.replace('"allow"', '"block"'), ANSWER.replace("NAME", "x")),
        Stage.PROOF,
        "endpoint self-proof: the caller's own record: must pass",
    ),
    "undefined": (("package privacy\n\ndecision := 1 if input.never\n",), Stage.PROOF, "undefined"),
    "an ill-typed answer": (
        (GUARD, ANSWER.replace("NAME", "x").replace('"withhold": [],', "")),
        Stage.PROOF,
        "not answered, decision_invalid",
    ),
    "rules that conflict": (
        (GUARD, ANSWER.replace("NAME", "x"), "package privacy\n\ndecision := 2\n"),
        Stage.LOAD,
        "1.rego",
    ),
    "rules that conflict on some question": (
        (
            GUARD + "\ndecided := \"redact\" if count(foreign) == 0\n",
            ANSWER.replace("NAME", "x"),
        ),
        Stage.PROOF,
        "not answered, policy_unavailable: the evaluation fails at privacy/",
    ),
    "a syntax error": (("package privacy\n\nx := := 1\n",), Stage.LOAD, "0.rego:3:6: "),
    "an unsafe variable": (("package privacy\n\nx := y\n",), Stage.LOAD, "var y is unsafe"),
    "a builtin that reaches outside": (
        (GUARD, ANSWER.replace('"NAME"', 'http.send({"url": "http://127.0.0.1"}).body')),
        Stage.LOAD,
        "http.send is not allowed",
    ),
    "a builtin that the engine lacks": (
        (GUARD, ANSWER.replace('"NAME"', 'io.jwt.decode("x")[0]')),
        Stage.LOAD,
        "io.jwt.decode is not known to the embedded engine",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_a_candidate_that_is_unfit_leaves_the_active_one_in_its_place(
    shelf: Shelf, name: str
) -> None:
    modules, stage, says = BAD[name]
    source = Scripted(shelf.guard("one"))
    with capture_logs() as logs:
        async with running(source) as engine:
            await source.candidates.put(shelf.rego("bad", *modules))
            await until(lambda: engine.facts().rejections)
            assert engine.facts().rejections == {stage: 1}
            assert (await decided(engine)).revision == "one"
            assert source.active == ["one"]
            await source.candidates.put(shelf.guard("two"))
            await until(lambda: source.active == ["one", "two"])
            assert len(children()) == 1
    (line,) = [each for each in logs if each["event"] == "policy rejected"]
    assert says in line["reason"]
    assert (line["stage"], line["revision"], line["active"]) == (stage, "bad", "one")
    assert "\n" not in line["reason"]
    assert "probe-" not in line["reason"]


async def test_a_runaway_candidate_is_refused_and_others_are_answered_meanwhile(
    shelf: Shelf,
) -> None:
    runaway = """
decided := "allow" if {
	input.phase == "response"
	many := numbers.range(1, 9000)
	count([1 | some a in many; some b in many; a * b < 0]) == 1
}
"""
    source = Scripted(shelf.guard("one"))
    async with running(source, deadline=0.5) as engine:
        await source.candidates.put(shelf.rego("bad", GUARD + runaway, ANSWER.replace("NAME", "x")))
        while not engine.facts().rejections:
            assert (await decided(engine)).revision == "one"
        assert engine.facts().rejections == {Stage.PROOF: 1}


async def test_data_that_does_not_match_its_schema_is_not_activated(
    shelf: Shelf, tmp_path: Path
) -> None:
    folder = tmp_path / "shipped"
    shutil.copytree(POLICIES, folder)
    deployment = folder / "privacy" / "deployment" / "data.json"
    source = Scripted(load(folder))
    async with running(source) as engine:
        deployment.write_text(json.dumps({"grounds": {"self_acess": True}}))
        await source.candidates.put(load(folder))
        await until(lambda: engine.facts().rejections == {Stage.LOAD: 1})
        assert (await decided(engine)).effect is Effect.ALLOW


async def test_a_source_that_serves_something_unusable_is_told_once(shelf: Shelf) -> None:
    source = Scripted(shelf.guard("one"))
    with capture_logs() as logs:
        async with running(source) as engine:
            for _ in range(3):
                await source.candidates.put(BundleError("http://bundles", "answered 500"))
            await source.candidates.put(RuntimeError("a bug"))
            await source.candidates.put(shelf.guard("two"))
            await until(lambda: source.active[-1] == "two")
            assert engine.facts().rejections == {Stage.SOURCE: 1, Stage.LOAD: 1}
    reasons = [each["reason"] for each in logs if each["event"] == "policy rejected"]
    assert reasons[0] == "http://bundles: answered 500"
    assert reasons[1].startswith("RuntimeError at ")


async def test_a_candidate_that_met_a_busy_machine_is_looked_at_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation, "_AGAIN", 0.0)
    source = Scripted(shelf.guard("one"))
    async with running(source) as engine:
        real, failures = EmbeddedEngine.start, 3

        async def start(self: EmbeddedEngine) -> None:
            nonlocal failures
            if failures:
                failures -= 1
                raise OSError(errno.EAGAIN, "no process left")
            await real(self)

        monkeypatch.setattr(EmbeddedEngine, "start", start)
        await source.candidates.put(shelf.guard("two"))
        await until(lambda: source.active[-1] == "two")
        assert engine.facts().rejections == {Stage.LOAD: 1}


async def test_a_source_that_looks_seldom_is_not_disturbed_by_a_second_look_at_what_was_rejected(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it had to begin again each time, what comes after a rejected candidate never came."""
    monkeypatch.setattr(activation, "_AGAIN", 0.0)
    source = Scripted(shelf.guard("one"))
    real, begun, looks = source.next, 0, 0

    async def next_() -> Bundle:
        nonlocal begun
        begun += 1
        return await real()

    load, bad = EmbeddedEngine.start, shelf.rego("bad", "package privacy\n\nx := y\n")

    async def start(engine: EmbeddedEngine) -> None:
        nonlocal looks
        looks += 1
        await load(engine)

    monkeypatch.setattr(source, "next", next_)
    monkeypatch.setattr(EmbeddedEngine, "start", start)
    async with running(source) as engine:
        await source.candidates.put(bad)
        await until(lambda: looks >= 5)
        assert begun == 3  # the start, the rejected one, and the one that is waited for
        await source.candidates.put(shelf.guard("two"))
        await until(lambda: source.active[-1] == "two")
        assert engine.facts().rejections == {Stage.LOAD: 1}


async def test_what_is_rejected_again_and_again_is_looked_at_ever_more_seldom(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation, "_AGAIN", 0.001)
    monkeypatch.setattr(activation, "_SELDOM", 0.004)
    waits: list[float | None] = []
    real = asyncio.wait

    async def wait(tasks: Any, *, timeout: float | None = None) -> Any:
        waits.append(timeout)
        return await real(tasks, timeout=timeout)

    source = Scripted(shelf.guard("one"))
    async with running(source):
        monkeypatch.setattr(activation.asyncio, "wait", wait)
        await source.candidates.put(shelf.rego("bad", "package privacy\n\nx := y\n"))
        await until(lambda: len([each for each in waits if each]) >= 5)
        monkeypatch.setattr(activation.asyncio, "wait", real)
    assert [each for each in waits if each][:5] == [0.001, 0.002, 0.004, 0.004, 0.004]


# --- the start ----------------------------------------------------------------------------------


async def test_a_folder_that_is_unfit_stops_the_start(shelf: Shelf) -> None:
    source = Scripted(shelf.rego("bad", GUARD, permissive("x")))
    with pytest.raises(BundleError, match="unproven: endpoint self-proof: a stranger's record"):
        async with running(source):
            pass
    assert source.stopped
    assert children() == set()


async def test_a_server_that_is_down_at_the_start_is_waited_for(shelf: Shelf) -> None:
    source = Scripted(BundleError("https://bundles.example", "ClientConnectorError"))
    async with running(source, bundle="https://bundles.example/b.tar.gz") as engine:
        assert not await engine.ready()
        assert engine.facts().age is None
        with pytest.raises(Unavailable) as refusal:
            await engine.evaluate(QUESTION)
        assert refusal.value.code is Code.POLICY_UNAVAILABLE
        await source.candidates.put(shelf.guard("one"))
        await until(lambda: source.active == ["one"])
        assert await engine.ready()
        assert (await decided(engine)).revision == "one"


async def test_a_first_candidate_that_is_unfit_gives_way_to_the_last_good(shelf: Shelf) -> None:
    source = Scripted(shelf.rego("bad", GUARD, permissive("x")))
    source.good = replace(shelf.guard("good"), stale=True)
    async with running(source, bundle="https://bundles.example/b.tar.gz") as engine:
        assert (await decided(engine)).revision == "good"
        assert engine.facts().rejections == {Stage.PROOF: 1}


# --- age ----------------------------------------------------------------------------------------


async def test_a_policy_that_nobody_confirms_stops_counting_and_counts_again(shelf: Shelf) -> None:
    source = Scripted(shelf.guard("one"))
    async with running(source) as engine:
        longest = PolicySettings().delivery.max_age
        source.age = longest
        assert (await decided(engine)).revision == "one"
        source.age = longest + 1
        assert not await engine.ready()
        with pytest.raises(Unavailable) as refusal:
            await engine.evaluate(QUESTION)
        assert refusal.value.code is Code.POLICY_UNAVAILABLE
        assert refusal.value.note == "policy.delivery.max_age passed"
        assert engine.facts().age == longest + 1
        source.age = 0.0
        assert await engine.ready()
        assert (await decided(engine)).revision == "one"


async def test_a_stranger_stays_a_stranger_before_and_after_a_change(shelf: Shelf) -> None:
    source = Scripted(shelf.guard("one"))
    async with running(source) as engine:
        for name in ("two", "three"):
            decision = await PolicyDecisions(engine).decide(question(ME, FOREIGN))
            assert decision.effect is Effect.BLOCK
            await source.candidates.put(shelf.guard(name))
            await until(lambda name=name: source.active[-1] == name)
