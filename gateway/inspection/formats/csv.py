"""CSV (RFC 4180): a header row, then one record a row.

The grammar is in `rows`, the encodings in `charset`. An identifier is the exact text of its cell,
always a string; an empty cell is no identifier. Cells that a spreadsheet would take for formulas
are text like any other: nothing reads them as anything else, and what is kept stays as it came.

A locator is a column's name, or `$.name` or `$['name']`, which mean the same. A mask changes its
column's cell in each row that stays; one that names no column of this file masks nothing in it.

Rows before the header (`preamble: 2`) are labels and values; `preamble:Account` finds the one value
beside the label `Account`, whose owner all rows then have:

    Account;A1
    Period;2026-07
    date;amount;customer
    ..

The preamble is a record of its own, of those whom its locators find in it, otherwise unattributed.
Where it can't stay, nothing can be taken out of the file.

text/tab-separated-values has tabs and no quotes (IANA); readers of CSV would take a quote for one.
So a body that is declared as that may have none.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import charset, detection, locators, masking
from gateway.inspection.dialects import open_rows
from gateway.inspection.rows import Batch, Rows
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Flow, Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.inspection.writable import AUTO, NONE
from gateway.model import Attribution, Counts, Mask
from gateway.response import Payload

_TABS = "text/tab-separated-values"
MEDIA_TYPES = ("text/csv", "application/csv", _TABS)

_PREAMBLE = "preamble:"
_BLANKED = str.maketrans("\t\r\n", "   ")


_JSON = (b'{"', b"[{", b"[[", b'["')


def as_declared(payload: Payload, spec: BodySpec) -> BodySpec:
    """See `reader`. The declared charset is the encoding that the configuration leaves open; what
    is declared to have no quotes has none."""
    if spec.encoding == AUTO and payload.charset in charset.LABELS:
        spec = replace(spec, encoding=payload.charset)
    if payload.media_type == _TABS and spec.quote is None:
        spec = replace(spec, quote=NONE)
    return spec


def detect(payload: Payload, head: bytes, spec: BodySpec) -> None:
    """See `reader`."""
    if payload.media_type == _TABS and (spec.delimiter != "\t" or spec.quote != NONE):
        raise detection.mismatch("the declared media type")
    detection.check_charset(payload, charset.settle(spec.encoding, head))
    detection.check_no_other(head)
    if head.lstrip(detection.MARK_OR_BLANK).startswith(_JSON):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every row into the tally; see `formats`."""
    table = _open(source, spec, limits)
    tally.add_fields(table.rows.names)
    if table.is_headed:
        tally.add(table.holders, Attribution.CONTAINER, spec.category)
    lined = table.is_lined
    if lined:
        tally.place_beside(len(table.encoding.mark + table.rows.before + table.rows.header))
    for batch in table.batches():
        tally.add_each(batch.keys, table.owners, table.attribution, spec.category)
        if lined:
            tally.place(batch.rows, 0, batch.size)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the header and the rows that the verdict keeps; see `formats`.

    Raises BadUpstream(REDACTION_UNSUPPORTED) for a mask that isn't one column, and where the
    preamble can't stay: what is left would be another table.
    """
    table = _open(source, spec, limits)
    mask, masked = verdict.mask, _masker(verdict, table.rows)
    verdict.sees(table.rows.names)
    if table.is_headed and not verdict.keeps(table.holders, spec.category):
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a preamble that can't stay")
    heading = table.rows.before + table.rows.header
    sink.write(table.encoding.mark + table.encoding.encode(heading))
    seen = released = int(table.is_headed)
    for batch in table.batches():
        keeps = verdict.keeps_each(batch.keys, table.owners, spec.category)
        kept = [row for row, keep in zip(batch.rows, keeps, strict=True) if keep]
        seen += len(batch.rows)
        released += len(kept)
        if mask != verdict.mask:  # a stream's may change with a decision
            mask, masked = verdict.mask, _masker(verdict, table.rows)
        if masked:
            kept = [masked(row) for row in kept]
        sink.write(_encoded(b"".join(kept), table.encoding))
    return Counts(seen=seen, released=released, redacted=seen - released)


def vouching(source: Source, spec: MemberSpec, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    """See `reader`. The rows are records: column → text, empty cells left out."""
    subject = tuple(
        {kind: tuple(map(path, found)) for kind, found in owner.items()} for owner in spec.subject
    )
    named = replace(
        spec,
        subject=subject,
        vouches_for=path(spec.vouches_for or ""),
        sizes=path(spec.sizes) if spec.sizes else None,
        hashes={name: path(locator) for name, locator in spec.hashes.items()},
    )
    _, text = charset.read_text(source.chunks(), spec.encoding)
    vouching = {column(spec.vouches_for)} if spec.vouches_for else set()
    rows = open_rows(text, spec, _columns(spec) | vouching, limits)
    if spec.vouches_for and column(spec.vouches_for) not in rows.names:
        raise BadUpstream(Code.MANIFEST_MISMATCH, "a manifest without its column of members")
    return named, _records(rows, _held(spec, rows))


def _records(rows: Rows, held: dict[str, str]) -> Iterator[dict[str, str]]:
    for batch in rows.batches(range(len(rows.names))):
        for cells in batch.keys:
            named = zip(rows.names, cells, strict=True)
            yield {name: cell.decode() for name, cell in named if cell} | held


def column(locator: str) -> str:
    """The column that a locator names, or `preamble:` and a label of the preamble.

    Raises LocatorError where it isn't one column.
    """
    return _only_name(locator) if locator.startswith("$") else locator


def is_in_preamble(locator: str) -> bool:
    """Whether a locator finds its value before the header. One of a column never looks like it:
    `$['preamble:x']` is refused, too."""
    return column(locator).startswith(_PREAMBLE)


@dataclass(frozen=True, slots=True)
class _Table:
    """An opened CSV. `columns` are those that hold identifiers, ascending; `owners` says whose a
    row is by its values in them, `holders` whose the preamble is."""

    encoding: charset.Encoding
    rows: Rows
    columns: tuple[int, ...]
    owners: Callable[[tuple[bytes, ...]], Owners]
    holders: Owners
    attribution: Attribution

    @property
    def is_headed(self) -> bool:
        """Whether there is anything in the preamble."""
        return any(cell.strip() for row in self.rows.preamble for cell in row)

    @property
    def is_lined(self) -> bool:
        """Whether a row is the bytes of lines, which LF ends, and the others may always stay."""
        as_it_came = self.encoding.charset is charset.Charset.UTF_8
        return as_it_came and self.rows.header.endswith(b"\n") and not self.is_headed

    def batches(self) -> Iterator[Batch]:
        return self.rows.batches(self.columns)


def _open(source: Source, spec: BodySpec | MemberSpec, limits: Limits) -> _Table:
    encoding, text = charset.read_text(source.chunks(), spec.encoding)
    wanted = _columns(spec)
    rows = open_rows(text, spec, wanted, limits, flowing=isinstance(source, Flow))
    subject = tuple(
        {kind: tuple(map(path, found)) for kind, found in owner.items()} for owner in spec.subject
    )
    for name in sorted(wanted):
        check_column(name, rows.names)
    columns = tuple(index for index, name in enumerate(rows.names) if name in wanted)
    names = [rows.names[index] for index in columns]
    attributor = locators.Attributor(subject, _identifier)
    held = _held(spec, rows)

    @lru_cache(maxsize=limits.subjects)
    def owners(key: tuple[bytes, ...]) -> Owners:
        own = {name: cell.decode() for name, cell in zip(names, key, strict=True) if cell}
        return attributor.of(held | own)

    return _Table(encoding, rows, columns, owners, _holders(spec, held), _attribution(spec))


def _columns(spec: BodySpec | MemberSpec) -> frozenset[str]:
    """The columns that hold identifiers."""
    return frozenset(
        column(locator)
        for owner in spec.subject
        for found in owner.values()
        for locator in found
        if not is_in_preamble(locator)
    )


def _held(spec: BodySpec | MemberSpec, rows: Rows) -> dict[str, str]:
    """What the locators find in the preamble: `preamble:` and the label → the value beside it.

    Raises BadUpstream(BODY_AMBIGUOUS) for a label that is not there once, or has several values.
    """
    labels = {
        column(locator)[len(_PREAMBLE) :]
        for owner in spec.subject
        for found in owner.values()
        for locator in found
        if is_in_preamble(locator)
    }
    held: dict[str, str] = {}
    for label in sorted(labels):
        cells = [[cell.decode() for cell in row] for row in rows.preamble]
        found = [
            (row[place], row[place + 1 :])
            for row in cells
            for place in range(len(row))
            if locators.alike(row[place], label)
        ]
        match found:
            case [(exactly, [value, *others])] if exactly == label and not any(others):
                if value:
                    held[_PREAMBLE + label] = value
            case _:
                raise BadUpstream(
                    Code.BODY_AMBIGUOUS, "a label that is not once in the preamble with one value"
                )
    return held


def _holders(spec: BodySpec | MemberSpec, held: dict[str, str]) -> Owners:
    """Whose the preamble is: the owners of the kinds that are found in it."""
    inside = tuple(
        {
            kind: tuple(path(each) for each in found if is_in_preamble(each))
            for kind, found in owner.items()
            if any(map(is_in_preamble, found))
        }
        for owner in spec.subject
    )
    return locators.Attributor(tuple(filter(None, inside)), _identifier).of(held)


def _attribution(spec: BodySpec | MemberSpec) -> Attribution:
    """By the container, where an owner isn't named in the row itself."""
    inherited = any(
        all(map(is_in_preamble, found)) for owner in spec.subject for found in owner.values()
    )
    return Attribution.CONTAINER if inherited else Attribution.DIRECT


def path(locator: str) -> str:
    """The JSONPath of a column in a record that is made of a row."""
    escaped = column(locator).replace("\\", r"\\").replace("'", r"\'")
    return f"$['{escaped}']"


def _identifier(cell: str, locator: str) -> str:
    """The cell itself. In quotes it may have line ends and tabs, which RFC 4180 keeps exactly."""
    locators.identifier(cell.translate(_BLANKED), locator)
    return cell


def check_column(name: str, names: tuple[str, ...]) -> None:
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


def _masker(verdict: Verdict, rows: Rows) -> Callable[[bytes], bytes] | None:
    """What the masks make of a row, if there are any; see `_masks`."""
    masks = _masks(verdict, rows.names)
    return rows.masker(masks) if masks else None


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
