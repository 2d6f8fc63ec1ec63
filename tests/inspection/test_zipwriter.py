"""A new container around members that are kept."""

import struct
import subprocess
from pathlib import Path

import pytest

from gateway.inspection.settings import Limits
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory, read
from gateway.inspection.zipdata import Contents
from gateway.inspection.zipdirectory import Entry, read_directory
from gateway.inspection.zipwriter import Digest, MemberSink, ZipWriter
from tests.support.zips import DEFLATED, READERS, STORED, M, archive, tlv, tool, unzipped

MEMBERS = (
    M("a.txt", b"alpha" * 9, local_extra=tlv(0x5455, b"\1time"), attributes=0o100600 << 16),
    M("b/", attributes=0x10),
    M("b/\u00e9.json", b"[1, 2]" * 50, DEFLATED, descriptor="32m"),
    M("b/empty", b"", DEFLATED),
)


def copied(data: bytes) -> bytes:
    stored, sink = InMemory(data), MemorySink()
    writer = ZipWriter(sink)
    for entry in read_directory(stored, Limits()).entries:
        writer.begin(entry, Digest(entry.crc, entry.size, entry.compressed))
        for chunk in read(stored, entry.data, entry.data + entry.compressed):
            sink.write(chunk)
    writer.finish()
    return sink.getvalue()


def test_a_copy_has_the_same_names_contents_and_compressed_bytes() -> None:
    data = archive(*MEMBERS)
    new = copied(data)
    assert unzipped(new) == unzipped(data)
    assert all(member.packed in new for member in MEMBERS)


def test_a_copy_has_no_extra_field_descriptor_or_attribute_of_the_original() -> None:
    """A88."""
    new = copied(archive(*MEMBERS))
    assert b"time" not in new
    assert b"PK\x07\x08" not in new
    assert struct.pack("<I", 0o100600 << 16) not in new
    for entry in read_directory(InMemory(new), Limits()).entries:
        assert entry.flags in (0, 0x800)


def test_a_copy_of_a_copy_is_the_same() -> None:
    new = copied(archive(*MEMBERS))
    assert copied(new) == new


def test_an_archive_of_nothing_is_an_end_record() -> None:
    assert copied(archive()) == archive()


@pytest.mark.parametrize("reader", READERS)
def test_other_readers_accept_a_copy(reader: str, tmp_path: Path) -> None:
    command = tool(READERS[reader])
    path = tmp_path / "new.zip"
    path.write_bytes(copied(archive(*MEMBERS)))
    done = subprocess.run([*command, str(path)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Far:
    """A sink that says that 5 GiB were written before, and keeps headers only."""

    def __init__(self, start: int) -> None:
        self.start, self.written = start, bytearray()

    def write(self, data: bytes) -> None:
        self.written += data

    def tell(self) -> int:
        return self.start + len(self.written)


def entry(name: str = "a") -> Entry:
    return Entry(1, name, name.encode(), 0, STORED, b"\0\x60\x80\x4d", 0, 0, 0, 0, 0)


@pytest.mark.parametrize("size", [0xFFFFFFFE, 0xFFFFFFFF, 2**32, 2**40])
def test_a_member_over_4_gib_has_zip64_sizes_in_both_headers(size: int) -> None:
    sink = Far(0)
    writer = ZipWriter(sink)
    writer.begin(entry(), Digest(7, size, size))
    writer.finish()
    local = struct.unpack_from("<4s5H3I2H", sink.written)
    central = struct.unpack_from("<4s6H3I5H2I", sink.written, 30 + 1 + local[-1])
    extra = struct.pack("<2H2Q", 1, 16, size, size)
    if size < 0xFFFFFFFF:
        assert local[7:9] == central[8:10] == (size, size)
        assert local[-1] == central[11] == 0
    else:
        assert local[7:9] == central[8:10] == (0xFFFFFFFF, 0xFFFFFFFF)
        assert extra in sink.written
        assert struct.pack("<2H3Q", 1, 24, size, size, 0) in sink.written
        assert local[1] == central[2] == 45


def test_members_behind_4_gib_have_zip64_offsets_and_records() -> None:
    start = 5 << 30
    sink = Far(start)
    writer = ZipWriter(sink)
    writer.begin(entry("near"), Digest(0, 0, 0))
    writer.finish()
    data = bytes(sink.written)
    assert struct.pack("<2H3Q", 1, 24, 0, 0, start) in data
    at = data.index(b"PK\x06\x06")
    assert struct.unpack_from("<Q", data, data.index(b"PK\x06\x07") + 8) == (start + at,)
    assert data.endswith(b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 1, 1, 50 + 28, 0xFFFFFFFF, 0))


@pytest.mark.slow
def test_more_than_65535_members_are_read_back(tmp_path: Path) -> None:
    sink = MemorySink()
    writer = ZipWriter(sink)
    for number in range(70_000):
        writer.begin(entry(f"{number}.txt"), Digest(0, 0, 0))
    writer.finish()
    new = sink.getvalue()
    assert len(read_directory(InMemory(new), Limits()).entries) == 70_000
    assert len(unzipped(new)) == 70_000


@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_a_member_is_measured_before_it_is_written(method: int) -> None:
    data = [b"alpha" * 100, b"", b"beta" * 10_000]
    digests, target = [], MemorySink()
    for sink in (MemberSink(method), MemberSink(method, target)):
        for piece in data:
            sink.write(piece)
        assert sink.tell() == 40_500
        digests.append(sink.finish())
    assert digests[0] == digests[1]
    assert digests[0].compressed == len(target.getvalue())
    stored = InMemory(archive(M("a", b"".join(data), method, raw=target.getvalue())))
    (read_back,) = read_directory(stored, Limits()).entries
    assert (read_back.crc, read_back.size) == digests[0][:2]
    assert b"".join(Contents(stored, read_back).chunks()) == b"".join(data)
