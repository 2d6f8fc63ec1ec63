"""Documents in texts: whether they can be read where an endpoint declares them."""

import pytest

from tests.config.conftest import MINIMAL, SUBJECT, Faults, of_body

DOCUMENT = f"{{at: $.p, format: json, {SUBJECT}}}"


def embedded(*entries: str, more: str = "format: ndjson") -> str:
    return f"{{{more}, {SUBJECT}, embedded: [{', '.join(entries)}]}}"


@pytest.mark.parametrize(
    "body",
    [
        embedded(DOCUMENT),
        f"{{format: json, records: '$.a[*]', embedded: [{DOCUMENT}], undeclared: refuse}}",
        embedded(DOCUMENT, f"{{at: [$.p, $.q], transfer: hex, format: json, {SUBJECT}}}"),
        embedded("{at: $.p, format: json}", f"{{at: [$.p, $.q], format: ndjson, {SUBJECT}}}"),
        embedded(
            "{at: $.p, format: csv, transfer: base64, encoding: utf-16, delimiter: ';',"
            " subject: {account: id}}"
        ),
        embedded(
            "{at: '$.f[*].data', when: {type: [a/b, c/d]}, transfer: data, compression: gzip,"
            " format: xml, records: '/x:a/x:b', namespaces: {x: 'urn:x'},"
            " subject: {account: '@a'}}",
            "{at: '$.f[*].data', when: {type: application/pdf}, transfer: base64, format: opaque}",
        ),
        "{format: fhir, subject: {fhir: Patient}, embedded: [{at: $.data, transfer: base64,"
        " format: fhir, base: 'https://h/r4', subject: {fhir: Patient}}]}",
        f"{{format: zip, members: [{{match: a, format: json, embedded: [{DOCUMENT}]}}]}}",
        f"{{format: zip, members: [{{match: a, format: zip, members: [{{match: b,"
        f" format: sse, embedded: [{DOCUMENT}], undeclared: refuse}}]}}]}}",
        embedded("{at: $.p, format: eml, subject: {email: To}}"),
    ],
)
def test_what_makes_sense_passes(faults: Faults, body: str) -> None:
    assert of_body(faults, body) == []


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (f"{{at: p, format: json, {SUBJECT}}}", "at: 'p' at position 0: a locator starts with $"),
        (f"{{at: [$.p, q], format: json, {SUBJECT}}}", None),
        ("{at: $.p, format: json}", "a document needs a subject, or its record has no owner"),
        ("{at: $.p, format: json, subject: {account: a}}", None),
        ("{at: $.p, format: zip}", "format: no format that is read in a text"),
        ("{at: $.p, format: multipart}", "format: no format that is read in a text"),
        (
            "{at: $.p, format: acme.fixed-width}",
            "format: no installed package brings it (entry points 'privacy_gateway.formats')",
        ),
        (f"{{at: $.p, format: opaque, {SUBJECT}}}", "subject: has no meaning for opaque"),
        (
            "{at: $.p, format: opaque, subject: {account: 'pdf:Subject'}}",
            "subject: has no meaning for opaque",
        ),
        ("{at: $.p, format: opaque, subject: {account: nonsense!!}}", None),
        ("{at: $.p, format: opaque, compression: gzip}", "compression: has no meaning for opaque"),
        (
            f"{{at: $.p, format: json, delimiter: ;, {SUBJECT}}}",
            "delimiter: has no meaning for json",
        ),
        (
            "{at: $.p, format: csv, encoding: latin-1, subject: {account: a}}",
            "encoding: a text has no encoding of its own: say transfer, or leave this out",
        ),
        (
            "{at: $.p, format: csv, transfer: base64, encoding: auto, subject: {account: a}}",
            "encoding: nothing declares it here: name the encoding",
        ),
        (
            f"{{at: $.p, format: json, compression: gzip, {SUBJECT}}}",
            "compression: what is compressed is no text: say transfer, too",
        ),
        (
            f"{{at: '$.p[*]', when: {{type: a}}, format: json, {SUBJECT}}}",
            "when: nothing stands beside what $.p[*] finds: it ends with no name",
        ),
        (
            f"{{at: $, when: {{type: a}}, format: json, {SUBJECT}}}",
            "when: nothing stands beside what $ finds: it ends with no name",
        ),
        (
            f"{{at: [$.x, $.p], format: json, {SUBJECT}}}",
            "at: nothing that has texts is declared on the way: it needs an entry for $.x",
        ),
        (f"{{at: $.p, format: json, members: [], {SUBJECT}}}", None),
        (f"{{at: $.p, format: json, {SUBJECT}, transfer: rot13}}", None),
        (f"{{at: [], format: json, {SUBJECT}}}", None),
    ],
)
def test_a_document_that_can_not_be_read_is_a_fault(
    faults: Faults, entry: str, found: str | None
) -> None:
    told = of_body(faults, embedded(entry))
    assert told
    if found:
        separator = ": " if found.startswith("a document") else "."
        assert told == [f"embedded[0]{separator}{found}"]
    member = f"{{format: zip, members: [{{match: a, format: ndjson, embedded: [{entry}]}}]}}"
    assert len(of_body(faults, member)) == len(told)


def test_an_entry_that_never_counts_is_a_fault(faults: Faults) -> None:
    assert of_body(faults, embedded(DOCUMENT, DOCUMENT)) == [
        "embedded[1].at: an entry above reads everything here: only the first counts"
    ]


def test_a_document_in_one_that_has_no_texts_is_a_fault(faults: Faults) -> None:
    table = "{at: $.p, format: csv, subject: {account: a}}"
    assert of_body(faults, embedded(table, f"{{at: [$.p, $.q], format: json, {SUBJECT}}}")) == [
        "embedded[1].at: nothing that has texts is declared on the way: it needs an entry for $.p"
    ]


def test_more_documents_in_each_other_than_the_limit_are_a_fault(faults: Faults) -> None:
    entries = [f"{{at: [{', '.join(['$.p'] * n)}], format: json, {SUBJECT}}}" for n in (1, 2, 3)]
    assert of_body(faults, embedded(*entries)) == []
    body = embedded(*entries)
    start = MINIMAL.index("    body:")
    text = f"{MINIMAL[:start]}    body: {body}\n    limits: {{embedding_depth: 2}}\n"
    (fault,) = faults(text)
    assert fault.endswith("embedded[2].at: 3 documents deep, and limits.embedding_depth is 2")


def test_where_no_texts_are_there_is_nothing_embedded(faults: Faults) -> None:
    for form, subject in (("csv", "a"), ("xml", "'@a'")):
        body = f"{{format: {form}, subject: {{account: {subject}}}, embedded: [{DOCUMENT}]}}"
        assert of_body(faults, body) == [f"embedded: has no meaning for {form}"]
    mail = "{format: eml, subject: {email: To}, members: [{match: application/json, format: json,"
    assert of_body(faults, f"{mail} {SUBJECT}, embedded: [{DOCUMENT}]}}]}}") == [
        "members[0].embedded: has no meaning for an attachment"
    ]


@pytest.mark.parametrize("key", ["vouches_for: $.f", "owns_archive: true"])
def test_what_says_whose_others_are_has_no_documents(faults: Faults, key: str) -> None:
    member = f"{{match: a, format: json, {SUBJECT}, {key}, embedded: [{DOCUMENT}]}}"
    name = key.partition(":")[0]
    assert of_body(faults, f"{{format: zip, members: [{member}]}}") == [
        f"members[0].{name}: what is embedded in a manifest isn't read: leave embedded out"
    ]


@pytest.mark.parametrize("junk", ["5", "x", "null", "{}", "[5]", "[{a: 5}]", "true", "[[]]"])
@pytest.mark.parametrize("key", ["embedded", "at", "format", "when", "subject", "records"])
def test_junk_is_answered_with_faults_and_never_with_an_exception(
    faults: Faults, junk: str, key: str
) -> None:
    if key == "embedded":
        of_body(faults, f"{{format: ndjson, embedded: {junk}}}")
        return
    pairs = {"at": "$.p", "format": "json", "subject": "{account: $.a}"} | {key: junk}
    entry = ", ".join(f"{name}: {value}" for name, value in pairs.items())
    of_body(faults, f"{{format: ndjson, embedded: [{{{entry}}}]}}")
