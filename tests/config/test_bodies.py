"""Bodies, what is in them, and whether they can be released before their end."""

import pytest

from tests.config.conftest import COLUMN, MINIMAL, SUBJECT, Faults, of_body


@pytest.mark.parametrize(
    "body",
    [
        "{format: json}",
        f"{{format: json, records: '$[*]', {SUBJECT}}}",
        f"{{format: json, records: '$.x[*]', totals: '$.count', {SUBJECT}, category: order}}",
        f"{{format: json, records: '$.x[*]', totals: $.n, {SUBJECT}, removed_notice: removed}}",
        "{format: json, subject: [{account: [$.a, $.b]}, {account: $.c, email: $.d}]}",
        "{format: json, records: '$.a[*].b[*]', subject: {account: ['$^^.id', $.c]}, totals: $.n}",
        "{format: javascript, records: '$.*', subject: {account: $~}}",
        "{format: json, records: '$.a[*]', subject: {account: '$^^.id'}, totals: $.n,"
        " also: [{records: '$.b[*]', subject: {account: $.x}, category: b}, {records: $.c}]}",
        f"{{format: ndjson, {SUBJECT}, category: message}}",
        f"{{format: csv, {COLUMN}, delimiter: ';', encoding: windows-1252, quote: \"'\"}}",
        "{format: csv, subject: {account: $.a}}",
        f"{{format: csv, {COLUMN}, delimiter: auto, encoding: auto, quote: none}}",
        "{format: csv, subject: {account: ['preamble:Account', a]}, preamble: 3, delimiter: auto}",
        "{format: parquet, subject: {account: [id, $.other]}, category: purchase}",
        "{format: xlsx, subject: {account: [id, $.other]}, category: purchase}",
        "{format: xml, subject: {account: '@id'}}",
        "{format: xml, records: $, subject: {account: '@id'}}",
        "{format: xml, records: '/a:b/a:c', subject: {account: ['../a:d/@id', 'x/@r^@e']},"
        " namespaces: {a: 'urn:a', '': 'urn:b'}, doctype: true}",
        "{format: vcard, subject: {email: EMAIL}}",
        "{format: icalendar, subject: {email: [ORGANIZER, ../X-WR-CALNAME]}}",
        "{format: mt940, subject: {iban: ':25:'}, encoding: latin-1}",
        "{format: ofx, subject: {account: ACCTID, bank: BANKACCTFROM/BANKID}}",
        "{format: zip, members: [{match: '*.vcf', format: vcard, subject: {phone: TEL}}]}",
        f"{{format: zip, members: [{{match: m.json, format: json, {SUBJECT}, vouches_for: $.f}},"
        " {match: '*.wav', attribution: manifest}]}",
        "{format: zip, members: [{match: 'a/{account}/**', attribution: path, category: photo}]}",
        "{format: fhir, subject: {fhir: Patient, mrn: ['urn:oid:1.2', 'https://h/mrn']},"
        " base: [https://h/r4, https://g/], categories: {Observation: finding}, category: a}",
        "{format: fhir, lines: true, subject: {fhir: Patient}}",
        "{format: zip, members: [{match: '*.ndjson', format: fhir, lines: true,"
        " subject: {fhir: Patient}}]}",
        "{format: zip, members: [{match: '*.pdf', category: document}]}",
        "{format: zip, members: [{match: x, attribution: none}]}",
        f"{{format: zip, members: [{{match: t.csv, format: csv, {COLUMN}, delimiter: ;}}]}}",
        "{format: zip, members: [{match: t.csv, format: csv, attribution: manifest},"
        f" {{match: m.csv, format: csv, {COLUMN}, vouches_for: file}}]}}",
        "{format: mbox, subject: {email: Delivered-To}}",
        "{format: eml, subject: {email: [To|Cc, $.To]}, category: mail,"
        f" members: [{{match: application/json, format: json, {SUBJECT}}}]}}",
        "{format: multipart, members: [{match: '*.eml', format: eml, subject: {email: To}}]}",
    ],
)
def test_what_makes_sense_passes(faults: Faults, body: str) -> None:
    assert of_body(faults, body) == []


@pytest.mark.parametrize(
    ("member", "found"),
    [
        (
            "{match: a, format: zip}",
            "members: say what is in the archive, or all of it is unattributed",
        ),
        (
            "{match: a, format: multipart, members: [{match: b}]}",
            "format: only a response says which boundary its parts have",
        ),
        (
            "{match: a, format: zip, members: [{match: b, format: tar}]}",
            "members[0].format: archives are read two deep, and this would be a third",
        ),
        (
            "{match: '*.wav', attribution: manifest}",
            "attribution: no member vouches for others: one needs vouches_for",
        ),
        (
            "{match: '*.wav', attribution: path}",
            "attribution: the pattern names no owner, as accounts/{account}/* does",
        ),
        ("{match: '{account}/x'}", "match: the pattern names an owner: say attribution: path"),
        (
            "{match: a, attribution: container}",
            "attribution: the archive has no owner as a whole: say owns_archive or subject_header",
        ),
        ("{match: a, format: json, sizes: $.s}", "sizes: is for a manifest: say vouches_for"),
        (
            "{match: a, format: json, hashes: {md5: $.s}}",
            "hashes: is for a manifest: say vouches_for",
        ),
        (
            "{match: a, format: json, owns_archive: true}",
            "owns_archive: needs a subject: it says whose the archive is",
        ),
        (
            "{match: a, format: json, vouches_for: $.f}",
            "vouches_for: a manifest needs a subject: it says whose the members are",
        ),
        (
            f"{{match: a, {SUBJECT}}}",
            "subject.account: '$.a': expected pdf:Name, png:Keyword or exif:Tag",
        ),
        (
            "{match: a, subject: {account: exif:Name}}",
            "subject.account: 'exif:Name': the tags are Artist, Copyright, DocumentName,"
            " HostComputer, ImageDescription",
        ),
        ("{match: a, vouches_for: $.f}", None),
        ("{match: a, delimiter: ;}", "delimiter: has no meaning for opaque"),
    ],
)
def test_a_member_whose_parts_do_not_fit_is_a_fault(
    faults: Faults, member: str, found: str | None
) -> None:
    told = of_body(faults, f"{{format: zip, members: [{member}]}}")
    assert told
    if found:
        assert told == [f"members[0].{found}"]


def test_a_pattern_that_an_earlier_member_has_can_never_match(faults: Faults) -> None:
    body = "{format: zip, members: [{match: a}, {match: b}, {match: a, category: x}]}"
    assert of_body(faults, body) == [
        "members[2].match: members[0] has this pattern; only the first match counts"
    ]


def test_a_wrong_unit_does_not_hide_a_wrong_locator(faults: Faults) -> None:
    text = MINIMAL.replace("$.orders[*]", "orders") + "    limits: {body: 5}\n"
    assert [fault.split(": ")[1] for fault in faults(text)] == [
        "endpoints[0].body.records",
        "endpoints[0].limits.body",
    ]


@pytest.mark.parametrize("junk", ["5", "[]", "x", "null", "{}", "[5]", "{a: 5}", "true"])
@pytest.mark.parametrize(
    "key",
    ["format", "records", "subject", "members", "totals", "delimiter", "category", "namespaces"],
)
@pytest.mark.parametrize("form", ["json", "csv", "xml", "zip"])
def test_junk_anywhere_is_answered_with_faults_and_never_with_an_exception(
    faults: Faults, junk: str, key: str, form: str
) -> None:
    pairs = {"format": form, key: junk}
    of_body(faults, "{" + ", ".join(f"{name}: {value}" for name, value in pairs.items()) + "}")


@pytest.mark.parametrize("junk", ["5", "[]", "x", "null", "{}", "[5]", "true"])
@pytest.mark.parametrize("key", ["match", "format", "subject", "vouches_for", "attribution"])
def test_junk_in_a_member_is_answered_with_faults(faults: Faults, junk: str, key: str) -> None:
    pairs = {"match": "a", key: junk}
    member = "{" + ", ".join(f"{name}: {value}" for name, value in pairs.items()) + "}"
    of_body(faults, f"{{format: zip, members: [{member}, {junk}]}}")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (
            "{format: zip, members: [{match: x}]}",
            "zip can't be released before its end; these can: json, ndjson, json-seq, sse, csv,"
            " fhir, multipart",
        ),
        ("{format: fhir, subject: {fhir: Patient}}", "a Bundle's references may lead to its end"),
        (
            "{format: multipart, members: [{match: m, format: json, records: '$[*]',"
            f" vouches_for: $.file, {SUBJECT}}}, {{match: '*'}}]}}",
            "a manifest may stand behind the parts",
        ),
        (
            "{format: multipart, members: [{match: m, format: json, records: '$[*]',"
            f" owns_archive: true, {SUBJECT}}}]}}",
            "a manifest may stand behind the parts",
        ),
        (
            "{format: multipart, members: [{match: m, format: zip, members: [{match: x}]}]}",
            "an archive among the parts is read at rest",
        ),
        (f"{{format: json, {SUBJECT}}}", "the whole document is one record"),
        (f"{{format: json, records: '$.x[*]', totals: $.n, {SUBJECT}}}", "totals often stand"),
        (f"{{format: csv, compression: gzip, {COLUMN}}}", "what is compressed leaves"),
        (f"{{format: csv, preamble: 1, {COLUMN}}}", "a preamble is read at rest"),
        (
            f"{{format: json, records: '$.x[*]', also: [{{records: '$.y[*]'}}], {SUBJECT}}}",
            "several sets of records are read at rest",
        ),
        (
            "{format: json, records: '$.x[*]', subject: {account: $^^.id}}",
            "owners above the records are read at rest",
        ),
        (
            "{format: json, records: '$.x.*', subject: [{account: $.a}, {name: [$~]}]}",
            "owners above the records are read at rest",
        ),
    ],
)
def test_what_can_not_be_released_as_it_comes_is_held(
    faults: Faults, body: str, found: str
) -> None:
    endpoint = "endpoints:\n  - {name: a, path: /a, release: %s, body: %s}\n"
    text = MINIMAL[: MINIMAL.index("endpoints:")]
    (said,) = faults(text + endpoint % ("stream", body))
    assert f"endpoints[0].release: {found}" in said
    assert faults(text + endpoint % ("hold", body)) == []


@pytest.mark.parametrize(
    "body",
    [
        "{format: fhir, lines: true, subject: {fhir: Patient}}",
        f"{{format: multipart, members: [{{match: x, format: xml, records: /a/b, {COLUMN}}}]}}",
        "{format: multipart, removed_notice: REMOVED.txt, subject_header: {account: X-Owner},"
        " members: [{match: '*', attribution: container}]}",
    ],
)
def test_parts_and_fhir_s_lines_can_be_released_as_they_come(faults: Faults, body: str) -> None:
    endpoint = f"endpoints:\n  - {{name: a, path: /a, release: stream, body: {body}}}\n"
    assert faults(MINIMAL[: MINIMAL.index("endpoints:")] + endpoint) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("{format: zip, members: [{match: x, KEY}]}", "is for the parts of a multipart body"),
        (
            "{format: multipart, members: [{match: x, format: zip, members: [{match: y, KEY}]}]}",
            "members[0].KEY: ",
        ),
        ("{format: eml, subject: {account: To}, members: [{match: text/csv, format: csv,"
         f" {COLUMN}, KEY}}]}}", "has no meaning for an attachment"),
    ],
)  # fmt: skip
def test_what_a_part_s_header_says_is_asked_for_of_parts_only(
    faults: Faults, body: str, found: str
) -> None:
    for key, value in (("subject_header", "{account: X-Id}"), ("media_type", "a/b")):
        written = body.replace("KEY", f"{key}: {value}")
        endpoint = f"endpoints:\n  - {{name: a, path: /a, body: {written}}}\n"
        said = faults(MINIMAL[: MINIMAL.index("endpoints:")] + endpoint)
        assert any(found.replace("KEY", key) in each for each in said), said


def test_the_header_of_a_part_may_name_its_owner_but_not_by_what_says_something_else(
    faults: Faults,
) -> None:
    def said(field: str) -> list[str]:
        body = (
            f"{{format: multipart, members: [{{match: x, subject_header: {{account: {field}}}}}]}}"
        )
        endpoint = f"endpoints:\n  - {{name: a, path: /a, body: {body}}}\n"
        return faults(MINIMAL[: MINIMAL.index("endpoints:")] + endpoint)

    assert said("X-Subject-Id") == []
    for field in ("Content-ID", "content-type", "Digest"):
        (fault,) = said(field)
        assert "says something else of a part" in fault


@pytest.mark.parametrize("form", ["ndjson", "json-seq", "sse", "csv", "json"])
def test_what_is_read_record_by_record_can_be_released_as_it_comes(
    faults: Faults, form: str
) -> None:
    records = "records: '$.x[*]', " if form == "json" else ""
    body = f"{{format: {form}, {records}{COLUMN if form == 'csv' else SUBJECT}}}"
    endpoint = f"endpoints:\n  - {{name: a, path: /a, release: stream, body: {body}}}\n"
    assert faults(MINIMAL[: MINIMAL.index("endpoints:")] + endpoint) == []
