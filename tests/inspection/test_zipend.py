"""The end of a ZIP: where readers start to read."""

import struct

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.source import InMemory
from gateway.inspection.zipend import exactly, find_directory
from tests.support.zips import M, archive, zipped

OWN = (M("a.txt", b"alpha"), M("b/c.txt", b"beta"))
FULL = {"here": 0xFFFF, "count": 0xFFFF, "size": 0xFFFFFFFF, "start": 0xFFFFFFFF}


def find(data: bytes) -> tuple[int, int, int]:
    return find_directory(InMemory(data))


def refused(data: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        find(data)
    return caught.value.code


def test_the_central_directory_is_found() -> None:
    data = archive(*OWN)
    count, start, size = find(data)
    assert (count, start + size) == (2, len(data) - 22)
    assert data[start : start + 4] == b"PK\x01\x02"


def test_an_empty_archive_is_an_end_record_alone() -> None:
    assert find(archive()) == (0, 0, 0)


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"PK\x03\x04" + b"x" * 200, b"\0" * 5000])
def test_what_has_no_end_record_is_refused(data: bytes) -> None:
    assert refused(data) is Code.BODY_MALFORMED


def test_a_cut_archive_is_refused_wherever_it_is_cut() -> None:
    data = archive(*OWN)
    for length in range(len(data)):
        assert refused(data[:length]) in (Code.BODY_MALFORMED, Code.BODY_AMBIGUOUS)


@pytest.mark.parametrize(
    "data",
    [
        archive(*OWN, comment=b"a word about someone"),
        archive(*OWN, comment=archive(*OWN)),
        archive(*OWN, behind=b"\n"),
        archive(*OWN, behind=b"\0" * 30_000),
        archive(*OWN, end={"comment_length": 1}),
        archive(*OWN, before=b"#!/bin/sh\n"),
        archive(*OWN, before=b"#!/bin/sh\n", shift=-10),
        archive(*OWN, end={"size": 10}),
        archive(*OWN, end={"start": 0}),
    ],
)
def test_a_comment_and_bytes_around_the_archive_are_refused(data: bytes) -> None:
    """A76. A prefix that all offsets count in is found by the tiling."""
    try:
        find(data)
    except BadUpstream as refusal:
        assert refusal.code is Code.BODY_AMBIGUOUS
    else:
        assert data.startswith(b"#!/bin/sh")


def test_a_second_end_record_whose_comment_would_fit_is_refused() -> None:
    """Readers that search from the front take the first one, whose comment is the rest."""
    last = M("z.bin", struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0))
    plain = archive(*OWN, last)
    assert find(plain)[0] == 3
    behind = len(plain) - plain.index(last.data) - 22
    decoy = M("z.bin", last.data[:-2] + struct.pack("<H", behind))
    assert refused(archive(*OWN, decoy)) is Code.BODY_AMBIGUOUS


def test_an_end_record_inside_the_end_record_is_refused() -> None:
    data = archive(*OWN)
    assert refused(data[:-6] + b"PK\x05\x06" + data[-2:]) is Code.BODY_AMBIGUOUS


def test_an_archive_in_an_archive_has_an_end_record_of_its_own() -> None:
    assert find(archive(M("inner.zip", archive(*OWN))))[0] == 1


@pytest.mark.parametrize(
    "end",
    [{"disk": 1}, {"start_disk": 1}, {"here": 1}, {"count": 3}, {"disk": 0xFFFF}],
)
def test_one_volume_of_several_is_refused(end: dict[str, int]) -> None:
    """A78."""
    assert refused(archive(*OWN, end=end)) is Code.MEMBER_UNSUPPORTED


@pytest.mark.parametrize("end", [{}, FULL, {"count": 0xFFFF, "here": 0xFFFF}, {"disk": 0xFFFF}])
def test_a_zip64_record_that_says_the_same_is_read(end: dict[str, int]) -> None:
    plain = archive(*OWN)
    assert find(archive(*OWN, zip64={}, end=end)) == find(plain)


@pytest.mark.parametrize(
    ("zip64", "locator"),
    [
        ({"count": 3, "here": 3}, (0, None, 1)),
        ({"size": 4}, (0, None, 1)),
        ({"start": 4}, (0, None, 1)),
        ({"disk": 1}, (0, None, 1)),
        ({}, (1, None, 1)),
        ({}, (0, 0, 1)),
        ({}, (0, 2**63, 1)),
        ({}, (0, None, 2)),
        ({}, (0, None, 0)),
    ],
)
def test_a_zip64_record_that_says_something_else_is_refused(
    zip64: dict[str, int], locator: tuple[int, int | None, int]
) -> None:
    """A78."""
    assert refused(archive(*OWN, zip64=zip64, locator=locator)) is Code.BODY_AMBIGUOUS


def test_a_zip64_record_is_of_version_one() -> None:
    assert refused(archive(*OWN, zip64={"length": 45}, end=FULL)) is Code.BODY_MALFORMED
    data = archive(*OWN, zip64={}, end=FULL).replace(b"PK\x06\x06", b"PK\x06\x08")
    assert refused(data) is Code.BODY_MALFORMED


@pytest.mark.parametrize("huge", [2**31, 2**63, 2**64 - 1])
def test_numbers_of_64_bits_are_refused_before_anything_is_read(huge: int) -> None:
    """A77."""
    for zip64 in ({"start": huge}, {"size": huge}, {"start": huge, "size": 2**64 - huge}):
        assert refused(archive(*OWN, zip64=zip64, end=FULL)) is Code.BODY_AMBIGUOUS


def test_65535_members_need_no_zip64_record() -> None:
    data = zipped({f"{number}": b"" for number in range(65535)})
    assert find(data)[0] == 65535


def test_exactly_reads_nothing_behind_the_end() -> None:
    stored = InMemory(b"0123456789")
    assert exactly(stored, 4, 6) == b"6789"
    for length, offset in ((5, 6), (1, 10), (1, 2**70), (1, -1)):
        with pytest.raises(BadUpstream):
            exactly(stored, length, offset)
