"""iCalendar (RFC 5545) in UTF-8: each component of a calendar is one record.

The lines are in `contentlines`; whose a component is, and its masks, in `properties`:

    BEGIN:VCALENDAR
    VERSION:2.0                        with PRODID, METHOD and the like the envelope, which stays
    X-WR-CALNAME:me@example.org        whatever else the calendar says of itself is one record,
    X-WR-CALDESC:..                    theirs whom a locator finds in it (../X-WR-CALNAME)
    BEGIN:VTIMEZONE .. END:VTIMEZONE   stays, if it only defines a time zone; else it is a record
    BEGIN:VEVENT                       a record, with the alarms in it
    ORGANIZER;CN=Me:mailto:me@example.org      an address is told without its `mailto:`
    END:VEVENT
    END:VCALENDAR

With `ATTENDEE` for a locator each of them is an owner, and all must be permitted. A calendar whose
components all go stays, empty. The last line may lack its end.

A mask empties a property of text. Any other would be invalid without its value.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection import contentlines, detection, masking, properties
from gateway.inspection.contentlines import (
    CALENDAR,
    Line,
    Piece,
    Property,
    ambiguous,
    malformed,
    parsed,
)
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import Sink
from gateway.inspection.source import Source
from gateway.inspection.tally import Owners, Tally
from gateway.inspection.verdict import Verdict
from gateway.model import Attribution, Counts
from gateway.response import Payload

MEDIA_TYPES = ("text/calendar",)

locator = properties.name_in_container

_TEXTS = frozenset(
    {"SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CONTACT", "CATEGORIES", "RESOURCES"}
)
_CALENDAR = frozenset(
    {"BEGIN", "END", "VERSION", "PRODID", "CALSCALE", "METHOD", "LAST-MODIFIED",
     "REFRESH-INTERVAL", "COLOR", "X-WR-TIMEZONE", "X-PUBLISHED-TTL"}
)  # fmt: skip
_TIME_ZONE = frozenset(
    {"BEGIN", "END", "TZID", "LAST-MODIFIED", "TZURL", "TZUNTIL", "DTSTART", "TZOFFSETTO",
     "TZOFFSETFROM", "TZNAME", "RRULE", "RDATE", "X-LIC-LOCATION"}
)  # fmt: skip
_INNER = frozenset(
    {"VALARM", "STANDARD", "DAYLIGHT", "AVAILABLE", "PARTICIPANT", "VLOCATION", "VRESOURCE"}
)
"""Components that stand in others, and only there (RFC 5545, 7953, 9073). A reader that looks for
any other one finds it in whatever it stands in, and would take it for a record."""
_PLAIN = re.compile(rb"(?:;(?:VALUE|LANGUAGE)=[A-Z0-9-]++)*+")
"""Parameters that hold no text of anybody's."""
_ADDRESS = re.compile(rb"MAILTO:", re.IGNORECASE)
_URI_SIGNS = re.compile(rb"[%?#]")


def detect(payload: Payload, head: bytes, _spec: BodySpec) -> None:
    """See `reader`."""
    detection.check_utf_8(payload, head)
    detection.check_no_other(head)


def inspect(source: Source, spec: BodySpec | MemberSpec, limits: Limits, tally: Tally) -> None:
    """Count every component. Raises BadUpstream; see `contentlines.pieces`."""
    for unit in _scan(source, properties.Plan(spec, limits, _value), limits):
        if unit.counts:
            tally.add(unit.owners, unit.attribution, spec.category)
            tally.add_fields({each.name for each in unit.properties} - {"BEGIN", "END"})


def rewrite(
    source: Source, spec: BodySpec | MemberSpec, limits: Limits, verdict: Verdict, sink: Sink
) -> Counts:
    """Write what the verdict keeps, byte for byte but for masked values."""
    plan = properties.Plan(spec, limits, _value)
    masked = plan.check_masks(masking.erased(verdict.mask), _TEXTS)
    seen = released = 0
    for unit in _scan(source, plan, limits):
        keeps = not unit.counts or verdict.keeps(unit.owners, spec.category)
        seen += unit.counts
        released += unit.counts and keeps
        if keeps:
            sink.write(properties.written(unit.properties, masked if unit.counts else frozenset()))
        elif unit.envelope:
            sink.write(properties.written(filter(_is_envelope, unit.properties), frozenset()))
    return Counts(seen=seen, released=released, redacted=seen - released)


class _Unit(NamedTuple):
    """What stays or goes together; of an `envelope` only what is not part of it goes."""

    properties: list[Property]
    counts: bool = False
    owners: Owners = ()
    attribution: Attribution = Attribution.NONE
    envelope: bool = False


def _scan(source: Source, plan: properties.Plan, limits: Limits) -> Iterator[_Unit]:
    head: list[Property] = []
    above: dict[str, list[str]] = {}
    size, calendars, read = 0, 0, False
    for piece in contentlines.pieces(source, limits, 2, octets=True):
        line = piece.lines[0]
        if not piece.name and not line.text.startswith(b"END:"):
            head.append(_outer(piece, read))
            size += len(line.whole)
            if size > limits.record or len(head) > limits.fields:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "a calendar that says too much of itself")
            continue
        if head:
            read, size = True, 0
            above = plan.found(head, above=True)
            yield _calendar(head, plan, above)
            head = []
        if piece.name:
            yield _component(piece, plan, above)
        else:
            read, calendars = False, calendars + 1
            yield _Unit([parsed(line, CALENDAR)])
    if not calendars:
        raise BadUpstream(Code.BODY_INCOMPLETE, "no calendar")


def _outer(piece: Piece, read: bool) -> Property:
    (line,) = piece.lines
    found = _parsed(line)
    if read:
        raise ambiguous(line, "what a calendar says of itself, behind a component")
    if found.name == "BEGIN" and found.value != b"VCALENDAR":
        raise malformed(line, "a component outside of a calendar")
    return found


def _calendar(head: list[Property], plan: properties.Plan, above: dict[str, list[str]]) -> _Unit:
    versions = [each for each in head if each.name == "VERSION"]
    if len(versions) != 1 or versions[0].value != b"2.0" or versions[0].parameters:
        raise malformed(head[0].line, "a calendar without the one version 2.0")
    if all(map(_is_envelope, head)):
        return _Unit(head)
    owners = plan.named(above)
    attribution = Attribution.DIRECT if owners else Attribution.NONE
    return _Unit(head, True, owners, attribution, envelope=True)


def _component(piece: Piece, plan: properties.Plan, above: dict[str, list[str]]) -> _Unit:
    found = list(map(_parsed, piece.lines))
    own: list[Property] = []
    depth = 0
    for each in found:
        if each.name == "BEGIN":
            if (each.value.decode() in _INNER) != (depth > 0):
                raise ambiguous(each.line, "a component where it doesn't belong")
            depth += 1
        elif each.name == "END":
            depth -= 1
        elif depth == 1:
            own.append(each)
    if piece.name == "VTIMEZONE" and all(_defines_time(each) for each in found):
        return _Unit(found)
    return _Unit(found, True, plan.owners({**above, **plan.found(own)}), plan.attribution)


def _parsed(line: Line) -> Property:
    found = parsed(line, CALENDAR)
    if b";CHARSET=" in found.parameters or b"QUOTED-PRINTABLE" in found.parameters:
        raise ambiguous(line, "a charset or quoted-printable, which iCalendar 2.0 doesn't have")
    return found


def _is_envelope(found: Property) -> bool:
    return found.name in _CALENDAR and _PLAIN.fullmatch(found.parameters) is not None


def _defines_time(found: Property) -> bool:
    return found.name in _TIME_ZONE and _PLAIN.fullmatch(found.parameters) is not None


def _value(found: Property) -> bytes:
    """The value; of an address what is behind `mailto:`, which must be plain."""
    if not (scheme := _ADDRESS.match(found.value)):
        return found.value
    if _URI_SIGNS.search(found.value):
        raise ambiguous(found.line, "an address that some readers decode")
    return found.value[scheme.end() :]
