"""`python -m bench.formats`: every format beside the raw pass-through of the same bytes.

The bodies are those of the end-to-end tests, grown to four megabytes or 20,000 records: the
records are small, so that what one record costs weighs more than in most exports.
"""

import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import load
from bench.bodies import OWNER
from bench.contestants import EMBEDDED, RAW, Arena
from bench.guarded import token_and_keys
from bench.servers import free_port, workspace
from tests.e2e.conftest import EXPORTS, PHOTO, Export

_SIZE, _MOST_RECORDS, _ROUNDS = 4_000_000, 20_000, 5
_HEADER = "X-Account-Id"

Figures = dict[str, float]


def measure() -> dict[str, Figures]:
    """For each format: bytes and records of the body, MB/s of both, and their ratio (medians of
    rounds that take turns)."""
    with workspace() as folder, workspace() as bodies, ExitStack() as stack:
        bodies.chmod(0o755)
        token = token_and_keys(folder)
        arena = Arena(stack, folder, free_port())
        found: dict[str, Figures] = {}
        locations, endpoints = [], []
        for name, path, media_type, spec, body, count in grown():
            (bodies / name).write_bytes(body)
            found[name] = {"bytes": len(body), "records": count}
            locations.append(_location(path, media_type, bodies / name))
            endpoints.append({"name": name, "path": path, "body": spec})
        arena.serve("".join(locations))
        gateway, raw = arena.gateway(EMBEDDED, endpoints=endpoints), arena.raw(RAW)
        for endpoint in endpoints:
            taken: dict[str, list[float]] = {"gateway": [], "raw": []}
            for _ in range(_ROUNDS + 1):
                for who, each in (("gateway", gateway), ("raw", raw)):
                    taken[who].append(load.fetch(f"{each.url}{endpoint['path']}", token).seconds)
            row = found[str(endpoint["name"])]
            for who, seconds in taken.items():
                row[who] = round(row["bytes"] / 1e6 / statistics.median(seconds[1:]), 2)
            row["ratio"] = round(row["gateway"] / row["raw"], 4)
        return found


def grown() -> Iterator[tuple[str, str, str, Any, bytes, int]]:
    """Name, path, media type, specification, body and records of each."""
    for name, export in EXPORTS.items():
        body, count = _body(export)
        yield name, export.path, export.media_type, export.body, body, count
    photo: dict[str, Any] = PHOTO
    body = bytes(range(256)) * (_SIZE // 256)
    yield photo["name"], photo["path"], photo["body"]["media_type"], photo["body"], body, 1


def _body(export: Export) -> tuple[bytes, int]:
    """A body of about `_SIZE`, and its records."""
    few, more = len(export.of(OWNER)), len(export.of(*[OWNER] * 101))
    count = max(1, min(_MOST_RECORDS, 100 * _SIZE // max(1, more - few)))
    return export.of(*[OWNER] * count), count


def _location(path: str, media_type: str, file: Path) -> str:
    quoted = media_type.replace('"', '\\"')
    return (
        f'location = {path} {{ types {{ }} default_type "{quoted}"; alias {file};'
        f" add_header {_HEADER} {OWNER}; }} "
    )


def show(console: Console, found: dict[str, Figures]) -> None:
    """Print the table."""
    table = Table("format", "bytes", "records", "MB/s", "raw MB/s", "× raw")
    for name, row in found.items():
        table.add_row(
            name, f"{row['bytes']:,}", f"{row['records']:,}", f"{row['gateway']:.1f}",
            f"{row['raw']:.0f}", f"{row['ratio']:.3f}",
        )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    show(Console(), measure())
    sys.exit(0)
