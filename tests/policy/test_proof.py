"""The probes, played: what an answer, a refusal and a busy engine come to."""

import asyncio

import pytest

from gateway.errors import Code, Unavailable
from gateway.model import Decision
from gateway.policy.contract import Question
from gateway.policy.proof import Unproven, prove
from tests.policy.test_probes import PLAN, decision, every, guarding


async def test_a_policy_that_guards_is_proven_by_every_probe() -> None:
    asked = 0

    async def ask(question: Question) -> Decision:
        nonlocal asked
        asked += 1
        return guarding(question)

    await prove(PLAN, ask)
    assert asked == len(every())


async def test_the_first_flaw_ends_it_and_says_which_probe_and_what_was_answered() -> None:
    async def ask(_: Question) -> Decision:
        return decision()

    with pytest.raises(Unproven) as fault:
        await prove(PLAN, ask)
    assert str(fault.value) == (
        "endpoint self-proof: the caller's own record: must pass, but the answer is block (a, b);"
        " what the policy asks of every caller can be named in policy.proof"
    )
    assert fault.value.conclusive


@pytest.mark.parametrize("code", [Code.DECISION_INVALID, Code.POLICY_UNDEFINED])
async def test_an_answer_outside_the_contract_is_conclusive_at_once(code: Code) -> None:
    asked = 0

    async def ask(question: Question) -> Decision:
        nonlocal asked
        asked += 1
        raise Unavailable(code, "ill-typed at $.effect")

    with pytest.raises(Unproven, match=f"not answered, {code}: ill-typed at") as fault:
        await prove(PLAN, ask)
    assert fault.value.conclusive
    assert asked <= 32


async def test_a_busy_engine_is_asked_again_a_few_times() -> None:
    failures = 6

    async def ask(question: Question) -> Decision:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable(Code.POLICY_TIMEOUT, "policy.deadline passed")
        return guarding(question)

    await prove(PLAN, ask)
    failures = 7
    with pytest.raises(Unproven):
        await prove(PLAN, ask)


async def test_what_is_in_flight_is_given_up_at_the_first_flaw() -> None:
    given_up = 0

    async def ask(question: Question) -> Decision:
        nonlocal given_up
        if question.endpoint == "self-proof":
            return decision()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            given_up += 1

    with pytest.raises(Unproven):
        await prove(PLAN, ask)
    assert given_up == 30


async def test_an_engine_that_stays_away_is_no_proof_and_no_verdict() -> None:
    async def ask(_: Question) -> Decision:
        raise Unavailable(Code.POLICY_TIMEOUT, "policy.deadline passed")

    with pytest.raises(Unproven) as fault:
        await prove(PLAN, ask)
    assert not fault.value.conclusive


async def test_never_more_than_a_few_probes_are_in_flight() -> None:
    flying = most = 0

    async def ask(question: Question) -> Decision:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1
        return guarding(question)

    await prove(PLAN, ask)
    assert 1 < most <= 32
