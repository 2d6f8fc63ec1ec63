"""A multipart body as it comes: the same leaves as of one at rest, or nothing whole."""

import base64
import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code, Refusal
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.model import (
    Attribution,
    Counts,
    Decision,
    Effect,
    Format,
    Inspection,
    Mask,
    SubjectRef,
)  # fmt: skip
from gateway.response import Payload
from tests.support.multiparts import BOUNDARY, by_aiohttp, files, multipart, named, part

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
OWNER = ({"account": ("$.owner",)},)
COLUMN = ({"account": ("owner",)},)
SPEC = BodySpec(
    Format.MULTIPART,
    members=(
        MemberSpec("*.ndjson", Format.NDJSON, subject=OWNER),
        MemberSpec("*.list.json", Format.JSON, "$.orders[*]", OWNER),
        MemberSpec("*.total.json", Format.JSON, "$.orders[*]", OWNER, totals=("$.n",)),
        MemberSpec("*.above.json", Format.JSON, "$.orders[*]", ({"account": ("$^^.owner",)},)),
        MemberSpec("*.map.json", Format.JSON, "$.accounts.*", ({"account": ("$~",)},)),
        MemberSpec("*.json", Format.JSON, "$", OWNER),
        MemberSpec("*.csv", Format.CSV, subject=COLUMN),
        MemberSpec("*.sse", Format.SSE, subject=OWNER),
        MemberSpec("*.seq", Format.JSON_SEQ, subject=OWNER),
        MemberSpec("*.ndjson.gz", Format.NDJSON, subject=OWNER, compression="gzip"),
        MemberSpec("*.vcf", Format.VCARD, subject=({"account": ("UID",)},)),
        MemberSpec("{account}/*.jpg", attribution=Attribution.PATH, category="photo"),
        MemberSpec("{account}/*.lines", Format.NDJSON, attribution=Attribution.PATH),
        MemberSpec("said/*", subject_header={"account": "X-Subject-Id"}, category="voice"),
        MemberSpec(
            "*.fhir", Format.FHIR, subject=({"account": ("urn:x",)},), lines=True, category="health"
        ),
    ),
)


def lines(*owners: str) -> bytes:
    return b"".join(b'{"owner":"%b","n":1}\n' % owner.encode() for owner in owners)


def orders(*owners: str, **more: object) -> bytes:
    return json.dumps({"orders": [{"owner": owner} for owner in owners], **more}).encode()


def table(*owners: str) -> bytes:
    return b"owner,n\r\n" + b"".join(b"%b,1\r\n" % owner.encode() for owner in owners)


def resources(*owners: str) -> bytes:
    about = [{"subject": {"identifier": {"system": "urn:x", "value": o}}} for o in owners]
    each = [json.dumps({"resourceType": "Observation", **one}) for one in about]
    return "".join(f"{one}\n" for one in each).encode()


def length(content: bytes) -> str:
    return f"Content-Length: {len(content)}"


CARD = b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:x\r\nUID:%b\r\nEND:VCARD\r\n"
KINDS: dict[str, Callable[..., bytes]] = {
    "ndjson": lambda n, *o: named(f"{n}.ndjson", lines(*o)),
    "list": lambda n, *o: named(f"{n}.list.json", orders(*o)),
    "total": lambda n, *o: named(f"{n}.total.json", orders(*o, n=len(o))),
    "above": lambda n, *o: named(
        f"{n}.above.json", b'{"owner":"%b","orders":[{"n":1}]}' % [*o, "me"][0].encode()
    ),
    "map": lambda n, *o: named(
        f"{n}.map.json", json.dumps({"accounts": {each: {"n": 1} for each in o}}).encode()
    ),
    "whole": lambda n, *o: named(f"{n}.json", lines(*o[:1] or ["me"]).strip()),
    "csv": lambda n, *o: named(f"{n}.csv", table(*o), "Content-Type: text/csv"),
    "sse": lambda n, *o: named(
        f"{n}.sse", b"".join(b'data: {"owner":"%b"}\n\n' % each.encode() for each in o)
    ),
    "seq": lambda n, *o: named(
        f"{n}.seq", b"".join(b'\x1e{"owner":"%b"}\n' % each.encode() for each in o)
    ),
    "gz": lambda n, *o: named(f"{n}.ndjson.gz", gzip.compress(lines(*o), mtime=0)),
    "vcf": lambda n, *o: named(
        f"{n}.vcf",
        b"".join(CARD % each.encode() for each in o),
    ),
    "photo": lambda n, *o: named(f"{[*o, 'me'][0]}/{n}.jpg", b"\xff\xd8\r\n--"),
    "path": lambda n, *o: named(f"{[*o, 'me'][0]}/{n}.lines", lines(*o)),
    "said": lambda n, *o: named(f"said/{n}", b"x", f"X-Subject-Id: {[*o, 'me'][0]}"),
    "fhir": lambda n, *o: named(f"{n}.fhir", resources(*o)),
    "sized": lambda n, *o: named(f"{n}.ndjson", lines(*o), length(lines(*o))),
    "coded": lambda n, *o: named(
        f"{n}.ndjson",
        base64.encodebytes(lines(*o)).replace(b"\n", b"\r\n"),
        "Content-Transfer-Encoding: base64",
    ),
    "rest": lambda n, *o: named(f"{n}", b"nobody's"),
}  # fmt: skip


def task(spec: BodySpec = SPEC, **limits: int) -> work.Task:
    payload = Payload(spec.media_type or "multipart/mixed", boundary=BOUNDARY)
    return work.Task(payload, spec, Limits(**limits))


def decided(*permitted: SubjectRef, mask: tuple[Mask, ...] = (), rest: bool = False) -> Decision:
    return Decision(Effect.REDACT, frozenset(permitted), rest, frozenset(), mask, (), "1")


class Coming:
    """A body that comes in chunks: what left of it when, and what was asked about it."""

    def __init__(self, decision: Decision, spec: BodySpec = SPEC, **limits: int) -> None:
        self.left, self.asked = b"", list[int]()
        self.left_before: list[bytes] = []
        self._decision, self._task = decision, task(spec, **limits)

    def run(self, *chunks: bytes) -> tuple[Inspection, Counts]:
        return work.stream(self._received(chunks), self._task, self._ask, self._hand_on)

    def _received(self, chunks: tuple[bytes, ...]) -> Iterator[bytes]:
        for chunk in chunks:
            self.left_before.append(self.left)
            yield chunk
        self.left_before.append(self.left)

    def _ask(self, inspection: Inspection, _: Counts) -> Decision:
        self.asked.append(inspection.records)
        return self._decision

    def _hand_on(self, data: bytes, _: Counts) -> None:
        self.left += data


Kept = tuple[bytes, Counts, Inspection]


def held(body: bytes, decision: Decision, spec: BodySpec = SPEC) -> Kept | Code:
    sink = MemorySink()
    try:
        found = work.inspect(InMemory(body), task(spec))
        counts = work.rewrite(InMemory(body), task(spec), found, decision, sink)
    except BadUpstream as refusal:
        return refusal.code
    return sink.getvalue(), counts, found


def check_alike(body: bytes, decision: Decision, cuts: list[int], spec: BodySpec = SPEC) -> None:
    """However it is cut, what leaves is what leaves of the body at rest; or it is cut, too."""
    at_rest = held(body, decision, spec)
    places = sorted({0, len(body), *cuts})
    chunks = [body[a:b] for a, b in pairwise(places)]
    coming = Coming(decision, spec)
    if isinstance(at_rest, Code):
        with pytest.raises(BadUpstream):
            coming.run(*chunks)
        assert FOREIGN.value.encode() not in coming.left
        return
    found, counts = coming.run(*chunks)
    assert (coming.left, counts) == at_rest[:2]
    assert set(found.groups) == set(at_rest[2].groups)
    assert (found.fields, found.members) == (at_rest[2].fields, at_rest[2].members)


OWNERS = st.lists(st.sampled_from(["me", "foreign"]), max_size=3)
PARTS = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), OWNERS), min_size=1, max_size=5)


@settings(deadline=None)
@given(
    parts=PARTS,
    cuts=st.lists(st.integers(1, 3000), max_size=20),
    permitted=st.sampled_from([(ME,), (ME, FOREIGN), (FOREIGN,), ()]),
    rest=st.booleans(),
    masked=st.booleans(),
    notice=st.booleans(),
    end=st.sampled_from([b"", b"\r\n"]),
)
def test_both_releases_keep_the_same_parts_however_a_body_is_cut(
    parts: list[tuple[str, list[str]]],
    cuts: list[int],
    permitted: tuple[SubjectRef, ...],
    rest: bool,
    masked: bool,
    notice: bool,
    end: bytes,
) -> None:
    body = multipart(*(KINDS[kind](n, *owners) for n, (kind, owners) in enumerate(parts)), end=end)
    mask = (Mask("$.n"),) if masked else ()
    spec = replace(SPEC, removed_notice="REMOVED.txt" if notice else None)
    decision = decided(*permitted, mask=mask, rest=rest)
    check_alike(body, decision, [cut for cut in cuts if cut < len(body)], spec)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_of_part_is_the_same_at_every_cut(kind: str) -> None:
    body = multipart(
        KINDS[kind](1, "me", "foreign"), KINDS["photo"](2), KINDS[kind](3, "foreign", "me")
    )
    for at in range(1, len(body)):
        check_alike(body, decided(ME), [at])
    check_alike(body, decided(ME), [*range(len(body))])


def test_every_cut_body_is_refused_and_nothing_foreign_left() -> None:
    body = multipart(KINDS["ndjson"](1, "me", "foreign"), KINDS["photo"](2, "foreign"))
    for end in range(len(body) - 2):
        coming = Coming(decided(ME))
        with pytest.raises(BadUpstream):
            coming.run(*(body[n : n + 1] for n in range(end)))
        assert not coming.left.endswith(f"--{BOUNDARY}--".encode())
        assert b"foreign" not in coming.left


# When it leaves


def test_a_record_leaves_before_the_next_one_is_in() -> None:
    body = multipart(KINDS["ndjson"](1, "me", "foreign", "me"), KINDS["csv"](2, "me"))
    first = body.index(b"}\n{") + 2
    coming = Coming(decided(ME))
    coming.run(body[:first], body[first:])
    assert coming.left_before[1] == body[:first]


def test_a_part_leaves_when_the_delimiter_behind_it_is_there() -> None:
    one, two = KINDS["photo"](1, "me"), KINDS["photo"](2, "me")
    body = multipart(one, two)
    at = body.index(two)
    coming = Coming(decided(ME))
    coming.run(body[: at - 2], body[at - 2 : at], body[at:])
    assert coming.left_before[1] == b""
    assert coming.left_before[2] == multipart(one)[: -len(f"--{BOUNDARY}--\r\n")]


def test_the_header_of_a_part_waits_for_a_record_that_stays() -> None:
    begun = multipart(named("secret-canary.csv", table("foreign")))[:-11]
    coming = Coming(decided(ME))
    with pytest.raises(BadUpstream) as refused:
        coming.run(begun, multipart(b"")[-11:])
    assert refused.value.code is Code.REDACTION_UNSUPPORTED  # no part would be left
    assert coming.left == b""


def test_there_is_one_question_for_each_new_owner() -> None:
    coming = Coming(decided(ME, FOREIGN))
    coming.run(
        multipart(
            *(KINDS["photo"](n, "me") for n in range(5)),
            *(KINDS["photo"](n, "foreign") for n in range(5)),
            KINDS["photo"](9, "me"),
        )
    )
    assert coming.asked == [1, 6]


def test_no_more_than_a_record_is_held_of_a_part() -> None:
    large = named("me/1.jpg", b"x" * 2000)
    Coming(decided(ME), record=2000).run(multipart(large))
    with pytest.raises(BadUpstream) as refused:
        Coming(decided(ME), record=1999).run(multipart(large))
    assert refused.value.code is Code.BODY_TOO_LARGE
    many = named("1.ndjson", lines("me") * 1000)
    Coming(decided(ME), record=100).run(multipart(many))


def test_what_compressed_parts_unfold_to_is_bounded() -> None:
    bomb = named("1.ndjson.gz", gzip.compress(lines("me") * 200_000))
    with pytest.raises(BadUpstream) as refused:
        Coming(decided(ME), ratio=10).run(multipart(bomb))
    assert refused.value.code is Code.BODY_TOO_LARGE


# What can't be released as it comes


@pytest.mark.parametrize(
    "parts",
    [
        [named("me/1.jpg", b"x", "Content-ID: <foreign/1.jpg>")],
        [named("me/1.jpg", b"x", "Content-ID: <a>"), named("me/2.jpg", b"y", "Content-ID: <a>")],
        [named("a.csv", table("me"), "Content-ID: of a foreigner")],
        [named("a.csv", table("me"), "Content-ID: <foreigner>")],
        [named("a.csv", table("me"), "Content-Digest: of a foreigner")],
        [part(table("me"), "Content-Disposition: foreigner; filename=a.csv")],
    ],
)
def test_what_else_a_part_says_of_somebody_ends_the_stream(parts: list[bytes]) -> None:
    coming = Coming(decided(ME, rest=True))
    with pytest.raises(BadUpstream) as refused:
        coming.run(multipart(*parts))
    assert refused.value.code is Code.BODY_AMBIGUOUS and b"foreign" not in coming.left


def test_parts_with_an_id_of_their_own_each_stream() -> None:
    ids = ("Content-ID: <1@x.org>", "Content-ID: <2@x.org>")
    body = multipart(named("me/1.jpg", b"x", ids[0]), named("me/2.jpg", b"y", ids[1]))
    coming = Coming(decided(ME))
    coming.run(body)
    assert coming.left == body


def test_names_that_are_one_somewhere_end_the_stream() -> None:
    for one, two in (("a.csv", "A.csv"), ("a", "a/1.jpg"), ("me/1.jpg", "me")):
        body = multipart(named(one, table("me")), named(two, table("me")))
        with pytest.raises(BadUpstream) as refused:
            Coming(decided(ME, rest=True)).run(body)
        assert refused.value.code is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "member",
    [
        MemberSpec("m.json", Format.JSON, "$[*]", OWNER, vouches_for="$.file"),
        MemberSpec("m.json", Format.JSON, "$[*]", OWNER, owns_archive=True),
        MemberSpec("*.zip", Format.ZIP),
    ],
)
def test_manifests_and_archives_are_for_bodies_at_rest(member: MemberSpec) -> None:
    spec = BodySpec(Format.MULTIPART, members=(member, *SPEC.members))
    with pytest.raises(BadUpstream) as refused:
        Coming(decided(ME), spec).run(files({"a.csv": table("me")}))
    assert refused.value.code is Code.REDACTION_UNSUPPORTED


@pytest.mark.parametrize("path", ["$.owner", "$.*", "$"])
def test_a_mask_on_what_names_the_owners_of_records_in_a_part_lets_nothing_flow(path: str) -> None:
    coming = Coming(decided(ME, mask=(Mask(path, text="you"),)))
    with pytest.raises(BadUpstream) as refused:
        coming.run(files({"a.ndjson": lines("me")}))
    assert refused.value.code is Code.REDACTION_UNSUPPORTED and coming.left == b""


def test_a_part_that_a_mask_gives_to_somebody_else_does_not_leave() -> None:
    """It is read again: a path in XML doesn't say that it leads to what names the owner."""
    member = MemberSpec("*.xml", Format.XML, "/x/o", ({"account": ("c/@id",)},))
    spec = BodySpec(Format.MULTIPART, members=(member,))
    body = files({"a.xml": b'<x><o><c id="me"/><d>1</d></o><o><c id="foreign"/></o></x>'})
    coming = Coming(decided(ME, mask=(Mask("$.c", text="you"),)), spec)
    with pytest.raises(Refusal) as refused:
        coming.run(body)
    assert refused.value.code is Code.REDACTION_UNSUPPORTED and coming.left == b""
    other = Coming(decided(ME, mask=(Mask("$.d"),)), spec)
    other.run(body)
    assert other.left == files({"a.xml": b'<x><o><c id="me"/><d></d></o></x>'})


def test_a_mask_that_makes_a_delimiter_of_a_row_ends_the_stream() -> None:
    """The upstream chooses the boundary, and a client would find another part behind it."""
    spec = replace(SPEC, members=(MemberSpec("*.csv", Format.CSV, subject=COLUMN),))
    body = multipart(named("t.csv", b"n,x,owner\r\n--b,secret,me\r\n"), boundary="b,,me")
    payload = Payload("multipart/mixed", boundary="b,,me")
    left: list[bytes] = []
    mask = (Mask("$.x"),)
    for size in (1, 7, len(body)):
        chunks = (body[at : at + size] for at in range(0, len(body), size))
        with pytest.raises(BadUpstream) as refused:
            work.stream(
                chunks,
                work.Task(payload, spec, Limits()),
                lambda *_: decided(ME, mask=mask),
                lambda data, _: left.append(data),
            )
        assert refused.value.code is Code.REDACTION_UNSUPPORTED
    assert left == []


def test_another_boundary_than_the_declared_one_is_seen_at_its_first_byte() -> None:
    body = multipart(named("a.csv", table("me")), boundary="other")
    coming = Coming(decided(ME))
    with pytest.raises(BadUpstream) as refused:
        coming.run(*(body[n : n + 1] for n in range(len(body))))
    assert refused.value.code is Code.FORMAT_MISMATCH and coming.left == b""
    assert len(coming.left_before) == 4


# Byte ranges, and the owner of all


def test_ranges_are_held_one_by_one() -> None:
    spec = BodySpec(
        Format.MULTIPART,
        members=(MemberSpec("*", Format.NDJSON, subject=OWNER),),
        media_type="multipart/byteranges",
    )
    size = len(lines("me"))

    def ranged(first: int, owner: str) -> bytes:
        content = lines(owner)
        return part(content, f"Content-Range: bytes {first}-{first + len(content) - 1}/999")

    good = multipart(ranged(0, "me"), ranged(size, "foreign"), ranged(200, "me"))
    over = multipart(ranged(0, "me"), ranged(size - 1, "me"))
    for body in (good, over, multipart(ranged(0, "me"), named("a", lines("me")))):
        for at in (10, 60, 150):
            check_alike(body, decided(ME), [at], spec)
    assert isinstance(held(over, decided(ME), spec), Code)


def test_a_header_of_the_response_names_the_owner_of_all_parts() -> None:
    member = MemberSpec("*", attribution=Attribution.CONTAINER)
    spec = BodySpec(Format.MULTIPART, members=(member,), subject_header={"account": "X-Owner"})
    payload = Payload("multipart/mixed", boundary=BOUNDARY, owners=(FOREIGN,))
    body = files({"a": b"x"})
    asked: list[Inspection] = []

    def ask(inspection: Inspection, _: Counts) -> Decision:
        asked.append(inspection)
        return decided(FOREIGN)

    left: list[bytes] = []
    claimed = work.Task(payload, spec, Limits())
    work.stream(iter([body]), claimed, ask, lambda data, _: left.append(data))
    assert b"".join(left) == body
    assert [group.owners for group in asked[0].groups] == [(FOREIGN,)]


def test_what_stays_is_what_other_readers_find() -> None:
    coming = Coming(decided(ME))
    coming.run(files({"a.ndjson": lines("me", "foreign"), "foreign/1.jpg": b"x", "t.csv": table()}))
    assert by_aiohttp(coming.left) == [("a.ndjson", lines("me"))]


def test_many_parts_pass_in_the_memory_of_one() -> None:
    photo, line = named("me/%d.jpg", bytes(1 << 17)), lines("me" * 100)

    def body() -> Iterator[bytes]:
        for n in range(50):
            yield multipart(photo.replace(b"%d", b"%d" % n))[: -len(f"--{BOUNDARY}--\r\n")]
        yield multipart(named("1.ndjson", b""))[: -len(f"\r\n--{BOUNDARY}--\r\n")]
        for _ in range(50):
            yield line * 500
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    left = 0

    def hand_on(data: bytes, _: Counts) -> None:
        nonlocal left
        left += len(data)

    owners = (ME, SubjectRef("account", "me" * 100))
    tracemalloc.start()
    try:
        work.stream(body(), task(record=1 << 18), lambda *_: decided(*owners), hand_on)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert left > 10 << 20
