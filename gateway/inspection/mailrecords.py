"""A message as one record: whose it is, and what a mask leaves of it.

Its owners stand in its own header, where `subject` says. A locator names a field, or several of
which at least one must be there:

    Delivered-To        each address in it is an owner
    To|Cc|Bcc           all addresses of all of them
    X-Customer          no field of addresses: its text as it stands is the identifier
    $['X-Customer']     the same, spelled like a mask

A field that tells how a message came (Delivered-To) may be there several times, once for each hop:
all it names are owners, and so are all that a repeated field of no standard names. A field that
RFC 5322 section 3.6 has once is refused where it is there twice, if a locator asks for it. The
senders and receivers of a message that is attached or forwarded are mentions, not owners; so is
everybody named in a body. Where an endpoint asks for attachments to be read, the owners of what is
in them own the message, too; see `attachments`.

A mask (`$.Subject`) empties fields of the message's own header, wherever they are in it. Those that
say how the body is read can't be masked, nor can the one that names the owner. Attachments aren't
masked.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from gateway.errors import BadUpstream, Code
from gateway.inspection import locators, masking
from gateway.inspection.attachments import owners_inside
from gateway.inspection.locators import Attributor, LocatorError
from gateway.inspection.mailaddresses import read_addresses
from gateway.inspection.mailheader import Field, Header, read_header
from gateway.inspection.mimetree import read_parts
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.tally import Owners
from gateway.model import Mask

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

_ADDRESSES_ONCE = frozenset({"from", "sender", "reply-to", "to", "cc", "bcc"})
_ADDRESSES = _ADDRESSES_ONCE | {
    "apparently-to", "delivered-to", "envelope-to", "resent-bcc", "resent-cc", "resent-from",
    "resent-sender", "resent-to", "return-path", "x-delivered-to", "x-envelope-to",
    "x-forwarded-for", "x-forwarded-to", "x-original-to", "x-resolved-to",
}  # fmt: skip
_ONCE = _ADDRESSES_ONCE | {"message-id", "subject", "date", "in-reply-to", "references"}
_READING = re.compile(r"content-.*|mime-version")


class Message(NamedTuple):
    """`text` are its bytes, `header` its own fields."""

    text: bytes
    header: Header
    owners: Owners


def fields_of(locator: str) -> tuple[str, ...]:
    """The fields that a locator names, in lower case. Raises LocatorError."""
    names = locator.split("|")
    if locator.startswith("$"):
        match locators.compile(locator):
            case (str(name),):
                names = [name]
            case _:
                raise LocatorError(f"{locator!r}: a message has header fields only: $.Subject")
    if not all(map(_NAME.fullmatch, names)):
        raise LocatorError(f"{locator!r}: expected a header field: Delivered-To, or To|Cc")
    return tuple(name.lower() for name in names)


class Messages:
    """Reads messages as `spec` says. Made once for each scan; raises LocatorError."""

    def __init__(self, spec: BodySpec | MemberSpec, limits: Limits) -> None:
        if locators.compile(spec.records) or spec.totals:
            raise LocatorError("a message is a record; records and totals are for JSON")
        self._limits = limits
        self._attached = spec.inner if isinstance(spec, MemberSpec) else spec.members
        texts = {text for owner in spec.subject for found in owner.values() for text in found}
        self._fields = {text: fields_of(text) for text in texts}
        places = {text: str(place) for place, text in enumerate(self._fields)}
        self._places = {place: self._fields[text] for text, place in places.items()}
        self._attributor = Attributor(
            tuple(
                {kind: tuple(f"$['{places[text]}'][*]" for text in found)}
                for owner in spec.subject
                for kind, found in owner.items()
            )
        )

    def read(self, text: bytes, begin: int = 0) -> Message:
        """The message whose header begins at `begin`, and whose lines all end alike.

        Raises BadUpstream; see `mailheader`, `mailaddresses` and `mimetree`.
        """
        header = read_header(text, begin, self._limits)
        if not header.fields:
            raise BadUpstream(Code.BODY_MALFORMED, "a message without a header")
        parts = read_parts(text, header, self._limits)
        inside = owners_inside(text, parts, self._attached, self._limits)
        own = self._owners(header)
        if inside is None or (self._places and not own):
            return Message(text, header, ())
        return Message(text, header, tuple(dict.fromkeys((*own, *inside))))

    def _owners(self, header: Header) -> Owners:
        """Those that the header names."""
        found = {place: _identifiers(header, names) for place, names in self._places.items()}
        return self._attributor.of({place: values for place, values in found.items() if values})

    def masks(self, masks: Iterable[Mask]) -> frozenset[str]:
        """The fields that masks empty. Raises BadUpstream(REDACTION_UNSUPPORTED)."""
        paths = masking.erased(masks)
        try:
            masked = frozenset(name for path in paths for name in fields_of(path))
        except LocatorError:
            raise _unsupported("a mask that names no header field: $.Subject") from None
        if any(map(_READING.fullmatch, masked)):
            raise _unsupported("a mask of a field that says how to read the message")
        if not masked.isdisjoint(name for names in self._fields.values() for name in names):
            raise _unsupported("a mask of the field that names the owner")
        return masked


def masked(message: Message, masks: frozenset[str]) -> bytes:
    """The message, with the fields of `masks` emptied."""
    pieces, at = [], 0
    for field in message.header.fields:
        if field.name in masks:
            pieces.append(message.text[at : field.begin])
            at = field.end
    return b"".join((*pieces, message.text[at:])) if pieces else message.text


def check_lines(text: bytes, end: bytes) -> None:
    """That all lines of a text end in `end`, and that no reader ends it before its end.

    Raises BadUpstream(BODY_AMBIGUOUS).
    """
    pairs = 0 if end == b"\n" else text.count(b"\n")
    if text.count(b"\r") != pairs or text.count(b"\r\n") != pairs:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "another line end than the first")
    if b"\0" in text:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a NUL")


def line_end(text: bytes) -> bytes:
    """The line end of the first line."""
    at = text.find(b"\n")
    return b"\r\n" if at > 0 and text[at - 1 : at] == b"\r" else b"\n"


def _identifiers(header: Header, names: tuple[str, ...]) -> list[str]:
    """What the fields of these names name; nothing where one of them keeps something to itself."""
    found: list[str] = []
    for name in names:
        fields = header.all(name)
        if len(fields) > 1 and name in _ONCE:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a field that names the owner twice")
        for field in fields:
            values = read_addresses(field.text) if name in _ADDRESSES else _plain(field)
            if not values:
                return []
            found += values
    return found


def _plain(field: Field) -> list[str]:
    text = field.text
    if field.is_folded or not text.isascii() or "=?" in text:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "an identifier that readers take differently")
    return [text] if text else []


def _unsupported(note: str) -> BadUpstream:
    return BadUpstream(Code.REDACTION_UNSUPPORTED, note)
