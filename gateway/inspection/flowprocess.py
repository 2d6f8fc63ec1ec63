"""The process that reads streams, one after another: `python -m … PARENT FD`.

It runs `work.stream`, the same scan as for a body at rest, over a socket: what the scan reads, asks
and writes are turns of a conversation (`flowmessages`). It can be killed at any of them.
"""

import socket
import sys
from collections.abc import Iterator

from gateway.errors import Refusal
from gateway.inspection import flowmessages as messages
from gateway.inspection import work
from gateway.inspection.flowmessages import Kind
from gateway.living import HEADER, freeze, living
from gateway.model import Counts, Decision, Inspection


class _StoppedError(BaseException):
    """The body is given up. No reader may take that for a fault of its own."""


def serve(sock: socket.socket) -> None:
    """Read one body after another, for as long as the gateway is there."""
    gateway = _Gateway(sock)
    freeze()
    word: messages.Word = messages.Ready()
    while True:
        gateway.say(messages.word_frame(word))
        try:
            task, key = messages.read_task(gateway.hear(Kind.TASK))
            ended = work.stream(gateway.body(), task, gateway.ask, gateway.hand_on, key)
            word = messages.Ended(*ended)
        except Refusal as refusal:
            word = messages.Refused(refusal.code, refusal.note)
        except _StoppedError:
            word = messages.Ready()


class _Gateway:
    """The other end of the socket: says one thing, and waits for what it is told."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def body(self) -> Iterator[bytes]:
        """The chunks of the body, to its proven end."""
        while chunk := self._turn(messages.word_frame(messages.Wanting()), Kind.CHUNK):
            yield chunk

    def ask(self, inspection: Inspection, counts: Counts) -> Decision:
        asked = messages.word_frame(messages.Asked(inspection, counts))
        return messages.read_decision(self._turn(asked, Kind.DECISION))

    def hand_on(self, data: bytes, counts: Counts) -> None:
        self._turn(messages.piece_frame(data, counts), Kind.TAKEN)

    def _turn(self, frame: bytes, wanted: Kind) -> bytes:
        self.say(frame)
        return self.hear(wanted)

    def say(self, frame: bytes) -> None:
        self._socket.sendall(frame)

    def hear(self, wanted: Kind) -> bytes:
        length, kind = HEADER.unpack(self._exactly(HEADER.size))
        if kind == Kind.STOP:
            raise _StoppedError
        if kind != wanted:
            raise ValueError("another frame than the one that was waited for")
        return self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            got = self._socket.recv_into(view)
            if not got:
                sys.exit(0)  # the gateway closed its end
            view = view[got:]
        return bytes(data)


if __name__ == "__main__":
    parent, fd = sys.argv[1:]
    with living("stream", int(parent)):
        serve(socket.socket(fileno=int(fd)))
