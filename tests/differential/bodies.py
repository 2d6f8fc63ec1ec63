"""Bodies as honest exporters write them, in many spellings, and how an endpoint reads them.

Each record has an owner, or none, and a note that only its owner may see: `canary` of the owner.
"""

import csv
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import xlsxwriter
from hypothesis import strategies as st

from gateway.inspection.settings import BodySpec
from gateway.model import Format
from tests.fuzz.seeds import SEEDS
from tests.support.reading import spaced
from tests.support.workbooks import saved
from tests.support.zips import DEFLATED, STORED, M, archive

TEXTS = ["me", "foreign", "ME", "m e", "é", "e\u0301", "ﬁ", "42", "me,foreign", "a;b", "\U0001f600"]
NUMBERS = [0, -1, 42, 2**53, 2**53 + 1, 2**63 - 1]
PLAIN = ["me", "foreign", "ME", "42", "a.b"]
"""For formats whose readers agree on little more than letters."""


class Record(NamedTuple):
    owner: str | int | None
    text: str

    @property
    def note(self) -> str:
        return self.text if self.owner is None else f"{self.text} {canary(self.owner)}"

    def as_object(self, turned: bool) -> dict[str, Any]:
        members = {"note": self.note, "more": [{"owner": "other"}, 1.5, None, self.text]}
        if self.owner is None:
            return members
        named = {"owner": self.owner}
        return members | named if turned else named | members


def canary(owner: str | int) -> str:
    return f"canary{repr(owner).encode().hex()}x"


def records(
    owners: Sequence[str | int], texts: st.SearchStrategy[str], least: int = 0
) -> st.SearchStrategy[list[Record]]:
    each = st.builds(Record, st.none() | st.sampled_from(owners), texts)
    return st.lists(each, min_size=least, max_size=6)


_SEEDS = st.integers(0, 10_000)
_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
_ANY = records([*TEXTS, *NUMBERS], _TEXTS)
_TAME = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\\"), max_size=8
)
"""Without what some readers take for the end of a line, or of a cell."""


@st.composite
def _json(draw: st.DrawFn) -> bytes:
    found = [each.as_object(draw(st.booleans())) for each in draw(_ANY)]
    whole: dict[str, Any] = {"total": len(found), "records": found, "next": None, "page": {"n": 1}}
    names = draw(st.permutations(list(whole)))
    text = spaced({name: whole[name] for name in names}, draw(_SEEDS))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text


def _flat(found: Record, seed: int) -> bytes:
    return spaced(found.as_object(turned=bool(seed % 2)), seed).replace(b"\n", b" ")


@st.composite
def _ndjson(draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    lines = [_flat(each, draw(_SEEDS)).replace(b"\r", b" ") for each in draw(_ANY)]
    return b"".join(line + end for line in lines)


@st.composite
def _sequences(draw: st.DrawFn) -> bytes:
    texts = [spaced(each.as_object(turned=False), draw(_SEEDS)) for each in draw(_ANY)]
    return b"".join(b"\x1e" + text + b"\n" for text in texts)


@st.composite
def _events(draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    events = []
    for found in draw(records([*TEXTS, *NUMBERS], _TAME)):
        before = draw(st.sampled_from([b"", b": ping\n", b"id: 7\n", b"event: order\nretry: 9\n"]))
        text = spaced(found.as_object(turned=True), draw(_SEEDS)).replace(b"\r", b" ")
        data = b"".join(b"data: " + line + b"\n" for line in text.split(b"\n"))
        events.append((before + data + b"\n").replace(b"\n", end))
    return b"".join(events)


@st.composite
def _script(draw: st.DrawFn) -> bytes:
    before = draw(st.sampled_from([b"window.YTD.like.part0 = ", b"var x=", b"const $a\t=\n"]))
    found = [each.as_object(turned=False) for each in draw(_ANY)]
    value = json.dumps(found, ensure_ascii=draw(st.booleans())).encode()
    return before + value + draw(st.sampled_from([b"", b";", b";\n", b"\n"]))


_PATIENTS = ["me", "foreign", "ME", "a.b"]


@st.composite
def _bundle(draw: st.DrawFn) -> bytes:
    entries = list[dict[str, Any]]()
    for number, who in enumerate(draw(st.lists(st.sampled_from(_PATIENTS), max_size=5))):
        url, owner = f"https://h/r4/Observation/{number}", f"Patient/{who}"
        kind, element = draw(
            st.sampled_from([("Observation", "subject"), ("AllergyIntolerance", "patient")])
        )
        reference = draw(st.sampled_from([owner, f"https://h/r4/{owner}"]))
        found = {"resourceType": kind, "id": str(number), element: {"reference": reference}}
        found["note"] = [{"text": canary(owner)}]
        url = url.replace("Observation", kind)
        entries.append({"fullUrl": url, "resource": found})
    named = draw(st.sets(st.sampled_from(_PATIENTS)))
    for who in sorted(named):
        patient = {"resourceType": "Patient", "id": who, "note": canary(f"Patient/{who}")}
        entries.append({"fullUrl": f"https://h/r4/Patient/{who}", "resource": patient})
    whole = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": draw(st.permutations(entries)),
    }
    return spaced(whole, draw(_SEEDS))


@st.composite
def _table(draw: st.DrawFn) -> bytes:
    quoting = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=draw(st.sampled_from(["\n", "\r\n"])), quoting=quoting)
    writer.writerow(["note", "owner", "text"])
    for each in draw(records([*TEXTS, 'm"e', " me", "=me"], _TAME)):
        writer.writerow([each.note, each.owner, each.text])
    return text.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig"])))


_PRINTABLE = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12)


@st.composite
def _xml(draw: st.DrawFn) -> bytes:
    elements = []
    for each in draw(
        records([*TEXTS, "<&>", "a'b", 'a"b'], _PRINTABLE.filter(lambda text: "]]" not in text))
    ):
        named = "" if each.owner is None else f" owner={quoteattr(str(each.owner))}"
        more = draw(
            st.sampled_from(["", "<!-- c -->", '<r owner="x" xmlns="urn:y"/>', "<m>&#233;</m>"])
        )
        inside = escape(each.note) if draw(st.booleans()) else f"<![CDATA[{each.note}]]>"
        elements.append(f"<r{named}>{more}<note>{inside}</note></r>")
    between = draw(st.sampled_from(["", "\n", "\r\n  ", "\t"]))
    head = draw(
        st.sampled_from(["", '<?xml version="1.0"?>', "<?xml version='1.0' encoding='UTF-8'?>\n"])
    )
    return f"{head}<e a='1'>{between}{between.join(elements)}{between}</e>\n".encode()


def _folded(line: str, end: str, at: int) -> str:
    pieces = [line[n : n + at] for n in range(0, len(line), at)]
    return (end + " ").join(pieces) + end


_NOTES = st.from_regex(r"[A-Za-z0-9]{0,20}", fullmatch=True)


def _lines(lines: Sequence[str], end: str, at: int) -> bytes:
    return "".join(_folded(line, end, at) for line in lines).encode()


@st.composite
def _cards(draw: st.DrawFn) -> bytes:
    end, at = draw(st.sampled_from(["\n", "\r\n"])), draw(st.integers(20, 75))
    lines = list[str]()
    for each in draw(records(PLAIN, _NOTES)):
        version = draw(st.sampled_from(["3.0", "4.0"]))
        email = draw(st.sampled_from(["EMAIL", "item1.EMAIL;TYPE=home", "email"]))
        named = [] if each.owner is None else [f"{email}:{each.owner}"]
        lines += ["BEGIN:VCARD", f"VERSION:{version}", "FN:Name", "N:Name;;;;", *named]
        lines += [f"NOTE:{each.note}", "END:VCARD"]
    return _lines(lines, end, at)


@st.composite
def _calendar(draw: st.DrawFn) -> bytes:
    end, at = draw(st.sampled_from(["\n", "\r\n"])), draw(st.integers(20, 75))
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//a//b"]
    for each in draw(records(PLAIN, _NOTES, least=1)):
        name = draw(st.sampled_from(["VEVENT", "VTODO"]))
        organizer = draw(st.sampled_from(["ORGANIZER", 'ORGANIZER;CN="a:b"']))
        named = [] if each.owner is None else [f"{organizer}:mailto:{each.owner}"]
        lines += [f"BEGIN:{name}", "UID:1", "DTSTAMP:20260701T100000Z", "DTSTART:20260701T100000Z"]
        lines += [*named, f"SUMMARY:{each.note}", f"END:{name}"]
    return _lines([*lines, "END:VCALENDAR"], end, at)


_ACCOUNTS = ["DE89370400440532013000", "DE75512108001245126199", "37040044/532013000", "1"]


@st.composite
def _statements(draw: st.DrawFn) -> bytes:
    blocks = draw(st.booleans())
    end = "\r\n" if blocks else draw(st.sampled_from(["\n", "\r\n"]))
    lines = list[str]()
    for each in draw(st.lists(st.builds(Record, st.sampled_from(_ACCOUNTS), _NOTES), max_size=5)):
        head = "{1:F01BANKDEFFXXXX0000000000}{2:I940BANKDEFFXXXXN}{4:"
        note = each.note[:60]
        lines += [head] if blocks else []
        lines += [":20:A", f":25:{each.owner}", ":28C:1/1", ":60F:C260630EUR1,00"]
        lines += [":61:2607010701D1,00NTRFNONREF", f":86:{note}", ":62F:C260630EUR0,00"]
        lines += ["-}" if blocks else "-"]
    return "".join(line + end for line in lines).encode()


_SIGN_ON = (
    "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\n"
    "COMPRESSION:NONE\nOLDFILEUID:NONE\nNEWFILEUID:NONE\n\n<OFX>\n<SIGNONMSGSRSV1><SONRS><STATUS>"
    "<CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20260701120000<LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1>\n"
)


@st.composite
def _ofx(draw: st.DrawFn) -> bytes:
    close = draw(st.booleans())
    found = list[str]()
    for each in draw(st.lists(st.builds(Record, st.sampled_from(["532013000", "9", "A-1"]), _NOTES),
                              min_size=1, max_size=5)):  # fmt: skip
        found.append(
            "<STMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS><STMTRS><CURDEF>EUR\n"
            f"<BANKACCTFROM><BANKID>1<ACCTID>{each.owner}{'</ACCTID>' if close else ''}\n"
            "<ACCTTYPE>CHECKING</BANKACCTFROM><BANKTRANLIST><DTSTART>20260601<DTEND>20260630\n"
            "<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260630<TRNAMT>-1.00<FITID>1<NAME>a\n"
            f"<MEMO>{each.note}\n</STMTTRN></BANKTRANLIST>"
            "<LEDGERBAL><BALAMT>1.00<DTASOF>20260630</LEDGERBAL></STMTRS></STMTTRNRS>\n"
        )
    sets = f"<BANKMSGSRSV1>{''.join(found)}</BANKMSGSRSV1>"
    body = f"{_SIGN_ON}{sets}</OFX>\n"
    return body.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode("cp1252")


@st.composite
def _members(draw: st.DrawFn) -> list[tuple[str, bytes]]:
    members = list[tuple[str, bytes]]()
    listed = list[dict[str, Any]]()
    for number, each in enumerate(draw(records(PLAIN, _NOTES))):
        if each.owner is None:
            members.append((f"unknown{number}", each.note.encode()))
        elif draw(st.booleans()):
            listed.append({"owner": each.owner, "file": f"{number}.bin"})
            members.append((f"{number}.bin", each.note.encode()))
        else:
            members.append((f"{each.owner}/{number}.jpg", each.note.encode() * 9))
    if listed:
        members.append(("m.json", json.dumps(listed).encode()))
    for name, strategy in (("t.csv", _table()), ("l.js", _script()), ("s.events", _events())):
        if draw(st.booleans()):
            members.append((name, draw(strategy)))
    return draw(st.permutations(members))


@st.composite
def _archive(draw: st.DrawFn) -> bytes:
    packed = [
        M(name, data, draw(st.sampled_from([STORED, DEFLATED])),
          descriptor=draw(st.sampled_from(["", "32", "32m"])))
        for name, data in draw(_members())
    ]  # fmt: skip
    return archive(*packed, zip64=draw(st.sampled_from([None, {}])))


@st.composite
def _tar(draw: st.DrawFn) -> bytes:
    form = draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, data in draw(_members()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


@st.composite
def _parts(draw: st.DrawFn) -> bytes:
    """Parts without folders, which clients take off the names of files."""
    body = b""
    for name, data in [("unknown.txt", b""), *draw(_members())]:
        if "/" not in name:
            head = f'Content-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'
            body += b"--b\r\n" + head.encode() + data + b"\r\n"
    return body + b"--b--\r\n"


_PLAIN_TEXTS = _TEXTS.filter(lambda text: "x005F_" not in text and text[:1] not in ("=", "#"))


@st.composite
def _workbook(draw: st.DrawFn) -> bytes:
    numbers = [0, -1, 42, 10**14]
    names = draw(st.permutations(["owner", "note"]))
    sheets: dict[str, list[list[Any]]] = {}
    for title in draw(st.lists(st.sampled_from("AB"), unique=True, min_size=1)):
        found = draw(records([*TEXTS, *numbers], _PLAIN_TEXTS))
        rows = [{"owner": each.owner, "note": each.note or None} for each in found]
        sheets[title] = [[*names], *([row[name] for name in names] for row in rows)]
    if draw(st.booleans()):
        return saved(sheets)
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_urls": False}) as book:
        for title, rows in sheets.items():
            sheet = book.add_worksheet(title)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return file.getvalue()


def _mail(found: Record, end: str) -> bytes:
    lines = [f"To: {found.owner}@x.org", "Subject: a", "", found.note, ""]
    return end.join(lines).encode()


@st.composite
def _box(draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from(["\n", "\r\n"]))
    start = f"From a@x.org Sat Nov 28 08:57:42 2026{end}".encode()
    found = draw(
        st.lists(st.builds(Record, st.sampled_from(PLAIN), _NOTES), min_size=1, max_size=5)
    )
    return b"".join(start + _mail(each, end) + end.encode() for each in found)


@st.composite
def _eml(draw: st.DrawFn) -> bytes:
    found = draw(st.builds(Record, st.sampled_from(PLAIN), _NOTES))
    return _mail(found, draw(st.sampled_from(["\n", "\r\n"])))


class Case(NamedTuple):
    """`mask` takes the note out of a record, where the format can."""

    spec: BodySpec
    bodies: st.SearchStrategy[bytes]
    mask: str | None


def _case(form: Format, bodies: Callable[[], st.SearchStrategy[bytes]], mask: str | None) -> Case:
    return Case(SEEDS[form][0], bodies(), mask)


CASES: dict[Format, Case] = {
    form: _case(form, bodies, mask)
    for form, bodies, mask in (
        (Format.JSON, _json, "$.note"),
        (Format.NDJSON, _ndjson, "$.note"),
        (Format.JSON_SEQ, _sequences, "$.note"),
        (Format.SSE, _events, "$.note"),
        (Format.JAVASCRIPT, _script, "$.note"),
        (Format.FHIR, _bundle, "$.note"),
        (Format.CSV, _table, "$.note"),
        (Format.XML, _xml, "$.note"),
        (Format.XLSX, _workbook, "$.note"),
        (Format.VCARD, _cards, "$.NOTE"),
        (Format.ICALENDAR, _calendar, "$.SUMMARY"),
        (Format.MT940, _statements, "$['86']"),
        (Format.OFX, _ofx, "$.STMTRS.BANKTRANLIST.STMTTRN.MEMO"),
        (Format.ZIP, _archive, None),
        (Format.TAR, _tar, None),
        (Format.MULTIPART, _parts, None),
        (Format.MBOX, _box, None),
        (Format.EML, _eml, None),
    )
}
