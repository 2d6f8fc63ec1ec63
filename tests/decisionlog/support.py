"""Evidence to log, logs to damage, and disks that fail when they are told to."""

import errno
import fcntl
import mmap
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.decisionlog.append import DecisionLog
from gateway.decisionlog.entry import Evidence, Outcome
from gateway.decisionlog.file import Disk, LogFile
from gateway.decisionlog.key import derive
from gateway.decisionlog.messages import Setup
from gateway.decisionlog.settings import DecisionLogSettings
from gateway.decisionlog.supervisor import WRITER, Spawned
from gateway.model import (
    Attribution,
    Caller,
    Counts,
    Decision,
    Effect,
    Format,
    Group,
    Identifier,
    Inspection,
    Phase,
    SubjectRef,
)
from gateway.policy.contract import Question
from tests.support.reading import masks

KEY = derive(b"a test key of at least 32 bytes.")
OTHER_KEY = derive(b"another key of at least 32 bytes")
LABELS = {"id": "gateway-1", "version": "0.1.0"}
NOON = datetime(2026, 7, 1, 12, 0, 0, 123456, UTC)
A1 = SubjectRef("account", "A1")
A9 = SubjectRef("account", "A9")


def caller(**changes: Any) -> Caller:
    fields: dict[str, Any] = {
        "issuer": "https://id.example.org",
        "id": "A1",
        "identifiers": (Identifier("account", "A1"),),
    }
    return Caller(**fields | changes)


def inspection(*groups: Group) -> Inspection:
    return Inspection(
        format=Format.JSON,
        groups=groups,
        fields=("id", "item"),
        bytes_received=2_000,
        bytes_inspected=2_000,
        bytes_decoded=2_000,
    )


def group(*owners: SubjectRef, records: int = 1, category: str = "order") -> Group:
    attribution = Attribution.DIRECT if owners else Attribution.NONE
    return Group(owners, attribution, category, records)


def decision(effect: Effect = Effect.ALLOW, *permitted: SubjectRef, **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "effect": effect,
        "permitted": frozenset(permitted),
        "release_unattributed": False,
        "withhold": frozenset(),
        "mask": (),
        "reasons": ("self_access",),
        "revision": "rev-7",
    }
    changes["mask"] = masks(*changes.get("mask", ()))
    return Decision(**fields | changes)


def question(asking: Caller, **changes: Any) -> Question:
    """The one of the request phase, as evidence holds it."""
    fields: dict[str, Any] = {
        "phase": Phase.REQUEST,
        "exchange_id": "e1",
        "received_at": NOON,
        "endpoint": "orders",
        "labels": {"team": "shop"},
        "method": "GET",
        "path": ("exports", "A1", "orders"),
        "params": {"account": "A1"},
        "query": {"page": ("1", "2")},
        "caller": asking,
    }
    return Question(**fields | changes)


def released(exchange_id: str = "e1", **changes: Any) -> Evidence:
    """Somebody received three records of their own."""
    fields: dict[str, Any] = {
        "endpoint": "orders",
        "method": "GET",
        "caller": caller(),
        "inspection": inspection(group(A1, records=3)),
        "decision": decision(Effect.ALLOW, A1),
        "counts": Counts(seen=3, released=3),
        "http_status": 200,
        "outcome": Outcome.RELEASED,
        "bytes_released": 2_000,
        "durations": {"inspection": 0.001},
    }
    fields |= changes
    if fields["caller"] is not None:
        fields.setdefault("question", question(fields["caller"], exchange_id=exchange_id))
    return Evidence(exchange_id, NOON, **fields)


def settings(folder: Path, **changes: Any) -> DecisionLogSettings:
    return DecisionLogSettings(folder / "decisions.jsonl", folder / "key", **changes)


def decision_log(
    folder: Path,
    *,
    faulty: "FaultyDisk | None" = None,
    tick: float = 0.01,
    patience: float = 10.0,
    synced: Callable[[float], None] = lambda _: None,
    **changes: Any,
) -> DecisionLog:
    log = settings(folder, **changes)
    command = faulty.writer if faulty else (WRITER,)
    writers = Spawned(Setup(log.file, KEY, LABELS, tick, patience), command)
    return DecisionLog(log, writers, synced=synced)


def write_log(path: Path, entries: int, first: int = 1) -> None:
    """Make `entries` durable, or add them to what is there; each in a group of its own."""
    file = LogFile(path, KEY, Disk())
    file.open()
    for number in range(first, first + entries):
        file.commit([b'{"decision_id":"e%d"}' % number])
    file.close()


class FaultyDisk:
    """Tells the writer of a log, which is another process, how its disk fails.

    Each call fails with the errno that stands in its attribute, after `spare` more bytes were
    written. `hold` makes every sync wait until it is given free; `piece` bounds each write;
    `deadly` makes a sync the end of its process; `starts` counts the processes.
    """

    _FIELDS = (
        "write_errno", "sync_errno", "truncate_errno", "anchor_errno", "spare", "syncs", "syncing",
        "piece", "deadly", "starts",
    )  # fmt: skip

    write_errno: int
    sync_errno: int
    truncate_errno: int
    anchor_errno: int
    spare: int
    syncs: int
    syncing: int
    piece: int
    deadly: int
    starts: int

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("a+b") as file:
            file.truncate(8 * len(self._FIELDS))
            self._shared = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")
        self._gate = os.open(path, os.O_RDWR)

    @property
    def writer(self) -> tuple[str, ...]:
        """The writer's module, with arguments, for `DecisionLog`."""
        return ("tests.decisionlog.faulty_writer", str(self.path))

    def __getattr__(self, name: str) -> int:
        if name not in FaultyDisk._FIELDS:
            raise AttributeError(name)
        return int(self._shared[self._FIELDS.index(name)])

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._FIELDS:
            self._shared[self._FIELDS.index(name)] = value
        else:
            super().__setattr__(name, value)

    def repair(self) -> None:
        self.write_errno = self.sync_errno = self.truncate_errno = self.anchor_errno = 0
        self.spare = 0

    def hold(self) -> None:
        self.syncing = 0
        fcntl.flock(self._gate, fcntl.LOCK_EX)

    def free(self) -> None:
        fcntl.flock(self._gate, fcntl.LOCK_UN)

    @property
    def disk(self) -> Disk:
        """The disk itself, on the writer's side."""
        return Disk(self._write, self._sync, self._truncate, self._write_at)

    def _write(self, fd: int, data: memoryview) -> int:
        if self.write_errno:
            if not self.spare:
                _fail(self.write_errno)
            data, self.spare = data[: self.spare], max(0, self.spare - len(data))
        return os.write(fd, data[: self.piece] if self.piece else data)

    def _sync(self, fd: int) -> None:
        self.syncs += 1
        self.syncing = 1
        if self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        fcntl.flock(self._gate, fcntl.LOCK_SH)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        if self.sync_errno:
            _fail(self.sync_errno)
        os.fdatasync(fd)

    def _truncate(self, fd: int, size: int) -> None:
        if self.truncate_errno:
            _fail(self.truncate_errno)
        os.ftruncate(fd, size)

    def _write_at(self, fd: int, data: bytes, offset: int) -> int:
        if self.anchor_errno:
            _fail(self.anchor_errno)
        return os.pwrite(fd, data, offset)


def _fail(number: int) -> None:
    raise OSError(number, os.strerror(number))


NO_SPACE = errno.ENOSPC
IO_ERROR = errno.EIO
