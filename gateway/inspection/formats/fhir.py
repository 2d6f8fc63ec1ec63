"""FHIR R4 in JSON: a Bundle, a resource that stands alone, or (`lines`) a resource a line.

A profile on JSON and NDJSON: the records are the entries of the Bundle or the resources, and their
owners are the patients in whose compartment they are (`fhirowners`). FHIR in XML is refused.
"""

from collections.abc import Iterator
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import detection, fhirtypes
from gateway.inspection.fhirbundle import Around, Bundle, pieces, survey
from gateway.inspection.fhirrecords import Census, Fate, Fates, Selection
from gateway.inspection.fhirreferences import Patients
from gateway.inspection.formats import json, ndjson
from gateway.inspection.jsonplan import Leaf
from gateway.inspection.jsonscan import Items, Mark, Piece, Role, scan
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Tally
from gateway.inspection.undeclared import watched
from gateway.inspection.verdict import Verdict
from gateway.model import Counts
from gateway.response import Payload

_JSON, _NDJSON = "application/fhir+json", "application/fhir+ndjson"
MEDIA_TYPES = (_JSON, _NDJSON)

_DIVISIBLE = frozenset({"searchset", "history", "collection", "transaction", "batch"})
"""Types of Bundles that are still one without some of their entries. A document or message is one
thing, and the answers to a batch are told apart by their places."""


def detect(payload: Payload, head: bytes, spec: BodySpec) -> None:
    """See `reader`. A client reads by the declared type, so it must be the configured one."""
    if payload.media_type == (_JSON if spec.lines else _NDJSON):
        raise detection.mismatch("the declared media type")
    detection.check_utf_8(payload, head)
    detection.check_no_other(head)


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every entry, resource or line; see `reader`."""
    patients = Patients(spec.subject, spec.base)
    if spec.lines:
        ndjson.count(source, limits, Census(Fates(spec, patients, limits), spec, tally))
        return
    bundle = survey(source, limits, patients)
    fates = Fates(spec, patients, limits, bundle.entries if bundle else None)
    census = Census(fates, spec, tally)
    for piece in _scan(source, bundle, spec, limits):
        match piece:
            case Items(Role.RECORD):
                census.count(piece.values)
            case Items(Role.STRAY):
                census.count_stray()


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write what the verdict keeps, otherwise byte for byte.

    The total of a Bundle is lowered by the matches that go. Its links go, too, where a resource
    goes that may be somebody's: they hold the search, and a search names whom it is about. Raises
    BadUpstream(REDACTION_UNSUPPORTED) where a withheld resource is the whole body or in a Bundle
    that can't do without it.
    """
    patients = Patients(spec.subject, spec.base)
    if spec.lines:
        selection = Selection(Fates(spec, patients, limits), spec, limits, verdict)
        return ndjson.select(source, limits, selection, sink)
    bundle = survey(source, limits, patients)
    fates = Fates(spec, patients, limits, bundle.entries if bundle else None)
    selection = Selection(fates, spec, limits, verdict)
    fate = json.of_one_set(selection)
    if bundle is None:
        alone = _scan(source, None, spec, limits)
        return json.write_pieces(alone, fate, 0, sink, limits.record)
    leaving = _Leaving(bundle, verdict)
    for piece in _scan(source, bundle, spec, limits):
        match piece:
            case Items(Role.RECORD):
                for entry, keep in zip(piece.values, selection.keeps(piece.values), strict=True):
                    leaving.add(entry, fates.of(entry), keep=keep)
            case Items(Role.STRAY):
                leaving.add_stray(keep=selection.keeps_stray())
    left = _left(source, leaving, limits)
    return json.write_pieces(left, fate, leaving.matches, sink, limits.record)


def _scan(
    source: Source, bundle: Bundle | None, spec: BodySpec | MemberSpec, limits: Limits
) -> Iterator[Piece]:
    if bundle is None:
        return scan(source, Leaf.RECORD, limits)
    found = (piece for piece, _ in pieces(source, limits))
    return watched(found, limits) if spec.undeclared == "refuse" else found


class _Leaving:
    """What goes with the entries that are withheld.

    `matches` are those of them that the Bundle's total counts, `links` whether its links go: where
    one of them may be somebody's.
    """

    def __init__(self, bundle: Bundle, verdict: Verdict) -> None:
        self._bundle, self._permitted = bundle, verdict.decision.permitted
        self.matches = self.entries = self.kept = 0
        self.links = False

    def add(self, entry: Any, fate: Fate, *, keep: bool) -> None:
        """Take note of an entry."""
        self.entries += 1
        if keep:
            self.kept += 1
            return
        self._check_divisible()
        self.links = self.links or not fate.nobodys
        entry = entry if type(entry) is dict else {}
        self.matches += _is_match(entry.get("search"))
        means = self._bundle.entries.get(str(entry.get("fullUrl")))
        if isinstance(means, tuple) and self._permitted.issuperset(means):
            # It goes for its category, and others of its patient would lose their owner with it.
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, "an entry that others may refer to")

    def add_stray(self, *, keep: bool) -> None:
        """Take note of something in the Bundle that is no entry."""
        if not keep:
            self._check_divisible()
            self.links = True

    def _check_divisible(self) -> None:
        if self._bundle.type not in _DIVISIBLE:
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a Bundle that must stay whole")


def _is_match(search: Any) -> bool:
    if type(search) is not dict:
        return True
    fhirtypes.check_names(search)
    return search.get("mode") not in ("include", "outcome")


def _left(source: Source, leaving: _Leaving, limits: Limits) -> Iterator[Piece]:
    """The pieces of a Bundle without the links that go, and without an empty list of entries."""
    inside, hollow = False, leaving.entries > leaving.kept == 0
    for piece, around in pieces(source, limits):
        if isinstance(piece, Items):
            if not (leaving.links and around is Around.LINK and piece.role is Role.SCALAR):
                yield piece
            continue
        inside = inside or piece.mark is Mark.ENTER
        if not (inside and hollow):
            yield piece
        if piece.mark is Mark.SPACE:
            inside = False
