"""The export files of the story: a customer's archive with 1,700 recordings, another's with 50
files, and the one that a human error made of both."""

import csv
import io
import json
import math
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

ANNA, BEN = "A-1001", "B-2002"
"""The two customers' account numbers; both are made up."""

RECORDINGS = 1_700
_RATE = 16_000
_SECONDS = 3.75
_SENTENCES = (
    "Alexa, set a timer for ten minutes.",
    "Alexa, what will the weather be tomorrow?",
    "Alexa, play something quiet.",
    "Alexa, turn the living room down.",
    "Alexa, when does the train to Hannover leave?",
)


def write_all(folder: Path) -> Iterator[str]:
    """Write `anna.zip`, `ben.zip` and `mixed.zip`; yields a word after each piece of work."""
    anna = dict(_orders(ANNA, 3))
    ben = dict(_orders(BEN, 49))
    with (
        zipfile.ZipFile(folder / "anna.zip", "w") as hers,
        zipfile.ZipFile(folder / "ben.zip", "w") as his,
        zipfile.ZipFile(folder / "mixed.zip", "w") as mixed,
    ):
        for name, data in anna.items():
            _add(hers, name, data)
        for name, data in ben.items():
            _add(his, name, data)
            _add(mixed, name, data)
        for name, data in _voice():
            for archive in (hers, mixed):
                _add(archive, name, data)
            yield name


def _voice() -> Iterator[tuple[str, bytes]]:
    """Her recordings, their manifest and their transcripts."""
    names = [f"recordings/{number:04d}.wav" for number in range(1, RECORDINGS + 1)]
    entries = [
        {"customer_id": ANNA, "file": name, "device": "kitchen", "seconds": _SECONDS}
        for name in names
    ]
    yield "manifest.json", json.dumps({"recordings": entries}, indent=1).encode()
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["customer_id", "file", "text"])
    table.writerows(
        [ANNA, name, _SENTENCES[number % len(_SENTENCES)]] for number, name in enumerate(names)
    )
    yield "transcripts.csv", text.getvalue().encode()
    for number, name in enumerate(names):
        yield name, _wav(number)


def _orders(customer: str, months: int) -> Iterator[tuple[str, bytes]]:
    yield "profile.json", json.dumps({"customer_id": customer, "language": "de"}).encode()
    for month in range(months):
        label = f"{2014 + month // 12}-{month % 12 + 1:02d}"
        orders = [
            {"id": f"{customer}-{label}-{n}", "customer": {"id": customer}, "cents": 999 + n}
            for n in range(1 + month % 3)
        ]
        yield f"orders/{label}.json", json.dumps({"month": label, "orders": orders}).encode()


def _wav(number: int) -> bytes:
    """A mono 8-bit WAV of 60 kB: a tone with a beat, another one for each number."""
    period = _RATE // (110 + number % 330)
    tone = bytes(int(128 + 60 * math.sin(2 * math.pi * t / period)) for t in range(period))
    quiet = bytes(128 + (value - 128) // 4 for value in tone)
    count = int(_RATE * _SECONDS)
    data = ((tone * 40 + quiet * 20) * (count // (60 * period) + 1))[:count]
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + count, b"WAVE", b"fmt ", 16, 1, 1,
                         _RATE, _RATE, 1, 8)  # fmt: skip
    return header + struct.pack("<4sI", b"data", count) + data


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Media is stored, text deflated: what exporters do. The date is fixed: so are the bytes."""
    info = zipfile.ZipInfo(name, (2018, 11, 20, 9, 0, 0))
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".wav") else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)
