"""CSV (RFC 4180): a header row, then one record a row.

The grammar is in `rows`, the encodings in `charset`. An identifier is the exact text of its cell,
always a string; an empty cell is no identifier. Cells that a spreadsheet would take for formulas
are text like any other: nothing reads them as anything else, and what is kept stays as it came.

A locator is a column's name, or `$.name` or `$['name']`, which mean the same. A mask changes its
column's cell in each row that stays; one that names no column of this file masks nothing in it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import charset, detection, locators, masking
from gateway.inspection.rows import Batch, Dialect, Rows
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts, Mask
from gateway.response import Payload

MEDIA_TYPES = ("text/csv", "application/csv", "text/tab-separated-values")

_BLANKED = str.maketrans("\t\r\n", "   ")


_JSON = (b'{"', b"[{", b"[[", b'["')


def detect(payload: Payload, head: bytes, spec: BodySpec) -> None:
    """See `reader`."""
    detection.check_charset(payload, charset.settle(spec.encoding, head))
    detection.check_no_other(head)
    if head.lstrip(detection.MARK_OR_BLANK).startswith(_JSON):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every row into the tally; see `formats`."""
    table = _open(source, spec, limits)
    tally.add_fields(table.rows.names)
    for batch in table.batches():
        tally.add_each(batch.keys, table.owners, Attribution.DIRECT, spec.category)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the header and the rows that the verdict keeps; see `formats`.

    Raises BadUpstream(REDACTION_UNSUPPORTED) for a mask that isn't one column.
    """
    table = _open(source, spec, limits)
    masks = _masks(verdict, table.rows.names)
    masked = table.rows.masker(masks) if masks else None

    @lru_cache(maxsize=limits.subjects)
    def keeps(key: tuple[bytes, ...]) -> bool:
        return verdict.keeps(table.owners(key), spec.category)

    sink.write(table.encoding.mark + table.encoding.encode(table.rows.header))
    seen = released = 0
    for batch in table.batches():
        kept = [row for row, key in zip(batch.rows, batch.keys, strict=True) if keeps(key)]
        seen += len(batch.rows)
        released += len(kept)
        if masked:
            kept = [masked(row) for row in kept]
        sink.write(_encoded(b"".join(kept), table.encoding))
    return Counts(seen=seen, released=released, redacted=seen - released)


def vouching(source: Source, spec: MemberSpec, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    """See `reader`. The rows are records: column → text, empty cells left out."""
    subject = tuple(
        {kind: tuple(map(_path, found)) for kind, found in owner.items()} for owner in spec.subject
    )
    named = replace(
        spec,
        subject=subject,
        vouches_for=_path(spec.vouches_for or ""),
        sizes=_path(spec.sizes) if spec.sizes else None,
        hashes={name: _path(locator) for name, locator in spec.hashes.items()},
    )
    _, text = charset.read_text(source.chunks(), spec.encoding)
    rows = Rows(text, Dialect(spec.delimiter or ",", spec.quote or '"'), limits)
    if spec.vouches_for and column(spec.vouches_for) not in rows.names:
        raise BadUpstream(Code.MANIFEST_MISMATCH, "a manifest without its column of members")
    return named, _records(rows)


def _records(rows: Rows) -> Iterator[dict[str, str]]:
    for batch in rows.batches(range(len(rows.names))):
        for cells in batch.keys:
            named = zip(rows.names, cells, strict=True)
            yield {name: cell.decode() for name, cell in named if cell}


def column(locator: str) -> str:
    """The column that a locator names. Raises LocatorError where it isn't one column."""
    return _only_name(locator) if locator.startswith("$") else locator


@dataclass(frozen=True, slots=True)
class _Table:
    """An opened CSV. `columns` are those that hold identifiers, ascending; `owners` says whose a
    row is by its values in them."""

    encoding: charset.Encoding
    rows: Rows
    columns: tuple[int, ...]
    owners: Callable[[tuple[bytes, ...]], Owners]

    def batches(self) -> Iterator[Batch]:
        return self.rows.batches(self.columns)


def _open(source: Source, spec: BodySpec | MemberSpec, limits: Limits) -> _Table:
    dialect = Dialect(spec.delimiter or ",", spec.quote or '"')
    encoding, text = charset.read_text(source.chunks(), spec.encoding)
    rows = Rows(text, dialect, limits)
    subject = tuple(
        {kind: tuple(map(_path, found)) for kind, found in owner.items()} for owner in spec.subject
    )
    wanted = {
        column(locator) for owner in spec.subject for found in owner.values() for locator in found
    }
    for name in sorted(wanted):
        _check_column(name, rows.names)
    columns = tuple(index for index, name in enumerate(rows.names) if name in wanted)
    names = [rows.names[index] for index in columns]
    attributor = locators.Attributor(subject, _identifier)

    @lru_cache(maxsize=limits.subjects)
    def owners(key: tuple[bytes, ...]) -> Owners:
        return attributor.of(
            {name: cell.decode() for name, cell in zip(names, key, strict=True) if cell}
        )

    return _Table(encoding, rows, columns, owners)


def _path(locator: str) -> str:
    escaped = column(locator).replace("\\", r"\\").replace("'", r"\'")
    return f"$['{escaped}']"


def _identifier(cell: str, locator: str) -> str:
    """The cell itself. In quotes it may have line ends and tabs, which RFC 4180 keeps exactly."""
    locators.identifier(cell.translate(_BLANKED), locator)
    return cell


def _check_column(name: str, names: tuple[str, ...]) -> None:
    """Readers that trim the names of columns, or fold their case, must find the same one."""
    if name not in names:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a subject's column is not in the header")
    locators.check_names(dict.fromkeys(names), (name,), "the subject's columns")


def _only_name(path: str) -> str:
    match locators.compile(path):
        case (str(name),):
            return name
        case _:
            raise locators.LocatorError(f"{path!r}: a CSV has columns only: $.name")


def _masks(verdict: Verdict, names: tuple[str, ...]) -> dict[int, Callable[[str], str]]:
    """Column → what a mask makes of its cells. Raises BadUpstream also for a column that looks like
    a mask's."""
    masks: dict[str, Mask] = {}
    try:
        for mask in masking.strictest_first(verdict.mask):
            masks.setdefault(_only_name(mask.path), mask)
    except locators.LocatorError:
        raise BadUpstream(
            Code.REDACTION_UNSUPPORTED, "a mask of a CSV that isn't one column: $.name"
        ) from None
    for name in masks:
        locators.check_names(dict.fromkeys(names), (name,), "a mask")
    return {
        place: partial(masking.of_text, masks[name], key=verdict.key)
        for place, name in enumerate(names)
        if name in masks
    }


def _encoded(text: bytes, encoding: charset.Encoding) -> bytes:
    try:
        return encoding.encode(text)
    except UnicodeEncodeError:  # all that was read can be
        raise BadUpstream(
            Code.REDACTION_UNSUPPORTED, "a mask's text that the body's encoding doesn't have"
        ) from None
