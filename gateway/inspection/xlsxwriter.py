"""An XLSX that is written anew: the sheets of the one that was read, and other rows.

Every text stands in its own cell: there are no shared strings in which one could be left of a row
that went. Rows follow each other without a gap. Of the styles there are the number formats of the
cells that stay, since a date is a number that is shown as one.
"""

from collections.abc import Iterable, Mapping

from gateway.errors import Code, InternalError
from gateway.inspection import xlsxpackage as package
from gateway.inspection.sinks import Sink
from gateway.inspection.xlsxcells import NumberFormat
from gateway.inspection.xlsxmarkup import MAIN
from gateway.inspection.xlsxrows import FAULT, NUMBER, PLAIN, TRUTH, WORDS, Cell, Row
from gateway.inspection.zipfields import DEFLATED
from gateway.inspection.zipwriter import Digest, MemberSink, ZipWriter, entry_of

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_ESCAPED = {ord(character): f"&#{ord(character)};" for character in "&<>\"'\t\n\r"}
_TYPES = {TRUTH: ' t="b"', FAULT: ' t="e"', NUMBER: ""}
_FIRST_CODE = 164
"""Number formats of a workbook's own have numbers from here on."""
_BUFFER = 64 * 1024


class Styles:
    """The number formats in use, by their place among the cell styles."""

    def __init__(self) -> None:
        self._places: dict[NumberFormat, int] = {PLAIN: 0}

    def place(self, shown: NumberFormat) -> int:
        return self._places.setdefault(shown, len(self._places))

    def part(self) -> str:
        codes: dict[str, int] = {}
        numbers = [
            codes.setdefault(shown.code, _FIRST_CODE + len(codes)) if shown.code else shown.number
            for shown in self._places
        ]
        declared = "".join(
            f'<numFmt numFmtId="{number}" formatCode="{_escaped(code)}"/>'
            for code, number in codes.items()
        )
        formats = f'<numFmts count="{len(codes)}">{declared}</numFmts>' if codes else ""
        styles = "".join(
            f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0"'
            f' applyNumberFormat="1"/>'
            for number in numbers
        )
        return (
            f'{_HEAD}<styleSheet xmlns="{MAIN}">{formats}'
            '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
            '<fills count="2"><fill><patternFill patternType="none"/></fill>'
            '<fill><patternFill patternType="gray125"/></fill></fills>'
            '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border>'
            '</borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0"'
            f' borderId="0"/></cellStyleXfs><cellXfs count="{len(numbers)}">{styles}</cellXfs>'
            '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
            "</styleSheet>"
        )


class XlsxWriter:
    """Writes the parts that say what there is, and then each of the sheets."""

    def __init__(self, sheets: list[str], styles: Styles, date1904: bool, sink: Sink) -> None:
        self._sink, self._styles, self._zip = sink, styles, ZipWriter(sink)
        self._sheets = 0
        numbers = range(1, len(sheets) + 1)
        parts = {f"xl/worksheets/sheet{number}.xml": package.WORKSHEET_TYPE for number in numbers}
        names = (package.ROOT, package.WORKBOOK, package.RELATIONS, package.STYLES)
        parts |= {name: package.PART_TYPES[name] for name in names}
        types = "".join(
            f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in parts.items()
        )
        # Some readers know the type of relations by the ending alone.
        rels = f'<Default Extension="rels" ContentType="{package.PART_TYPES[package.ROOT]}"/>'
        self._add(package.TYPES, f'<Types xmlns="{package.CONTENT_TYPES}">{rels}{types}</Types>')
        self._add(package.ROOT, _relations({"rId1": (package.WORKBOOK_RELATION, package.WORKBOOK)}))
        calendar = '<workbookPr date1904="1"/>' if date1904 else "<workbookPr/>"
        listed = "".join(
            f'<sheet name="{_escaped(name)}" sheetId="{number}" r:id="rId{number}"/>'
            for number, name in enumerate(sheets, 1)
        )
        self._add(
            package.WORKBOOK,
            f'<workbook xmlns="{MAIN}" xmlns:r="{package.OFFICE}">{calendar}'
            f"<sheets>{listed}</sheets></workbook>",
        )
        targets = {
            f"rId{number}": (package.SHEET_RELATION, f"worksheets/sheet{number}.xml")
            for number in numbers
        }
        targets[f"rId{len(sheets) + 1}"] = (package.STYLES_RELATION, "styles.xml")
        self._add(package.RELATIONS, _relations(targets))
        self._zip.add(package.STYLES, styles.part().encode())

    def add_sheet(self, names: tuple[str, ...], rows: Iterable[Row], digest: Digest) -> None:
        """Write the next sheet. Raises InternalError where it isn't the one that was foretold."""
        self._sheets += 1
        name = f"xl/worksheets/sheet{self._sheets}.xml"
        self._zip.begin(entry_of(name, DEFLATED, digest), digest)
        member = MemberSink(DEFLATED, self._sink)
        write_sheet(names, rows, self._styles, member)
        if member.finish() != digest:
            raise InternalError(Code.INTERNAL_ERROR, "a sheet was rewritten in two ways")

    def finish(self) -> None:
        self._zip.finish()

    def _add(self, name: str, text: str) -> None:
        self._zip.add(name, (_HEAD + text).encode())


def write_sheet(names: tuple[str, ...], rows: Iterable[Row], styles: Styles, sink: Sink) -> None:
    """Write one sheet: a header, if there are names of columns, and rows."""
    pieces = [f'{_HEAD}<worksheet xmlns="{MAIN}"><sheetData>']
    size = 0
    header = {place: Cell(WORDS, name) for place, name in enumerate(names)}
    letters = [_letters(place) for place in range(len(names))]
    for number, row in enumerate(_with(header, rows), 1):
        cells = "".join(
            _cell(f"{letters[place]}{number}", cell, styles) for place, cell in row.items()
        )
        pieces.append(f'<row r="{number}">{cells}</row>')
        size += len(cells)
        if size >= _BUFFER:
            sink.write("".join(pieces).encode())
            pieces, size = [], 0
    pieces.append("</sheetData></worksheet>")
    sink.write("".join(pieces).encode())


def digest_of(names: tuple[str, ...], rows: Iterable[Row], styles: Styles) -> Digest:
    """What a sheet's part will be."""
    member = MemberSink(DEFLATED)
    write_sheet(names, rows, styles, member)
    return member.finish()


def _with(header: Row, rows: Iterable[Row]) -> Iterable[Row]:
    if header:
        yield header
    yield from rows


def _cell(place: str, cell: Cell, styles: Styles) -> str:
    if cell.kind == WORDS:
        text = f'<t xml:space="preserve">{_escaped(cell.value)}</t>'
        return f'<c r="{place}" t="inlineStr"><is>{text}</is></c>'
    style = styles.place(cell.format)
    shown = f' s="{style}"' if style else ""
    return f'<c r="{place}"{shown}{_TYPES[cell.kind]}><v>{cell.value}</v></c>'


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="{identity}" Type="{kind}" Target="{target}"/>'
        for identity, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{package.RELATIONSHIPS}">{each}</Relationships>'


def _letters(place: int) -> str:
    """0 → `A`, 26 → `AA`."""
    letters, place = "", place + 1
    while place:
        place, last = divmod(place - 1, 26)
        letters = chr(ord("A") + last) + letters
    return letters


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED)
