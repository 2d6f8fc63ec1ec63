"""A sample file → what it holds, read as the gateway would read it.

The format is the one named, or told by the first bytes and the file's name. What the gateway would
refuse is no sample: a proposal for it could never work.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, assert_never

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsontext
from gateway.inspection.charset import read_text
from gateway.inspection.formats import FORMATS
from gateway.inspection.rows import Dialect, Rows
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.source import Body, InMemory
from gateway.inspection.tally import Tally
from gateway.model import Format
from gateway.workbench.samples import plain_bytes, whole
from gateway.workbench.unusable import Unusable

_MAX_FILE = 256 << 20
_MAX_RECORDS = 50_000
"""Evidence is gathered from so many records; the proposal is tried on all of them."""

_DELIMITERS = (",", ";", "\t", "|")
_QUOTES = ('"', "'")
_LINES = frozenset({".ndjson", ".jsonl", ".jsonlines"})
_TABLES = frozenset({".csv", ".tsv"})
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_BOM = b"\xef\xbb\xbf"
_LIMITS = Limits(body=_MAX_FILE, decoded=4 * _MAX_FILE, subjects=1_000_000)


@dataclass(frozen=True, slots=True)
class Specimen:
    """One body, without its content coding. `name` is a file's, or a member's in its archive."""

    name: str
    data: bytes
    format: Format
    coded: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """What a structured body holds: a JSON document, or a list of records.

    `options` are the settings that its reader needs (`delimiter`, `encoding`, `quote`), `notes`
    what was guessed for them.
    """

    value: Any
    options: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read(path: Path, wanted: Format | None) -> Specimen:
    """Raises Unusable."""
    received = whole(path, _MAX_FILE)
    data = plain_bytes(str(path), received, _LIMITS.decoded)
    coded = data is not received
    name = path.name.removesuffix(".gz") if coded else path.name
    form = wanted or _told(name, data)
    if form is None:
        raise Unusable(
            f"{path}: neither JSON, NDJSON, CSV nor ZIP; where it is one of them, say --format"
        )
    if form is Format.OPAQUE:
        raise Unusable(f"{path}: only a member of an archive can be opaque")
    if coded and form is Format.ZIP:
        raise Unusable(f"{path}: the gateway refuses an archive under a content coding")
    return Specimen(str(path), data, form, coded)


def member(name: str, data: bytes) -> Specimen:
    """A member of an archive: opaque where it is nothing that can be read into."""
    form = _told(name.rpartition("/")[2], data)
    if form in (None, Format.ZIP, Format.XML):
        form = Format.OPAQUE
    return Specimen(name, data, form or Format.OPAQUE)


def _told(name: str, data: bytes) -> Format | None:
    ending = Path(name).suffix.lower()
    if data.startswith(_ZIP):
        return Format.ZIP
    if ending in _LINES:
        return Format.NDJSON
    if ending in _TABLES:
        return Format.CSV
    if data.removeprefix(_BOM).startswith(b"<?xml"):
        return Format.XML
    start = data.removeprefix(_BOM).lstrip()[:1]
    if start in (b"{", b"["):
        return Format.NDJSON if _is_lines(data) else Format.JSON
    if start == b"<" or b"\0" in data[:4096]:
        return None
    return Format.CSV if _is_table(data) else None


def _is_lines(data: bytes) -> bool:
    first, end, rest = data.removeprefix(_BOM).partition(b"\n")
    if not end or not rest.strip():
        return False
    try:
        jsontext.parse(first, _LIMITS.depth)
    except BadUpstream:
        return False
    return True


def _is_table(data: bytes) -> bool:
    """Whether a text is one of several columns: one column is a text like any other."""
    try:
        options, _ = _dialect(data)
        return len(_rows(data, options).names) > 1
    except BadUpstream:
        return False


# --- reading ------------------------------------------------------------------------------------


def contents(sample: Specimen) -> Contents:
    """What a structured sample holds. Raises Unusable for what the gateway would refuse."""
    try:
        options, notes = _dialect(sample.data) if sample.format is Format.CSV else ({}, ())
        prove(sample, _plainly(sample.format, options))
        match sample.format:
            case Format.JSON:
                value = jsontext.parse(sample.data.removeprefix(_BOM), _LIMITS.depth)
            case Format.NDJSON:
                lines = sample.data.removeprefix(_BOM).split(b"\n")
                value = [
                    jsontext.parse(line, _LIMITS.depth) for line in lines[:_MAX_RECORDS] if line
                ]
            case Format.CSV:
                value = _records(sample.data, options)
            case Format.ZIP | Format.OPAQUE:
                raise AssertionError(sample.format)
            case (
                Format.JSON_SEQ
                | Format.SSE
                | Format.JAVASCRIPT
                | Format.XML
                | Format.TAR
                | Format.MULTIPART
                | Format.MBOX
                | Format.EML
                | Format.PARQUET
                | Format.XLSX
                | Format.FHIR
                | Format.VCARD
                | Format.ICALENDAR
                | Format.MT940
                | Format.OFX
                | Format.TAR
            ):
                raise Unusable(f"{sample.name}: infer proposes nothing for {sample.format}")
            case other:
                assert_never(other)
    except BadUpstream as refusal:
        raise Unusable(f"{sample.name}: {refused(refusal)}") from None
    return Contents(value, options, notes)


def _plainly(form: Format, options: Mapping[str, str]) -> BodySpec:
    return BodySpec(
        form,
        delimiter=options.get("delimiter"),
        encoding=options.get("encoding"),
        quote=options.get("quote"),
    )


def prove(sample: Specimen, spec: BodySpec | MemberSpec) -> Tally:
    """What the gateway's own reader counts. Raises BadUpstream as it would."""
    tally = Tally(_LIMITS)
    body = Body(InMemory(sample.data), (), _LIMITS)
    FORMATS[sample.format].inspect(body, spec, _LIMITS, tally)
    return tally


def refused(refusal: BadUpstream) -> str:
    """The gateway's refusal, in words for its operator."""
    return f"the gateway would refuse this body: {refusal.code} ({refusal.note})"


def _rows(data: bytes, options: Mapping[str, str]) -> Rows:
    _, text = read_text([data], options.get("encoding"))
    dialect = Dialect(options.get("delimiter", ","), options.get("quote", '"'))
    return Rows(text, dialect, _LIMITS)


def _records(data: bytes, options: Mapping[str, str]) -> list[dict[str, str]]:
    rows = _rows(data, options)
    records: list[dict[str, str]] = []
    for batch in rows.batches(range(len(rows.names))):
        for cells in batch.keys:
            named = zip(rows.names, cells, strict=True)
            records.append({name: cell.decode() for name, cell in named if cell})
        if len(records) >= _MAX_RECORDS:
            break
    return records[:_MAX_RECORDS]


def _dialect(data: bytes) -> tuple[dict[str, str], tuple[str, ...]]:
    """The options of a CSV whose reader finds most columns. Raises BadUpstream, the one of the
    likeliest dialect, where no dialect fits."""
    encoding = _encoding(data)
    options = {"encoding": encoding} if encoding else {}
    notes = [f"read as {encoding}: any bytes can be; make sure"] if encoding else []
    found: list[tuple[int, dict[str, str]]] = []
    broken: list[tuple[int, BadUpstream]] = []
    for quote in _QUOTES:
        for delimiter in _DELIMITERS:
            tried = options | {"delimiter": delimiter, "quote": quote}
            columns = 0
            try:
                rows = _rows(data, tried)
                columns = len(rows.names)
                for _ in rows.batches(()):
                    pass
                found.append((columns, tried))
            except BadUpstream as error:
                broken.append((columns, error))
        if found:
            break
    width, best = max(found, key=lambda each: each[0], default=(0, options))
    torn, refusal = max(broken, key=lambda each: each[0], default=(0, None))
    if refusal and width <= 1 and (torn > width or not found):
        # Everything is one column of a delimiter that it doesn't have.
        raise refusal
    others = [each for columns, each in found if columns > 1 and each is not best]
    notes += [f"also read with {other['delimiter']!r} as delimiter: make sure" for other in others]
    if width == 1 and best["delimiter"] == ",":
        notes.append("one column only: is another character the delimiter?")
    return {name: value for name, value in best.items() if (name, value) not in _DEFAULTS}, tuple(
        notes
    )


_DEFAULTS = frozenset({("delimiter", ","), ("quote", '"')})
_C1 = re.compile(rb"[\x80-\x9f]")


def _encoding(data: bytes) -> str | None:
    """The label that the configuration must name; None where UTF-8 or a byte order mark does."""
    try:
        for _ in read_text([data], None)[1]:
            pass
    except BadUpstream as refusal:
        if refusal.code is not Code.BODY_MALFORMED:
            raise
        return "windows-1252" if _C1.search(data) else "iso-8859-1"
    return None
