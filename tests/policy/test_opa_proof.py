"""OPA's revisions: proven once, waited for, refused; by a real OPA, and by one that is played."""

import asyncio
import json
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Code, Unavailable
from gateway.model import Decision, Effect
from gateway.policy import opa_proof
from gateway.policy.contract import encode_question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.engine import EngineFacts, EngineKind, Evaluation, Stage
from gateway.policy.opa import UNVERSIONED, OpaEngine
from gateway.policy.opa_proof import ProvenOpa
from gateway.policy.settings import PolicySettings
from tests.policy.conftest import OpaServer, StartOpa
from tests.policy.support import AMPLE, FOREIGN, ME, POLICIES, answer, question, write_bundle
from tests.policy.test_activation import ANSWER, GUARD, PLAN
from tests.support.said import capture_logs

QUESTION = encode_question(question(ME))
PERMISSIVE = """package privacy.decision

effect := "allow"

permitted contains {"kind": s.kind, "value": s.value} if some s in input.payload.subjects

unattributed := "release"

withhold := []

mask := []

reasons := ["anybody"]
"""


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.005)  # a bounded poll (pytest-timeout) of work in the background


# --- an OPA that is played ----------------------------------------------------------------------


class Played:
    """Stands in for `OpaEngine`: answers as a guarding policy, under a revision the test sets."""

    def __init__(self, revision: str = "r1") -> None:
        self.revision, self.outages, self.asked = revision, 0, 0
        self.releases: set[str] = set()
        self.down = False
        self.hold: asyncio.Event | None = None
        self.policies: bytes | None = b'{"result": []}'

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ready(self) -> bool:
        return not self.down

    def facts(self) -> EngineFacts:
        return EngineFacts(EngineKind.OPA, self.revision, not self.down)

    async def modules(self) -> bytes:
        if self.policies is None:
            raise Unavailable(Code.POLICY_UNAVAILABLE, "OPA answered 401")
        return self.policies

    async def evaluate(self, asked: bytes) -> Evaluation:
        self.asked += 1
        if self.down:
            self.outages += 1
            raise Unavailable(Code.POLICY_UNAVAILABLE, "OPA: ClientConnectorError")
        if self.hold and asked != QUESTION:
            await self.hold.wait()
        body = json.loads(asked)
        subjects = [{k: s[k] for k in ("kind", "value")} for s in body["payload"]["subjects"]]
        held = [{k: i[k] for k in ("kind", "value")} for i in body["caller"]["identifiers"]]
        whole = (
            all(json.dumps(each) in map(json.dumps, held) for each in subjects)
            and body["caller"]["actor"] is None
            and body["payload"]["unattributed"]["records"] == 0
        )
        if self.revision in self.releases:
            raw = answer(effect="allow", permitted=subjects, unattributed="release")
        elif whole:
            raw = answer(effect="allow", permitted=subjects)
        else:
            raw = answer(effect="block", permitted=[])
        return Evaluation(raw, self.revision)


@asynccontextmanager
async def running(opa: Any, deadline: float = AMPLE) -> AsyncIterator[ProvenOpa]:
    engine = ProvenOpa(opa, PLAN, deadline)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def decided(engine: ProvenOpa) -> Decision:
    return await PolicyDecisions(engine).decide(question(ME))


async def refusal_of(engine: ProvenOpa) -> Unavailable:
    with pytest.raises(Unavailable) as refusal:
        await engine.evaluate(QUESTION)
    return refusal.value


async def test_a_revision_is_proven_once_however_many_wait_for_it() -> None:
    opa = Played()
    opa.hold = asyncio.Event()
    async with running(opa) as engine:
        waiting = [asyncio.create_task(decided(engine)) for _ in range(50)]
        await until(lambda: opa.asked >= 51)
        assert not any(each.done() for each in waiting)
        assert not await engine.ready()
        opa.hold.set()
        assert {each.revision for each in await asyncio.gather(*waiting)} == {"r1"}
        asked = opa.asked
        assert (await decided(engine)).effect is Effect.ALLOW
        assert opa.asked == asked + 1
        assert engine.facts().activations == 1
        assert engine.facts().revision == "r1"
        assert await engine.ready()


async def test_an_answer_of_an_unproven_revision_is_refused_when_the_proof_takes_too_long() -> None:
    opa = Played()
    opa.hold = asyncio.Event()
    async with running(opa, deadline=0.05) as engine:
        refusal = await refusal_of(engine)
        assert refusal.code is Code.POLICY_UNAVAILABLE
        assert refusal.note == "OPA's policy is still being proven"
        opa.hold.set()
        await until(lambda: engine.facts().activations)
        assert (await decided(engine)).effect is Effect.ALLOW


async def test_a_revision_that_releases_strangers_is_refused_until_another_one_comes() -> None:
    opa = Played()
    async with running(opa) as engine:
        await decided(engine)
        with capture_logs() as logs:
            opa.revision, opa.releases = "r2", {"r2"}
            refusal = await refusal_of(engine)
            assert refusal.note == "OPA runs a policy that is not proven"
            assert not await engine.ready()
            asked = opa.asked
            for _ in range(5):
                await refusal_of(engine)
            assert opa.asked == asked + 5
            assert engine.facts().rejections == {Stage.PROOF: 1}
        (line,) = [each for each in logs if each["event"] == "policy rejected"]
        assert "must stay behind, but the answer is allow" in line["reason"]
        assert line["revision"] == "r2"
        opa.revision = "r3"
        assert (await decided(engine)).revision == "r3"
        assert await engine.ready()


async def test_going_back_to_a_refused_revision_is_refused_and_not_ready() -> None:
    opa = Played("r2")
    opa.releases = {"r2"}
    async with running(opa) as engine:
        await refusal_of(engine)
        opa.revision = "r1"
        await decided(engine)
        opa.revision = "r2"
        await refusal_of(engine)
        assert not await engine.ready()


async def test_a_module_that_reaches_outside_is_no_proof() -> None:
    opa = Played()
    terms = [{"type": "var", "value": "http"}, {"type": "string", "value": "send"}]
    package = [{"value": "data", "type": "var"}, {"value": "privacy", "type": "string"}]
    module = {
        "id": "p.rego",
        "ast": {"package": {"path": package}, "rules": [{"type": "ref", "value": terms}]},
    }
    opa.policies = json.dumps({"result": [module]}).encode()
    with capture_logs() as logs:
        async with running(opa) as engine:
            await refusal_of(engine)
    reasons = [each["reason"] for each in logs if each["event"] == "policy rejected"]
    assert reasons == ["p.rego: http.send is not allowed: a policy must not reach outside"]


@pytest.mark.parametrize(
    ("policies", "says"), [(None, "OPA answered 401"), (b"<html>", "not what OPA answers")]
)
async def test_where_the_modules_cannot_be_read_nothing_is_proven(
    monkeypatch: pytest.MonkeyPatch, policies: bytes | None, says: str
) -> None:
    """The probes don't see what a policy sends elsewhere."""
    monkeypatch.setattr(opa_proof, "_LOOK", 0.0)
    monkeypatch.setattr(opa_proof, "_RETRY", 0.0)
    opa = Played()
    opa.policies = policies
    with capture_logs() as logs:
        async with running(opa) as engine:
            assert (await refusal_of(engine)).note == "OPA's policy could not be proven"
            opa.policies = b'{"result": []}'
            await until(lambda: engine.facts().ready)
            assert (await decided(engine)).effect is Effect.ALLOW
    (line,) = [each for each in logs if each["event"] == "proof of OPA's policy"]
    assert line["reason"] == f"what it calls is not known, GET /v1/policies: {says}"


async def test_modules_that_were_read_before_a_change_prove_nothing_of_what_came_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opa = Played()
    terms = [{"type": "var", "value": "http"}, {"type": "string", "value": "send"}]
    package = [{"value": "data", "type": "var"}, {"value": "privacy", "type": "string"}]
    rules = {"package": {"path": package}, "rules": [{"type": "ref", "value": terms}]}
    bad = json.dumps({"result": [{"id": "p.rego", "ast": rules}]}).encode()

    async def modules() -> bytes:
        before = opa.policies
        if opa.revision == "r1":
            opa.revision, opa.policies = "r2", bad
        assert before is not None
        return before

    monkeypatch.setattr(opa, "modules", modules)
    async with running(opa) as engine:
        await until(lambda: engine.facts().rejections)
        assert (await refusal_of(engine)).note == "OPA runs a policy that is not proven"
        assert engine.facts().activations == 0


async def test_a_flaw_is_never_held_against_the_revision_that_came_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opa = Played()
    opa.releases = {"r1"}
    real = opa.evaluate

    async def evaluate(asked: bytes) -> Evaluation:
        """The first answers are still r1's; the change comes while they are under way."""
        evaluation = await real(asked)
        if opa.asked > 5:
            opa.revision = "r2"
        return evaluation

    monkeypatch.setattr(opa, "evaluate", evaluate)
    async with running(opa) as engine:
        await until(lambda: engine.facts().activations)
        assert engine.facts().revision == "r2"
        assert engine.facts().rejections == {}


async def test_what_could_not_be_proven_again_stops_counting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Data may have changed under the revision, and whoever changed it may keep the proof away."""
    monkeypatch.setattr(opa_proof, "_LOOK", 0.0)
    opa = Played()
    async with running(opa) as engine:
        await decided(engine)
        opa.policies = None
        monkeypatch.setattr(opa_proof, "_PERIOD", -opa_proof._LAPSE)
        await until(lambda: not engine.facts().ready)
        assert (await refusal_of(engine)).note == "OPA's policy could not be proven"
        monkeypatch.setattr(opa_proof, "_PERIOD", 300.0)
        opa.policies = b'{"result": []}'
        await until(lambda: engine.facts().ready)
        assert (await decided(engine)).effect is Effect.ALLOW


async def test_an_opa_that_cannot_be_asked_is_not_asked_by_every_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opa = Played()
    real = opa.evaluate

    async def evaluate(asked: bytes) -> Evaluation:
        if asked == QUESTION:
            return await real(asked)
        raise Unavailable(Code.POLICY_UNAVAILABLE, "OPA answered 500")

    monkeypatch.setattr(opa, "evaluate", evaluate)
    async with running(opa) as engine:
        for _ in range(20):
            assert (await refusal_of(engine)).code is Code.POLICY_UNAVAILABLE
        assert opa.asked == 20
        assert engine.facts().rejections == {}


async def test_an_opa_without_revisions_is_proven_again_after_it_was_away() -> None:
    opa = Played(UNVERSIONED)
    async with running(opa) as engine:
        await decided(engine)
        opa.down = True
        await refusal_of(engine)
        opa.down, opa.releases = False, {UNVERSIONED}
        assert (await refusal_of(engine)).note == "OPA runs a policy that is not proven"


async def test_an_opa_without_revisions_is_proven_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opa_proof, "_LOOK", 0.0)
    monkeypatch.setattr(opa_proof, "_PERIOD_UNVERSIONED", 0.0)
    opa = Played(UNVERSIONED)
    async with running(opa) as engine:
        await decided(engine)
        opa.releases = {UNVERSIONED}
        await until(lambda: engine.facts().rejections)
        await refusal_of(engine)
        opa.releases = set()
        await until(lambda: engine.facts().ready)
        assert (await decided(engine)).effect is Effect.ALLOW


async def test_a_revision_that_changes_under_its_proof_is_proven_as_the_other_one() -> None:
    opa = Played()
    opa.hold = asyncio.Event()
    async with running(opa) as engine:
        first = asyncio.create_task(engine.evaluate(QUESTION))
        await until(lambda: opa.asked >= 2)
        opa.revision = "r2"
        opa.hold.set()
        with pytest.raises(Unavailable):
            await first
        assert (await decided(engine)).revision == "r2"


# --- a real OPA ---------------------------------------------------------------------------------


def archive(path: Path, revision: str, modules: Mapping[str, str]) -> Path:
    """A bundle archive that takes the place of the one before in one step."""
    folder = write_bundle(path.parent / revision, modules, revision=revision)
    with tarfile.open(path.with_suffix(".new"), "w:gz") as tar:
        tar.add(folder, arcname=".")
    path.with_suffix(".new").replace(path)
    return path


def real(server: OpaServer, deadline: float = AMPLE) -> OpaEngine:
    return OpaEngine(PolicySettings(engine=EngineKind.OPA, opa=server.url, deadline=deadline))


@pytest.mark.opa
async def test_the_policies_that_ship_are_proven_on_a_real_opa(
    start_opa: StartOpa, policies: Path
) -> None:
    async with running(real(start_opa(policies))) as engine:
        assert (await decided(engine)).effect is Effect.ALLOW
        decision = await PolicyDecisions(engine).decide(question(ME, FOREIGN))
        assert decision.effect is Effect.BLOCK
        assert await engine.ready()
        assert engine.facts().rejections == {}


@pytest.mark.opa
async def test_a_real_opa_that_activates_a_permissive_bundle_releases_nothing(
    start_opa: StartOpa, tmp_path: Path
) -> None:
    guard = {"privacy/guard.rego": GUARD, "privacy/answer.rego": ANSWER.replace("NAME", "one")}
    bundle = archive(tmp_path / "b.tar.gz", "one", guard)
    async with running(real(start_opa(bundle, "--watch"))) as engine:
        assert (await decided(engine)).reasons == ("one",)
        archive(bundle, "two", {"privacy/answer.rego": PERMISSIVE})
        while engine.facts().rejections.get(Stage.PROOF) is None:
            try:
                decision = await PolicyDecisions(engine).decide(question(ME, FOREIGN))
            except Unavailable:
                pass  # the proof is under way
            else:
                assert decision.effect is Effect.BLOCK
                assert decision.revision == "one"
        assert (await refusal_of(engine)).code is Code.POLICY_UNAVAILABLE
        guard["privacy/answer.rego"] = ANSWER.replace("NAME", "three")
        archive(bundle, "three", guard)
        while True:
            try:
                decision = await decided(engine)
            except Unavailable:
                continue
            assert decision.reasons == ("three",)
            assert decision.revision == "three"
            break


@pytest.mark.opa
async def test_modules_of_a_real_opa_are_read(start_opa: StartOpa) -> None:
    opa = real(start_opa(POLICIES))
    await opa.start()
    try:
        assert b"privacy" in await opa.modules()
    finally:
        await opa.stop()
