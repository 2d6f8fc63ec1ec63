"""The rows of a sheet: where each cell is and what is in it, as all readers see it."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.xlsxcells import NumberFormat, NumberFormats, Strings
from gateway.inspection.xlsxmarkup import MAIN
from gateway.inspection.xlsxrows import FAULT, NUMBER, TRUTH, WORDS, Cell, Row, SheetRows
from tests.support.reading import Cut
from tests.support.workbooks import sheet, strings, styles, texts

SHARED = strings("<t>a</t>", "<t>b</t>")
STYLED = styles("", 0, 14)


def opened(body: bytes, limits: Limits | None = None, size: int = 1 << 18) -> SheetRows:
    bound = limits or Limits()
    shared, shown = Strings(Cut(SHARED), bound), NumberFormats(Cut(STYLED), bound)
    return SheetRows(Cut(body, size), shared, shown, bound)


def rows(markup: str, *, size: int = 1 << 18) -> list[Row]:
    """The rows under a header of three columns."""
    return [*opened(sheet(texts(["x", "y", "z"]) + markup), size=size)]


def code(markup: str, limits: Limits | None = None) -> Code:
    return code_of(sheet(texts(["x", "y", "z"]) + markup), limits)


def code_of(body: bytes, limits: Limits | None = None) -> Code:
    with pytest.raises(BadUpstream) as caught:
        [*opened(body, limits)]
    return caught.value.code


def cell(inside: str, attributes: str = "") -> str:
    return f'<row r="2"><c r="A2"{attributes}>{inside}</c></row>'


@pytest.mark.parametrize("size", [1, 11, 1 << 18])
def test_cells_are_where_they_say_with_what_is_in_them(size: int) -> None:
    found = rows(
        '<row r="2" spans="1:3" hidden="1" ht="9"><c r="A2" t="s"><v>1</v></c>'
        '<c r="C2" s="1"><v>-1.5e3</v></c></row> <row r="4">'
        '<c r="A4" t="b"><v>0</v></c><c r="B4" t="e"><v>#DIV/0!</v></c>'
        '<c r="C4" t="str"><v xml:space="preserve"> s</v></c></row>',
        size=size,
    )
    assert found == [
        {0: Cell(WORDS, "b"), 2: Cell(NUMBER, "-1.5e3", NumberFormat(14))},
        {0: Cell(TRUTH, "0"), 1: Cell(FAULT, "#DIV/0!"), 2: Cell(WORDS, " s")},
    ]


def test_cells_without_anything_are_none() -> None:
    empty = ("", "<v/>", "<v></v>")
    assert [rows(cell(inside)) for inside in empty] == [[]] * 3
    assert rows(cell("<is><t/></is>", ' t="inlineStr"')) == []
    assert rows(cell("", ' t="s"')) == rows(cell("<v/>", ' t="str"')) == []


@pytest.mark.parametrize(
    ("inside", "attributes"),
    [
        ("<v>x</v>", ""),
        ("<v> 1</v>", ""),
        ("<v>1,5</v>", ""),
        ("<v>1e999</v>", ""),
        ("<v>0x10</v>", ""),
        ("<v>INF</v>", ""),
        ("<v>\u0661</v>", ""),
        ("<v>2</v>", ' t="b"'),
        ("<v>true</v>", ' t="b"'),
        ("<v>a</v>", ' t="s"'),
        ("<v>-1</v>", ' t="s"'),
        ("<v>01</v>", ' t="s"'),
        ("<v>a</v>", ' t="e"'),
        ("<v>2026-01-01</v>", ' t="d"'),
        ("<v>1</v>", ' t="odd"'),
        ("<v>1</v>", ' s="2"'),
        ("<v> a</v>", ' t="str"'),
        ("<v>_x0041_</v>", ' t="str"'),
        ("<v>a</v>", ' t="inlineStr"'),
        ("<is><t>a</t></is>", ' t="str"'),
        ("<is><t>a</t></is>", ""),
        ("<f>1+1</f><v>2</v>", ""),
        ("<v>2</v><f/>", ""),
        ("a<v>2</v>", ""),
    ],
)
def test_a_cell_that_readers_see_differently_is_ambiguous(inside: str, attributes: str) -> None:
    assert code(cell(inside, attributes)) is Code.BODY_AMBIGUOUS


def test_a_cell_that_refers_to_what_is_not_there_is_malformed() -> None:
    assert code(cell("<v>2</v>", ' t="s"')) is Code.BODY_MALFORMED
    assert code(cell("<v>2</v>", ' s="x"')) is Code.BODY_MALFORMED


@pytest.mark.parametrize(
    "inside", ["<v>1</v><v>2</v>", "<v>1</v><is><t>a</t></is>", "<v>1<b/></v>", "<extLst/>", "<x/>"]
)
def test_a_cell_with_more_in_it_is_refused(inside: str) -> None:
    assert code(cell(inside)) is Code.MEMBER_UNSUPPORTED


@pytest.mark.parametrize(
    "markup",
    [
        "<row><c r='A2'><v>1</v></c></row>",
        "<row r='2'><c><v>1</v></c></row>",
        "<row r='2'><c r='A3'><v>1</v></c></row>",
        "<row r='2'><c r='a2'><v>1</v></c></row>",
        "<row r='2'><c r='$A$2'><v>1</v></c></row>",
        "<row r='2'><c r='B2'><v>1</v></c><c r='A2'><v>1</v></c></row>",
        "<row r='2'><c r='A2'><v>1</v></c><c r='A2'><v>1</v></c></row>",
        "<row r='3'><c r='A3'><v>1</v></c></row><row r='2'><c r='A2'><v>1</v></c></row>",
        "<row r='1'><c r='A1'><v>1</v></c></row>",
        "<row r='02'><c r='A2'><v>1</v></c></row>",
        "<row r='2' odd='1'><c r='A2'><v>1</v></c></row>",
        "<row r='2'>x</row>",
        "<row r='2'><c r='D2'><v>1</v></c></row>",
    ],
)
def test_rows_and_cells_that_are_not_where_they_say_are_ambiguous(markup: str) -> None:
    assert code(markup) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("attributes", [' cm="1"', ' vm="1"', ' odd="1"'])
def test_a_cell_with_data_of_another_part_is_refused(attributes: str) -> None:
    assert code(cell("<v>1</v>", attributes)) is Code.MEMBER_UNSUPPORTED


def test_attributes_of_other_namespaces_say_how_a_row_looks() -> None:
    row = '<row r="2" xmlns:y="urn:y" y:dyDescent="1"><c r="A2"><v>1</v></c></row>'
    assert rows(row) == [{0: Cell(NUMBER, "1")}]


@pytest.mark.parametrize(
    "behind",
    [
        '<mergeCells><mergeCell ref="A1:B2"/></mergeCells>',
        '<hyperlinks><hyperlink/></hyperlinks>',
        '<drawing/>', '<legacyDrawing/>', '<tableParts/>', '<oleObjects/>', '<controls/>',
        '<dataConsolidate/>', '<scenarios/>', '<customSheetViews/>', '<picture/>', '<sheetData/>',
        '<AlternateContent xmlns="http://schemas.openxmlformats.org/markup-compatibility/2006"/>',
    ],
)  # fmt: skip
def test_what_else_is_in_a_sheet_is_refused(behind: str) -> None:
    assert code_of(sheet(texts(["x"]), behind)) is Code.MEMBER_UNSUPPORTED


def test_what_is_around_the_cells_is_read_over() -> None:
    around = "<sheetViews><sheetView><row/></sheetView></sheetViews>", "<extLst><x>a</x></extLst>"
    assert [*opened(sheet(texts(["x"], ["a"]), "".join(around)))] == [{0: Cell(WORDS, "a")}]


@pytest.mark.parametrize(
    "header",
    [
        '<row r="2"><c r="A2" t="s"><v>0</v></c></row>',
        '<row r="1"><c r="B1" t="s"><v>0</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>0</v></c></row>',
        '<row r="1"><c r="A1"><v>2026</v></c></row>',
        '<row r="1"><c r="A1" t="inlineStr"><is><t xml:space="preserve"> </t></is></c></row>',
    ],
)
def test_a_header_that_does_not_name_each_column_once_is_ambiguous(header: str) -> None:
    assert code_of(sheet(header)) is Code.BODY_AMBIGUOUS


def test_a_sheet_without_rows_has_no_columns() -> None:
    assert opened(sheet("")).names == ()
    assert opened(f'<worksheet xmlns="{MAIN}"/>'.encode()).names == ()


def test_another_part_than_a_sheet_is_refused() -> None:
    assert code_of(b"<worksheet/>") is Code.BODY_TOO_COMPLEX
    assert code_of(f'<chartsheet xmlns="{MAIN}"/>'.encode()) is Code.BODY_TOO_COMPLEX


def test_a_row_is_bounded() -> None:
    assert code(texts(["y" * 200]).replace("1", "2"), Limits(record=100)) is Code.BODY_TOO_LARGE
    assert code("", Limits(columns=2)) is Code.BODY_TOO_COMPLEX


def test_identifiers_are_texts_or_integers_that_are_shown_as_such() -> None:
    assert Cell(WORDS, "007").identifier() == "007"
    assert [Cell(NUMBER, text).identifier() for text in ("0", "-7")] == [0, -7]
    for odd in ("07", "-0", "7.0", "7E1", "1" * 16):
        with pytest.raises(BadUpstream):
            Cell(NUMBER, odd).identifier()
    for other in (Cell(NUMBER, "7", NumberFormat(14)), Cell(TRUTH, "1"), Cell(FAULT, "#N/A")):
        with pytest.raises(BadUpstream):
            other.identifier()
