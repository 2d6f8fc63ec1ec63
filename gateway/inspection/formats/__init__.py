"""The formats, as a table one can read. A new format is a file here and a row in `FORMATS`.

A format is two functions over one reading of the bytes (both walk the same scan, so that what is
kept is decided by exactly what was counted):

    inspect(source, spec, limits, tally)          counts every record into the tally
    rewrite(source, spec, limits, verdict, sink)  writes what the verdict keeps, byte-identical
                                                  except for masked fields; returns `Counts`

Both read the source to its end, and raise BadUpstream with a code naming the cause for anything
malformed, ambiguous or over a limit. `spec` is a `BodySpec` or a `MemberSpec`.
"""

from typing import NamedTuple, Protocol

from gateway.inspection.formats import csv, json, ndjson, zip
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts, Format

__all__ = ["FORMATS", "Reader"]


class Inspect(Protocol):
    def __call__(
        self, source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally
    ) -> None: ...


class Rewrite(Protocol):
    def __call__(
        self,
        source: Source,
        spec: BodySpec | MemberSpec,
        limits: Limits,
        verdict: Verdict,
        sink: Sink,
    ) -> Counts: ...


class Reader(NamedTuple):
    """One row: the media types that may declare the format, and its two functions."""

    media_types: frozenset[str]
    inspect: Inspect
    rewrite: Rewrite


FORMATS: dict[Format, Reader] = {
    Format.JSON: Reader(json.MEDIA_TYPES, json.inspect, json.rewrite),
    Format.NDJSON: Reader(ndjson.MEDIA_TYPES, ndjson.inspect, ndjson.rewrite),
    Format.CSV: Reader(csv.MEDIA_TYPES, csv.inspect, csv.rewrite),
    Format.ZIP: Reader(zip.MEDIA_TYPES, zip.inspect, zip.rewrite),
}
