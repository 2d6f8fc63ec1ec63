"""Who may put a body into the spool, and who waits."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Unavailable
from gateway.turns import Ledger, Turns


def turns(limit: int = 1000, patience: float = 30.0, ledger: Ledger | None = None) -> Turns:
    return Turns(ledger or Ledger(), limit, patience)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def waits(coroutine: Any) -> "asyncio.Task[None]":
    task = asyncio.create_task(coroutine)
    await settled()
    assert not task.done()
    return task


async def test_where_there_is_room_nobody_waits_and_a_first_body_may_have_all() -> None:
    queue = turns()
    await queue.wait(1000, "a")
    queue.give_back(1000, "a")
    await queue.wait(300, "a")
    await queue.wait(200, "b")
    assert queue.waiting == 0


async def test_bodies_fill_half_and_the_next_one_waits_until_another_leaves() -> None:
    queue = turns()
    await queue.wait(400, "a")
    task = await waits(queue.wait(200, "b"))
    queue.give_back(400, "a")
    await task


async def test_nobody_overtakes_one_that_waits_for_room() -> None:
    queue = turns()
    await queue.wait(400, "a")
    big = await waits(queue.wait(500, "b"))
    small = await waits(queue.wait(10, "c"))
    queue.give_back(400, "a")
    await big
    await settled()
    assert not small.done()
    queue.give_back(500, "b")
    await small


async def test_a_caller_never_has_more_than_it_leaves_free_and_is_passed_by() -> None:
    queue = turns(limit=1000)
    for _ in range(2):
        await queue.wait(120, "greedy")
    greedy = await waits(queue.wait(20, "greedy"))  # 260, and only 240 would be left
    await queue.wait(100, "modest")
    assert not greedy.done()
    queue.give_back(120, "greedy")
    await greedy


async def test_a_body_of_unknown_length_has_its_callers_share_too() -> None:
    queue = turns(limit=1000)
    queue.take(400, "greedy", 0)
    queue.take(300, "greedy", 400)  # its only body
    with pytest.raises(Unavailable) as caught:
        queue.take(100, "greedy", 0)
    assert caught.value.note == "the caller has its share of spool.limit"
    queue.take(100, "other", 0)
    with pytest.raises(Unavailable) as caught:
        queue.take(500, "another", 0)
    assert caught.value.note == "spool.limit is reached"
    queue.give_back(700, "greedy")
    queue.take(500, "another", 0)


async def test_what_is_nobodys_any_more_takes_room_and_no_callers_share() -> None:
    turns = Turns(Ledger(), 100, 1)
    turns.take(40, "me")
    turns.disown(40, "me")
    turns.take(40, "me")  # as a first body
    with pytest.raises(Unavailable):
        turns.take(40, "you")
    turns.give_back(40, None)
    turns.take(40, "you")


async def test_a_redaction_goes_first_and_may_use_the_other_half() -> None:
    queue = turns()
    await queue.wait(450, "a")
    fetch = await waits(queue.wait(300, "b"))
    await queue.wait(500, None, beside=450, redacts=True)
    late = await waits(queue.wait(500, None, beside=450, redacts=True))
    queue.give_back(500, None)
    await late
    assert not fetch.done()
    queue.give_back(500, None)
    queue.give_back(450, "a")
    await fetch


async def test_what_can_be_done_without_takes_nothing_of_the_redactions_half() -> None:
    queue = turns()
    queue.take(400, "a")
    assert queue.spares(100) and not queue.spares(101)
    waiting = await waits(queue.wait(200, "b"))
    assert not queue.spares(1)
    queue.give_back(400, "a")
    await waiting
    assert queue.spares(300)


@pytest.mark.parametrize(("size", "beside"), [(1001, 0), (600, 401)])
async def test_what_can_never_be_is_refused_at_once(size: int, beside: int) -> None:
    with pytest.raises(Unavailable) as caught:
        await turns().wait(size, "a", beside=beside)
    assert caught.value.note == "more than spool.limit"


async def test_who_waits_too_long_is_refused_and_lets_the_next_one_by() -> None:
    queue = turns(patience=0.05)
    await queue.wait(400, "a")
    with pytest.raises(Unavailable) as caught:
        await queue.wait(900, "b")
    assert caught.value.note == "no room within spool.wait"
    await queue.wait(100, "c")
    assert queue.waiting == 0


async def test_a_caller_that_leaves_while_it_waits_takes_nothing_along() -> None:
    ledger = Ledger()
    queue = turns(ledger=ledger)
    await queue.wait(400, "a")
    first = await waits(queue.wait(500, "b"))
    second = await waits(queue.wait(100, "c"))
    first.cancel()
    await asyncio.wait([first])
    await second
    queue.give_back(400, "a")
    queue.give_back(100, "c")
    assert (ledger.own, queue.waiting) == (0, 0)


async def test_a_turn_that_comes_as_its_caller_leaves_is_given_back() -> None:
    ledger = Ledger()
    queue = turns(ledger=ledger)
    await queue.wait(900, "a")
    task = await waits(queue.wait(400, "b"))
    queue.give_back(900, "a")  # its turn
    task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), ledger.own) == (True, 0)


async def test_room_that_another_process_makes_is_seen() -> None:
    numbers = [0, 900]
    queue = turns(ledger=Ledger(numbers, 0))
    task = await waits(queue.wait(400, "a"))
    numbers[1] = 0
    await task
    assert numbers == [400, 0]


@given(st.lists(st.tuples(st.integers(1, 400), st.sampled_from("abc")), min_size=1, max_size=30))
def test_all_are_served_within_the_limit(bodies: list[tuple[int, str]]) -> None:
    ledger = Ledger()

    async def one(queue: Turns, size: int, owner: str) -> None:
        await queue.wait(size, owner)
        assert ledger.all <= 1000
        await asyncio.sleep(0)
        queue.give_back(size, owner)

    async def play() -> None:
        queue = turns(ledger=ledger)
        await asyncio.gather(*(one(queue, *body) for body in bodies))
        assert queue.waiting == 0

    asyncio.run(play())
    assert ledger.own == 0
