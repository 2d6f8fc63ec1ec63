"""The bodies: generated once into a folder, the same bytes for every contestant."""

import io
import json
import struct
import zipfile
from pathlib import Path

OWNER = "A1"


def make(folder: Path, big: bool = True) -> None:
    """Write `2k.json`, `10m.json`, `100m.zip` and, if `big`, `200m.ndjson` and `1g.ndjson`."""
    (folder / "2k.json").write_bytes(orders(2_000))
    (folder / "10m.json").write_bytes(orders(10_000_000))
    archive(folder / "100m.zip", 1_700, 60_000)
    if big:
        lines(folder / "200m.ndjson", 200_000_000)
        lines(folder / "1g.ndjson", 1_000_000_000)


def _record(number: int) -> bytes:
    return json.dumps(
        {
            "id": f"order-{number:09d}",
            "customer": {"id": OWNER, "segment": "consumer"},
            "placed_at": "2026-03-01T12:34:56Z",
            "lines": [{"sku": f"sku-{number % 977}", "quantity": 1 + number % 5, "cents": 1999}],
            "note": "Leave the parcel with the neighbours, please. " * 2,
        }
    ).encode()


def orders(size: int) -> bytes:
    records: list[bytes] = []
    total = 0
    while total < size:
        records.append(_record(len(records)))
        total += len(records[-1]) + 2
    return b'{"orders": [' + b", ".join(records) + b'], "total": %d}' % len(records)


def lines(path: Path, size: int, block: int = 3_000) -> None:
    """The same `block` records, over and over."""
    data = b"".join(_record(number) + b"\n" for number in range(block))
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(data)


def archive(path: Path, count: int, samples: int) -> None:
    """A request's archive: WAV recordings, stored as media are, and the manifest naming them."""
    data = bytes(range(256)) * (samples // 256 + 1)
    header = (
        b"RIFF"
        + struct.pack("<I", 36 + samples)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 16_000, 1, 8)
    )
    wav = header + b"data" + struct.pack("<I", samples) + data[:samples]
    names = [f"recordings/{number:05d}.wav" for number in range(count)]
    manifest = {"recordings": [{"customer_id": OWNER, "file": name} for name in names]}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        for name in names:
            archive.writestr(name, wav)
    path.write_bytes(buffer.getvalue())
