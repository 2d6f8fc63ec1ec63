"""The structure of a TAR, read in one way."""

import subprocess
from pathlib import Path

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.source import InMemory
from gateway.inspection.tardirectory import Contents, read_directory
from tests.support.tars import (
    BLOCK,
    END,
    FORMATS,
    T,
    base256,
    long_name,
    octal,
    padded,
    pax,
    tar,
    tarred,
)
from tests.support.zips import tool


def found(data: bytes, limits: Limits = Limits()) -> dict[str, bytes]:  # noqa: B008
    stored = InMemory(data)
    directory = read_directory(stored, limits)
    spans = [(entry.start, entry.end) for entry in directory.entries]
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    return {entry.name: b"".join(Contents(stored, entry).chunks()) for entry in directory.entries}


def refused(data: bytes, limits: Limits = Limits()) -> Code:  # noqa: B008
    with pytest.raises(BadUpstream) as caught:
        found(data, limits)
    assert "secret" not in caught.value.note
    return caught.value.code


FILES = {"me/1.jpg": b"JPEG", "me/2.jpg": b"x" * 1500, "empty/": b"", "a": b""}
LONG = "d" * 90 + "/" + "e" * 80 + ".txt"


@pytest.mark.parametrize("form", FORMATS)
def test_what_python_writes_is_read(form: str) -> None:
    files = (
        FILES | {LONG: b"long"} | ({} if form == "ustar" else {"K\u00e4se": b"u", "f" * 130: b"y"})
    )
    assert found(tarred(files, form)) == files


WRITERS = {
    "gnu tar": ["tar", "--format=gnu", "-cf"],
    "gnu tar, pax": ["tar", "--format=pax", "-cf"],
    "gnu tar, ustar": ["tar", "--format=ustar", "-cf"],
    "bsdtar": ["bsdtar", "-cf"],
    "bsdtar, pax": ["bsdtar", "--format=pax", "-cf"],
    "bsdtar, gnu": ["bsdtar", "--format=gnutar", "-cf"],
    "bsdtar, ustar": ["bsdtar", "--format=ustar", "-cf"],
}


@pytest.mark.parametrize("start", [".", "tree"])
@pytest.mark.parametrize("writer", WRITERS)
def test_what_tools_write_is_read(writer: str, start: str, tmp_path: Path) -> None:
    files = {"me/1.jpg": b"JPEG", LONG: b"long"}
    if "ustar" not in writer:
        files |= {"K\u00e4se": b"u", "f" * 130: b"y"}
    for name, data in files.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    folder = tmp_path / "tree" if start == "." else tmp_path
    command = [*tool(WRITERS[writer]), str(tmp_path / "out.tar"), start]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    read = found((tmp_path / "out.tar").read_bytes())
    below = "" if start == "." else "tree/"
    assert {name: data for name, data in read.items() if not name.endswith("/")} == {
        below + name: data for name, data in files.items()
    }


def test_a_root_directory_may_stand_first() -> None:
    data = tar(T(b"./", kind=b"5"), T(b"./a", b"1"))
    assert found(data) == {"a": b"1"}
    assert read_directory(InMemory(data), Limits()).root == BLOCK
    assert refused(tar(T(b"./a", b"1"), T(b"./", kind=b"5"))) is Code.BODY_AMBIGUOUS
    assert refused(tar(T(b"./", kind=b"5"), T(b".", kind=b"5"))) is Code.BODY_AMBIGUOUS


def test_a_size_that_no_field_holds_stands_in_an_extension() -> None:
    honest = tar(pax(("size", "3")), T(b"a", b"123"))
    assert found(honest) == {"a": b"123"}
    two = tar(pax(("size", "3")), T(b"a", b"1234"))
    assert refused(two) is Code.BODY_AMBIGUOUS
    wide = tar(pax(("size", str(8**11))), T(b"a", size=octal(0)))
    assert refused(wide) is Code.BODY_INCOMPLETE
    assert refused(tar(T(b"a", size=base256(8**11)))) is Code.BODY_INCOMPLETE


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (tar(T(b"a", b"1"), T(b"a", b"2")), Code.BODY_AMBIGUOUS),
        (tar(T(b"a", b"1"), T(b"./a", b"2")), Code.BODY_AMBIGUOUS),
        (tar(T(b"a", b"1"), T(b"A", b"2")), Code.BODY_AMBIGUOUS),
        (tar(T(b"a", b"1"), T(b"a/b", b"2")), Code.BODY_AMBIGUOUS),
        (tar(T(b"a/", b"", b"5"), T(b"a", b"2")), Code.BODY_AMBIGUOUS),
        (tar(T(b"d/", b"secret", b"5")), Code.BODY_AMBIGUOUS),
        (tar(T(b"a", b"1", padding=b"secret".ljust(511, b"\0"))), Code.BODY_AMBIGUOUS),
        (tar(*long_name(b"me/" + b"x" * 120, b"secret")), Code.BODY_AMBIGUOUS),
        (tar(pax(("path", "me/1")), T(b"secret")), Code.BODY_AMBIGUOUS),
        (tar(pax(("path", "me/1"), name=b"secret"), T(b"me/1")), Code.BODY_AMBIGUOUS),
        (tar(pax(("path", "a")), pax(("path", "a")), T(b"a")), Code.BODY_AMBIGUOUS),
        (tar(pax(("path", "b")), *long_name(b"a")), Code.BODY_AMBIGUOUS),
        (tar(pax(("path", "a"))), Code.BODY_AMBIGUOUS),
        (tar(pax(("path", "a"), kind=b"g"), T(b"b")), Code.MEMBER_UNSUPPORTED),
        (tar(T(b"l", kind=b"2", link=b"/etc/passwd")), Code.MEMBER_UNSUPPORTED),
        (tar(T(b"l", kind=b"1", link=b"a")), Code.MEMBER_UNSUPPORTED),
        (tar(T(b"s", kind=b"S")), Code.MEMBER_UNSUPPORTED),
        (tar(T(b"a", b"1"), end=b""), Code.BODY_INCOMPLETE),
        (tar(T(b"a", b"1"), end=bytes(BLOCK)), Code.BODY_INCOMPLETE),
        (b"", Code.BODY_INCOMPLETE),
        (tar(T(b"a", b"1"), end=END + b"secret".ljust(BLOCK, b"\0")), Code.BODY_AMBIGUOUS),
        (tar(T(b"a", b"1"), end=END + bytes(7)), Code.BODY_AMBIGUOUS),
        (tar(T(b"a", b"1")) + tar(T(b"b", b"2")), Code.BODY_AMBIGUOUS),
        (tar(T(b"a", b"1"), end=bytes(BLOCK)) + tar(T(b"b", b"2")), Code.BODY_AMBIGUOUS),
        (tar(T(b"a", b"1234", size=octal(2**32))), Code.BODY_INCOMPLETE),
        (tar(pax(("path", "a" * 20_000)), T(b"a")), Code.BODY_TOO_COMPLEX),
    ],
)
def test_what_two_readers_could_read_apart_is_refused(data: bytes, code: Code) -> None:
    """A74 to A78, A83, A86."""
    assert refused(data) is code


def test_an_archive_cut_anywhere_is_refused() -> None:
    data = tar(pax(("path", "me/1.jpg")), T(b"me/1.jpg", b"x" * 600), T(b"a", b"1"))
    assert len(found(data)) == 2
    for at in range(0, len(data), 64):
        assert refused(data[:at]) in (Code.BODY_INCOMPLETE, Code.BODY_AMBIGUOUS)


def test_more_members_than_the_limit_are_refused() -> None:
    data = tarred({str(number): b"" for number in range(5)})
    assert len(found(data, Limits(members=5))) == 5
    assert refused(data, Limits(members=4)) is Code.BODY_TOO_COMPLEX


def test_contents_are_proven_at_their_end() -> None:
    stored = InMemory(tar(T(b"a", b"123")))
    contents = Contents(stored, read_directory(stored, Limits()).entries[0])
    assert not contents.proven
    assert b"".join(contents.chunks()) == b"123"
    assert contents.proven
    assert padded(b"1") == b"1".ljust(BLOCK, b"\0")
