"""Policies that change under traffic: what goes live, what doesn't, and what every entry says.

Where the catalogue of attacks on the policy plane is tested (files are under tests/policy, unless
they say otherwise):

    D01  undefined                  test_engine: test_an_undefined_decision_is_refused
    D02  ill-typed, contradictory   test_contract: ILL_TYPED, CONTRADICTORY; on both engines
                                    in test_engine: test_ill_typed_and_contradictory_…
    D03  default allow, must-deny   here: test_a_policy_that_is_unfit_…; test_probes: LEAKS
    D04  syntax, unsafe, conflict   test_activation: BAD; runtime errors in test_engine
    D05  a push during exports      here: test_a_push_during_a_hundred_exports_…
    D06  50 reloads a second        here: test_fifty_pushes_a_second_…; test_activation: a flood
    D07  OPA down                   here: test_an_opa_that_is_down_at_the_start_…; test_faults:
                                    test_a_dead_opa_refuses_until_it_is_back
    D08  what is no answer of OPA   test_opa: NO_ANSWERS, redirects, other statuses
    D09  a slow OPA                 test_opa: test_a_peer_that_is_slow_is_late. Each question has
                                    a deadline and is refused; there is no breaker to open
    D10  a clean close              test_opa: UNFINISHED
    D11  a runaway rule             test_engine: test_a_runaway_rule_is_late_and_others_…;
                                    test_activation: test_a_runaway_candidate_…
    D12  http.send, opa.runtime …   test_capabilities, test_rego_calls, test_opa_modules
    D13  signatures, older ones     bundles/test_signatures, bundles/test_revisions; here:
                                    test_what_is_unsigned_signed_by_another_key_or_older_…
    D14  bombs and ../              bundles/test_tar, bundles/test_archive
    D15  the bundle server is down  bundles/test_server; test_activation: last good, max_age
    D16  a huge data document       bundles/: limits of archives, folders and documents
    D17  decision-cache keys        there is no decision cache: each question is evaluated
    D18  revoke or push             here: test_what_is_revoked_…; test_opa_proof: a real OPA
    D19  errors are not cached      test_opa: OPA comes back; test_engine: errors leave nothing
    D20  a short or long reply      test_contract: a subject twice, one nobody asked about, one left
                                    out of an allow. Order means nothing: permitted is a set
    D21  ids and paths as text      test_engine: test_text_is_data_whatever_it_spells; test_opa: the
                                    query is constant
    D22  client-controlled keys     test_contract: test_what_a_client_sends_stays_under_its_own_keys
    D23  //a/b and /a/b             tests/proxy/test_target: AMBIGUOUS
    D24  changing OPA's policies    test_opa: test_an_opa_with_the_authz_example_…
    D25  typos, shadow              tests/config/test_wording: unknown keys, closed sets
    D26  both engines               test_differential: over ten thousand questions, all grounds and
                                    restrictions, on sound deployments and on hostile ones
"""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, FOREIGN, ME, World, endpoints
from tests.e2e.test_faults import start
from tests.policy.bundles.support import opa_build, signed_by, signing_key
from tests.support.gateway import POLICIES, ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer
from tests.support.opa import running_opa

PATH = EXPORTS["json"].path
OFTEN = {"polling": {"files": "100ms"}}


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


class Mounted:
    """A bundle folder whose versions are swapped in one step, by a link, as Kubernetes does it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._versions = folder, 0
        self.bundle = str(folder / "current")

    def publish(self, revision: str, deployment: Any = DEPLOYMENT, **modules: str) -> None:
        self._versions += 1
        version = self._folder / f"version-{self._versions}"
        shutil.copytree(POLICIES, version, ignore=shutil.ignore_patterns("*_test.rego"))
        (version / ".manifest").write_text(json.dumps({"roots": ["privacy"], "revision": revision}))
        (version / "privacy" / "deployment" / "data.json").write_text(json.dumps(deployment))
        for name, text in modules.items():
            (version / "privacy" / "decision" / f"{name}.rego").write_text(text)
        new = self._folder / "new"
        new.symlink_to(version)
        new.replace(self.bundle)


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    folder = tmp_path / "bundles"
    folder.mkdir()
    return Mounted(folder)


async def revision(world: World) -> str:
    found = re.search(
        r'policy_info\{engine="\w+",revision="([^"]*)"', await world.gateway.metrics()
    )
    assert found
    return found[1]


async def until(world: World, wanted: str) -> None:
    while await revision(world) != wanted:
        await asyncio.sleep(0.02)  # a bounded poll (pytest-timeout) of another process


def rejections(metrics: str) -> dict[str, float]:
    lines = re.findall(r'policy_rejections_total\{stage="(\w+)"\} (\S+)', metrics)
    return {stage: float(count) for stage, count in lines}


async def begin(
    stack: AsyncExitStack, mounted: Mounted, tmp_path: Path, issuer: TestIssuer
) -> World:
    mounted.publish("r0")
    policy = {"bundle": mounted.bundle, "delivery": OFTEN, "deadline": "5s"}
    return await start(stack, tmp_path, issuer, policy=policy, deployment=None)


async def test_a_push_during_a_hundred_exports_drops_none_and_each_entry_has_one_revision(
    stack: AsyncExitStack, mounted: Mounted, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await begin(stack, mounted, tmp_path, issuer)
    statuses: list[int] = []
    pushing = True

    async def export() -> None:
        while pushing:
            statuses.append((await world.gateway.get(PATH)).status)

    exports = [asyncio.create_task(export()) for _ in range(4)]
    for name in ("r1", "r2"):
        mounted.publish(name)
        await until(world, name)
    pushing = False
    await asyncio.gather(*exports)
    assert len(statuses) >= 100
    assert set(statuses) == {200}
    assert (await world.gateway.get(PATH)).status == 200
    written = [entry["bundles"] for entry in world.gateway.entries()]
    seen = [bundle["revision"] for each in written for bundle in each.values()]
    assert set(seen) == {"r0", "r1", "r2"}
    assert seen[-1] == "r2"
    assert world.gateway.verify().entries == len(seen) + _probes(world)


def _probes(world: World) -> int:
    lines = map(json.loads, world.gateway.log.read_text().splitlines())
    return sum(1 for line in lines if line.get("probe"))


DEFAULT_ALLOW = """package privacy.decision

default effect := "allow"

permitted contains {"kind": s.kind, "value": s.value} if some s in input.payload.subjects

unattributed := "release"

withhold := []

mask := []

reasons := ["anybody"]
"""


@pytest.mark.parametrize(
    ("rego", "stage", "says"),
    [
        (DEFAULT_ALLOW, "proof", "must stay behind, but the answer is allow (anybody)"),
        ("package privacy.decision\n\nx := := 1\n", "load", "decision.rego:3:6: "),
        ("package privacy.decision\n\neffect := opa.runtime()\n", "load", "is not allowed"),
    ],
)
async def test_a_policy_that_is_unfit_does_not_go_live_and_says_why(
    stack: AsyncExitStack,
    mounted: Mounted,
    tmp_path: Path,
    issuer: TestIssuer,
    rego: str,
    stage: str,
    says: str,
) -> None:
    world = await begin(stack, mounted, tmp_path, issuer)
    world.service.answer(PATH, EXPORTS["json"].of(ME, FOREIGN), "application/json")
    mounted.publish("bad", decision=rego)
    while rejections(await world.gateway.metrics())[stage] == 0:
        answer = await world.gateway.get(PATH)
        assert (answer.status, answer.code) == (403, "blocked_by_policy")
    assert await revision(world) == "r0"
    assert (await world.gateway.checks())["policy"]
    (line,) = [line for line in map(json.loads, world.gateway.stderr().splitlines())
               if line["event"] == "policy rejected"]  # fmt: skip
    assert says in line["reason"]
    assert (line["stage"], line["revision"], line["active"]) == (stage, "bad", "r0")
    mounted.publish("r1")
    await until(world, "r1")
    world.service.answer(PATH, EXPORTS["json"].of(ME), "application/json")
    assert (await world.gateway.get(PATH)).status == 200


async def test_what_is_revoked_is_refused_as_soon_as_the_revision_is_active(
    stack: AsyncExitStack, mounted: Mounted, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await begin(stack, mounted, tmp_path, issuer)
    link = {"kind": "account", "value": FOREIGN, "expires_at": None}
    links = {"account": {"string": {ME: [link]}}}
    linked = {"grounds": {"self_access": True, "linked_account": {"links": links}}}
    world.service.answer(PATH, EXPORTS["json"].of(FOREIGN), "application/json")
    assert (await world.gateway.get(PATH)).status == 403
    mounted.publish("linked", linked)
    await until(world, "linked")
    assert (await world.gateway.get(PATH)).status == 200
    mounted.publish("revoked")
    await until(world, "revoked")
    for _ in range(20):
        assert (await world.gateway.get(PATH)).status == 403


@pytest.mark.opa
async def test_what_is_unsigned_signed_by_another_key_or_older_is_refused_and_told(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer, opa_binary: str
) -> None:
    key, stolen = (signing_key(tmp_path / "keys", "ES256", name) for name in ("ours", "stolen"))
    archive, source = tmp_path / "bundle.tar.gz", tmp_path / "source"
    shutil.copytree(POLICIES, source, ignore=shutil.ignore_patterns("*_test.rego"))
    (source / "privacy" / "deployment" / "data.json").write_text(json.dumps(DEPLOYMENT))

    def publish(revision: str, *arguments: str) -> None:
        opa_build(opa_binary, source, tmp_path / "built", *arguments, revision=revision)
        (tmp_path / "built").replace(archive)

    publish("2", *signed_by(key))
    signing = {"key_file": str(key.public), "key_id": "prod", "algorithm": "ES256"}
    delivery = {**OFTEN, "signing": signing, "state": str(tmp_path / "state")}
    policy = {"bundle": str(archive), "delivery": delivery, "deadline": "5s"}
    async with AsyncExitStack() as first:
        world = await start(first, tmp_path, issuer, policy=policy, deployment=None)
        for number, (name, arguments, says) in enumerate(
            (
                ("3", (), "missing: the configuration asks for a signed bundle"),
                ("3", signed_by(stolen), "the signature is wrong"),
                ("3", signed_by(key, "test"), "the signature names another key"),
                ("1", signed_by(key), "its revision is older than the active one"),
            )
        ):
            publish(name, *arguments)
            while rejections(await world.gateway.metrics())["source"] == number:
                assert (await world.gateway.get(PATH)).status == 200
            assert await revision(world) == "2"
            told = [json.loads(line) for line in world.gateway.stderr().splitlines()]
            reasons = [line["reason"] for line in told if line["event"] == "policy rejected"]
            assert says in reasons[-1]
    service = await stack.enter_async_context(serving(ExportService()))
    config = configuration(tmp_path, issuer, service, endpoints(), policy=policy, deployment=None)
    with pytest.raises(AssertionError, match="its revision is older than the active one"):
        await stack.enter_async_context(running(config))
    publish("4", *signed_by(key))
    again = await stack.enter_async_context(running(config))
    assert 'revision="4"' in await again.metrics()


async def test_fifty_pushes_a_second_leak_neither_processes_nor_descriptors(
    stack: AsyncExitStack, mounted: Mounted, tmp_path: Path, issuer: TestIssuer
) -> None:
    world = await begin(stack, mounted, tmp_path, issuer)
    pid = world.gateway.process.pid

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{pid}/fd"))

    async def push() -> None:
        for number in range(100):
            mounted.publish(f"p{number}")
            await asyncio.sleep(0.02)  # the rate that is asked for, not a synchronisation

    assert (await world.gateway.get(PATH)).status == 200
    before = descriptors()
    pushing = asyncio.create_task(push())
    while not pushing.done():
        assert (await world.gateway.get(PATH)).status == 200
        assert len(world.gateway.children("rego_worker")) <= 2
    await pushing
    await until(world, "p99")
    while len(world.gateway.children("rego_worker")) > 1:
        await asyncio.sleep(0.02)  # a bounded poll of another process
    assert descriptors() <= before
    (activations,) = re.findall(
        r"(?m)^\w+policy_activations_total (\S+)", await world.gateway.metrics()
    )
    assert float(activations) < 50


async def test_a_folder_that_is_unfit_at_the_start_stops_the_start(
    mounted: Mounted, tmp_path: Path, issuer: TestIssuer
) -> None:
    mounted.publish("bad", decision=DEFAULT_ALLOW)
    async with serving(ExportService()) as upstream:
        policy = {"bundle": mounted.bundle}
        config = configuration(tmp_path, issuer, upstream, endpoints(), policy=policy)
        with pytest.raises(AssertionError, match="unproven: endpoint"):
            async with running(config):
                pass


@pytest.mark.opa
async def test_an_opa_that_is_down_at_the_start_is_waited_for(
    stack: AsyncExitStack, tmp_path: Path, issuer: TestIssuer, opa_binary: str
) -> None:
    service = ExportService()
    service.answer(PATH, EXPORTS["json"].of(ME), "application/json")
    upstream = await stack.enter_async_context(serving(service))
    opa = await stack.enter_async_context(running_opa(opa_binary, tmp_path, DEPLOYMENT))
    address = opa.url.removeprefix("http://")
    opa.process.kill()
    await opa.process.wait()
    policy = {"engine": "opa", "opa": opa.url, "deadline": "5s"}
    config = configuration(tmp_path, issuer, upstream, endpoints(), policy=policy)
    gateway = await stack.enter_async_context(running(config, ready=False))
    gateway.token = issuer.token(sub=ME)
    assert not (await gateway.checks())["policy"]
    answer = await gateway.get(PATH)
    assert (answer.status, answer.code) == (503, "policy_unavailable")
    again = await asyncio.create_subprocess_exec(
        opa_binary, "run", "--server", "--addr", address, "--log-level", "error",
        "--bundle", str(tmp_path / "opa-bundle"),
    )  # fmt: skip
    try:
        while (await gateway.get(PATH)).status != 200:
            await asyncio.sleep(0.05)  # a bounded poll of other processes
        assert (await gateway.checks())["policy"]
    finally:
        again.kill()
        await again.wait()
