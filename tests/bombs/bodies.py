"""Honest bodies of any length, and bombs made of them.

A bomb says one piece of an honest body, a bracket, a name, half a record, over and over, and may
hide it under a content coding or in a member of an archive.
"""

import random
from dataclasses import replace
from typing import NamedTuple

from gateway.model import Format
from tests.fuzz.seeds import SEEDS
from tests.support.codings import CODED
from tests.support.tars import tarred
from tests.support.zips import DEFLATED, M, archive

_RECORD = b'{"owner":"me"}'


class Shape(NamedTuple):
    """What stands before the records, a record, what is between two, and what is behind them."""

    before: bytes
    record: bytes
    between: bytes
    after: bytes

    def filled(self, size: int) -> bytes:
        """A body of about this many bytes."""
        count = max(1, size // len(self.record + self.between))
        return self.before + self.between.join([self.record] * count) + self.after


_OFX = (
    b"OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\n"
    b"COMPRESSION:NONE\nOLDFILEUID:NONE\nNEWFILEUID:NONE\n\n<OFX>\n<SIGNONMSGSRSV1><SONRS><STATUS>"
    b"<CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20260630<LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1>\n"
    b"<BANKMSGSRSV1>\n"
)
_TEXTS = {
    Format.JSON: Shape(b'{"records": [', _RECORD, b",", b'], "total": 1}'),
    Format.NDJSON: Shape(b"", _RECORD, b"\n", b"\n"),
    Format.JSON_SEQ: Shape(b"", b"\x1e" + _RECORD + b"\n", b"", b""),
    Format.SSE: Shape(b"", b"id: 7\ndata: " + _RECORD + b"\n\n", b"", b""),
    Format.JAVASCRIPT: Shape(b"x = [", _RECORD, b",", b"];"),
    Format.FHIR: Shape(
        b'{"resourceType": "Bundle", "type": "collection", "entry": [',
        b'{"resource": {"resourceType": "Observation", "subject": {"reference": "Patient/me"}}}',
        b",",
        b"]}",
    ),
    Format.CSV: Shape(b"owner,text\r\n", b'me,"a ""b"""\r\n', b"", b""),
    Format.XML: Shape(
        b'<e xmlns:x="urn:x">', b'<r owner="me"><x:t>a &amp; b</x:t><!-- c --></r>', b"\n", b"</e>"
    ),
    Format.VCARD: Shape(
        b"", b"BEGIN:VCARD\nVERSION:3.0\nFN:Me\nEMAIL;TYPE=a:me\nNOTE:a\n  b\nEND:VCARD\n", b"", b""
    ),
    Format.ICALENDAR: Shape(
        b"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//a//b\n",
        b"BEGIN:VEVENT\nUID:1\nORGANIZER;CN=a:mailto:me\nSUMMARY:a\n  b\nEND:VEVENT\n",
        b"",
        b"END:VCALENDAR\n",
    ),
    Format.MT940: Shape(
        b"",
        b":20:a\n:25:me\n:28C:1/1\n:60F:C260630EUR1,00\n:61:2606300630D1,00NTRF\n:86:166?00a\nb\n"
        b":62F:C260630EUR0,00\n-\n",
        b"",
        b"",
    ),
    Format.MBOX: Shape(
        b"", b"From a@x.org Sat Nov 28 08:57:42 2026\nTo: me@x.org\n\ntext\n\n", b"", b""
    ),
    Format.EML: Shape(b"To: me@x.org\n\n", b"text\n", b"", b""),
    Format.MULTIPART: Shape(
        b"", b'--b\r\nContent-Disposition: form-data; name="#"\r\n\r\ntext\r\n', b"", b"--b--\r\n"
    ),
    Format.OFX: Shape(
        _OFX,
        b"<STMTTRNRS><TRNUID>1<STMTRS><CURDEF>EUR<BANKACCTFROM><BANKID>1<ACCTID>me\n</BANKACCTFROM>"
        b"<BANKTRANLIST><STMTTRN><NAME>a</NAME></STMTTRN></BANKTRANLIST></STMTRS></STMTTRNRS>\n",
        b"",
        b"</BANKMSGSRSV1>\n</OFX>\n",
    ),
}
_INSIDE = {"a.csv": Format.CSV, "a.js": Format.JAVASCRIPT, "a.events": Format.SSE}
"""The members of the archives in `SEEDS` that are read as a format."""


_ARCHIVES = (Format.ZIP, Format.TAR)


class Bomb(NamedTuple):
    """A body as received. `content` is what it would decode to, in bytes."""

    body: bytes
    codings: tuple[str, ...]
    content: int


def honest(form: Format, size: int) -> bytes:
    """A body of about `size` bytes."""
    if form is Format.EML:  # one message, which is one record
        return _TEXTS[form].filled(min(size, 200 << 10))
    if form is Format.MULTIPART:  # no two parts have one name
        part = _TEXTS[form].record
        named = (part.replace(b"#", b"f%d" % number) for number in range(size // len(part)))
        return b"".join(named) + _TEXTS[form].after
    if form not in _ARCHIVES:
        return _TEXTS[form].filled(size)
    texts = {name: _TEXTS[inside].filled(size // 3) for name, inside in _INSIDE.items()}
    if form is Format.TAR:
        return tarred(texts)
    return archive(*(M(name, text) for name, text in texts.items()))


def bomb(form: Format, dice: random.Random, size: int) -> Bomb:
    """One of `size` bytes under a content coding, or of a sixteenth without one."""
    if form is Format.ZIP:
        if dice.random() < 0.3:
            body = _stuttered(honest(form, 300), dice, size // 16)
            return Bomb(body, (), len(body))
        name = dice.choice(list(_INSIDE))
        members = [
            M(
                f"{number}{name}",
                _stuttered(_TEXTS[_INSIDE[name]].filled(300), dice, size),
                DEFLATED,
            )
            for number in range(dice.choice((1, 1, 3)))
        ]
        if dice.random() < 0.5:  # they claim to be small
            claimed = {"size": dice.choice((0, 1000, 1 << 20))}
            members = [replace(member, local=claimed, central=claimed) for member in members]
        return Bomb(archive(*members), (), sum(len(member.data) for member in members))
    bodies = [*SEEDS[form][1], honest(form, 300)]
    coding = dice.choice(["", *CODED])
    if not coding:
        body = _stuttered(dice.choice(bodies), dice, size // 16)
        return Bomb(body, (), len(body))
    content = _stuttered(dice.choice(bodies), dice, size)
    return Bomb(CODED[coding][0](content), (coding,), len(content))


def _stuttered(body: bytes, dice: random.Random, size: int) -> bytes:
    """The body, with one piece of it repeated until it is about `size` bytes long."""
    begin = dice.randrange(len(body) or 1)
    end = begin + dice.choice((1, 1, 2, 3, 5, 8, 13, 40, 100, 250))
    piece = body[begin:end] or b" "
    return (
        body[:begin] + piece * (size // len(piece)) + body[end if dice.random() < 0.5 else begin :]
    )


SHAPES = frozenset((*_TEXTS, *_ARCHIVES))
"""The formats that there are honest bodies of here; a Parquet file or a workbook can't be
stuttered."""
