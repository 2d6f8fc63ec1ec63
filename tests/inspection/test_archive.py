"""What all archives share: which specification reads a member, and whose it is."""

import gzip
import json
import tracemalloc
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from msgspec import structs

from gateway.errors import BadUpstream, Code
from gateway.inspection import notice, work
from gateway.inspection.archive import Around, count, folders_of, open_archive
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import BodySpec, EmbeddedSpec, InnerMemberSpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory, Source
from gateway.inspection.tally import Tally
from gateway.model import Attribution, Decision, Effect, Format, Group, Inspection, SubjectRef
from gateway.response import Payload
from tests.support.containers import Shelf
from tests.support.scratches import scratch
from tests.support.tars import tarred, untarred
from tests.support.zips import DEFLATED, unzipped, zipped

LIMITS = Limits()
ME = SubjectRef("account", "me")
LINES = MemberSpec("*.ndjson", Format.NDJSON, subject=({"account": ("$.owner",)},))
PHOTOS = MemberSpec("{account}/*.jpg", attribution=Attribution.PATH, category="photo")
MANIFEST = MemberSpec(
    "manifest.ndjson",
    Format.NDJSON,
    subject=({"account": ("$.owner",)},),
    vouches_for="$.file",
)
VOICE = MemberSpec("*.wav", attribution=Attribution.MANIFEST)
SPEC = BodySpec(Format.ZIP, members=(MANIFEST, VOICE, LINES, PHOTOS))


def tallied(files: dict[str, bytes], limits: Limits = LIMITS) -> Tally:
    tally = Tally(limits)
    counted = [entry.name for entry in count(open_archive(Shelf(files), SPEC, limits), tally)]
    assert counted == list(files)
    return tally


def owned(files: dict[str, bytes]) -> dict[tuple[str, ...], list[tuple[Attribution, int]]]:
    found: dict[tuple[str, ...], list[tuple[Attribution, int]]] = {}
    for group in tallied(files).groups:
        owners = tuple(str(owner.value) for owner in group.owners)
        found.setdefault(owners, []).append((group.attribution, group.records))
    return found


def test_an_owner_comes_from_content_path_or_manifest() -> None:
    files = {
        "a.ndjson": b'{"owner":"me"}\n{"x":1}\n',
        "me/1.jpg": b"JPEG",
        "1.wav": b"RIFF",
        "manifest.ndjson": b'{"owner":"me","file":"1.wav"}\n',
        "else": b"?",
        "empty/": b"",
    }
    assert owned(files) == {
        ("me",): [(Attribution.DIRECT, 2), (Attribution.PATH, 1), (Attribution.MANIFEST, 1)],
        (): [(Attribution.NONE, 3)],
    }
    assert tallied(files).members == 5


def test_a_manifest_that_names_what_is_not_there_is_refused() -> None:
    with pytest.raises(BadUpstream) as caught:
        tallied({"manifest.ndjson": b'{"owner":"me","file":"1.wav"}\n'})
    assert caught.value.code is Code.MANIFEST_MISMATCH


@pytest.mark.parametrize("name", ["1.bin", "me/1.jpg"])
def test_a_member_that_does_not_come_to_its_end_is_refused(name: str) -> None:
    tallied({name: b"whole"})
    with pytest.raises(BadUpstream) as caught:
        tallied({name: b"BROKEN"})
    assert caught.value.code is Code.BODY_MALFORMED


def test_more_members_than_the_limit_are_refused() -> None:
    files = {f"{number}.bin": b"" for number in range(3)}
    assert tallied(files, Limits(members=3)).members == 3
    with pytest.raises(BadUpstream):
        tallied(files, Limits(members=2))


def test_every_folder_above_a_file_holds_it() -> None:
    shelf = Shelf({"a/": b"", "a/b/": b"", "a/b/c": b"", "a/bc/": b"", "a/d": b"", "e": b""})
    assert folders_of(shelf.entries) == {"a/", "a/b/"}


# --- owners of the whole, and what manifests state ----------------------------------------------

HOLDER = MemberSpec(
    "account.json", Format.JSON, subject=({"account": ("$.id",)},), owns_archive=True
)
ALONE = Around()
HELD = MemberSpec("*.jpg", attribution=Attribution.CONTAINER, category="photo")


def held(files: dict[str, bytes], around: Around = ALONE) -> list[Group]:
    spec, tally = BodySpec(Format.ZIP, members=(HOLDER, HELD)), Tally(LIMITS)
    list(count(open_archive(Shelf(files), spec, LIMITS, around), tally))
    return list(tally.groups)


def test_a_member_may_name_the_owner_of_the_whole_archive() -> None:
    files = {"1.jpg": b"J", "account.json": b'{"id":"me"}', "else": b"?"}
    assert held(files) == [
        Group((ME,), Attribution.CONTAINER, "photo", 1),
        Group((ME,), Attribution.DIRECT, "", 1),
        Group((), Attribution.NONE, "", 1),
    ]
    nobody = {"1.jpg": b"J", "account.json": b"{}"}
    assert [group.owners for group in held(nobody)] == [(), ()]
    assert held({"1.jpg": b"J"}) == [Group((), Attribution.NONE, "photo", 1)]


def test_a_header_names_the_same_owner_or_the_archive_is_ambiguous() -> None:
    files = {"1.jpg": b"J"}
    assert held(files, Around(owners=(ME,)))[0].owners == (ME,)
    files["account.json"] = b'{"id":"me"}'
    assert held(files, Around(owners=(ME,)))[0].owners == (ME,)
    with pytest.raises(BadUpstream) as caught:
        held(files, Around(owners=(SubjectRef("account", "other"),)))
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_what_is_inside_a_member_inherits_where_the_member_does() -> None:
    """And a structured member without records is one of whom the archive belongs to."""
    rows = MemberSpec("*.ndjson", Format.NDJSON, attribution=Attribution.CONTAINER)
    own = replace(rows, match="own*", subject=LINES.subject)
    spec, around = BodySpec(Format.ZIP, members=(own, rows)), Around(owners=(ME,))
    files = {"a.ndjson": b"1\n2\n", "b.ndjson": b"", "own.ndjson": b'{"owner":"me"}\n{}\n'}
    tally = Tally(LIMITS)
    list(count(open_archive(Shelf(files), spec, LIMITS, around), tally))
    assert tally.groups == (
        Group((ME,), Attribution.CONTAINER, "", 3),
        Group((ME,), Attribution.DIRECT, "", 1),
        Group((), Attribution.NONE, "", 1),
    )
    other = Shelf({"own.ndjson": b'{"owner":"other"}\n'})
    with pytest.raises(BadUpstream) as caught:
        list(count(open_archive(other, spec, LIMITS, around), Tally(LIMITS)))
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_two_members_that_name_the_owner_of_the_whole_are_ambiguous() -> None:
    both = replace(HOLDER, match="*.json")
    spec = BodySpec(Format.ZIP, members=(both,))
    shelf = Shelf({"a.json": b'{"id":"me"}', "b.json": b'{"id":"me"}'})
    with pytest.raises(BadUpstream):
        open_archive(shelf, spec, LIMITS)


def test_a_member_is_what_its_manifest_states_of_it() -> None:
    stating = replace(MANIFEST, sizes="$.bytes")
    spec = BodySpec(Format.ZIP, members=(stating, VOICE))
    for size, fits in ((4, True), (5, False)):
        listed = b'{"owner":"me","file":"1.wav","bytes":%d}\n' % size
        archive = open_archive(Shelf({"1.wav": b"RIFF", "manifest.ndjson": listed}), spec, LIMITS)
        if fits:
            assert len(list(count(archive, Tally(LIMITS)))) == 2
            continue
        with pytest.raises(BadUpstream) as caught:
            list(count(archive, Tally(LIMITS)))
        assert caught.value.code is Code.MANIFEST_MISMATCH


def test_a_notice_counts_for_nothing_and_never_leaves_as_it_came() -> None:
    files, tally = {"REMOVED.txt": notice.text(3, 1), "me/1.jpg": b"J"}, Tally(LIMITS)
    around = Around(notice="REMOVED.txt")
    list(count(open_archive(Shelf(files), SPEC, LIMITS, around), tally))
    assert [group.records for group in tally.groups] == [1] and not tally.sealed
    assert tallied(files).sealed  # an unknown member, where no notice is configured


# --- archives and compressed files inside an archive --------------------------------------------

ROWS = InnerMemberSpec("*.ndjson", Format.NDJSON, subject=({"account": ("$.owner",)},))
OWN = InnerMemberSpec("{account}/*.jpg", attribution=Attribution.PATH)
WHOLE = InnerMemberSpec("*.txt", attribution=Attribution.CONTAINER)
INSIDE = (ROWS, OWN, WHOLE)
NESTED = BodySpec(
    Format.ZIP,
    members=(
        MemberSpec("x/{account}.zip", Format.ZIP, members=INSIDE),
        MemberSpec("*.zip", Format.ZIP, members=INSIDE),
        MemberSpec("*.tar.gz", Format.TAR, members=INSIDE, compression="gzip"),
        MemberSpec("*.ndjson.gz", Format.NDJSON, subject=ROWS.subject, compression="gzip"),
    ),
)
TASK = work.Task(Payload("application/zip"), NESTED, LIMITS)
BOTH = b'{"owner":"me"}\n{"owner":"other"}\n'


def inspected(data: bytes, task: work.Task = TASK, room: int = 64 << 20) -> Inspection:
    with scratch(room) as file:
        return work.inspect(InMemory(data), task, file)


def redacted(data: bytes, **changes: Any) -> bytes:
    decision = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "1")
    decision, sink = structs.replace(decision, **changes), MemorySink()
    with scratch() as file:
        found = work.inspect(InMemory(data), TASK, file)
        counts = work.rewrite(InMemory(data), TASK, found, decision, sink, file)
        work.confirm(InMemory(sink.getvalue()), TASK, found, decision, counts, file)
    return sink.getvalue()


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


DEEP = zipped(
    {
        "a.zip": zipped({"r.ndjson": BOTH, "me/1.jpg": b"J", "other/1.jpg": b"c", "e": b"?"}),
        "b.tar.gz": packed(tarred({"r.ndjson": BOTH, "other/1.jpg": b"canary"})),
        "c.ndjson.gz": packed(BOTH),
        "d.ndjson.gz": packed(BOTH.splitlines(keepends=True)[0]),
        "z.zip": zipped({"other/1.jpg": b"canary"}),
    },
    DEFLATED,
)


def test_what_is_inside_is_counted_wherever_it_is() -> None:
    """A84: archives two deep, and compressed files."""
    found = inspected(DEEP)
    assert found.bytes_inspected == len(DEEP) and found.sealed
    owners = {group.owners: group.records for group in found.groups if not group.owners}
    assert owners == {(): 1}
    assert sum(g.records for g in found.groups if g.owners == (ME,)) == 5
    assert found.members == 5 + 4 + 2 + 1


def test_records_and_members_of_others_are_dropped_inside() -> None:
    new = unzipped(redacted(DEEP))
    assert list(new) == ["a.zip", "b.tar.gz", "c.ndjson.gz", "d.ndjson.gz"]
    mine = b'{"owner":"me"}\n'
    assert unzipped(new["a.zip"]) == {"r.ndjson": mine, "me/1.jpg": b"J"}
    assert untarred(gzip.decompress(new["b.tar.gz"])) == {"r.ndjson": mine}
    assert gzip.decompress(new["c.ndjson.gz"]) == mine
    assert new["d.ndjson.gz"] == unzipped(DEEP)["d.ndjson.gz"]  # as it is
    assert b"canary" not in b"".join(new.values())


def test_the_owner_of_an_inner_archive_owns_what_says_so() -> None:
    """Attribution `container`: for members that ask for it, and never against their content."""
    inner = zipped({"notes.txt": b"n", "e": b"?", "r.ndjson": b'{"owner":"me"}\n'})
    found = inspected(zipped({"x/me.zip": inner}))
    assert [(g.owners, g.attribution, g.records) for g in found.groups] == [
        ((ME,), Attribution.CONTAINER, 1),
        ((), Attribution.NONE, 1),
        ((ME,), Attribution.DIRECT, 1),
    ]
    assert unzipped(unzipped(redacted(zipped({"x/me.zip": inner})))["x/me.zip"]).keys() == {
        "notes.txt", "r.ndjson",
    }  # fmt: skip
    assert inspected(zipped({"a.zip": zipped({"notes.txt": b"n"})})).groups[0].owners == ()
    with pytest.raises(BadUpstream) as caught:
        inspected(zipped({"x/other.zip": inner}))
    assert caught.value.code is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "inner",
    [
        zipped({"r.ndjson": BOTH})[:-1],
        zipped({"r.ndjson": BOTH}) + b"canary",
        zipped({"r.ndjson": b"{"}),
        b"",
        tarred({"r.ndjson": BOTH}),
    ],
)
def test_an_inner_archive_is_read_as_strictly_as_a_body(inner: bytes) -> None:
    inspected(zipped({"a.zip": zipped({"r.ndjson": BOTH})}))
    with pytest.raises(BadUpstream):
        inspected(zipped({"a.zip": inner}))


def test_what_a_reader_leaves_unread_is_not_forgotten_behind_a_compression() -> None:
    reader = FORMATS[Format.NDJSON]

    def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
        reader.inspect(source, spec, limits, tally)
        tally.sealed = False

    data = zipped({"c.ndjson.gz": packed(BOTH)})
    assert inspected(data).sealed
    with mock.patch.dict(FORMATS, {Format.NDJSON: reader._replace(inspect=inspect)}):
        assert not inspected(data).sealed


def test_bytes_beside_the_content_of_an_inner_file_never_leave() -> None:
    """A file name in a gzip: nobody has read it, so that it is written anew."""
    archive = tarred({"r.ndjson": BOTH})
    for name, content in (("c.ndjson.gz", BOTH), ("b.tar.gz", archive)):
        plain = packed(content)
        named = plain[:3] + b"\x08" + plain[4:10] + b"canary\0" + plain[10:]
        assert gzip.decompress(named) == content
        data = zipped({name: named})
        assert not inspected(data).sealed and inspected(zipped({name: plain})).sealed
        other = SubjectRef("account", "other")
        new = unzipped(redacted(data, permitted=frozenset({ME, other})))
        assert gzip.decompress(new[name]) == content
        assert b"canary" not in new[name]


def test_bombs_in_an_archive_are_refused_together() -> None:
    """A11, A77: each by itself is small enough."""
    task = replace(TASK, limits=Limits(ratio=50, decoded=32 << 20))
    one = packed(b'{"owner":"me"}\n' * 200_000)
    inspected(zipped({"1.ndjson.gz": one}), replace(TASK, limits=Limits(ratio=2000)))
    for bomb in (
        {f"{number}.ndjson.gz": one for number in range(20)},
        {f"{number}.zip": zipped({"x": bytes(4 << 20)}, DEFLATED) for number in range(20)},
        {"a.tar.gz": packed(tarred({"x": bytes(40 << 20)}))},
        {"a.zip": zipped({"x": bytes(40 << 20)}, DEFLATED)},
    ):
        data = zipped(bomb)
        tracemalloc.start()
        with pytest.raises(BadUpstream) as caught:
            inspected(data, task, 32 << 20)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
        tracemalloc.stop()
        assert caught.value.code is Code.BODY_TOO_LARGE


def test_an_inner_archive_that_outgrows_the_scratch_file_is_refused() -> None:
    data = zipped({"a.zip": zipped({"r.ndjson": BOTH})})
    with pytest.raises(BadUpstream) as caught:
        inspected(data, room=50)
    assert caught.value.code is Code.BODY_TOO_LARGE


def test_documents_in_the_texts_of_members_name_owners_too() -> None:
    document = EmbeddedSpec(("$.p",), Format.JSON, subject=ROWS.subject)
    lines = b"".join(
        json.dumps({"p": json.dumps({"owner": owner})}).encode() + b"\n"
        for owner in ("me", "other")
    )
    inner = replace(ROWS, subject=(), embedded=(document,))
    spec = BodySpec(
        Format.ZIP,
        members=(
            MemberSpec("{account}/*.ndjson", Format.NDJSON, embedded=(document,)),
            MemberSpec("*.zip", Format.ZIP, members=(inner,)),
        ),
    )
    task = replace(TASK, spec=spec)
    data = zipped({"a.zip": zipped({"r.ndjson": lines})})
    found = inspected(data, task)
    assert {group.owners: group.records for group in found.groups} == {
        (ME,): 1,
        (SubjectRef("account", "other"),): 1,
    }
    decision = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "")
    sink = MemorySink()
    with scratch() as file:
        counts = work.rewrite(InMemory(data), task, found, decision, sink, file)
        work.confirm(InMemory(sink.getvalue()), task, found, decision, counts, file)
    mine = lines.splitlines(keepends=True)[0]
    assert unzipped(unzipped(sink.getvalue())["a.zip"]) == {"r.ndjson": mine}

    inspected(zipped({"me/r.ndjson": mine}), task)
    with pytest.raises(BadUpstream) as refused:  # its name says otherwise
        inspected(zipped({"other/r.ndjson": mine}), task)
    assert refused.value.code is Code.BODY_AMBIGUOUS
