"""JSON: one document, whose records stand where `records` says.

The default, `$`, is the whole document as one record. Everything else in the document is its
envelope. A number, text, boolean, null or empty container in it stays; any other value in it that
no locator names counts as one unattributed record, and goes with its name where those are
withheld. Inside something repeated (above a wildcard of `records`) that holds for every value.
Several sets of records may stand in one document (`also`); each has owners of its own.

What names the owners of the records below it (see `jsonlineage`) counts as one record of theirs. A
name in a map above the records (`.*` in the middle of `records`) counts as one record where there
is nothing below it: its owner's, or unattributed. It goes with the last that is below it.

What was left out is told at the end of the root, where the endpoint asks for it (`notice`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any, assert_never

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection, jsontext, jsonwhole
from gateway.inspection.compiled import Compiled
from gateway.inspection.jsonlineage import Lineage
from gateway.inspection.jsonmatcher import Matched, Matcher
from gateway.inspection.jsonplan import Plan, noticed, plan
from gateway.inspection.jsonrecords import Census, Masking, Selecting, Selection
from gateway.inspection.jsonscan import Items, Mark, Piece, Role, Structure, scan
from gateway.inspection.notice import in_json
from gateway.inspection.settings import AlsoSpec, BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.undeclared import watched
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
    sets, route = _ways(spec)
    censuses = [
        Census(_plain(each, lineage), limits, tally, lineage.attribution) for each, lineage in sets
    ]
    naming = Census(_naming(spec), limits, tally) if spec.also else censuses[0]
    chunks = source.chunks()
    watching = _notice(spec) or spec.undeclared == "refuse"
    piecewise = len(sets) > 1 or sets[0][1].climbs or watching
    document = b"" if piecewise else next(chunks, b"")
    small = 0 < len(document) <= min(jsonwhole.SMALL, limits.record)
    if small and next(chunks, None) is None:
        jsonwhole.count(document, route, limits, censuses[0])
        return
    plain = len(sets) == 1 and not sets[0][1].climbs
    matcher = censuses[0].matcher(b",", limits) if plain else None
    for piece in _scan(source, route, spec, limits, matcher):
        match piece:
            case Items(Role.RECORD, matched=Matched() as matched):
                censuses[piece.number].count_matched(matched)
            case Items(Role.RECORD):
                censuses[piece.number].count(piece.values, _whole(piece, sets))
            case Items(Role.OWNER):
                naming.count_stray(_named(piece, sets))
            case Items(Role.STRAY):
                censuses[0].count_stray()
            case Items(Role.NOTICE):
                tally.sealed = False


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the document without the records that are withheld, otherwise byte for byte.

    A configured total is lowered by the number of records dropped; strays don't count there.
    Raises BadUpstream: BODY_AMBIGUOUS for a total that isn't a number at least as large,
    REDACTION_UNSUPPORTED where a withheld record is the document, or its only place in it, and
    where records are decided as they come, for totals, several sets and owners above records.
    """
    sets, route = _ways(spec)
    selections = [Selection(_plain(each, lineage), limits, verdict) for each, lineage in sets]
    naming = Selection(_naming(spec), limits, verdict) if spec.also else selections[0]
    drop = 0
    if verdict.asks and (spec.totals or spec.also or sets[0][1].climbs):
        what = "totals, several sets of records, or owners above them"
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, f"{what}: not as they come")
    plain = len(sets) == 1 and not sets[0][1].climbs

    def pieces() -> Iterator[Piece]:
        matcher = selections[0].matcher(b",", limits) if plain else None
        return _scan(source, route, spec, limits, matcher)

    def keeps(items: Items) -> list[bool]:
        selection = selections[items.number]
        if items.matched:
            return selection.keeps_matched(items.matched)
        return selection.keeps(items.values, _whole(items, sets))

    if spec.totals:
        # A total may stand before what it counts, so the records are counted first. The verdict's
        # own number includes the strays, which no total counts.
        for piece in pieces():
            if isinstance(piece, Items) and piece.role is Role.RECORD and piece.number == 0:
                drop += keeps(piece).count(False)

    def fate(items: Items) -> tuple[list[bool], Masking]:
        if items.role is Role.RECORD:
            return keeps(items), selections[items.number]
        owned = items.role is Role.OWNER
        selection = naming if owned else selections[0]
        return [selection.keeps_stray(_named(items, sets) if owned else ())], selection

    return write_pieces(pieces(), fate, drop, sink, limits.record, notice=_notice(spec))


def _scan(
    source: Source,
    route: Plan,
    spec: BodySpec | MemberSpec,
    limits: Limits,
    matcher: Matcher | None,
) -> Iterator[Piece]:
    pieces = scan(source, route, limits, matcher)
    return watched(pieces, limits) if spec.undeclared == "refuse" else pieces


Fate = Callable[[Items], tuple[list[bool], Masking]]
"""Which of some items stay, and what becomes of their masked values."""


def of_one_set(selection: Selecting) -> Fate:
    """The fate of records that are all of one set."""

    def fate(items: Items) -> tuple[list[bool], Masking]:
        if items.role is Role.RECORD:
            return selection.keeps(items.values), selection
        return [selection.keeps_stray()], selection

    return fate


def write_pieces(
    pieces: Iterable[Piece],
    fate: Fate,
    drop: int,
    sink: Sink,
    most: int,
    notice: str | None = None,
) -> Counts:
    """Write the pieces that stay, and totals lowered by `drop`; see `rewrite`. No more than `most`
    bytes are held until it is known that they stay. `notice` is the name of what says at the end
    that something was left out."""
    splice = _Splice(sink, most)
    seen = released = 0
    for piece in pieces:
        match piece:
            case Structure(mark, text):
                if notice and mark is Mark.CLOSE and splice.depth == 1 and released < seen:
                    splice.items(in_json(notice, seen - released))
                splice.structure(mark, text)
            case Items(Role.RECORD | Role.OWNER | Role.STRAY as role):
                keeps, selection = fate(piece)
                if role is not Role.RECORD and all(keeps):
                    splice.stay()
                splice.items(_kept(piece, keeps, selection))
                seen += len(keeps)
                released += sum(keeps)
            case Items(Role.TOTAL):
                splice.items(_lowered(piece, drop))
            case Items(Role.SCALAR):
                splice.items(piece.text)
            case Items(Role.NOTICE):
                pass
            case _:
                raise AssertionError(piece)
    return Counts(seen=seen, released=released, redacted=seen - released)


def vouching(source: Source, spec: MemberSpec, limits: Limits) -> tuple[MemberSpec, Iterable[Any]]:
    """See `reader`."""
    vouches_for = spec.vouches_for or "$"
    lineage = Lineage(spec, more=(vouches_for,))
    plain = replace(spec, subject=lineage.subject, vouches_for=lineage.locator(vouches_for))
    also = tuple((each.records, ()) for each in spec.also)
    route = plan(spec.records, tuple(spec.totals), lineage.climbs, also)
    pieces = scan(source, route, limits)
    records = (piece for piece in pieces if isinstance(piece, Items) and piece.role is Role.RECORD)
    return plain, (
        each
        for piece in records
        if piece.number == 0
        for each in lineage.whole(piece.values, piece.names, piece.above)
    )


_Spec = BodySpec | MemberSpec | AlsoSpec
_Sets = list[tuple[_Spec, Lineage]]
"""What says whose the records are, for each set of them."""


def _sets(spec: BodySpec | MemberSpec) -> tuple[_Sets, Plan]:
    first = Lineage(spec)
    others = [(each, Lineage(each, (), n)) for n, each in enumerate(spec.also, 1)]
    also = tuple((each.records, lineage.climbs) for each, lineage in others)
    route = plan(spec.records, tuple(spec.totals), first.climbs, also)
    name = _notice(spec)
    return [(spec, first), *others], noticed(route, name) if name else route


_ways = Compiled(_sets)


def _notice(spec: BodySpec | MemberSpec) -> str | None:
    """The name of the notice. A member of an archive has none: the archive has one."""
    return spec.removed_notice if isinstance(spec, BodySpec) else None


def _naming(spec: BodySpec | MemberSpec) -> BodySpec | MemberSpec:
    """Of what names owners of several sets: it has no category, or it would go with the first."""
    return replace(spec, subject=(), category="", embedded=())


def _plain(spec: _Spec, lineage: Lineage) -> _Spec:
    """The settings of a set, with locators for `Lineage.whole` values."""
    return replace(spec, subject=lineage.subject) if lineage.climbs else spec


def _whole(items: Items, sets: _Sets) -> Sequence[Any]:
    _, lineage = sets[items.number]
    return lineage.whole(items.values, items.names, items.above)


def _named(items: Items, sets: _Sets) -> Owners:
    """Whoever is named by what stands above records of any set."""
    named = (owner for _, lineage in sets for owner in lineage.named(items.above))
    return tuple(dict.fromkeys(named))


class _Splice:
    """Puts pieces together again, with the commas that those which stay need.

    A name in a map, and what follows it, is held until something below it stays. Where nothing
    does, it goes. No more than `most` bytes are held.
    """

    def __init__(self, sink: Sink, most: int) -> None:
        self._write, self._most = sink.write, most
        self._filled: list[bool] = []
        self._held: list[bytes] = []
        self._holding: list[tuple[int, bool]] = []
        self._size = 0

    @property
    def depth(self) -> int:
        """How many containers are open."""
        return len(self._filled)

    def structure(self, mark: Mark, text: bytes) -> None:
        match mark:
            case Mark.OPEN:
                self._filled.append(False)
            case Mark.ENTER:
                self._separate()
            case Mark.NAMED:
                self._holding.append((len(self._held), self._filled[-1]))
                self._separate()
            case Mark.CLOSE:
                self._filled.pop()
            case Mark.LEFT:
                begun, filled = self._holding.pop()
                if begun >= 0:  # nothing was written since
                    self._size -= sum(map(len, self._held[begun:]))
                    del self._held[begun:]
                    self._filled[-1] = filled
                    return
            case Mark.SPACE:
                pass
            case _:
                assert_never(mark)
        if text:
            self._put(text)

    def items(self, text: bytes) -> None:
        """Add items of the innermost container; no text, no item."""
        if text:
            self.stay()
            self._separate()
            self._write(text)

    def stay(self) -> None:
        """Whatever is held stays."""
        self._write(b"".join(self._held))
        self._held, self._size = [], 0
        self._holding = [(-1, filled) for _, filled in self._holding]

    def _separate(self) -> None:
        if self._filled:
            if self._filled[-1]:
                self._put(b",")
            self._filled[-1] = True

    def _put(self, text: bytes) -> None:
        if not self._holding or self._holding[-1][0] < 0:
            self._write(text)
            return
        self._held.append(text)
        self._size += len(text)
        if self._size > self._most:
            raise BadUpstream(
                Code.REDACTION_UNSUPPORTED, "a name with more below it than limits.record holds"
            )


def _kept(items: Items, keeps: list[bool], selection: Masking) -> bytes:
    """The items that stay, masked where the verdict says so."""
    if items.fixed and not all(keeps):
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "the one record of its kind is withheld")
    blanks = [False] if items.matched else selection.blanks(items.values)
    if all(keeps) and not any(blanks):
        return items.text
    if not any(keeps):
        return b""
    if items.matched:
        return b",".join(compress(items.matched.texts, keeps))
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
