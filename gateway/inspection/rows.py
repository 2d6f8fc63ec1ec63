"""Delimited text → rows with exact bytes, read strictly (RFC 4180) and in one way only.

Readers of CSV disagree about nearly everything that RFC 4180 doesn't allow: ragged rows, blank
rows, quotes inside a cell, mixed line ends, backslashes. A row that two readers could take for
two rows, or for another owner's row, ends the reading.

There are two readings of the same grammar. A compiled pattern takes well-formed rows one by one,
fast; where it stops, `Rows._walk` reads that row cell by cell, and it alone says what is wrong.
The first fault in byte order is the verdict, however the text was cut into pieces.

One kind of line end, decided by the first row, holds for the whole text (outside quotes). Cells
in quotes may contain line ends and the delimiter. Outside quotes U+0085, U+2028 and U+2029 are
refused (Python's `str.splitlines` and JavaScript end a line there), and so is a backslash before
a quote anywhere: by default PHP and Spark read it as an escaped quote, RFC 4180 as a closing one.

Rows before the header, the preamble, may have any number of cells, and may be blank.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits

_WINDOW = 256 * 1024
_LOOKS = 16
"""How often a row that is still coming is looked at with every piece of it."""
_WRITTEN_OUT = 16
"""Up to so many cells in a row are written out in its pattern."""
_BLANK = b" \t"
_SPLITTERS = (b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are parted. Both are one ASCII punctuation character (the delimiter may be a
    tab), and they differ; raises ValueError otherwise. Where no cell is `quoted`, a quote is no
    part of any cell, because some readers would take it for one."""

    delimiter: str = ","
    quote: str = '"'
    quoted: bool = True

    def __post_init__(self) -> None:
        for name, character in (("delimiter", self.delimiter), ("quote", self.quote)):
            if not re.fullmatch(r"[\t!-/:-@\[\]^_`{-~]", character):
                raise ValueError(f"{name} must be one ASCII punctuation character or a tab")
        if self.delimiter == self.quote:
            raise ValueError("delimiter and quote are the same character")


class Batch(NamedTuple):
    """Some rows in order: their bytes, line end included, the values of the wanted cells, and how
    many bytes all rows are."""

    rows: list[bytes]
    keys: list[tuple[bytes, ...]]
    size: int


class Rows:
    """Reads the header row at once, and the others batch by batch in bounded memory.

    `text` is clean UTF-8 (see `charset.read_text`); `header` are the bytes of the header row and
    `names` the column names; `before` are the bytes of the preamble, so many rows, and `preamble`
    its cells. Raises BadUpstream with BODY_MALFORMED for what RFC 4180 forbids,
    BODY_AMBIGUOUS for what readers take differently, BODY_TOO_LARGE and BODY_TOO_COMPLEX for what
    is over `limits.record` and `limits.columns`. Where the text is still coming (`flowing`), a
    batch are the rows that are there.
    """

    def __init__(
        self,
        text: Iterator[bytes],
        dialect: Dialect,
        limits: Limits,
        preamble: int = 0,
        *,
        flowing: bool = False,
    ) -> None:
        self._text, self._limits, self._flowing = text, limits, flowing
        self._delimiter, self._quote = dialect.delimiter.encode(), dialect.quote.encode()
        self._quoted = dialect.quoted
        self._cell = re.compile(self._cell_pattern())
        self._marks = (b"\\" + self._quote, *_SPLITTERS)
        self._mark = re.compile(b"|".join(map(re.escape, self._marks)))
        self._buffer, self._ended = b"", False
        self._fault: BadUpstream | None = None
        self._line_end: bytes | None = None
        self._width: int | None = None
        self._read = self._looks = 0
        before = [self._read_first(number) for number in range(-preamble, 0)]
        self.before = b"".join(row for row, _ in before)
        self.preamble = tuple(cells for _, cells in before)
        self.header, self._heading = self._read_first(0)
        self._width, self._read = len(self._heading), 1
        self.names = tuple(cell.decode() for cell in self._heading)
        self._check_names()

    def batches(self, columns: Sequence[int]) -> Iterator[Batch]:
        """The rows behind the header, with the values (unquoted) of `columns`, ascending.

        A row that repeats the column names in `columns` (in the first column, if there are none)
        is a second header, and ambiguous.
        """
        watched = tuple(columns) or (0,)
        heading = tuple(self._heading[index] for index in watched)
        line_end = self._line_end or b"\n"
        # The last group takes what is left where a row isn't well-formed, so that none is skipped.
        rows_pattern = re.compile(rb"(%b%b)|((?s:.)++)" % (self._row_pattern(watched), line_end))
        while True:
            (rows, *cells), end, fault = self._take(rows_pattern, watched)
            keys = list(zip(*map(self._values, cells), strict=True))
            if heading in keys:
                repeated = keys.index(heading)
                fault = self._ambiguous("the header again", self._read + repeated)
                del rows[repeated:], keys[repeated:]
                end = sum(map(len, rows))
            self._read += len(rows)
            if rows:
                yield Batch(rows, keys if columns else [()] * len(rows), end)
            if fault:
                raise fault
            if self._ended:
                return
            self._refill(end)

    def masker(self, masks: Mapping[int, Callable[[str], str]]) -> Callable[[bytes], bytes]:
        """A function that gives the cells of some columns in a row that was read another value, as
        each column's function says.

        Nothing else of the row changes. A cell stays in its quotes unless nothing is left in it.
        Raises BadUpstream(REDACTION_UNSUPPORTED) where its new value can't be written in one way.
        """
        columns = sorted(masks)
        cells = re.compile(self._row_pattern(tuple(columns)))
        if len(self._heading) == 1 and not self._quoted:
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask that would leave blank rows")

        def masked(row: bytes) -> bytes:
            found = cells.match(row)
            if found is None:
                raise BadUpstream(Code.INSPECTION_FAILED, "a row reads differently the second time")
            pieces, at = [], 0
            for group, column in enumerate(columns, 1):
                cell = found[group]
                value = self._unquoted(cell).decode()
                new = masks[column](value)
                if new != value or not new:
                    cell = self._written(new.encode(), cell)
                pieces += [row[at : found.start(group)], cell]
                at = found.end(group)
            return b"".join((*pieces, row[at:]))

        return masked

    def _written(self, value: bytes, before: bytes) -> bytes:
        """A cell with this value, in the place of another one.

        In a table of one column it is always in quotes, because a blank row means different things
        to different readers.
        """
        quote = self._quote
        parts = (self._delimiter, quote, b"\r", b"\n", *_SPLITTERS)
        if not self._quoted:
            if any(part in value for part in parts):
                raise BadUpstream(
                    Code.REDACTION_UNSUPPORTED,
                    "a mask that would need quotes, where there are none",
                )
            return value
        quoted = before.startswith(quote) or any(part in value for part in parts)
        if len(self._heading) > 1 and not (value and quoted):
            return value
        cell = quote + value.replace(quote, quote * 2) + quote
        if self._marks[0] in cell:
            raise BadUpstream(
                Code.REDACTION_UNSUPPORTED, "a mask would leave a backslash at an end"
            )
        return cell

    def _take(
        self, rows_pattern: re.Pattern[bytes], watched: tuple[int, ...]
    ) -> tuple[list[list[bytes]], int, BadUpstream | None]:
        """The complete rows in the buffer as columns (their bytes, then their `watched` cells as
        they stand), the end of the last one, and what is wrong behind it."""
        buffer, start = self._buffer, 0
        found: list[list[bytes]] = [[] for _ in range(1 + len(watched))]
        careful = b"\\" in buffer or not buffer.isascii()
        careful = careful and any(mark in buffer for mark in self._marks)
        while True:
            # A mark may or may not be a fault, depending on quotes: its row is for `_walk`.
            mark = self._mark.search(buffer, start) if careful else None
            stop = min(mark.start() if mark else len(buffer), start + self._limits.record)
            rest = _divide(rows_pattern, buffer[start:stop], found)
            start = stop - rest
            try:
                walked = self._walk(start, self._read + len(found[0]))
            except BadUpstream as fault:
                return found, start, fault
            if walked is None:
                return found, start, self._fault
            end, cells = walked
            row = (buffer[start:end], *(cells[index] for index in watched))
            for column, each in zip(found, row, strict=True):
                column.append(each)
            start = end

    def _walk(self, start: int, number: int) -> tuple[int, list[bytes]] | None:
        """Read the row at `start` cell by cell: its end and its cells, quotes and all.

        None where the row isn't complete in the buffer. `number` counts from the header, 0; those
        of the preamble are negative.
        """
        buffer, delimiter, quote = self._buffer, self._delimiter, self._quote
        stop = min(len(buffer), start + self._limits.record)
        last = self._ended and self._fault is None and stop == len(buffer)
        if start == stop:
            return None
        cells: list[bytes] = []
        end = start
        while True:
            cell = self._cell_at(end, stop)
            unclosed = not cell and buffer.startswith(quote, end, stop)
            if unclosed:
                cell = buffer[end:stop]
            self._check_cell(cell, number)
            cells.append(cell)
            end += len(cell)
            line_end = b""
            if end < stop:
                follows = buffer[end : end + 1]
                if follows == delimiter:
                    self._check_room(cells, number)
                    end += 1
                    continue
                if follows not in (b"\r", b"\n"):
                    raise self._malformed("a quote inside a cell, or text behind one", number)
                line_end = self._line_end_at(end, stop, last, number)
            if not line_end and not (last and end == stop):
                if stop < len(buffer):
                    raise BadUpstream(Code.BODY_TOO_LARGE, f"row {number} is over limits.record")
                return None
            if unclosed:
                raise self._malformed("a quote that is never closed", number)
            self._check_row(cells, number)
            return end + len(line_end), cells

    def _cell_at(self, start: int, stop: int) -> bytes:
        """The cell at `start`; empty also where a quote opens that isn't closed before `stop`."""
        found = self._cell.match(self._buffer, start, stop)
        return found[0] if found else b""

    def _line_end_at(self, start: int, stop: int, last: bool, number: int) -> bytes:
        """The line end at `start`; empty where only the bytes behind `stop` can say."""
        first = self._buffer[start : start + 1]
        if first == b"\r" and self._line_end != b"\r":
            if start + 1 == stop and not last and self._line_end != b"\n":
                return b""
            if self._buffer[start + 1 : min(start + 2, stop)] == b"\n":
                first = b"\r\n"
        if self._line_end not in (None, first):
            raise self._ambiguous("another line end than the header's", number)
        return first

    def _check_cell(self, cell: bytes, number: int) -> None:
        if cell.startswith(self._quote):
            if not self._quoted:
                raise self._ambiguous("a quote, where no cell is quoted", number)
            if self._marks[0] in cell:
                raise self._ambiguous("a backslash before a quote", number)
        elif any(splitter in cell for splitter in _SPLITTERS):
            raise self._ambiguous("U+0085, U+2028 or U+2029 outside quotes", number)

    def _check_room(self, cells: list[bytes], number: int) -> None:
        """A delimiter follows `cells`: is there room for one more?"""
        if self._width is None and len(cells) >= self._limits.columns:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more columns than limits.columns")
        if len(cells) == self._width:
            raise self._malformed("more cells than the header", number)

    def _check_row(self, cells: list[bytes], number: int) -> None:
        if len(cells) == 1 and not cells[0].strip(_BLANK) and number >= 0:
            raise self._ambiguous("nothing but blanks", number)
        if self._width is not None and len(cells) < self._width:
            raise self._malformed("fewer cells than the header", number)

    def _read_first(self, number: int) -> tuple[bytes, tuple[bytes, ...]]:
        """The header row or one before it: its bytes, and its cells."""
        while (walked := self._walk(0, number)) is None:
            if self._ended:
                raise self._fault or BadUpstream(Code.BODY_MALFORMED, "no header row")
            self._refill(0)
        end, cells = walked
        row, self._buffer = self._buffer[:end], self._buffer[end:]
        self._line_end = next((e for e in (b"\r\n", b"\n", b"\r") if row.endswith(e)), None)
        return row, tuple(map(self._unquoted, cells))

    def _check_names(self) -> None:
        first, *_ = self.preamble[0] if self.preamble else self._heading
        if first.lower().startswith(b"sep="):
            raise self._ambiguous("a line that names the delimiter", -len(self.preamble))
        if not all(name.strip() for name in self.names):
            raise self._ambiguous("a column without a name", 0)
        if len(set(self.names)) < len(self.names):
            raise self._ambiguous("two columns with the same name", 0)

    def _refill(self, done: int) -> None:
        """Drop `done` bytes of the buffer and read on.

        Reads at least as much as is left, so that a row of many windows takes linear time. Of a
        text that is still coming, a row is looked at with each piece that may end it; after some,
        when a quarter more is there.
        """
        rest = self._buffer[done:]
        pieces, missing = [rest], max(_WINDOW, len(rest))
        self._looks = 0 if done else self._looks + 1
        least = len(rest) // 4 if self._looks > _LOOKS else 0
        least, ends = missing - least, False
        while missing > 0 and not self._ended and not (ends and self._flowing and missing < least):
            try:
                piece = next(self._text, None)
            except BadUpstream as fault:
                # The rows before it come first; `_take` and `_read_first` raise it after them.
                self._fault, piece = fault, None
            if piece is None:
                self._ended = True
            else:
                pieces.append(piece)
                missing -= len(piece)
                ends = ends or b"\n" in piece or b"\r" in piece
        self._buffer = b"".join(pieces)

    def _unquoted(self, cell: bytes) -> bytes:
        quote = self._quote
        return cell[1:-1].replace(quote * 2, quote) if cell.startswith(quote) else cell

    def _values(self, cells: list[bytes]) -> list[bytes]:
        if self._quote not in self._buffer:
            return cells
        distinct = set(cells)
        if not any(cell.startswith(self._quote) for cell in distinct):
            return cells
        values = {cell: self._unquoted(cell) for cell in distinct}
        return [values[cell] for cell in cells]

    def _row_pattern(self, groups: tuple[int, ...]) -> bytes:
        """A row without its line end; `groups` are the columns to capture, ascending."""
        cell, part = self._cell_pattern(), re.escape(self._delimiter)
        width = len(self._heading)
        # A blank line is no row of one empty cell.
        pattern, column = [rb"(?![ \t]*+[\r\n])"] if width == 1 else [], 0
        for group in (*groups, width):
            if group > column and column == 0:
                pattern.append(cell)
                column = 1
            pattern.append(self._repeated(part + cell, group - column))
            if group < width:
                pattern.append(rb"%b(%b)" % (part if group else b"", cell))
            column = group + 1
        return b"".join(pattern)

    def _repeated(self, cell: bytes, times: int) -> bytes:
        """Written out where there are few: counting takes longer than matching a short cell."""
        return cell * times if times <= _WRITTEN_OUT else b"(?:%b){%d}" % (cell, times)

    def _cell_pattern(self) -> bytes:
        """A quoted or a plain cell. Everything in it is possessive: a cell of 16 MiB takes no
        memory for a way back, and there is none."""
        part, mark = re.escape(self._delimiter), re.escape(self._quote)
        inside, outside = rb"[^%b]*+" % mark, rb"[^%b%b\r\n]*+" % (part, mark)
        if not self._quoted:
            return outside
        return rb"(?:%b%b(?:%b%b%b)*+%b|%b)" % (mark, inside, mark, mark, inside, mark, outside)

    def _malformed(self, what: str, number: int) -> BadUpstream:
        return BadUpstream(Code.BODY_MALFORMED, f"row {number}: {what}")

    def _ambiguous(self, what: str, number: int) -> BadUpstream:
        return BadUpstream(Code.BODY_AMBIGUOUS, f"row {number}: {what}")


def _divide(rows_pattern: re.Pattern[bytes], text: bytes, found: list[list[bytes]]) -> int:
    """Add the groups of each row to the columns; how many bytes are left behind the rows."""
    # A flat list takes less time than a tuple for each row: what stands before a match (nothing,
    # since one begins where another ends), its groups, and the one group of what is left.
    parts = rows_pattern.split(text)
    width = 2 + len(found)
    left = parts[-2] if len(parts) > 1 else None
    for group, column in enumerate(found, 1):
        column += parts[group::width]
        if left:
            column.pop()
    return len(left or b"")
