"""The writer's process, talked to over its socket."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.decisionlog import anchor, messages
from gateway.decisionlog.file import Disk
from gateway.decisionlog.messages import Kind, Report, Setup
from gateway.decisionlog.process import serve
from gateway.living import HEADER
from tests.decisionlog.support import KEY, LABELS, released


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[socket.socket]:
    """Our end of the pair; the other one is served in a thread."""
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    thread = threading.Thread(target=serve, args=(theirs, Disk()))
    thread.start()
    yield ours
    ours.close()
    thread.join(30)
    theirs.close()
    assert not thread.is_alive()


def report(ours: socket.socket) -> Report:
    length, _ = HEADER.unpack(ours.recv(HEADER.size, socket.MSG_WAITALL))
    return messages.read_report(ours.recv(length, socket.MSG_WAITALL))


def setup(folder: Path) -> bytes:
    return messages.setup_frame(Setup(folder / "decisions.jsonl", KEY, LABELS, 1.0))


def test_it_reports_that_the_log_is_open_and_then_every_group(
    ours: socket.socket, tmp_path: Path
) -> None:
    ours.sendall(setup(tmp_path))
    opened = report(ours)
    assert (opened.settled, opened.reached, opened.fault) == (0, anchor.first(KEY), "")
    ours.sendall(messages.entry_frame(released("e1")))
    first = report(ours)
    assert (first.settled, first.reached and first.reached.seq, first.fault) == (1, 1, "")
    assert b"e1" in (tmp_path / "decisions.jsonl").read_bytes()


def test_frames_may_come_in_any_pieces(ours: socket.socket, tmp_path: Path) -> None:
    stream = setup(tmp_path) + messages.entry_frame(released("e1"))
    for at in range(len(stream)):
        ours.sendall(stream[at : at + 1])
    report(ours)
    assert report(ours).settled == 1


def test_it_says_why_the_log_cannot_be_opened(ours: socket.socket, tmp_path: Path) -> None:
    ours.sendall(setup(tmp_path / "absent"))
    assert report(ours).fault == "ENOENT (No such file or directory)"


def test_what_was_sent_before_stop_is_written(ours: socket.socket, tmp_path: Path) -> None:
    stop = messages.frame(Kind.STOP, b"")
    ours.sendall(setup(tmp_path) + messages.entry_frame(released("e1")) + stop)
    report(ours)
    assert report(ours).settled == 1


def test_it_ends_with_the_gateway(ours: socket.socket, tmp_path: Path) -> None:
    ours.sendall(setup(tmp_path))
    report(ours)


def test_it_ends_where_it_is_not_set_up(ours: socket.socket) -> None:
    ours.sendall(messages.frame(Kind.STOP, b""))
