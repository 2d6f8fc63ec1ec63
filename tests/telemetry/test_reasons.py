"""Reasons as labels: bounded, and never an identifier."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Actor, SubjectRef
from gateway.telemetry.reasons import OTHER, ReasonLabels, spellings, spells
from tests.policy.support import FOREIGN, question

NOBODY: frozenset[str] = frozenset()
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True)


def test_a_reason_is_its_own_label() -> None:
    labels = ReasonLabels()
    assert labels.label("self_access", NOBODY) == "self_access"
    assert labels.label("self_access", NOBODY) == "self_access"


def test_only_so_many_reasons_have_a_label_of_their_own() -> None:
    labels = ReasonLabels(most=3)
    given_ = [labels.label(f"reason_{n}", NOBODY) for n in range(1_000)]
    assert given_ == ["reason_0", "reason_1", "reason_2"] + [OTHER] * 997
    assert labels.label("reason_1", NOBODY) == "reason_1"
    assert len({*(ReasonLabels().label(f"r{n}", NOBODY) for n in range(100))}) == 100
    bounded = ReasonLabels()
    assert len({bounded.label(f"r{n}", NOBODY) for n in range(1_000)}) == 65


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("A9-canary", "owner_a9_canary"),
        ("a9", "a9"),
        ("a9", "not_a9_here"),
        ("Max.Muster@Example.org", "foreign_max_muster_example_org"),
        (4711, "owner_4711"),
        ("_x_", "is_x"),
    ],
)
def test_a_reason_that_spells_an_identifier_of_its_exchange_is_not_shown(
    identifier: str | int, reason: str
) -> None:
    """Whoever it is: a subject, the caller, the actor, or somebody in the path."""
    plain = question(FOREIGN)
    subject = question(SubjectRef("account", identifier))
    asked = [
        subject,
        question(identifiers=[SubjectRef("account", identifier)]),
        replace(plain, caller=replace(plain.caller, id=str(identifier))),
        replace(plain, caller=replace(plain.caller, actor=Actor(str(identifier)))),
        replace(plain, params={"id": str(identifier)}),
    ]
    labels = ReasonLabels()
    for each in asked:
        assert labels.label(reason, spellings(each)) == OTHER
        assert labels.label("self_access", spellings(each)) == "self_access"
    assert not spells(reason, spellings(question(SubjectRef("account", "somebody"))))


def test_what_no_reason_can_spell_hides_none() -> None:
    spelt = spellings(question(SubjectRef("account", 2**5_000), SubjectRef("account", "@")))
    assert "" not in spelt
    assert not spells("self_access", spelt)
    assert not spells("trailing_", spelt)


@given(identifier=NAMES, before=NAMES, after=NAMES)
def test_an_identifier_is_found_wherever_it_stands_in_a_reason(
    identifier: str, before: str, after: str
) -> None:
    spelt = spellings(question(SubjectRef("account", identifier)))
    assert identifier.strip("_") in spelt
    word = identifier.strip("_").replace("__", "_")
    if "__" not in identifier:
        assert spells(f"{before}_{word}_{after}", spelt)
