"""OFX 1 (SGML): each response in a message set is one record. The grammar is in `ofxscan`; OFX 2 is
XML, and the format `xml`.

    <OFX>
    <SIGNONMSGSRSV1><SONRS>..       the envelope; what it says beyond status, time, language and
                                    institution is one record of nobody
    <BANKMSGSRSV1>                  goes where all in it goes
    <STMTTRNRS>                     a record: its statement, with the id and the status of the
    <TRNUID>7<STATUS>..             response, which make no sense without it
    <STMTRS><BANKACCTFROM>
    <BANKID>37040044<ACCTID>532013000     whose it is

A locator is a path from the statement: `BANKACCTFROM/ACCTID`; `ACCTID` alone is that of the
statement's own account, of whatever kind (`BANKACCTFROM`, `CCACCTFROM`, `INVACCTFROM`). Accounts
that money went to are only mentioned. An identifier is plain ASCII without entities, named once.

A mask is JSONPath from the response: `$.STMTRS.BANKTRANLIST.STMTTRN.MEMO` takes these elements out,
in whatever case it is written. Only elements that a transaction may lack can go, since none may be
empty.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection import charset, detection, locators, masking, ofxscan
from gateway.inspection.locators import LocatorError, Wildcard
from gateway.inspection.ofxscan import Element, Path, Piece, Place
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts
from gateway.response import Payload

MEDIA_TYPES = (
    "application/ofx",
    "application/x-ofx",
    "application/vnd.intu.qfx",
    "application/vnd.intu.qbo",
)

_NAME = re.compile(r"[A-Z][A-Z0-9.]{0,31}")
_ACCOUNT = "ACCTID"
_IDENTIFIER = re.compile(rb"[!-%'-~](?:[ -%'-~]*+(?<! ))?")
"""Printable ASCII without `&`; a blank only inside."""
_OPTIONAL = frozenset({"MEMO", "NAME", "CHECKNUM", "REFNUM", "SIC", "EXTDNAME"})
_SIGN_ON = "SIGNONMSGSRSV1"
_ENVELOPE: frozenset[Path] = frozenset(
    {("STATUS", "CODE"), ("STATUS", "SEVERITY"), ("DTSERVER",), ("LANGUAGE",), ("DTPROFUP",),
     ("DTACCTUP",), ("FI", "ORG"), ("FI", "FID"), ("INTU.BID",)}
)  # fmt: skip
_MESSAGE = ("STATUS", "MESSAGE")
_MESSAGES = frozenset({b"OK", b"SUCCESS", b"SUCCESSFUL SIGN ON", b"LOGIN SUCCESSFUL"})


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`. What the headers say must be what OFX's own header says."""
    if not head.startswith(b"OFXHEADER:"):
        raise detection.mismatch("the first bytes")
    encoding = charset.settle(ofxscan.encoding(head), head)
    detection.check_charset(payload, encoding)


def locator(text: str) -> Path:
    """`"BANKACCTFROM/ACCTID"` → the names. Raises LocatorError."""
    names = tuple(text.split("/"))
    if not all(map(_NAME.fullmatch, names)):
        raise LocatorError(f"{text!r}: expected names from the statement: BANKACCTFROM/ACCTID")
    return names


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every response. Raises BadUpstream; see `ofxscan.pieces`."""
    _, units = _open(source, spec, limits)
    for unit in units:
        if unit.counts:
            tally.add(unit.owners, Attribution.DIRECT, spec.category)
            tally.add_fields(unit.piece.names)


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the responses that the verdict keeps, byte for byte but for masked elements."""
    masks = _masks(verdict)
    encoding, units = _open(source, spec, limits, masks)
    seen = released = 0
    begun, withheld = b"", False  # the tag of a message set in which nothing was written yet
    for unit in units:
        piece = unit.piece
        keeps = not unit.counts or verdict.keeps(unit.owners, spec.category)
        seen += unit.counts
        released += unit.counts and keeps
        text = b""
        match piece.place:
            case Place.ABOVE:
                text = piece.text
            case Place.OPENS:
                begun, withheld = piece.text, False
            case Place.CLOSES:
                text = b"" if begun and withheld else begun + piece.text
                begun = b""
            case Place.UNIT if keeps:
                masked = [each for each in piece.elements if unit.counts and each.path in masks]
                text, begun = begun + _without(piece.text, masked), b""
            case Place.UNIT if unit.strays:
                text, begun = begun + _without(piece.text, unit.strays), b""
            case Place.UNIT:
                withheld = True
        sink.write(encoding.encode(text))
    return Counts(seen=seen, released=released, redacted=seen - released)


class _Unit(NamedTuple):
    """A piece that stays or goes; of one with `strays` only these go."""

    piece: Piece
    counts: bool = False
    owners: Owners = ()
    strays: Sequence[Element] = ()


def _open(
    source: Source,
    spec: BodySpec | MemberSpec,
    limits: Limits,
    masks: frozenset[Path] = frozenset(),
) -> tuple[charset.Encoding, Iterator[_Unit]]:
    label = ofxscan.encoding(_head(source))
    encoding, text = charset.read_text(source.chunks(), label)
    paths = {
        name: locator(name) for owner in spec.subject for each in owner.values() for name in each
    }
    named = {path[-1] for path in (*paths.values(), *masks)}
    attributor = locators.Attributor(
        tuple(
            {kind: tuple(f"$['{name}']" for name in each) for kind, each in owner.items()}
            for owner in spec.subject
        )
    )

    def wanted(message_set: str, name: str) -> bool:
        return name in named or message_set == _SIGN_ON

    def units() -> Iterator[_Unit]:
        for piece in ofxscan.pieces(text, limits, wanted):
            if label == "us-ascii" and not piece.text.isascii():
                raise BadUpstream(Code.BODY_AMBIGUOUS, "text that is not in the header's charset")
            if piece.place is not Place.UNIT:
                yield _Unit(piece)
            elif piece.message_set == _SIGN_ON and piece.name == "SONRS":
                strays = [each for each in piece.elements if not _is_envelope(each)]
                yield _Unit(piece, bool(strays), (), strays)
            else:
                yield _Unit(piece, True, attributor.of(_record(piece, paths)))

    return encoding, units()


def _head(source: Source) -> bytes:
    head = b""
    for chunk in source.chunks():
        head += chunk
        if len(head) >= ofxscan.LONGEST_HEADER:
            break
    return head


def _record(piece: Piece, paths: dict[str, Path]) -> dict[str, str]:
    """Locator → what it finds."""
    if piece.statements > 1:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "two statements in one response")
    record: dict[str, str] = {}
    for each in piece.elements:
        for name, path in paths.items():
            if _leads(path, each.path):
                if name in record:
                    raise BadUpstream(Code.BODY_AMBIGUOUS, "an owner is named twice")
                if not _IDENTIFIER.fullmatch(each.value):
                    raise BadUpstream(Code.BODY_AMBIGUOUS, "an identifier that is no plain text")
                record[name] = each.value.decode()
    return record


def _leads(path: Path, found: Path) -> bool:
    """Whether a locator means the element at a path from the response."""
    if not found[0].endswith("STMTRS"):
        return False
    if path == (_ACCOUNT,):
        return len(found) == 3 and found[1].endswith("ACCTFROM") and found[2] == _ACCOUNT
    return found[1:] == path


def _is_envelope(found: Element) -> bool:
    if found.path == _MESSAGE:
        return found.value.upper() in _MESSAGES
    return found.path in _ENVELOPE


def _without(text: bytes, elements: Sequence[Element]) -> bytes:
    """The text without some of its elements, which stand in it in this order."""
    pieces, at = [], 0
    for each in elements:
        pieces.append(text[at : each.begin])
        at = each.end
    return b"".join((*pieces, text[at:]))


def _masks(verdict: Verdict) -> frozenset[Path]:
    """The paths of the elements to take out."""
    paths: list[Path] = []
    for mask in masking.erased(verdict.mask):
        try:
            steps = locators.compile(mask)
        except LocatorError:
            steps = ()
        path = tuple(step.upper() for step in steps if isinstance(step, str))
        if Wildcard.MEMBERS in steps or not path or path[-1] not in _OPTIONAL:
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask of what can't be left out")
        paths.append(path)
    return frozenset(paths)
