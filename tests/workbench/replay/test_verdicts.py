"""What counts as a difference, and in which direction."""

from typing import Any

import pytest

from gateway.errors import Code
from gateway.model import Decision, Effect, Mask, SubjectRef
from gateway.workbench.replay.entries import Exchange, Listed, Recorded
from gateway.workbench.replay.verdicts import (
    ORPHANS,
    Direction,
    Verdict,
    as_logged,
    compare,
    decided,
    recorded,
)
from tests.workbench.replay.support import NAMES

EXCHANGE = Exchange(
    "e1",
    "orders",
    b"",
    [Listed(3, ["order"], True), Listed(1_700, ["voice"], False), Listed(5, [], False)],
    2,
    ["document"],
    None,
)


def allow(*places: int, **changes: Any) -> Verdict:
    return Verdict(Effect.ALLOW, frozenset(places), **changes)


def redact(*places: int, **changes: Any) -> Verdict:
    texts = {name: frozenset(texts) for name, texts in changes.items()}
    return Verdict(Effect.REDACT, frozenset(places), **texts)


BLOCK = Verdict(Effect.BLOCK)
REFUSED = Verdict(None, code=Code.POLICY_TIMEOUT)


@pytest.mark.parametrize(
    ("before", "after", "direction", "leaving", "staying"),
    [
        (BLOCK, allow(0, 1, 2, ORPHANS), Direction.RELEASES, 1_710, 0),
        (BLOCK, redact(0), Direction.RELEASES, 3, 0),
        (redact(0), redact(0, ORPHANS), Direction.RELEASES, 2, 0),
        (redact(0), redact(1), Direction.RELEASES, 1_700, 3),  # the worse of both
        (REFUSED, redact(), Direction.RELEASES, 0, 0),  # an envelope is not nothing
        (redact(0, 1, withhold=["voice"]), redact(0, 1), Direction.RELEASES, 1_700, 0),
        (redact(0, mask=["$.a"]), redact(0), Direction.RELEASES, 0, 0),
        (redact(0, mask=["$.a"]), redact(0, mask=["$.b"]), Direction.RELEASES, 0, 0),
        (allow(0, 1), BLOCK, Direction.BLOCKS, 0, 1_703),
        (allow(0), REFUSED, Direction.BLOCKS, 0, 3),
        (redact(0, 2), redact(0), Direction.BLOCKS, 0, 5),
        (redact(0), redact(0, mask=["$.a"]), Direction.BLOCKS, 0, 0),
        (redact(0, 1), redact(0, 1, withhold=["voice"]), Direction.BLOCKS, 0, 1_700),
        (redact(0), redact(0, reasons=["consent"]), Direction.REASONS, 0, 0),
        (BLOCK, REFUSED, Direction.REASONS, 0, 0),
    ],
)
def test_a_difference_has_a_direction_and_its_records(
    before: Verdict, after: Verdict, direction: Direction, leaving: int, staying: int
) -> None:
    found = compare(before, after, EXCHANGE)
    assert found
    assert (found.direction, found.newly_leaving, found.newly_staying) == (
        direction,
        leaving,
        staying,
    )


@pytest.mark.parametrize("verdict", [BLOCK, REFUSED, allow(0), redact(1, mask=["$.a"])])
def test_the_same_verdict_is_no_difference(verdict: Verdict) -> None:
    assert compare(verdict, verdict, EXCHANGE) is None


def test_what_becomes_of_records_that_are_not_there_is_no_difference() -> None:
    owned = Exchange("e1", "orders", b"", EXCHANGE.subjects, 0, [], None)
    assert compare(allow(0), allow(0, ORPHANS), owned) is None
    assert compare(redact(0), redact(0, ORPHANS), EXCHANGE)


def test_an_entry_says_what_was_decided() -> None:
    result = Recorded(Effect.REDACT, "release", ["voice"], ["$.a"], ["self_access"])
    logged = Exchange("e1", "orders", b"", EXCHANGE.subjects, 2, [], result)
    assert recorded(logged) == redact(
        0, ORPHANS, withhold=["voice"], mask=["$.a"], reasons=["self_access"]
    )
    result.effect = Effect.BLOCK
    assert recorded(logged) == Verdict(Effect.BLOCK, reasons=frozenset({"self_access"}))


def test_a_decision_and_its_entry_are_the_same_verdict() -> None:
    owner = SubjectRef("account", "A1")
    decision = Decision(
        Effect.REDACT,
        frozenset({owner}),
        True,
        frozenset({"voice"}),
        (Mask("$.a"), Mask("$.b", keep=4)),
        ("own",),
        "r1",
    )
    assert decided(decision, {owner: 0}) == redact(
        0, ORPHANS, withhold=["voice"], mask=["$.a", "$.b keep 4"], reasons=["own"]
    )


def test_a_text_that_the_log_hides_is_compared_hidden() -> None:
    """`entry._quoted` writes a mask that may quote somebody as a pseudonym."""
    said = redact(0, mask=["$.A1", "$.b"])
    entry = redact(0, mask=[NAMES.text("$.A1"), "$.b"])
    assert as_logged(said, entry, NAMES) == entry
    assert as_logged(redact(0, mask=["$.A2", "$.b"]), entry, NAMES) != entry
