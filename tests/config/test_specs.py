"""Keys, locators and dialects: whether they fit their format and each other."""

import pytest

from gateway.config import specs
from tests.config.conftest import COLUMN, SUBJECT, Faults, of_body


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
            "format: an opaque body needs subject_header, or a subject in its metadata",
        ),
        (f"{{format: ndjson, records: '$[*]', {SUBJECT}}}", "records: has no meaning for ndjson"),
        (f"{{format: ndjson, totals: $.a, {SUBJECT}}}", "totals: has no meaning for ndjson"),
        (f"{{format: json, delimiter: ';', {SUBJECT}}}", "delimiter: has no meaning for json"),
        (
            f"{{format: ndjson, removed_notice: removed, {SUBJECT}}}",
            "removed_notice: has no meaning for ndjson",
        ),
        (
            f"{{format: javascript, records: '$.x[*]', removed_notice: removed, {SUBJECT}}}",
            "removed_notice: has no meaning for javascript",
        ),
        (
            f"{{format: csv, removed_notice: removed, {COLUMN}}}",
            "removed_notice: has no meaning for csv",
        ),
        (
            f"{{format: json, removed_notice: removed, {SUBJECT}}}",
            "removed_notice: 'removed': records must stand in a member of the document's root",
        ),
        (
            f"{{format: json, records: $.*, removed_notice: removed, {SUBJECT}}}",
            "removed_notice: 'removed': records must stand in a member of the document's root",
        ),
        (
            "{format: json, records: '$.orders[*]', totals: $.Removed, removed_notice: removed}",
            "removed_notice: 'removed': a locator looks for something else under this name",
        ),
        (
            "{format: json, records: $.o.*, subject: {account: $^^.id}, removed_notice: id}",
            "removed_notice: 'id': a locator looks for something else under this name",
        ),
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


def test_a_format_whose_library_is_not_installed_says_how_to_get_it(
    faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f"{{format: parquet, {COLUMN}}}"
    assert of_body(faults, body) == []
    monkeypatch.setattr(specs, "find_spec", lambda name: None)
    said = "needs pyarrow: pip install 'privacy-gateway[parquet]'"
    assert of_body(faults, body) == [f"format: {said}"]
    member = f"{{format: zip, members: [{{match: x, format: parquet, {COLUMN}}}]}}"
    assert of_body(faults, member) == [f"members[0].format: {said}"]
    assert of_body(faults, f"{{format: csv, {COLUMN}}}") == []
    needs = "needs pypdf: pip install 'privacy-gateway[metadata]'"
    letter = "{format: opaque, subject: {account: pdf:Subject}}"
    assert of_body(faults, letter) == [f"subject.account: {needs}"]
    assert of_body(faults, "{format: opaque, subject: {account: exif:Artist}}") == []
    monkeypatch.undo()
    assert of_body(faults, letter) == []


@pytest.mark.parametrize("form", ["parquet", "xlsx"])
def test_a_table_that_is_read_at_random_is_read_in_an_archive_but_not_in_one_inside(
    faults: Faults, form: str
) -> None:
    member = f"{{match: x, format: {form}, {COLUMN}}}"
    assert of_body(faults, f"{{format: zip, members: [{member}]}}") == []
    inner = f"{{match: y, format: zip, members: [{member}]}}"
    (found,) = of_body(faults, f"{{format: zip, members: [{inner}]}}")
    assert found.startswith("members[0].members[0].format: ")
