"""vCard 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350) in UTF-8: each card is one record.

The lines are in `contentlines`; whose a card is, and its masks, in `properties`:

    subject: {email: EMAIL}            item1.EMAIL;TYPE=home:me@example.org

A card with several addresses has several owners. An empty body has no cards. The last line may lack
its end. A card in a card is refused (2.1 had AGENT), and so are another charset and, outside of
vCard 2.1, quoted-printable. In 2.1 it is read if it takes one line, because readers that don't know
it would read its next line as a property; folds are only read in base64, where the blank that 2.1
keeps and all others drop means nothing.

A mask empties a property of text. Any other would be invalid without its value.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from gateway.inspection import contentlines, detection, masking, properties
from gateway.inspection.contentlines import Piece, Property, ambiguous, malformed, parsed
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts
from gateway.response import Payload

MEDIA_TYPES = ("text/vcard", "text/x-vcard")

locator = properties.name

_TEXTS = frozenset(
    {"FN", "N", "NICKNAME", "ADR", "LABEL", "TEL", "EMAIL", "TITLE", "ROLE", "ORG", "NOTE",
     "CATEGORIES"}
)  # fmt: skip
_GRAMMARS = {
    b"2.1": contentlines.CARD_2_1,
    b"3.0": contentlines.CARD,
    b"4.0": contentlines.CARD,
}
_VERSION = re.compile(rb"VERSION:(.*)", re.IGNORECASE | re.DOTALL)
_CHARSET = re.compile(rb";CHARSET=([^;]*)")
_UNICODE = (b"UTF-8", b'"UTF-8"')
_BASE64 = re.compile(rb";(?:ENCODING=)?(?:BASE64|B)(?:;|$)")
_QUOTED_PRINTABLE = re.compile(rb"(?:[!-<>-~ \t]|=[0-9A-F]{2})*+")


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    detection.check_utf_8(payload, head)
    detection.check_no_other(head)


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every card. Raises BadUpstream; see `contentlines.pieces`."""
    for card in _scan(source, properties.Plan(spec, limits, _value), limits):
        tally.add(card.owners, Attribution.DIRECT, spec.category)
        tally.add_fields({each.name for each in card.properties} - {"BEGIN", "END"})


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write the cards that the verdict keeps, byte for byte but for masked values."""
    plan = properties.Plan(spec, limits, _value)
    masked = plan.check_masks(masking.erased(verdict.mask), _TEXTS)
    seen = released = 0
    for card in _scan(source, plan, limits):
        seen += 1
        if verdict.keeps(card.owners, spec.category):
            released += 1
            sink.write(properties.written(card.properties, masked))
    return Counts(seen=seen, released=released, redacted=seen - released)


class _Card(NamedTuple):
    properties: list[Property]
    owners: Owners


def _scan(source: Source, plan: properties.Plan, limits: Limits) -> Iterator[_Card]:
    for piece in contentlines.pieces(source, limits, 1, octets=False):
        found = _properties(piece)
        yield _Card(found, plan.owners(plan.found(found)))


def _properties(piece: Piece) -> list[Property]:
    first = piece.lines[0]
    if piece.name != "VCARD":
        raise malformed(first, "a component that is no VCARD")
    versions = [found[1] for line in piece.lines if (found := _VERSION.fullmatch(line.text))]
    if len(versions) != 1 or versions[0] not in _GRAMMARS:
        raise malformed(first, "a card without one version out of 2.1, 3.0 and 4.0")
    (version,) = versions
    lines = [parsed(line, _GRAMMARS[version]) for line in piece.lines]
    for each in lines[1:-1]:
        if each.name in ("BEGIN", "END"):
            raise ambiguous(each.line, "a component in a card")
        if each.name == "VERSION" and (each.group or each.parameters):
            raise ambiguous(each.line, "a version that not every reader knows")
        _check_encoding(each, version)
    return lines


def _check_encoding(found: Property, version: bytes) -> None:
    parameters, line = found.parameters, found.line
    if version == b"2.1" and b"\n" in line.whole[:-2] and not _BASE64.search(parameters):
        raise ambiguous(line, "a fold in vCard 2.1, which some readers join without a blank")
    if not parameters:
        return
    if b"CHARSET" in parameters:
        charsets = _CHARSET.findall(parameters)
        ascii_only = line.text.isascii()
        if not all(each in _UNICODE or (each == b"US-ASCII" and ascii_only) for each in charsets):
            raise ambiguous(line, "a charset other than UTF-8")
    if b"QUOTED-PRINTABLE" in parameters and (
        version != b"2.1" or not _QUOTED_PRINTABLE.fullmatch(found.value)
    ):
        raise ambiguous(line, "quoted-printable that is not one strict line of vCard 2.1")


def _value(found: Property) -> bytes:
    if b"QUOTED-PRINTABLE" in found.parameters or _BASE64.search(found.parameters):
        raise ambiguous(found.line, "an identifier in a transfer encoding")
    return found.value
