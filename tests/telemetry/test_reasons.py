"""Reasons as labels: bounded, and never an identifier."""

from gateway.decisionlog.spellings import NOTHING, spellings
from gateway.model import SubjectRef
from gateway.telemetry.reasons import OTHER, ReasonLabels
from tests.policy.support import question


def test_a_reason_is_its_own_label() -> None:
    labels = ReasonLabels()
    assert labels.label("self_access", NOTHING) == "self_access"
    assert labels.label("self_access", NOTHING) == "self_access"


def test_only_so_many_reasons_have_a_label_of_their_own() -> None:
    labels = ReasonLabels(most=3)
    given_ = [labels.label(f"reason_{n}", NOTHING) for n in range(1_000)]
    assert given_ == ["reason_0", "reason_1", "reason_2"] + [OTHER] * 997
    assert labels.label("reason_1", NOTHING) == "reason_1"
    assert len({*(ReasonLabels().label(f"r{n}", NOTHING) for n in range(100))}) == 100
    bounded = ReasonLabels()
    assert len({bounded.label(f"r{n}", NOTHING) for n in range(1_000)}) == 65


def test_a_reason_that_spells_an_identifier_of_its_exchange_has_no_label() -> None:
    spelt = spellings(question(SubjectRef("account", "A9-canary")))
    labels = ReasonLabels()
    assert labels.label("owner_a9_canary", spelt) == OTHER
    assert labels.label("self_access", spelt) == "self_access"
