"""What a masked value becomes: the same in every format.

    null        nothing: null, or an empty text where a format has no null
    text        this text
    keep        its first so many characters (code points)
    pseudonym   `m` and 32 hex digits, the same for equal values wherever they stand:
                HMAC-SHA-256(key, type, zero byte, value), cut to 128 bits

The key is derived from a file of its own. Who has that file can test guesses; who can put values of
their own into an export can too, one at a time, since equal values have equal pseudonyms: that is
what joins need. A text and an integer of the same digits are two values, as everywhere.

null and an empty text hide nothing, and stay. A list or an object can only become null. So must
what has no first characters (a number, true), or too few values or too many spellings for a
pseudonym (true, 1.50): anything else is REDACTION_UNSUPPORTED.
"""

import hmac
import json
import re
from collections.abc import Callable, Iterable, Sequence

from gateway.errors import BadUpstream, Code
from gateway.inspection import fhirtypes, jsontext
from gateway.inspection.locators import LocatorError, Steps, Wildcard, climbs, compile, meet
from gateway.inspection.settings import BodySpec, InnerMemberSpec, MemberSpec
from gateway.inspection.writable import Owner
from gateway.model import Format, Mask

LONGEST = 33
"""Characters of a pseudonym."""

_INTEGER = re.compile(rb"-?[0-9]++")
_UNIT = (
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb'|\\u[0-9a-fA-F]{4}|\\.|[^"\\\x80-\xff]|[\xc0-\xff][\x80-\xbf]*+'
)
"""A character as a JSON text spells it."""


_REFERENCE = re.compile("&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_SPACE = str.maketrans("\t\n", "  ")
_ESCAPED = {ord(character): f"&#{ord(character)};" for character in "&<>\"'\t\n\r"}


def derive(secret: bytes) -> bytes:
    """The key of pseudonyms in bodies; no other key of the same secret is like it."""
    return hmac.digest(secret, b"privacy-gateway masks v1: pseudonym", "sha256")


def strictest_first(masks: Iterable[Mask]) -> list[Mask]:
    """Several masks may find one value: the one that tells the least of it comes first."""
    return sorted(masks, key=_told)


def erased(masks: Iterable[Mask]) -> list[str]:
    """The paths that are masked, for a format in which a masked value can only go.

    Raises BadUpstream(REDACTION_UNSUPPORTED) for one in whose place something must stand.
    """
    paths = [mask.path for mask in masks if mask.erases]
    if any(mask.path not in paths for mask in masks):
        raise unsupported("this format")
    return paths


def naming(spec: BodySpec | InnerMemberSpec) -> list[Owner]:
    """Where it stands whose a record is: in a body, and in what is in it."""
    embedded = [{"embedded": each.at[:1]} for each in spec.embedded]
    if spec.format is Format.FHIR:
        return [{"fhir": fhirtypes.NAMING}, *embedded]
    inside = spec.members if isinstance(spec, (BodySpec, MemberSpec)) else ()
    named = (owner for member in inside for owner in naming(member))
    return [*spec.subject, *embedded, *named]


def check_apart(masks: Iterable[Mask], subject: Sequence[Owner]) -> None:
    """For a body that leaves as it comes, and that nobody reads again after its masks: no mask may
    touch what says whose a record is. Raises BadUpstream(REDACTION_UNSUPPORTED).

    Records whose owner stands above them never leave so: what holds them is read again.
    """
    texts = [text for owner in subject for found in owner.values() for text in found]
    named = [_steps(text) for text in texts if not climbs(text)]
    for mask in masks:
        try:
            masked = _steps(mask.path)
        except LocatorError:
            raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask is no JSONPath") from None
        if any(meet(masked, each) or meet(_bare(masked), _bare(each)) for each in named):
            raise BadUpstream(
                Code.REDACTION_UNSUPPORTED, "a mask on what names the owners, as it comes"
            )


def _steps(locator: str) -> Steps:
    """Of a CSV, a column's name is a locator, too."""
    return compile(locator) if locator.startswith("$") else (locator,)


def _bare(steps: Steps) -> Steps:
    """Without the steps into lists: FHIR's elements are found whether there is a list or not."""
    return tuple(step for step in steps if step is not Wildcard.ELEMENTS)


def of_text(mask: Mask, value: str, key: bytes | None) -> str:
    """What a text becomes, in a format that has no null."""
    if not value:
        return value
    if mask.text is not None:
        return mask.text
    if mask.keep is not None:
        return value[: mask.keep]
    return _pseudonym(b"text", value.encode(), key) if mask.pseudonym else ""


def of_json(mask: Mask, value: bytes, key: bytes | None) -> bytes:
    """What a JSON value becomes, as the text of one: `value` is what jiter has accepted."""
    if mask.erases:
        return b"null"
    if value in (b"null", b'""'):
        return value
    if value[:1] in (b"{", b"["):
        raise unsupported("a list or an object")
    if mask.text is not None:
        return json.dumps(mask.text).encode()
    is_text = value[:1] == b'"'
    if mask.keep is not None and is_text:
        return _first(value, mask.keep)
    if mask.pseudonym and is_text:
        text = jsontext.parse(value, 0).encode()
        return b'"%b"' % _pseudonym(b"text", text, key).encode()
    if mask.pseudonym and _INTEGER.fullmatch(value):
        digits = b"0" if value == b"-0" else value
        return b'"%b"' % _pseudonym(b"integer", digits, key).encode()
    raise unsupported("a number or a truth value")


def of_xml(mask: Mask, value: bytes, attribute: bool, key: bytes | None) -> bytes:
    """What stands in an XML element or attribute becomes, as it is written there."""
    if mask.erases:
        return b""
    if b"<" in value:
        raise unsupported("an element with more than text in it")
    # XML 1.0 sections 2.11 and 3.3.3; what is spelt as a reference is exempt.
    text = value.decode().replace("\r\n", "\n").replace("\r", "\n")
    text = text.translate(_SPACE) if attribute else text
    text = _REFERENCE.sub(_referred, text)
    masked = of_text(mask, text, key)
    return value if masked == text else masked.translate(_ESCAPED).encode()


def spliced(
    text: bytes,
    places: Iterable[tuple[int, int, int]],
    becomes: Callable[[bytes, int], bytes],
) -> bytes:
    """`text` with something else at each place, made of what stood there and the place's number.

    Places may overlap: then the outer one counts, and of equal ones the one with the least number.
    """
    parts: list[bytes] = []
    at = 0
    for begin, end, number in sorted(places):
        if begin >= at:
            parts += (text[at:begin], becomes(text[begin:end], number))
            at = end
    parts.append(text[at:])
    return b"".join(parts)


def longest(mask: Mask) -> int:
    """The most bytes that stand in the place of a value, whatever its format and encoding: JSON
    writes some characters as twelve. 0 where it depends on the value, and is about as much."""
    if mask.text is not None:
        return 12 * len(mask.text) + 2
    return 2 * (LONGEST + 2) if mask.pseudonym else 0


def unsupported(what: str) -> BadUpstream:
    """The refusal of a mask that can't be applied to `what` is there."""
    return BadUpstream(Code.REDACTION_UNSUPPORTED, f"a mask that {what} can't have")


def _referred(found: re.Match[str]) -> str:
    hexadecimal, decimal, name = found.groups()
    if name:
        return _NAMED[name]
    return chr(int(hexadecimal, 16) if hexadecimal else int(decimal))


def _told(mask: Mask) -> tuple[int, int, str]:
    kind = 3 if mask.keep is not None else 2 if mask.pseudonym else 1 if mask.text else 0
    return kind, mask.keep or 0, mask.text or ""


def _first(value: bytes, keep: int) -> bytes:
    """The beginning of a JSON text, spelt as it came: what an escape hides from some readers
    (U+2028 ends a line to them) must not appear."""
    begun = re.match(rb'"(?:%b){0,%d}+' % (_UNIT, keep), value)
    return begun[0] + b'"' if begun else b'""'


def _pseudonym(kind: bytes, value: bytes, key: bytes | None) -> str:
    if key is None:
        raise BadUpstream(
            Code.REDACTION_UNSUPPORTED, "a pseudonym without inspection.pseudonym_key_file"
        )
    return "m" + hmac.digest(key, kind + b"\0" + value, "sha256")[:16].hex()
