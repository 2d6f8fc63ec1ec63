"""Locators, patterns and dialects: whether they fit their format and each other."""

import pytest

from gateway.config import bodies
from tests.config.conftest import MINIMAL, Faults

BODY = '{format: json, records: "$.orders[*]", subject: {account: "$.customer.id"}}'
SUBJECT = 'subject: {account: "$.a"}'
COLUMN = "subject: {account: a}"


def of_body(faults: Faults, body: str) -> list[str]:
    """The faults of an endpoint's body: path inside it and message."""
    text = MINIMAL.replace(BODY, body)
    assert text != MINIMAL
    return [fault.split(": endpoints[0].body", 1)[1].lstrip(".") for fault in faults(text)]


@pytest.mark.parametrize(
    "body",
    [
        "{format: json}",
        f"{{format: json, records: '$[*]', {SUBJECT}}}",
        f"{{format: json, records: '$.x[*]', totals: '$.count', {SUBJECT}, category: order}}",
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
    ("body", "found"),
    [
        (
            f"{{format: acme.fixed-width, {SUBJECT}}}",
            "format: no installed package brings it (entry points 'privacy_gateway.formats')",
        ),
        (
            "{format: zip, members: [{match: x, format: acme.fixed-width}]}",
            "members[0].format: no installed package brings it"
            " (entry points 'privacy_gateway.formats')",
        ),
        (
            "{format: opaque}",
            "format: an opaque body needs subject_header: nothing else says whose it is",
        ),
        (f"{{format: ndjson, records: '$[*]', {SUBJECT}}}", "records: has no meaning for ndjson"),
        (f"{{format: ndjson, totals: $.a, {SUBJECT}}}", "totals: has no meaning for ndjson"),
        (f"{{format: json, delimiter: ';', {SUBJECT}}}", "delimiter: has no meaning for json"),
        (f"{{format: csv, records: $, {COLUMN}}}", "records: has no meaning for csv"),
        ("{format: vcard, records: $}", "records: has no meaning for vcard"),
        ("{format: icalendar, encoding: latin-1}", "encoding: has no meaning for icalendar"),
        (
            "{format: vcard, subject: {email: ../EMAIL}}",
            "subject.email: '../EMAIL': expected the name of one property, such as EMAIL",
        ),
        (
            "{format: mt940, subject: {iban: ':20:'}}",
            "subject.iban: ':20:': the owner of a statement is its account, :25:",
        ),
        (
            "{format: ofx, subject: {account: $.ACCTID}}",
            "subject.account: '$.ACCTID': expected names from the statement: BANKACCTFROM/ACCTID",
        ),
        ("{format: fhir, records: '$.entry[*]'}", "records: has no meaning for fhir"),
        (f"{{format: json, base: https://h, {SUBJECT}}}", "base: has no meaning for json"),
        ("{format: csv, lines: true}", "lines: has no meaning for csv"),
        (
            f"{{format: json, namespaces: {{a: b}}, {SUBJECT}}}",
            "namespaces: has no meaning for json",
        ),
        (
            "{format: xml, records: /a, subject: {account: ../@id}}",
            "subject.account: '../@id': climbs too far; there is no element above the records",
        ),
        (
            "{format: xml, records: /p:a, subject: {account: '@id'}}",
            "records: '/p:a': namespaces has no prefix p",
        ),
        (
            "{format: xml, records: /a, subject: {account: 'p:b'}, namespaces: {q: 'urn:q'}}",
            "subject.account: 'p:b': namespaces has no prefix p",
        ),
        (
            "{format: eml, subject: {email: 'To:'}}",
            "subject.email: 'To:': expected a header field: Delivered-To, or To|Cc",
        ),
        (
            f"{{format: mbox, members: [{{match: '*', format: zip, {SUBJECT}}}]}}",
            "members[0].format: no format that is read in a message",
        ),
        (
            "{format: eml, members: [{match: '*/*', category: x}]}",
            "members[0].format: no format that is read in a message",
        ),
        (
            "{format: eml, members: [{match: a/b, format: json}]}",
            "members[0]: an attachment needs a subject, or the message has no owner",
        ),
        (
            f"{{format: eml, members: [{{match: a/b, format: json, {SUBJECT},"
            " vouches_for: $.f}]}",
            "members[0].vouches_for: has no meaning for an attachment",
        ),
        (
            "{format: zip, members: [{match: a, format: mbox, subject: {email: To},"
            " members: [{match: a/b, format: tar}]}]}",
            "members[0].members[0].format: no format that is read in a message",
        ),
        (
            f"{{format: zip, members: [{{match: x}}], {SUBJECT}}}",
            "subject: has no meaning for zip",
        ),
        (
            f"{{format: json, members: [{{match: x}}], {SUBJECT}}}",
            "members: has no meaning for json",
        ),
        (
            "{format: zip}",
            "members: say what is in the archive, or all of it is unattributed",
        ),
        (
            "{format: zip, members: []}",
            "members: say what is in the archive, or all of it is unattributed",
        ),
    ],
)
def test_keys_that_a_format_does_not_have_are_faults(faults: Faults, body: str, found: str) -> None:
    assert of_body(faults, body) == [found]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("{format: json, records: orders}", "records"),
        ("{format: json, records: '$.x[?(@.a)]'}", "records"),
        ("{format: json, records: '$..x'}", "records"),
        ("{format: json, subject: {account: customer.id}}", "subject.account"),
        ("{format: json, subject: {account: [$.a, b]}}", "subject.account[1]"),
        ("{format: json, subject: [{account: $.a}, {email: b}]}", "subject[1].email"),
        ("{format: ndjson, subject: {account: '$.a[0]'}}", "subject.account"),
        ("{format: csv, subject: {account: $.a.b}}", "subject.account"),
        ("{format: json, records: '$.x[*]', totals: x}", "totals"),
        ("{format: javascript, records: '$.x[*]', totals: ['$.y[*]']}", "totals"),
        ("{format: json, records: '$.x[*]', totals: ['$.y[*]']}", "totals"),
        ("{format: json, records: '$.x[*]', totals: $.x.y}", "totals"),
        ("{format: json, records: '$~'}", "records"),
        ("{format: json, records: '$.x[*]', subject: {account: '$^~'}}", "subject.account"),
        (
            "{format: json, records: '$.x[*]', subject: {account: [$.a, '$^^^.b']}}",
            "subject.account[1]",
        ),
        ("{format: json, records: '$.x[*]', subject: {account: '$^^.x'}}", "subject.account"),
        ("{format: ndjson, subject: {account: '$^.a'}}", "subject.account"),
        ("{format: json, records: '$.x[*]', also: [{records: '$.x[*]'}]}", "also[0].records"),
        ("{format: json, records: '$.x[*]', also: [{records: y}]}", "also[0].records"),
        (
            "{format: json, records: '$.x[*]', also: [{records: $.y, subject: {account: '$^.x'}}]}",
            "also[0].subject.account",
        ),
        (
            "{format: json, records: '$.x[*]', subject: {account: '$^^.y'},"
            " also: [{records: $.y}]}",
            "subject.account",
        ),
        ("{format: json, records: '$.x[*]', also: [{records: $.y}], totals: $.y.n}", "totals"),
        (
            "{format: json, records: '$.x[*]', subject: {account: '$^^.y.id'}, totals: $.y.n}",
            "subject.account",
        ),
        ("{format: csv, subject: {account: 'preamble:a'}}", "subject.account"),
        ("{format: csv, preamble: 101}", "preamble"),
        (
            "{format: csv, subject: {account: 'preamble:a'}, preamble: 1, delimiter: auto}",
            "delimiter",
        ),
        ("{format: csv, delimiter: auto}", "delimiter"),
        (
            "{format: zip, members: [{match: a, format: csv, encoding: auto,"
            " subject: {account: b}}]}",
            "members[0].encoding",
        ),
        (
            "{format: zip, members: [{match: a, format: csv, preamble: 1, subject: {account: b},"
            " vouches_for: 'preamble:b'}]}",
            "members[0].vouches_for",
        ),
        ("{format: csv, subject: {account: a}, delimiter: '\"'}", "delimiter"),
        ("{format: csv, subject: {account: a}, quote: ','}", "quote"),
        ("{format: csv, subject: {account: a}, delimiter: ab}", "delimiter"),
        ("{format: csv, subject: {account: a}, encoding: ebcdic}", "encoding"),
        ("{format: fhir, subject: {fhir: $.subject}}", "subject.fhir"),
        ("{format: fhir, subject: {fhir: Patient}, base: h.example/r4}", "base"),
        ("{format: fhir, categories: {Binary: document}}", "categories.Binary"),
        ("{format: zip, members: [{match: 'a**b'}]}", "members[0].match"),
        ("{format: zip, members: [{match: 'a/{b'}]}", "members[0].match"),
        ("{format: zip, members: [{match: ''}]}", "members[0].match"),
        (
            "{format: zip, members: [{match: a, format: json, subject: {account: b}}]}",
            "members[0].subject.account",
        ),
        (
            f"{{format: zip, members: [{{match: a, format: csv, {COLUMN}, vouches_for: '$[*]'}}]}}",
            "members[0].vouches_for",
        ),
    ],
)
def test_a_locator_that_can_not_be_read_is_a_fault_at_its_place(
    faults: Faults, body: str, path: str
) -> None:
    (found,) = of_body(faults, body)
    assert found.startswith(f"{path}: ")


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
        (f"{{match: a, {SUBJECT}}}", "subject: has no meaning for opaque"),
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


def test_a_format_whose_library_is_not_installed_says_how_to_get_it(
    faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f"{{format: parquet, {COLUMN}}}"
    assert of_body(faults, body) == []
    monkeypatch.setattr(bodies, "find_spec", lambda name: None)
    said = "needs pyarrow: pip install 'privacy-gateway[parquet]'"
    assert of_body(faults, body) == [f"format: {said}"]
    member = f"{{format: zip, members: [{{match: x, format: parquet, {COLUMN}}}]}}"
    assert of_body(faults, member) == [f"members[0].format: {said}"]
    assert of_body(faults, f"{{format: csv, {COLUMN}}}") == []
