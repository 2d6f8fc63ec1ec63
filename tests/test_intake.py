"""What is received past the parser is what came, and not one byte more."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake import BLOCK, Intake


class Own(asyncio.Protocol):
    """The connection's own protocol: what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def eof_received(self) -> bool:
        self.told.append("eof")
        return False

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(exc)


class Receiving:
    """An intake of `left` bytes, and what became of them."""

    def __init__(self, left: int, fault: Exception | None = None) -> None:
        self.own, self.taken, self.fault = Own(), b"", fault
        self.ends: list[tuple[bytes, Exception | None]] = []
        self.heard = 0
        buffer = memoryview(bytearray(BLOCK))
        self.intake = Intake(self.own, buffer, left, self._take, self._hear, self._end)

    def comes(self, data: bytes) -> None:
        self.intake.get_buffer(-1)[: len(data)] = data
        self.intake.buffer_updated(len(data))

    def _take(self, data: memoryview) -> None:
        if self.fault:
            raise self.fault
        self.taken += data

    def _hear(self) -> None:
        self.heard += 1

    def _end(self, behind: bytes, error: Exception | None) -> None:
        self.ends.append((behind, error))


@given(pieces=st.lists(st.binary(min_size=1, max_size=50), min_size=1), behind=st.binary())
def test_exactly_the_missing_bytes_are_taken_and_what_is_behind_them_is_told(
    pieces: list[bytes], behind: bytes
) -> None:
    body = b"".join(pieces)
    receiving = Receiving(len(body))
    for number, piece in enumerate(pieces, 1):
        assert receiving.ends == []
        receiving.comes(piece + behind if number == len(pieces) else piece)
    assert (receiving.taken, receiving.ends) == (body, [(behind, None)])
    assert receiving.heard == len(pieces)


def test_what_can_not_be_taken_ends_it() -> None:
    full = OSError("full")
    receiving = Receiving(10, full)
    receiving.comes(b"abc")
    assert receiving.ends == [(b"", full)]


@pytest.mark.parametrize("exc", [None, ConnectionResetError()])
def test_all_but_the_bytes_is_told_to_the_connections_own_protocol(exc: Exception | None) -> None:
    receiving = Receiving(10)
    receiving.intake.pause_writing()
    receiving.intake.resume_writing()
    assert not receiving.intake.eof_received()
    receiving.intake.connection_lost(exc)
    assert receiving.own.told == ["pause", "resume", "eof", exc]
    assert receiving.ends == []
