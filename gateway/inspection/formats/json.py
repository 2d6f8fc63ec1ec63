"""JSON: one document, whose records stand where `records` says.

The default, `$`, is the whole document as one record. Everything else in the document is its
envelope. A number, text, boolean, null or empty container in it stays; any other value in it that
no locator names counts as one unattributed record, and goes with its name where those are
withheld. Inside something repeated (above a wildcard of `records`) that holds for every value.
A name in a map above the records (`.*` in the middle of `records`) counts as one unattributed
record where there is nothing below it, and can't stay where all that is below it goes.
"""

from collections.abc import Iterable
from typing import Any, assert_never

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection, jsontext, jsonwhole, locators
from gateway.inspection.jsonplan import plan
from gateway.inspection.jsonrecords import Census, Selection
from gateway.inspection.jsonscan import Items, Mark, Role, Structure, scan
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Counts
from gateway.response import Payload

MEDIA_TYPES = (
    "application/json",
    "text/json",
    "application/fhir+json",
    "application/geo+json",
    "application/hal+json",
    "application/ld+json",
    "application/scim+json",
    "application/vnd.api+json",
)
"""A closed set, since the type goes on to the caller: `application/<anything>+json` would carry a
text that nobody inspected. Another one is configured (`body.media_type`)."""


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    detection.check_utf_8(payload, head)
    detection.check_no_other(head)


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every record and stray value. Raises BadUpstream; see `jsonscan.scan`."""
    census, route = Census(spec, tally), plan(spec.records, tuple(spec.totals))
    chunks = source.chunks()
    document = next(chunks, b"")
    if len(document) <= min(jsonwhole.SMALL, limits.record) and next(chunks, None) is None:
        jsonwhole.count(document, route, limits, census)
        return
    for piece in scan(source, route, limits):
        match piece:
            case Items(Role.RECORD):
                census.count(piece.values)
            case Items(Role.STRAY):
                census.count_stray()


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the document without the records that are withheld, otherwise byte for byte.

    A configured total is lowered by the number of records dropped; strays don't count there.
    Raises BadUpstream: BODY_AMBIGUOUS for a total that isn't a number at least as large,
    REDACTION_UNSUPPORTED where a withheld record is the document, or its only place in it, and for
    a total where records are decided as they come.
    """
    route, selection = plan(spec.records, tuple(spec.totals)), Selection(spec, verdict)
    drop = 0
    if spec.totals and verdict.asks:
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a total, before what it counts is there")
    if spec.totals:
        # A total may stand before what it counts, so the records are counted first. The verdict's
        # own number includes the strays, which no total counts.
        for piece in scan(source, route, limits):
            if isinstance(piece, Items) and piece.role is Role.RECORD:
                drop += selection.keeps(piece.values).count(False)
    splice, named = _Splice(sink, limits), list[int]()
    seen = released = 0
    for piece in scan(source, route, limits):
        match piece:
            case Structure(mark, text):
                if mark is Mark.NAMED and verdict.asks:
                    splice.hold_back()
                splice.structure(mark, text)
                if mark is Mark.NAMED:
                    named.append(released)
                elif mark is Mark.LEFT:
                    if named.pop() == released:
                        raise BadUpstream(
                            Code.REDACTION_UNSUPPORTED, "a name would stay without its records"
                        )
                    splice.let_go()
            case Items(Role.RECORD | Role.STRAY as role, values=values):
                stray = role is Role.STRAY
                keeps = [selection.keeps_stray()] if stray else selection.keeps(values)
                splice.items(_kept(piece, keeps, selection))
                seen += len(keeps)
                released += sum(keeps)
            case Items(Role.TOTAL):
                splice.items(_lowered(piece, drop))
            case Items(Role.SCALAR):
                splice.items(piece.text)
            case _:
                raise AssertionError(piece)
    return Counts(seen=seen, released=released, redacted=seen - released)


def vouching(source: Source, spec: MemberSpec, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    """See `reader`."""
    text = b"".join(source.chunks()).removeprefix(jsontext.BOM)
    root = jsontext.parse(text, limits.depth)
    return spec, locators.find(root, locators.compile(spec.records))


class _Splice:
    """Puts pieces together again, with the commas that those which stay need.

    What is held back waits for the first item behind it that stays: a name may not leave before it
    is known that a record of its own does.
    """

    def __init__(self, sink: Sink, limits: Limits) -> None:
        self._sink, self._limits = sink, limits
        self._filled: list[bool] = []
        self._held: bytearray | None = None

    def hold_back(self) -> None:
        if self._held is None:
            self._held = bytearray()

    def let_go(self) -> None:
        if self._held is not None:
            self._sink.write(bytes(self._held))
            self._held = None

    def structure(self, mark: Mark, text: bytes) -> None:
        match mark:
            case Mark.OPEN:
                self._filled.append(False)
            case Mark.ENTER | Mark.NAMED:
                self._separate()
            case Mark.CLOSE:
                self._filled.pop()
            case Mark.SPACE | Mark.LEFT:
                pass
            case _:
                assert_never(mark)
        if text:
            self._write(text)

    def items(self, text: bytes) -> None:
        """Add items of the innermost container; no text, no item."""
        if text:
            self._separate()
            self.let_go()
            self._write(text)

    def _write(self, text: bytes) -> None:
        if self._held is None:
            self._sink.write(text)
            return
        self._held += text
        if len(self._held) > self._limits.record:
            raise BadUpstream(Code.BODY_TOO_LARGE, "more than limits.record before a record stays")

    def _separate(self) -> None:
        if self._filled:
            if self._filled[-1]:
                self._write(b",")
            self._filled[-1] = True


def _kept(items: Items, keeps: list[bool], selection: Selection) -> bytes:
    """The items that stay, blanked where the verdict masks them."""
    if items.fixed and not all(keeps):
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "the one record of its kind is withheld")
    blanks = selection.blanks(items.values)
    if all(keeps) and not any(blanks):
        return items.text
    if not any(keeps):
        return b""
    whole = b"".join((items.container.opener, items.text, items.container.closer))
    children = jsontext.children(whole, 0, len(whole))
    kept = []
    for child, keep, blank in zip(children, keeps, blanks, strict=True):
        if keep and blank:
            value = selection.masked(whole[child.value_begin : child.value_end])
            before, after = (
                whole[child.begin : child.value_begin],
                whole[child.value_end : child.end],
            )
            kept.append(b"".join((before, value, after)))
        elif keep:
            kept.append(whole[child.begin : child.end])
    return b",".join(kept)


def _lowered(items: Items, drop: int) -> bytes:
    """A total, less the records that were dropped."""
    (value,) = items.values
    if not drop:
        return items.text
    if type(value) is not int or value < drop:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a total that doesn't count the records")
    whole = b"".join((items.container.opener, items.text, items.container.closer))
    (child,) = jsontext.children(whole, 0, len(whole))
    before, after = whole[1 : child.value_begin], whole[child.value_end : child.end]
    return b"".join((before, b"%d" % (value - drop), after))
