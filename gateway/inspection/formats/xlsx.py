"""XLSX: each row of each sheet one record, its owner in its columns.

A workbook holds much that is in no cell: strings that no cell refers to, names of authors, styles
with texts in them, settings of pages. As a Parquet file, it never leaves as it came: what leaves,
also where every row stays, is written anew of the rows that were read (ADR 16). It has the same
sheets, columns, order, values and number formats; widths, fonts and colours are gone.

The first row of each sheet is its header, and a locator is a column's name, as in a CSV. A sheet
with a header must have the subject's columns. An identifier is a text, or an integer that is shown
as one; an empty cell is none. A mask changes its column's cell in each row that stays. A sheet of
which no row stays, or that has none, leaves with nothing, its name neither: nobody's row says that
its texts are theirs. Where that is all of them, one empty sheet stands for them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from gateway.errors import BadUpstream, Code
from gateway.inspection import archive, detection, jsontext, locators, masking, xlsxpackage
from gateway.inspection.formats import csv
from gateway.inspection.inflation import Unfolding
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Body, Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.inspection.xlsxcells import NumberFormats, Strings
from gateway.inspection.xlsxrows import NUMBER, WORDS, Cell, Row, SheetRows
from gateway.inspection.xlsxwriter import Styles, XlsxWriter, digest_of
from gateway.inspection.zipwriter import Digest
from gateway.model import Attribution, Counts, Mask
from gateway.response import Payload

MEDIA_TYPES = ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",)

_START = b"PK\x03\x04"
_BATCH = 1024
_NO_SHEET = "Sheet1"

_Key = tuple[str | int | None, ...]


def detect(_payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    if not head.startswith(_START):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every row of every sheet. Raises BadUpstream; see `xlsxpackage` and `xlsxrows`."""
    book = _open(source, spec, limits)
    tally.sealed = False  # what is beside the rows was not read, and stays behind
    received = book.body.stored.size
    unfolding = book.body.unfolding or Unfolding(limits, received)
    unfolding.count(book.package.size)
    for sheet in book.package.sheets:
        table = book.table(sheet)
        tally.add_fields(table.rows.names)
        rows = iter(table.rows)
        while batch := [*islice(rows, _BATCH)]:
            # A text that many cells share is written into each of them.
            letters = sum(len(cell.value) for row in batch for cell in row.values())
            unfolding.count(letters)
            keys = [table.key(row) for row in batch]
            tally.add_each(keys, table.owners, Attribution.DIRECT, spec.category)
    book.body.meter.inspected = received
    book.body.meter.decoded = book.package.size


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write a new workbook of the rows that the verdict keeps.

    Each sheet is read twice: a ZIP says how long its members are before they come. Raises
    BadUpstream(REDACTION_UNSUPPORTED) for a mask that isn't one column, or that a value can't have.
    """
    book = _open(source, spec, limits)
    styles = Styles()
    left: list[tuple[xlsxpackage.Sheet, Digest]] = []
    seen = released = 0
    for sheet in book.package.sheets:
        kept = _Kept(book.table(sheet), spec.category, verdict)
        digest = digest_of(kept.names, kept, styles)
        seen += kept.seen
        released += kept.released
        if kept.released:
            left.append((sheet, digest))
    names = [sheet.name for sheet, _ in left] or [_NO_SHEET]
    writer = XlsxWriter(names, styles, book.package.date1904, sink)
    for sheet, digest in left:
        kept = _Kept(book.table(sheet), spec.category, verdict)
        writer.add_sheet(kept.names, kept, digest)
    if not left:
        writer.add_sheet((), (), digest_of((), (), styles))
    writer.finish()
    return Counts(seen=seen, released=released, redacted=seen - released)


@dataclass(frozen=True, slots=True)
class _Table:
    """An opened sheet. `columns` are those that hold identifiers; `owners` says whose a row is by
    its values in them."""

    rows: SheetRows
    columns: tuple[int, ...]
    owners: Callable[[_Key], Owners]

    def key(self, row: Row) -> _Key:
        return tuple(row[column].identifier() if column in row else None for column in self.columns)


class _Kept:
    """The rows of a sheet that stay, masked; `seen` and `released` count as they are read."""

    def __init__(self, table: _Table, category: str, verdict: Verdict) -> None:
        self.names = table.rows.names
        self.seen = self.released = 0
        self._table, self._category, self._verdict = table, category, verdict
        self._masks = _masks(verdict, self.names)

    def __iter__(self) -> Iterator[Row]:
        table, verdict = self._table, self._verdict

        @lru_cache(maxsize=4096)
        def keeps(key: _Key) -> bool:
            return verdict.keeps(table.owners(key), self._category)

        for row in table.rows:
            self.seen += 1
            if keeps(table.key(row)):
                self.released += 1
                yield _masked(row, self._masks, verdict.key) if self._masks else row


@dataclass(frozen=True, slots=True)
class _Book:
    """An opened workbook, and what its cells refer to."""

    body: Body
    package: xlsxpackage.Package
    strings: Strings
    formats: NumberFormats
    spec: BodySpec | MemberSpec
    limits: Limits

    def table(self, sheet: xlsxpackage.Sheet) -> _Table:
        """A sheet from its beginning. Raises BadUpstream where it lacks a subject's column."""
        rows = SheetRows(sheet.contents, self.strings, self.formats, self.limits)
        subject = tuple(
            {kind: tuple(map(csv.path, found)) for kind, found in owner.items()}
            for owner in self.spec.subject
        )
        found = {
            csv.column(locator)
            for owner in self.spec.subject
            for several in owner.values()
            for locator in several
        }
        wanted = tuple(sorted(found)) if rows.names else ()
        for name in wanted:
            csv.check_column(name, rows.names)
        attributor = locators.Attributor(subject)

        @lru_cache(maxsize=self.limits.subjects)
        def owners(key: _Key) -> Owners:
            named = zip(wanted, key, strict=True)
            return attributor.of({name: value for name, value in named if value is not None})

        return _Table(rows, tuple(rows.names.index(name) for name in wanted), owners)


def _open(source: Source, spec: BodySpec | MemberSpec, limits: Limits) -> _Book:
    body = archive.at_random(source)
    package = xlsxpackage.open_package(body.plain(), limits)
    strings, formats = Strings(package.strings, limits), NumberFormats(package.styles, limits)
    return _Book(body, package, strings, formats, spec, limits)


def _masks(verdict: Verdict, names: tuple[str, ...]) -> dict[int, Mask]:
    """Column → the strictest mask of it. Raises BadUpstream also for a column that looks like a
    mask's."""
    masks: dict[str, Mask] = {}
    try:
        for mask in masking.strictest_first(verdict.mask):
            masks.setdefault(csv.column(mask.path), mask)
    except locators.LocatorError:
        raise BadUpstream(
            Code.REDACTION_UNSUPPORTED, "a mask of a table that isn't one column: $.name"
        ) from None
    for name in masks:
        locators.check_names(dict.fromkeys(names), (name,), "a mask")
    return {place: masks[name] for place, name in enumerate(names) if name in masks}


def _masked(row: Row, masks: dict[int, Mask], key: bytes | None) -> Row:
    changed = {
        place: _mask(cell, masks[place], key) if place in masks else cell
        for place, cell in row.items()
    }
    left = {place: cell for place, cell in changed.items() if cell.value}
    if not left:
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask that leaves nothing of a row")
    return left


def _mask(cell: Cell, mask: Mask, key: bytes | None) -> Cell:
    """What a cell becomes; one without a value is an empty one."""
    if cell.kind == WORDS:
        return Cell(WORDS, masking.of_text(mask, cell.value, key))
    # As in JSON: only an integer that is shown as one has a pseudonym.
    integer = cell.kind == NUMBER and cell.format.is_plain
    value = masking.of_json(mask, cell.value.encode() if integer else b"true", key)
    return Cell(WORDS, jsontext.parse(value, 0) or "")
