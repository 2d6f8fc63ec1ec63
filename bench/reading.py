"""How fast bodies are read, by themselves: megabytes per CPU-second, in this process.

    python -m bench.reading [MEGABYTES]

verify    what every body goes through
redact    a third of the records is a stranger's: writing what stays, and reading that again
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench import bodies
from bench.bodies import FOREIGN
from gateway.inspection import work
from gateway.inspection.lineindex import SHARE, Index, LineIndex
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import FileSink
from gateway.inspection.source import OnDisk
from gateway.living import freeze
from gateway.model import Attribution, Decision, Effect, Format, Inspection
from gateway.response import Payload

_ROUNDS = 5
_SUBJECT = ({"account": ("$.customer.id",)},)
_LINES = BodySpec(Format.NDJSON, subject=_SUBJECT)
_MANIFEST = MemberSpec(
    match="manifest.json",
    format=Format.JSON,
    records="$.recordings[*]",
    subject=({"account": ("$.customer_id",)},),
    vouches_for="$.file",
)
_RECORDINGS = MemberSpec(match="recordings/*.wav", attribution=Attribution.MANIFEST)
_ORDERS = MemberSpec(match="orders/*.ndjson", format=Format.NDJSON, subject=_SUBJECT)

T = TypeVar("T")
Write = Callable[[Path, int], object]
_KINDS: dict[str, tuple[str, BodySpec, Write]] = {
    "NDJSON": ("application/x-ndjson", _LINES, bodies.lines),
    "NDJSON, a third foreign": (
        "application/x-ndjson",
        _LINES,
        lambda path, size: bodies.lines(path, size, thirds=True),
    ),
    "JSON array": (
        "application/json",
        BodySpec(Format.JSON, "$.orders[*]", _SUBJECT),
        lambda path, size: path.write_bytes(bodies.orders(size)),
    ),
    "CSV": (
        "text/csv",
        BodySpec(Format.CSV, subject=({"account": ("customer_id",)},), delimiter=","),
        bodies.rows,
    ),
    "ZIP by manifest": (
        "application/zip",
        BodySpec(Format.ZIP, members=(_MANIFEST, _RECORDINGS)),
        lambda path, size: bodies.archive(path, size // 60_000, 60_000),
    ),
    "ZIP of NDJSON, inflated": (
        "application/zip",
        BodySpec(Format.ZIP, members=(_ORDERS,)),
        bodies.inflated,
    ),
}


def main(size: int) -> None:
    freeze()  # as the reading processes do
    with tempfile.TemporaryDirectory(prefix="privacy-gateway-bench-") as folder:
        for name, (media_type, spec, write) in _KINDS.items():
            path = Path(folder) / "body"
            write(path, size)
            with path.open("r+b") as file:
                stored = OnDisk(file.fileno(), path.stat().st_size)
                _show(name, stored, work.Task(Payload(media_type), spec, Limits()), folder)


def _show(name: str, stored: OnDisk, task: work.Task, folder: str) -> None:
    seconds, (inspection, index) = _fastest(lambda: _verify(stored, task))
    decoded = inspection.bytes_decoded or stored.size
    figures = f"verify {stored.size / seconds / 1e6:7.1f} ({decoded / seconds / 1e6:.1f} decoded)"
    if any(owner.value == FOREIGN for owner in inspection.subjects):
        seconds, _ = _fastest(lambda: _redact(stored, task, inspection, index, folder))
        figures += f", redact {stored.size / seconds / 1e6:7.1f}"
    sys.stdout.write(f"{name:26} {figures}\n")


def _verify(stored: OnDisk, task: work.Task) -> tuple[Inspection, Index]:
    index = LineIndex(
        stored, Index(stored.size, stored.size // SHARE if work.has_lines(task) else 0)
    )
    return work.inspect(stored, task, index=index), Index(stored.size, index.finish())


def _redact(
    stored: OnDisk, task: work.Task, inspection: Inspection, index: Index, folder: str
) -> None:
    ours = frozenset(owner for owner in inspection.subjects if owner.value != FOREIGN)
    decision = Decision(Effect.REDACT, ours, False, frozenset(), (), (), "")
    with tempfile.TemporaryFile(dir=folder) as file:
        sink = FileSink(file.fileno(), 2 * stored.size)
        counts = work.rewrite(stored, task, inspection, decision, sink, index=index)
        sink.flush()
        rewritten = OnDisk(file.fileno(), os.fstat(file.fileno()).st_size)
        work.confirm(rewritten, task, inspection, decision, counts)


def _fastest(run: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds: the least of some runs, which other work on the machine disturbs less."""
    least = float("inf")
    for _ in range(_ROUNDS):
        start = time.process_time()
        found = run()
        least = min(least, time.process_time() - start)
    return least, found


if __name__ == "__main__":
    main(int(sys.argv[1]) * 1_000_000 if len(sys.argv) > 1 else 32_000_000)
