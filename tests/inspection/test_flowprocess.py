"""The process that reads streams, spoken to as the gateway does."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from msgspec import structs

from gateway.errors import Code
from gateway.inspection import flowmessages as messages
from gateway.inspection import masking
from gateway.inspection.flowmessages import Asked, Ended, Kind, Piece, Ready, Refused, Wanting
from gateway.inspection.flowprocess import serve
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.work import Task
from gateway.living import HEADER
from gateway.model import Counts, Decision, Effect, Format, Mask, SubjectRef
from gateway.response import Payload

ME = SubjectRef("account", "me")
SPEC = BodySpec(Format.NDJSON, subject=({"account": ("$.owner",)},))
TASK = Task(Payload("application/x-ndjson"), SPEC, Limits())
REDACT = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "r1")


def line(owner: str) -> bytes:
    return json.dumps({"owner": owner}).encode() + b"\n"


class Reader:
    """The other end: what it says next, and telling it something."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def told(self) -> messages.Told:
        length, _ = HEADER.unpack(self._exactly(HEADER.size))
        return messages.read_told(self._exactly(length))

    def tell(self, frame: bytes) -> None:
        self._socket.sendall(frame)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            got = self._socket.recv(size - len(data))
            assert got, "it ended"
            data += got
        return data


@pytest.fixture
def reader() -> Iterator[Reader]:
    ours, theirs = socket.socketpair()

    def run() -> None:
        with suppress(SystemExit, OSError):
            serve(theirs)

    thread = threading.Thread(target=run)
    thread.start()
    ours.settimeout(20)
    yield Reader(ours)
    ours.shutdown(socket.SHUT_RDWR)
    ours.close()
    thread.join(20)
    theirs.close()
    assert not thread.is_alive()


def test_it_reads_asks_and_hands_on_in_turns(reader: Reader) -> None:
    assert reader.told() == Ready()
    read_in_turns(reader)


def read_in_turns(reader: Reader) -> None:
    reader.tell(messages.task_frame(TASK, None))
    assert reader.told() == Wanting()
    reader.tell(messages.frame(Kind.CHUNK, line("me") + line("foreign")[:5]))
    asked = reader.told()
    assert isinstance(asked, Asked)
    assert (asked.inspection.subjects, asked.counts) == ((ME,), Counts())
    reader.tell(messages.decision_frame(REDACT))
    assert reader.told() == Piece(line("me"), Counts(1, 1, 0))
    reader.tell(messages.frame(Kind.TAKEN))
    assert reader.told() == Wanting()
    reader.tell(messages.frame(Kind.CHUNK, line("foreign")[5:]))
    asked = reader.told()
    assert isinstance(asked, Asked)
    assert (asked.inspection.records, asked.counts) == (2, Counts(1, 1, 0))
    reader.tell(messages.decision_frame(REDACT))
    assert reader.told() == Wanting()
    reader.tell(messages.frame(Kind.CHUNK))
    ended = reader.told()
    assert isinstance(ended, Ended)
    assert ended.counts == Counts(2, 1, 1)
    assert ended.inspection.bytes_inspected == len(line("me") + line("foreign"))


def test_after_a_refusal_it_reads_the_next_body(reader: Reader) -> None:
    assert reader.told() == Ready()
    for _ in range(2):
        reader.tell(messages.task_frame(TASK, None))
        assert reader.told() == Wanting()
        reader.tell(messages.frame(Kind.CHUNK, b'{"a"]\n'))
        refused = reader.told()
        assert isinstance(refused, Refused) and refused.code is Code.BODY_MALFORMED


def test_a_masked_value_becomes_a_pseudonym_under_the_key_of_its_task(reader: Reader) -> None:
    masked = structs.replace(REDACT, mask=(Mask("$.iban", pseudonym=True),))
    assert reader.told() == Ready()
    for key in (bytes(32), b"k" * 32):
        reader.tell(messages.task_frame(TASK, key))
        assert reader.told() == Wanting()
        reader.tell(messages.frame(Kind.CHUNK, b'{"owner": "me", "iban": "DE1"}\n'))
        assert isinstance(reader.told(), Asked)
        reader.tell(messages.decision_frame(masked))
        piece = reader.told()
        assert isinstance(piece, Piece)
        becomes = masking.of_text(masked.mask[0], "DE1", key)
        assert piece.data == b'{"owner": "me", "iban": "%b"}\n' % becomes.encode()
        reader.tell(messages.frame(Kind.TAKEN))
        assert reader.told() == Wanting()
        reader.tell(messages.frame(Kind.CHUNK))
        assert isinstance(reader.told(), Ended)


@pytest.mark.parametrize("heard", range(5))
def test_told_to_stop_it_gives_its_body_up_wherever_it_is(reader: Reader, heard: int) -> None:
    """Whatever it waits for; and the next body is read from its start."""
    answers = [
        messages.task_frame(TASK, None),
        messages.frame(Kind.CHUNK, line("me") + line("foreign")[:5]),
        messages.decision_frame(REDACT),
        messages.frame(Kind.TAKEN),
    ]
    assert reader.told() == Ready()
    for answer in answers[:heard]:
        reader.tell(answer)
        reader.told()
    reader.tell(messages.frame(Kind.STOP))
    assert reader.told() == Ready()
    read_in_turns(reader)


def test_told_to_stop_after_the_end_it_is_ready(reader: Reader) -> None:
    assert reader.told() == Ready()
    reader.tell(messages.task_frame(TASK, None))
    assert reader.told() == Wanting()
    reader.tell(messages.frame(Kind.CHUNK, b'{"a"]\n') + messages.frame(Kind.STOP))
    assert isinstance(reader.told(), Refused)
    assert reader.told() == Ready()


def test_another_answer_than_the_one_it_waits_for_ends_it() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(messages.task_frame(TASK, None) + messages.frame(Kind.TAKEN))
        with pytest.raises(ValueError, match="another frame"):
            serve(theirs)


def test_it_ends_with_the_gateway_s_end_of_the_socket() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        with pytest.raises((SystemExit, BrokenPipeError)):
            serve(theirs)
