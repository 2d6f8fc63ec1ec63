"""One serving process after the other; what it does is played by `actor`."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.child import Child
from gateway.fleet import member as module
from gateway.fleet import messages
from gateway.fleet.member import Member
from gateway.fleet.messages import State
from gateway.startup import CannotStart


class Stage:
    """A member, and what it asked of the main process."""

    def __init__(self, act: Path) -> None:
        self._act = act
        self.links = 0
        self.gone: list[State | None] = []
        self.member = Member(self._begin, self._linked, self._gone, still=0.5, every=0.05)
        self.play("well")

    def play(self, act: str) -> None:
        self._act.write_text(act)

    def _begin(self, child: Child) -> None:
        child.send(messages.frame(messages.Begin(b"", 0)))

    def _linked(self, _: Member) -> None:
        self.links += 1

    def _gone(self, _: Member, state: State | None) -> None:
        self.gone.append(state)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_zygote: None) -> Stage:
    monkeypatch.setattr(module, "_PROCESS", "tests.fleet.actor")
    monkeypatch.setenv("ACT", str(tmp_path / "act"))
    return Stage(tmp_path / "act")


@asynccontextmanager
async def started(stage: Stage) -> AsyncIterator[Member]:
    await stage.member.start()
    try:
        yield stage.member
    finally:
        await stage.member.stop(10)
        assert stage.member.pid is None


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)  # a bounded poll of another process


async def test_it_serves_answers_and_ends_as_told(stage: Stage) -> None:
    async with started(stage) as member:
        assert member.serves
        assert stage.links == 1
        state = await member.ask(30)
        assert state
        assert state.exchanges == 2
    assert member.restarts == 0


async def test_one_that_is_killed_is_replaced_and_its_last_word_is_kept(stage: Stage) -> None:
    async with started(stage) as member:
        assert await member.ask(30)
        pid = member.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: member.serves and member.pid != pid)
        assert stage.gone[0] is not None
        assert (member.restarts, stage.links) == (1, 2)
        assert await member.ask(30)


@pytest.mark.parametrize("act", ["silent", "garbage"])
async def test_one_that_stands_still_or_talks_nonsense_is_killed_and_replaced(
    stage: Stage, act: str
) -> None:
    async with started(stage) as member:
        pid = member.pid
        await until(lambda: bool(member.state))  # until its first answer it has more time
        stage.play(act)
        await until(lambda: member.restarts > 0)
        stage.play("well")
        await until(lambda: member.serves and member.pid != pid and bool(member.state))


async def test_a_question_without_an_answer_is_given_up(stage: Stage) -> None:
    async with started(stage) as member:
        stage.play("silent")
        member.state = None
        assert await member.ask(0.05) is None


@pytest.mark.parametrize(
    ("act", "reason"), [("unfit", "no bundle"), ("dies", "a serving process: the process ended")]
)
async def test_a_first_start_that_fails_is_the_gateways(
    stage: Stage, act: str, reason: str
) -> None:
    stage.play(act)
    with pytest.raises(CannotStart) as caught:
        await stage.member.start()
    assert str(caught.value) == reason
    await stage.member.stop(10)
    assert stage.member.restarts == 0


async def test_a_later_start_that_fails_is_tried_again(stage: Stage) -> None:
    async with started(stage) as member:
        stage.play("unfit")
        assert member.pid
        os.kill(member.pid, signal.SIGKILL)
        await until(lambda: member.restarts >= 3)
        assert not member.serves
        stage.play("well")
        await until(lambda: member.serves)


async def test_one_that_does_not_stop_is_killed(stage: Stage) -> None:
    await stage.member.start()
    stage.play("stubborn")
    await stage.member.stop(0.05)
    assert stage.member.pid is None


async def test_what_is_told_to_nobody_is_lost(stage: Stage) -> None:
    stage.member.tell(messages.Drain())
    assert await stage.member.ask(1) is None
