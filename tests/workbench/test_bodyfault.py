"""The line of a body that a refusal speaks of."""

import gzip

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import work
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Format
from gateway.response import Payload
from gateway.stored import InMemory
from gateway.workbench.bodyfault import json_fault, place
from gateway.workbench.samples import declared

OWNER = ({"account": ("$.id",)},)
ROWS = BodySpec(Format.CSV, subject=({"account": ("id",)},))
LINES = BodySpec(Format.NDJSON, subject=OWNER)
BUNDLE = BodySpec(Format.FHIR)
BULK = BodySpec(Format.FHIR, lines=True)
LIST = BodySpec(Format.JSON, records="$[*]", subject=OWNER)
TYPES = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv",
    Format.ZIP: "application/zip",
    Format.TAR: "application/x-tar",
    Format.MULTIPART: "multipart/mixed",
    Format.OPAQUE: "application/octet-stream",
    Format.FHIR: "application/fhir+json",
}


def found(body: bytes, spec: BodySpec, codings: tuple[str, ...] = ()) -> tuple[str, str, str]:
    """What the place is, what is said, and the character that the caret is under."""
    task = work.Task(Payload(declared(spec) or TYPES[spec.format], None, codings), spec, Limits())
    with pytest.raises(BadUpstream) as refused:
        work.inspect(InMemory(body), task)
    code, note = refused.value.code, refused.value.note
    where = place(InMemory(body), codings, spec, Limits(), code, note, "body")
    if where is None:
        return "", "", ""
    if not where[0].excerpt:
        return str(where[0]), where[1], ""
    line, caret = where[0].excerpt.split("\n")
    return str(where[0]), where[1], line[caret.index("^") :][:1]


@pytest.mark.parametrize(
    ("body", "spec", "expected"),
    [
        (b'[\n {"id": "1"},\n]', LIST, ("body:3:1", "trailing comma", "]")),
        (
            b'[{"id": "\xc3\xa4", "id": "b"}]',
            LIST,
            ("body:1:14", 'Detected duplicate key "id"', '"'),
        ),
        (b'{"id": "1"}\n{"id": }\n', LINES, ("body:2:8", "expected value", "}")),
        (b'{"id": "1"}\n\n{"id": "1"}\n', LINES, ("body:2:1", "", "")),
        (b'{"entry": [\n {"a": 1},\n]}', BUNDLE, ("body:3:1", "trailing comma", "]")),
        (b'{"id": "1"}\n{"id": }\n', BULK, ("body:2:8", "expected value", "}")),
        (b'{"id": "1"}\n42', BULK, ("body:2:3", "", "")),
        (b"id,x\n1,2\n3\n", ROWS, ("body:3:1", "", "3")),
        (b'id,x\n1,"a\nb"\n3\n', ROWS, ("body:4:1", "", "3")),
        (b"name,x\n1,2\n", ROWS, ("body:1:1", "", "n")),
        (b'{"id": "1"}\n42', LINES, ("body:2:3", "", "")),
    ],
)
def test_the_caret_is_under_what_is_wrong(
    body: bytes, spec: BodySpec, expected: tuple[str, str, str]
) -> None:
    where, said, character = found(body, spec)
    assert where == expected[0]
    assert said == expected[1] or not expected[1]
    assert character == expected[2] or not expected[2]


def test_under_a_coding_it_is_the_decoded_text_that_is_shown() -> None:
    assert found(gzip.compress(b"[1,]", mtime=0), LIST, ("gzip",))[0] == "body:1:4"


def test_a_broken_coding_and_an_archive_have_no_line() -> None:
    assert found(b"\x1f\x8bnonsense", LIST, ("gzip",)) == ("", "", "")
    assert found(b"PK\x05\x06", BodySpec(Format.ZIP)) == ("", "", "")
    assert found(b"--b\r\n", BodySpec(Format.MULTIPART)) == ("", "", "")


def test_a_cause_that_names_no_place_has_none() -> None:
    body = InMemory(b'[{"id": 1.5}]')
    assert place(body, (), LIST, Limits(), Code.BODY_TOO_COMPLEX, "too deep", "body") is None


def test_a_locator_that_does_not_fit_is_shown_where_it_stopped() -> None:
    spec = BodySpec(Format.JSON, records="$.a.b[*]", subject=OWNER)
    body = InMemory(b'{\n "a": {"b": 1}}')
    where = place(body, (), spec, Limits(), Code.BODY_AMBIGUOUS, "… at byte 8", "body")
    assert where is not None and str(where[0]) == "body:2:7"


def test_what_is_json_has_no_fault() -> None:
    assert json_fault(b'{"a": 1}') is None
    assert json_fault(b"") == ("EOF while parsing a value", 1, 1)


def test_rows_before_the_header_of_a_csv_are_lines_too() -> None:
    before, headed = b"Account;A1\n\n", BodySpec(Format.CSV, subject=ROWS.subject, preamble=2)
    assert found(before + b"id,x\nme,1\nme\n", headed)[0].startswith("body:5")
    assert found(before + b"no,x\nme,1\n", headed)[0].startswith("body:3")
    proven = BodySpec(Format.CSV, subject=ROWS.subject, delimiter="auto")
    assert found(b"id,x\nme,1\nme\n", proven)[0].startswith("body:3")
    assert found(b"id\n", proven)[0].startswith("body:1")
