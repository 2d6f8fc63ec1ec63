"""The declared type, the declared charset and the first bytes must all be the format's."""

import codecs
import gzip
from dataclasses import replace

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.work import Task
from gateway.model import Format
from gateway.response import Payload
from tests.support.tars import tarred

HEADS = {
    Format.JSON: b'[{"id": "me"}]',
    Format.NDJSON: b'{"id": "me"}\n',
    Format.JSON_SEQ: b'\x1e{"id": "me"}\n',
    Format.SSE: b'data: {"id": "me"}\n\n',
    Format.JAVASCRIPT: b'window.YTD.x.part0 = [{"id": "me"}]',
    Format.CSV: b"id,x\nme,1\n",
    Format.XML: b'<?xml version="1.0"?><id/>',
    Format.PARQUET: b"PAR1\x15\x04",
    Format.XLSX: b"PK\x03\x04\x14\x00",
    Format.VCARD: b"BEGIN:VCARD\r\nVERSION:3.0\r\n",
    Format.ICALENDAR: b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n",
    Format.MT940: b":20:STARTUMS\r\n:25:1\r\n",
    Format.OFX: (
        b"OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\n"
        b"COMPRESSION:NONE\nOLDFILEUID:NONE\nNEWFILEUID:NONE\n\n<OFX>"
    ),
    Format.FHIR: b'{"resourceType": "Bundle"}',
    Format.ZIP: b"PK\x03\x04\x14\x00",
    Format.MBOX: b"From me@x.org Sat Nov 28 08:57:42 2026\nTo: me@x.org\n\n",
    Format.EML: b"To: me@x.org\n\n",
    Format.TAR: tarred({"a": b"x"}),
    Format.MULTIPART: b"--b\r\n\r\nx\r\n--b--\r\n",
    Format.OPAQUE: b"RIFF",
}
TYPES = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.JSON_SEQ: "application/json-seq",
    Format.SSE: "text/event-stream",
    Format.JAVASCRIPT: "text/javascript",
    Format.CSV: "text/csv",
    Format.XML: "application/xml",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.VCARD: "text/vcard",
    Format.ICALENDAR: "text/calendar",
    Format.MT940: "application/x-mt940",
    Format.OFX: "application/ofx",
    Format.FHIR: "application/fhir+json",
    Format.ZIP: "application/zip",
    Format.MBOX: "application/mbox",
    Format.EML: "message/rfc822",
    Format.TAR: "application/x-tar",
    Format.MULTIPART: "multipart/mixed",
    Format.OPAQUE: "application/octet-stream",
}
BYTES = (
    Format.CSV,
    Format.MT940,
    Format.OFX,
    Format.ZIP,
    Format.TAR,
    Format.MULTIPART,
    Format.OPAQUE,
    Format.PARQUET,
    Format.XLSX,
)
TABS = "text/tab-separated-values"
EACH = pytest.mark.parametrize("expected", [*FORMATS], ids=str)


def check(
    expected: Format,
    head: bytes | None = None,
    *,
    declared: str | None = "",
    charset: str | None = None,
    encoding: str | None = None,
) -> None:
    boundary = "b" if expected is Format.MULTIPART else None
    payload = Payload(TYPES[expected] if declared == "" else declared, charset, boundary=boundary)
    detection.check_type(payload, FORMATS[expected].media_types)
    lines = expected is Format.FHIR and payload.media_type == "application/fhir+ndjson"
    spec = BodySpec(expected, encoding=encoding, lines=lines)
    spec = replace(spec, delimiter="\t" if declared == TABS else None)
    spec = Task(payload, spec, Limits()).spec
    FORMATS[expected].detect(payload, HEADS[expected] if head is None else head, spec)


def refusal(expected: Format, head: bytes | None = None, **claims: str | None) -> Code:
    with pytest.raises(BadUpstream) as caught:
        check(expected, head, **claims)
    return caught.value.code


@EACH
def test_each_media_type_of_a_format_declares_it(expected: Format) -> None:
    assert FORMATS[expected].media_types
    for media_type in FORMATS[expected].media_types:
        check(expected, declared=media_type)


@EACH
@pytest.mark.parametrize(
    "declared",
    [None, " ", "application/octet-stream", "text/html", "text/plain", "image/png",
     "application/pdf", "application/json, text/html", "text/json; x", "*/*", "application/gzip"],
)  # fmt: skip
def test_another_type_or_none_is_a_mismatch(expected: Format, declared: str | None) -> None:
    """Catalogue A15, A16: a client would show or store it as something that wasn't inspected."""
    if declared != TYPES[expected]:
        assert refusal(expected, declared=declared) is Code.FORMAT_MISMATCH
    check(expected)


def test_an_empty_media_type_is_a_mismatch() -> None:
    with pytest.raises(BadUpstream) as caught:
        detection.check_type(Payload(""), ("application/json", ""))
    assert caught.value.code is Code.FORMAT_MISMATCH


@EACH
def test_the_type_of_another_format_is_a_mismatch(expected: Format) -> None:
    for other in FORMATS:
        if TYPES[other] not in FORMATS[expected].media_types:
            assert refusal(expected, declared=TYPES[other]) is Code.FORMAT_MISMATCH


@pytest.mark.parametrize(
    "declared", ["application/fhir+json", "application/vnd.api+json", "application/hal+json"]
)
def test_json_has_well_known_types_of_its_suffix(declared: str) -> None:
    check(Format.JSON, declared=declared)
    for other in (Format.NDJSON, Format.CSV, Format.ZIP):
        assert refusal(other, declared=declared) is Code.FORMAT_MISMATCH


@pytest.mark.parametrize(
    "declared",
    [
        "image/x+json", "text/html+json", "application/json-seq", "application/x+xml",
        "application/of-somebody-else+json",
    ],
)  # fmt: skip
def test_json_has_no_types_that_could_carry_a_text_to_the_caller(declared: str) -> None:
    assert refusal(Format.JSON, declared=declared) is Code.FORMAT_MISMATCH


@pytest.mark.parametrize(
    "expected",
    [each for each in FORMATS if each not in BYTES],
    ids=str,
)
def test_json_is_utf_8_only(expected: Format) -> None:
    """Catalogue A17; RFC 8259 section 8.1."""
    for charset in (None, "utf-8", "utf8"):
        check(expected, charset=charset)
    for charset in ("utf-16", "utf-7", "iso-8859-1", "us-ascii", "gb18030", "cp037", "", "utf-8x"):
        assert refusal(expected, charset=charset) is Code.FORMAT_MISMATCH


@pytest.mark.parametrize(
    ("head", "fits"),
    [
        (b"<a/>", True),
        (b" \n<a/>", True),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", True),
        (b"", True),  # what is too short is for its reader
        (b"{}", False),
        (b"id,x\n", False),
        (b"PK\x03\x04", False),
        (b"\x1f\x8b", False),
        (b"%PDF-1.7\n<a/>", False),
        (b"\xff\xfe<\0a\0", False),
        (b"<!DOCTYPE html><a/>", False),
        (b"<HTML><a/>", False),
    ],
)
def test_xml_begins_with_markup_that_is_not_a_page(head: bytes, fits: bool) -> None:
    """Catalogue A20."""
    if fits:
        check(Format.XML, head)
    else:
        assert refusal(Format.XML, head) is Code.FORMAT_MISMATCH
    for charset in ("utf-16", "iso-8859-1", "us-ascii"):
        assert refusal(Format.XML, charset=charset) is Code.FORMAT_MISMATCH


@pytest.mark.parametrize(
    ("head", "charset", "encoding"),
    [
        (b"id\n", None, None),
        (b"id\n", "utf-8", None),
        (b"id\n", "us-ascii", None),
        (codecs.BOM_UTF8 + b"id\n", "utf-8", None),
        (codecs.BOM_UTF16_LE + b"i\0", None, None),
        (codecs.BOM_UTF16_LE + b"i\0", "utf-16", None),
        (codecs.BOM_UTF16_LE + b"i\0", "utf-16le", "utf-16"),
        (codecs.BOM_UTF16_BE + b"\0i", "utf-16", None),
        (b"id\n", None, "latin-1"),
        (b"id\n", "iso-8859-1", "latin-1"),
        (b"id\n", "latin1", "iso-8859-1"),
        (b"id\n", "windows-1252", "cp1252"),
    ],
)
def test_a_csv_is_declared_as_it_is_encoded(
    head: bytes, charset: str | None, encoding: str | None
) -> None:
    check(Format.CSV, head, charset=charset, encoding=encoding)


@pytest.mark.parametrize(
    ("head", "charset", "encoding"),
    [
        (b"id\n", "iso-8859-1", None),
        (b"id\n", "utf-16", None),
        (b"id\n", "utf-7", None),
        (b"id\n", "iso-2022-jp", None),
        (b"id\n", "gb18030", None),
        (b"id\n", "cp037", None),
        (b"id\n", "", None),
        (b"id\n", "utf-8", "latin-1"),
        (b"id\n", "windows-1252", "latin-1"),
        (codecs.BOM_UTF16_LE + b"i\0", "utf-8", None),
        (codecs.BOM_UTF16_LE + b"i\0", "utf-16be", None),
    ],
)
def test_a_csv_declared_in_another_charset_is_a_mismatch(
    head: bytes, charset: str, encoding: str | None
) -> None:
    """Catalogue A17: the client would decode other text than the one inspected."""
    assert refusal(Format.CSV, head, charset=charset, encoding=encoding) is Code.FORMAT_MISMATCH


def test_a_mark_that_contradicts_the_configured_encoding_is_ambiguous() -> None:
    head = codecs.BOM_UTF16_LE + b"i\0"
    assert refusal(Format.CSV, head, encoding="utf-8") is Code.BODY_AMBIGUOUS
    check(Format.CSV, head, encoding="utf-16")


@pytest.mark.parametrize("head", [b"", b"{1:F01BANK}{4:", b":20:a"])
def test_a_statement_message_begins_with_its_first_field_or_block(head: bytes) -> None:
    check(Format.MT940, head)
    for other in (b"\xef\xbb\xbf" + (head or b"x"), b"ABNANL2A\r\n", b"id,x\n", b"{}", b"<a/>"):
        assert refusal(Format.MT940, other) is Code.FORMAT_MISMATCH
    check(Format.MT940, head, charset="iso-8859-1", encoding="latin-1")
    assert refusal(Format.MT940, head, charset="utf-8", encoding="latin-1") is Code.FORMAT_MISMATCH


@pytest.mark.parametrize("head", [b"", b"<?xml version='1.0'?><OFX/>", b"\nOFXHEADER:100\n", b"{}"])
def test_an_ofx_begins_with_its_header(head: bytes) -> None:
    """OFX 2 is for the format `xml`."""
    check(Format.OFX)
    assert refusal(Format.OFX, head) is Code.FORMAT_MISMATCH
    assert refusal(Format.OFX, b"OFXHEADER:100\r") is Code.BODY_MALFORMED
    assert refusal(Format.OFX, charset="utf-8") is Code.FORMAT_MISMATCH


BINARIES = {
    "gzip": gzip.compress(b"id\nme\n"),
    "zstd": b"\x28\xb5\x2f\xfd\x04\x00",
    "ZIP": b"PK\x03\x04\x14\x00",
    "empty ZIP": b"PK\x05\x06\x00\x00",
    "7z": b"7z\xbc\xaf\x27\x1c",
    "PDF": b"%PDF-1.7\n",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "JPEG": b"\xff\xd8\xff\xe0",
    "RIFF": b"RIFF\x24\x00\x00\x00WAVE",
    "SQLite": b"SQLite format 3\x00",
    "HTML": b"<!doctype html><script>",
    "HTML behind blanks": b"\xef\xbb\xbf \r\n\t<html>",
    "XML": b'<?xml version="1.0"?>',
    "UTF-7": b"+/v8-id",
    "UTF-32": "id".encode("utf-32"),
}


@pytest.mark.parametrize(
    "expected", [Format.VCARD, Format.ICALENDAR, Format.MT940, Format.OFX], ids=str
)
@pytest.mark.parametrize("head", BINARIES.values(), ids=BINARIES.keys())
def test_lines_that_begin_like_something_else_are_a_mismatch(expected: Format, head: bytes) -> None:
    """Catalogue A05, A17, A20."""
    assert refusal(expected, head) is Code.FORMAT_MISMATCH
    check(expected)


@pytest.mark.parametrize("expected", [Format.JSON, Format.NDJSON, Format.CSV], ids=str)
@pytest.mark.parametrize("head", BINARIES.values(), ids=BINARIES.keys())
def test_text_that_begins_like_something_else_is_a_mismatch(expected: Format, head: bytes) -> None:
    """Catalogue A05, A17, A20."""
    assert refusal(expected, head) is Code.FORMAT_MISMATCH
    check(expected)
    check(expected, codecs.BOM_UTF8 + HEADS[expected])


@pytest.mark.parametrize("expected", [Format.JSON, Format.NDJSON], ids=str)
def test_utf_16_is_no_json(expected: Format) -> None:
    for codec in ("utf-16", "utf-32"):
        assert refusal(expected, HEADS[expected].decode().encode(codec)) is Code.FORMAT_MISMATCH


@pytest.mark.parametrize("head", [b'{"id": 1}', b'[{"id": 1}]', b"[[1]]", b' ["a"]'])
def test_json_is_no_csv(head: bytes) -> None:
    """Catalogue A15, A20."""
    assert refusal(Format.CSV, head) is Code.FORMAT_MISMATCH
    check(Format.CSV, b"[id],x\n1,2\n")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK", id="cut"),
        pytest.param(b"PK\x07\x08", id="spanned"),
        pytest.param(b"PK\x01\x02", id="directory first"),
        pytest.param(b"MZ\x90\x00PK\x03\x04", id="self-extracting"),
        pytest.param(b"%PDF-1.7\nPK\x03\x04", id="PDF in front"),
        pytest.param(b"\x1f\x8bPK\x03\x04", id="gzip in front"),
        pytest.param(b" PK\x03\x04", id="blank in front"),
        pytest.param(b"Rar!\x1a\x07\x00", id="RAR"),
    ],
)
def test_a_zip_begins_with_its_first_member(head: bytes) -> None:
    """Catalogue A20, A76, A87."""
    assert refusal(Format.ZIP, head) is Code.FORMAT_MISMATCH
    check(Format.ZIP)
    check(Format.ZIP, b"PK\x05\x06" + bytes(18))


@pytest.mark.parametrize(
    ("expected", "head", "fits"),
    [
        (Format.MBOX, b"", True),  # a mailbox without messages
        (Format.MBOX, b"From", False),
        (Format.MBOX, b"To: me@x.org\n", False),
        (Format.MBOX, b"\nFrom me@x.org", False),
        (Format.MBOX, b"\xef\xbb\xbfFrom me@x.org", False),
        (Format.EML, b"", True),  # what is too short is for its reader
        (Format.EML, b"X-Any: 1", True),
        (Format.EML, b"From me@x.org Sat Nov 28 08:57:42 2026\n", False),
        (Format.EML, b"\nTo: me@x.org", False),
        (Format.EML, b"\xef\xbb\xbfTo: me@x.org", False),
        (Format.EML, b"<html>", False),
        (Format.EML, b"<a:b>", False),
        (Format.EML, b'{"a": 1}', False),
        (Format.EML, b"PK\x03\x04:", False),
    ],
)
def test_mail_begins_with_a_header_and_a_mailbox_with_a_message(
    expected: Format, head: bytes, fits: bool
) -> None:
    """Catalogue A15, A20."""
    if fits:
        check(expected, head)
    else:
        assert refusal(expected, head) is Code.FORMAT_MISMATCH


def test_an_empty_body_is_left_to_its_reader() -> None:
    for expected in (Format.JSON, Format.NDJSON, Format.CSV):
        check(expected, b"")


def test_a_kind_of_file_is_known_by_its_first_bytes() -> None:
    assert detection.is_file(b"%PDF-1.7") and detection.is_file(b"PK\x03\x04")
    assert not detection.is_file(b"<a/>") and not detection.is_file(b"{}")
