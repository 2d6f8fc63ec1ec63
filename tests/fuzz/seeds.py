"""A few honest bodies of each format, and how their endpoint reads them."""

import base64
import gzip
import json

from gateway.inspection.settings import BodySpec, EmbeddedSpec, InnerMemberSpec, MemberSpec
from gateway.model import Attribution, Format
from tests.support.parquets import written
from tests.support.tars import T, long_name, pax, tar, tarred
from tests.support.workbooks import parts, saved, sheet, strings, zipped
from tests.support.zips import DEFLATED, STORED, M, archive

OWNER = ({"account": ("$.owner",)},)
_ME = b'{"owner": "me", "text": "a [b] {c} \\"d\\" \xc3\xa9", "n": [1, -2.5e3, null, true]}'
_FOREIGN = b'{"owner":"foreign"}'
_LIST = b"[" + _ME + b",\n " + _FOREIGN + b" , " + _ME + b"]"
_ENVELOPE = (
    b'\xef\xbb\xbf{"total": 3, "next": null, "records": ' + _LIST + b', "extra": {"a": 1}}\n'
)
_TABLE = b'owner,text\r\nme,"a ""b"",\r\nc"\r\nforeign,\r\nme,d\r\n'
_COLUMNS = {"owner": ["me", "foreign", None], "n": [1, None, 3]}
_ROWS = [("owner", "n"), ("me", 1), ("foreign", "a"), (None, 3), (7, True)]
_SHARED = strings("<t>owner</t>", "<t>me</t>", "<r><t>for</t></r><r><t>eign</t></r>")
_SHEET = sheet(
    "".join(
        f'<row r="{n}"><c r="A{n}" t="s"><v>{place}</v></c></row>'
        for n, place in enumerate((0, 1, 2, 1), 1)
    )
)
_EVENTS = b": ping\n\nevent: a\nid: 7\ndata: " + _ME + b'\n\nretry: 5\ndata:{\ndata: "owner":1}\n\n'
_XML = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<e xmlns:x="urn:x" a="1">\n'
    b' <r owner="me"><x:t>a &amp; b<![CDATA[ <c> ]]></x:t></r>\n <!-- c -->\n'
    b' <r owner="foreign">d</r><r owner="me" x:n=\'"\'/>\n</e>\n'
)
_MESSAGE = (
    b"To: me@x.org\nSubject: =?utf-8?q?=C3=A9?=\n more\n"
    b'Content-Type: multipart/mixed; boundary="b"\n\npreamble\n'
    b"--b\n\ntext\n>From a\n--b\nContent-Type: message/rfc822\n\nTo: a@x.org\n\n--\n--b--\n"
)
_FROM = b"From a@x.org Sat Nov 28 08:57:42 2026\n"
_MAILBOX = b"".join(
    (_FROM, _MESSAGE, b"\n", _FROM, b"To: foreign@x.org\nContent-Length: 2\n\na\n\n",
     _FROM, _MESSAGE, b"\n")
)  # fmt: skip
_CARDS = (
    b'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Me\r\nitem1.EMAIL;TYPE="a,b":me\r\nNOTE:a long\r\n  line\r\n'
    b"END:VCARD\r\nBEGIN:VCARD\r\nVERSION:2.1\r\nTEL;CELL:1\r\nEMAIL:foreign\r\n"
    b"N;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:=C3=A9;\r\nEND:VCARD\r\n"
)
_CALENDAR = (
    b"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//a//b\nX-WR-CALNAME:mine\n"
    b"BEGIN:VTIMEZONE\nTZID:a\n"
    b"BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\n"
    b"END:STANDARD\n"
    b'END:VTIMEZONE\nBEGIN:VEVENT\nUID:1\nORGANIZER;CN="a:b":mailto:me\n'
    b"SUMMARY:a\\, b \xc3\n \xa9\n"
    b"BEGIN:VALARM\nACTION:DISPLAY\nEND:VALARM\nEND:VEVENT\n"
    b"BEGIN:VTODO\nORGANIZER:mailto:foreign\nEND:VTODO\nEND:VCALENDAR\n"
)
_STATEMENTS = (
    b":20:a\n:25:me\n:28C:1/1\n:60F:C260630EUR1,00\n:61:2606300630D1,00NTRF\n:86:166?00a\nb\n"
    b":62F:C260630EUR0,00\n-\n:20:b\n:25P:foreign\nBANKDEFF\n:28C:1\n:60M:C260630EUR1,00\n"
    b":62M:C260630EUR1,00\n:20:c\n:21:d\n:25:me\n:28:2\n:60F:C260630EUR0,\n:62F:C260630EUR0,\n"
)
_BLOCKS = (
    b"{1:F01BANKDEFFXXXX0000000000}{2:I940BANKDEFFXXXXN}{4:\r\n:20:a\r\n:25:me\r\n:28C:1\r\n"
    b":60F:C260630EUR1,\r\n:62F:C260630EUR1,\r\n-}{5:{CHK:0123456789AB}}"
)
_OFX = (
    b"OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\n"
    b"COMPRESSION:NONE\nOLDFILEUID:NONE\nNEWFILEUID:NONE\n\n<OFX>\n<SIGNONMSGSRSV1><SONRS><STATUS>"
    b"<CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20260630<LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1>\n"
    b"<BANKMSGSRSV1>\n<STMTTRNRS><TRNUID>1<STMTRS><CURDEF>EUR<BANKACCTFROM><BANKID>1<ACCTID>me\n"
    b"</BANKACCTFROM><BANKTRANLIST><STMTTRN><NAME>a &amp; b \xe9</NAME><MEMO></MEMO></STMTTRN>"
    b"</BANKTRANLIST></STMTRS></STMTTRNRS>\n<STMTTRNRS><TRNUID>2<STMTRS><BANKACCTFROM>"
    b"<ACCTID>foreign</ACCTID></BANKACCTFROM></STMTRS></STMTTRNRS>\n</BANKMSGSRSV1>\n</OFX>\n"
)
_UUID = "05efabf0-4be2-4561-91ce-51548425acb9"
_BUNDLE = json.dumps(
    {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 3,
        "link": [{"relation": "self", "url": "https://h/r4/Observation?x=y"}],
        "meta": {"lastUpdated": "2020-01-01", "tag": [{"code": "a"}]},
        "entry": [
            {
                "fullUrl": "https://h/r4/Observation/1",
                "resource": {
                    "resourceType": "Observation",
                    "id": "1",
                    "subject": {"reference": "Patient/me"},
                    "performer": [{"reference": "#d"}],
                    "contained": [{"resourceType": "Practitioner", "id": "d"}],
                },
                "search": {"mode": "match"},
            },
            {"fullUrl": f"urn:uuid:{_UUID}", "resource": {"resourceType": "Patient", "id": _UUID}},
            {
                "resource": {
                    "resourceType": "Coverage",
                    "beneficiary": {"reference": f"urn:uuid:{_UUID}", "type": "Patient"},
                    "payor": [{"identifier": {"system": "urn:x", "value": "foreign"}}],
                },
            },
            {"request": {"method": "DELETE", "url": "Patient/me"}, "response": {"status": "204"}},
        ],
    },
    indent=1,
).encode()
_MANIFEST = json.dumps([{"owner": "me", "file": "a.bin"}, {"owner": "foreign", "file": "b.bin"}])


def _parts(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


_PATH = Attribution.PATH
_INNER = tarred({"me": b"1", "foreign": b"2"})
_PACKED = gzip.compress(_ME + b"\n" + _FOREIGN + b"\n", mtime=0)

_MEMBERS = (
    MemberSpec("m.json", Format.JSON, "$[*]", OWNER, vouches_for="$.file"),
    MemberSpec("*.bin", attribution=Attribution.MANIFEST),
    MemberSpec("*.js", Format.JAVASCRIPT, "$[*]", OWNER),
    MemberSpec("*.events", Format.SSE, subject=OWNER),
    MemberSpec("*.csv", Format.CSV, subject=({"account": ("owner",)},)),
    MemberSpec("*.gz", Format.NDJSON, subject=OWNER, compression="gzip"),
    MemberSpec("*.tar", Format.TAR, members=(InnerMemberSpec("{account}", attribution=_PATH),)),
    MemberSpec("{account}/*", attribution=Attribution.PATH),
)

_INNER_ROWS = base64.b64encode(_TABLE).decode()


def _enclosing(payload: str, **more: str) -> bytes:
    return json.dumps({"owner": "me", "payload": payload, **more}).encode() + b"\n"


EMBEDDED = (
    BodySpec(
        Format.NDJSON,
        subject=OWNER,
        embedded=(
            EmbeddedSpec(("$.payload",), Format.JSON, records="$.records[*]", subject=OWNER),
            EmbeddedSpec(
                ("$.payload", "$.rows"),
                Format.CSV,
                transfer="base64",
                subject=({"account": ("owner",)},),
            ),
            EmbeddedSpec(
                ("$.file",),
                Format.XML,
                {"type": ("text/xml",)},
                "hex",
                records="/e/r",
                subject=({"account": ("@owner",)},),
            ),
            EmbeddedSpec(("$.file",), Format.OPAQUE, {"type": ("image/png",)}, "base64url"),
        ),
        undeclared="refuse",
    ),
    [
        _enclosing(_ENVELOPE.decode()) + _enclosing('{"records": []}'),
        _enclosing(json.dumps({"records": [{"owner": "me", "rows": _INNER_ROWS}]})),
        _enclosing("", file=_XML.hex(), type="text/xml"),
        _enclosing("", file="iVBORw0", type="image/png") + b'{"owner": "foreign"}\n',
    ],
)
"""Documents in the texts of records, whatever the format around them."""

SEEDS: dict[Format, tuple[BodySpec, list[bytes]]] = {
    Format.JSON: (
        BodySpec(Format.JSON, records="$.records[*]", subject=OWNER, totals=("$.total",)),
        [_ENVELOPE, b'{"records":[]}', b'{"a": {"b": "c"}, "records": ' + _LIST + b"}"],
    ),
    Format.NDJSON: (
        BodySpec(Format.NDJSON, subject=OWNER),
        [b"\n".join((_ME, _FOREIGN, _ME)), _ME + b"\r\n" + _FOREIGN + b"\r\n", b"1\n"],
    ),
    Format.JSON_SEQ: (
        BodySpec(Format.JSON_SEQ, subject=OWNER),
        [b"\x1e" + _ME + b"\n\x1e" + _FOREIGN + b"\n", b"\x1e1 \n\x1e\n[]\n", b""],
    ),
    Format.SSE: (
        BodySpec(Format.SSE, subject=OWNER),
        [_EVENTS, _EVENTS.replace(b"\n", b"\r\n"), b""],
    ),
    Format.JAVASCRIPT: (
        BodySpec(Format.JAVASCRIPT, records="$[*]", subject=OWNER),
        [b"window.YTD.a.part0 = " + _LIST, b"var x=" + _LIST + b";\n", b"let x = [ ] ;"],
    ),
    Format.CSV: (
        BodySpec(Format.CSV, subject=({"account": ("owner",)},)),
        [_TABLE, _TABLE.replace(b"\r\n", b"\n"), b"\xef\xbb\xbf" + _TABLE, b"owner\nme"],
    ),
    Format.XML: (
        BodySpec(
            Format.XML,
            records="/e/r",
            subject=({"account": ("@owner",)},),
        ),
        [_XML, _XML.replace(b"\n", b"\r\n"), b"<e/>", b'<e><r owner="me"/></e>'],
    ),
    Format.PARQUET: (
        BodySpec(Format.PARQUET, subject=({"account": ("owner",)},)),
        [
            written(_COLUMNS, compression="none", row_group_size=2, write_page_checksum=False),
            written(_COLUMNS, compression="zstd", data_page_version="2.0", use_dictionary=False),
            written(_COLUMNS, store_schema=False),
        ],
    ),
    Format.XLSX: (
        BodySpec(Format.XLSX, subject=({"account": ("owner",)},)),
        [saved({"A": _ROWS, "B": _ROWS[:1]}), zipped(parts(_SHEET, shared=_SHARED), STORED)],
    ),
    Format.VCARD: (
        BodySpec(Format.VCARD, subject=({"account": ("EMAIL",)},)),
        [_CARDS, _CARDS.replace(b"\r\n", b"\n"), _CARDS[:-2]],
    ),
    Format.ICALENDAR: (
        BodySpec(Format.ICALENDAR, subject=({"account": ("ORGANIZER",)},)),
        [_CALENDAR, _CALENDAR.replace(b"\n", b"\r\n"), _CALENDAR * 2],
    ),
    Format.MT940: (
        BodySpec(Format.MT940, subject=({"account": (":25:",)},)),
        [_STATEMENTS, _STATEMENTS.replace(b"\n", b"\r\n"), _BLOCKS, _BLOCKS + b"\r\n" + _BLOCKS],
    ),
    Format.OFX: (
        BodySpec(Format.OFX, subject=({"account": ("ACCTID",)},)),
        [_OFX, _OFX.replace(b"\n", b"\r\n"), _OFX.replace(b"</ACCTID>", b"")],
    ),
    Format.FHIR: (
        BodySpec(
            Format.FHIR,
            subject=({"fhir": ("Patient",), "account": ("urn:x",)},),
            base=("https://h/r4",),
        ),
        [
            _BUNDLE,
            _BUNDLE.replace(b" ", b"").replace(b"\n", b""),
            b'{"resourceType": "Patient", "id": "me", "link": [{"other": {"reference": "#a"}}]}',
        ],
    ),
    Format.ZIP: (
        BodySpec(Format.ZIP, members=_MEMBERS),
        [
            archive(M("m.json", _MANIFEST.encode()), M("a.bin", b"a"), M("b.bin", b"b" * 99)),
            archive(M("a.js", b"x = " + _LIST, DEFLATED), M("a.events", _EVENTS, DEFLATED)),
            archive(M("me/a", b"a", STORED), M("foreign/b", b"b", descriptor="32"), M("c", b"c")),
            archive(M("t.csv", _TABLE, DEFLATED, descriptor="64"), M("me/", b"")),
            archive(M("a.gz", _PACKED), M("b.tar", _INNER, DEFLATED)),
        ],
    ),
    Format.MBOX: (
        BodySpec(Format.MBOX, subject=({"email": ("To",)},)),
        [
            _MAILBOX,
            _MAILBOX.replace(b"h: 2", b"h: 3").replace(b"\n", b"\r\n"),
            _FROM + b"A: 1\n\n",
            b"",
        ],
    ),
    Format.EML: (
        BodySpec(Format.EML, subject=({"email": ("To|Cc",)},)),
        [_MESSAGE, _MESSAGE.replace(b"\n", b"\r\n"), b'Cc: "a, b" <me@x.org>, c@x.org\n\ntext'],
    ),
    Format.TAR: (
        BodySpec(Format.TAR, members=_MEMBERS),
        [
            tarred({"m.json": _MANIFEST.encode(), "a.bin": b"a", "b.bin": b"b" * 999}),
            tar(T(b"a.js", b"x = " + _LIST), T(b"a.events", _EVENTS), T(b"t.csv", _TABLE)),
            tar(T(b"./", kind=b"5"), *long_name(b"me/" + b"x" * 120, data=b"a"), T(b"c", b"c")),
            tar(pax(("path", "foreign/1")), T(b"foreign/1", b"x"), T(b"me/", kind=b"5")),
        ],
    ),
    Format.MULTIPART: (
        BodySpec(Format.MULTIPART, members=_MEMBERS),
        [
            _parts(
                b'Content-Disposition: form-data; name="m.json"\r\n\r\n' + _MANIFEST.encode(),
                b'Content-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n\r\n-\r\n',
                b"Content-Type: image/png\r\nContent-Id: <b.bin>\r\n\r\n\0",
            ),
            _parts(
                b"Content-Disposition: attachment; filename=a.js\r\n"
                b"Content-Type: text/javascript\r\n"
                b"Content-Transfer-Encoding: base64\r\n\r\n"
                + base64.encodebytes(b"x = " + _LIST).replace(b"\n", b"\r\n"),
                b"Content-Disposition: attachment; filename=t.csv\r\n"
                b"Content-Length: %d\r\n\r\n" % len(_TABLE) + _TABLE,
                b"\r\n",
            ),
            _parts(b"\r\n")[:-2],
        ],
    ),
}
