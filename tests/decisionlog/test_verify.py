"""The auditor's reading: whatever was done to a log is found, and named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.decisionlog.chain import GENESIS, Head, link, read
from gateway.decisionlog.file import anchor_path
from gateway.decisionlog.verify import Problem, Verification, verify
from tests.decisionlog.support import KEY, OTHER_KEY, write_log

ENTRIES = 7


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "decisions.jsonl"
    write_log(path, ENTRIES)
    return path


@pytest.fixture
def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def check(path: Path, lines: list[bytes]) -> Verification:
    """Without the anchor: from the lines alone."""
    path.write_bytes(b"".join(lines))
    return verify(path)


def named(found: Verification) -> tuple[Problem | None, int | None, int | None]:
    return found.problem, found.seq, found.line


def test_a_whole_log_is_ok(path: Path, lines: list[bytes]) -> None:
    found = verify(path, anchor=anchor_path(path), key=KEY)
    last = read(lines[-1])
    assert last is not None
    assert found == Verification(ENTRIES, last.head, anchored=ENTRIES, sealed=True)
    assert found.report.splitlines() == [
        "OK: 7 entries, all intact and in order.",
        f"Last good entry: 7, hash {last.hash}.",
        "The anchor vouches for entries up to 7 (seal checked).",
    ]


def test_an_empty_log_is_ok(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    write_log(path, 0)
    found = verify(path, anchor=anchor_path(path), key=KEY)
    assert found == Verification(0, GENESIS, anchored=0, sealed=True)


def test_every_flipped_bit_is_found_in_its_line(path: Path, lines: list[bytes]) -> None:
    """F13, all bits of all lines, without key or anchor."""
    content = b"".join(lines)
    with path.open("r+b", buffering=0) as file:
        for position in range(len(content)):
            number = content[:position].count(b"\n") + 1
            for bit in range(8):
                file.seek(position)
                file.write(bytes([content[position] ^ 1 << bit]))
                assert named(verify(path)) == (Problem.FLIPPED, number, number), (position, bit)
            file.seek(position)
            file.write(content[position : position + 1])
    assert verify(path).ok


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_stretch_of_changed_bytes_is_found(
    path: Path, lines: list[bytes], data: st.DataObject
) -> None:
    content = b"".join(lines)
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    replacement = data.draw(st.binary(max_size=50))
    changed = content[:start] + replacement + content[end:]
    path.write_bytes(changed)
    found = verify(path, anchor=anchor_path(path), key=KEY)
    path.write_bytes(content)
    assert found.ok == (changed == content)
    if not found.ok:
        assert found.entries <= content[:start].count(b"\n") + 1


@pytest.mark.parametrize("number", range(1, ENTRIES))
def test_a_deleted_entry_is_named(path: Path, lines: list[bytes], number: int) -> None:
    del lines[number - 1]
    found = check(path, lines)
    assert named(found) == (Problem.DELETED, number, number)
    assert found.entries == number - 1


def test_several_deleted_entries_are_named_by_the_first(path: Path, lines: list[bytes]) -> None:
    assert named(check(path, lines[:2] + lines[5:])) == (Problem.DELETED, 3, 3)


@pytest.mark.parametrize("number", range(1, ENTRIES + 1))
@pytest.mark.parametrize("after", range(ENTRIES + 1))
def test_a_copied_entry_is_named(path: Path, lines: list[bytes], number: int, after: int) -> None:
    copied = [*lines[:after], lines[number - 1], *lines[after:]]
    problem, seq, line = named(check(path, copied))
    if after == number - 1:  # beside the original, and the same: which one is the copy?
        assert (problem, seq) == (Problem.INSERTED, number)
        assert line in (after + 1, after + 2)
    else:
        assert (problem, seq, line) == (Problem.INSERTED, number, after + 1)


@pytest.mark.parametrize("after", range(ENTRIES))
@pytest.mark.parametrize("junk", [b"\n", b"{}\n", b"# a remark\n", b"\0" * 100 + b"\n"], ids=repr)
def test_an_inserted_line_that_is_no_entry_is_named(
    path: Path, lines: list[bytes], after: int, junk: bytes
) -> None:
    found = check(path, [*lines[:after], junk, *lines[after:]])
    assert named(found) == (Problem.INSERTED, after + 1, after + 1)


@pytest.mark.parametrize("number", range(1, ENTRIES))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_forged_entry_with_a_right_hash_is_named(
    path: Path, lines: list[bytes], number: int, before: bool
) -> None:
    """The chain has no secret: anybody can compute a hash, but not one that the next one names."""
    earlier = read(lines[number - 2]) if number > 1 else None
    forged, _ = link(earlier.head if earlier else GENESIS, b'{"decision_id":"forged"}')
    place = number - 1 if before else number
    found = check(path, [*lines[:place], forged, *lines[place:]])
    assert named(found) == (Problem.INSERTED, number, place + 1)


@pytest.mark.parametrize("one", range(1, ENTRIES))
@pytest.mark.parametrize("gap", [1, 2])
def test_entries_that_changed_places_are_named(
    path: Path, lines: list[bytes], one: int, gap: int
) -> None:
    other = min(one + gap, ENTRIES)
    lines[one - 1], lines[other - 1] = lines[other - 1], lines[one - 1]
    assert named(check(path, lines)) == (Problem.REORDERED, one, one)


@pytest.mark.parametrize("number", range(1, ENTRIES))
def test_a_rewritten_entry_with_a_right_hash_is_named(
    path: Path, lines: list[bytes], number: int
) -> None:
    earlier = read(lines[number - 2]) if number > 1 else None
    lines[number - 1], _ = link(earlier.head if earlier else GENESIS, b'{"decision_id":"other"}')
    found = check(path, lines)
    assert named(found) == (Problem.REWRITTEN, number, number)
    assert found.entries == number - 1


@pytest.mark.parametrize("kept", range(ENTRIES))
def test_a_cut_off_end_is_found_with_the_anchor_and_only_with_it(
    path: Path, lines: list[bytes], kept: int
) -> None:
    assert check(path, lines[:kept]).ok
    found = verify(path, anchor=anchor_path(path), key=KEY)
    assert named(found) == (Problem.CUT_OFF, kept + 1, kept + 1)
    assert found.message.endswith("missing: the end was cut off, up to entry 7")
    without_key = verify(path, anchor=anchor_path(path))
    assert named(without_key) == named(found)


def test_a_cut_in_the_middle_of_a_line_is_torn_and_with_the_anchor_a_cut(
    path: Path, lines: list[bytes]
) -> None:
    found = check(path, [*lines[:-1], lines[-1][:-1]])
    assert named(found) == (Problem.TORN, ENTRIES, ENTRIES)
    anchored = verify(path, anchor=anchor_path(path), key=KEY)
    assert named(anchored) == (Problem.CUT_OFF, ENTRIES, ENTRIES)


def test_a_torn_line_after_the_anchor_is_no_cut(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(lines) + b'{"seq":8,')
    found = verify(path, anchor=anchor_path(path), key=KEY)
    assert named(found) == (Problem.TORN, 8, 8)


def rebuilt(count: int) -> bytes:
    """A log with a perfect chain that somebody else wrote."""
    head: Head = GENESIS
    made = b""
    for number in range(1, count + 1):
        line, head = link(head, b'{"decision_id":"x%d"}' % number)
        made += line
    return made


@pytest.mark.parametrize("count", [ENTRIES, ENTRIES + 5])
def test_a_log_that_was_written_anew_is_found_with_the_anchor(path: Path, count: int) -> None:
    path.write_bytes(rebuilt(count))
    assert verify(path).ok
    found = verify(path, anchor=anchor_path(path), key=KEY)
    assert named(found) == (Problem.REWRITTEN, ENTRIES, ENTRIES)


def test_an_older_copy_of_the_anchor_still_counts(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(anchor_path(path).read_bytes())
    write_log(path, 2, first=ENTRIES + 1)
    found = verify(path, anchor=copy, key=KEY)
    assert (found.ok, found.entries, found.anchored) == (True, 9, 7)
    assert "The 2 later entries are chained, but nobody vouches for them." in found.report


def test_a_cut_of_log_and_anchor_together_is_found_by_a_copy_kept_elsewhere(
    path: Path, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    write_log(older, 2)
    copy = anchor_path(path).read_bytes()
    path.write_bytes(older.read_bytes())
    anchor_path(path).write_bytes(anchor_path(older).read_bytes())
    assert verify(path, anchor=anchor_path(path), key=KEY).ok
    (tmp_path / "copy").write_bytes(copy)
    assert verify(path, anchor=tmp_path / "copy", key=KEY).problem is Problem.CUT_OFF


@pytest.mark.parametrize("position", range(0, 320, 7))
def test_a_changed_anchor_is_found(path: Path, position: int) -> None:
    good = anchor_path(path).read_bytes()
    changed = bytearray(good)
    changed[position] ^= 1
    anchor_path(path).write_bytes(changed)
    found = verify(path, anchor=anchor_path(path), key=KEY)
    assert found.problem in (Problem.ANCHOR_DAMAGED, Problem.ANCHOR_FORGED)
    assert "NOT OK" in found.report
    anchor_path(path).write_bytes(good)
    assert verify(path, anchor=anchor_path(path), key=KEY).ok


def test_an_anchor_under_another_key_is_not_believed(path: Path) -> None:
    assert verify(path, anchor=anchor_path(path), key=OTHER_KEY).problem is Problem.ANCHOR_FORGED


def test_without_the_key_the_report_says_what_was_not_checked(path: Path) -> None:
    assert "seal NOT checked" in verify(path, anchor=anchor_path(path)).report
    assert "No anchor was given" in verify(path).report


def test_a_line_without_end_is_not_read_into_memory(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(lines[0] + b"x" * (17 * 2**20))
    assert named(verify(path)) == (Problem.FLIPPED, 2, 2)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "absent")


def cut(lines: list[bytes]) -> list[bytes]:
    return lines[:3]


def flip(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[3].replace(b"e4", b"e5"), *lines[4:]]


@pytest.mark.parametrize("damage", [cut, flip])
def test_every_report_names_the_last_entry_that_can_be_trusted(
    path: Path, lines: list[bytes], damage: Callable[[list[bytes]], list[bytes]]
) -> None:
    path.write_bytes(b"".join(damage(lines)))
    found = verify(path, anchor=anchor_path(path), key=KEY)
    third = json.loads(lines[2])
    assert found.report.startswith("NOT OK: line 4: entry 4 ")
    assert "The 3 entries before it are intact and in order." in found.report
    assert f"Last good entry: 3, hash {third['hash']}." in found.report
