"""What an engine must do: every test here runs on the embedded one and on a real OPA."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.errors import Code, Unavailable
from gateway.model import Effect
from gateway.policy.contract import encode_question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.engine import Engine, EngineKind
from tests.policy.conftest import Engines
from tests.policy.support import ME, answer, question, write_bundle
from tests.policy.test_contract import CONTRADICTORY, ILL_TYPED


async def asked(engine: Engine, raw: str | bytes) -> Effect:
    """What becomes of a policy that answers this text."""
    text = raw.decode() if isinstance(raw, bytes) else raw
    about = question(ME, claims={"answer": text})
    return (await PolicyDecisions(engine).decide(about)).effect


async def refused(engine: Engine, raw: str | bytes) -> Code:
    with pytest.raises(Unavailable) as refusal:
        await asked(engine, raw)
    return refusal.value.code


async def test_an_answer_of_the_contract_is_a_decision_with_its_revision(echo: Engine) -> None:
    about = question(ME, claims={"answer": answer().decode()})
    decision = await PolicyDecisions(echo).decide(about)
    assert (decision.effect, decision.permitted) == (Effect.ALLOW, {ME})
    assert decision.revision == "echo-1"
    assert echo.facts().revision == "echo-1"


async def test_an_undefined_decision_is_refused(echo: Engine) -> None:
    with pytest.raises(Unavailable) as refusal:
        await PolicyDecisions(echo).decide(question(ME))
    assert refusal.value.code is Code.POLICY_UNDEFINED
    assert await asked(echo, answer()) is Effect.ALLOW


async def test_ill_typed_and_contradictory_answers_are_refused(echo: Engine) -> None:
    for name, raw in {**ILL_TYPED, **CONTRADICTORY}.items():
        try:
            json.loads(raw)
        except (ValueError, RecursionError):
            continue  # Rego can't answer what is not JSON
        assert await refused(echo, raw) is Code.DECISION_INVALID, name
    assert await asked(echo, answer()) is Effect.ALLOW


async def test_a_builtin_error_is_an_error_and_not_undefined(echo: Engine) -> None:
    assert await refused(echo, "{") is Code.POLICY_UNAVAILABLE
    assert await asked(echo, answer()) is Effect.ALLOW


async def test_a_document_of_rules_is_an_answer_and_a_rule_too_many_is_not(
    engines: Engines, tmp_path: Path
) -> None:
    document = """package privacy.decision

default effect := "block"

effect := "allow" if input.caller.id == "A1"

permitted contains {"kind": s.kind, "value": s.value} if some s in input.payload.subjects

unattributed := "withhold"

withhold := []

mask := []

reasons contains "self_access"
"""
    modules = {"privacy/decision/decision.rego": document}
    engine = await engines.start(write_bundle(tmp_path / "whole", modules))
    assert (await PolicyDecisions(engine).decide(question(ME))).effect is Effect.ALLOW

    modules = {"privacy/decision/decision.rego": document + "\nallow := true\n"}
    engine = await engines.start(write_bundle(tmp_path / "more", modules))
    with pytest.raises(Unavailable) as refusal:
        await PolicyDecisions(engine).decide(question(ME))
    assert refusal.value.code is Code.DECISION_INVALID


async def test_rules_that_conflict_are_an_error(engines: Engines, tmp_path: Path) -> None:
    conflict = """package privacy

decision := 1 if input.caller.id

decision := 2 if input.caller.id
"""
    engine = await engines.start(write_bundle(tmp_path / "b", {"privacy/p.rego": conflict}))
    with pytest.raises(Unavailable) as refusal:
        await PolicyDecisions(engine).decide(question(ME))
    assert refusal.value.code is Code.POLICY_UNAVAILABLE


async def test_a_runaway_rule_is_late_and_others_in_flight_are_answered(
    engines: Engines, echo_bundle: Path
) -> None:
    engine = await engines.start(echo_bundle, deadline=2.0)
    decisions = PolicyDecisions(engine)
    runaway = asyncio.create_task(decisions.decide(question(ME, claims={"runaway": True})))
    others = [asyncio.create_task(asked(engine, answer())) for _ in range(8)]
    with pytest.raises(Unavailable) as refusal:
        await runaway
    assert refusal.value.code is Code.POLICY_TIMEOUT
    assert await asyncio.gather(*others) == [Effect.ALLOW] * 8
    assert await asked(engine, answer()) is Effect.ALLOW


async def test_many_questions_at_once_each_get_their_own_answer(echo: Engine) -> None:
    async def one(number: int) -> tuple[str, ...]:
        about = question(ME, claims={"answer": answer(reasons=[f"r{number}"]).decode()})
        return (await PolicyDecisions(echo).decide(about)).reasons

    reasons = await asyncio.gather(*map(one, range(200)))
    assert reasons == [(f"r{number}",) for number in range(200)]


async def test_a_question_that_is_given_up_disturbs_nobody(echo: Engine) -> None:
    given_up = asyncio.create_task(asked(echo, answer()))
    other = asyncio.create_task(asked(echo, answer()))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await other is Effect.ALLOW
    assert await asked(echo, answer()) is Effect.ALLOW


async def test_an_engine_is_ready_while_it_runs_and_refuses_when_stopped(
    engines: Engines, echo_bundle: Path
) -> None:
    engine = await engines.start(echo_bundle)
    assert await engine.ready()
    assert engine.facts().ready
    assert engine.facts().kind is engines.kind
    if engines.kind is EngineKind.EMBEDDED:
        await engine.stop()
        assert not await engine.ready()
        with pytest.raises(Unavailable) as refusal:
            await engine.evaluate(encode_question(question(ME)))
        assert refusal.value.code is Code.POLICY_UNAVAILABLE


@pytest.mark.parametrize(
    "text",
    [
        '"] == true; data',
        "`",
        "{{x}}",
        "\\",
        "\u0000",
        "\u2028",
        "../..",
        "a/b",
        "%s",
        "$",
        "é",
        "\U0001f600",
    ],
)
async def test_text_is_data_whatever_it_spells(echo: Engine, text: str) -> None:
    raw = answer(reasons=["r1"], withhold=[text], effect="redact")
    about = question(ME, path=(text,), query={text: (text,)}, claims={"answer": raw.decode()})
    decision = await PolicyDecisions(echo).decide(about)
    assert decision.withhold == {text}
