"""What is begun early is what a start asks for: nothing is missing, and nobody is left over."""

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import child, early
from gateway.policy.engine import EngineKind
from tests.config.conftest import Loaded, folder, loaded
from tests.support.gateway import ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer

__all__ = ["folder", "loaded"]

PARTS = ("decisionlog.process", "rego_worker", "inspection.process", "flowprocess")
ORDERS = {"format": "ndjson", "subject": {"account": "$.owner"}}


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(child, "begin", lambda *command: commands.append(command))
    monkeypatch.setattr(child, "give_up", lambda *command: commands.remove(command))
    return commands


@pytest.mark.parametrize("workers", [1, 3])
async def test_every_child_of_a_gateway_is_one_that_it_asked_for(
    tmp_path: Path, workers: int
) -> None:
    endpoint = {"name": "orders", "path": "/orders", "body": ORDERS}
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(serving(ExportService()))
        config = configuration(
            tmp_path, TestIssuer(), upstream, [endpoint], inspection={"workers": workers}
        )
        gateway = await stack.enter_async_context(running(config))
        found = Counter(
            next(part for part in PARTS if pid in gateway.children(part))
            for pid in gateway.children("")
        )
    assert found == Counter(
        {
            "decisionlog.process": 1,
            "rego_worker": 1,
            "inspection.process": 1,  # others come with the bodies
        }
    )


def test_of_several_serving_processes_only_the_writer_is_the_main_one_s(
    loaded: Loaded, begun: list[tuple[str, ...]]
) -> None:
    early.begin_certain()
    early.begin_others(replace(loaded(), workers=2))
    assert begun == [("gateway.decisionlog.process",)]


def test_no_policy_is_begun_where_opa_has_it(loaded: Loaded, begun: list[tuple[str, ...]]) -> None:
    config = loaded()
    policy = replace(config.policy, engine=EngineKind.OPA, opa="http://127.0.0.1:1")
    early.begin_others(replace(config, policy=policy))
    assert not any("rego" in argument for command in begun for argument in command)
