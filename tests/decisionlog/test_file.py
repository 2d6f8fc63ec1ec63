"""The log on disk: what survives a kill, what is noticed, and what comes back after a fault."""

import errno
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.decisionlog import anchor
from gateway.decisionlog.chain import GENESIS
from gateway.decisionlog.file import Disk, LogFile, anchor_path
from gateway.decisionlog.verify import verify
from gateway.errors import Code, Unavailable
from tests.decisionlog.support import (
    IO_ERROR,
    KEY,
    NO_SPACE,
    OTHER_KEY,
    FaultyDisk,
    write_log,
)

BODY = b'{"decision_id":"e"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


@pytest.fixture
def file(path: Path, faulty: FaultyDisk) -> Iterator[LogFile]:
    """An open log of three entries."""
    write_log(path, 3)
    opened = LogFile(path, KEY, faulty.disk)
    opened.open()
    yield opened
    opened.close()


def open_again(path: Path) -> LogFile:
    opened = LogFile(path, KEY, Disk())
    opened.open()
    return opened


def refused(act: Callable[[], object]) -> str:
    """The note of the refusal that `act` ends in."""
    with pytest.raises(Unavailable) as caught:
        act()
    assert caught.value.code is Code.LOG_UNAVAILABLE
    return caught.value.note


def whole(path: Path) -> int:
    """The entries of a log that verifies with its anchor."""
    found = verify(path, anchor=anchor_path(path), key=KEY)
    assert found.ok, found.message
    assert found.anchored == found.entries
    return found.entries


def test_what_was_committed_is_there_in_order(path: Path) -> None:
    write_log(path, 3)
    assert [json.loads(line)["decision_id"] for line in path.read_bytes().splitlines()] == [
        "e1",
        "e2",
        "e3",
    ]
    assert whole(path) == 3


def test_a_new_log_and_its_anchor_are_closed_to_everybody_else(path: Path) -> None:
    old_mask = os.umask(0)
    try:
        write_log(path, 1)
    finally:
        os.umask(old_mask)
    for each in (path, anchor_path(path)):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_an_old_log_that_was_opened_up_is_closed_again(path: Path) -> None:
    write_log(path, 1)
    path.chmod(0o644)
    write_log(path, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_goes_on_where_it_ended(path: Path) -> None:
    write_log(path, 3)
    write_log(path, 2, first=4)
    assert whole(path) == 5


def test_a_log_without_entries_is_taken_up_too(path: Path) -> None:
    write_log(path, 0)
    assert whole(path) == 0
    write_log(path, 1)
    assert whole(path) == 1


def test_a_second_gateway_cannot_have_the_same_log(path: Path, file: LogFile) -> None:
    """E11: two writers would interleave."""
    assert "another gateway" in refused(lambda: open_again(path))
    file.commit([BODY])
    file.close()
    open_again(path).close()


def test_a_writer_that_is_dying_may_take_a_while(path: Path, file: LogFile) -> None:
    found: list[int] = []

    def take_over() -> None:
        later = LogFile(path, KEY, Disk(), patience=60.0)
        later.open()
        found.append(later.head.seq)
        later.close()

    thread = threading.Thread(target=take_over)
    thread.start()
    file.commit([BODY])
    assert not found
    file.close()
    thread.join(60)
    assert found == [4]


def test_a_log_that_came_so_far_is_not_created_anew(path: Path, file: LogFile) -> None:
    reached = file.reached
    file.close()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        LogFile(path, KEY, Disk()).open(reached)
    assert not path.exists()


def test_a_log_that_came_so_far_is_neither_shorter_nor_another(path: Path, file: LogFile) -> None:
    old = {each: each.read_bytes() for each in (path, anchor_path(path))}
    before = file.reached
    file.commit([BODY])
    reached = file.reached
    file.close()
    later = LogFile(path, KEY, Disk())
    for each in (before, reached):
        later.open(each)
        assert later.head.seq == 4
        later.close()
    anchor_path(path).write_bytes(old[anchor_path(path)])
    assert "not the one that this gateway wrote" in refused(lambda: later.open(reached))
    path.write_bytes(old[path])
    assert "cut off" in refused(lambda: later.open(reached))
    other = LogFile(path, KEY, Disk())
    other.open()
    other.commit([BODY.replace(b'"e"', b'"x"')])
    other.close()
    assert "altered" in refused(lambda: later.open(reached))


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_kill_in_the_middle_of_a_line_costs_this_line_only(
    tmp_path: Path, data: st.DataObject
) -> None:
    """E08: wherever the write stopped, in one of the lines that came after the anchor."""
    path = tmp_path / "decisions.jsonl"
    for each in tmp_path.iterdir():
        each.unlink()
    write_log(path, 2)
    old_anchor = anchor_path(path).read_bytes()
    durable = path.stat().st_size
    write_log(path, 3, first=3)
    content = path.read_bytes()
    cut = data.draw(st.integers(durable, len(content)))
    anchor_path(path).write_bytes(old_anchor)
    path.write_bytes(content[:cut])
    intact = content[:cut].count(b"\n")
    torn = content[:cut].rpartition(b"\n")[2]

    opened = open_again(path)
    assert opened.head.seq == intact
    opened.commit([BODY])
    opened.close()

    assert whole(path) == intact + 1
    assert path.read_bytes().startswith(content[: cut - len(torn)])
    sidecar = path.with_name(path.name + ".torn-1")
    assert sidecar.exists() == bool(torn)
    if torn:
        assert sidecar.read_bytes() == torn
        assert stat.S_IMODE(sidecar.stat().st_mode) == 0o600


def test_torn_lines_of_several_kills_are_all_kept(path: Path) -> None:
    write_log(path, 1)
    for number in (1, 2, 3):
        with path.open("ab") as log:
            log.write(b'{"seq":%d' % number)
        open_again(path).close()
        assert path.with_name(f"{path.name}.torn-{number}").read_bytes() == b'{"seq":%d' % number
    assert whole(path) == 1


def test_an_entry_that_was_cut_off_while_nobody_looked_is_missed(path: Path) -> None:
    write_log(path, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    assert "cut off" in refused(lambda: open_again(path))
    path.write_bytes(b"".join(lines))
    open_again(path).close()


def test_a_log_that_was_emptied_or_deleted_is_missed(path: Path) -> None:
    write_log(path, 3)
    path.write_bytes(b"")
    assert "cut off" in refused(lambda: open_again(path))
    path.unlink()
    assert "cut off" in refused(lambda: open_again(path))


def test_a_log_moved_away_together_with_its_anchor_makes_room_for_a_new_one(path: Path) -> None:
    write_log(path, 3)
    path.rename(path.with_suffix(".1"))
    anchor_path(path).rename(path.with_suffix(".1.anchor"))
    write_log(path, 1)
    assert whole(path) == 1
    old = verify(path.with_suffix(".1"), anchor=path.with_suffix(".1.anchor"), key=KEY)
    assert (old.ok, old.entries) == (True, 3)


def test_a_log_whose_anchor_is_gone_is_not_taken_up(path: Path) -> None:
    write_log(path, 3)
    kept = anchor_path(path).read_bytes()
    anchor_path(path).unlink()
    assert "anchor is missing" in refused(lambda: open_again(path))
    assert "anchor is missing" in refused(lambda: open_again(path))  # and stays refused
    anchor_path(path).write_bytes(kept)
    open_again(path).close()


def test_a_forged_anchor_is_not_believed(path: Path) -> None:
    write_log(path, 3)
    kept = anchor_path(path).read_bytes()
    anchor_path(path).write_bytes(kept.replace(b'"seq":3', b'"seq":2'))
    assert "forged" in refused(lambda: open_again(path))
    anchor_path(path).write_bytes(kept)
    open_again(path).close()


def test_a_last_entry_that_was_rewritten_is_noticed(path: Path) -> None:
    write_log(path, 3)
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"e3"', b'"e8"'))
    assert "altered" in refused(lambda: open_again(path))
    path.write_bytes(good)
    open_again(path).close()


def test_whole_lines_after_the_anchor_that_arent_ours_are_damage_not_a_torn_write(
    path: Path,
) -> None:
    write_log(path, 1)
    good = path.read_bytes()
    path.write_bytes(good + b"{}\n")
    assert "damaged after entry 1" in refused(lambda: open_again(path))
    assert not path.with_name(path.name + ".torn-1").exists()
    path.write_bytes(good + b"{}")
    open_again(path).close()


def test_a_new_pseudonym_key_goes_on_in_the_same_log(path: Path) -> None:
    write_log(path, 2)
    opened = LogFile(path, OTHER_KEY, Disk())
    opened.open()
    opened.commit([BODY])
    opened.close()
    assert verify(path, anchor=anchor_path(path), key=OTHER_KEY).entries == 3


def test_a_link_or_a_pipe_in_the_logs_place_is_refused(path: Path) -> None:
    (path.parent / "elsewhere").write_bytes(b"")
    path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        open_again(path)
    path.unlink()
    os.mkfifo(path)
    assert "not a regular file" in refused(lambda: open_again(path))
    path.unlink()
    open_again(path).close()


def test_a_missing_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_again(tmp_path / "absent" / "decisions.jsonl")


def moved(path: Path) -> None:
    path.rename(path.with_suffix(".1"))


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def truncated(path: Path) -> None:
    os.truncate(path, 10)


def grown(path: Path) -> None:
    with path.open("ab") as log:
        log.write(b"{}\n")


def without_anchor(path: Path) -> None:
    anchor_path(path).unlink()


@pytest.mark.parametrize("happens", [moved, deleted, replaced, truncated, grown, without_anchor])
def test_whatever_happens_to_an_open_log_stops_the_next_commit(
    path: Path, file: LogFile, happens: Callable[[Path], None]
) -> None:
    """E10."""
    happens(path)
    before = file.head
    assert refused(file.check)
    assert refused(lambda: file.commit([BODY]))
    assert file.head == before


def test_a_log_to_which_nothing_happened_is_written(path: Path, file: LogFile) -> None:
    file.check()
    file.commit([BODY])
    assert whole(path) == 4


def no_space(faulty: FaultyDisk) -> None:
    faulty.write_errno = NO_SPACE


def no_space_half_way(faulty: FaultyDisk) -> None:
    faulty.write_errno, faulty.spare = NO_SPACE, 100


def sync_fails(faulty: FaultyDisk) -> None:
    faulty.sync_errno = IO_ERROR


def anchor_fails(faulty: FaultyDisk) -> None:
    faulty.anchor_errno = IO_ERROR


def everything_fails(faulty: FaultyDisk) -> None:
    faulty.write_errno, faulty.spare, faulty.truncate_errno = IO_ERROR, 100, IO_ERROR


def sync_and_truncation_fail(faulty: FaultyDisk) -> None:
    faulty.sync_errno = faulty.truncate_errno = errno.EROFS


FAULTS = [
    no_space,
    no_space_half_way,
    sync_fails,
    anchor_fails,
    everything_fails,
    sync_and_truncation_fail,
]


@pytest.mark.parametrize("breaks", FAULTS)
def test_a_group_that_failed_is_not_there_afterwards_and_the_next_one_is(
    path: Path, file: LogFile, faulty: FaultyDisk, breaks: Callable[[FaultyDisk], None]
) -> None:
    """E06, E07."""
    breaks(faulty)
    with pytest.raises(OSError):
        file.commit([b'{"decision_id":"lost"}', BODY])
    assert file.head.seq == 3

    faulty.repair()
    file.recover()
    file.commit([BODY])
    assert whole(path) == 4
    assert b"lost" not in path.read_bytes()


@pytest.mark.parametrize("breaks", [no_space, sync_fails, anchor_fails])
def test_a_log_does_not_recover_while_the_fault_is_there(
    path: Path, file: LogFile, faulty: FaultyDisk, breaks: Callable[[FaultyDisk], None]
) -> None:
    breaks(faulty)
    for _ in range(3):
        with pytest.raises(OSError):
            file.commit([BODY])
        with pytest.raises(OSError):
            file.recover()
            file.commit([BODY])
    assert file.head.seq == 3


def test_a_kill_after_a_failed_group_leaves_a_log_that_can_be_taken_up(
    path: Path, file: LogFile, faulty: FaultyDisk
) -> None:
    everything_fails(faulty)
    with pytest.raises(OSError, match="Input/output"):
        file.commit([BODY])
    file.close()
    assert path.read_bytes()[-1:] != b"\n"
    open_again(path).close()
    assert whole(path) == 3


@pytest.mark.parametrize("happens", [moved, deleted, truncated, grown])
def test_a_log_that_was_tampered_with_does_not_recover_by_itself(
    path: Path, file: LogFile, happens: Callable[[Path], None]
) -> None:
    happens(path)
    with pytest.raises((Unavailable, OSError)):
        file.recover()
    if happens in (moved, deleted):
        assert not path.exists()  # it would be a new log, and the old one forgotten


def test_a_log_that_came_back_recovers(path: Path, file: LogFile) -> None:
    moved(path)
    assert refused(lambda: file.commit([BODY]))
    with pytest.raises(FileNotFoundError):
        file.recover()
    path.with_suffix(".1").rename(path)
    file.recover()
    file.commit([BODY])
    assert whole(path) == 4


def test_a_log_whose_end_was_rewritten_meanwhile_does_not_recover(
    path: Path, file: LogFile
) -> None:
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"e3"', b'"e8"'))
    assert "altered" in refused(file.recover)
    path.write_bytes(good)
    file.recover()
    file.commit([BODY])
    assert whole(path) == 4


def test_the_anchor_never_speaks_of_more_than_is_durable(
    path: Path, file: LogFile, faulty: FaultyDisk
) -> None:
    sync_fails(faulty)
    with pytest.raises(OSError, match="Input/output"):
        file.commit([BODY])
    known = anchor.read(anchor_path(path).read_bytes())
    assert known is not None
    assert known.seq == 3
    assert known.head != GENESIS


def test_an_entry_of_many_blocks_is_found_again(path: Path) -> None:
    opened = LogFile(path, KEY, Disk())
    opened.open()
    opened.commit([BODY, b'{"note":"%s"}' % (b"x" * 300_000)])
    opened.close()
    write_log(path, 1)
    assert whole(path) == 3
