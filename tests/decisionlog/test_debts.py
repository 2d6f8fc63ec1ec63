"""What is owed is told to every writer until one has it on disk."""

from collections.abc import Iterator

from gateway.decisionlog import messages
from gateway.decisionlog.debts import Debts
from gateway.decisionlog.entry import Evidence
from gateway.decisionlog.messages import Kind, Report
from gateway.living import HEADER
from tests.decisionlog.support import released


def frames(stream: bytes) -> Iterator[tuple[int, Evidence | None] | int]:
    """What a writer is told: refusals with the numbers that they replace, and counts."""
    while stream:
        length, kind = HEADER.unpack_from(stream)
        payload, stream = stream[HEADER.size :][:length], stream[HEADER.size + length :]
        if kind == Kind.UNRECORDED:
            yield messages.read_unrecorded(payload)
        else:
            yield messages.read_refusal(Kind(kind), payload)


def test_a_refusal_names_its_entry_and_to_a_new_writer_none() -> None:
    debts = Debts()
    assert list(frames(debts.refuse(7, released("e7")))) == [(7, released("e7"))]
    assert list(frames(debts.tell_again())) == [(0, released("e7"))]
    assert debts.refusals == 1


def test_what_is_durable_is_not_told_again() -> None:
    debts = Debts()
    for number in range(3):
        debts.refuse(number, released(f"e{number}"))
    debts.miss(5)
    assert list(frames(debts.told())) == [5]
    assert debts.told() == b""
    assert debts.settle(Report(refusals=2, confessed=5))
    assert list(frames(debts.tell_again())) == [(0, released("e2"))]
    assert debts.unrecorded == 5


def test_what_was_told_but_is_not_durable_is_told_again() -> None:
    debts = Debts()
    debts.miss(2)
    debts.told()
    debts.miss()
    assert list(frames(debts.tell_again())) == [3]
    assert debts.told() == b""
    assert debts.settle(Report(confessed=3))
    assert debts.tell_again() == b""


def test_a_report_that_speaks_of_what_nobody_said_is_not_believed() -> None:
    debts = Debts()
    debts.refuse(1, released("e1"))
    debts.miss()
    for lie in (Report(refusals=2), Report(confessed=2), Report(refusals=-1), Report(confessed=-1)):
        assert not debts.settle(lie)
    assert debts.settle(Report(refusals=1, confessed=1))
    assert not debts.settle(Report(refusals=0))
