"""The embedded engine: bundles refused at the start, workers that die, secrets that stay inside."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Code, Unavailable
from gateway.model import Effect
from gateway.policy.bundle import BundleError
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.settings import PolicySettings
from gateway.workers.pool import WorkerPool
from gateway.workers.worker import WorkersBusy
from tests.policy.support import AMPLE, ME, POLICIES, answer, question, shipped_bundle, write_bundle

ANSWERED = {"answer": answer().decode()}


@asynccontextmanager
async def running(bundle: Path | None, **settings: Any) -> AsyncIterator[EmbeddedEngine]:
    settings.setdefault("deadline", AMPLE)
    engine = EmbeddedEngine(PolicySettings(bundle=bundle, **settings))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def fault_of(bundle: Path, **settings: Any) -> BundleError:
    engine = EmbeddedEngine(PolicySettings(bundle=bundle, **settings))
    with pytest.raises(BundleError) as fault:
        await engine.start()
    assert not await engine.ready()
    assert engine.pids() == ()
    return fault.value


async def test_without_a_bundle_the_shipped_policies_decide() -> None:
    async with running(None) as engine:
        decision = await PolicyDecisions(engine).decide(question(ME))
        assert decision.effect is Effect.ALLOW
        assert decision.revision.startswith("sha256:")


async def test_a_deployments_data_takes_the_place_of_the_shipped(tmp_path: Path) -> None:
    data = tmp_path / "deployment.yaml"
    data.write_text("grounds: {self_access: false}\n")
    async with running(None, data=data) as engine:
        decision = await PolicyDecisions(engine).decide(question(ME))
        assert decision.effect is Effect.BLOCK
        assert "+sha256:" in decision.revision


@pytest.mark.parametrize(
    ("rego", "says"),
    [
        ("package privacy\n\nx := := 1\n", "p.rego:3:6: "),
        ("package privacy\n\ndecision := x\n", "p.rego:3:13: var x is unsafe"),
        ("package privacy\n\nx = y { y := 1 }\n", "`if` keyword is required"),
    ],
)
async def test_rego_that_is_no_rego_is_refused_at_the_start(
    tmp_path: Path, rego: str, says: str
) -> None:
    fault = await fault_of(write_bundle(tmp_path / "b", {"privacy/p.rego": rego}))
    assert says in str(fault)
    assert "\n" not in str(fault)
    assert "backtrace" not in str(fault)


@pytest.mark.parametrize(
    "expression",
    [
        'http.send({"method": "get", "url": "http://127.0.0.1"})',
        "opa.runtime()",
        'opa["runtime"]()',
        'rand.intn("x", 2)',
        "time.now_ns()",
        'uuid.rfc4122("x")',
        'net.lookup_ip_addr("localhost")',
        "[x | some x in [1]; y := opa.runtime()]",
        "f(1)",
    ],
)
async def test_builtins_that_reach_outside_are_refused_at_the_start(
    tmp_path: Path, expression: str
) -> None:
    rego = f"package privacy\n\ndecision := {expression}\n\nf(_) := time.now_ns()\n"
    fault = await fault_of(write_bundle(tmp_path / "b", {"privacy/p.rego": rego}))
    assert "is not allowed" in fault.message
    line, column = (5, 9) if expression == "f(1)" else (3, 13 + max(expression.find("opa"), 0))
    assert fault.path.endswith(f"privacy/p.rego:{line}:{column}")
    assert ("more: privacy-gateway check" in fault.message) is (expression != "f(1)")


async def test_names_that_only_look_like_them_are_fine(tmp_path: Path) -> None:
    rego = (
        "package privacy\n\n# opa.runtime() is not called here.\n\n"
        'decision := json.unmarshal(input.answer) if input.http.send_ != "http.send"\n'
    )
    async with running(write_bundle(tmp_path / "b", {"privacy/p.rego": rego})):
        pass


@pytest.mark.parametrize(
    "deployment",
    [
        {},
        {"grounds": {"self_acess": True}},
        {"grounds": {}, "scope": {"orders": ["export"]}},
        {"grounds": {}, "scopes": {"orders": "export"}},
        {"grounds": {}, "partial": {"orders": "release"}},
        {"grounds": {"linked_account": {"links": {"account": {"string": {"A1": ["B7"]}}}}}},
        {"grounds": {"linked_account": {"links": {"account": {"integer": {"1": []}}}}}},
        {"grounds": {"representative": {"delegations": {}}, "guardian": {"wards": {}}}},
        {"grounds": {}, "restrictions": {"never_disclose": True}},
        {"grounds": {}, "restrictions": {"never_disclose": {"masks": ["ssn"]}}},
        {"grounds": {}, "restrictions": {"special_categories": {"categories": []}}},
    ],
)
async def test_a_deployment_document_that_does_not_match_its_schema_is_refused(
    tmp_path: Path, deployment: object
) -> None:
    says = "data.privacy.deployment does not match schemas/deployment.json"
    bundle = shipped_bundle(tmp_path / "b", deployment)
    assert str(await fault_of(bundle)) == f"{bundle}: {says}"
    data = tmp_path / "deployment.json"
    data.write_text(json.dumps(deployment))
    assert str(await fault_of(POLICIES, data=data)) == f"{data}: {says}"


async def test_a_fault_that_data_provokes_names_the_place_and_not_the_data(tmp_path: Path) -> None:
    rego = "package privacy\n\ndecision := count(data.privacy.deployment.secret)\n"
    bundle = write_bundle(tmp_path / "b", {"privacy/p.rego": rego}, data={"secret": 4711})
    fault = await fault_of(bundle)
    assert fault.message == "does not work with the data"
    assert "privacy/p.rego:3:42" in fault.path
    assert "4711" not in str(fault)


async def test_a_bundle_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert (await fault_of(tmp_path / "none")).message.startswith("not a folder")


async def test_a_rule_without_end_is_refused_at_the_start(tmp_path: Path) -> None:
    # regorus overflows its stack: only the worker is gone.
    rego = "package privacy\n\ndecision := f(1)\n\nf(x) := f(x + 1)\n"
    fault = await fault_of(write_bundle(tmp_path / "b", {"privacy/p.rego": rego}))
    assert fault.message.startswith("regorus does not survive loading it")


async def test_a_failed_evaluation_names_the_rule_and_never_the_input(echo_bundle: Path) -> None:
    async with running(echo_bundle) as engine:
        with pytest.raises(Unavailable) as refusal:
            await PolicyDecisions(engine).decide(question(ME, claims={"answer": "secret{"}))
        assert refusal.value.code is Code.POLICY_UNAVAILABLE
        assert refusal.value.note == "the evaluation fails at privacy/echo.rego:4:27"
        assert refusal.value.__cause__ is None


async def test_a_worker_killed_while_idle_is_replaced(echo_bundle: Path) -> None:
    async with running(echo_bundle) as engine:
        (before,) = engine.pids()
        os.kill(before, signal.SIGKILL)
        while engine.facts().restarts == 0:
            await asyncio.sleep(0)
        decision = await PolicyDecisions(engine).decide(question(ME, claims=ANSWERED))
        assert decision.effect is Effect.ALLOW
        assert engine.pids() != (before,)
        assert await engine.ready()


async def test_a_worker_killed_at_work_refuses_that_question_only(echo_bundle: Path) -> None:
    async with running(echo_bundle) as engine:
        decisions = PolicyDecisions(engine)
        runaway = asyncio.create_task(decisions.decide(question(ME, claims={"runaway": True})))
        others = [
            asyncio.create_task(decisions.decide(question(ME, claims=ANSWERED))) for _ in range(4)
        ]
        while engine.facts().waiting < 5:
            await asyncio.sleep(0)
        os.kill(engine.pids()[0], signal.SIGKILL)
        with pytest.raises(Unavailable) as refusal:
            await runaway
        assert refusal.value.code is Code.POLICY_UNAVAILABLE
        assert [(await other).effect for other in others] == [Effect.ALLOW] * 4


async def test_too_many_waiting_questions_are_overload(
    echo_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object, **__: object) -> bytes:
        raise WorkersBusy("too many jobs are waiting")

    async with running(echo_bundle) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(WorkerPool, "call", busy)
            with pytest.raises(Unavailable) as refusal:
                await engine.evaluate(b"{}")
        assert refusal.value.code is Code.OVERLOADED


@pytest.mark.parametrize("frame", [b"", b"X", b"E", b"Eowner is A1", b"E../../etc/passwd\n:1:1"])
async def test_what_a_worker_may_not_say_is_refused_and_not_repeated(
    echo_bundle: Path, monkeypatch: pytest.MonkeyPatch, frame: bytes
) -> None:
    async def call(*_: object, **__: object) -> bytes:
        return frame

    async with running(echo_bundle) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(WorkerPool, "call", call)
            with pytest.raises(Unavailable) as refusal:
                await engine.evaluate(b"{}")
        assert refusal.value.code is Code.POLICY_UNAVAILABLE
        assert refusal.value.note == "the evaluation fails"


async def test_several_workers_share_the_questions(echo_bundle: Path) -> None:
    async with running(echo_bundle, workers=2) as engine:
        assert len(engine.pids()) == 2
        decisions = PolicyDecisions(engine)
        runaway = asyncio.create_task(decisions.decide(question(ME, claims={"runaway": True})))
        for _ in range(2):
            decision = await decisions.decide(question(ME, claims=ANSWERED))
            assert decision.effect is Effect.ALLOW
        assert not runaway.done()
        runaway.cancel()
