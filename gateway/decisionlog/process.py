"""The process that writes the log: `python -m gateway.decisionlog.process PARENT FD`.

It reads frames from its end of a socket pair, and of those that it is told of, makes everything
that has come one group, writes it, and reports. It ends when the gateway does: killed with it, or
at the end of the stream.
"""

import logging
import select
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from gateway.decisionlog import messages
from gateway.decisionlog.entry import Renderer
from gateway.decisionlog.file import Disk, LogFile
from gateway.decisionlog.messages import Kind, Report
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.decisionlog.writer import Account, Writer, reason
from gateway.errors import Unavailable
from gateway.living import HEADER, living

_READ = 64 * 1024
"""Bytes read at once; an allocation of more than 128 KiB would cost system calls of its own."""
_MAX_GROUP = 8 * 2**20
"""Bytes in one group, about: bounds the memory of a write and the time of a sync."""


class _Stream:
    """Frames of one channel, as they come, and whose they are."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self._data = sock, bytearray()
        self.fds: list[int] = []
        self.account: Account | None = None  # the main process's, before there is another

    def receive(self) -> bool:
        """Read what is there; False at the end."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, _READ, 1)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.fds += fds
        self._data += data
        return bool(data)

    def next(self) -> tuple[Kind, bytes] | None:
        """A frame, if one is here as a whole."""
        if len(self._data) < HEADER.size:
            return None
        length, kind = HEADER.unpack_from(self._data)
        end = HEADER.size + length
        if len(self._data) < end:
            return None
        payload = bytes(self._data[HEADER.size : end])
        del self._data[:end]
        return Kind(kind), payload

    def send(self, report: Report) -> None:
        """Raises OSError; BlockingIOError for one of several that doesn't read what it is sent."""
        self.sock.sendall(messages.report_frame(report))


class _Streams:
    """The main process's, and those that it had join. Reads only what a group has room for."""

    def __init__(self, sock: socket.socket) -> None:
        self.main = _Stream(sock)
        self.joined: dict[int, _Stream] = {}
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)
        self._turn: deque[_Stream] = deque([self.main])

    def next(self, patience: float) -> tuple[_Stream, Kind, bytes] | None:
        """A frame of any, or None when there is none within `patience` seconds.

        Raises EOFError when the main process is gone; of another one that is, there is none.
        """
        while (found := self._whole()) is None:
            ready = self._poll.poll(patience * 1000)
            if not ready:
                return None
            for fd, _ in ready:
                stream = self.joined.get(fd, self.main)
                if not stream.receive():
                    if stream is self.main:
                        raise EOFError
                    return stream, Kind.STOP, b""
        return found

    def join(self, account: Account) -> _Stream:
        """The channel whose descriptor came with the frame."""
        stream = _Stream(socket.socket(fileno=self.main.fds.pop(0)))
        stream.sock.setblocking(False)  # one that stands still must not hold up the others
        stream.account = account
        fd = stream.sock.fileno()
        self.joined[fd] = stream
        self._poll.register(fd, select.POLLIN)
        self._turn.append(stream)
        return stream

    def part(self, stream: _Stream) -> None:
        fd = stream.sock.fileno()
        self._poll.unregister(fd)
        del self.joined[fd]
        self._turn.remove(stream)
        stream.sock.close()

    def _whole(self) -> tuple[_Stream, Kind, bytes] | None:
        """One after another, so that whoever sends much leaves the others their turn."""
        for _ in range(len(self._turn)):
            stream = self._turn[0]
            self._turn.rotate(-1)
            if frame := stream.next():
                return stream, *frame
        return None


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
    streams, warnings = _Streams(sock), _Warnings()
    rooms = logging.getLogger("gateway")
    rooms.addHandler(warnings)

    def send(report: Report) -> None:
        streams.main.send(replace(report, warnings=warnings.taken()))

    try:
        first = streams.next(60.0)
        if first is None or first[1] is not Kind.SETUP:
            raise EOFError
        setup = messages.read_setup(first[2])
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
            _write_groups(streams, writer, setup.tick, send)
        finally:
            writer.close()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the gateway is gone: nobody waits for what is left
    finally:
        rooms.removeHandler(warnings)


def _write_groups(
    streams: _Streams, writer: Writer, tick: float, send: Callable[[Report], None]
) -> None:
    stopping, fault = False, ""
    while not stopping:
        found, size = streams.next(tick), 0
        parting: list[_Stream] = []
        while found:
            stream, kind, payload = found
            if stream is not streams.main and kind is Kind.STOP:
                parting.append(stream)
                break
            size += _take(streams, writer, stream, kind, payload)
            stopping = kind is Kind.STOP
            if stopping or size >= _MAX_GROUP:
                break
            found = streams.next(0.0)
        news = writer.tend()
        if not writer.idle or news or stopping:
            report = writer.commit()
            send(report)
            news, fault = news or report.fault != fault, report.fault
        _report_to_others(streams, writer, parting, everybody=news)


def _report_to_others(
    streams: _Streams, writer: Writer, parting: list[_Stream], *, everybody: bool
) -> None:
    """To those who wait for it; a fault, and its end, to all."""
    for stream in tuple(streams.joined.values()):
        account = stream.account
        assert account is not None
        if account.due or everybody:
            try:
                stream.send(writer.report(account))
            except OSError:  # it is gone, which no other process has to suffer from
                parting = [*parting, stream]
    for stream in dict.fromkeys(parting):
        assert stream.account is not None
        writer.close_account(stream.account)
        streams.part(stream)


def _take(streams: _Streams, writer: Writer, stream: _Stream, kind: Kind, payload: bytes) -> int:
    """The size of what came."""
    account = stream.account
    match kind:
        case Kind.ENTRY | Kind.ODD_ENTRY:
            return writer.take(messages.read_entry(kind, payload), account)
        case Kind.REFUSAL | Kind.ODD_REFUSAL:
            return writer.refuse(*messages.read_refusal(kind, payload), account)
        case Kind.UNRECORDED:
            writer.miss(messages.read_unrecorded(payload), account)
        case Kind.JOIN if stream is streams.main:
            joined = streams.join(writer.open_account())
            with suppress(OSError):  # it may be gone already, which is seen when it is read
                joined.send(replace(writer.report(joined.account), fault=""))  # it is open
        case Kind.STOP | Kind.SETUP | Kind.REPORT:
            pass
    return 0


def main(parent: str, fd: str, disk: Disk) -> None:
    """The whole life of the process."""
    with living("the decision log's writer", int(parent)):
        serve(socket.socket(fileno=int(fd)), disk)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Disk())
