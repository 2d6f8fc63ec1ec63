"""Where bodies wait: bounded, private, and gone when nobody holds them."""

import asyncio
import errno
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.errors import Code, Unavailable
from gateway.spool import Held, Spool, Spooled, SpoolSettings
from gateway.stored import InMemory, OnDisk
from gateway.turns import Ledger


def spool(folder: Path, limit: int = 2**20, memory: int = 2**10) -> Spool:
    return Spool(SpoolSettings(directory=folder, limit=limit, memory=memory))


def received(store: Spool, *pieces: bytes) -> Spooled:
    writer = store.writer()
    for piece in pieces:
        writer.write(piece)
    return writer.finish()


def empty(store: Spool) -> bool:
    return (store.bytes_used, store.files_open) == (0, 0)


def test_a_small_body_never_touches_the_disk(tmp_path: Path) -> None:
    store = spool(tmp_path)
    body = received(store, b"a" * 512, b"b" * 512)
    assert body.stored == InMemory(b"a" * 512 + b"b" * 512)
    assert empty(store)
    body.close()


@pytest.mark.parametrize("memory", [2**10, 2**20])
def test_the_threshold_alone_says_what_goes_to_disk(memory: int, tmp_path: Path) -> None:
    store = spool(tmp_path, limit=2**22, memory=memory)
    body = received(store, *[b"x" * (memory // 8)] * 8)
    assert isinstance(body.stored, InMemory)
    assert empty(store)
    body.close()
    body = received(store, *[b"x" * (memory // 8)] * 8, b"x")
    assert isinstance(body.stored, OnDisk)
    body.close()


def test_a_big_body_is_a_file_without_a_name(tmp_path: Path) -> None:
    """F08"""
    store = spool(tmp_path / "spool")
    body = received(store, b"a" * 1000, b"b" * 1000)
    assert isinstance(body.stored, OnDisk)
    status = os.fstat(body.stored.fd)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_nlink == 0
    assert os.listdir(tmp_path / "spool") == []
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert not os.get_inheritable(body.stored.fd)
    assert (store.bytes_used, store.files_open, body.size) == (2000, 1, 2000)
    body.close()
    body.close()
    assert empty(store)


def test_the_bytes_of_all_bodies_are_counted_as_long_as_they_are_held(tmp_path: Path) -> None:
    store = spool(tmp_path)
    assert store.bytes_held == 0
    small, big = received(store, b"a" * 512), received(store, b"b" * 512, b"b" * 1488)
    assert (store.bytes_kept, store.bytes_used, store.bytes_held) == (512, 2000, 2512)
    rewritten = store.keep(InMemory(b"c" * 100))
    assert store.bytes_held == 2612
    coming = store.writer()
    coming.write(b"d" * 10)
    assert store.bytes_held == 2622
    coming.discard()
    for body in (small, small, rewritten, big):  # closing one again gives nothing back
        body.close()
    assert store.bytes_held == 0


def test_a_body_that_is_forgotten_is_not_counted_for_ever(tmp_path: Path) -> None:
    store = spool(tmp_path)
    writer = store.writer()
    writer.write(b"a" * 512)
    del writer
    received(store, b"a" * 512)
    assert store.bytes_held == 0


def test_a_killed_program_leaves_nothing(tmp_path: Path) -> None:
    """F08"""
    script = f"""
import os, signal
from pathlib import Path
from gateway.spool import Spool, SpoolSettings
writer = Spool(SpoolSettings(directory=Path({str(tmp_path)!r}), memory=1)).writer()
writer.write(b"canary" * 1000)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -9
    assert os.listdir(tmp_path) == []


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=400), max_size=12), st.integers(1, 3000))
def test_what_comes_out_is_what_went_in(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], memory: int
) -> None:
    store = spool(tmp_path_factory.getbasetemp() / "property", memory=memory)
    body, whole = received(store, *pieces), b"".join(pieces)
    assert body.size == body.stored.size == len(whole)
    assert isinstance(body.stored, InMemory) == (len(whole) <= memory)
    assert body.stored.pread(len(whole) + 1, 0) == whole
    assert body.stored.pread(7, 3) == whole[3:10]
    assert body.stored.pread(7, len(whole)) == b""
    body.close()
    assert empty(store)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=400)), max_size=12))
def test_what_is_written_at_once_keeps_its_place_and_is_not_kept(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[bool, bytes]]
) -> None:
    store = spool(tmp_path_factory.getbasetemp() / "at once")
    writer, buffer = store.writer(), bytearray(400)
    for at_once, piece in pieces:
        if at_once:
            buffer[: len(piece)] = piece
            writer.write_at_once(memoryview(buffer)[: len(piece)])
            buffer[:] = b"?" * 400
        else:
            writer.write(piece)
    body, whole = writer.finish(), b"".join(piece for _, piece in pieces)
    assert body.size == len(whole)
    assert body.stored.pread(len(whole) + 1, 0) == whole
    body.close()
    assert empty(store)


def test_what_is_written_at_once_is_held_against_the_limit(tmp_path: Path) -> None:
    store = spool(tmp_path, limit=2**12)
    writer = store.writer()
    writer.write_at_once(memoryview(bytes(2**12)))
    with pytest.raises(Unavailable) as caught:
        writer.write_at_once(memoryview(b"x"))
    assert caught.value.code is Code.SPOOL_FULL
    assert store.bytes_used == 2**12
    writer.discard()
    assert empty(store)


def test_large_writes_are_flushed_in_blocks(tmp_path: Path) -> None:
    store = spool(tmp_path, limit=2**22)
    writer = store.writer()
    for _ in range(20):
        writer.write(b"x" * 100_000)
    assert writer.size == 2_000_000
    body = writer.finish()
    assert body.stored.pread(2_000_001, 0) == b"x" * 2_000_000
    body.close()


def test_all_bodies_together_stay_under_the_limit(tmp_path: Path) -> None:
    store = spool(tmp_path, limit=5000)
    first = received(store, b"a" * 3000)
    writer = store.writer()
    with pytest.raises(Unavailable) as caught:
        writer.write(b"b" * 2001)
    assert caught.value.code is Code.SPOOL_FULL
    writer.discard()
    exact = received(store, b"b" * 2000)
    assert store.bytes_used == store.limit
    first.close()
    exact.close()
    assert empty(store)


async def test_a_large_file_is_freed_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its room is another body's when the system has freed it, not before."""
    monkeypatch.setattr("gateway.spool._FREED_AT_ONCE", 2000)
    store = spool(tmp_path, limit=5000)
    freeing, freed = threading.Event(), threading.Event()
    close, closed_by = os.close, []

    def closed(fd: int) -> None:
        closed_by.append(threading.current_thread())
        freeing.set()
        assert freed.wait(30)
        close(fd)

    small, large = received(store, b"a" * 2000), received(store, b"b" * 3000)
    small.close()
    assert (store.bytes_used, store.files_open) == (3000, 1)
    monkeypatch.setattr(os, "close", closed)
    large.close()
    large.close()
    await asyncio.to_thread(freeing.wait, 30)
    assert (store.bytes_used, store.files_open) == (3000, 1)
    waiting = asyncio.create_task(store.writer_for(4000, "me"))
    freed.set()
    writer = await waiting
    assert closed_by and closed_by[0] is not threading.main_thread()
    monkeypatch.undo()
    writer.discard()
    assert empty(store)


async def test_a_large_file_is_freed_while_all_threads_of_the_loop_wait_for_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.spool._FREED_AT_ONCE", 2000)
    store, hangs = spool(tmp_path, limit=5000), threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    name = loop.run_in_executor(None, hangs.wait, 30)  # that no server answers for
    received(store, b"b" * 3000).close()
    async with asyncio.timeout(20):
        while not empty(store):
            await asyncio.sleep(0.001)
    assert not name.done()
    hangs.set()
    await name


def test_where_no_loop_runs_a_large_file_is_freed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.spool._FREED_AT_ONCE", 2000)
    store = spool(tmp_path)
    received(store, b"a" * 3000).close()
    assert empty(store)


def test_a_body_that_was_given_up_takes_no_place(tmp_path: Path) -> None:
    store = spool(tmp_path)
    for size in (10, 5000):
        writer = store.writer()
        writer.write(b"x" * size)
        writer.discard()
        writer.discard()
    assert empty(store)


def test_a_body_that_was_forgotten_takes_no_place(tmp_path: Path) -> None:
    store = spool(tmp_path)
    received(store, b"x" * 5000)
    assert empty(store)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_or_broken_disk_refuses(
    fault: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E05"""
    store = spool(tmp_path)

    def write(*_: object) -> int:
        raise OSError(fault, "canary")

    writer = store.writer()
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(Unavailable) as caught:
        writer.write(b"x" * 5000)
    assert caught.value.code in (Code.SPOOL_FULL, Code.SPOOL_FAILED)
    assert str(fault) in caught.value.note
    assert "canary" not in caught.value.note
    writer.discard()
    monkeypatch.undo()
    assert empty(store)
    received(store, b"x" * 5000).close()


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, write = spool(tmp_path), os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    body = received(store, bytes(range(256)) * 8)
    monkeypatch.undo()
    assert body.stored.pread(2048, 0) == bytes(range(256)) * 8
    body.close()


def test_a_file_that_cannot_be_opened_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = spool(tmp_path)

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "canary")

    monkeypatch.setattr(os, "open", refuse)
    writer = store.writer()
    with pytest.raises(Unavailable) as caught:
        writer.write(b"x" * 5000)
    assert caught.value.code is Code.SPOOL_FAILED
    monkeypatch.undo()
    writer.discard()
    assert empty(store)


async def test_space_is_reserved_and_given_back(tmp_path: Path) -> None:
    store = spool(tmp_path, limit=5000)
    held = await store.space(4000)
    assert (store.bytes_used, store.files_open) == (4000, 1)
    held.reserve(1000)
    with pytest.raises(Unavailable):
        held.reserve(1)
    held.settle(100)
    held.settle(200)
    assert store.bytes_used == held.reserved == 100
    held.close()
    held.close()
    assert empty(store)


async def test_space_is_shared_between_two_files(tmp_path: Path) -> None:
    store = spool(tmp_path, limit=5000)
    held = await store.space(5000)
    part = held.part(2000)
    assert (store.bytes_used, store.files_open) == (5000, 2)
    assert (held.reserved, part.reserved) == (3000, 2000)
    part.close()
    assert (store.bytes_used, store.files_open) == (3000, 1)
    held.close()
    assert empty(store)


async def test_spare_space_is_taken_where_it_is_there(tmp_path: Path) -> None:
    spool = Spool(SpoolSettings(tmp_path / "spool", limit=1000, memory=0))
    held = await spool.space(400)
    assert not held.reserve_spare(101) and held.reserved == spool.bytes_used == 400
    assert held.reserve_spare(100) and held.reserved == spool.bytes_used == 500
    held.close()
    assert spool.bytes_used == 0


async def test_space_that_is_not_there_leaves_no_file(tmp_path: Path) -> None:
    store = spool(tmp_path, limit=5000)
    with pytest.raises(Unavailable) as caught:
        await store.space(5001)
    assert caught.value.code is Code.SPOOL_FULL
    assert empty(store)
    assert isinstance(await store.space(5000), Held)


async def test_a_spool_is_ready_while_it_can_take_a_body(tmp_path: Path) -> None:
    store = spool(tmp_path / "spool", limit=5000)
    assert store.ready()
    with pytest.raises(Unavailable):
        await store.space(5001)
    held = await store.space(5000)
    assert not store.ready()
    held.close()
    assert store.ready() and empty(store)
    (tmp_path / "spool").rmdir()
    assert not store.ready()
    (tmp_path / "spool").mkdir()
    assert store.ready()


def test_a_folder_that_is_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    spool(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable) as caught:
        spool(tmp_path / "file" / "spool")
    assert caught.value.code is Code.SPOOL_FAILED


def test_a_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1_000_001)
    with pytest.raises(Unavailable, match="spool_failed"):
        spool(tmp_path)


def test_sizes_take_a_unit() -> None:
    read = TypeAdapter(SpoolSettings).validate_python({"directory": "/x", "limit": "2GiB"})
    assert (read.limit, read.memory) == (2**31, 2**16)
    with pytest.raises(ValidationError):
        TypeAdapter(SpoolSettings).validate_python({"limit": 5})


def test_a_read_only_root_is_no_fault_where_the_configuration_names_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    assert SpoolSettings(directory=tmp_path).directory == tmp_path
    assert SpoolSettings().directory == Path(f"/tmp/privacy-gateway-{os.getuid()}")


async def test_a_body_of_known_length_has_its_room_before_it_comes(tmp_path: Path) -> None:
    store = spool(tmp_path, limit=10_000, memory=100)
    writer = await store.writer_for(4000, "me")
    assert (store.bytes_used, store.files_open) == (4000, 1)
    for _ in range(4):
        writer.write(b"x" * 1000)
    body = writer.finish()
    assert (store.bytes_used, body.size) == (4000, 4000)
    body.close()
    given_up = await store.writer_for(4000, "me")
    given_up.discard()
    small = await store.writer_for(100, "me")
    assert store.files_open == 0
    small.discard()
    assert empty(store)


async def test_a_file_that_cannot_be_made_takes_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = spool(tmp_path, limit=10_000, memory=100)

    def none_left() -> int:
        raise Unavailable(Code.SPOOL_FAILED, "spool open: errno 24")

    monkeypatch.setattr(store, "open", none_left)
    for attempt in (lambda: store.writer_for(4000, "me"), lambda: store.space(4000)):
        with pytest.raises(Unavailable):
            await attempt()
    assert empty(store)


def test_two_spools_with_one_ledger_have_one_limit(tmp_path: Path) -> None:
    numbers = [0, 0]
    one, two = (
        Spool(SpoolSettings(directory=tmp_path, limit=5000, memory=100), Ledger(numbers, own))
        for own in (0, 1)
    )
    first = received(one, b"a" * 3000)
    with pytest.raises(Unavailable):
        received(two, b"b" * 3000)
    second = received(two, b"b" * 2000)
    assert numbers == [3000, 2000]
    first.close()
    assert (one.bytes_used, two.bytes_used) == (0, 2000)
    second.close()
