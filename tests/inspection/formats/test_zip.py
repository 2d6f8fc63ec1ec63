"""ZIP archives: whose each member is, and a new archive of those that stay."""

import io
import json
import math
import random
import struct
import subprocess
import wave
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code, Refusal, Unavailable
from gateway.inspection import notice
from gateway.inspection.formats import zip as archives
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import Body, InMemory
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts, Decision, Effect, Format, Group, Mask, SubjectRef
from tests.support.documents import pdf
from tests.support.reading import masks
from tests.support.zips import (
    DEFLATED,
    READERS,
    STORED,
    M,
    archive,
    deflate,
    tlv,
    tool,
    unzipped,
    zipped,
)

LIMITS = Limits()
ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")


def body(data: bytes, limits: Limits = LIMITS) -> Body:
    return Body(InMemory(data), (), limits)


def inspected(data: bytes, spec: BodySpec, limits: Limits = LIMITS) -> Tally:
    tally, source = Tally(limits), body(data, limits)
    archives.inspect(source, spec, limits, tally)
    assert source.meter.inspected == len(data)
    return tally


def counted(data: bytes, spec: BodySpec) -> dict[tuple[str, ...], int]:
    """Owners' values → records; the empty tuple stands for the unattributed ones."""
    counts: dict[tuple[str, ...], int] = {}
    for group in inspected(data, spec).groups:
        owners = tuple(str(owner.value) for owner in group.owners)
        counts[owners] = counts.get(owners, 0) + group.records
    return counts


def refused(data: bytes, spec: BodySpec, limits: Limits = LIMITS) -> Code:
    with pytest.raises(BadUpstream) as caught:
        inspected(data, spec, limits)
    return caught.value.code


def permitting(
    *permitted: SubjectRef,
    unattributed: bool = False,
    withhold: Iterable[str] = (),
    mask: tuple[str | Mask, ...] = (),
) -> Decision:
    hidden = frozenset(withhold)
    return Decision(
        Effect.REDACT, frozenset(permitted), unattributed, hidden, masks(*mask), (), "1"
    )


def redacted(data: bytes, spec: BodySpec, decision: Decision) -> bytes:
    """The rewritten archive, checked: it adds up, and nothing withheld is left in it."""
    before = inspected(data, spec)
    kept = sum(group.records for group in before.groups if decision.releases(group))
    seen = sum(group.records for group in before.groups)
    sink = MemorySink()
    counts = archives.rewrite(body(data), spec, LIMITS, Verdict(decision, seen - kept), sink)
    assert counts == Counts(seen=seen, released=kept, redacted=seen - kept)
    new = sink.getvalue()
    if not decision.mask:
        after = inspected(new, spec)
        assert all(decision.releases(group) for group in after.groups)
        assert sum(group.records for group in after.groups) == kept
    return new


# --- whose a member is -------------------------------------------------------------------------

MANIFEST = MemberSpec(
    match="manifest.json",
    format=Format.JSON,
    records="$.recordings[*]",
    subject=({"account": ("$.owner",)},),
    vouches_for="$.file",
)
WAVS = MemberSpec("recordings/*.wav", attribution=Attribution.MANIFEST, category="voice")
TABLE = MemberSpec("*.csv", Format.CSV, subject=({"account": ("owner",)},))
LINES = MemberSpec("*.ndjson", Format.NDJSON, subject=({"account": ("$.owner",)},))
PHOTOS = MemberSpec("{account}/*.jpg", attribution=Attribution.PATH, category="photo")


def spec(*members: MemberSpec) -> BodySpec:
    return BodySpec(format=Format.ZIP, members=members)


VOICE = spec(MANIFEST, WAVS, TABLE, LINES, PHOTOS)


def manifest(owners: dict[str, str]) -> bytes:
    records = [{"file": name, "owner": owner} for name, owner in owners.items()]
    return json.dumps({"recordings": records}, indent=1).encode()


def test_a_manifest_a_path_and_the_content_name_owners() -> None:
    data = zipped(
        {
            "manifest.json": manifest({"recordings/1.wav": "me", "recordings/2.wav": "foreign"}),
            "recordings/1.wav": b"RIFF1",
            "recordings/2.wav": b"RIFF2",
            "transcripts.csv": b"owner,text\nme,hello\nme,again\nforeign,hush\n",
            "log.ndjson": b'{"owner":"me"}\n{"other":1}\n',
            "me/1.jpg": b"JPEG",
        },
        DEFLATED,
    )
    tally = inspected(data, VOICE)
    assert set(tally.groups) == {
        Group((ME,), Attribution.DIRECT, "", 4),
        Group((FOREIGN,), Attribution.DIRECT, "", 2),
        Group((ME,), Attribution.MANIFEST, "voice", 1),
        Group((FOREIGN,), Attribution.MANIFEST, "voice", 1),
        Group((ME,), Attribution.PATH, "photo", 1),
        Group((), Attribution.NONE, "", 1),
    }
    # Records count on through the archive: two in the manifest, two recordings, three rows, ...
    places = {(group.attribution, group.owners): group.first for group in tally.groups}
    assert places[Attribution.DIRECT, (ME,)] == (0, 4, 5, 7)
    assert places[Attribution.DIRECT, (FOREIGN,)] == (1, 6)
    assert places[Attribution.MANIFEST, (FOREIGN,)] == (3,)
    assert places[Attribution.NONE, ()] == (8,)
    assert places[Attribution.PATH, (ME,)] == (9,)
    assert tally.members == 6
    assert set(tally.fields) == {"file", "owner", "text", "other"}


def test_what_was_read_is_measured() -> None:
    data = zipped({"a.wav": b"x" * 1000, "b/": b""}, DEFLATED)
    source = body(data)
    archives.inspect(source, VOICE, LIMITS, Tally(LIMITS))
    assert (source.meter.inspected, source.meter.decoded) == (len(data), 1000)


@pytest.mark.parametrize(
    "name", ["else.bin", "recordings/1.mp3", "recordings/a/1.wav", "Recordings/1.wav", "x/y/1.jpg"]
)
def test_a_member_that_matches_nothing_is_unattributed(name: str) -> None:
    """A85."""
    assert counted(zipped({name: b"data"}), VOICE) == {(): 1}


def test_an_orphan_that_no_manifest_names_is_unattributed() -> None:
    files = {"recordings/1.wav": b"1", "recordings/2.wav": b"2"}
    listed = {"manifest.json": manifest({"recordings/1.wav": "me"})} | files
    assert counted(zipped(listed), VOICE) == {("me",): 2, (): 1}
    assert counted(zipped(files), VOICE) == {(): 2}


def test_a_member_that_a_record_without_an_owner_names_is_unattributed() -> None:
    data = b'{"recordings":[{"file":"recordings/1.wav"}]}'
    assert counted(zipped({"manifest.json": data, "recordings/1.wav": b"1"}), VOICE) == {(): 2}


@pytest.mark.parametrize(
    "owners",
    [
        {"recordings/1.wav": "me", "recordings/9.wav": "me"},
        {"recordings/1.wav": "me", "manifest": "me"},
    ],
)
def test_a_manifest_that_names_what_is_not_there_is_refused(owners: dict[str, str]) -> None:
    data = zipped({"manifest.json": manifest(owners), "recordings/1.wav": b"1"})
    assert refused(data, VOICE) is Code.MANIFEST_MISMATCH


def test_a_manifest_that_names_a_member_twice_is_refused() -> None:
    one = json.dumps({"recordings": [{"file": "recordings/1.wav", "owner": "me"}] * 2}).encode()
    data = zipped({"manifest.json": one, "recordings/1.wav": b"1"})
    assert refused(data, VOICE) is Code.MANIFEST_MISMATCH


def test_a_manifest_may_name_owners_above_what_it_lists_and_members_by_name() -> None:
    above = replace(MANIFEST, records="$.files[*]", subject=({"account": ("$^^.customer",)},))
    listed = b'{"customer":"%b","files":[{"file":"recordings/1.wav"}]}'
    files = {"recordings/1.wav": b"1"}
    data = zipped({"manifest.json": listed % b"me"} | files)
    assert counted(data, spec(above, WAVS)) == {("me",): 3}
    foreign = zipped({"manifest.json": listed % b"foreign"} | files)
    assert counted(foreign, spec(above, WAVS)) == {("foreign",): 3}
    named = replace(MANIFEST, records="$.*", vouches_for="$~")
    data = zipped({"manifest.json": b'{"recordings/1.wav":{"owner":"me"}}'} | files)
    assert counted(data, spec(named, WAVS)) == {("me",): 2}
    assert unzipped(redacted(data, spec(named, WAVS), permitting(FOREIGN))) == {}


def test_a_manifest_may_stand_behind_its_members() -> None:
    files = {"recordings/1.wav": b"1", "manifest.json": manifest({"recordings/1.wav": "me"})}
    assert counted(zipped(files), VOICE) == {("me",): 2}


def test_a_manifest_and_the_content_must_agree() -> None:
    """A95."""
    rows = b"owner,text\nme,hello\n"
    for owner, fine in (("me", True), ("foreign", False)):
        data = zipped({"manifest.json": manifest({"t.csv": owner}), "t.csv": rows})
        if fine:
            assert counted(data, VOICE) == {("me",): 2}
        else:
            assert refused(data, VOICE) is Code.BODY_AMBIGUOUS


def test_a_path_and_the_content_must_agree() -> None:
    """A95."""
    by_path = MemberSpec("{account}/t.csv", Format.CSV, subject=({"account": ("owner",)},))
    rows = b"owner,text\nme,hello\n"
    assert counted(zipped({"me/t.csv": rows}), spec(by_path)) == {("me",): 1}
    assert refused(zipped({"foreign/t.csv": rows}), spec(by_path)) is Code.BODY_AMBIGUOUS


def test_a_path_and_a_manifest_must_agree() -> None:
    photos = {"me/1.jpg": b"JPEG"}
    fine = zipped(photos | {"manifest.json": manifest({"me/1.jpg": "me"})})
    assert counted(fine, VOICE) == {("me",): 2}
    wrong = zipped(photos | {"manifest.json": manifest({"me/1.jpg": "foreign"})})
    assert refused(wrong, VOICE) is Code.BODY_AMBIGUOUS


def test_a_structured_member_without_a_subject_belongs_to_whom_its_path_names() -> None:
    by_path = MemberSpec("{account}/*.json", Format.JSON, "$[*]", attribution=Attribution.PATH)
    data = zipped({"me/a.json": b"[1,2,3]", "foreign/a.json": b"[1]"})
    assert counted(data, spec(by_path)) == {("me",): 3, ("foreign",): 1}
    assert refused(zipped({"me/a.json": b"[1,2"}), spec(by_path)) is Code.BODY_MALFORMED


def test_the_records_inside_are_read_as_strictly_as_a_body() -> None:
    for rows in (b'owner\n"me', b"owner,owner\nme,foreign\n", b"owner,x\nme\n", b"\xff\xfe\0"):
        data = zipped({"t.csv": rows, "u.csv": b"owner\nme\n"}, DEFLATED)
        assert refused(data, VOICE) in (Code.BODY_MALFORMED, Code.BODY_AMBIGUOUS)
    double = b'{"owner":"me","owner":"foreign"}\n'
    assert refused(zipped({"l.ndjson": double}), VOICE) is Code.BODY_AMBIGUOUS


def test_an_empty_directory_is_one_unattributed_record() -> None:
    data = archive(
        M("me/"), M("me/1.jpg", b"JPEG"), M("about someone/"), M("a/"), M("a/b/"), M("x/y/1", b"")
    )
    assert counted(data, VOICE) == {("me",): 1, (): 4}
    assert inspected(data, VOICE).members == 2


def test_an_archive_of_nothing_has_no_records() -> None:
    assert counted(archive(), VOICE) == {}


@pytest.mark.parametrize(
    "data",
    [
        zipped({"manifest.json": b"{}"}),
        b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
        b"7z\xbc\xaf\x27\x1c",
        b"PAR1",
        b"SQLite format 3\0",
        b"%PDF-1.7",
    ],
)
def test_whatever_an_opaque_member_is_its_manifest_vouches_for_it(data: bytes) -> None:
    """A84, A87: unless a manifest does, it is unattributed."""
    files = {"recordings/1.wav": data}
    vouched = {"manifest.json": manifest({"recordings/1.wav": "me"})} | files
    assert counted(zipped(vouched), VOICE) == {("me",): 2}
    assert counted(zipped(files), VOICE) == {(): 1}


def test_an_archive_inside_an_archive_needs_a_place_to_lie() -> None:
    """See test_archive.py for those that have one."""
    inner = spec(MemberSpec("*.zip", Format.ZIP))
    with pytest.raises(Unavailable):
        inspected(zipped({"a.zip": zipped({})}), inner)


def test_an_archive_under_a_content_coding_is_refused() -> None:
    coded = Body(InMemory(zipped({})), ("gzip",), LIMITS)
    with pytest.raises(BadUpstream) as caught:
        archives.inspect(coded, VOICE, LIMITS, Tally(LIMITS))
    assert caught.value.code is Code.CODING_UNSUPPORTED


def test_subjects_over_their_limit_are_refused() -> None:
    data = zipped({f"{number}/1.jpg": b"" for number in range(20)})
    assert refused(data, VOICE, Limits(subjects=19)) is Code.BODY_TOO_COMPLEX
    assert len(inspected(data, VOICE, Limits(subjects=20)).groups) == 20
    assert refused(data, VOICE, Limits(members=19)) is Code.BODY_TOO_COMPLEX


# --- hostile archives --------------------------------------------------------------------------

YAUZL = {
    "NtfsTimestamp.zip": None,
    "big-compression.zip": None,
    "big-uncompressed.zip": None,
    "bogus-compression-method.zip": Code.MEMBER_UNSUPPORTED,
    "cygwin-info-zip.zip": None,
    "deflate.zip": None,
    "directories.zip": None,
    "empty.zip": None,
    "everything.zip": None,
    "linux-info-zip.zip": None,
    "sloppy-filenames.zip": Code.BODY_AMBIGUOUS,  # a backslash in a name
    "streaming.zip": None,
    "traditional-encryption-and-compression.zip": Code.MEMBER_UNSUPPORTED,
    "traditional-encryption-and-compression_deprecated.zip": Code.MEMBER_UNSUPPORTED,
    "traditional-encryption.zip": Code.MEMBER_UNSUPPORTED,
    "traditional-encryption_deprecated.zip": Code.MEMBER_UNSUPPORTED,
    "unicode-path-extra-field.zip": Code.BODY_AMBIGUOUS,  # two names
    "unicode.zip": None,
    "unix-epoch.zip": None,
    "windows-7-zip.zip": None,
    "windows-compressed-folder.zip": None,
    "zip64.zip": None,
}
"""yauzl's valid archives: the verdict on each."""


@pytest.mark.corpus
def test_every_archive_that_yauzl_refuses_is_refused(corpus: Path) -> None:
    """A73."""
    folder = corpus / "hostile" / "yauzl-zip"
    paths = [*(folder / "failure").iterdir(), *(folder / "wrong-entry-sizes").iterdir()]
    assert len(paths) == 25
    for path in paths:
        refused(path.read_bytes(), VOICE)


@pytest.mark.corpus
@pytest.mark.parametrize("name", YAUZL)
def test_an_archive_that_yauzl_reads_has_a_known_verdict(name: str, corpus: Path) -> None:
    """A73."""
    data = (corpus / "hostile" / "yauzl-zip" / "success" / name).read_bytes()
    if (code := YAUZL[name]) is not None:
        assert refused(data, VOICE) is code
        return
    tally = inspected(data, VOICE)
    assert sum(group.records for group in tally.groups) >= tally.members
    names = set(unzipped(data))
    kept = redacted(data, VOICE, permitting(unattributed=True))
    assert set(unzipped(kept)) == names
    assert unzipped(redacted(data, VOICE, permitting())) == {}


@pytest.mark.corpus
def test_the_verdict_on_every_archive_of_yauzl_is_listed(corpus: Path) -> None:
    folder = corpus / "hostile" / "yauzl-zip" / "success"
    assert {path.name for path in folder.iterdir()} == set(YAUZL)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_no_owner(at: int, bit: int) -> None:
    honest = archive(
        M("manifest.json", manifest({"recordings/1.wav": "me"}), DEFLATED),
        M("recordings/1.wav", b"RIFF" * 20, descriptor="32m"),
        M("me/1.jpg", b"JPEG" * 9, DEFLATED),
        M("t.csv", b"owner,text\nme,hello\n"),
    )
    data = bytearray(honest)
    data[at % len(data)] ^= 1 << bit
    try:
        found = counted(bytes(data), VOICE)
    except Refusal:
        return
    assert found == counted(honest, VOICE)


# --- real exports ------------------------------------------------------------------------------

TAKEOUT = spec(
    MemberSpec(
        "Takeout/Google Chat/Groups/*/messages.json",
        Format.JSON,
        records="$.messages[*]",
        subject=({"email": ("$.creator.email",)},),
        category="chat",
    ),
    MemberSpec(
        "Takeout/Google Chat/Groups/*/group_info.json",
        Format.JSON,
        records="$.members[*]",
        subject=({"email": ("$.email",)},),
        category="membership",
    ),
    MemberSpec("Takeout/Voice/**", category="voice"),
)
OWNER = SubjectRef("email", "mssc@science.example.org")


@pytest.fixture
def takeout(corpus: Path) -> bytes:
    return (corpus / "exports" / "google-takeout-voice" / "takeout.zip").read_bytes()


@pytest.mark.corpus
def test_a_real_takeout_has_its_expected_owners(takeout: bytes) -> None:
    tally = inspected(takeout, TAKEOUT)
    assert tally.members == 62
    chats = {g.owners[0].value: g.records for g in tally.groups if g.category == "chat"}
    assert chats[OWNER.value] == 40
    assert len(chats) == 5
    assert sum(g.records for g in tally.groups if g.category == "voice") == 35


@pytest.mark.corpus
def test_a_real_takeout_is_cut_down_to_its_owner(takeout: bytes) -> None:
    new = unzipped(redacted(takeout, TAKEOUT, permitting(OWNER)))
    assert all(name.endswith(("/", ".json")) for name in new)
    assert "Takeout/Voice/" not in new
    messages = [
        message
        for name, data in new.items()
        if name.endswith("messages.json")
        for message in json.loads(data)["messages"]
    ]
    assert len(messages) == 40
    assert {message["creator"]["email"] for message in messages} == {OWNER.value}
    original = unzipped(takeout)
    for name, data in new.items():
        assert json.loads(data or b"0") is not None
        if name.endswith("DM 2k64eoAAAAE/messages.json"):
            assert len(data) < len(original[name])


# --- the incident of 2018 ----------------------------------------------------------------------


def recording(seed: int) -> bytes:
    """A twentieth of a second of speech, more or less."""
    noise, target = random.Random(seed), io.BytesIO()
    with wave.open(target, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        samples = (int(9000 * math.sin(i / 7)) + noise.randrange(-99, 99) for i in range(400))
        sound.writeframes(struct.pack("<400h", *samples))
    return target.getvalue()


INCIDENT = spec(
    MANIFEST,
    WAVS,
    TABLE,
    MemberSpec("customers/{account}/*", attribution=Attribution.PATH, category="document"),
)


@pytest.fixture(scope="module")
def incident() -> dict[str, bytes]:
    """His own 50 files, and 1,700 recordings of a stranger with their transcripts."""
    files = {f"customers/me/order-{n}.html": b"<p>order %d</p>" % n * 20 for n in range(50)}
    wavs = {f"recordings/{n:04}.wav": recording(n) for n in range(1700)}
    rows = [b"owner,text", *(b"foreign,canary-%d" % n for n in range(1700)), b"me,mine", b""]
    listed = {"manifest.json": manifest(dict.fromkeys(wavs, "foreign"))}
    return files | listed | wavs | {"transcripts.csv": b"\r\n".join(rows)}


def test_the_strangers_recordings_are_seen(incident: dict[str, bytes]) -> None:
    tally = inspected(zipped(incident), INCIDENT)
    assert set(tally.groups) == {
        Group((ME,), Attribution.PATH, "document", 50),
        Group((FOREIGN,), Attribution.MANIFEST, "voice", 1700),
        Group((FOREIGN,), Attribution.DIRECT, "", 3400),
        Group((ME,), Attribution.DIRECT, "", 1),
    }


@pytest.mark.parametrize("method", [STORED, DEFLATED])
@pytest.mark.parametrize("streamed", [False, True])
def test_the_strangers_recordings_stay_behind(
    incident: dict[str, bytes], method: int, streamed: bool
) -> None:
    new = redacted(zipped(incident, method, streamed=streamed), INCIDENT, permitting(ME))
    kept = unzipped(new)
    assert {name: data for name, data in kept.items() if name.startswith("customers/")} == {
        name: data for name, data in incident.items() if name.startswith("customers/")
    }
    assert kept["transcripts.csv"] == b"owner,text\r\nme,mine\r\n"
    assert set(kept) == {name for name in incident if name.startswith("customers/")} | {
        "transcripts.csv"
    }
    assert b"foreign" not in new
    assert b"recordings" not in new


def test_all_of_it_is_released_to_whom_may_have_both(incident: dict[str, bytes]) -> None:
    data = zipped(incident)
    assert unzipped(redacted(data, INCIDENT, permitting(ME, FOREIGN))) == incident


# --- what stays --------------------------------------------------------------------------------

MIXED = {
    "manifest.json": manifest({"recordings/1.wav": "me", "recordings/2.wav": "foreign"}),
    "recordings/1.wav": b"RIFF own " * 30,
    "recordings/2.wav": b"RIFF canary " * 30,
    "t.csv": b"owner,text\nme,hello\nforeign,canary\nme,again\n",
    "own.csv": b"owner,text\nme,only mine\n",
    "l.ndjson": b'{"owner":"me","n":1}\n{"owner":"foreign","n":2}\n',
    "me/1.jpg": b"JPEG own" * 20,
    "foreign/1.jpg": b"JPEG canary" * 20,
    "else.bin": b"whose?",
}


def test_records_and_members_of_others_are_dropped() -> None:
    new = redacted(zipped(MIXED, DEFLATED), VOICE, permitting(ME))
    assert unzipped(new) == {
        "manifest.json": json.dumps(
            {"recordings": [{"file": "recordings/1.wav", "owner": "me"}]}, indent=1
        ).encode(),
        "recordings/1.wav": MIXED["recordings/1.wav"],
        "t.csv": b"owner,text\nme,hello\nme,again\n",
        "own.csv": MIXED["own.csv"],
        "l.ndjson": b'{"owner":"me","n":1}\n',
        "me/1.jpg": MIXED["me/1.jpg"],
    }


def test_kept_members_are_copied_compressed_as_they_are() -> None:
    """Never recompressed: another encoder's bytes survive."""
    odd = deflate(MIXED["me/1.jpg"], level=1)
    members = [M(n, d, DEFLATED, descriptor="32m") for n, d in MIXED.items() if n != "me/1.jpg"]
    members.append(M("me/1.jpg", MIXED["me/1.jpg"], DEFLATED, raw=odd))
    new = redacted(archive(*members), VOICE, permitting(ME))
    assert odd in new
    assert deflate(MIXED["own.csv"]) in new
    assert deflate(MIXED["recordings/1.wav"]) in new
    assert deflate(MIXED["t.csv"]) not in new


def test_order_time_and_method_stay() -> None:
    early = {"time": 0x1234, "date": 0x5678}
    data = archive(
        M("z.csv", b"owner\nme\nforeign\n", DEFLATED, local=early, central=early),
        M("foreign/1.jpg", b"canary"),
        M("me/2.jpg", b"own", STORED),
        M("a.csv", b"owner\nme\nforeign\n", STORED),
    )
    new = redacted(data, VOICE, permitting(ME))
    assert list(unzipped(new)) == ["z.csv", "me/2.jpg", "a.csv"]
    assert new.count(struct.pack("<4H", 0, DEFLATED, 0x1234, 0x5678)) == 2
    assert new.count(struct.pack("<2H", 0, STORED) + struct.pack("<2H", 0x6000, 0x4D80)) == 4


def test_nothing_of_the_container_stays() -> None:
    """A88."""
    extra = tlv(0x5455, b"\x01SECR")
    data = archive(
        M("me/1.jpg", b"own", local_extra=extra, central_extra=extra, descriptor="32m"),
        M("foreign/1.jpg", b"canary"),
        M("me/2.jpg", b"own", central={"internal": 0x4343, "made_by": 0x1742}),
        zip64={},
    )
    new = redacted(data, VOICE, permitting(ME))
    for rest in (b"SECR", b"PK\x07\x08", b"PK\x06\x06", b"CC", b"\x42\x17", b"canary", b"foreign"):
        assert rest not in new


def test_a_directory_stays_with_what_is_in_it() -> None:
    data = archive(
        M("me/"), M("me/1.jpg", b"own"), M("foreign/"), M("foreign/1.jpg", b"canary"),
        M("empty/"), M("me/nothing/"),
    )  # fmt: skip
    assert list(unzipped(redacted(data, VOICE, permitting(ME)))) == ["me/", "me/1.jpg"]
    both = redacted(data, VOICE, permitting(ME, unattributed=True))
    assert list(unzipped(both)) == ["me/", "me/1.jpg", "empty/", "me/nothing/"]


def test_totals_inside_a_member_count_what_remains() -> None:
    totals = MemberSpec(
        "*.json",
        Format.JSON,
        records="$.items[*]",
        subject=({"account": ("$.owner",)},),
        totals=("$.count",),
    )
    one = b'{"count": 3, "items": [{"owner":"me"}, {"owner":"foreign"}, {"owner":"foreign"}]}'
    two = b'{"count": 2, "items": [{"owner":"me"}, {"owner":"foreign"}]}'
    new = unzipped(redacted(zipped({"1.json": one, "2.json": two}), spec(totals), permitting(ME)))
    assert {name: json.loads(data) for name, data in new.items()} == {
        "1.json": {"count": 1, "items": [{"owner": "me"}]},
        "2.json": {"count": 1, "items": [{"owner": "me"}]},
    }


def test_a_notice_tells_that_something_was_left_out() -> None:
    told = replace(VOICE, removed_notice="REMOVED.txt")
    new = redacted(zipped(MIXED, DEFLATED), told, permitting(ME))
    assert unzipped(new)["REMOVED.txt"] == notice.text(6, 3)
    assert "REMOVED.txt" not in unzipped(redacted(zipped({"me/1.jpg": b"1"}), told, permitting(ME)))
    taken = zipped({"REMOVED.txt": b"canary", "me/1.jpg": b"1"})
    assert refused(taken, told) is Code.BODY_AMBIGUOUS


SAYING = MemberSpec("*.pdf", subject=({"account": ("pdf:Subject",)},), category="letter")


def test_a_file_in_an_archive_may_say_whose_it_is() -> None:
    mine, foreign, nobody = (pdf(b"/Subject (me)"), pdf(b"/Subject (foreign)"), pdf(b""))
    data = zipped({"1.pdf": mine, "2.pdf": foreign, "3.pdf": nobody}, DEFLATED)
    assert counted(data, spec(SAYING)) == {("me",): 1, ("foreign",): 1, (): 1}
    new = redacted(data, spec(SAYING), permitting(ME, mask=("$.phone",)))
    assert unzipped(new) == {"1.pdf": mine}
    cut = zipped({"1.pdf": mine[:-9]})
    assert refused(cut, spec(SAYING)) is Code.BODY_MALFORMED


def test_what_a_file_says_and_its_name_must_agree() -> None:
    by_name = replace(SAYING, match="{account}.pdf", attribution=Attribution.PATH)
    mine = pdf(b"/Subject (me)")
    assert counted(zipped({"me.pdf": mine}), spec(by_name)) == {("me",): 1}
    assert refused(zipped({"foreign.pdf": mine}), spec(by_name)) is Code.BODY_AMBIGUOUS


def test_masks_reach_into_members() -> None:
    files = {"t.csv": b"owner,phone\nme,555\n", "l.ndjson": b'{"owner":"me","phone":"555"}\n'}
    decision = permitting(ME, mask=("$.phone",))
    new = unzipped(redacted(zipped(files | {"me/1.jpg": b"555"}, DEFLATED), VOICE, decision))
    assert new == {
        "t.csv": b"owner,phone\nme,\n",
        "l.ndjson": b'{"owner":"me","phone":null}\n',
        "me/1.jpg": b"555",
    }


def test_masks_reach_into_members_that_belong_to_their_path() -> None:
    by_path = MemberSpec("{account}/*.json", Format.JSON, "$[*]", attribution=Attribution.PATH)
    data = zipped({"me/a.json": b'[{"phone":1}]', "foreign/a.json": b'[{"phone":2}]'})
    new = unzipped(redacted(data, spec(by_path), permitting(ME, mask=("$.phone",))))
    assert new == {"me/a.json": b'[{"phone":null}]'}


def test_owners_that_only_the_container_knows_decide_too() -> None:
    """The record names a mail address, its path an account: both must be permitted."""
    mail = SubjectRef("email", "me@example.org")
    by_both = MemberSpec("{account}/*.ndjson", Format.NDJSON, subject=({"email": ("$.mail",)},))
    line = b'{"mail":"me@example.org"}\n'
    data = zipped({"me/a.ndjson": line + b"{}\n", "foreign/a.ndjson": line + b"{}\n"})
    kept = redacted(data, spec(by_both), permitting(ME, mail))
    assert unzipped(kept) == {"me/a.ndjson": line}
    loose = redacted(data, spec(by_both), permitting(ME, mail, unattributed=True))
    assert unzipped(loose) == {"me/a.ndjson": line + b"{}\n", "foreign/a.ndjson": b"{}\n"}


def test_a_member_without_records_stays_only_with_a_known_owner() -> None:
    empty = b'{"recordings": []}'
    by_path = MemberSpec("{account}/*.csv", Format.CSV, subject=({"account": ("owner",)},))
    data = zipped({"manifest.json": empty, "me/t.csv": b"owner\n", "foreign/t.csv": b"owner\n"})
    both = spec(MANIFEST, by_path)
    assert counted(data, both) == {("me",): 1, ("foreign",): 1}
    assert set(unzipped(redacted(data, both, permitting(ME)))) == {"me/t.csv"}
    masked = redacted(data, both, permitting(ME, mask=("$.owner",)))
    assert unzipped(masked) == {"me/t.csv": b"owner\n"}


def test_a_member_without_records_is_one_record_of_whom_a_manifest_names() -> None:
    listed = MemberSpec("tables/*.ndjson", Format.NDJSON, attribution=Attribution.MANIFEST)
    names = {"tables/1.ndjson": "me", "tables/2.ndjson": "foreign"}
    data = zipped({"manifest.json": manifest(names), **dict.fromkeys(names, b"")})
    both = spec(MANIFEST, listed)
    assert counted(data, both) == {("me",): 2, ("foreign",): 2}
    new = unzipped(redacted(data, both, permitting(ME)))
    assert list(new) == ["manifest.json", "tables/1.ndjson"]


def test_a_category_that_is_withheld_takes_its_manifest_along() -> None:
    listed = MemberSpec(
        match="manifest.json",
        format=Format.JSON,
        records="$.recordings[*]",
        subject=({"account": ("$.owner",)},),
        vouches_for="$.file",
        category="voice",
    )
    files = {
        "manifest.json": manifest({"recordings/1.wav": "me"}),
        "recordings/1.wav": b"RIFF",
        "own.csv": b"owner\nme\n",
    }
    same = spec(listed, WAVS, TABLE)
    new = redacted(zipped(files), same, permitting(ME, withhold={"voice"}))
    assert set(unzipped(new)) == {"own.csv"}
    with pytest.raises(BadUpstream) as caught:
        redacted(zipped(files), VOICE, permitting(ME, withhold={"voice"}))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("permitted", [(ME,), (ME, FOREIGN)], ids=["own", "all"])
def test_other_readers_accept_a_rewritten_archive(
    reader: str, permitted: tuple[SubjectRef, ...], tmp_path: Path
) -> None:
    command = tool(READERS[reader])
    path = tmp_path / "new.zip"
    path.write_bytes(redacted(zipped(MIXED, DEFLATED), VOICE, permitting(*permitted)))
    done = subprocess.run([*command, str(path)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- whatever comes ----------------------------------------------------------------------------

OWNERS = ("me", "friend", "foreign-canary-1", "foreign-canary-2")
PERMITTED = tuple(SubjectRef("account", owner) for owner in OWNERS[:2])


@st.composite
def exports(draw: st.DrawFn) -> tuple[bytes, dict[str, bytes]]:
    """An archive of random members, and what must be left of it for the first two owners."""
    members: list[M] = []
    expected: dict[str, bytes] = {}
    listed: dict[str, str] = {}

    def add(name: str, data: bytes) -> None:
        members.append(
            M(
                name,
                data,
                draw(st.sampled_from([STORED, DEFLATED])),
                descriptor=draw(st.sampled_from(["", "32", "32m", "64m"])),
                local_extra=draw(st.sampled_from([b"", tlv(0x5455, b"\1time")])),
            )
        )

    for number in range(draw(st.integers(0, 8))):
        owner = draw(st.sampled_from(OWNERS))
        own = owner in OWNERS[:2]
        filling = draw(st.binary(max_size=40)) * draw(st.integers(1, 20))
        match draw(st.sampled_from(["voice", "photo", "table", "orphan", "folder"])):
            case "voice":
                name, data = f"recordings/{owner}-{number}.wav", owner.encode() + filling
                listed[name] = owner
                add(name, data)
                expected |= {name: data} if own else {}
            case "photo":
                name, data = f"{owner}/{number}.jpg", owner.encode() + filling
                add(name, data)
                expected |= {name: data} if own else {}
            case "table":
                owners = draw(st.lists(st.sampled_from(OWNERS), min_size=1, max_size=5))
                rows = [f"{each},text of {each}" for each in owners]
                kept = [row for row, each in zip(rows, owners, strict=True) if each in OWNERS[:2]]
                add(f"{number}.csv", "\n".join(["owner,text", *rows, ""]).encode())
                if kept:
                    expected[f"{number}.csv"] = "\n".join(["owner,text", *kept, ""]).encode()
            case "orphan":
                add(f"foreign-canary-orphan-{number}", b"foreign-canary" + filling)
            case "folder":
                add(f"foreign-canary-folder-{number}/", b"")
    if listed:
        add("manifest.json", manifest(listed))
        kept_files = {name: owner for name, owner in listed.items() if name in expected}
        if kept_files:
            expected["manifest.json"] = manifest(kept_files)
    order = draw(st.permutations(members))
    return archive(*order, zip64=draw(st.sampled_from([None, {}]))), expected


@settings(max_examples=150, deadline=None)
@given(exports())
def test_nothing_of_anyone_else_is_left_and_nothing_else_is_lost(
    export: tuple[bytes, dict[str, bytes]],
) -> None:
    data, expected = export
    new = redacted(data, VOICE, permitting(*PERMITTED))
    left = unzipped(new)
    assert {name: data for name, data in left.items() if name != "manifest.json"} == {
        name: data for name, data in expected.items() if name != "manifest.json"
    }
    assert json.loads(left.get("manifest.json", b"0")) == json.loads(
        expected.get("manifest.json", b"0")
    )
    assert b"foreign-canary" not in new
    assert not any(b"foreign-canary" in contents for contents in left.values())


# --- large members are proven by two threads -----------------------------------------------------


@pytest.mark.parametrize("broken", [(), (1,), (4,), (8,), (2, 7), (8, 3, 1)])
@pytest.mark.parametrize("much", [1, 2**60], ids=["two threads", "one"])
def test_members_that_inflate_are_read_to_the_end_by_as_many_threads(
    broken: tuple[int, ...], much: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_MUCH", much)
    members = [
        M(
            f"me/{number}.bin",
            bytes(random.choices(b"quiet", k=30_000)),
            DEFLATED,
            local=wrong,
            central=wrong,
        )
        for number in range(1, 9)
        for wrong in [{"crc": 7} if number in broken else {}]
    ]
    lines = M("lines.ndjson", b'{"owner":"me"}\n' * 100)
    data = archive(*members[:5], lines, *members[5:])
    spec = BodySpec(
        Format.ZIP,
        members=(
            MemberSpec("{account}/*.bin", attribution=Attribution.PATH),
            MemberSpec("*.ndjson", Format.NDJSON, subject=({"account": ("$.owner",)},)),
        ),
    )
    if not broken:
        tally = inspected(data, spec)
        assert (tally.members, tally.records) == (9, 108)
        assert [each.owners for each in tally.groups] == [(ME,), (ME,)]
        return
    with pytest.raises(BadUpstream) as caught:
        inspected(data, spec)
    assert caught.value.code is Code.BODY_MALFORMED
    first = min(broken)
    assert f"member {first + (first > 5)}: its CRC" in caught.value.note
