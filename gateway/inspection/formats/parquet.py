"""Parquet: each row one record, its owner in its columns.

A Parquet file holds much that is in no row: statistics and page indexes that quote values, values
in dictionaries that no row refers to, texts beside the schema, gaps. Nobody could read all of it,
and no reader has to. So a Parquet file never leaves as it came: what leaves, also where every row
stays, is written anew of the rows that were read (ADR 14). It has the same columns, in names,
types, order and compression, and nothing that a row doesn't have.

Columns are flat. A locator is a column's name, as in a CSV. An identifier is a text or an integer;
null is none. A mask makes nulls of its column.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import archive, detection, locators, masking
from gateway.inspection.formats import csv
from gateway.inspection.parquetfile import ParquetRows, library, refusing
from gateway.inspection.parquetpages import MAGIC
from gateway.inspection.parquetwriter import ParquetWriter, check_writable
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Body, Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts
from gateway.response import Payload

MEDIA_TYPES = ("application/vnd.apache.parquet", "application/x-parquet")

_Key = tuple[str | int | None, ...]


def detect(_payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    if not head.startswith(MAGIC):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every row. Raises BadUpstream; see `parquetfile` and `parquetwriter`."""
    table = _open(source, spec, limits)
    check_writable(table.rows)
    tally.add_fields(table.rows.names)
    tally.sealed = False  # what is beside the rows was not read, and stays behind
    for _, keys in table.batches():
        tally.add_each(keys, table.owners, Attribution.DIRECT, spec.category)
    if table.body.unfolding:
        table.body.unfolding.count(table.rows.decoded)
    table.body.meter.inspected = table.body.stored.size
    table.body.meter.decoded = table.rows.decoded


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write a new file of the rows that the verdict keeps.

    Raises BadUpstream(REDACTION_UNSUPPORTED) for a mask that isn't one column.
    """
    table = _open(source, spec, limits)
    masked = _masked(verdict, table.rows.names)
    arrow = library()

    @lru_cache(maxsize=limits.subjects)
    def keeps(key: _Key) -> bool:
        return verdict.keeps(table.owners(key), spec.category)

    seen = released = 0
    with refusing():
        writer = ParquetWriter(table.rows, masked, sink)
    for batch, keys in table.batches():
        kept = [keeps(key) for key in keys]
        seen += len(kept)
        released += sum(kept)
        with refusing():
            writer.write(batch.filter(arrow.array(kept, arrow.bool_())))
    with refusing():
        writer.finish()
    return Counts(seen=seen, released=released, redacted=seen - released)


@dataclass(frozen=True, slots=True)
class _Table:
    """An opened file. `columns` are those that hold identifiers; `owners` says whose a row is by
    its values in them."""

    body: Body
    rows: ParquetRows
    columns: tuple[str, ...]
    owners: Callable[[_Key], Owners]

    def batches(self) -> Iterator[tuple[Any, list[_Key]]]:
        """Rows, and for each of them the values in `columns`."""
        for batch in self.rows.batches():
            cells = [batch.column(name).to_pylist() for name in self.columns]
            yield batch, list(zip(*cells, strict=True)) if cells else [()] * batch.num_rows


def _open(source: Source, spec: BodySpec | MemberSpec, limits: Limits) -> _Table:
    body = archive.at_random(source)
    rows = ParquetRows(body.plain(), limits)
    subject = tuple(
        {kind: tuple(map(csv.path, found)) for kind, found in owner.items()}
        for owner in spec.subject
    )
    wanted = {
        csv.column(locator)
        for owner in spec.subject
        for found in owner.values()
        for locator in found
    }
    for name in sorted(wanted):
        csv.check_column(name, rows.names)
        _check_type(rows.schema.field(name).type)
    columns = tuple(sorted(wanted))
    attributor = locators.Attributor(subject)

    @lru_cache(maxsize=limits.subjects)
    def owners(key: _Key) -> Owners:
        named = zip(columns, key, strict=True)
        return attributor.of({name: value for name, value in named if value is not None})

    return _Table(body, rows, columns, owners)


def _check_type(kind: Any) -> None:
    """Bytes, floats, dates, decimals: readers make different identifiers of them."""
    types = library().types
    if not (types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a subject's column of neither texts nor integers")


def _masked(verdict: Verdict, names: tuple[str, ...]) -> frozenset[str]:
    """The columns of which nulls are made."""
    try:
        masked = frozenset(csv.column(path) for path in masking.erased(verdict.mask))
    except locators.LocatorError:
        raise BadUpstream(
            Code.REDACTION_UNSUPPORTED, "a mask of a table that isn't one column: $.name"
        ) from None
    for name in masked:
        locators.check_names(dict.fromkeys(names), (name,), "a mask")
    return masked & set(names)
