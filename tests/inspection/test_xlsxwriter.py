"""A new workbook: its sheets, its cells, and of the styles only the number formats in use."""

import io

import openpyxl
import pytest

from gateway.errors import InternalError
from gateway.inspection.sinks import MemorySink
from gateway.inspection.xlsxcells import NumberFormat
from gateway.inspection.xlsxrows import FAULT, NUMBER, TRUTH, WORDS, Cell, Row
from gateway.inspection.xlsxwriter import Styles, XlsxWriter, digest_of, write_sheet
from tests.support.workbooks import by_calamine, by_openpyxl, everything


def written(names: tuple[str, ...], *rows: Row, title: str = "S", date1904: bool = False) -> bytes:
    styles, sink = Styles(), MemorySink()
    digest = digest_of(names, rows, styles)
    writer = XlsxWriter([title], styles, date1904, sink)
    writer.add_sheet(names, rows, digest)
    writer.finish()
    return sink.getvalue()


def test_every_kind_of_cell_is_read_again_by_others() -> None:
    row = {0: Cell(WORDS, ' <a> & "b"\'\n'), 1: Cell(NUMBER, "-1"), 3: Cell(TRUTH, "1")}
    body = written(("a", "b", "c", "d", "e"), row, {4: Cell(FAULT, "#N/A")}, title="<S> & 'é\"")
    expected = [(*"abcde",), (' <a> & "b"\'\n', -1, None, True, None)]
    (found,) = by_openpyxl(body).values()
    assert found == [*expected, (None, None, None, None, "#N/A")]
    (other,) = by_calamine(body).values()
    assert other[:2] == expected
    assert [*by_openpyxl(body)] == [*by_calamine(body)] == ["<S> & 'é\""]


def test_columns_have_their_letters() -> None:
    names = tuple(f"c{place}" for place in range(800))
    body = written(names, {799: Cell(NUMBER, "1")})
    (found,) = by_openpyxl(body).values()
    assert (len(found[0]), found[1][-1]) == (800, 1)


def test_only_formats_in_use_are_there_and_each_once() -> None:
    shown = [
        NumberFormat(14),
        NumberFormat(170, '0"&"'),
        NumberFormat(171, '0"&"'),
        NumberFormat(9),
    ]
    row = {place: Cell(NUMBER, "1", each) for place, each in enumerate(shown)}
    body = written(("a", "b", "c", "d"), row)
    cells = openpyxl.load_workbook(io.BytesIO(body))["S"][2]
    assert [cell.number_format for cell in cells] == ["mm-dd-yy", '0"&"', '0"&"', "0%"]
    assert everything(body).count(b"<numFmt ") == 1
    assert b"<numFmt" not in everything(written(("a",)))


def test_the_calendar_is_there() -> None:
    assert b'date1904="1"' in everything(written(("a",), date1904=True))
    assert b"date1904" not in everything(written(("a",)))


def test_many_rows_are_written_in_pieces() -> None:
    sizes: list[int] = []

    class Pieces(MemorySink):
        def write(self, data: bytes) -> None:
            sizes.append(len(data))

    write_sheet(("a",), ({0: Cell(WORDS, "x" * 1000)} for _ in range(500)), Styles(), Pieces())
    assert len(sizes) > 5 and max(sizes) < 70_000


def test_a_sheet_that_is_another_one_the_second_time_never_leaves() -> None:
    styles = Styles()
    digest = digest_of(("a",), [], styles)
    writer = XlsxWriter(["S"], styles, False, MemorySink())
    with pytest.raises(InternalError):
        writer.add_sheet(("b",), [], digest)
