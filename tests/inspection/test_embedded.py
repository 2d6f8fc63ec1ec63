"""Documents in texts of records: their owners are the records', too."""

import base64
import gzip
import json
import zlib
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.embedded import Embedded
from gateway.inspection.formats import javascript, jsonseq, ndjson, sse
from gateway.inspection.formats import json as json_format
from gateway.inspection.settings import BodySpec, EmbeddedSpec, Limits
from gateway.inspection.writable import Transfer
from gateway.model import Counts, SubjectRef
from gateway.model import Format as Name
from tests.inspection.test_textwritings import written
from tests.support.reading import Format, permit

NDJSON = Format(ndjson)
OWNER = ({"account": ("$.owner",)},)
ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")
PAYLOAD = EmbeddedSpec(("$.payload",), Name.JSON, subject=OWNER)
SPEC = BodySpec(Name.NDJSON, subject=OWNER, embedded=(PAYLOAD,))
ROWS = EmbeddedSpec(("$.file",), Name.CSV, transfer="base64", subject=({"account": ("owner",)},))


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def record(payload: Any, owner: str = "me") -> dict[str, Any]:
    return {"owner": owner, "payload": payload}


def text(value: Any) -> str:
    return json.dumps(value)


def reading(**changed: Any) -> BodySpec:
    """The payload, read in another way."""
    return replace(SPEC, embedded=(replace(PAYLOAD, **changed),))


# --- whose a record is ----------------------------------------------------------------------------


def test_whoever_owns_something_in_a_document_owns_its_record() -> None:
    """A53, A95."""
    body = lines(record(text({"owner": "foreign"})), record(text({"owner": "me"})), record(None))
    assert NDJSON.owners(body, SPEC) == {("me", "foreign"): 1, ("me",): 2}
    assert NDJSON.owners(body, replace(SPEC, embedded=())) == {("me",): 3}
    kept = b"".join(body.splitlines(keepends=True)[1:])
    assert NDJSON.rewrite(body, SPEC, permit(ME)) == (kept, Counts(3, 2, 1))
    assert NDJSON.rewrite(body, SPEC, permit(FOREIGN)) == (b"", Counts(3, 0, 3))
    assert NDJSON.rewrite(body, SPEC, permit(ME, FOREIGN)) == (body, Counts(3, 3))


def test_all_records_of_a_document_count() -> None:
    spec = reading(records="$.orders[*]")
    orders = [{"owner": "me"}, {"owner": "foreign"}]
    body = lines(record(text({"orders": orders})), record(text({"orders": []})))
    assert NDJSON.owners(body, spec) == {("me", "foreign"): 1, ("me",): 1}
    two = lines(record(text({"orders": orders, "of": {"name": "x"}})))
    assert NDJSON.owners(two, spec) == {(): 1}  # something in it that nobody owns


def test_something_without_an_owner_in_a_document_leaves_the_record_without_one() -> None:
    for inside in ({}, {"other": "me"}, "me", 1, [{"owner": "me"}]):
        assert NDJSON.owners(lines(record(text(inside))), SPEC) == {(): 1}
    assert NDJSON.owners(lines({"payload": text({"owner": "me"})}), SPEC) == {(): 1}


def test_where_only_documents_name_owners_a_record_without_one_has_none() -> None:
    spec = replace(SPEC, subject=())
    body = lines(record(text({"owner": "foreign"})), record(None), {})
    assert NDJSON.owners(body, spec) == {("foreign",): 1, (): 2}


def test_identifiers_are_as_exact_as_everywhere() -> None:
    """A93, A94: a text and a number are two owners."""
    assert NDJSON.owners(lines(record(text({"owner": 42}), "42")), SPEC) == {("42", 42): 1}
    for value in (True, None, 1.5, [], "", "me\n"):
        body = lines(record(text({"owner": value})))
        assert NDJSON.refusal(body, SPEC) is Code.BODY_AMBIGUOUS


def test_null_and_an_empty_text_hold_no_document() -> None:
    body = lines(record(None), record(""), {"owner": "me"})
    assert NDJSON.owners(body, SPEC) == {("me",): 3}


# --- what it is written in ------------------------------------------------------------------------


@pytest.mark.parametrize("transfer", get_args(Transfer))
def test_a_document_is_read_however_it_is_written(transfer: Transfer) -> None:
    """A53: base64, base64url, hex, data: URI."""
    spec = reading(transfer=transfer)
    mine, foreign = (
        record(written(text({"owner": owner}).encode(), transfer)) for owner in ("me", "foreign")
    )
    body = lines(mine, foreign)
    assert NDJSON.owners(body, spec) == {("me",): 1, ("me", "foreign"): 1}
    assert NDJSON.rewrite(body, spec, permit(ME))[0] == lines(mine)
    assert NDJSON.refusal(lines(record(text({"owner": "me"}))), spec) is Code.BODY_MALFORMED


def test_a_compressed_document_is_read_to_its_proven_end() -> None:
    """A53: base64url(gzip)."""
    packed = gzip.compress(text({"owner": "foreign"}).encode(), mtime=0)
    spec = reading(transfer="base64url", compression="gzip")

    def body(content: bytes) -> bytes:
        return lines(record(base64.urlsafe_b64encode(content).decode()))

    assert NDJSON.owners(body(packed), spec) == {("me", "foreign"): 1}
    for wrong in (packed[:-1], packed + b"x", packed[:-8] + bytes(8), b"\x1f\x8b", b"{}"):
        assert NDJSON.refusal(body(wrong), spec) is Code.CODING_MALFORMED
    named = packed[:3] + b"\x08" + packed[4:10] + b"foreign\0" + packed[10:]
    assert NDJSON.refusal(body(named), spec) is Code.MEMBER_UNSUPPORTED
    assert NDJSON.refusal(body(gzip.compress(b"")), spec) is Code.BODY_MALFORMED


@pytest.mark.parametrize(
    ("spec", "content"),
    [
        (ROWS, b"owner,n\r\n%b,1\r\n"),
        (replace(ROWS, encoding="utf-16", delimiter=";"), "owner;n\r\n%b;1\r\n"),
        (
            replace(ROWS, format=Name.XML, records="/a/b", subject=({"account": ("@owner",)},)),
            b'<a><b owner="%b"/></a>',
        ),
        (replace(ROWS, format=Name.NDJSON, subject=OWNER), b'{"owner":"%b"}\n'),
        (replace(ROWS, format=Name.SSE, subject=OWNER), b'data: {"owner":"%b"}\n\n'),
        (
            replace(ROWS, format=Name.VCARD, subject=({"account": ("EMAIL",)},)),
            b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:x\r\nEMAIL:%b\r\nEND:VCARD\r\n",
        ),
        (
            replace(ROWS, format=Name.EML, subject=({"account": ("X-Customer",)},)),
            b"X-Customer: %b\n\ntext\n",
        ),
        (
            replace(ROWS, format=Name.FHIR, subject=({"account": ("Patient",)},), base=()),
            b'{"resourceType":"Condition","subject":{"reference":"Patient/%b"}}',
        ),
    ],
)
def test_a_document_is_of_any_format_that_is_read_in_one_piece(
    spec: EmbeddedSpec, content: bytes | str
) -> None:
    encoded = content.encode("utf-16") if isinstance(content, str) else content
    for owner in ("me", "foreign"):
        of = owner.encode("utf-16-le") if isinstance(content, str) else owner.encode()
        sign = "%b".encode("utf-16-le") if isinstance(content, str) else b"%b"
        body = lines(record(None) | {"file": base64.b64encode(encoded.replace(sign, of)).decode()})
        value = f"Patient/{owner}" if spec.format is Name.FHIR else owner
        expected = ("me",) if value == "me" else ("me", value)
        assert NDJSON.owners(body, replace(SPEC, embedded=(spec,))) == {expected: 1}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("{", Code.BODY_MALFORMED), ("me", Code.BODY_MALFORMED), (" ", Code.BODY_MALFORMED),
        ('{"owner":"me"}{"owner":"foreign"}', Code.BODY_MALFORMED),
        ('{"owner":"me"} //', Code.BODY_MALFORMED), ("{'owner':'me'}", Code.BODY_MALFORMED),
        ('{"owner":"me","owner":"foreign"}', Code.BODY_AMBIGUOUS),
        ('{"owner":"me","Owner":"foreign"}', Code.BODY_AMBIGUOUS),
        ('{"owner":"me","a":NaN}', Code.BODY_MALFORMED),
        ("[" * 200 + "]" * 200, Code.BODY_TOO_COMPLEX),
        ('{"owner":"\\ud800"}', Code.BODY_MALFORMED),
        ("<a owner='me'/>", Code.FORMAT_MISMATCH), ("%PDF-1.7", Code.FORMAT_MISMATCH),
        ({"owner": "me"}, Code.FORMAT_MISMATCH), (1, Code.FORMAT_MISMATCH),
        (True, Code.FORMAT_MISMATCH), (["{}"], Code.FORMAT_MISMATCH),
    ],
)  # fmt: skip
def test_what_is_not_the_declared_document_is_refused(payload: Any, code: Code) -> None:
    """A44, A48, A49, A51, A52 in a text. The pass twin of each is a document of mine."""
    assert NDJSON.refusal(lines(record(payload)), SPEC) is code
    assert NDJSON.owners(lines(record('{"owner":"me"}')), SPEC) == {("me",): 1}


def test_a_note_says_that_it_was_a_document_and_nothing_of_it() -> None:
    with pytest.raises(BadUpstream) as caught:
        NDJSON.inspect(lines(record('{"owner": "canary')), SPEC)
    assert caught.value.note.startswith("an embedded document: ")
    assert "canary" not in caught.value.note


def test_a_name_that_looks_like_the_place_of_a_document_is_refused() -> None:
    """A52."""
    for name in ("Payload", "payload ", "PAYLOAD", "\uff50ayload"):
        body = lines(record(None) | {name: text({"owner": "foreign"})})
        assert NDJSON.refusal(body, SPEC) is Code.BODY_AMBIGUOUS


# --- where it stands ------------------------------------------------------------------------------

FILES = replace(
    SPEC,
    embedded=(
        replace(PAYLOAD, at=("$.files[*].data",), when={"type": ("application/json", "a/b")}),
        replace(ROWS, at=("$.files[*].data",), transfer="base64", when={"type": ("text/csv",)}),
        EmbeddedSpec(("$.files[*].data",), Name.OPAQUE, {"type": ("application/pdf",)}, "base64"),
    ),
)


def test_what_stands_beside_a_text_says_how_it_is_read() -> None:
    table = base64.b64encode(b"owner\r\nforeign\r\n").decode()
    picture = base64.b64encode(b"%PDF-1.7").decode()
    files = [
        {"type": "application/json", "data": text({"owner": "me"})},
        {"type": "text/csv", "data": table},
        {"type": "application/pdf", "data": picture},
        {"type": "unknown"},
    ]
    both = ("me", "foreign")
    for count, owners in enumerate((("me",), ("me",), both, both, both)):
        body = lines({"owner": "me", "files": files[:count]})
        assert NDJSON.owners(body, FILES) == {owners: 1}


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ({"type": "application/JSON"}, Code.MEMBER_UNSUPPORTED), ({}, Code.MEMBER_UNSUPPORTED),
        ({"type": "application/json; charset=utf-8"}, Code.MEMBER_UNSUPPORTED),
        ({"type": ["application/pdf"]}, Code.MEMBER_UNSUPPORTED),
        ({"type": None}, Code.MEMBER_UNSUPPORTED),
        ({"type": "application/pdf"}, Code.BODY_MALFORMED),
        ({"type": "text/csv"}, Code.BODY_MALFORMED),
        ({"type": "application/json", "Type": "application/pdf"}, Code.BODY_AMBIGUOUS),
        ({"TYPE": "application/pdf"}, Code.BODY_AMBIGUOUS),
    ],
)  # fmt: skip
def test_a_text_that_no_entry_reads_is_refused(file: dict[str, Any], code: Code) -> None:
    body = lines({"owner": "me", "files": [file | {"data": text({"owner": "foreign"})}]})
    assert NDJSON.refusal(body, FILES) is code


def test_a_document_stands_anywhere_in_a_record() -> None:
    inside = text({"owner": "foreign"})
    for at, value in (
        ("$", inside), ("$[*]", [inside]), ("$.*", {"x": inside}),
        ("$['a b'][*].*", {"a b": [{"c": inside}]}),
    ):  # fmt: skip
        spec = replace(SPEC, subject=(), embedded=(replace(PAYLOAD, at=(at,)),))
        assert NDJSON.owners(lines([value])[1:-2] + b"\n", spec) == {("foreign",): 1}


def test_a_record_that_bars_the_way_to_a_document_is_refused() -> None:
    spec = reading(at=("$.files[*].data",))
    doc = text({"owner": "foreign"})
    for files in ({"data": doc}, [[{"data": doc}]], [doc], doc, [{"data": doc}, doc], 1):
        assert NDJSON.refusal(lines({"owner": "me", "files": files}), spec) is Code.FORMAT_MISMATCH
    for files in ([{"data": doc}], [{"data": doc}, {}]):
        assert NDJSON.owners(lines({"owner": "me", "files": files}), spec) == {("me", "foreign"): 1}
    for files in (None, "", [], {}, [{}], [None], [{"data": None}], [{"name": doc}]):
        assert NDJSON.owners(lines({"owner": "me", "files": files}), spec) == {("me",): 1}
    assert NDJSON.owners(lines({"owner": "me"}), spec) == {("me",): 1}


def test_where_exports_differ_several_places_name_several_shapes() -> None:
    listed = replace(PAYLOAD, at=("$.files[*].data",))
    spec = replace(SPEC, embedded=(listed, replace(PAYLOAD, at=("$.files.data",))))
    doc = text({"owner": "foreign"})
    for files in ([{"data": doc}], {"data": doc}):
        assert NDJSON.owners(lines({"owner": "me", "files": files}), spec) == {("me", "foreign"): 1}
    assert NDJSON.refusal(lines({"owner": "me", "files": doc}), spec) is Code.FORMAT_MISMATCH


def test_a_record_that_is_a_document_bars_the_way_to_one_in_it() -> None:
    """Its owner stands above it."""
    above = replace(SPEC, records="$.o[*]", subject=({"account": ("$^^.id",)},))
    form = Format(json_format)
    doc = text({"owner": "foreign"})
    assert form.refusal(text({"id": "me", "o": [doc]}).encode(), above) is Code.FORMAT_MISMATCH
    kept = text({"id": "me", "o": [record(doc)]}).encode()
    assert form.owners(kept, above) == {("me", "foreign"): 1, ("me",): 1}  # what is around it


def test_the_way_to_a_document_in_a_document_must_be_open_too() -> None:
    inner = replace(PAYLOAD, at=("$.payload", "$.data.file"))
    spec = replace(SPEC, embedded=(PAYLOAD, inner))
    doc = text({"owner": "foreign"})
    for data, code in (([{"file": doc}], Code.FORMAT_MISMATCH), ({"file": doc}, None)):
        body = lines(record(text({"owner": "me", "data": data})))
        assert NDJSON.refusal(body, spec) is code if code else NDJSON.owners(body, spec)


def test_a_document_in_a_document_is_read_where_it_is_declared() -> None:
    inner = replace(PAYLOAD, at=("$.payload", "$.data"), transfer="base64")
    table = replace(ROWS, at=("$.payload", "$.data", "$.file"))
    spec = replace(SPEC, embedded=(PAYLOAD, inner, table))

    def nested(*owners: str) -> bytes:
        rows = base64.b64encode(f"owner\r\n{owners[2]}\r\n".encode()).decode()
        middle = text({"owner": owners[1], "file": rows}).encode()
        data = base64.b64encode(middle).decode()
        return lines(record(text({"owner": owners[0], "data": data})))

    assert NDJSON.owners(nested("me", "me", "me"), spec) == {("me",): 1}
    assert NDJSON.owners(nested("me", "me", "foreign"), spec) == {("me", "foreign"): 1}
    assert NDJSON.owners(nested("a", "b", "c"), spec) == {("me", "a", "b", "c"): 1}
    assert NDJSON.rewrite(nested("me", "me", "foreign"), spec, permit(ME))[0] == b""
    shallow = Format(ndjson, limits=Limits(embedding_depth=2))
    assert shallow.refusal(nested("me", "me", "me"), spec) is Code.BODY_TOO_COMPLEX
    assert shallow.owners(lines(record(None)), replace(spec, embedded=spec.embedded[:2]))


def test_every_format_of_json_has_documents() -> None:
    mine, other = (text(record(text({"owner": owner}))).encode() for owner in ("me", "foreign"))
    both = {("me",): 1, ("me", "foreign"): 1}
    whole = {
        sse: (b"data: %b\n\n", b""), jsonseq: (b"\x1e%b\n", b""),
        json_format: (b'{"n": 2, "a": [%b', b"]}"), javascript: (b'x = {"n": 2, "a": [%b', b"]};"),
    }  # fmt: skip
    for module, (before, after) in whole.items():
        form = Format(module)
        framed = module in (sse, jsonseq)
        spec = SPEC if framed else replace(SPEC, records="$.a[*]", totals=())
        first = before % mine
        second = before % other if framed else b"," + other
        assert form.owners(first + second + after, spec) == both
        assert form.rewrite(first + second + after, spec, permit(ME))[0] == first + after


def test_owners_above_the_records_and_documents_in_them_are_of_one_record() -> None:
    above = ({"account": ("$^^.id",)},)
    spec = replace(SPEC, records="$.c[*].o[*]", subject=above)
    body = text({"c": [{"id": "me", "o": [record(text({"owner": "foreign"})), {}]}]}).encode()
    form = Format(json_format)
    assert form.owners(body, spec) == {("me", "foreign"): 1, ("me",): 2}
    rewritten, counts = form.rewrite(body, spec, permit(ME))
    assert json.loads(rewritten) == {"c": [{"id": "me", "o": [{}]}]}
    assert counts == Counts(3, 2, 1)


# --- what looks like a document and is declared nowhere -------------------------------------------


def test_an_undeclared_document_is_refused_where_the_endpoint_says_so() -> None:
    """A53."""
    strict = replace(SPEC, undeclared="refuse")
    body = lines(record(text({"owner": "me", "note": "x"})) | {"note": "see: {x}"})
    assert NDJSON.owners(body, strict) == {("me",): 1}
    for hidden in (
        record(None) | {"note": text({"owner": "foreign"})},
        record(None) | {"note": [base64.b64encode(b'{"owner": "foreign"}').decode()]},
        record(text({"owner": "me", "payload": text({"owner": "foreign"})})),
        record(text({"owner": "me", text({"owner": "foreign"}): 1})),
    ):
        assert NDJSON.refusal(lines(hidden), strict) is Code.MEMBER_UNSUPPORTED
        assert NDJSON.owners(lines(hidden), SPEC) == {("me",): 1}


def test_around_the_records_of_a_document_it_is_refused_too() -> None:
    strict = replace(SPEC, format=Name.JSON, records="$.a[*]", undeclared="refuse")
    form = Format(json_format)
    for body in ({"n": text({"owner": "x"}), "a": []}, {"a": [record(None)], "n": "<a/>"}):
        assert form.refusal(text(body).encode(), strict) is Code.MEMBER_UNSUPPORTED
    honest = text({"n": "x", "a": [record(text({"owner": "foreign"}))]}).encode()
    assert form.owners(honest, strict) == {("me", "foreign"): 1}
    inner = replace(strict, embedded=(replace(PAYLOAD, records="$.b[*]"),))
    hidden = {"a": [record(text({"n": text({"owner": "x"}), "b": [{"owner": "me"}]}))]}
    assert form.refusal(text(hidden).encode(), inner) is Code.MEMBER_UNSUPPORTED


def test_an_opaque_document_is_none_that_could_be_read() -> None:
    strict = replace(FILES, undeclared="refuse")
    for content, code in ((b'{"owner":"foreign"}', Code.FORMAT_MISMATCH), (b"%PDF-1.7", None)):
        data = base64.b64encode(content).decode()
        body = lines({"owner": "me", "files": [{"type": "application/pdf", "data": data}]})
        assert NDJSON.owners(body, FILES) == {("me",): 1}
        if code:
            assert NDJSON.refusal(body, strict) is code
        else:
            assert NDJSON.owners(body, strict) == {("me",): 1}


# --- masks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["$.payload.name", "$.*.name", "$['payload'][*]", "$.payload.a.b"])
def test_a_mask_into_a_document_is_refused(path: str) -> None:
    body = lines(record(text({"owner": "me", "name": "x"})))
    with pytest.raises(BadUpstream) as caught:
        NDJSON.rewrite(body, SPEC, permit(ME, mask=(path,)))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    assert caught.value.note == "a mask of something in an embedded document"


def test_a_document_is_masked_as_a_whole() -> None:
    body = lines(record(text({"owner": "me"})) | {"n": {"name": 1}})
    masked = lines(record(None) | {"n": {"name": None}})
    assert NDJSON.rewrite(body, SPEC, permit(ME, mask=("$.payload", "$.n.name")))[0] == masked


# --- limits ---------------------------------------------------------------------------------------


def test_a_thousand_texts_in_each_other_are_as_much_work_as_is_declared() -> None:
    content = b'{"owner":"foreign"}'
    for _ in range(20):
        content = base64.b64encode(content)
    assert NDJSON.refusal(lines(record(content.decode())), SPEC) is Code.BODY_MALFORMED
    way = tuple("$" for _ in range(1000))
    spec = replace(SPEC, embedded=tuple(replace(PAYLOAD, at=way[:n]) for n in range(1, 1001)))
    assert NDJSON.refusal(lines(record(None)), spec) is Code.BODY_TOO_COMPLEX


def test_too_many_documents_in_one_record_are_refused() -> None:
    spec = replace(SPEC, embedded=(replace(PAYLOAD, at=("$.a[*]",)),))
    inside = text({"owner": "me"})
    assert NDJSON.owners(lines({"owner": "me", "a": [inside] * 4096}), spec) == {("me",): 1}
    with pytest.raises(BadUpstream) as caught:
        NDJSON.inspect(lines({"owner": "me", "a": [inside] * 4097}), spec)
    assert caught.value.code is Code.BODY_TOO_COMPLEX


def test_a_bomb_is_refused_and_so_are_many_small_ones() -> None:
    """A11."""
    spec = reading(transfer="base64", compression="gzip")
    small = Format(ndjson, limits=Limits(ratio=10))

    def packed(size: int) -> dict[str, Any]:
        content = b'{"owner":"me"}'.ljust(size)
        return record(base64.b64encode(gzip.compress(content, mtime=0)).decode())

    assert small.owners(lines(packed(900_000)), spec) == {("me",): 1}
    for records in ([packed(4_000_000)], [packed(900_000)] * 2):
        with pytest.raises(BadUpstream) as caught:
            small.inspect(lines(*records), spec)
        assert caught.value.code is Code.BODY_TOO_LARGE


def test_the_subjects_of_all_documents_count_against_the_limit() -> None:
    few = Format(ndjson, limits=Limits(subjects=3))
    bodies = [lines(*(record(text({"owner": f"a{n}"})) for n in range(most))) for most in (2, 3)]
    assert few.owners(bodies[0], SPEC)
    assert few.refusal(bodies[1], SPEC) is Code.BODY_TOO_COMPLEX


def test_documents_are_read_no_further_than_the_owners_of_one_record_may_go() -> None:
    """What comes then would be another refusal."""
    few = Format(ndjson, limits=Limits(subjects=3))
    spec = replace(SPEC, subject=(), embedded=(replace(PAYLOAD, at=("$.a[*]",)),))
    read = [text({"owner": f"a{n}"}) for n in range(4)]
    assert few.refusal(lines({"a": [*read, "{"]}), spec) is Code.BODY_TOO_COMPLEX
    assert few.refusal(lines({"a": [*read[:3], "{"]}), spec) is Code.BODY_MALFORMED
    assert few.owners(lines({"a": [*read[:3], *read[:3]]}), spec) == {("a0", "a1", "a2"): 1}


def test_an_unknown_or_random_format_is_refused_where_it_is_not_configured_away() -> None:
    for form in (Name.ZIP, Name.PARQUET):
        with pytest.raises(BadUpstream) as caught:
            Embedded(reading(format=form), Limits())
        assert caught.value.code is Code.MEMBER_UNSUPPORTED


def test_owners_of_an_opaque_document_are_not_asked_for_in_vain() -> None:
    asked = reading(format=Name.OPAQUE, subject=({"account": ("pdf:Subject",)},))
    with pytest.raises(BadUpstream) as caught:
        Embedded(asked, Limits())
    assert caught.value.code is Code.MEMBER_UNSUPPORTED
    assert not Embedded(reading(format=Name.OPAQUE, subject=()), Limits()).idle


# --- properties -----------------------------------------------------------------------------------

_OWNERS = st.sampled_from(["me", "foreign", "third"])
_BESIDE = st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers() | st.none())


@given(
    st.lists(st.tuples(_OWNERS, st.lists(_OWNERS, max_size=3), _BESIDE), max_size=6),
    st.sampled_from((None, *get_args(Transfer))),
    st.sampled_from((None, "gzip")),
)
def test_no_record_leaves_whose_document_is_of_somebody_else(
    given_records: list[tuple[str, list[str], Any]], transfer: Transfer | None, packed: str | None
) -> None:
    packed = packed if transfer else None
    spec = reading(records="$[*]", transfer=transfer, compression=packed)

    def payload(owners: list[str], beside: Any) -> str:
        shown = {name: value for name, value in beside.items() if name.casefold() != "owner"}
        content = text([shown | {"owner": owner} for owner in owners]).encode()
        content = gzip.compress(content, mtime=0) if packed else content
        return written(content, transfer) if transfer else content.decode()

    records = [record(payload(owners, beside), own) for own, owners, beside in given_records]
    rewritten, counts = NDJSON.rewrite(lines(*records), spec, permit(ME))
    kept = [
        each
        for each, (own, owners, _) in zip(records, given_records, strict=True)
        if {own, *owners} == {"me"}
    ]
    assert rewritten == lines(*kept)
    assert counts == Counts(len(records), len(kept), len(records) - len(kept))
    assert NDJSON.inspect(rewritten, spec).records == len(kept)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    body = lines(record(base64.b64encode(content).decode()))
    NDJSON.verdict(body, reading(transfer="base64"))
    NDJSON.verdict(lines(record(content.decode("latin-1"))), SPEC)
    squeezed = base64.b64encode(zlib.compress(content)).decode()
    verdict = NDJSON.verdict(
        lines(record(squeezed)), reading(transfer="base64", compression="gzip")
    )
    assert verdict == Code.CODING_MALFORMED
