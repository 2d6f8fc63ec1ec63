"""NDJSON: one JSON value a line, each one record.

Lines end in LF; a CR before it is JSON's own white space and stays with its line. The last line
may lack its LF if it is an object or array, which proves its own end. Readers disagree about
blank lines and about CR elsewhere, so both are refused. An empty body has no records.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import Any, NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection, jsontext, locators
from gateway.inspection.jsonmatcher import Matched, Matcher
from gateway.inspection.jsonreader import WINDOW, Blocks
from gateway.inspection.jsonrecords import Census, Counting, Selecting, Selection
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts
from gateway.response import Payload

MEDIA_TYPES = (
    "application/x-ndjson",
    "application/ndjson",
    "application/fhir+ndjson",
    "application/jsonl",
    "application/x-jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
)


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    detection.check_utf_8(payload, head)
    detection.check_no_other(head)


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every line. Raises BadUpstream, for the causes that `jsontext.parse` names.

    BODY_AMBIGUOUS also for a blank line or a stray CR, BODY_INCOMPLETE for a cut last line,
    BODY_TOO_LARGE for a line longer than limits.record.
    """
    check(spec)
    census = Census(spec, limits, tally)
    for batch in _scan(source, limits, census.matcher(b"\n", limits)):
        if batch.matched:
            census.count_matched(batch.matched)
            tally.place(batch.matched.texts, 1, batch.size)
        else:
            census.count(batch.values)
            tally.place(batch.lines, 1, batch.size)


def count(source: Source, limits: Limits, census: Counting) -> None:
    """Count every line; see `inspect`."""
    for batch in _scan(source, limits):
        census.count(batch.values)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the lines that the verdict keeps, byte for byte but for masked values."""
    check(spec)
    selection = Selection(spec, limits, verdict)
    matcher = selection.matcher(b"\n", limits)
    return _write(_scan(source, limits, matcher), selection, selection.keeps_matched, sink)


def select(source: Source, limits: Limits, selection: Selecting, sink: Sink) -> Counts:
    """Write the lines that are selected; see `rewrite`."""
    return _write(_scan(source, limits), selection, None, sink)


def _write(
    batches: Iterable["_Batch"],
    selection: Selecting,
    keeps_matched: Callable[[Matched], list[bool]] | None,
    sink: Sink,
) -> Counts:
    seen = released = 0
    mark = b""
    for batch in batches:
        if batch.matched and keeps_matched:
            keeps = keeps_matched(batch.matched)
            kept = list(compress(batch.matched.texts, keeps))
        else:
            keeps, blanks = selection.keeps(batch.values), selection.blanks(batch.values)
            kept = [
                selection.masked(line) if blank else line
                for line, keep, blank in zip(batch.lines, keeps, blanks, strict=True)
                if keep
            ]
        mark += batch.mark
        if kept:
            sink.write(mark + b"\n".join(kept) + batch.end)
            mark = b""
        seen += len(keeps)
        released += len(kept)
    return Counts(seen=seen, released=released, redacted=seen - released)


def vouching(source: Source, spec: MemberSpec, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    """See `reader`."""
    lines = b"".join(source.chunks()).removeprefix(jsontext.BOM).split(b"\n")
    parsed = (jsontext.parse(line, limits.depth) for line in lines if line.strip(jsontext.SPACE))
    return spec, parsed


def check(spec: BodySpec | MemberSpec) -> None:
    """Raises LocatorError unless a line is a record."""
    if locators.compile(spec.records) or spec.totals:
        raise locators.LocatorError(
            "NDJSON: each line is a record; records and totals are for JSON"
        )


class _Batch(NamedTuple):
    """Whole lines and their values, or what was matched; `mark` is a byte order mark, `end`
    an LF or nothing. All but the mark is `size` bytes."""

    mark: bytes
    lines: Sequence[bytes]
    values: Sequence[Any]
    end: bytes
    size: int
    matched: Matched | None = None


def _scan(source: Source, limits: Limits, matcher: Matcher | None = None) -> Iterator[_Batch]:
    number, mark = 1, b""
    for text, end in _texts(source, limits):
        if number == 1 and text.startswith(jsontext.BOM):
            mark, text = jsontext.BOM, text[len(jsontext.BOM) :]
        size = len(text) + len(end)
        matched = matcher.match(text) if matcher else None
        if matched:
            yield _Batch(mark, (), (), end, size, matched)
            number += len(matched.keys)
        else:
            lines = _split(text, limits)
            values = _values(lines, end, number, limits)
            yield _Batch(mark, lines, values, end, size)
            number += len(lines)
            if matcher:
                matcher.learn(text, values)
        mark = b""


def _texts(source: Source, limits: Limits) -> Iterator[tuple[bytes, bytes]]:
    """Lines that LF ends, and perhaps a last one that nothing ends."""
    blocks, window = Blocks(source), min(WINDOW, limits.record)
    begun: list[bytes] = []
    size = 0
    while block := blocks.read(window):
        end = block.rfind(b"\n") + 1
        if end:
            begun.append(block[: end - 1])
            yield b"".join(begun), b"\n"
            begun, size = [], 0
        begun.append(block[end:])
        size += len(block) - end
        if size > limits.record:
            raise _too_large()
    if size:
        yield b"".join(begun), b""


def _split(text: bytes, limits: Limits) -> list[bytes]:
    lines = text.split(b"\n")
    if max(map(len, lines)) > limits.record:
        raise _too_large()
    if b"\r" in text and any(b"\r" in line[:-1] for line in lines):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a CR inside a line")
    return lines


def _values(lines: list[bytes], end: bytes, number: int, limits: Limits) -> list[Any]:
    values: list[Any] = []
    try:
        jsontext.parse_into(values, lines, limits.depth)
    except BadUpstream as refusal:
        at = len(values)
        raise _refused(refusal.code, lines[at], end, number + at) from None
    if not end and not isinstance(values[-1], (dict, list)):
        raise BadUpstream(Code.BODY_INCOMPLETE, "the last line doesn't prove its own end")
    return values


def _refused(code: Code, line: bytes, end: bytes, number: int) -> BadUpstream:
    if not line.strip(jsontext.SPACE):
        return BadUpstream(Code.BODY_AMBIGUOUS, f"line {number} is blank")
    if not end and code is Code.BODY_MALFORMED:
        return BadUpstream(Code.BODY_INCOMPLETE, f"line {number}, the last one, is cut")
    return BadUpstream(code, f"line {number} is not one strict JSON value within the limits")


def _too_large() -> BadUpstream:
    return BadUpstream(Code.BODY_TOO_LARGE, "a line longer than limits.record")
