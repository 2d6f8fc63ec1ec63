"""Two threads prove what one would, and refuse what it would."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection.proving import Proofs, check_proven, prove
from tests.support.containers import Data, Item, Shelf


def entries(*data: bytes) -> tuple[Item, ...]:
    return tuple(Item(number, str(number), each) for number, each in enumerate(data, 1))


@dataclass
class Opened:
    """Counts how often each entry is opened, and by how many threads all of them are."""

    def __post_init__(self) -> None:
        self.times: Counter[int] = Counter()
        self.threads: set[int] = set()

    def __call__(self, entry: Item) -> Data:
        self.times[entry.number] += 1
        self.threads.add(threading.get_ident())
        return Data(entry)


def test_what_comes_to_its_end_is_proven() -> None:
    contents = Shelf({"a": b"12"}).contents(1)
    prove(contents)
    check_proven(contents)
    with pytest.raises(BadUpstream):
        prove(Shelf({"a": b"BROKEN"}).contents(1))


def test_a_reader_that_stops_early_is_a_fault_of_ours() -> None:
    contents = Shelf({"a": b"12"}).contents(1)
    next(contents.chunks())
    with pytest.raises(InternalError):
        check_proven(contents)


@given(st.lists(st.binary(max_size=20), max_size=20), st.booleans())
def test_each_entry_is_proven_once(data: list[bytes], ahead: bool) -> None:
    listed, opened = entries(*data), Opened()
    with Proofs(opened, listed if ahead else ()) as proofs:
        for entry in listed:
            proofs.of(entry)
    assert opened.times == {entry.number: 1 for entry in listed}
    assert ahead or opened.threads <= {threading.get_ident()}


@given(st.lists(st.sampled_from([b"whole", b"BROKEN"]), max_size=8))
def test_the_first_entry_that_one_thread_would_refuse_is_refused(data: list[bytes]) -> None:
    listed = entries(*data)
    with Proofs(Data, listed) as proofs:
        for entry in listed:
            if entry.data == b"BROKEN":
                with pytest.raises(BadUpstream):
                    proofs.of(entry)
                break
            proofs.of(entry)


class Meeting:
    """Three entries: the first is read only when the last is proven or refused, and the middle one
    when the first has begun, so that the second thread has the last, and another one the first."""

    def __init__(self, last: bytes = b"whole") -> None:
        self.listed = entries(b"first", b"middle", last)
        self.begun, self.done = threading.Event(), threading.Event()
        self.proven_by: dict[int, int] = {}

    def __call__(self, entry: Item) -> "Met":
        self.proven_by[entry.number] = threading.get_ident()
        return Met(entry, self)


class Met(Data):
    """See `Meeting`."""

    def __init__(self, entry: Item, meeting: Meeting) -> None:
        super().__init__(entry)
        self.meeting = meeting

    def chunks(self) -> Iterator[bytes]:
        begun, done = self.meeting.begun, self.meeting.done
        if self.entry.number == 1:
            begun.set()
            assert done.wait(10)
        elif self.entry.number == 2:
            assert begun.wait(10)
        try:
            yield from super().chunks()
        finally:
            if self.entry.number == 3:
                done.set()


def test_a_second_thread_begins_with_the_last() -> None:
    meeting = Meeting()
    with Proofs(meeting, meeting.listed) as proofs:
        for entry in meeting.listed:
            proofs.of(entry)
    assert meeting.proven_by[1] == threading.get_ident() != meeting.proven_by[3]


def test_what_the_second_thread_refuses_is_refused_in_its_turn() -> None:
    meeting = Meeting(b"BROKEN")
    with Proofs(meeting, meeting.listed) as proofs:
        proofs.of(meeting.listed[0])
        proofs.of(meeting.listed[1])
        with pytest.raises(BadUpstream) as caught:
            proofs.of(meeting.listed[2])
    assert caught.value.code is Code.BODY_MALFORMED
    assert meeting.proven_by[3] != threading.get_ident()


@pytest.mark.parametrize("fault", [MemoryError, SystemExit, KeyboardInterrupt])
def test_whatever_ends_the_second_thread_proves_nothing(fault: type[BaseException]) -> None:
    meeting = Meeting()

    class Failing(Met):
        def chunks(self) -> Iterator[bytes]:
            if self.entry.number == 3:
                self.meeting.done.set()
                raise fault
            return super().chunks()

    with Proofs(lambda entry: Failing(entry, meeting), meeting.listed) as proofs:
        proofs.of(meeting.listed[0])
        proofs.of(meeting.listed[1])
        with pytest.raises(fault):
            proofs.of(meeting.listed[2])


def test_an_entry_that_nobody_has_read_is_not_proven() -> None:
    listed = entries(b"1")
    with Proofs(Data, listed) as proofs:
        proofs._left.clear()
        proofs._thread.join()  # type: ignore[union-attr]
        proofs._read.clear()
        with pytest.raises(InternalError):
            proofs.of(listed[0])


def test_whoever_stops_does_not_wait_for_the_rest() -> None:
    begun, before = threading.Event(), threading.active_count()

    class Endless(Data):
        def chunks(self) -> Iterator[bytes]:
            while True:
                begun.set()
                yield b"x"

    with pytest.raises(ZeroDivisionError), Proofs(Endless, entries(b"", b"")):
        assert begun.wait(10)
        raise ZeroDivisionError
    assert threading.active_count() == before


def test_entries_out_of_order_are_a_fault_of_ours() -> None:
    meeting = Meeting()
    with Proofs(meeting, meeting.listed) as proofs:
        assert meeting.done.wait(10)
        with pytest.raises(InternalError):
            proofs.of(meeting.listed[1])
        meeting.begun.set()
