"""A fair choice among many mutants."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.workbench.mutate.mutants import Change, Kind, Where, fair


def change(kind: Kind, record: int, how: int) -> Change:
    return Change(kind, Where("f", "$.id", record=record), str(how), "old", "new")


MANY = [change(Kind.LOOKALIKE, record, how) for record in range(100) for how in range(8)]
FEW = [change(Kind.OWNER, record, 0) for record in range(5)]


def test_a_rare_kind_is_not_crowded_out() -> None:
    chosen, possible = fair([*MANY, *FEW], lambda each: each, 20, seed=0)
    counts = Counter(each.kind for each in chosen)
    assert counts == {Kind.LOOKALIKE: 15, Kind.OWNER: 5}
    assert possible == 805


def test_records_come_in_turn() -> None:
    chosen, _ = fair(MANY, lambda each: each, 100, seed=1)
    assert len({each.where.record for each in chosen}) == 100


@given(st.integers(0, 2**32), st.integers(1, 900))
def test_the_same_seed_makes_the_same_choice_and_none_twice(seed: int, limit: int) -> None:
    one, _ = fair([*MANY, *FEW], lambda each: each, limit, seed)
    again, _ = fair([*MANY, *FEW], lambda each: each, limit, seed)
    assert one == again
    assert len(set(one)) == len(one) == min(limit, 805)


def test_of_nothing_nothing_is_chosen() -> None:
    assert fair(list[Change](), lambda each: each, 5, 0) == ([], 0)
