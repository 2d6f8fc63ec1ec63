"""A killable process answers for the tools."""

from gateway.workbench.account import Broken, Find, Found, Tried, Try
from gateway.workbench.bench import RegoBench
from gateway.workbench.modules import Modules

RUNAWAY = """package privacy.x_test

test_fast if true

test_runaway if {
	many := numbers.range(1, 3000)
	count([1 | some a in many; some b in many; some c in many; (a + b) + c < 0]) == 1
}

test_deep if deep(1)

deep(n) if deep(n + 1)
"""


def modules(text: str) -> Modules:
    return Modules({"privacy/x_test.rego": text}, b"{}", "here")


async def test_a_job_is_answered() -> None:
    async with RegoBench(modules(RUNAWAY)) as bench:
        found = await bench.ask(Find())
        assert isinstance(found, Found)
        assert found.tests["data.privacy.x_test.test_fast"].line == 3


async def test_a_rule_that_runs_away_or_ends_the_process_costs_its_own_answer_only() -> None:
    async with RegoBench(modules(RUNAWAY)) as bench:
        late = await bench.ask(Try("data.privacy.x_test.test_runaway"), deadline=0.2)
        assert isinstance(late, Broken) and "still running" in late.message
        deep = await bench.ask(Try("data.privacy.x_test.test_deep"))
        assert isinstance(deep, Broken)
        assert await bench.ask(Try("data.privacy.x_test.test_fast")) == Tried("true", [])


async def test_modules_that_do_not_parse_are_told_with_their_line() -> None:
    async with RegoBench(modules("package privacy.x_test\n\nx := \n")) as bench:
        broken = await bench.ask(Find())
    assert isinstance(broken, Broken) and broken.spot is not None
    assert (broken.spot.file, broken.message[:9]) == ("privacy/x_test.rego", "expecting")
