"""XML 1.0: one document in UTF-8, whose records are the elements at `records`.

The default, `$` or `/*`, is the whole document as one record. Whatever stands in a record belongs
to it: comments, CDATA sections, elements of any namespace. The elements above the records are the
envelope. What stays of it whatever becomes of the records: its tags, white space, namespace
declarations, the attributes of the root, and the XML declaration (before the root of an OFX 2 also
its header). Anything else in it is counted like a record, and goes where it is withheld:

    <export version="1">                the root's attributes stay, as a JSON envelope's scalars do
      <holder id="A1">..</holder>       a locator finds an owner in it (../holder/@id): a record of
                                        theirs
      <made>2026-07-01</made>           no locator does: one unattributed record, however small
      <!-- note --> stray text          one each; all text of one element is one
      <account no="7">                  above the records, but not the root: its attributes are
        <order/>                        one, cut out of the tag
      </account>
    </export>

An owner that is named above the records stands before them. A record inside a record belongs to
that one; naming another owner, it is refused. What refuses a document: see `xmlscan` for its
markup, `xmlpaths` for identifiers.

A mask is JSONPath, as in all formats (`xpath.compile_mask`), of elements and attributes. What
stands there must be text alone, unless it becomes nothing. The attributes of a masked element
become nothing, whatever its text becomes: many formats write values there (C-CDA's telecom). Only
`xsi:type` and `xsi:nil` stay. A record inside a record is masked like it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection, jsontext, masking
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.inspection.xmlpaths import MISFIT, Span
from gateway.inspection.xmlplan import Plan
from gateway.inspection.xmlrecords import Unit, Walk
from gateway.inspection.xpath import Path
from gateway.model import Counts
from gateway.response import Payload

MEDIA_TYPES = ("application/xml", "text/xml", "application/gpx+xml", "application/x-ofx")
"""A closed set; see `formats.json`."""

_GONE = -1
"""Stricter than any mask."""

_UNFIT = 1 << 30
"""Less strict than any: a mask of the whole element hides it, too."""

_HTML = (b"<!doctype html", b"<html")


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    detection.check_utf_8(payload, head)
    start = head.removeprefix(jsontext.BOM).lstrip(jsontext.SPACE)
    if start and (not start.startswith(b"<") or start.lower().startswith(_HTML)):
        raise detection.mismatch("the first bytes")


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every unit. Raises BadUpstream; see `xmlrecords.Walk`."""
    walk = Walk(source, Plan(spec), limits, spec.doctype)
    for units in walk.units():
        for unit in units:
            if unit.counts:
                tally.add(unit.owners, unit.attribution, spec.category)
        tally.add_fields(walk.fields())


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the document without the units that are withheld, otherwise byte for byte.

    Raises BadUpstream(REDACTION_UNSUPPORTED) where a withheld record is the document.
    """
    plan = Plan(spec, verdict.mask)
    walk = Walk(source, plan, limits, spec.doctype)
    seen = released = 0
    for units in walk.units():
        for unit in units:
            sink.write(walk.take(unit.begin))
            keeps = verdict.keeps(unit.owners, spec.category)
            text = walk.take(unit.end)
            sink.write(_masked(unit, text, plan, verdict) if keeps else _left(unit, text))
            seen += unit.counts
            released += unit.counts and keeps
        sink.write(walk.rest())
    sink.write(walk.last())
    return Counts(seen=seen, released=released, redacted=seen - released)


def vouching(source: Source, spec: MemberSpec, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    """See `reader`. A record is what each locator found in it, by the locator's place."""
    sizes = (spec.sizes,) if spec.sizes else ()
    plan = Plan(spec, more=(spec.vouches_for or ".", *sizes, *spec.hashes.values()))
    places = iter(range(len(plan.paths)))
    texts = dict.fromkeys(
        text for owner in spec.subject for found in owner.values() for text in found
    )
    named = {text: f"$['{next(places)}'][*]" for text in texts}
    subject = tuple(
        {kind: tuple(named[text] for text in found) for kind, found in owner.items()}
        for owner in spec.subject
    )
    beside = [f"$['{place}'][*]" for place in places]
    found = replace(
        spec,
        subject=subject,
        vouches_for=beside.pop(0),
        sizes=beside.pop(0) if spec.sizes else None,
        hashes=dict(zip(spec.hashes, beside, strict=True)),
    )
    return (
        found,
        _records(Walk(source, plan, limits, spec.doctype)),
    )


def _records(walk: Walk) -> Iterator[dict[str, list[str]]]:
    for units in walk.units():
        for unit in units:
            if unit.found:
                yield {
                    str(place): list(found.values)
                    for place, found in enumerate(unit.found)
                    if found.whole and found.values
                }


def _masked(unit: Unit, text: bytes, plan: Plan, verdict: Verdict) -> bytes:
    """The text of a unit that stays, its masked values changed."""
    paths = list(plan.masks)

    def become(value: bytes, rank: int) -> bytes:
        if rank == _GONE:
            return b""
        if rank == _UNFIT:
            note = "a mask meets text where it goes into elements"
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, note)
        path = paths[rank]
        return masking.of_xml(plan.masks[path], value, bool(path.attributes), verdict.key)

    if not unit.masked:
        return text
    ranks: Mapping[Path, int] = {**plan.ranks, MISFIT: _UNFIT}
    places = (
        (begin - unit.begin, end - unit.begin, ranks[path] if path else _GONE)
        for begin, end, path in unit.masked
    )
    return masking.spliced(text, places, become)


def _left(unit: Unit, text: bytes) -> bytes:
    """What is left of a unit that goes."""
    if unit.root:
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "the withheld record is the document")
    return _without(text, unit.begin, unit.cuts) if unit.cuts else b""


def _without(text: bytes, begin: int, spans: Iterable[Span]) -> bytes:
    """The text that begins at `begin` without some spans, ascending."""
    pieces, at = [], begin
    for start, end in spans:
        pieces.append(text[at - begin : start - begin])
        at = end
    return b"".join((*pieces, text[at - begin :]))
