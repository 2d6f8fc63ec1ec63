"""A ZIP container: every byte accounted for, and one reading for all readers."""

import struct
import subprocess
import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code, Refusal
from gateway.inspection.settings import Limits
from gateway.inspection.source import InMemory
from gateway.inspection.zipdata import Contents
from gateway.inspection.zipdirectory import Directory, read_directory
from tests.support.zips import DEFLATED, STORED, UTF8, M, archive, tlv, tool, zipped

OWN = (M("a.txt", b"alpha" * 9), M("b/c.txt", b"beta" * 99, DEFLATED), M("b/", b""))
LIMITS = Limits()


def read(data: bytes, limits: Limits = LIMITS) -> Directory:
    return read_directory(InMemory(data), limits)


def contents(data: bytes) -> dict[str, bytes]:
    stored = InMemory(data)
    return {
        entry.name: b"".join(Contents(stored, entry).chunks())
        for entry in read_directory(stored, LIMITS).entries
    }


def refused(data: bytes, limits: Limits = LIMITS) -> Code:
    with pytest.raises(BadUpstream) as caught:
        read(data, limits)
    return caught.value.code


def test_every_member_is_listed_in_order() -> None:
    directory = read(archive(*OWN))
    assert [entry.name for entry in directory.entries] == ["a.txt", "b/c.txt", "b/"]
    assert [entry.number for entry in directory.entries] == [1, 2, 3]
    assert [entry.is_directory for entry in directory.entries] == [False, False, True]
    assert directory.size == 45 + 396
    assert directory.compressed == sum(entry.compressed for entry in directory.entries)


def test_an_archive_without_members_is_read() -> None:
    assert read(archive()).entries == ()
    assert refused(archive(between=b"hidden")) is Code.BODY_AMBIGUOUS


def test_the_order_of_the_central_directory_may_be_another() -> None:
    one, two = M("a", b"first"), M("b", b"second")
    plain = archive(one, two)
    at = plain.index(b"PK\x01\x02")
    first, second = one.central_part(0), two.central_part(len(one.local_part()))
    swapped = plain[:at] + second + first + plain[-22:]
    assert [entry.name for entry in read(swapped).entries] == ["b", "a"]
    assert contents(swapped) == {"a": b"first", "b": b"second"}


# --- archives of real writers: the pass twins --------------------------------------------------

FILES = {"a.txt": b"alpha" * 1000, "b/c.wav": bytes(range(256)) * 50, "b/\u00e9.json": b"{}"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("streamed", [False, True])
def test_what_python_writes_is_read(method: int, streamed: bool) -> None:
    assert contents(zipped(FILES, method, streamed=streamed)) == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_python_writes_with_zip64_headers_is_read(method: int) -> None:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", method) as made:
        for name, data in FILES.items():
            with made.open(name, "w", force_zip64=True) as member:
                member.write(data)
    assert contents(target.getvalue()) == FILES


WRITERS = {
    "zip": ["zip", "-q", "-r", "out.zip", "tree"],
    "zip, stored": ["zip", "-q", "-0", "-r", "out.zip", "tree"],
    "7z": ["7z", "a", "-tzip", "out.zip", "tree"],
    "bsdtar": ["bsdtar", "-a", "-cf", "out.zip", "tree"],
}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_other_tools_write_is_read(writer: str, tmp_path: Path) -> None:
    command = tool(WRITERS[writer])
    # Info-ZIP doesn't state the encoding of a name outside ASCII, so that it would be refused.
    expected = {f"tree/{name}": data for name, data in FILES.items() if name.isascii()}
    for name, data in expected.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    read_back = contents((tmp_path / "out.zip").read_bytes())
    assert {name: data for name, data in read_back.items() if name[-1] != "/"} == expected


# --- what two readers would read differently ---------------------------------------------------


def test_a_gap_an_overlap_and_hidden_bytes_are_refused() -> None:
    """A76, A77."""
    one, two, three = OWN
    for data in (
        archive(one, two, three, before=b"\x7fELF"),
        archive(one, two, three, before=b"x" * 10, shift=0),
        archive(one, M(two.name, two.data, DEFLATED, gap=b"hidden"), three),
        archive(one, two, three, between=b"hidden"),
        archive(one, two, three, between=M("ghost", b"not listed").local_part()),
        archive(M("a", b"abc", raw=b"abc", after=b"d"), two),
        archive(one, M("b", b"", central={"start": 0})),
    ):
        assert refused(data) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


def test_members_that_share_their_data_are_refused() -> None:
    """A77, David Fifield's shapes: full overlap, and one that quotes the next header."""
    kernel = M("a", b"\0" * 4000, DEFLATED)
    shared = M("b", b"\0" * 4000, DEFLATED, central={"start": 0})
    full = archive(kernel, shared)
    assert refused(full) is Code.BODY_AMBIGUOUS
    inner = kernel.local_part()
    quoted = M("q", inner, STORED)
    data = archive(quoted, M("a", kernel.data, DEFLATED, central={"start": 30 + 1}))
    assert refused(data) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)


@pytest.mark.parametrize(
    "different",
    [
        {"local": {"flags": 0x2}},
        {"local": {"flags": UTF8}},
        {"local": {"method": DEFLATED}},
        {"local": {"crc": 1}},
        {"local": {"size": 44}},
        {"local": {"compressed": 44}},
        {"local": {"compressed": 0xFFFFFFFF, "size": 0xFFFFFFFF}},
        {"local_name": b"b.txt"},
        {"local_name": b"a.txt\0"},
        {"local_name": b"a.tx"},
        {"central": {"crc": 1}},
        {"central": {"size": 44, "compressed": 44}},
    ],
)
def test_headers_that_differ_are_refused(different: dict) -> None:
    """A74."""
    honest = M("a.txt", b"alpha" * 9)
    assert contents(archive(honest, OWN[1])) == {"a.txt": honest.data, "b/c.txt": OWN[1].data}
    assert refused(archive(M("a.txt", b"alpha" * 9, **different), OWN[1])) in (
        Code.BODY_AMBIGUOUS,
        Code.BODY_MALFORMED,
    )


def test_a_header_that_is_not_there_is_refused() -> None:
    data = archive(*OWN)
    for mark in (b"PK\x01\x02", b"PK\x03\x04"):
        assert refused(data.replace(mark, b"PK\x09\x09", 1)) is Code.BODY_MALFORMED
    for start in (len(data) - 3, len(data), 2**32 - 1):
        assert refused(archive(M("a", b"x", central={"start": start}))) is Code.BODY_MALFORMED


@pytest.mark.parametrize("form", ["32", "32m", "64", "64m"])
@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_a_data_descriptor_that_is_right_is_read(form: str, method: int) -> None:
    """A81."""
    member = M("a.txt", b"alpha" * 9, method, descriptor=form)
    known = {"crc": member.fields()["crc"], "size": 45, "compressed": len(member.packed)}
    for one in (member, M("a.txt", b"alpha" * 9, method, descriptor=form, local=known)):  # type: ignore[arg-type]
        assert contents(archive(one, OWN[1]))["a.txt"] == b"alpha" * 9


@pytest.mark.parametrize(
    "member",
    [
        M("a", b"alpha", descriptor=b"PK\x07\x08" + struct.pack("<3I", 0, 5, 5)),
        M("a", b"alpha", descriptor=struct.pack("<3I", zlib_crc := 0xDEADBEEF, 5, 5)),
        M("a", b"alpha", descriptor=b"x" * 11),
        M("a", b"alpha", descriptor=b"x" * 17),
        M("a", b"alpha", flags=8),
        M("a", b"alpha", flags=0, descriptor="32m"),
        M("a", b"alpha", descriptor="32m", local={"size": 4, "compressed": 4}),
        M("a", b"alpha", descriptor="32m", local={"crc": 1}),
        M("a", b"alpha", descriptor="32m", after=b"hidden"),
    ],
)
def test_a_data_descriptor_that_is_wrong_is_refused(member: M) -> None:
    """A81."""
    assert refused(archive(member, OWN[1])) is Code.BODY_AMBIGUOUS


def test_a_descriptor_whose_checksum_looks_like_its_mark_is_refused() -> None:
    mark = int.from_bytes(b"PK\x07\x08", "little")
    form = struct.pack("<3I", mark, 5, 5)
    member = M("a", b"alpha", descriptor=form, central={"crc": mark})
    assert refused(archive(member)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a.txt", "a.txt"),
        ("a.txt", "A.TXT"),
        ("caf\u00e9", "cafe\u0301"),
        ("a", "a/"),
        ("a", "a/b"),
        ("A", "a/b/c"),
        ("a/b/c", "A/B"),
    ],
)
def test_two_names_for_one_place_are_refused(one: str, two: str) -> None:
    """A75."""
    assert refused(archive(M(one), M(two))) is Code.BODY_AMBIGUOUS
    assert refused(archive(M(two), M(one))) is Code.BODY_AMBIGUOUS
    assert len(read(archive(M(one), M("x" + two))).entries) == 2


def test_a_directory_with_data_is_refused() -> None:
    """A86."""
    assert refused(archive(M("a/", b"data"))) is Code.BODY_AMBIGUOUS
    assert contents(archive(M("a/"), M("b/", b"", DEFLATED))) == {"a/": b"", "b/": b""}


@pytest.mark.parametrize(
    ("member", "code"),
    [
        (M("../a"), Code.BODY_AMBIGUOUS),
        (M("a", attributes=0o120777 << 16), Code.MEMBER_UNSUPPORTED),
        (M("a", flags=1), Code.MEMBER_UNSUPPORTED),
        (M("a", method=14), Code.MEMBER_UNSUPPORTED),
        (M("a", local={"needed": 64}), Code.MEMBER_UNSUPPORTED),
        (M("a", central={"needed": 64}), Code.MEMBER_UNSUPPORTED),
        (M("a", comment=b"about someone"), Code.BODY_AMBIGUOUS),
        (M("a", central={"disk": 1}), Code.MEMBER_UNSUPPORTED),
        (M("a", central_extra=tlv(0x4242, b"hidden")), Code.BODY_AMBIGUOUS),
        (M("a", local_extra=tlv(0x4242, b"hidden")), Code.BODY_AMBIGUOUS),
        (M("a", local_extra=tlv(0x5455, b"x" * 60_000)), Code.BODY_AMBIGUOUS),
        (M("a", local_extra=b"\0"), Code.BODY_MALFORMED),
        (M("a", b"data", central={"size": 5}), Code.BODY_MALFORMED),
    ],
)
def test_what_a_member_may_not_have_is_refused(member: M, code: Code) -> None:
    assert refused(archive(OWN[0], M("b"), member)) is code
    assert len(read(archive(OWN[0], M("b"), M("ok"))).entries) == 3


def test_a_unicode_path_is_compared_in_both_headers() -> None:
    """A83."""
    honest = tlv(0x7075, b"\x01" + struct.pack("<I", 0xE8B7BE43) + b"a")
    other = tlv(0x7075, b"\x01" + struct.pack("<I", 0xE8B7BE43) + b"b")
    assert read(archive(M("a", local_extra=honest, central_extra=honest))).entries
    assert refused(archive(M("a", local_extra=other))) is Code.BODY_AMBIGUOUS
    assert refused(archive(M("a", central_extra=other))) is Code.BODY_AMBIGUOUS


# --- zip64 -------------------------------------------------------------------------------------

NONE32 = 0xFFFFFFFF


def wide(*values: int, disk: bytes = b"") -> bytes:
    return tlv(1, struct.pack(f"<{len(values)}Q", *values) + disk)


@pytest.mark.parametrize(
    ("central", "extra"),
    [
        ({"size": NONE32, "compressed": NONE32, "start": NONE32}, wide(5, 5, 0)),
        ({"size": NONE32, "compressed": NONE32}, wide(5, 5)),
        ({"start": NONE32}, wide(0)),
        ({"size": NONE32, "compressed": NONE32}, wide(5, 5, 0)),
        ({}, wide(5, 5, 0)),
        ({}, wide(5, 5, 0, disk=b"\0\0\0\0")),
        ({"disk": 0xFFFF}, tlv(1, b"\0\0\0\0")),
    ],
)
def test_a_zip64_field_that_agrees_is_read(central: dict[str, int], extra: bytes) -> None:
    assert contents(archive(M("a", b"alpha", central=central, central_extra=extra))) == {
        "a": b"alpha"
    }


@pytest.mark.parametrize(
    ("central", "extra"),
    [
        ({"size": NONE32, "compressed": NONE32}, b""),
        ({"size": NONE32, "compressed": NONE32}, wide(5)),
        ({"size": NONE32, "compressed": NONE32, "start": NONE32}, wide(5, 5)),
        ({"start": NONE32}, wide(0, 0)),
        # Other readers take the values in order: a size would be the offset, or the other size.
        ({"start": NONE32}, wide(5, 5, 0)),
        ({"compressed": NONE32}, wide(5, 5, 0)),
        ({"size": NONE32, "start": NONE32}, wide(5, 5, 0)),
        ({"start": NONE32}, wide(5, 5, 0, disk=b"\0\0\0\0")),
        ({}, wide(6, 6, 0)),
        ({}, wide(5, 5, 1)),
        ({}, wide(5, 5, 0, disk=b"\1\0\0\0")),
        ({}, wide(5)),
        ({"disk": 0xFFFF}, wide(5, 5, 0)),
        ({"disk": 0xFFFF}, tlv(1, b"\1\0\0\0")),
        ({"size": NONE32, "compressed": NONE32}, wide(2**63, 2**63)),
        ({"size": NONE32, "compressed": NONE32}, wide(5, 2**63)),
    ],
)
def test_a_zip64_field_that_lacks_or_contradicts_is_refused(
    central: dict[str, int], extra: bytes
) -> None:
    """A77, A78."""
    refused(archive(M("a", b"alpha", central=central, central_extra=extra)))


@pytest.mark.parametrize(
    ("local", "extra", "passes"),
    [
        ({"size": NONE32, "compressed": NONE32}, wide(5, 5), True),
        ({"size": NONE32, "compressed": NONE32}, wide(6, 6), False),
        ({"size": NONE32, "compressed": NONE32}, wide(5), False),
        ({"size": NONE32, "compressed": NONE32}, wide(5, 5, 0), False),
        ({}, wide(5, 5), False),
    ],
)
def test_the_local_zip64_field_says_the_same(
    local: dict[str, int], extra: bytes, passes: bool
) -> None:
    data = archive(M("a", b"alpha", local=local, local_extra=extra))
    if passes:
        assert contents(data) == {"a": b"alpha"}
    else:
        refused(data)


# --- limits ------------------------------------------------------------------------------------


def test_members_over_their_limit_are_refused_before_they_are_read() -> None:
    """A86: 1e6 entries; here they needn't even exist."""
    million = {"count": 10**6, "here": 10**6}
    full = {"count": 0xFFFF, "here": 0xFFFF}
    assert refused(archive(*OWN, zip64=million, end=full)) is Code.BODY_TOO_COMPLEX
    assert refused(archive(*OWN), Limits(members=2)) is Code.BODY_TOO_COMPLEX
    assert len(read(archive(*OWN), Limits(members=3)).entries) == 3


def test_more_or_fewer_members_than_said_are_refused() -> None:
    assert refused(archive(*OWN, end={"count": 2, "here": 2})) is Code.BODY_AMBIGUOUS
    assert refused(archive(*OWN, end={"count": 4, "here": 4})) is Code.BODY_MALFORMED


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    """A77: nothing is inflated."""
    bomb = M("a", b"\0" * (8 << 20), DEFLATED)
    data = archive(bomb)
    tracemalloc.start()
    try:
        assert refused(data) is Code.BODY_TOO_LARGE
        assert refused(archive(bomb), Limits(ratio=10**6, decoded=2**20)) is Code.BODY_TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    assert read(data, Limits(ratio=2000)).size == 8 << 20


# --- all of it ---------------------------------------------------------------------------------


def test_a_cut_archive_is_refused_wherever_it_is_cut() -> None:
    data = archive(*OWN)
    for length in range(len(data)):
        with pytest.raises(BadUpstream):
            read(data[:length])


@settings(max_examples=400, deadline=None)
@given(
    at=st.integers(0, 10**6),
    bit=st.integers(0, 7),
    shape=st.sampled_from(["plain", "descriptors", "zip64"]),
)
def test_a_flipped_bit_is_refused_or_changes_nothing_that_counts(
    at: int, bit: int, shape: str
) -> None:
    form = "32m" if shape == "descriptors" else ""
    members = (
        M("a.txt", b"alpha" * 9, descriptor=form),
        M("b/c.txt", b"beta" * 99, DEFLATED, descriptor=form),
        M("b/\u00e9.json", b"[]", descriptor=form),
    )
    data = bytearray(archive(*members, zip64={} if shape == "zip64" else None))
    data[at % len(data)] ^= 1 << bit
    try:
        found = contents(bytes(data))
    except Refusal:
        return
    assert found == {member.raw_name.decode(): member.data for member in members}
