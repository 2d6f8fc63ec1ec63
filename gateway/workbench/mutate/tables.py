"""A structured text: where its records stand, where values stand in them, and how to edit it.

Edits are made at the bytes of a value, so that nothing else of a fixture changes. Offsets count in
the text that the format reads: for a CSV that is UTF-8, and `encoded` makes a body of it again.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.inspection import dialects, jsontext, locators
from gateway.inspection.charset import Encoding, read_text
from gateway.inspection.formats.csv import column
from gateway.inspection.jsonlineage import Lineage
from gateway.inspection.rows import Rows
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.writable import AUTO
from gateway.model import Format
from gateway.workbench.unusable import Unusable

Span = tuple[int, int]
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one value stands, and the value."""

    span: Span
    value: Any


@dataclass(frozen=True, slots=True)
class Table:
    """A text and its records. `names` are the columns of a CSV."""

    spec: BodySpec | MemberSpec
    text: bytes
    records: tuple[Span, ...]
    encoding: Encoding | None = None
    names: tuple[str, ...] = ()

    def record(self, index: int) -> Any:
        """The value of a record, as locators see it."""
        begin, end = self.records[index]
        if self.spec.format is not Format.CSV:
            return jsontext.parse(self.text[begin:end], Limits().depth)
        cells = self._cells(index)
        named = zip(self.names, cells, strict=True)
        return {name: self._cell(span) for name, span in named if self._cell(span)}

    def spots(self, index: int, locator: str) -> tuple[Spot, ...]:
        """The values that a locator finds in a record; empty cells of a CSV are none."""
        if self.spec.format is Format.CSV:
            name = column(locator)
            span = self._cells(index)[self.names.index(name)] if name in self.names else (0, 0)
            return (Spot(span, self._cell(span)),) if self._cell(span) else ()
        begin, end = self.records[index]
        steps = locators.compile(locator)
        return tuple(
            Spot(span, jsontext.parse(self.text[slice(*span)], Limits().depth))
            for span in jsontext.places(self.text, begin, end, steps)
        )

    def can_hold(self, text: str) -> bool:
        """Whether a JSON value can be said in this format: a CSV has only texts."""
        return self.spec.format is not Format.CSV or text.startswith('"')

    def written(self, text: str) -> bytes:
        """A JSON value as it is written in this format."""
        return self._quoted(json.loads(text)) if self.spec.format is Format.CSV else text.encode()

    def with_values(self, changes: Iterable[tuple[Span, bytes]]) -> "Table":
        """The text with other bytes at places that don't overlap. The records' spans are stale."""
        pieces: list[bytes] = []
        at = 0
        for (begin, end), value in sorted(changes):
            pieces += (self.text[at:begin], value)
            at = end
        return replace(self, text=b"".join((*pieces, self.text[at:])))

    @property
    def is_list(self) -> bool:
        """Whether a record can be left out, or stand there twice."""
        steps = locators.compile(self.spec.records)
        return self.spec.format is not Format.JSON or steps[-1:] == (locators.Wildcard.ELEMENTS,)

    def without(self, index: int) -> "Table":
        """The text of a list without one record."""
        begin, end = self.records[index]
        if self.spec.format is not Format.JSON:
            return self.with_values([((begin, self._line_end(end)), b"")])
        after = _COMMA_AFTER.match(self.text, end)
        before = _COMMA_BEFORE.search(self.text[:begin])
        if after:
            return self.with_values([((begin, after.end()), b"")])
        return self.with_values([((before.start() if before else begin, end), b"")])

    def doubled(self, index: int) -> "Table":
        """The text of a list with one record twice."""
        begin, end = self.records[index]
        if self.spec.format is not Format.JSON:
            stop = self._line_end(end)
            line = self.text[begin:stop]
            ended = line if line != self.text[begin:end] else line + b"\n"
            return self.with_values([((begin, begin), ended)])
        return self.with_values([((end, end), b"," + self.text[begin:end])])

    def encoded(self) -> bytes:
        """The body that this text is of."""
        if self.encoding is None:
            return self.text
        return self.encoding.mark + self.encoding.encode(self.text)

    def _line_end(self, end: int) -> int:
        found = _LINE_END.match(self.text, end)
        return found.end() if found else end

    # --- cells ----------------------------------------------------------------------------------

    def _cells(self, index: int) -> Sequence[Span]:
        """Where the cells of a row stand, quotes included; the row was read before, strictly."""
        begin, end = self.records[index]
        dialect = dialects.dialect(self.spec)
        part, quote = dialect.delimiter.encode(), dialect.quote.encode()
        spans, at = [], begin
        while True:
            stop = at
            if self.text.startswith(quote, at, end):
                stop += 1
                while True:
                    stop = self.text.index(quote, stop, end) + 1
                    if not self.text.startswith(quote, stop, end):
                        break
                    stop += 1
            found = self.text.find(part, stop, end)
            stop = end if found < 0 else found
            spans.append((at, stop))
            if found < 0:
                return spans
            at = stop + len(part)

    def _cell(self, span: Span) -> str:
        cell, quote = self.text[slice(*span)].decode(), dialects.dialect(self.spec).quote
        return cell[1:-1].replace(quote * 2, quote) if cell.startswith(quote) else cell

    def _quoted(self, value: str) -> bytes:
        dialect = dialects.dialect(self.spec)
        special = (dialect.delimiter, dialect.quote, "\n", "\r")
        if any(each in value for each in special):
            value = dialect.quote + value.replace(dialect.quote, dialect.quote * 2) + dialect.quote
        return value.encode()


_COMMA_AFTER = re.compile(rb"[ \t\r\n]*,")
_COMMA_BEFORE = re.compile(rb",[ \t\r\n]*\Z")
_LINE_END = re.compile(rb"\r\n|\r|\n")


def table(data: bytes, spec: BodySpec | MemberSpec) -> Table:
    """A text that the gateway has read without refusing it, and its records in their order."""
    if spec.compression:
        raise Unusable("mutate changes nothing that is compressed")
    read = _READERS.get(spec.format)
    if read is None:
        raise Unusable(f"mutate changes no {spec.format}; what it changes: {', '.join(_READERS)}")
    vouches_for = spec.vouches_for if isinstance(spec, MemberSpec) else None
    if spec.format is Format.JSON and Lineage(spec, (vouches_for or "$",)).climbs:
        raise Unusable("mutate changes no records whose owner stands above them ($^ and $~)")
    if spec.also:
        raise Unusable("mutate changes no document with several sets of records (also)")
    if spec.embedded:
        raise Unusable("mutate changes no records with documents in their texts (embedded)")
    return read(data, spec)


def _json(data: bytes, spec: BodySpec | MemberSpec) -> Table:
    begin, end = jsontext.trimmed(data.removeprefix(_BOM))
    shift = len(data) - len(data.removeprefix(_BOM))
    steps = locators.compile(spec.records)
    return Table(spec, data, tuple(jsontext.places(data, begin + shift, end + shift, steps)))


def _ndjson(data: bytes, spec: BodySpec | MemberSpec) -> Table:
    records, at = [], len(data) - len(data.removeprefix(_BOM))
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        begin, stop = jsontext.trimmed(data[at:end])
        records.append((at + begin, at + stop))
        at = end + 1
    return Table(spec, data, tuple(records))


def _csv(data: bytes, spec: BodySpec | MemberSpec) -> Table:
    if AUTO in (spec.delimiter, spec.encoding) or spec.preamble:
        raise Unusable("mutate changes no CSV with a preamble, or with auto settings")
    encoding, text = read_text([data], spec.encoding)
    rows = Rows(text, dialects.dialect(spec), Limits())
    pieces, records, at = [rows.header], [], len(rows.header)
    for batch in rows.batches(()):
        for row in batch.rows:
            records.append((at, at + len(row.rstrip(b"\r\n"))))
            at += len(row)
            pieces.append(row)
    return Table(spec, b"".join(pieces), tuple(records), encoding, rows.names)


_READERS: dict[Format, Callable[[bytes, BodySpec | MemberSpec], Table]] = {
    Format.JSON: _json,
    Format.NDJSON: _ndjson,
    Format.CSV: _csv,
}
