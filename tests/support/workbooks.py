"""XLSX workbooks: those that programs write, and any part by part; and what others read in them."""

import io
import warnings
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZipFile

import openpyxl
import python_calamine

from gateway.inspection.xlsxmarkup import MAIN
from gateway.inspection.xlsxpackage import (
    CONTENT_TYPES,
    OFFICE,
    PART_TYPES,
    RELATIONSHIPS,
    WORKSHEET_TYPE,
)
from tests.support.zips import DEFLATED, M, archive

TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Sheets = Mapping[str, Sequence[Sequence[Any]]]


def saved(sheets: Sheets) -> bytes:
    """What openpyxl writes."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append([*row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def by_openpyxl(body: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """Sheet → rows of values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a workbook has no styles of its own
        book = openpyxl.load_workbook(io.BytesIO(body))
    return {sheet.title: [row for row in sheet.values if any(map(_is, row))] for sheet in book}


def by_calamine(body: bytes) -> dict[str, list[tuple[Any, ...]]]:
    book = python_calamine.load_workbook(io.BytesIO(body))
    found = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    return {name: [tuple(map(_value, row)) for row in rows] for name, rows in found.items()}


def _is(value: Any) -> bool:
    return value is not None


def _value(value: Any) -> Any:
    """Its numbers are all floats, its empty cells texts, and its days dates."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time())
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if value == "" else value


def texts(*rows: Sequence[str]) -> str:
    """Rows of inline strings, as a sheet has them."""
    return "".join(
        f'<row r="{number}">'
        + "".join(
            f'<c r="{chr(65 + place)}{number}" t="inlineStr"><is><t>{escape(text)}</t></is></c>'
            for place, text in enumerate(row)
        )
        + "</row>"
        for number, row in enumerate(rows, 1)
    )


def sheet(rows: str, behind: str = "") -> bytes:
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{behind}</worksheet>'.encode()


def strings(*items: str) -> bytes:
    return f'<sst xmlns="{MAIN}">{"".join(f"<si>{item}</si>" for item in items)}</sst>'.encode()


def styles(formats: str, *numbers: int) -> bytes:
    each = "".join(f'<xf numFmtId="{number}"/>' for number in numbers)
    formats = f"<numFmts>{formats}</numFmts>" if formats else ""
    return f'<styleSheet xmlns="{MAIN}">{formats}<cellXfs>{each}</cellXfs></styleSheet>'.encode()


def relations(*each: tuple[str, str, str]) -> bytes:
    listed = "".join(
        f'<Relationship Id="{identity}" Type="{kind}" Target="{target}"/>'
        for identity, kind, target in each
    )
    return f'<Relationships xmlns="{RELATIONSHIPS}">{listed}</Relationships>'.encode()


def book(names: Sequence[str], settings: str = "") -> bytes:
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="s{number}"/>'
        for number, name in enumerate(names, 1)
    )
    head = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{settings}'
    return f"{head}<sheets>{listed}</sheets></workbook>".encode()


def parts(
    *sheets: bytes, shared: bytes | None = None, styled: bytes | None = None, settings: str = ""
) -> dict[str, bytes]:
    """The parts of a workbook, by their names."""
    numbers = range(1, len(sheets) + 1)
    related = [(f"s{n}", f"{OFFICE}/worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
    found = {
        "xl/workbook.xml": book([f"S{n}" for n in numbers], settings),
        **{f"xl/worksheets/sheet{n}.xml": sheets[n - 1] for n in numbers},
    }
    if shared is not None:
        found["xl/sharedStrings.xml"] = shared
        related.append(("strings", f"{OFFICE}/sharedStrings", "/xl/sharedStrings.xml"))
    if styled is not None:
        found["xl/styles.xml"] = styled
        related.append(("styles", f"{OFFICE}/styles", "styles.xml"))
    root = relations(("r1", f"{OFFICE}/officeDocument", "xl/workbook.xml"))
    found |= {"_rels/.rels": root, "xl/_rels/workbook.xml.rels": relations(*related)}
    return {"[Content_Types].xml": types(*found), **found}


def types(*names: str) -> bytes:
    listed = "".join(
        f'<Override PartName="/{name}" ContentType="{PART_TYPES.get(name, WORKSHEET_TYPE)}"/>'
        for name in names
    )
    return f'<Types xmlns="{CONTENT_TYPES}">{listed}</Types>'.encode()


def zipped(found: Mapping[str, bytes], method: int = DEFLATED) -> bytes:
    return archive(*(M(name, data, method) for name, data in found.items()))


def workbook(*sheets: str, **options: Any) -> bytes:
    """A workbook of sheets of such rows (`texts`, or any markup)."""
    return zipped(parts(*map(sheet, sheets), **options))


def unzipped(body: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(body)) as file:
        return {name: file.read(name) for name in file.namelist()}


def everything(body: bytes) -> bytes:
    """All bytes of all parts, and their names."""
    return b"".join(name.encode() + data for name, data in unzipped(body).items())
