"""FHIR bodies: Bundles, single resources and bulk lines, and exactly what is permitted is left."""

import base64
import io
import json as stdlib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.formats import fhir
from gateway.inspection.formats import zip as archives
from gateway.inspection.settings import BodySpec, EmbeddedSpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import Body, InMemory
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts, Decision, Effect, SubjectRef
from gateway.model import Format as Name
from gateway.response import Payload
from tests.support.reading import Format, permit, spaced
from tests.support.zips import M, archive

FHIR = Format(fhir)
BASE = "https://h.example/r4"
SPEC = BodySpec(
    Name.FHIR,
    subject=({"fhir": ("Patient",)},),
    base=(BASE,),
    categories={"Condition": "diagnosis"},
)
LINES = BodySpec(Name.FHIR, subject=({"fhir": ("Patient",)},), lines=True)
ME = SubjectRef("fhir", "Patient/me")
SELF = {"relation": "self", "url": f"{BASE}/Observation?patient=foreign"}
OUTCOME = {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}


def about(owner: str, id: str = "1", kind: str = "Observation", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": kind, "id": id, "subject": {"reference": f"Patient/{owner}"}, **more,
    }  # fmt: skip


def entry(resource: Any, mode: str = "match") -> dict[str, Any]:
    return {
        "fullUrl": f"{BASE}/{resource['resourceType']}/{resource['id']}",
        "resource": resource,
        "search": {"mode": mode},
    }


def doctor(id: str = "9") -> dict[str, Any]:
    return entry({"resourceType": "Practitioner", "id": id}, "include")


def bundle(*entries: Any, **more: Any) -> dict[str, Any]:
    whole = {"resourceType": "Bundle", "type": "searchset", **more}
    return {**whole, "entry": list(entries)} if entries else whole


def body(*entries: Any, **more: Any) -> bytes:
    return stdlib.dumps(bundle(*entries, **more), indent=1).encode()


def kept(*entries: Any, verdict: Verdict | None = None, **more: Any) -> Any:
    text, counts = FHIR.rewrite(body(*entries, **more), SPEC, verdict or permit(ME))
    assert sum(FHIR.owners(text, SPEC).values()) == counts.released
    return stdlib.loads(text)


def test_each_entry_is_a_record_of_its_patient() -> None:
    patient = entry({"resourceType": "Patient", "id": "me"})
    whole = body(patient, entry(about("me")), entry(about("foreign")), doctor(), total=3)
    assert FHIR.owners(whole, SPEC) == {("Patient/me",): 2, ("Patient/foreign",): 1, (): 1}


def test_a_foreign_entry_goes_and_the_total_with_it() -> None:
    mine, foreign = entry(about("me")), entry(about("foreign"))
    assert kept(mine, foreign, mine, total=3) == bundle(mine, mine, total=2)
    assert kept(mine, foreign, doctor(), total=7) == bundle(mine, total=6)
    assert kept(mine, foreign, total=2, type="history") == bundle(mine, total=1, type="history")


def test_a_total_that_does_not_count_the_entries_is_ambiguous() -> None:
    for total in 0, "2", 1.5:
        with pytest.raises(BadUpstream) as caught:
            kept(entry(about("foreign")), total=total)
        assert caught.value.code is Code.BODY_AMBIGUOUS
    assert kept(doctor(), entry(about("me")), total=1)["total"] == 1


def test_links_stay_unless_something_of_somebody_goes() -> None:
    """They hold the search, which may name the foreign patient."""
    mine, link = entry(about("me")), [SELF, {"relation": "next", "url": f"{BASE}?page=2"}]
    assert kept(mine, doctor(), OUTCOME, link=link) == bundle(mine, link=link)
    assert kept(mine, entry(about("foreign")), link=link) == bundle(mine)
    assert kept(mine, {"response": {"status": "404"}}, link=link) == bundle(mine)
    assert kept(mine, link=link, extension=[{"url": "x"}]) == bundle(mine)


def test_without_an_entry_left_there_is_no_empty_list() -> None:
    foreign = entry(about("foreign"))
    assert kept(foreign, foreign, total=2, link=[SELF]) == bundle(total=0)
    assert kept(entry=[]) == bundle() | {"entry": []}
    for whole in (
        b'{"entry":[{}],"resourceType":"Bundle","type":"batch"}',
        b'{"resourceType":"Bundle",\
"type":"batch","entry" : [ {} ] }',
        b'{"resourceType":"Bundle","entry":[{}],"type":"batch"}',
    ):
        text, _ = FHIR.rewrite(whole, SPEC, permit(ME))
        assert stdlib.loads(text) == {"resourceType": "Bundle", "type": "batch"}


def test_a_bundle_without_entries_is_empty() -> None:
    whole = body(total=0, link=[SELF])
    assert FHIR.owners(whole, SPEC) == {}
    assert FHIR.rewrite(whole, SPEC, permit(ME)) == (whole, Counts())


def test_without_a_base_absolute_urls_mean_nobody() -> None:
    unknown = BodySpec(Name.FHIR, subject=SPEC.subject)
    assert FHIR.owners(body(entry(about("me"))), unknown) == {(): 1}
    assert FHIR.owners(body({"resource": about("me")}), unknown) == {("Patient/me",): 1}


def test_a_bundle_of_uuids_is_resolved_in_any_order() -> None:
    """As Synthea writes it: each reference is to another entry."""
    urls = {n: f"urn:uuid:{n:08}-4be2-4561-91ce-51548425acb9" for n in range(4)}

    def uuid(n: int, kind: str, **more: Any) -> dict[str, Any]:
        id = urls[n].removeprefix("urn:uuid:")
        return {"fullUrl": urls[n], "resource": {"resourceType": kind, "id": id, **more}}

    me, foreign, practitioner = uuid(0, "Patient"), uuid(1, "Patient"), uuid(2, "Practitioner")

    def seen(n: int) -> dict[str, Any]:
        by = [{"reference": urls[2]}]
        return uuid(3, "Observation", subject={"reference": urls[n]}, performer=by)

    whole = body(seen(0), seen(1), me, foreign, practitioner, type="transaction")
    mine = SubjectRef("fhir", f"Patient/{me['resource']['id']}")
    assert FHIR.owners(whole, SPEC)[(mine.value,)] == 2
    text, counts = FHIR.rewrite(whole, SPEC, permit(mine))
    assert stdlib.loads(text) == bundle(seen(0), me, type="transaction")
    assert FHIR.owners(text, SPEC) == {(mine.value,): 2}
    assert counts == Counts(seen=5, released=2, redacted=3)


def test_a_patient_that_others_refer_to_does_not_go_alone() -> None:
    url = "urn:uuid:00000000-4be2-4561-91ce-51548425acb9"
    patient = {"fullUrl": url, "resource": {"resourceType": "Patient", "id": url[9:]}}
    spec = BodySpec(Name.FHIR, subject=SPEC.subject, categories={"Patient": "person"})
    mine = SubjectRef("fhir", f"Patient/{url[9:]}")
    decision = Decision(Effect.REDACT, frozenset({mine}), False, frozenset({"person"}), (), (), "r")
    with pytest.raises(BadUpstream) as caught:
        FHIR.rewrite(body(patient), spec, Verdict(decision))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    named = entry({"resourceType": "Patient", "id": "me"})
    assert FHIR.rewrite(body(named), SPEC, permit())[1] == Counts(1, 0, 1)


@pytest.mark.parametrize(
    "kind", ["document", "message", "batch-response", "transaction-response", "x", None, [], {}]
)
def test_a_bundle_that_is_one_thing_stays_whole_or_goes(kind: Any) -> None:
    mine = entry(about("me"))
    whole = body(mine, type=kind)
    assert FHIR.rewrite(whole, SPEC, permit(ME, unattributed=True))[0] == whole
    for more in (entry(about("foreign")),), (doctor(),):
        with pytest.raises(BadUpstream) as caught:
            FHIR.rewrite(body(mine, *more, type=kind), SPEC, permit(ME))
        assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_a_signature_is_nobodys_and_does_not_go_alone() -> None:
    signed = body(entry(about("me")), type="document", signature={"data": "MA=="})
    assert FHIR.owners(signed, SPEC) == {("Patient/me",): 1, (): 1}
    with pytest.raises(BadUpstream) as caught:
        FHIR.rewrite(signed, SPEC, permit(ME))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_a_resource_that_stands_alone_is_one_record() -> None:
    mine = stdlib.dumps(about("me", note=[{"text": "x"}])).encode()
    assert FHIR.owners(mine, SPEC) == {("Patient/me",): 1}
    assert FHIR.rewrite(mine, SPEC, permit(ME))[0] == mine
    masked, _ = FHIR.rewrite(mine, SPEC, permit(ME, mask=("$.note[*].text",)))
    assert stdlib.loads(masked) == about("me", note=[{"text": None}])
    with pytest.raises(BadUpstream) as caught:
        FHIR.rewrite(mine, SPEC, permit())
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_a_list_is_no_bundle_although_it_has_entries() -> None:
    listed = stdlib.dumps(about("me", kind="List", entry=[{"item": {"reference": "x"}}])).encode()
    assert FHIR.owners(listed, SPEC) == {("Patient/me",): 1}
    assert FHIR.rewrite(listed, SPEC, permit(ME))[0] == listed


@pytest.mark.parametrize(
    ("whole", "code"),
    [
        (b"", Code.BODY_MALFORMED),
        (b"[]", Code.BODY_AMBIGUOUS),
        (b"1", Code.BODY_AMBIGUOUS),
        (b'"Bundle"', Code.BODY_AMBIGUOUS),
        (b"<Bundle/>", Code.BODY_MALFORMED),
        (b'{"resourceType":"Bundle"', Code.BODY_MALFORMED),
        (b'{"resourceType":"Bundle","entry":[{}]}{}', Code.BODY_MALFORMED),
        (b'{"resourceType":"Bundle","resourceType":"List"}', Code.BODY_AMBIGUOUS),
        (b'{"resourceType":"Bundle","entry":[],"entry":[{}]}', Code.BODY_AMBIGUOUS),
        (b'{"resourceType":"Bundle","Entry":[{}]}', Code.BODY_AMBIGUOUS),
        (b'{"resourceType":"Bundle","entry":{}}', Code.BODY_AMBIGUOUS),
        (b'{"resourceType":"Bundle","entry":[{"resource":{},"Resource":{}}]}', Code.BODY_AMBIGUOUS),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", Code.BODY_TOO_COMPLEX),
    ],
)
def test_what_is_no_fhir_document_is_refused(whole: bytes, code: Code) -> None:
    assert FHIR.refusal(whole, SPEC) is code


def test_an_entry_is_bounded_and_a_bundle_is_not() -> None:
    small = Format(fhir, Limits(record=400), chunk=61)
    whole = body(*[entry(about("me"))] * 50)
    assert len(whole) > 4_000
    assert small.owners(whole, SPEC) == {("Patient/me",): 50}
    assert small.refusal(body(entry(about("me", note="x" * 400))), SPEC) is Code.BODY_TOO_LARGE
    alone = stdlib.dumps(about("me", a="x" * 300, b="x" * 300)).encode()
    assert small.refusal(alone, SPEC) is Code.BODY_TOO_LARGE


def test_masks_change_their_value_only() -> None:
    mine = entry(about("me", note=[{"text": "x"}]))
    left = kept(mine, entry(about("foreign")), verdict=permit(ME, mask=("$.note[*].text",)))
    assert left == bundle(entry(about("me", note=[{"text": None}])))


def test_a_resource_a_line_is_read_as_a_bulk_export_is() -> None:
    """Where there is no fullUrl, and no entry to refer to."""
    lines = [about("me"), about("foreign"), {"resourceType": "Practitioner", "id": "9"},
             bundle(entry(about("me"))), about("me", kind="Condition")]  # fmt: skip
    whole = b"".join(stdlib.dumps(line).encode() + b"\n" for line in lines)
    assert FHIR.owners(whole, LINES) == {("Patient/me",): 2, ("Patient/foreign",): 1, (): 2}
    text, counts = FHIR.rewrite(whole, LINES, permit(ME, mask=("$.id",)))
    assert [stdlib.loads(line) for line in text.splitlines()] == [
        about("me") | {"id": None}, about("me", kind="Condition") | {"id": None},
    ]  # fmt: skip
    assert counts == Counts(seen=5, released=2, redacted=3)
    assert FHIR.refusal(whole + b"\n", LINES) is Code.BODY_AMBIGUOUS


def test_a_bulk_export_may_come_in_an_archive() -> None:
    member = MemberSpec("*.ndjson", Name.FHIR, subject=LINES.subject, lines=True)
    spec = BodySpec(Name.ZIP, members=(member,))
    lines = [stdlib.dumps(about(owner)).encode() + b"\n" for owner in ("me", "foreign", "me")]
    whole = archive(M("Observation.ndjson", b"".join(lines)))
    tally, left = Tally(Limits()), MemorySink()
    archives.inspect(Body(InMemory(whole), (), Limits()), spec, Limits(), tally)
    assert [(group.owners[0].value, group.records) for group in tally.groups] == [
        ("Patient/me", 2), ("Patient/foreign", 1),
    ]  # fmt: skip
    archives.rewrite(Body(InMemory(whole), (), Limits()), spec, Limits(), permit(ME), left)
    with zipfile.ZipFile(io.BytesIO(left.getvalue())) as kept:
        assert kept.read("Observation.ndjson") == lines[0] + lines[2]


def test_the_declared_type_says_whether_it_is_lines() -> None:
    def detect(spec: BodySpec, media_type: str, head: bytes = b"{") -> None:
        fhir.detect(Payload(media_type), head, spec)

    detect(SPEC, "application/fhir+json")
    detect(LINES, "application/fhir+ndjson")
    detect(SPEC, "application/json")  # where the configuration says so; see `work`
    for spec, media_type, head in (
        (SPEC, "application/fhir+ndjson", b"{"),
        (LINES, "application/fhir+json", b"{"),
        (SPEC, "application/fhir+json", b"<Bundle xmlns='http://hl7.org/fhir'/>"),
        (LINES, "application/fhir+ndjson", b"PK\x03\x04"),
    ):
        with pytest.raises(BadUpstream) as caught:
            detect(spec, media_type, head)
        assert caught.value.code is Code.FORMAT_MISMATCH


@settings(max_examples=150, deadline=None)
@given(
    owners=st.lists(st.sampled_from(["me", "foreign", "é", ""]), max_size=12),
    doctors=st.integers(0, 3),
    seed=st.integers(0, 1 << 30),
    chunk=st.sampled_from([1, 7, 100, 1 << 18]),
)
def test_a_redacted_bundle_has_exactly_the_permitted_entries_however_it_is_cut(
    owners: list[str], doctors: int, seed: int, chunk: int
) -> None:
    entries = [entry(about(owner, str(n))) for n, owner in enumerate(owners)]
    entries += [doctor(str(n)) for n in range(doctors)]
    whole = spaced(bundle(*entries, total=len(owners), link=[SELF]), seed)
    reading = Format(fhir, Limits(record=4_000), chunk)
    text, counts = reading.rewrite(whole, SPEC, permit(ME))
    mine = [each for each, owner in zip(entries, owners, strict=False) if owner == "me"]
    expected = bundle(*mine, total=len(mine))
    assert stdlib.loads(text) == (
        expected if len(mine) < len(owners) else expected | {"link": [SELF]}
    )
    assert counts == Counts(len(entries), len(mine), len(entries) - len(mine))
    assert reading.owners(text, SPEC) == ({("Patient/me",): len(mine)} if mine else {})
    assert reading.rewrite(text, SPEC, permit(ME)) == (text, Counts(len(mine), len(mine)))


# Files that nobody here wrote

BULK = "exports/fhir-bulk"


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "most", "distinct", "records"),
    [("Patient", 1, 13, 13), ("Condition", 219, 13, 555), ("AllergyIntolerance", 8, 2, 11)],
)
def test_bulk_files_have_the_subjects_their_manifest_lists(
    corpus: Path, name: str, most: int, distinct: int, records: int
) -> None:
    found = FHIR.owners((corpus / BULK / f"{name}.000.ndjson").read_bytes(), LINES)
    assert (max(found.values()), len(found), sum(found.values())) == (most, distinct, records)
    assert all(len(owners) == 1 and owners[0].startswith("Patient/") for owners in found)


@pytest.mark.corpus
def test_a_bundle_of_all_bulk_files_keeps_exactly_what_is_about_her(corpus: Path) -> None:
    value = "Patient/79a66c97-6131-3213-f3c9-4606946ab056"
    lines = [
        line
        for path in sorted((corpus / BULK).glob("*.ndjson"))
        for line in path.read_bytes().splitlines()
    ]
    whole = b'{"resourceType":"Bundle","type":"collection","entry":['
    whole += b",\n".join(b'{"resource":%b}' % line for line in lines) + b"]}"
    spec = BodySpec(Name.FHIR, subject=SPEC.subject)
    text, counts = FHIR.rewrite(whole, spec, permit(SubjectRef("fhir", value)))
    assert counts == Counts(seen=579, released=220, redacted=359)
    assert len(stdlib.loads(text)["entry"]) == 220
    assert FHIR.owners(text, spec) == {(value,): 220}


# --- attachments ----------------------------------------------------------------------------------

_TYPES = (
    ("application/json", Name.JSON, ({"fhir": ("$.patient",)},)),
    ("application/fhir+json", Name.FHIR, SPEC.subject),
    ("text/xml", Name.XML, ({"fhir": ("@patient",)},)),
    ("application/pdf", Name.OPAQUE, ()),
)
WITHIN = ("$.content[*].attachment.data", "$.data")
ATTACHED = replace(
    SPEC,
    embedded=tuple(
        EmbeddedSpec((at,), form, {"contentType": (kind,)}, "base64", subject=subject)
        for at in WITHIN
        for kind, form, subject in _TYPES
    ),
)


def attached(content: bytes, kind: str, owner: str = "me", **more: Any) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    attachment = {"contentType": kind, "data": data}
    return about(owner, kind="DocumentReference", content=[{"attachment": attachment}], **more)


def binary(content: bytes, kind: str, **more: Any) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {"resourceType": "Binary", "id": "1", "contentType": kind, "data": data, **more}


def said(owner: str, kind: str) -> bytes:
    """A document of this type about somebody."""
    match kind:
        case "application/json":
            return stdlib.dumps({"patient": f"Patient/{owner}"}).encode()
        case "application/fhir+json":
            return stdlib.dumps(about(owner)).encode()
        case _:
            return f'<a patient="Patient/{owner}"/>'.encode()


@pytest.mark.parametrize("kind", [kind for kind, form, _ in _TYPES if form is not Name.OPAQUE])
def test_whoever_is_in_an_attachment_owns_its_resource_too(kind: str) -> None:
    mine, foreign = (entry(attached(said(owner, kind), kind)) for owner in ("me", "foreign"))
    both = ("Patient/me", "Patient/foreign")
    assert FHIR.owners(body(mine, foreign), ATTACHED) == {("Patient/me",): 1, both: 1}
    assert FHIR.owners(body(mine, foreign), SPEC) == {("Patient/me",): 2}
    text, counts = FHIR.rewrite(body(mine, foreign, total=2), ATTACHED, permit(ME))
    assert stdlib.loads(text) == bundle(mine, total=1) and counts == Counts(2, 1, 1)
    alone = stdlib.dumps(attached(said("foreign", kind), kind)).encode()
    assert FHIR.owners(alone, ATTACHED) == {both: 1}
    lines = replace(ATTACHED, lines=True, base=())
    both_lines = b"".join(
        stdlib.dumps(each["resource"]).encode() + b"\n" for each in (mine, foreign)
    )
    assert FHIR.owners(both_lines, lines) == {("Patient/me",): 1, both: 1}


def test_an_attachment_that_is_not_read_belongs_to_its_resource_where_that_is_configured() -> None:
    pdf = entry(attached(b"%PDF-1.7", "application/pdf"))
    assert FHIR.owners(body(pdf), ATTACHED) == {("Patient/me",): 1}
    for kind, code in (
        ("image/png", Code.MEMBER_UNSUPPORTED),
        ("application/json", Code.FORMAT_MISMATCH),
        ("text/xml", Code.FORMAT_MISMATCH),
    ):
        assert FHIR.refusal(body(entry(attached(b"%PDF-1.7", kind))), ATTACHED) is code
    unread = entry(about("me", kind="DocumentReference", content=[{"attachment": {"url": "x"}}]))
    assert FHIR.owners(body(unread), ATTACHED) == {("Patient/me",): 1}


def test_a_document_does_not_say_whose_a_resource_is_that_names_somebody_unknown() -> None:
    unknown = attached(said("me", "text/xml"), "text/xml") | {"subject": {"display": "somebody"}}
    assert FHIR.owners(body(entry(unknown)), ATTACHED) == {(): 1}
    nobodys = attached(b"[1]", "application/json")
    assert FHIR.owners(body(entry(nobodys)), ATTACHED) == {(): 1}


def test_a_binary_is_of_whom_its_document_says() -> None:
    for kind in ("application/json", "application/fhir+json", "text/xml"):
        for owner in ("me", "foreign"):
            found = binary(said(owner, kind), kind, meta={"versionId": "1"})
            assert FHIR.owners(body(entry(found)), ATTACHED) == {(f"Patient/{owner}",): 1}
            assert FHIR.owners(stdlib.dumps(found).encode(), ATTACHED) == {(f"Patient/{owner}",): 1}
    assert FHIR.owners(body(entry(binary(b"%PDF-1.7", "application/pdf"))), ATTACHED) == {(): 1}
    assert FHIR.owners(body(entry(found)), SPEC) == {(): 1}


@pytest.mark.parametrize(
    "more",
    [
        {"securityContext": {"reference": "Patient/foreign"}},
        {"contained": [{"resourceType": "Patient", "id": "foreign"}]},
        {"text": {"div": "<div>foreign</div>"}},
    ],
)
def test_a_binary_with_more_in_it_is_nobodys_we_can_tell(more: dict[str, Any]) -> None:
    found = entry(binary(said("me", "text/xml"), "text/xml", **more))
    assert FHIR.owners(body(found), ATTACHED) == {(): 1}
    outcome = {"outcome": {"resourceType": "Patient", "id": "foreign"}}
    beside = entry(binary(said("me", "text/xml"), "text/xml")) | {"response": outcome}
    assert FHIR.owners(body(beside), ATTACHED) == {(): 1}


def test_undeclared_documents_in_resources_are_refused_where_the_endpoint_says_so() -> None:
    strict = replace(ATTACHED, undeclared="refuse")
    mine = entry(attached(said("me", "text/xml"), "text/xml"))
    assert FHIR.owners(body(mine, link=[SELF]), strict) == {("Patient/me",): 1}
    told = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    narrated = attached(said("me", "text/xml"), "text/xml") | {"text": told}
    narrated["contained"] = [{"resourceType": "Practitioner", "id": "a", "text": told}]
    assert FHIR.owners(body(entry(narrated)), strict) == {("Patient/me",): 1}
    hidden = said("foreign", "application/json").decode()
    for whole in (
        body(entry(about("me", note=[{"text": hidden}]))),
        body(mine | {"extension": [{"valueString": hidden}]}),
        body(mine, meta={"source": hidden}),
    ):
        assert FHIR.refusal(whole, strict) is Code.MEMBER_UNSUPPORTED
        assert FHIR.owners(whole, ATTACHED)


@pytest.mark.parametrize("contained", [False, True])
def test_a_narrative_is_a_division_and_nothing_else(contained: bool) -> None:
    strict = replace(ATTACHED, undeclared="refuse")

    def narrated(div: Any) -> bytes:
        text = {"text": {"status": "generated", "div": div}}
        inside = {"contained": [{"resourceType": "Practitioner", "id": "a", **text}]}
        return body(entry(about("me", **(inside if contained else text))))

    hidden = said("foreign", "application/json")
    for div in (hidden.decode(), base64.b64encode(hidden).decode(), "data:application/pdf;base64,"):
        assert FHIR.refusal(narrated(div), strict) is Code.MEMBER_UNSUPPORTED
    for div in ('<div xmlns="http://www.w3.org/1999/xhtml">x</div>', " <div>x</div>", "", "x"):
        assert FHIR.owners(narrated(div), strict) == {("Patient/me",): 1}


def test_a_mask_into_an_attachment_is_refused() -> None:
    whole = body(entry(attached(said("me", "text/xml"), "text/xml")))
    for path in ("$.content[*].attachment.data.patient", "$.data.a"):
        with pytest.raises(BadUpstream) as caught:
            FHIR.rewrite(whole, ATTACHED, permit(ME, mask=(path,)))
        assert caught.value.code is Code.REDACTION_UNSUPPORTED
    text, _ = FHIR.rewrite(whole, ATTACHED, permit(ME, mask=("$.content",)))
    assert stdlib.loads(text)["entry"][0]["resource"]["content"] is None
