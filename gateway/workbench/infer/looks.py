"""What a value looks like: an e-mail address, a reference to a patient, a date, a sentence."""

import re
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import Any, assert_never

from gateway.workbench.wording import plain


class Look(Enum):
    """What one value could be, by its text alone."""

    PATIENT = "a FHIR reference to a patient"
    OTHER_REFERENCE = "a FHIR reference to something else"
    EMAIL = "an e-mail address"
    IBAN = "an IBAN"
    PHONE = "a telephone number"
    UUID = "a UUID"
    OPAQUE = "an opaque identifier"
    INTEGER = "an integer"
    WORD = "a word, as of a closed list"
    DATE = "a date or time"
    LINK = "a link or a path"
    TEXT = "a text"
    NO_IDENTIFIER = "no text and no integer"


_OF_PERSONS = ("Patient", "Person")
_REFERENCE = re.compile(r"(?:https?://\S+/)?([A-Z][A-Za-z]{2,40})[/?](\S{1,200})")
_EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,190}\.[A-Za-z]{2,24}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_PHONE = re.compile(r"(?:tel:)?\+\d[\d ()/-]{6,20}\d")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = re.compile(
    r"\d{4}-\d{2}(?:-\d{2}(?:[T ].{0,30})?)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{2}:\d{2}.*"
)
_LINK = re.compile(r"[a-z][a-z0-9+.-]*://\S*|/\S*|urn:\S+|mailto:\S+")
_NUMBER = re.compile(r"-?\d{1,19}")
_FRACTION = re.compile(r"-?\d+[.,]\d+")
_OPAQUE = re.compile(r"[A-Za-z0-9._:=+|-]{5,128}|(?=\D*\d)[A-Za-z0-9._:=+|-]{2,4}")
_LETTERS = re.compile(r"[^\W\d_]+(?:[_-][^\W\d_]+)*")


def look(value: Any) -> Look:
    """What a value looks like. Formats are recognised, never corrected: an IBAN needs its check
    digits (ISO 13616), an address its one `@`."""
    if type(value) is int:
        return Look.INTEGER
    if type(value) is not str or not value:
        return Look.NO_IDENTIFIER
    text = value[:512]
    if found := _REFERENCE.fullmatch(text):
        return Look.PATIENT if found[1] in _OF_PERSONS else Look.OTHER_REFERENCE
    for pattern, looks in (
        (_EMAIL, Look.EMAIL), (_UUID, Look.UUID), (_PHONE, Look.PHONE), (_DATE, Look.DATE),
        (_LINK, Look.LINK), (_NUMBER, Look.INTEGER), (_FRACTION, Look.NO_IDENTIFIER),
    ):  # fmt: skip
        if pattern.fullmatch(text):
            return looks
    if _IBAN.fullmatch(text) and _iban_checks(text):
        return Look.IBAN
    if _LETTERS.fullmatch(text):
        return Look.WORD
    return Look.OPAQUE if _OPAQUE.fullmatch(text) else Look.TEXT


def _iban_checks(text: str) -> bool:
    """ISO 7064 MOD 97-10 over the rearranged IBAN."""
    return int("".join(str(int(each, 36)) for each in text[4:] + text[:4])) % 97 == 1


def common(values: Iterable[Any]) -> Look:
    """What nearly all of the values look like (nineteen of twenty); TEXT where they differ."""
    counts = Counter(map(look, values))
    if not counts:
        return Look.NO_IDENTIFIER
    best, count = counts.most_common(1)[0]
    if count * 20 >= 19 * counts.total():
        return best
    if counts.keys() <= {Look.WORD, Look.OPAQUE, Look.INTEGER, Look.UUID}:
        return Look.OPAQUE
    return Look.TEXT


def is_identifying(looks: Look) -> bool:
    """Whether values that look so may be a person's, whatever their field is named."""
    match looks:
        case Look.PATIENT | Look.EMAIL | Look.IBAN | Look.PHONE | Look.UUID | Look.OPAQUE:
            return True
        case Look.OTHER_REFERENCE | Look.INTEGER | Look.WORD | Look.DATE | Look.LINK:
            return False
        case Look.TEXT | Look.NO_IDENTIFIER:
            return False
        case _:
            assert_never(looks)


def shortened(value: Any) -> str:
    """Enough of a value to know it again on one's own file, and not enough to be told it.

    Nothing in it can steer a terminal.
    """
    text = str(value)
    keep = min(4, len(text) // 3)
    tail = text[-(keep // 2) :] if keep >= 2 else ""
    short = f"{text[:keep] or '?'}…{tail}" if len(text) > 2 else "…"
    return plain(short)
