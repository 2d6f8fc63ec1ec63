"""What a file that nobody reads says of itself: the owner of a PDF or an image.

    pdf:Subject     an entry of a PDF's document information, or what its XMP has for it
    png:Author      a text of a PNG, by its keyword
    exif:Artist     a text in the EXIF of a JPEG or a PNG

A file is what its first bytes say. A locator of another kind of file finds nothing in it, and so
does one in a file of no known kind. Only these texts are read: no page, no pixel.
"""

import re
from collections.abc import Mapping, Sequence

from gateway.errors import BadUpstream, Code
from gateway.inspection import exif, imagetexts, locators, pdfinformation
from gateway.inspection.locators import Attributor, LocatorError
from gateway.inspection.tally import Owners
from gateway.inspection.writable import Owners as Subject

LIBRARY = pdfinformation.LIBRARY

Found = Mapping[str, Sequence[str]]
"""Name → the values found for it, in all places that are read for it."""

_LOCATOR = re.compile(r"(pdf|png|exif):([A-Za-z][A-Za-z0-9 ._-]{0,77}[A-Za-z0-9])")
_PDF, _PNG, _JPEG = b"%PDF-", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_LENIENT = 1024
"""Bytes in which some readers look for a PDF's beginning."""


def compile(text: str) -> tuple[str, str]:
    """`"pdf:Subject"` → `("pdf", "Subject")`. Raises LocatorError."""
    found = _LOCATOR.fullmatch(text)
    if found is None:
        raise LocatorError(f"{text!r}: expected pdf:Name, png:Keyword or exif:Tag")
    if found[1] == "exif" and found[2] not in exif.TAGS:
        raise LocatorError(f"{text!r}: the tags are {', '.join(sorted(exif.TAGS))}")
    return found[1], found[2]


def needs_library(text: str) -> bool:
    """Whether a locator is read by what the extra `metadata` brings."""
    return text.startswith("pdf:")


def owners_of(data: bytes, subject: Subject) -> Owners:
    """The owners that a file names; none where it lacks one. Raises BadUpstream: BODY_AMBIGUOUS for
    what two readers may find different values for, BODY_MALFORMED for a file that isn't one,
    MEMBER_UNSUPPORTED for one that is encrypted."""
    texts = {text: compile(text) for owner in subject for each in owner.values() for text in each}
    named: dict[str, list[str]] = {}
    for kind, name in texts.values():
        named.setdefault(kind, []).append(name)
    found = {kind: _read(data, kind, names) for kind, names in named.items()}
    record: dict[str, str] = {}
    for text, (kind, name) in texts.items():
        values = dict.fromkeys(found[kind].get(name, ()))
        if len(values) > 1:
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"several values for {text}")
        record.update(dict.fromkeys([text], *values) if values else {})
    return Attributor(_as_paths(subject)).of(record)


def _read(data: bytes, kind: str, names: list[str]) -> Found:
    is_pdf = data.startswith(_PDF)
    if not is_pdf and _PDF in data[:_LENIENT]:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a file that is a PDF for some readers")
    match kind:
        case "pdf" if is_pdf:
            return pdfinformation.read(data, names)
        case "png" if data.startswith(_PNG):
            return imagetexts.png(data, names)
        case "exif" if data.startswith(_PNG):
            return exif.read(imagetexts.exif_of_png(data), names)
        case "exif" if data.startswith(_JPEG):
            return exif.read(imagetexts.exif_of_jpeg(data), names)
        case _:
            return {}


def _as_paths(subject: Subject) -> Subject:
    """The same owners in a record whose members are named by the locators."""
    return tuple(
        {kind: tuple(locators.written((text,)) for text in found) for kind, found in owner.items()}
        for owner in subject
    )
