"""The bodies: generated once into a folder, the same bytes for every contestant."""

import csv
import gzip
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import brotli
from backports import zstd

OWNER, FOREIGN = "A1", "A9"
_BLOCK = 3_000


@dataclass(frozen=True, slots=True)
class Body:
    """One body of the contest, `name` as the page shows it.

    `kind` says which peers read it, `format` how the gateway does; `coding` what it is served in.
    `planted` where there is a copy of it with one foreign record, `planted-<file>`. `quick` bodies
    are in the quick contest, too.
    """

    name: str
    file: str
    size: int
    kind: str
    media_type: str
    coding: str = ""
    planted: bool = False
    quick: bool = False

    @property
    def path(self) -> str:
        return f"/{self.file}"


_JSON, _LINES = "application/json", "application/x-ndjson"
BODIES = (
    Body("2 KB JSON", "2k.json", 2_000, "json", _JSON, planted=True, quick=True),
    Body("2 KB NDJSON", "2k.ndjson", 2_000, "ndjson", _LINES, planted=True),
    Body("100 KB JSON", "100k.json", 100_000, "json", _JSON, planted=True),
    Body("100 KB NDJSON", "100k.ndjson", 100_000, "ndjson", _LINES, planted=True),
    Body("10 MB JSON", "10m.json", 10_000_000, "json", _JSON, planted=True, quick=True),
    Body("10 MB NDJSON", "10m.ndjson", 10_000_000, "ndjson", _LINES, planted=True, quick=True),
    Body("200 MB JSON", "200m.json", 200_000_000, "json", _JSON),
    Body("200 MB NDJSON", "200m.ndjson", 200_000_000, "ndjson", _LINES, planted=True, quick=True),
    Body("200 MB NDJSON, a third dropped", "200m-thirds.ndjson", 200_000_000, "redact", _LINES,
         quick=True),
    Body("10 MB CSV", "10m.csv", 10_000_000, "csv", "text/csv", planted=True, quick=True),
    Body("100 MB ZIP by manifest", "100m.zip", 100_000_000, "zip", "application/zip",
         planted=True, quick=True),
    Body("600 MB ZIP by manifest", "600m.zip", 600_000_000, "zip", "application/zip"),
    Body("200 MB of recordings in a ZIP, inflated", "deflated.zip", 200_000_000, "deflated",
         "application/zip", planted=True, quick=True),
    Body("100 MB of NDJSON in a ZIP, inflated and read", "inflated.zip", 100_000_000, "inflated",
         "application/zip", planted=True, quick=True),
    Body("10 MB JSON, gzip", "10m-gzip.json", 10_000_000, "json", _JSON, "gzip", planted=True),
    Body("10 MB JSON, br", "10m-br.json", 10_000_000, "json", _JSON, "br", planted=True),
    Body("10 MB JSON, zstd", "10m-zstd.json", 10_000_000, "json", _JSON, "zstd", planted=True),
)  # fmt: skip
LONG = "1g.ndjson"
"""A gigabyte: for memory alone."""


def fill(folder: Path, quick: bool) -> None:
    """Write every body, and its planted copy, each with its foreign record at a random place."""
    for body in BODIES:
        if quick and not body.quick:
            continue
        write(folder / body.file, body, planted=False)
        if body.planted:
            write(folder / f"planted-{body.file}", body, planted=True)
    lines(folder / LONG, 200_000_000 if quick else 1_000_000_000)


def write(path: Path, body: Body, *, planted: bool) -> None:
    """Write one body, or the copy of it with one foreign record."""
    match body.kind:
        case "json":
            document = (varied if body.coding else orders)(body.size, planted)
            path.write_bytes(_ENCODERS[body.coding](document) if body.coding else document)
        case "ndjson":
            lines(path, body.size, planted=planted)
        case "redact":
            lines(path, body.size, thirds=True)
        case "csv":
            rows(path, body.size, planted)
        case "zip":
            archive(path, max(1, body.size // 60_000), 60_000, planted)
        case "deflated":
            archive(path, max(1, body.size // 60_000), 60_000, planted, deflated=True)
        case "inflated":
            inflated(path, body.size, planted)
        case _:
            raise AssertionError(body.kind)


_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": lambda data: zstd.compress(data, 3),
}


def _record(number: int, owner: str = OWNER) -> bytes:
    return json.dumps(
        {
            "id": f"order-{number:09d}",
            "customer": {"id": owner, "segment": "consumer"},
            "placed_at": "2026-03-01T12:34:56Z",
            "lines": [{"sku": f"sku-{number % 977}", "quantity": 1 + number % 5, "cents": 1999}],
            "note": "Leave the parcel with the neighbours, please. " * 2,
        }
    ).encode()


def orders(size: int, planted: bool = False) -> bytes:
    """One JSON document with an array of records, and how many there are."""
    block = [_record(number) for number in range(min(_BLOCK, max(1, size // 300)))]
    records: list[bytes] = []
    total = 0
    while total < size:
        records.append(block[len(records) % len(block)])
        total += len(records[-1]) + 2
    if planted:
        place = random.randrange(len(records))
        records[place] = _record(place, FOREIGN)
    return b'{"orders": [' + b", ".join(records) + b'], "total": %d}' % len(records)


def varied(size: int, planted: bool = False) -> bytes:
    """The same, of records that compress as text does, and not as one block over and over."""
    records = [line.rstrip() for line in _varied(1, size, planted)]
    return b'{"orders": [' + b", ".join(records) + b'], "total": %d}' % len(records)


def lines(
    path: Path, size: int, block: int = _BLOCK, *, planted: bool = False, thirds: bool = False
) -> None:
    """The same `block` records, over and over; of strangers every third one, or one at all."""
    block = min(block, max(1, size // 300))
    owner = {True: (OWNER, OWNER, FOREIGN), False: (OWNER,)}[thirds]
    records = [_record(number, owner[number % len(owner)]) + b"\n" for number in range(block)]
    data = b"".join(records)
    blocks = max(1, -(-size // len(data)))
    strange = random.randrange(blocks) if planted else None
    with path.open("wb") as file:
        for number in range(blocks):
            if number == strange:
                place = random.randrange(block)
                changed = [*records[:place], _record(place, FOREIGN) + b"\n", *records[place + 1 :]]
                file.write(b"".join(changed))
            else:
                file.write(data)


def rows(path: Path, size: int, planted: bool = False) -> None:
    """The same rows of a CSV, over and over."""
    owners = [OWNER] * min(_BLOCK, max(1, size // 70))
    data = _rows(owners)
    blocks = max(1, -(-size // len(data)))
    strange = random.randrange(blocks) if planted else None
    with path.open("wb") as file:
        file.write(b"order,customer_id,placed,sku,note\r\n")
        for number in range(blocks):
            if number == strange:
                place = random.randrange(len(owners))
                file.write(_rows([*owners[:place], FOREIGN, *owners[place + 1 :]]))
            else:
                file.write(data)


def _rows(owners: list[str]) -> bytes:
    block = io.StringIO()
    table = csv.writer(block)
    for number, owner in enumerate(owners):
        note = 'Leave it with the neighbours, "please"'
        table.writerow([f"order-{number:09d}", owner, "2026-03-01", number % 977, note])
    return block.getvalue().encode()


def archive(
    path: Path, members: int, samples: int, planted: bool = False, *, deflated: bool = False
) -> None:
    """A request's archive: WAV recordings, stored as media are, and the manifest naming them.
    Or `deflated`: quiet recordings, less than a third of their size."""
    data = bytes(range(256)) * (samples // 256 + 1)
    quiet = bytes(random.choices(b"\x7f\x80\x81", k=2 * samples)) if deflated else b""
    header = (
        b"RIFF"
        + struct.pack("<I", 36 + samples)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 16_000, 1, 8)
    )
    head = header + b"data" + struct.pack("<I", samples)
    names = [f"recordings/{number:05d}.wav" for number in range(members)]
    owners = [OWNER] * members
    if planted:
        owners[random.randrange(members)] = FOREIGN
    listed = [{"customer_id": own, "file": name} for own, name in zip(owners, names, strict=True)]
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as written:
        written.writestr("manifest.json", json.dumps({"recordings": listed}))
        for number, name in enumerate(names):
            begin = 97 * number % samples if deflated else 0
            written.writestr(name, head + (quiet or data)[begin : begin + samples])


def inflated(path: Path, size: int, planted: bool = False) -> None:
    """An archive of ten members of lines, deflated, whose every record says whose it is."""
    strange = random.randrange(10) if planted else None
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as written:
        for number in range(10):
            with written.open(f"orders/{number}.ndjson", "w", force_zip64=True) as member:
                for line in _varied(number, size // 10, number == strange):
                    member.write(line)


def _varied(seed: int, size: int, planted: bool) -> Iterator[bytes]:
    """Lines that deflate as text does, not as one block that repeats itself."""
    dice, total = random.Random(seed), 0
    place = random.randrange(max(1, size // 600)) if planted else None
    for number in count():
        if total >= size:
            return
        record = json.loads(_record(number, FOREIGN if number == place else OWNER))
        record["note"] = f"{dice.getrandbits(256):064x}"
        line = json.dumps(record).encode() + b"\n"
        total += len(line)
        yield line
