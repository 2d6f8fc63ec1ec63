"""One job: whole bodies are read, rewritten, and what was rewritten is read again."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.errors import BadUpstream, Code, InternalError
from gateway.inspection import work
from gateway.inspection.settings import AlsoSpec, BodySpec, EmbeddedSpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.model import Counts, Decision, Effect, Format, Inspection, Mask, SubjectRef
from gateway.response import Payload
from tests.support.codings import CODED as CODED_BY

ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
SPEC = BodySpec(Format.JSON, records="$[*]", subject=({"account": ("$.owner",)},))
PLAIN = work.Task(Payload("application/json"), SPEC, Limits())
CODED = work.Task(Payload("application/json", None, ("gzip",)), SPEC, Limits())
TWICE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(b"") + data,
    "zstd": lambda data: zstd.compress(b"") + data,
}
REDACT = Decision(Effect.REDACT, frozenset({ME}), False, frozenset(), (), (), "r1")


def body(*owners: str) -> InMemory:
    return InMemory(json.dumps([{"owner": owner} for owner in owners]).encode())


def rewritten(stored: InMemory, task: work.Task = PLAIN) -> tuple[bytes, Counts]:
    sink = MemorySink()
    counts = work.rewrite(stored, task, work.inspect(stored, task), REDACT, sink)
    return sink.getvalue(), counts


def test_every_byte_of_a_body_is_accounted_for() -> None:
    stored = body("me", "me", "foreign")
    found = work.inspect(stored, PLAIN)
    assert (found.records, found.subjects) == (3, (FOREIGN, ME))
    assert found.bytes_received == found.bytes_inspected == found.bytes_decoded == stored.size


def test_received_and_decoded_bytes_of_a_coded_body_are_told_apart() -> None:
    plain = body("me", "foreign")
    found = work.inspect(InMemory(gzip.compress(plain.data)), CODED)
    assert found.bytes_received == found.bytes_inspected != found.bytes_decoded
    assert found.bytes_decoded == plain.size


@pytest.mark.parametrize("codings", [("gzip",), ("gzip", "zstd"), ("zstd", "zstd", "gzip")])
def test_a_body_with_unread_bytes_in_any_of_its_codings_is_not_sealed(
    codings: tuple[str, ...],
) -> None:
    task = replace(PLAIN, payload=Payload("application/json", None, codings))
    for unsealed in (None, *range(len(codings))):
        data = body("me").data
        for index, coding in enumerate(codings):
            data = CODED_BY[coding][0](data)
            if index == unsealed:
                data = TWICE[coding](data)
        assert work.inspect(InMemory(data), task).sealed is (unsealed is None), unsealed
    assert work.inspect(body("me"), PLAIN).sealed


def test_a_body_that_is_not_what_its_type_says_is_refused_and_its_twin_is_read() -> None:
    lying = work.Task(Payload("text/html"), SPEC, Limits())
    with pytest.raises(BadUpstream) as refused:
        work.inspect(body("me"), lying)
    assert refused.value.code is Code.FORMAT_MISMATCH
    assert work.inspect(body("me"), PLAIN).records == 1


def test_a_type_of_its_own_is_configured_and_then_the_only_one() -> None:
    spec = replace(SPEC, media_type="application/vnd.acme.export+json")
    own = work.Task(Payload("application/vnd.acme.export+json"), spec, Limits())
    assert work.inspect(body("me"), own).records == 1
    for task in (
        work.Task(Payload("application/json"), spec, Limits()),
        work.Task(Payload("application/vnd.acme.export+json"), SPEC, Limits()),
    ):
        with pytest.raises(BadUpstream) as refused:
            work.inspect(body("me"), task)
        assert refused.value.code is Code.FORMAT_MISMATCH


def test_a_format_without_a_reader_is_refused() -> None:
    with pytest.raises(BadUpstream) as refused:
        work.inspect(body("me"), work.Task(Payload(), BodySpec(Format("acme.x")), Limits()))
    assert refused.value.code is Code.FORMAT_UNKNOWN


@given(st.lists(st.sampled_from(["me", "foreign", "third"]), max_size=30))
def test_what_is_left_after_a_redaction_is_permitted_and_adds_up(owners: list[str]) -> None:
    for task, pack in ((PLAIN, bytes), (CODED, gzip.compress)):
        data, counts = rewritten(InMemory(pack(body(*owners).data)), task)
        assert counts == Counts(len(owners), owners.count("me"), len(owners) - owners.count("me"))
        seen = work.inspect(InMemory(pack(body(*owners).data)), task)
        work.confirm(InMemory(data), task, seen, REDACT, counts)
        unpack: Callable[[bytes], bytes] = gzip.decompress if task is CODED else bytes
        assert json.loads(unpack(data)) == [{"owner": "me"}] * owners.count("me")


def test_a_trace_of_what_was_left_out_is_no_record_of_its_own() -> None:
    spec = replace(SPEC, records="$.orders[*]", removed_notice="removed")
    task = work.Task(PLAIN.payload, spec, Limits())
    data = InMemory(b'{"orders":[{"owner":"me"},{"owner":"foreign"}]}')
    seen, sink = work.inspect(data, task), MemorySink()
    counts = work.rewrite(data, task, seen, REDACT, sink)
    assert b'"removed":{"records":1,' in sink.getvalue()
    work.confirm(InMemory(sink.getvalue()), task, seen, REDACT, counts)


def test_a_rewritten_body_in_which_a_withheld_record_is_left_does_not_pass() -> None:
    counts = Counts(seen=2, released=1, redacted=1)
    seen = work.inspect(body("me", "foreign"), PLAIN)
    for left in (("foreign",), ("me", "me")):
        with pytest.raises(InternalError):
            work.confirm(body(*left), PLAIN, seen, REDACT, counts)
    work.confirm(body("me"), PLAIN, seen, REDACT, counts)


def test_a_mask_that_changes_whose_a_record_is_does_not_pass() -> None:
    """Not even where both may have it: what says whose it is must stay what it was."""
    both = frozenset({ME, SubjectRef("account", "me2")})
    for mask, left in ((Mask("$.owner", keep=2), b"me"), (Mask("$.owner", text="me"), b"me")):
        decision = structs.replace(REDACT, permitted=both, mask=(mask,))
        seen, sink = work.inspect(body("me2", "me"), PLAIN), MemorySink()
        counts = work.rewrite(body("me2", "me"), PLAIN, seen, decision, sink)
        assert sink.getvalue().count(b'"%b"' % left) == 2
        with pytest.raises(BadUpstream) as refused:
            work.confirm(InMemory(sink.getvalue()), PLAIN, seen, decision, counts)
        assert refused.value.code is Code.REDACTION_UNSUPPORTED


@pytest.mark.parametrize(
    "mask",
    [Mask("$.owner"), Mask("$.owner", text="x"), Mask("$.owner", keep=1),
     Mask("$.owner", pseudonym=True)],
)  # fmt: skip
def test_a_mask_of_what_names_the_owner_is_unsupported_and_no_fault_of_ours(mask: Mask) -> None:
    decision = structs.replace(REDACT, mask=(mask,))
    seen, sink = work.inspect(body("me", "foreign"), PLAIN), MemorySink()
    counts = work.rewrite(body("me", "foreign"), PLAIN, seen, decision, sink, key=bytes(32))
    with pytest.raises(BadUpstream) as refused:
        work.confirm(InMemory(sink.getvalue()), PLAIN, seen, decision, counts)
    assert refused.value.code is Code.REDACTION_UNSUPPORTED


@pytest.mark.parametrize("mask", [Mask("$.owner"), Mask("$.n")])
def test_a_mask_makes_no_record_nobodys_even_where_those_may_leave(mask: Mask) -> None:
    data = InMemory(b"n,owner\n1,me\n2,\n")
    task = work.Task(Payload("text/csv"), replace(SPEC, format=Format.CSV, records="$"), Limits())
    decision = structs.replace(REDACT, release_unattributed=True, mask=(mask,))
    seen, sink = work.inspect(data, task), MemorySink()
    counts = work.rewrite(data, task, seen, decision, sink)
    assert counts == Counts(2, 2, 0)
    if mask.path == "$.n":
        work.confirm(InMemory(sink.getvalue()), task, seen, decision, counts)
        return
    with pytest.raises(BadUpstream) as refused:
        work.confirm(InMemory(sink.getvalue()), task, seen, decision, counts)
    assert refused.value.code is Code.REDACTION_UNSUPPORTED


def test_a_mask_that_leaves_a_record_without_an_owner_is_unsupported() -> None:
    data = InMemory(b"n,owner\n1,me\n2,foreign\n")
    task = work.Task(Payload("text/csv"), replace(SPEC, format=Format.CSV, records="$"), Limits())
    for mask, passes in ((Mask("$.owner"), False), (Mask("$.n"), True)):
        decision = structs.replace(REDACT, mask=(mask,))
        seen, sink = work.inspect(data, task), MemorySink()
        counts = work.rewrite(data, task, seen, decision, sink)
        if passes:
            work.confirm(InMemory(sink.getvalue()), task, seen, decision, counts)
            continue
        with pytest.raises(BadUpstream) as refused:
            work.confirm(InMemory(sink.getvalue()), task, seen, decision, counts)
        assert refused.value.code is Code.REDACTION_UNSUPPORTED


def test_a_rewrite_that_counts_otherwise_than_the_inspection_does_not_pass() -> None:
    other: Inspection = work.inspect(body("me", "me", "foreign"), PLAIN)
    with pytest.raises(InternalError):
        work.rewrite(body("me"), PLAIN, other, REDACT, MemorySink())


# --- compressed files ---------------------------------------------------------------------------

PACKED = work.Task(Payload("application/gzip"), replace(SPEC, compression="gzip"), Limits())


def test_a_plain_gzip_file_is_read_and_leaves_as_one() -> None:
    data = InMemory(gzip.compress(body("me", "foreign", "me").data, mtime=0))
    found = work.inspect(data, PACKED)
    assert found.bytes_inspected == data.size and found.sealed
    new, counts = rewritten(data, PACKED)
    assert json.loads(gzip.decompress(new)) == [{"owner": "me"}] * 2
    work.confirm(InMemory(new), PACKED, found, REDACT, counts)


def test_a_gzip_file_under_a_content_coding_is_read_through_both() -> None:
    task = replace(PACKED, payload=Payload("application/gzip", None, ("gzip",)))
    inner = gzip.compress(body("me", "foreign").data, mtime=0)
    new, _ = rewritten(InMemory(gzip.compress(inner, mtime=0)), task)
    assert json.loads(gzip.decompress(gzip.decompress(new))) == [{"owner": "me"}]


def test_a_compressed_file_must_be_declared_and_be_one() -> None:
    """A05, A06."""
    plain = body("me")
    packed = gzip.compress(plain.data)
    for data, declared in ((plain.data, "application/gzip"), (packed[:-1], "application/gzip")):
        with pytest.raises(BadUpstream) as refused:
            work.inspect(InMemory(data), replace(PACKED, payload=Payload(declared)))
        assert refused.value.code is Code.CODING_MALFORMED
    with pytest.raises(BadUpstream) as refused:
        work.inspect(InMemory(packed), replace(PACKED, payload=Payload("application/json")))
    assert refused.value.code is Code.FORMAT_MISMATCH
    assert work.inspect(InMemory(packed), PACKED).records == 1


@pytest.mark.corpus
def test_a_gzip_file_of_the_corpus_leaves_without_the_name_in_its_header(corpus: Path) -> None:
    data = (corpus / "exports" / "csv-encodings" / "dummy.csv.gz").read_bytes()
    spec = BodySpec(Format.CSV, subject=({"row": ("a",)},), compression="gzip")
    task = work.Task(Payload("application/gzip"), spec, Limits())
    found = work.inspect(InMemory(data), task)
    assert found.records == 1 and not found.sealed and b"dummy.csv" in data
    everyone, sink = structs.replace(REDACT, permitted=frozenset(found.subjects)), MemorySink()
    work.rewrite(InMemory(data), task, found, everyone, sink)
    assert gzip.decompress(sink.getvalue()) == gzip.decompress(data)
    assert b"dummy.csv" not in sink.getvalue()


@pytest.mark.parametrize(
    ("spec", "codings", "needed"),
    [
        (SPEC, ("gzip",), False),
        (BodySpec(Format.TAR), (), False),
        (BodySpec(Format.TAR), ("gzip",), True),
        (BodySpec(Format.TAR, compression="xz"), (), True),
        (BodySpec(Format.ZIP), (), False),
        (BodySpec(Format.ZIP, members=(MemberSpec("a", Format.TAR),)), (), True),
        (BodySpec(Format.CSV, compression="xz"), (), False),
    ],
)
def test_a_scratch_file_is_needed_where_an_archive_must_be_decoded_first(
    spec: BodySpec, codings: tuple[str, ...], needed: bool
) -> None:
    task = work.Task(Payload("x", None, codings), spec, Limits(ratio=2, decoded=9 << 20))
    assert [work.scratch_needed(task, size) for size in (0, 2 << 20, 8 << 20)] == (
        [1 << 20, 4 << 20, 9 << 20] if needed else [0, 0, 0]
    )


def test_what_the_settings_leave_open_is_as_the_response_declares() -> None:
    open_ = BodySpec(Format.CSV, subject=({"account": ("id",)},), encoding="auto")
    assert (
        work.Task(Payload("text/csv", "iso-8859-1"), open_, Limits()).spec.encoding == "iso-8859-1"
    )
    for charset in (None, "shift_jis"):
        assert work.Task(Payload("text/csv", charset), open_, Limits()).spec == open_
    tabs = replace(open_, delimiter="\t")
    declared = work.Task(Payload("text/tab-separated-values", None), tabs, Limits())
    assert declared.spec.quote == "none"
    assert work.Task(declared.payload, declared.spec, Limits()) == declared
    told = InMemory("id,x\nm\u00e9,1\n".encode("iso-8859-1"))
    (group,) = work.inspect(told, work.Task(Payload("text/csv", "latin1"), open_, Limits())).groups
    assert group.owners == (SubjectRef("account", "m\u00e9"),)


# --- as it comes --------------------------------------------------------------------------------


LINES = work.Task(
    Payload("application/x-ndjson"),
    BodySpec(Format.NDJSON, subject=({"account": ("$.owner",)},)),
    Limits(),
)


KEY = bytes(32)


class Watched:
    """What a stream asked and handed on, in order; everybody but FOREIGN is permitted."""

    def __init__(self, task: work.Task, *chunks: bytes, mask: tuple[Mask, ...] = ()) -> None:
        self.events: list[str] = []
        self.left = b""
        self._task, self._chunks, self._mask = task, chunks, mask

    def run(self) -> tuple[Inspection, Counts]:
        return work.stream(self._received(), self._task, self._ask, self._hand_on, KEY)

    def _received(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.events.append("wait")
            yield chunk
        self.events.append("wait")

    def _ask(self, inspection: Inspection, counts: Counts) -> Decision:
        self.events.append(f"ask {inspection.records}")
        permitted = frozenset(set(inspection.subjects) - {FOREIGN})
        return structs.replace(REDACT, permitted=permitted, mask=self._mask)

    def _hand_on(self, data: bytes, counts: Counts) -> None:
        self.events.append(f"out {counts.released}")
        self.left += data


def line(owner: str) -> bytes:
    return json.dumps({"owner": owner}).encode() + b"\n"


def test_what_is_decided_is_handed_on_before_anything_is_waited_for() -> None:
    watched = Watched(LINES, line("me"), line("me") + line("foreign")[:3], line("foreign")[3:])
    found, counts = watched.run()
    assert watched.events == [
        "wait", "ask 1", "out 1", "wait", "out 2", "wait", "ask 3", "wait",
    ]  # fmt: skip
    assert watched.left == line("me") * 2
    assert (counts, found.records) == (Counts(3, 2, 1), 3)
    assert (
        found.bytes_received == found.bytes_inspected == 2 * len(line("me")) + len(line("foreign"))
    )


def test_nothing_is_handed_on_of_a_beginning_that_is_another_format() -> None:
    for beginning in (b"\x1f\x8b\x08\x00", b"%PDF", b"  <html>", b"PK\x03\x04"):
        watched = Watched(LINES, *(bytes([byte]) for byte in beginning), line("me"))
        with pytest.raises(BadUpstream) as refused:
            watched.run()
        assert refused.value.code is Code.FORMAT_MISMATCH, beginning
        assert watched.left == b""


def test_a_format_that_needs_its_end_is_not_streamed() -> None:
    task = work.Task(Payload("application/zip"), BodySpec(Format.ZIP), Limits())
    with pytest.raises(BadUpstream) as refused:
        Watched(task, b"PK\x03\x04").run()
    assert refused.value.code is Code.REDACTION_UNSUPPORTED


def test_a_name_above_the_records_waits_for_a_record_that_stays() -> None:
    spec = BodySpec(Format.JSON, records="$.*.orders[*]", subject=({"account": ("$.owner",)},))
    task = work.Task(Payload("application/json"), spec, Limits())
    whole = b'{"kept-canary": {"orders": [{"owner": "me"}]}, "foreign-canary": {"orders": ['
    watched = Watched(task, whole, b'{"owner": "foreign"},', b'{"owner": "foreign"}]}}')
    watched.run()
    assert watched.left == b'{"kept-canary": {"orders": [{"owner": "me"}]}}'

    watched = Watched(task, whole, b'{"owner": "foreign"},', b'{"owner": "me"}]}}')
    watched.run()
    assert watched.left == whole + b'{"owner": "me"}]}}'


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, records="$.orders[*]", totals=("$.count",)),
        replace(SPEC, records="$.orders[*]", also=(AlsoSpec("$.more[*]"),)),
        replace(SPEC, records="$.orders[*]", subject=({"account": ("$^^.id",)},)),
        replace(SPEC, records="$.orders[*]", compression="gzip"),
        BodySpec(Format.CSV, subject=({"account": ("owner",)},), preamble=1),
    ],
)
def test_what_is_read_at_rest_only_is_not_streamed(spec: BodySpec) -> None:
    declared = {Format.CSV: "text/csv", Format.JSON: "application/json"}[spec.format]
    media_type = "application/gzip" if spec.compression else declared
    task = work.Task(Payload(media_type), spec, Limits())
    body = b'{"id": "me", "count": 1, "orders": [{"owner": "me"}], "more": []}'
    watched = Watched(task, gzip.compress(body) if spec.compression else body)
    with pytest.raises(BadUpstream) as refused:
        watched.run()
    assert refused.value.code is Code.REDACTION_UNSUPPORTED and watched.left == b""


def test_a_mask_on_what_names_the_owners_lets_nothing_flow() -> None:
    for path in ("$.owner", "$.*", "$.owner.name", "$"):
        watched = Watched(LINES, line("me"), mask=(Mask(path, text="you"),))
        with pytest.raises(BadUpstream) as refused:
            watched.run()
        assert refused.value.code is Code.REDACTION_UNSUPPORTED and watched.left == b""
    watched = Watched(LINES, line("me"), mask=(Mask("$.iban", text="you"),))
    watched.run()
    assert watched.left == line("me")


@given(
    owners=st.lists(st.sampled_from(["me", "foreign", "other"]), max_size=30),
    cuts=st.lists(st.integers(0, 2000), max_size=40),
    form=st.sampled_from(["ndjson", "json", "json-seq", "sse", "csv"]),
    codings=st.sampled_from([(), ("gzip",), ("br", "zstd")]),
    mask=st.sampled_from([Mask("$.n"), Mask("$.n", text="a, b"), Mask("$.n", pseudonym=True)]),
    masked=st.booleans(),
)
def test_both_releases_keep_the_same_records_however_a_body_is_cut(
    owners: list[str],
    cuts: list[int],
    form: str,
    codings: tuple[str, ...],
    mask: Mask,
    masked: bool,
) -> None:
    spec = BodySpec(Format(form), subject=({"account": ("$.owner",)},))
    texts = [json.dumps({"owner": owner, "n": n}) for n, owner in enumerate(owners)]
    match form:
        case "ndjson":
            media_type, plain = "application/x-ndjson", "".join(f"{t}\n" for t in texts)
        case "json":
            media_type, plain = "application/json", "[" + ", ".join(texts) + "]"
            spec = replace(spec, records="$[*]")
        case "json-seq":
            media_type, plain = "application/json-seq", "".join(f"\x1e{t}\n" for t in texts)
        case "sse":
            media_type = "text/event-stream"
            plain = "".join(f": ping\n\ndata: {t}\n\n" for t in texts)
        case _:
            media_type = "text/csv"
            plain = "n,owner\r\n" + "".join(f"{n},{o}\r\n" for n, o in enumerate(owners))
            spec = replace(spec, subject=({"account": ("owner",)},))
    data = plain.encode()
    for coding in codings:
        data = CODED_BY[coding][0](data)
    task = work.Task(Payload(media_type, None, codings), spec, Limits())
    stored = InMemory(data)
    inspection = work.inspect(stored, task)
    permitted = frozenset(set(inspection.subjects) - {FOREIGN})
    masks = (mask,) if masked else ()
    decision = structs.replace(REDACT, permitted=permitted, mask=masks)
    sink = MemorySink()
    counts = work.rewrite(stored, task, inspection, decision, sink, key=KEY)
    held = sink.getvalue()
    for coding in reversed(codings):
        held = CODED_BY[coding][1](held)

    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    chunks = [data[a:b] for a, b in pairwise(places)]
    watched = Watched(task, *filter(None, chunks), mask=masks)
    found, as_it_came = watched.run()
    assert (watched.left, as_it_came) == (held, counts)
    assert set(found.groups) == set(inspection.groups) and found.fields == inspection.fields
    assert found.bytes_received == inspection.bytes_received


ENCLOSING = replace(
    LINES,
    spec=replace(
        LINES.spec,
        embedded=(EmbeddedSpec(("$.p",), Format.JSON, subject=({"account": ("$.owner",)},)),),
    ),
)


def test_the_owner_of_a_document_in_a_text_is_asked_about_as_it_comes() -> None:
    lines = [
        json.dumps({"owner": "me", "p": json.dumps({"owner": owner})}).encode() + b"\n"
        for owner in ("me", "foreign", "me")
    ]
    watched = Watched(ENCLOSING, *lines)
    _, counts = watched.run()
    assert watched.events == ["wait", "ask 1", "out 1", "wait", "ask 2", "wait", "out 2", "wait"]
    assert watched.left == lines[0] + lines[2] and counts == Counts(3, 2, 1)


@pytest.mark.parametrize("path", ["$.p", "$.p.owner", "$.*"])
def test_a_mask_on_a_document_ends_a_stream_before_anything_leaves(path: str) -> None:
    line = json.dumps({"owner": "me", "p": json.dumps({"owner": "me"})}).encode() + b"\n"
    watched = Watched(ENCLOSING, line, mask=(Mask(path),))
    with pytest.raises(BadUpstream) as refused:
        watched.run()
    assert refused.value.code is Code.REDACTION_UNSUPPORTED and watched.left == b""


def test_a_masked_document_may_not_take_an_owner_with_it() -> None:
    """What is left would look as if it were of fewer people than it is."""
    foreign = SubjectRef("account", "foreign")
    for owner, passes in (("me", True), ("foreign", False)):
        line = json.dumps({"owner": "me", "p": json.dumps({"owner": owner})}).encode() + b"\n"
        found = work.inspect(InMemory(line), ENCLOSING)
        decision = structs.replace(REDACT, permitted=frozenset({ME, foreign}), mask=(Mask("$.p"),))
        sink = MemorySink()
        counts = work.rewrite(InMemory(line), ENCLOSING, found, decision, sink)
        assert json.loads(sink.getvalue()) == {"owner": "me", "p": None}
        written = InMemory(sink.getvalue())
        if passes:
            work.confirm(written, ENCLOSING, found, decision, counts)
            continue
        with pytest.raises(BadUpstream) as refused:
            work.confirm(written, ENCLOSING, found, decision, counts)
        assert refused.value.code is Code.REDACTION_UNSUPPORTED


def test_a_reader_that_leaves_a_body_unread_is_found_out_however_small_the_body_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looking at the first bytes counts for nothing."""
    idle = SimpleNamespace(detect=lambda *_: None, inspect=lambda *_: None)
    monkeypatch.setattr(work, "_reader", lambda _: idle)
    with pytest.raises(BadUpstream) as refused:
        work.inspect(InMemory(b"{}"), PLAIN)
    assert refused.value.code is Code.BODY_INCOMPLETE
