"""Where a rewritten body goes: everything is written, and nothing past a reservation."""

import gzip
import lzma
import os
import tempfile
import zlib
from pathlib import Path

import brotli
import pytest
from backports import zstd

from gateway.errors import Code, Unavailable
from gateway.inspection.sinks import CountingSink, FileSink, MemorySink, under

CHUNK = 256 * 1024
CONTENT = bytes(range(256)) * 3


def test_a_file_sink_writes_everything_once_flushed() -> None:
    with tempfile.TemporaryFile() as file:
        sink = FileSink(file.fileno(), 10 * CHUNK)
        for piece in (b"a", b"b" * CHUNK, b"", b"c"):
            sink.write(piece)
        assert sink.tell() == CHUNK + 2
        sink.flush()
        file.seek(0)
        assert file.read() == b"a" + b"b" * CHUNK + b"c"


def test_a_file_sink_refuses_to_outgrow_its_reservation() -> None:
    with tempfile.TemporaryFile() as file:
        sink = FileSink(file.fileno(), 3)
        sink.write(b"123")
        sink.flush()
        sink.write(b"4")
        with pytest.raises(Unavailable) as caught:
            sink.flush()
        assert caught.value.code is Code.SPOOL_FULL
        assert os.fstat(file.fileno()).st_size == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_a_full_spool() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        sink = FileSink(full.fileno(), 100)
        sink.write(b"x")
        with pytest.raises(Unavailable) as caught:
            sink.flush()
    assert caught.value.code is Code.SPOOL_FULL


DECODED = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}


@pytest.mark.parametrize("codings", [*((name,) for name in DECODED), ("gzip", "br", "zstd"), ()])
def test_a_body_keeps_its_codings_in_their_order(codings: tuple[str, ...]) -> None:
    memory = MemorySink()
    sink = under(codings, None, memory)
    for piece in (CONTENT, b"", CONTENT):
        sink.write(piece)
    sink.finish()
    assert sink.tell() == 2 * len(CONTENT)
    assert memory.tell() == len(memory.getvalue())
    data = memory.getvalue()
    for coding in reversed(codings):
        data = DECODED[coding](data)
    assert data == CONTENT * 2


def test_a_compressed_file_is_compressed_before_its_codings() -> None:
    memory = MemorySink()
    sink = under(("gzip",), "xz", memory)
    sink.write(CONTENT)
    sink.finish()
    assert lzma.decompress(gzip.decompress(memory.getvalue())) == CONTENT


def test_a_counting_sink_hands_on_what_it_counts() -> None:
    memory = MemorySink()
    for target in (None, memory):
        sink = CountingSink(target)
        sink.write(CONTENT)
        sink.write(b"1")
        assert sink.tell() == len(CONTENT) + 1
    assert memory.getvalue() == CONTENT + b"1"
