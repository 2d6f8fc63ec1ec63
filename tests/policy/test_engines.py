"""Which engine fits the settings, and whether there is a second one."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.policy.activation import Activation
from gateway.policy.engine import Engine, EngineKind
from gateway.policy.engines import make_engine, make_shadow
from gateway.policy.opa_proof import ProvenOpa
from gateway.policy.planted import Look
from gateway.policy.probes import Plan
from gateway.policy.settings import PolicySettings, ShadowSettings
from gateway.policy.shadow import State
from tests.policy.support import ECHO, write_bundle
from tests.policy.test_shadow import Ear

EMBEDDED = PolicySettings()
PLAN = Plan((), {"https://id.example.org": {"account": Look()}})
OPA = PolicySettings(engine=EngineKind.OPA, opa="http://127.0.0.1:8181")


@pytest.mark.parametrize(("settings", "kind"), [(EMBEDDED, Activation), (OPA, ProvenOpa)])
def test_whichever_engine_answers_proves_its_policy_first(
    settings: PolicySettings, kind: type[Engine]
) -> None:
    assert isinstance(make_engine(settings, PLAN), kind)


def test_without_a_second_policy_there_is_no_shadow() -> None:
    assert make_shadow(EMBEDDED, Ear()) is None


async def test_a_second_policy_is_read_and_its_listener_hears_of_it(tmp_path: Path) -> None:
    ear = Ear()
    second = ShadowSettings(write_bundle(tmp_path, {"echo.rego": ECHO}, revision="r2"))
    shadow = make_shadow(PolicySettings(shadow=second), ear)
    assert shadow
    shadow.start()
    try:
        while not ear.states:
            await ear.news.wait()
            ear.news.clear()
        assert (ear.states[-1].state, ear.states[-1].revision) == (State.READY, "r2")
    finally:
        await shadow.stop()


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("gateway.life", ["opa_client", "requests"]),
        ("gateway.policy.rego_worker", ["pydantic", "opa_client"]),
    ],
)
def test_what_a_process_does_not_need_does_not_hold_up_its_start(
    module: str, without: list[str]
) -> None:
    script = f"import sys, {module}; print([each for each in {without!r} if each in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
