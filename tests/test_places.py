"""Places are shared: whoever has many leaves some, and whoever has none gets one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code, Unavailable
from gateway.places import Place, Places


def claimed(places: Places, owner: str) -> Place | None:
    """As an exchange of this caller has it; None where it is refused."""
    if places.full:
        return None
    place = places.take()
    try:
        place.claim(owner)
    except Unavailable as refusal:
        assert refusal.code is Code.OVERLOADED
        place.give_back()
        return None
    return place


def held(places: Places, owner: str) -> list[Place]:
    """As many as the caller can have."""
    mine: list[Place] = []
    while place := claimed(places, owner):
        mine.append(place)
    return mine


def test_one_caller_alone_has_half() -> None:
    places = Places(512, "some")
    assert len(held(places, "one")) == 256
    assert (places.taken, places.largest) == (256, 256)


def test_whoever_comes_later_has_half_of_what_is_left() -> None:
    places = Places(512, "some")
    assert [len(held(places, owner)) for owner in "abcdef"] == [256, 128, 64, 32, 16, 8]
    assert not places.full


def test_callers_that_come_together_have_the_same() -> None:
    places, shares = Places(512, "some"), Counter[str]()
    for _ in range(512):
        for owner in "abc":
            shares[owner] += claimed(places, owner) is not None
    assert shares == {"a": 128, "b": 128, "c": 128}


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_first_place_may_be_the_last_one(limit: int) -> None:
    places = Places(limit, "some")
    for owner in range(limit):
        assert claimed(places, str(owner))
    assert places.full
    assert claimed(places, "too late") is None


def test_what_is_given_back_is_anybodys() -> None:
    places = Places(10, "some")
    mine = held(places, "one")
    assert len(mine) == 5
    mine.pop().give_back()
    assert claimed(places, "one")
    mine.pop().give_back()
    assert claimed(places, "another")
    assert claimed(places, "one") is None  # another one left less


def test_a_place_that_was_never_claimed_is_given_back_too() -> None:
    places = Places(10, "some")
    places.take().give_back()
    assert (places.taken, places.largest) == (0, 0)


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.sampled_from("abcde"), st.booleans(), st.integers(0, 99)), max_size=200),
)
def test_nobody_takes_what_others_need(limit: int, moves: list[tuple[str, bool, int]]) -> None:
    places = Places(limit, "some")
    mine: list[tuple[str, Place]] = []
    for owner, comes, which in moves:
        if not comes and mine:
            mine.pop(which % len(mine))[1].give_back()
            continue
        before, has = places.taken, Counter(each for each, _ in mine)
        place = claimed(places, owner)
        if place:
            mine.append((owner, place))
        assert places.taken == len(mine) <= limit
        if has[owner] == 0 and before < limit:
            assert place, "whoever has none gets one that is free"
        elif place:
            assert has[owner] + 1 <= limit - places.taken
    for _, place in mine:
        place.give_back()
    assert (places.taken, places.largest) == (0, 0)
