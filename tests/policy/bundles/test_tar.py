"""Tar archives: those that real writers make, and those that readers disagree on."""

import io
import struct
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.bundles import tar as tar_module
from gateway.policy.bundles.tar import TarError, files
from tests.policy.bundles.support import folder, tar

CONTENTS = {".manifest": b"{}", "privacy/p.rego": b"x" * 1000, "privacy/empty.rego": b""}
LONG = {"privacy/" + "/".join(["folder"] * 30) + "/p.rego": b"deep"}


def read(archive: bytes) -> Mapping[str, bytes]:
    return files(memoryview(archive))


def said(archive: bytes) -> str:
    with pytest.raises(TarError) as refusal:
        read(archive)
    return str(refusal.value)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["/", "./", ""])
def test_what_real_writers_make_is_read(form: int, prefix: str) -> None:
    assert read(tar(CONTENTS, prefix, form)) == CONTENTS


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read(form: int) -> None:
    assert read(tar(LONG, "./", form)) == LONG


def test_a_name_in_two_parts_is_read() -> None:
    contents = {"p" * 90 + "/" + "q" * 60 + "/data.json": b"{}"}
    assert read(tar(contents, "/", tarfile.USTAR_FORMAT)) == contents


@pytest.mark.parametrize("arguments", [(), ("--format=posix",), ("--format=ustar",)], ids=str)
def test_the_systems_tar_is_read_with_its_folders(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    source = folder(tmp_path / "b", CONTENTS)
    made = subprocess.run(
        ["tar", *arguments, "-C", str(source), "-cf", "-", "."], check=True, capture_output=True
    )
    assert read(made.stdout) == CONTENTS


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z.]{1,4}[a-z]){0,3}", fullmatch=True),
        st.binary(max_size=2000),
        max_size=5,
    )
)
def test_what_goes_in_comes_out(contents: dict[str, bytes]) -> None:
    assert read(tar(contents)) == contents


@given(st.integers(0, 2**16), st.integers(1, 255))
def test_a_change_anywhere_is_refused_or_is_in_a_content_or_a_mode(at: int, by: int) -> None:
    """No damaged archive is a shorter or a longer one."""
    archive = bytearray(tar(CONTENTS))
    archive[at % len(archive)] ^= by
    try:
        found = read(bytes(archive))
    except TarError:
        return
    assert found.keys() == CONTENTS.keys()
    assert [len(each) for each in found.values()] == [len(each) for each in CONTENTS.values()]


@given(st.integers(0, 2**16))
def test_no_part_of_an_archive_is_an_archive(length: int) -> None:
    archive = tar(CONTENTS)
    end = len(archive.rstrip(b"\0")) + 1024
    with pytest.raises(TarError):
        read(archive[: length % (end - 511 - 512)])


# --- one entry, made by hand --------------------------------------------------------------------


def entry(
    name: bytes = b"privacy/p.rego",
    kind: bytes = b"0",
    content: bytes = b"",
    *,
    size: bytes | None = None,
    magic: bytes = b"ustar\00000",
    prefix: bytes = b"",
    damage: int = 0,
) -> bytes:
    size = b"%011o\0" % len(content) if size is None else size
    head = struct.pack(
        "100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x",
        name, b"0000644\0", b"0000000\0", b"0000000\0", size, b"00000000000\0", b" " * 8, kind,
        b"target", magic, b"", b"", b"0000000\0", b"0000000\0", prefix,
    )  # fmt: skip
    checksum = b"%06o\0 " % (sum(head) + damage)
    return head[:148] + checksum + head[156:] + content + b"\0" * (-len(content) % 512)


END = b"\0" * 1024


def record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return str(length).encode() + body


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "ends early"),
    "no end": (lambda: entry(), "ends early"),
    "half an end": (lambda: entry() + b"\0" * 512, "ends early"),
    "half a header": (lambda: entry()[:300], "ends early"),
    "a content that is cut": (lambda: entry(size=b"00000002000\0") + END[:512], "ends early"),
    "something after the end": (lambda: entry() + END + b"x", "after the end"),
    "an archive after the archive": (lambda: entry() + END + entry() + END, "after the end"),
    "something in the padding": (
        lambda: entry(content=b"abc")[:-1] + b"x" + END,
        "between two files",
    ),
    "a wrong checksum": (lambda: entry(damage=1) + END, "wrong checksum"),
    "a size that is none": (lambda: entry(size=b"0000000000x\0") + END, "a number that is none"),
    "a negative size": (lambda: entry(size=b"\xff" * 12) + END, "a number that is none"),
    "a size in base 256": (lambda: entry(size=b"\x80" + b"\0" * 11) + END, "a number that is none"),
    "no magic": (lambda: entry(magic=b"\0" * 8) + END, "not a ustar, pax or GNU header"),
    "a prefix under GNU": (lambda: entry(magic=b"ustar  \0", prefix=b"x") + END, "in two ways"),
    "a hard link": (lambda: entry(kind=b"1") + END, "a hard link"),
    "a symbolic link": (lambda: entry(kind=b"2") + END, "a symbolic link"),
    "a device": (lambda: entry(kind=b"3") + END, "a device"),
    "a block device": (lambda: entry(kind=b"4") + END, "a device"),
    "a named pipe": (lambda: entry(kind=b"6") + END, "a named pipe"),
    "a sparse file": (lambda: entry(kind=b"S") + END, "a sparse file"),
    "a long link": (lambda: entry(kind=b"K", content=b"x\0") + END, "a link with a long name"),
    "an unknown kind": (lambda: entry(kind=b"7") + END, "an entry that is not a regular file"),
    "a folder with content": (lambda: entry(b"a/", b"5", b"x") + END, "a folder that has content"),
    "a way up": (lambda: entry(b"../p.rego") + END, "leads elsewhere"),
    "a way up in the middle": (lambda: entry(b"a/../../p.rego") + END, "leads elsewhere"),
    "a way up at the end": (lambda: entry(b"a/..") + END, "leads elsewhere"),
    "a way up after a slash": (lambda: entry(b"/../p.rego") + END, "leads elsewhere"),
    "a folder up": (lambda: entry(b"../", b"5") + END, "leads elsewhere"),
    "two slashes": (lambda: entry(b"//p.rego") + END, "leads elsewhere"),
    "two slashes in the middle": (lambda: entry(b"a//p.rego") + END, "leads elsewhere"),
    "a dot in the middle": (lambda: entry(b"a/./p.rego") + END, "leads elsewhere"),
    "no name": (lambda: entry(b"") + END, "leads elsewhere"),
    "only a slash": (lambda: entry(b"/") + END, "leads elsewhere"),
    "a file that looks like a folder": (lambda: entry(b"a/") + END, "leads elsewhere"),
    "a backslash": (lambda: entry(b"a\\b.rego") + END, "not printable"),
    "two lines": (lambda: entry(b"a\nb.rego") + END, "not printable"),
    "no UTF-8": (lambda: entry(b"a\xff.rego") + END, "not UTF-8"),
    "a name twice": (lambda: entry() + entry() + END, "privacy/p.rego comes twice"),
    "a name twice in two spellings": (
        lambda: entry(b"/privacy/p.rego") + entry(b"./privacy/p.rego") + END,
        "privacy/p.rego comes twice",
    ),
    "a long name for nothing": (
        lambda: entry(b"x", b"L", b"long.rego\0") + END,
        "a long name without its file",
    ),
    "two long names": (
        lambda: (
            entry(b"x", b"L", b"a.rego\0") + entry(b"x", b"x", record("path", "b")) + entry() + END
        ),
        "two long names",
    ),
    "a pax size": (
        lambda: entry(b"x", b"x", record("size", "7")) + entry() + END,
        "changes more than a name",
    ),
    "a pax link": (
        lambda: entry(b"x", b"x", record("linkpath", "7")) + entry() + END,
        "changes more than a name",
    ),
    "a pax sparse file": (
        lambda: entry(b"x", b"x", record("GNU.sparse.name", "q")) + entry() + END,
        "changes more than a name",
    ),
    "a pax path twice": (
        lambda: entry(b"x", b"x", record("path", "a") + record("path", "b")) + entry() + END,
        "changes more than a name",
    ),
    "a pax path for all": (
        lambda: entry(b"x", b"g", record("path", "a")) + entry() + END,
        "changes more than a name",
    ),
    "a pax record of no length": (
        lambda: entry(b"x", b"x", b"0 path=a\n") + entry() + END,
        "malformed",
    ),
    "a pax record that is too long": (
        lambda: entry(b"x", b"x", b"99 path=a\n") + entry() + END,
        "malformed",
    ),
    "a pax record of one part": (
        lambda: entry(b"x", b"x", b"7 path\n") + entry() + END,
        "malformed",
    ),
    "a pax way up": (
        lambda: entry(b"x", b"x", record("path", "../p.rego")) + entry() + END,
        "leads elsewhere",
    ),
    "a pax header that is huge": (
        lambda: entry(b"x", b"x", record("comment", "c" * 70_000)) + entry() + END,
        "an extended header of more than",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("archive", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_readers_disagree_on_is_refused(archive: Callable[[], bytes], says: str) -> None:
    assert says in said(archive())


def test_the_same_by_hand_is_read_where_nothing_is_wrong() -> None:
    assert read(entry(content=b"abc") + END) == {"privacy/p.rego": b"abc"}
    assert read(entry(b"./", b"5") + entry(b"a/", b"5") + entry(b"/a/b") + END) == {"a/b": b""}
    assert read(entry(b"x", b"L", b"long.rego\0") + entry() + END) == {"long.rego": b""}
    assert read(entry(b"x", b"x", record("path", "long")) + entry() + END) == {"long": b""}
    harmless = record("mtime", "1.5") + record("SCHILY.xattr.a", "b") + record("comment", "c")
    assert read(entry(b"x", b"x", harmless) + entry() + END) == {"privacy/p.rego": b""}
    assert read(entry(b"x", b"g", record("comment", "c")) + entry() + END).keys() == {
        "privacy/p.rego"
    }
    assert read(entry(b"p.rego", prefix=b"privacy") + END) == {"privacy/p.rego": b""}


def test_the_numbers_of_files_and_entries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tar({"a": b"", "b": b""})
    monkeypatch.setattr(tar_module, "_MAX_FILES", 1)
    assert said(archive) == "more than 1 files"
    monkeypatch.setattr(tar_module, "_MAX_ENTRIES", 1)
    assert said(tar({"a": b""})[:512] + tar({"a": b""})) == "more than 1 entries"


def test_pythons_own_reader_takes_a_truncated_archive_for_a_short_one() -> None:
    """Why it isn't used: the day that this fails, it may be."""
    whole = tar({"a": b"x", "b": b"y"})
    short = whole[: 1024 + 100]
    with tarfile.open(fileobj=io.BytesIO(short)) as archive:
        assert archive.getnames() == ["/a"]
    assert "ends early" in said(short)
