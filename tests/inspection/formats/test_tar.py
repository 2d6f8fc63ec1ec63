"""TAR archives: whose each member is, and a new archive of those that stay."""

import bz2
import gzip
import json
import lzma
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import notice, work
from gateway.inspection.codings import COMPRESSIONS
from gateway.inspection.formats import tar as archives
from gateway.inspection.inflation import Inflation
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.inspection.tally import Tally
from gateway.model import Attribution, Decision, Effect, Format, Inspection, SubjectRef
from gateway.response import Payload
from tests.support.reading import Cut, masks
from tests.support.scratches import scratch
from tests.support.tars import BLOCK, END, FORMATS, READERS, T, base256, pax, tar, tarred, untarred
from tests.support.zips import tool

LIMITS = Limits()
ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
OWNER = ({"account": ("$.owner",)},)
SPEC = BodySpec(
    Format.TAR,
    members=(
        MemberSpec("manifest.json", Format.JSON, "$.recordings[*]", OWNER, vouches_for="$.file"),
        MemberSpec("recordings/*.wav", attribution=Attribution.MANIFEST, category="voice"),
        MemberSpec("*.csv", Format.CSV, subject=({"account": ("owner",)},)),
        MemberSpec("*.ndjson", Format.NDJSON, subject=OWNER),
        MemberSpec("{account}/*.jpg", attribution=Attribution.PATH, category="photo"),
    ),
)
TASK = work.Task(Payload("application/x-tar"), SPEC, LIMITS)


def inspected(data: bytes, task: work.Task = TASK) -> Inspection:
    return work.inspect(InMemory(data), task)


def owned(data: bytes) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for group in inspected(data).groups:
        owners = tuple(str(owner.value) for owner in group.owners)
        found[owners] = found.get(owners, 0) + group.records
    return found


def refused(data: bytes, task: work.Task = TASK) -> Code:
    with pytest.raises(BadUpstream) as caught:
        inspected(data, task)
    return caught.value.code


def permitting(
    *permitted: SubjectRef, unattributed: bool = False, mask: tuple[str, ...] = ()
) -> Decision:
    return Decision(
        Effect.REDACT, frozenset(permitted), unattributed, frozenset(), masks(*mask), (), "1"
    )


def redacted(data: bytes, decision: Decision) -> bytes:
    sink = MemorySink()
    counts = work.rewrite(InMemory(data), TASK, inspected(data), decision, sink)
    work.confirm(InMemory(sink.getvalue()), TASK, inspected(data), decision, counts)
    return sink.getvalue()


def manifest(owners: dict[str, str]) -> bytes:
    records = [{"file": name, "owner": owner} for name, owner in owners.items()]
    return json.dumps({"recordings": records}, indent=1).encode()


MIXED = {
    "manifest.json": manifest({"recordings/1.wav": "me", "recordings/2.wav": "foreign"}),
    "recordings/1.wav": b"RIFF own " * 300,
    "recordings/2.wav": b"RIFF canary " * 300,
    "t.csv": b"owner,text\nme,hello\nforeign,canary\nme,again\n",
    "own.csv": b"owner,text\nme,only mine\n",
    "l.ndjson": b'{"owner":"me","n":1}\n{"owner":"foreign","n":2}\n',
    "me/1.jpg": b"JPEG own" * 200,
    "foreign/1.jpg": b"JPEG canary" * 20,
    "else.bin": b"whose?",
}
KEPT = {
    "manifest.json": json.dumps(
        {"recordings": [{"file": "recordings/1.wav", "owner": "me"}]}, indent=1
    ).encode(),
    "recordings/1.wav": MIXED["recordings/1.wav"],
    "t.csv": b"owner,text\nme,hello\nme,again\n",
    "own.csv": MIXED["own.csv"],
    "l.ndjson": b'{"owner":"me","n":1}\n',
    "me/1.jpg": MIXED["me/1.jpg"],
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_byte_is_accounted_for_and_every_record_counted(form: str) -> None:
    data = tarred(MIXED, form)
    found = inspected(data)
    assert found.bytes_inspected == found.bytes_decoded == len(data)
    assert owned(data) == {("me",): 7, ("foreign",): 5, (): 1}
    assert found.members == 9 and found.sealed


@pytest.mark.parametrize("form", FORMATS)
def test_records_and_members_of_others_are_dropped(form: str) -> None:
    new = redacted(tarred(MIXED, form), permitting(ME))
    assert untarred(new) == KEPT and list(untarred(new)) == list(KEPT)
    assert b"canary" not in new and b"foreign" not in new and b"whose" not in new
    assert len(new) % (20 * BLOCK) == 0


def test_kept_members_leave_with_the_very_bytes_of_their_headers() -> None:
    mine = [
        T(b"./", kind=b"5", mode=b"000755 \0"),
        pax(("path", "me/1.jpg"), ("mtime", "5.25")),
        T(b"me/1.jpg", b"own", uid=base256(2**22, 8), uname=b"export", mtime=b"15302514562 "),
    ]
    data = tar(*mine[:1], T(b"foreign/1.jpg", b"canary"), *mine[1:])
    new = redacted(data, permitting(ME))
    assert new.startswith(b"".join(member.bytes() for member in mine) + END)
    assert not any(new[sum(len(member.bytes()) for member in mine) :])


def test_a_changed_member_keeps_all_of_its_header_but_the_size() -> None:
    rows = b"owner\nme\nforeign\n"
    extension = pax(("mtime", "5.25"))
    data = tar(extension, T(b"t.csv", rows, uname=b"export", mtime=b"15302514562 "))
    new = redacted(data, permitting(ME))
    header = T(b"t.csv", b"owner\nme\n", uname=b"export", mtime=b"15302514562 ")
    assert new.startswith(extension.bytes() + header.bytes() + END)


def test_a_directory_stays_with_what_is_in_it() -> None:
    data = tarred(
        {"me/": b"", "me/1.jpg": b"own", "foreign/": b"", "foreign/1.jpg": b"x", "e/": b""}
    )
    assert owned(data) == {("me",): 1, ("foreign",): 1, (): 1}
    assert list(untarred(redacted(data, permitting(ME)))) == ["me/", "me/1.jpg"]


def test_masks_reach_into_members() -> None:
    new = redacted(tarred(MIXED), permitting(ME, mask=("$.text",)))
    assert untarred(new)["own.csv"] == b"owner,text\nme,\n"


def test_a_notice_tells_that_something_was_left_out() -> None:
    task = replace(TASK, spec=replace(SPEC, removed_notice="REMOVED.txt"))
    sink, data = MemorySink(), tarred(MIXED)
    counts = work.rewrite(InMemory(data), task, inspected(data, task), permitting(ME), sink)
    work.confirm(InMemory(sink.getvalue()), task, inspected(data, task), permitting(ME), counts)
    assert untarred(sink.getvalue()) == KEPT | {"REMOVED.txt": notice.text(6, 3)}


def test_a_manifest_that_does_not_fit_is_refused() -> None:
    assert owned(tarred({"manifest.json": manifest({})})) == {}
    data = tarred({"manifest.json": manifest({"recordings/9.wav": "me"})})
    assert refused(data) is Code.MANIFEST_MISMATCH


@pytest.mark.parametrize(
    "body", [b"", b"PK\x03\x04", b"{}", b"owner\nme\n", b"\x1f\x8b" + bytes(600)]
)
def test_another_format_is_refused(body: bytes) -> None:
    assert refused(body) in (Code.FORMAT_MISMATCH, Code.BODY_INCOMPLETE)


@pytest.mark.parametrize("name", [b"%PDF-1.7", b"GIF89a", b"BZh9", b"<html>"])
def test_an_archive_that_is_something_else_for_others_is_refused(name: bytes) -> None:
    """A20."""
    assert refused(tar(T(name, b"x"))) is Code.FORMAT_MISMATCH


def test_an_archive_of_nothing_has_no_records() -> None:
    assert owned(END) == {}
    assert owned(tarred({})) == {}


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_no_owner(at: int, bit: int) -> None:
    honest = tar(
        pax(("path", "me/1.jpg"), ("mtime", "1.5")),
        T(b"me/1.jpg", b"JPEG" * 9),
        T(b"t.csv", b"owner,text\nme,hello\n"),
    )
    data = bytearray(honest)
    data[at % len(data)] ^= 1 << bit
    try:
        found = owned(bytes(data))
    except BadUpstream:
        return
    # What has no checksum (TAR has none for contents) may change, in its place only.
    assert sum(found.values()) == 2 and len(data) == len(honest)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("form", FORMATS)
def test_other_readers_unpack_what_stays_and_nothing_else(
    reader: str, form: str, tmp_path: Path
) -> None:
    command = tool(READERS[reader])
    (tmp_path / "new.tar").write_bytes(redacted(tarred(MIXED, form), permitting(ME)))
    folder = tmp_path / "out"
    folder.mkdir()
    done = subprocess.run([*command, "../new.tar"], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    files = {path for path in folder.rglob("*") if path.is_file()}
    assert {str(path.relative_to(folder)): path.read_bytes() for path in files} == KEPT


OWNERS = ("me", "friend", "foreign-canary-1", "foreign-canary-2")


@settings(max_examples=100, deadline=None)
@given(
    members=st.dictionaries(
        st.tuples(st.sampled_from(OWNERS), st.text("abc\u00e4 ", min_size=1, max_size=60)),
        st.binary(max_size=600),
        max_size=8,
    ),
    form=st.sampled_from(["pax", "gnu"]),
)
def test_nothing_of_anyone_else_is_left_and_nothing_else_is_lost(
    members: dict[tuple[str, str], bytes], form: str
) -> None:
    files = {
        f"{owner}/{number}-{name}x.jpg": data
        for number, ((owner, name), data) in enumerate(members.items())
    }
    own = {name: data for name, data in files.items() if not name.startswith("foreign")}
    permitted = permitting(ME, SubjectRef("account", "friend"))
    new = redacted(tarred(files, form), permitted)
    assert untarred(new) == own
    assert b"foreign-canary" not in new or any(b"foreign-canary" in data for data in own.values())


def test_a_source_that_is_no_stored_body_is_a_fault_of_ours() -> None:
    with pytest.raises(InternalError):
        archives.inspect(Cut(b""), SPEC, LIMITS, Tally(LIMITS))


# --- compressed ---------------------------------------------------------------------------------

PACKERS = {
    "gzip": (partial(gzip.compress, mtime=0), gzip.decompress),
    "bzip2": (bz2.compress, bz2.decompress),
    "xz": (lzma.compress, lzma.decompress),
    "zstd": (zstd.compress, zstd.decompress),
}


def packed_task(compression: Any) -> work.Task:
    media_type = COMPRESSIONS[compression].media_types[0]
    return work.Task(Payload(media_type), replace(SPEC, compression=compression), LIMITS)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_compressed_archive_is_read_and_leaves_compressed(compression: str) -> None:
    pack, unpack = PACKERS[compression]
    plain = tarred(MIXED)
    data, task, sink = pack(plain), packed_task(compression), MemorySink()
    with scratch() as file:
        found = work.inspect(InMemory(data), task, file)
        assert found.groups == inspected(plain).groups and found.members == 9
        assert (found.bytes_inspected, found.bytes_decoded) == (len(data), len(plain))
        assert found.sealed == (compression != "bzip2")
        decision = permitting(ME)
        counts = work.rewrite(InMemory(data), task, found, decision, sink, file)
        work.confirm(InMemory(sink.getvalue()), task, found, decision, counts, file)
    assert unpack(sink.getvalue()) == redacted(plain, decision)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_compressed_archive_that_is_cut_or_goes_on_is_refused(compression: str) -> None:
    """A06 to A08."""
    data, task = PACKERS[compression][0](tarred({"me/1.jpg": b"1"})), packed_task(compression)
    for wrong in (data[:-1], data[: len(data) // 2], data + b"\0" * 4, data + b"canary", b""):
        with scratch() as file, pytest.raises(BadUpstream) as caught:
            work.inspect(InMemory(wrong), task, file)
        assert caught.value.code is Code.CODING_MALFORMED
    with scratch() as file, pytest.raises(BadUpstream):
        work.inspect(InMemory(PACKERS[compression][0](b"no archive")), task, file)


def test_a_bomb_is_refused_while_it_is_small() -> None:
    """A11: within the limit of work, and with no more than the limit on the disk."""
    limits = Limits(ratio=20)
    task = replace(packed_task("gzip"), limits=limits)
    data = gzip.compress(tarred({"me/1.jpg": bytes(50 << 20)}))
    with scratch(Inflation.most(limits, len(data))) as file, pytest.raises(BadUpstream) as caught:
        work.inspect(InMemory(data), task, file)
    assert caught.value.code is Code.BODY_TOO_LARGE


def test_an_archive_under_a_content_coding_is_read_too() -> None:
    coded = replace(TASK, payload=Payload("application/x-tar", codings=("gzip",)))
    with scratch() as file:
        found = work.inspect(InMemory(gzip.compress(tarred(MIXED), mtime=0)), coded, file)
    assert found.groups == inspected(tarred(MIXED)).groups


COMMANDS = {
    "gzip": [["gzip", "-9n"]],
    "bzip2": [["bzip2"]],
    "xz": [["xz"], ["xz", "-T2", "--block-size=1000"], ["xz", "-1", "--check=crc32"]],
    "zstd": [["zstd"], ["zstd", "-19"], ["zstd", "-1", "--no-check"]],
}


@pytest.mark.parametrize(
    ("name", "command"), [(name, each) for name, several in COMMANDS.items() for each in several]
)
def test_what_tools_compress_is_read(name: str, command: list[str]) -> None:
    done = subprocess.run(
        [*tool(command), "-c"], input=tarred(MIXED), capture_output=True, check=True
    )
    with scratch() as file:
        found = work.inspect(InMemory(done.stdout), packed_task(name), file)
    assert found.groups == inspected(tarred(MIXED)).groups
    assert found.sealed == (name != "bzip2")


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
def test_tar_and_bsdtar_unpack_what_stays_compressed(name: str, tmp_path: Path) -> None:
    data, task, sink = PACKERS[name][0](tarred(MIXED)), packed_task(name), MemorySink()
    with scratch() as file:
        found = work.inspect(InMemory(data), task, file)
        work.rewrite(InMemory(data), task, found, permitting(ME), sink, file)
    (tmp_path / "new").write_bytes(sink.getvalue())
    for reader in ("gnu tar", "bsdtar"):
        folder = tmp_path / reader
        folder.mkdir()
        command = [*tool(READERS[reader]), "../new", *([f"--{name}"] if reader != "bsdtar" else [])]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        files = {path for path in folder.rglob("*") if path.is_file()}
        assert {str(path.relative_to(folder)): path.read_bytes() for path in files} == KEPT
