"""Bytes at rest are read alike, wherever they are."""

import os
from pathlib import Path

import pytest

from gateway.stored import InMemory, OnDisk, Stored

DATA = b"0123456789"


@pytest.fixture(params=["memory", "disk"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Stored:
    if request.param == "memory":
        return InMemory(DATA)
    path = tmp_path / "body"
    path.write_bytes(DATA + b"beyond it")
    return OnDisk(os.open(path, os.O_RDONLY), len(DATA))


@pytest.mark.parametrize(
    ("length", "offset", "expected"),
    [(4, 0, b"0123"), (4, 8, b"89"), (99, 0, DATA), (4, 10, b""), (4, 99, b"")],
)
def test_so_many_bytes_are_read_and_none_beyond_the_end(
    stored: Stored, length: int, offset: int, expected: bytes
) -> None:
    assert stored.pread(length, offset) == expected
    assert stored.size == len(DATA)
