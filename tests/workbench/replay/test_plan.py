"""Differences in groups: what would newly leave first, and sums that are right."""

from gateway.model import Effect
from gateway.workbench.replay.entries import Exchange, Listed, Unreplayable
from gateway.workbench.replay.plan import Plan
from gateway.workbench.replay.verdicts import Direction, Verdict, compare

EXCHANGE = Exchange("e", "orders", b"", [Listed(3, [], True)], 0, [], None)
ALLOW = Verdict(Effect.ALLOW, frozenset({0}), reasons=frozenset({"self_access"}))
BLOCK = Verdict(Effect.BLOCK, reasons=frozenset({"subject_not_permitted"}))
OTHER = Verdict(Effect.BLOCK, reasons=frozenset({"scope_missing"}))


def plan(*pairs: tuple[Verdict, Verdict], endpoint: str = "orders") -> Plan:
    made = Plan()
    for number, (before, after) in enumerate(pairs):
        made.count(f"e{number}", endpoint, compare(before, after, EXCHANGE))
    return made


def test_exchanges_that_differ_alike_are_one_group_with_examples() -> None:
    made = plan(*[(ALLOW, BLOCK)] * 5)
    ((kind, group),) = made.groups
    assert (kind.direction, kind.endpoint, kind.before, kind.after) == (
        Direction.BLOCKS,
        "orders",
        "allow",
        "block",
    )
    assert kind.reasons.signed == ("+subject_not_permitted", "-self_access")
    assert (group.exchanges, group.newly_staying, group.newly_leaving) == (5, 15, 0)
    assert group.examples == ["e0", "e1", "e2"]


def test_what_would_newly_leave_comes_first() -> None:
    made = plan((BLOCK, OTHER), (ALLOW, BLOCK), (BLOCK, ALLOW), (ALLOW, ALLOW))
    assert [kind.direction for kind, _ in made.groups] == list(Direction)
    assert (made.newly_leaving, made.newly_staying, made.differences) == (3, 3, 3)


def test_the_summary_counts_every_exchange_once() -> None:
    made = plan((BLOCK, OTHER), *[(ALLOW, BLOCK)] * 2, (BLOCK, ALLOW), *[(ALLOW, ALLOW)] * 1_000)
    made.leave_out(Unreplayable.TRUNCATED)
    made.leave_out(Unreplayable.OTHER_KEY)
    assert made.summary == (
        "Plan: 1,000 unchanged, 1 would newly release, 2 would newly block,"
        " 1 only for other reasons, 2 not replayed."
    )
    assert made.not_replayed == [(Unreplayable.TRUNCATED, 1), (Unreplayable.OTHER_KEY, 1)]


def test_a_plan_without_differences_is_short() -> None:
    made = plan((ALLOW, ALLOW))
    assert made.groups == []
    assert made.summary == "Plan: 1 unchanged, 0 would newly release, 0 would newly block."
