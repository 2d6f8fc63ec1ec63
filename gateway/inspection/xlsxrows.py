"""The rows of one sheet of an XLSX, as they stream by (ECMA-376 part 1, section 18.3).

The first row is the header: texts without a gap from the first column on. Every other row with
anything in it is a record, hidden or not. What is around the cells (widths, panes, filters,
conditional formats, validations, headers and footers of pages) belongs to no row and stays behind.
Refused is what makes a cell another one for some readers: formulas, whose value is computed again
or isn't; merged cells; links and whatever else stands in a sheet; cells and rows that don't say
where they are, or twice.
"""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.source import Source
from gateway.inspection.xlsxcells import NumberFormat, NumberFormats, Strings
from gateway.inspection.xlsxmarkup import (
    START,
    TEXT,
    RichText,
    check_blank,
    check_text,
    keeps_space,
    tokens,
)
from gateway.inspection.xpath import SEPARATOR

WORDS, NUMBER, TRUTH, FAULT = "text", "number", "truth", "fault"
PLAIN = NumberFormat()

_AROUND = frozenset(
    {
        "sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetCalcPr",
        "sheetProtection", "protectedRanges", "autoFilter", "sortState", "phoneticPr",
        "conditionalFormatting", "dataValidations", "printOptions", "pageMargins", "pageSetup",
        "headerFooter", "rowBreaks", "colBreaks", "ignoredErrors", "extLst",
    }
)  # fmt: skip
_ROW = frozenset(
    {
        "r", "spans", "s", "customFormat", "ht", "hidden", "customHeight", "outlineLevel",
        "collapsed", "thickTop", "thickBot", "ph",
    }
)  # fmt: skip
_CELL = frozenset({"r", "s", "t", "ph"})

_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_PLACE = re.compile(r"0|[1-9][0-9]{0,8}")
_NUMBER = re.compile(r"-?[0-9]{1,32}(?:\.[0-9]{1,32})?(?:[Ee][+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
"""Cells hold doubles, and programs show fifteen digits of them."""
_FAULT = re.compile(r"#[A-Z0-9_/]{1,32}[!?]?")


class Cell(NamedTuple):
    """A cell with something in it: `kind` is WORDS or what else `value` is the spelling of."""

    kind: str
    value: str
    format: NumberFormat = PLAIN

    def identifier(self) -> str | int:
        """An exact text, or an integer that is shown as such. Raises BadUpstream."""
        if self.kind == WORDS:
            return self.value
        if self.kind == NUMBER and self.format.is_plain and _INTEGER.fullmatch(self.value):
            return int(self.value)
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a subject's cell of neither text nor integer")


Row = dict[int, Cell]
"""Column, from 0 → its cell, ascending, without empty ones; never empty."""


class SheetRows:
    """Reads the header at once and the rows one by one. `names` are those of the columns; there
    are none in a sheet without rows.

    Raises BadUpstream: BODY_AMBIGUOUS, BODY_MALFORMED, MEMBER_UNSUPPORTED, and past a limit.
    """

    def __init__(
        self,
        source: Source,
        strings: Strings,
        formats: NumberFormats,
        limits: Limits,
    ) -> None:
        self._rows = _rows(source, _Reader(strings, formats, limits), limits)
        number, header = next(self._rows, (1, {}))
        if number != 1 or [*header] != [*range(len(header))]:
            raise BadUpstream(
                Code.BODY_AMBIGUOUS, "a header that isn't the first row without a gap"
            )
        self.names = tuple(cell.value for cell in header.values())
        if any(cell.kind != WORDS or not cell.value.strip() for cell in header.values()):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a column without a name that is a text")
        if len(set(self.names)) < len(self.names):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "two columns with the same name")

    def __iter__(self) -> Iterator[Row]:
        for _, row in self._rows:
            if next(reversed(row)) >= len(self.names):
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a cell in a column without a name")
            yield row


def _rows(source: Source, reader: "_Reader", limits: Limits) -> Iterator[tuple[int, Row]]:
    for kind, name, attributes in tokens(source, limits):
        if kind == START:
            reader.start(name, attributes)
        elif kind == TEXT:
            reader.text(name)
        elif row := reader.end():
            yield reader.row, row


class _Reader:
    """Where in the sheet the scan is, and the row so far."""

    def __init__(self, strings: Strings, formats: NumberFormats, limits: Limits) -> None:
        self._strings, self._formats, self._limits = strings, formats, limits
        self._depth = 0
        self._inside, self._seen = "", False
        self.row = self._column = 0
        self._cells: Row = {}
        self._size = 0
        self._kind = ""
        self._style = 0
        self._rich: RichText | None = None
        self._value: list[str] | None = None
        self._kept = False

    def start(self, name: str, attributes: list[str]) -> None:
        depth, self._depth = self._depth, self._depth + 1
        if depth >= 2 and self._inside != "sheetData":
            return
        match depth, name:
            case 0, "worksheet":
                pass
            case 1, "sheetData" if not self._seen:
                self._inside, self._seen = name, True
            case 1, _ if name in _AROUND:
                self._inside = name
            case 2, "row":
                self._start_row(dict(zip(attributes[::2], attributes[1::2], strict=True)))
            case 3, "c":
                self._start_cell(dict(zip(attributes[::2], attributes[1::2], strict=True)))
            case 4, "v" if self._value is None and self._rich is None:
                self._value, self._kept = [], keeps_space(attributes)
            case 4, "is" if self._value is None and self._rich is None:
                self._rich = RichText()
            case 4, "f":
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a formula: readers compute it, or don't")
            case _ if depth >= 5 and self._rich:
                self._rich.start(name, attributes)
            case 0, _:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "no worksheet of the transitional kind")
            case _:
                raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a sheet with more than rows of cells")

    def text(self, text: str) -> None:
        self._weigh(text)
        if self._value is not None and self._depth == 5:
            self._value.append(text)
        elif self._rich and self._depth >= 5:
            self._rich.text(text)
        elif self._depth < 2 or self._inside == "sheetData":
            check_blank(text)

    def end(self) -> Row | None:
        """The row that ends here, if it has anything in it."""
        self._depth -= 1
        if self._depth <= 2:
            self._size = 0
        if self._inside != "sheetData" or self._depth < 2:
            return None
        if self._depth == 3:
            self._end_cell()
        elif self._depth >= 5 and self._rich:
            self._rich.end()
        elif self._depth == 2:
            return self._cells
        return None

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r", "")
        if not (number.isascii() and number.isdigit() and len(number) < 8):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a row without a number")
        if int(number) <= self.row or number.startswith("0") or not _known(attributes, _ROW):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "rows in another order than their numbers'")
        self.row, self._column, self._cells = int(number), -1, {}

    def _start_cell(self, attributes: dict[str, str]) -> None:
        found = _REFERENCE.fullmatch(attributes.get("r", ""))
        column = _place(found[1]) if found else -1
        if not found or int(found[2]) != self.row or column <= self._column:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a cell that isn't where it says, or twice")
        if column >= self._limits.columns:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more columns than limits.columns")
        if not _known(attributes, _CELL):
            raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a cell that refers to something else")
        style = attributes.get("s", "0")
        if not _PLACE.fullmatch(style):
            raise BadUpstream(Code.BODY_MALFORMED, "a cell of no style")
        self._column, self._style = column, int(style)
        self._kind = attributes.get("t", "n")
        self._rich = self._value = None

    def _end_cell(self) -> None:
        if (self._kind == "inlineStr") != (self._rich is not None) and (
            self._rich is not None or self._value is not None
        ):
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a cell of another kind than it says")
        if self._rich is not None:
            self._add(WORDS, self._rich.whole())
        elif self._value is not None:
            self._end_value("".join(self._value))
        self._rich = self._value = None

    def _end_value(self, value: str) -> None:
        match self._kind:
            case "s" if _PLACE.fullmatch(value):
                self._add(WORDS, self._strings.at(int(value)))
            case "str":
                self._add(WORDS, check_text(value, self._kept))
            case "n" if not value:
                pass
            case "n" if _NUMBER.fullmatch(value) and math.isfinite(float(value)):
                self._add(NUMBER, value, self._formats.of(self._style))
            case "b" if value in ("0", "1"):
                self._add(TRUTH, value)
            case "e" if _FAULT.fullmatch(value):
                self._add(FAULT, value)
            case _:
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a cell whose value isn't what it says")

    def _add(self, kind: str, value: str, shown: NumberFormat = PLAIN) -> None:
        if value:
            self._weigh(value)  # a shared string is in no text of the sheet
            self._cells[self._column] = Cell(kind, value, shown)

    def _weigh(self, text: str) -> None:
        self._size += len(text)
        if self._size > self._limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "a row longer than limits.record")


def _known(attributes: dict[str, str], names: frozenset[str]) -> bool:
    """Whether there are only these, and those of other namespaces, which say how a row looks."""
    return all(name in names or SEPARATOR in name for name in attributes)


@lru_cache(maxsize=16_384)
def _place(letters: str) -> int:
    """`A` → 0, `AA` → 26."""
    place = 0
    for letter in letters:
        place = 26 * place + ord(letter) - ord("A") + 1
    return place - 1
