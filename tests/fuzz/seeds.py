"""A few honest bodies of each format, and how their endpoint reads them."""

import json

from gateway.inspection.settings import BodySpec, MemberSpec
from gateway.model import Attribution, Format
from tests.support.parquets import written
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
_EVENTS = b": ping\n\nevent: a\nid: 7\ndata: " + _ME + b'\n\nretry: 5\ndata:{\ndata: "owner":1}\n\n'
_XML = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<e xmlns:x="urn:x" a="1">\n'
    b' <r owner="me"><x:t>a &amp; b<![CDATA[ <c> ]]></x:t></r>\n <!-- c -->\n'
    b' <r owner="foreign">d</r><r owner="me" x:n=\'"\'/>\n</e>\n'
)
_MANIFEST = json.dumps([{"owner": "me", "file": "a.bin"}, {"owner": "foreign", "file": "b.bin"}])

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
    Format.ZIP: (
        BodySpec(
            Format.ZIP,
            members=(
                MemberSpec("m.json", Format.JSON, "$[*]", OWNER, vouches_for="$.file"),
                MemberSpec("*.bin", attribution=Attribution.MANIFEST),
                MemberSpec("*.js", Format.JAVASCRIPT, "$[*]", OWNER),
                MemberSpec("*.events", Format.SSE, subject=OWNER),
                MemberSpec("*.csv", Format.CSV, subject=({"account": ("owner",)},)),
                MemberSpec("{account}/*", attribution=Attribution.PATH),
            ),
        ),
        [
            archive(M("m.json", _MANIFEST.encode()), M("a.bin", b"a"), M("b.bin", b"b" * 99)),
            archive(M("a.js", b"x = " + _LIST, DEFLATED), M("a.events", _EVENTS, DEFLATED)),
            archive(M("me/a", b"a", STORED), M("foreign/b", b"b", descriptor="32"), M("c", b"c")),
            archive(M("t.csv", _TABLE, DEFLATED, descriptor="64"), M("me/", b"")),
        ],
    ),
}
