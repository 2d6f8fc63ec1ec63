"""The process that writes the log: `python -m gateway.decisionlog.process PARENT FD`.

It reads frames from its end of a socket pair, makes everything that has come one group, writes it,
and reports. It ends when the gateway does: killed with it, or at the end of the stream.
"""

import logging
import select
import socket
import sys
from collections.abc import Callable
from dataclasses import replace

from gateway.child import HEADER, living
from gateway.decisionlog import messages
from gateway.decisionlog.entry import Renderer
from gateway.decisionlog.file import Disk, LogFile
from gateway.decisionlog.messages import Kind, Report
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.decisionlog.writer import Writer, reason
from gateway.errors import Unavailable

_READ = 256 * 1024
_MAX_GROUP = 8 * 2**20
"""Bytes in one group, about: bounds the memory of a write and the time of a sync."""


class _Stream:
    """Frames as they come. Reads only what a group has room for."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._data = sock, bytearray()
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)

    def next(self, patience: float) -> tuple[Kind, bytes] | None:
        """A frame, or None when there is none within `patience` seconds. Raises EOFError."""
        while (found := self._whole()) is None:
            if not self._poll.poll(patience * 1000):
                return None
            data = self._sock.recv(_READ)
            if not data:
                raise EOFError
            self._data += data
        return found

    def _whole(self) -> tuple[Kind, bytes] | None:
        if len(self._data) < HEADER.size:
            return None
        length, kind = HEADER.unpack_from(self._data)
        end = HEADER.size + length
        if len(self._data) < end:
            return None
        payload = bytes(self._data[HEADER.size : end])
        del self._data[:end]
        return Kind(kind), payload


class _Warnings(logging.Handler):
    """What this process's rooms warn of, for the gateway to log: nobody reads it here."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._kept: list[tuple[str, dict[str, str | int]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        values = {
            name: value if isinstance(value, int) else str(value)
            for name, value in getattr(record, "values", {}).items()
        }
        self._kept.append((record.getMessage(), values))

    def taken(self) -> tuple[tuple[str, dict[str, str | int]], ...]:
        kept, self._kept = tuple(self._kept), []
        return kept


def serve(sock: socket.socket, disk: Disk) -> None:
    """Write until the gateway says stop, or is gone."""
    stream, warnings = _Stream(sock), _Warnings()
    rooms = logging.getLogger("gateway")
    rooms.addHandler(warnings)

    def send(report: Report) -> None:
        sock.sendall(messages.report_frame(replace(report, warnings=warnings.taken())))

    try:
        first = stream.next(60.0)
        if first is None or first[0] is not Kind.SETUP:
            raise EOFError
        setup = messages.read_setup(first[1])
        file = LogFile(setup.path, setup.key, disk, patience=setup.patience)
        try:
            file.open(setup.reached)
        except (OSError, Unavailable) as error:
            send(Report(fault=reason(error)))
            return
        renderer = Renderer(Pseudonyms(setup.key.pseudonym), setup.key.id, setup.labels)
        writer = Writer(file, renderer, setup.tick)
        try:
            send(writer.report())
            _write_groups(stream, writer, setup.tick, send)
        finally:
            writer.close()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the gateway is gone: nobody waits for what is left
    finally:
        rooms.removeHandler(warnings)


def _write_groups(
    stream: _Stream, writer: Writer, tick: float, send: Callable[[Report], None]
) -> None:
    stopping = False
    while not stopping:
        found, size = stream.next(tick), 0
        while found:
            kind, payload = found
            size += _take(writer, kind, payload)
            stopping = kind is Kind.STOP
            if stopping or size >= _MAX_GROUP:
                break
            found = stream.next(0.0)
        news = writer.tend()
        if not writer.idle or news or stopping:
            send(writer.commit())


def _take(writer: Writer, kind: Kind, payload: bytes) -> int:
    """The size of what came."""
    match kind:
        case Kind.ENTRY | Kind.ODD_ENTRY:
            return writer.take(messages.read_entry(kind, payload))
        case Kind.REFUSAL | Kind.ODD_REFUSAL:
            return writer.refuse(*messages.read_refusal(kind, payload))
        case Kind.UNRECORDED:
            writer.miss(messages.read_unrecorded(payload))
        case Kind.STOP | Kind.SETUP | Kind.REPORT:
            pass
    return 0


def main(parent: str, fd: str, disk: Disk) -> None:
    """The whole life of the process."""
    with living("the decision log's writer", int(parent)):
        serve(socket.socket(fileno=int(fd)), disk)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Disk())
