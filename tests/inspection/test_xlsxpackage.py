"""The parts of an XLSX: each of a closed set, and the same by name, type and relation."""

from collections.abc import Callable, Mapping

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.xlsxpackage import OFFICE, Package, open_package
from gateway.spool import InMemory
from tests.support.workbooks import (
    parts,
    relations,
    saved,
    sheet,
    strings,
    styles,
    texts,
    types,
    zipped,
)
from tests.support.zips import DEFLATED, M, archive

PARTS = parts(sheet(texts(["id"])), shared=strings("<t>a</t>"), styled=styles("", 0))
RELS, BOOK = "xl/_rels/workbook.xml.rels", "xl/workbook.xml"


def opened(body: bytes, limits: Limits | None = None) -> Package:
    return open_package(InMemory(body), limits or Limits())


def code(body: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        opened(body)
    return caught.value.code


def changed(name: str, old: bytes, new: bytes) -> bytes:
    assert old in PARTS[name]
    return zipped({**PARTS, name: PARTS[name].replace(old, new, 1)})


def added(name: str, data: bytes = b"<a/>", kind: str = "application/xml") -> bytes:
    """A workbook with one more part, of which its types say what it is."""
    default = f'<Default Extension="{name.rpartition(".")[2]}" ContentType="{kind}"/></Types>'
    listed = PARTS["[Content_Types].xml"].replace(b"</Types>", default.encode())
    return zipped({**PARTS, "[Content_Types].xml": listed, name: data})


def test_a_workbook_of_a_program_is_opened() -> None:
    book = opened(saved({"A": [("id",)], "B": []}))
    assert [sheet.name for sheet in book.sheets] == ["A", "B"]
    assert book.styles and not book.date1904


def test_sheets_come_in_the_order_of_the_workbook() -> None:
    found = parts(sheet(texts(["one"])), sheet(texts(["two"])))
    first = b'<sheet name="S1" sheetId="1" r:id="s1"/>'
    listed = found[BOOK].replace(first, b"").replace(b"</sheets>", first + b"</sheets>")
    book = opened(zipped({**found, BOOK: listed}))
    texted = [b"".join(sheet.contents.chunks()) for sheet in book.sheets]
    assert [b"two" in text for text in texted] == [True, False]


@pytest.mark.parametrize(("said", "is_so"), [("1", True), ("true", True), ("0", False)])
def test_the_calendar_is_what_the_workbook_says(said: str, is_so: bool) -> None:
    body = zipped(parts(sheet(""), settings=f'<workbookPr date1904="{said}"/>'))
    assert opened(body).date1904 is is_so
    assert code(zipped(parts(sheet(""), settings='<workbookPr date1904="x"/>'))) is (
        Code.BODY_MALFORMED
    )


@pytest.mark.parametrize(
    "name",
    [
        "xl/vbaProject.bin", "xl/comments1.xml", "xl/drawings/drawing1.xml", "xl/media/image1.png",
        "xl/pivotCache/pivotCacheDefinition1.xml", "xl/externalLinks/externalLink1.xml",
        "xl/embeddings/oleObject1.bin", "customXml/item1.xml", "xl/queryTables/queryTable1.xml",
        "xl/connections.xml", "xl/tables/table1.xml", "xl/calcChain.xml", "xl/metadata.xml",
        "xl/worksheets/_rels/sheet1.xml.rels", "xl/chartsheets/sheet1.xml", "xl/theme/theme2.xml",
        "docProps/thumbnail.jpeg", "xl/printerSettings/printerSettings1.bin", "notes.txt",
        "xl/threadedComments/threadedComment1.xml", "xl/persons/person.xml", "xl/worksheets/",
        "xl/ctrlProps/ctrlProp1.xml", "xl/richData/rdrichvalue.xml", "_xmlsignatures/sig1.xml",
        "EncryptedPackage", "xl/revisions/revisionHeaders.xml", "xl/activeX/activeX1.xml",
    ],
)  # fmt: skip
def test_a_part_that_is_not_read_is_refused(name: str) -> None:
    body = added(name, b"" if name.endswith("/") else b"<a/>")
    assert code(body) is Code.MEMBER_UNSUPPORTED


OTHER = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
MINE = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"

AMBIGUOUS: Mapping[str, Callable[[], bytes]] = {
    "a workbook with macros by its type": lambda: changed("[Content_Types].xml", MINE, OTHER),
    "a part that nothing refers to": lambda: added(
        "xl/worksheets/sheet9.xml",
        sheet(""),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml",
    ),
    "two types for one part": lambda: changed(
        "[Content_Types].xml",
        b"</Types>",
        b'<Override PartName="/xl/workbook.xml" ContentType="a/b"/></Types>',
    ),
    "no type": lambda: zipped({**PARTS, "[Content_Types].xml": types(BOOK)}),
    "strings elsewhere": lambda: changed(RELS, b"/xl/sharedStrings.xml", b"worksheets/sheet1.xml"),
    "a sheet that is none": lambda: changed(RELS, b"worksheets/sheet1.xml", b"styles.xml"),
    "a sheet that isn't there": lambda: changed(RELS, b"sheet1.xml", b"sheet2.xml"),
    "a path that climbs": lambda: changed(
        RELS, b"worksheets/sheet1.xml", b"../xl/worksheets/sheet1.xml"
    ),
    "strings that nothing refers to": lambda: zipped(
        {**PARTS, RELS: relations(("s1", f"{OFFICE}/worksheet", "worksheets/sheet1.xml"))}
    ),
    "no relation to the workbook": lambda: zipped({**PARTS, "_rels/.rels": relations()}),
    "a sheet twice": lambda: changed(
        BOOK, b"</sheets>", b'<sheet name="x" sheetId="2" r:id="s1"/></sheets>'
    ),
    "a sheet of another id": lambda: changed(BOOK, b'r:id="s1"', b'r:id="s2"'),
    "no sheet": lambda: changed(BOOK, b'<sheet name="S1" sheetId="1" r:id="s1"/>', b""),
    "an escape in a sheet's name": lambda: changed(BOOK, b'name="S1"', b'name="A_x000D_B"'),
    "sheets elsewhere": lambda: changed(
        BOOK, b"</workbook>", b'<extLst><sheet name="x" r:id="s1"/></extLst></workbook>'
    ),
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_what_readers_find_in_different_ways_is_ambiguous(what: str) -> None:
    assert code(AMBIGUOUS[what]()) is Code.BODY_AMBIGUOUS


def test_two_sheets_of_one_name_are_ambiguous() -> None:
    found = parts(sheet(""), sheet(""))
    listed = found[BOOK].replace(b'name="S2"', b'name="s1"')
    assert code(zipped({**found, BOOK: listed})) is Code.BODY_AMBIGUOUS


def test_a_relation_elsewhere_or_of_an_unknown_kind_is_refused() -> None:
    link = b'<Relationship Id="x" Type="%b/%b" Target="%b"%b/></Relationships>'
    for kind, target, mode in (
        (b"externalLink", b"externalLinks/externalLink1.xml", b""),
        (b"worksheet", b"worksheets/sheet1.xml", b' TargetMode="External"'),
        (b"hyperlink", b"https://x.org", b' TargetMode="External"'),
        (b"attachedToolbars", b"x.bin", b""),
    ):
        new = link % (OFFICE.encode(), kind, target, mode)
        assert code(changed(RELS, b"</Relationships>", new)) is Code.MEMBER_UNSUPPORTED


def test_what_is_no_workbook_of_the_transitional_kind_is_refused() -> None:
    strict = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    assert code(changed(BOOK, main, strict)) is Code.BODY_TOO_COMPLEX
    assert code(archive(M("a.txt", b"a"))) is Code.BODY_MALFORMED
    without = {name: data for name, data in PARTS.items() if name != RELS}
    without["[Content_Types].xml"] = types(*(name for name in without if name[0] != "["))
    assert code(zipped(without)) is Code.BODY_MALFORMED
    unnamed = changed(BOOK, b'name="S1"', b'name=" "')
    assert code(unnamed) is Code.BODY_MALFORMED
    assert code(changed(RELS, b"</Relationships>", b"<x/></Relationships>")) is Code.BODY_MALFORMED
    assert code(changed("[Content_Types].xml", b"</Types>", b"<x/></Types>")) is Code.BODY_MALFORMED


def test_parts_that_are_left_behind_are_read_to_their_end() -> None:
    body = saved({"A": [("id",)]})
    at = body.index(b"docProps/core.xml") + len("docProps/core.xml") + 5
    spoilt = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    assert code(spoilt) is Code.BODY_MALFORMED


def test_a_zip_that_is_hostile_is_refused_before_anything_is_inflated() -> None:
    members = [M(name, data) for name, data in PARTS.items()]
    assert code(archive(*members, M("XL/workbook.xml", b"<a/>"))) is Code.BODY_AMBIGUOUS
    assert code(archive(*members, comment=b"c")) is Code.BODY_AMBIGUOUS
    assert code(archive(*members, between=b"hidden")) is Code.BODY_AMBIGUOUS
    size = {"size": 1 << 31}
    bomb = M("xl/theme/theme1.xml", method=DEFLATED, raw=b"x" * 99, local=size, central=size)
    assert code(archive(*members, bomb)) is Code.BODY_TOO_LARGE


def test_room_to_grow_that_office_leaves_is_read_over() -> None:
    grows = b"\x20\xa2\x08\x00\x28\xa0\x04\x00\0\0\0\0"
    body = archive(*(M(name, data, local_extra=grows) for name, data in PARTS.items()))
    assert opened(body).sheets
