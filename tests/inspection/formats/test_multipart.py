"""Multipart bodies: whose each part is, and a new body of those that stay."""

import base64
import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import notice, work
from gateway.inspection.formats import multipart as module
from gateway.inspection.settings import BodySpec, InnerMemberSpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.inspection.tally import Tally
from gateway.model import Attribution, Decision, Effect, Format, Inspection, SubjectRef
from gateway.response import Payload
from tests.support.multiparts import BOUNDARY, by_aiohttp, by_email, files, multipart, named, part
from tests.support.reading import Cut, masks
from tests.support.scratches import scratch
from tests.support.tars import tarred, untarred

LIMITS = Limits()
ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
OWNER = ({"account": ("$.owner",)},)
SPEC = BodySpec(
    Format.MULTIPART,
    members=(
        MemberSpec("manifest.json", Format.JSON, "$[*]", OWNER, vouches_for="$.file"),
        MemberSpec("recordings/*.wav", attribution=Attribution.MANIFEST, category="voice"),
        MemberSpec("*.json", Format.JSON, "$[*]", OWNER),
        MemberSpec("*.ndjson", Format.NDJSON, subject=OWNER),
        MemberSpec("*.csv", Format.CSV, subject=({"account": ("owner",)},)),
        MemberSpec("*.eml", Format.EML, subject=({"account": ("X-Customer",)},)),
        MemberSpec("{account}/*.jpg", attribution=Attribution.PATH, category="photo"),
    ),
)
RANGES = BodySpec(
    Format.MULTIPART,
    members=(MemberSpec("*", Format.NDJSON, subject=OWNER),),
    media_type="multipart/byteranges",
)


def task(spec: BodySpec = SPEC) -> work.Task:
    media_type = spec.media_type or "multipart/form-data"
    return work.Task(Payload(media_type, boundary=BOUNDARY), spec, LIMITS)


def inspected(body: bytes, spec: BodySpec = SPEC) -> Inspection:
    return work.inspect(InMemory(body), task(spec))


def owned(body: bytes, spec: BodySpec = SPEC) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for group in inspected(body, spec).groups:
        owners = tuple(str(owner.value) for owner in group.owners)
        found[owners] = found.get(owners, 0) + group.records
    return found


def refused(body: bytes, spec: BodySpec = SPEC) -> Code:
    with pytest.raises(BadUpstream) as caught:
        inspected(body, spec)
    return caught.value.code


def permitting(
    *permitted: SubjectRef, unattributed: bool = False, mask: tuple[str, ...] = ()
) -> Decision:
    return Decision(
        Effect.REDACT, frozenset(permitted), unattributed, frozenset(), masks(*mask), (), "1"
    )


def redacted(body: bytes, decision: Decision, spec: BodySpec = SPEC) -> bytes:
    sink = MemorySink()
    counts = work.rewrite(InMemory(body), task(spec), inspected(body, spec), decision, sink)
    work.confirm(InMemory(sink.getvalue()), task(spec), inspected(body, spec), decision, counts)
    return sink.getvalue()


def unredactable(body: bytes, decision: Decision, spec: BodySpec = SPEC) -> Code:
    with pytest.raises(BadUpstream) as caught:
        redacted(body, decision, spec)
    return caught.value.code


def manifest(owners: dict[str, str]) -> bytes:
    return json.dumps([{"file": name, "owner": owner} for name, owner in owners.items()]).encode()


def records(*owners: str) -> bytes:
    return json.dumps([{"owner": owner} for owner in owners]).encode()


def lines(*owners: str) -> bytes:
    return b"".join(b'{"owner":"%b"}\n' % owner.encode() for owner in owners)


MIXED = {
    "manifest.json": manifest({"recordings/1.wav": "me", "recordings/2.wav": "foreign"}),
    "recordings/1.wav": b"RIFF\r\n--\r\nmine",
    "recordings/2.wav": b"RIFF theirs",
    "a.ndjson": lines("me", "foreign", "me"),
    "t.csv": b"owner,n\r\nme,1\r\n",
    "m.eml": b"X-Customer: foreign\r\n\r\n",
    "me/1.jpg": b"\xff\xd8",
    "rest": b"",
}


# Whose a part is


def test_owners_come_from_content_from_a_manifest_and_from_names() -> None:
    inspection = inspected(files(MIXED))
    assert owned(files(MIXED)) == {("me",): 6, ("foreign",): 4, (): 1}
    assert (inspection.members, inspection.sealed) == (8, True)
    assert inspection.bytes_inspected == inspection.bytes_received == len(files(MIXED))
    by = {group.attribution for group in inspection.groups}
    assert by == {
        Attribution.DIRECT, Attribution.MANIFEST, Attribution.PATH, Attribution.NONE,
    }  # fmt: skip


def test_a_form_names_its_parts_by_their_fields() -> None:
    form = multipart(
        part(records("me"), 'Content-Disposition: form-data; name="data.json"'),
        part(b"x", 'Content-Disposition: form-data; name="f"; filename="foreign/1.jpg"'),
    )
    assert owned(form) == {("me",): 1, ("foreign",): 1}


def test_related_parts_are_named_by_their_ids() -> None:
    body = multipart(
        part(manifest({"recordings/1.wav": "me"}), "Content-ID: <manifest.json>"),
        part(b"RIFF", "Content-ID: <recordings/1.wav>", "Content-Type: audio/wav"),
    )
    assert owned(body) == {("me",): 2}


@pytest.mark.parametrize(
    "owners",
    [
        {"recordings/2.wav": "me"},  # a part that isn't there
        {"recordings/1.wav": "me", "1.wav": "me"},
    ],
)
def test_a_manifest_and_the_parts_must_be_the_same(owners: dict[str, str]) -> None:
    body = files({"manifest.json": manifest(owners), "recordings/1.wav": b"x"})
    assert refused(body) is Code.MANIFEST_MISMATCH


def test_a_foreign_second_part_is_seen() -> None:
    """Catalogue A89."""
    assert owned(files({"a.json": records("me"), "b.json": records("foreign")})) == {
        ("me",): 1, ("foreign",): 1,
    }  # fmt: skip
    assert refused(b"foreign\r\n" + files({"a.json": records("me")})) is Code.FORMAT_MISMATCH
    assert refused(files({"a.json": records("me")}) + b"foreign") is Code.BODY_AMBIGUOUS


# What is declared


def test_the_boundary_is_the_declared_one() -> None:
    """Catalogue A90: a client splits at the declared one, whatever the body says."""
    body = multipart(named("a.json", records("me")), boundary="other")
    assert refused(body) is Code.FORMAT_MISMATCH
    for boundary, charset in ((None, None), ("=_", None), ("=_b ", None), (BOUNDARY, "utf-8")):
        claims = Payload("multipart/mixed", charset, boundary=boundary)
        with pytest.raises(BadUpstream) as caught:
            work.inspect(InMemory(files(MIXED)), work.Task(claims, SPEC, LIMITS))
        assert caught.value.code is Code.FORMAT_MISMATCH


@pytest.mark.parametrize(
    ("name", "content", "field", "code"),
    [
        ("a.json", records("me"), "Content-Type: application/json", None),
        ("a.json", records("me"), "Content-Type: application/json; charset=UTF-8", None),
        ("a.json", records("me"), "Content-Type: text/csv", Code.FORMAT_MISMATCH),
        ("a.json", records("me"), "Content-Type: text/html", Code.FORMAT_MISMATCH),
        ("a.json", records("me"), "Content-Type: text", Code.FORMAT_MISMATCH),
        ("a.json", records("me"), "Content-Type: application/json; charset=utf-16",
         Code.FORMAT_MISMATCH),
        ("t.csv", b"owner\r\nme\r\n", "Content-Type: text/csv; charset=utf-7",
         Code.FORMAT_MISMATCH),
        ("t.csv", b"owner\r\nme\r\n", "Content-Type: text/csv", None),
        ("t.csv", b'{"owner":1}', "Content-Type: text/csv", Code.FORMAT_MISMATCH),
        ("a.json", b"\x1f\x8b", "Content-Encoding: gzip", Code.MEMBER_UNSUPPORTED),
        ("a.json", b"x", "Content-Transfer-Encoding: quoted-printable", Code.MEMBER_UNSUPPORTED),
        ("a.json", records("me"), "Content-Transfer-Encoding: 8bit", None),
        ("a.json", records("me"), "Content-Range: bytes 0-16/17", Code.BODY_AMBIGUOUS),
        ("a.json", records("me"), "X-Uploaded-By: foreign", Code.BODY_AMBIGUOUS),
        ("a.json", records("me"), "Content-Type: application/json; x=foreign",
         Code.BODY_AMBIGUOUS),
        ("me/1.jpg", b"x", "X-Uploaded-By: me", None),
        ("me/1.jpg", b"x", "Content-Type: text/html", None),
    ],
)  # fmt: skip
def test_a_part_that_is_read_declares_what_it_is_read_as(
    name: str, content: bytes, field: str, code: Code | None
) -> None:
    """Catalogue A91."""
    body = multipart(named(name, content, field))
    if code:
        assert refused(body) is code
    else:
        assert owned(body) == {("me",): 1}


def test_base64_is_read_and_written_again() -> None:
    field = "Content-Transfer-Encoding: base64"

    def coded(content: bytes) -> bytes:
        encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
        return multipart(named("a.ndjson", encoded, field))

    body = coded(lines("me", "foreign") * 20)
    assert owned(body) == {("me",): 20, ("foreign",): 20}
    assert redacted(body, permitting(ME, FOREIGN)) == body
    kept = redacted(body, permitting(ME))
    assert kept == coded(lines("me") * 20)
    assert by_email(kept) == [("a.ndjson", lines("me") * 20)]
    assert refused(body.replace(b"\r\n\r\n--", b"!\r\n\r\n--")) is Code.BODY_MALFORMED


def test_a_part_may_be_compressed_or_an_archive_and_says_so() -> None:
    spec = BodySpec(
        Format.MULTIPART,
        members=(
            MemberSpec("*.gz", Format.NDJSON, subject=OWNER, compression="gzip"),
            MemberSpec(
                "*.tar",
                Format.TAR,
                members=(InnerMemberSpec("{account}", attribution=Attribution.PATH),),
            ),
        ),
    )
    packed = gzip.compress(lines("me", "foreign"), mtime=0)
    body = multipart(
        named("a.gz", packed, "Content-Type: application/gzip"),
        named("b.tar", tarred({"me": b"1", "foreign": b"2"}), "Content-Type: application/x-tar"),
    )
    with scratch() as file:
        found = work.inspect(InMemory(body), task(spec), file)
        assert sorted((g.owners[0].value, g.records) for g in found.groups) == [
            ("foreign", 1), ("foreign", 1), ("me", 1), ("me", 1),
        ]  # fmt: skip
        sink = MemorySink()
        decision = permitting(ME)
        counts = work.rewrite(InMemory(body), task(spec), found, decision, sink, file)
        work.confirm(InMemory(sink.getvalue()), task(spec), found, decision, counts, file)
    kept = dict(by_aiohttp(sink.getvalue()))
    assert gzip.decompress(kept["a.gz"]) == lines("me")
    assert untarred(kept["b.tar"]) == {"me": b"1"}
    plain = named("a.gz", packed, "Content-Type: application/x-ndjson")
    assert refused(multipart(plain), spec) is Code.FORMAT_MISMATCH


def test_parts_inside_an_archive_are_not_read() -> None:
    with pytest.raises(BadUpstream) as caught:
        module.inspect(Cut(files(MIXED)), MemberSpec("*"), LIMITS, Tally(LIMITS))
    assert caught.value.code is Code.MEMBER_UNSUPPORTED


# What stays


def test_exactly_the_permitted_parts_and_records_stay() -> None:
    owners = {"recordings/1.wav": "me", "recordings/2.wav": "foreign"}
    assert manifest(owners) == MIXED["manifest.json"]
    kept = redacted(files(MIXED), permitting(ME))
    expected = {
        "manifest.json": manifest({"recordings/1.wav": "me"}),
        "recordings/1.wav": MIXED["recordings/1.wav"],
        "a.ndjson": lines("me", "me"),
        "t.csv": MIXED["t.csv"],
        "me/1.jpg": MIXED["me/1.jpg"],
    }
    assert by_aiohttp(kept) == by_email(kept) == [*expected.items()]
    assert kept == files(expected)
    assert b"foreign" not in kept


def test_what_stays_whole_stays_byte_for_byte() -> None:
    body = multipart(
        part(lines("me"), "content-disposition:attachment ;filename=a.ndjson"),
        part(b"\0", "content-id:  <a@b>", "content-disposition:inline ;filename=rest"),
        end=b"",
    )
    assert redacted(body, permitting(ME, unattributed=True)) == body


def test_lengths_are_mended() -> None:
    content = lines("me", "foreign")
    length = f"Content-Length: {len(content)}"
    named_twice = "Content-ID: <a.ndjson>"
    kept = redacted(multipart(named("a.ndjson", content, length, named_twice)), permitting(ME))
    mended = f"Content-Length: {len(lines('me'))}"
    assert kept == multipart(named("a.ndjson", lines("me"), mended, named_twice))


def test_a_mask_reaches_into_the_parts_that_are_read() -> None:
    body = files({"a.ndjson": b'{"owner":"me","n":12}\n', "me/1.jpg": b"x"})
    kept = redacted(body, permitting(ME, mask=("$.n",)))
    assert kept == files({"a.ndjson": b'{"owner":"me","n":null}\n', "me/1.jpg": b"x"})


def test_a_body_without_parts_is_none() -> None:
    body = files({"a.json": records("foreign")})
    assert unredactable(body, permitting(ME)) is Code.REDACTION_UNSUPPORTED


def test_a_notice_says_that_something_was_left_out() -> None:
    spec = replace(SPEC, removed_notice="REMOVED.txt")
    body = files({"a.ndjson": lines("me", "foreign"), "b.ndjson": lines("foreign")})
    kept = by_aiohttp(redacted(body, permitting(ME), spec))
    assert [name for name, _ in kept] == ["a.ndjson", "REMOVED.txt"]
    assert by_email(redacted(body, permitting(ME), spec)) == kept
    assert redacted(body, permitting(ME, FOREIGN), spec) == body
    joined = replace(RANGES, removed_notice="REMOVED.txt")
    apart = ranges((0, MINE), (50, THEIRS))
    assert unredactable(apart, permitting(ME), joined) is Code.REDACTION_UNSUPPORTED


def test_a_notice_that_is_a_range_is_refused() -> None:
    text = notice.text(1, 1)
    field = f"Content-Range: bytes 0-{len(text) - 1}/1000"
    body = multipart(
        named("REMOVED.txt", text, field), part(MINE, "Content-Range: bytes 900-914/1000")
    )
    joined = replace(RANGES, removed_notice="REMOVED.txt")
    assert refused(body, joined) is Code.BODY_AMBIGUOUS
    alone = multipart(part(MINE, "Content-Range: bytes 900-914/1000"))
    assert owned(alone, joined) == {("me",): 1}


def test_a_manifest_and_what_it_lists_stay_together() -> None:
    kept = redacted(files(MIXED), permitting(FOREIGN))
    assert [name for name, _ in by_aiohttp(kept)] == [
        "manifest.json", "recordings/2.wav", "a.ndjson", "m.eml",
    ]  # fmt: skip


# Byte ranges


def ranges(*spans: tuple[int, bytes], complete: int = 99) -> bytes:
    return multipart(
        *(
            part(content, f"Content-Range: bytes {first}-{first + len(content) - 1}/{complete}")
            for first, content in spans
        )
    )


MINE, THEIRS = lines("me"), lines("foreign")


def test_ranges_of_one_document_are_read_line_by_line() -> None:
    body = ranges((5, MINE), (5 + len(MINE), THEIRS), (70, MINE))
    assert owned(body, RANGES) == {("me",): 2, ("foreign",): 1}
    assert redacted(body, permitting(ME), RANGES) == ranges((5, MINE), (70, MINE))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (ranges((5, MINE), (6, MINE)), Code.BODY_AMBIGUOUS),  # one over the other
        (ranges((5, MINE), (5, MINE)), Code.BODY_AMBIGUOUS),
        (ranges((50, MINE), (5, MINE)), Code.BODY_AMBIGUOUS),
        (ranges((98, MINE)), Code.BODY_AMBIGUOUS),  # beyond the document
        (ranges((5, MINE)).replace(b"5-", b"6-"), Code.BODY_AMBIGUOUS),  # shorter than it says
        (ranges((5, MINE)).replace(b"/99", b"/*"), Code.BODY_AMBIGUOUS),
        (ranges((5, MINE), (60, MINE)).replace(b"/99", b"/98", 1), Code.BODY_AMBIGUOUS),
        (multipart(part(MINE)), Code.BODY_AMBIGUOUS),
        (multipart(part(MINE, "Content-Range: bytes 0-9/99", "Content-Range: bytes 0-9/99")),
         Code.BODY_AMBIGUOUS),
    ],
)  # fmt: skip
def test_ranges_that_readers_join_differently_are_refused(body: bytes, code: Code) -> None:
    assert refused(body, RANGES) is code


def test_a_range_is_not_changed_and_not_read_as_a_whole() -> None:
    both = ranges((0, MINE + THEIRS))
    assert unredactable(both, permitting(ME), RANGES) is Code.REDACTION_UNSUPPORTED
    whole = MemberSpec("*", Format.JSON, "$", OWNER)
    spec = BodySpec(Format.MULTIPART, members=(whole,), media_type="multipart/byteranges")
    assert refused(ranges((0, b'{"owner":"me"}')), spec) is Code.MEMBER_UNSUPPORTED


def test_byte_ranges_are_read_only_where_they_are_asked_for() -> None:
    """Catalogue A22."""
    claims = Payload("multipart/byteranges", boundary=BOUNDARY)
    for spec in (SPEC, BodySpec(Format.NDJSON, subject=OWNER)):
        with pytest.raises(BadUpstream) as caught:
            work.inspect(InMemory(ranges((0, MINE))), work.Task(claims, spec, LIMITS))
        assert caught.value.code is Code.FORMAT_MISMATCH


OWNERS = st.lists(st.sampled_from(["me", "foreign"]), max_size=4)


@given(st.lists(OWNERS, min_size=1, max_size=4))
def test_two_readers_find_no_foreign_record_in_what_stays(parts: list[list[str]]) -> None:
    body = files({f"{n}.ndjson": lines(*owners) for n, owners in enumerate(parts)})
    mine = {f"{n}.ndjson": lines(*(o for o in owners if o == "me"))
            for n, owners in enumerate(parts) if "me" in owners}  # fmt: skip
    if not mine:
        assert unredactable(body, permitting(ME)) is Code.REDACTION_UNSUPPORTED
        return
    kept = redacted(body, permitting(ME))
    assert kept == files(mine)
    assert by_aiohttp(kept) == [*mine.items()]
    assert [name for name, _ in by_email(kept)] == [*mine]
