"""A FHIR Bundle (R4: bundle.html) piece by piece: its entries, and what stands around them.

Around the entries stay texts and numbers, and the links, meta and identifier of a Bundle as long as
they are what the specification says and nothing more. Anything else (a signature, extensions) is a
stray, as in other JSON: an unattributed record of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import fhirtypes, jsontext
from gateway.inspection.fhirreferences import Meant, Patients, Told, inside
from gateway.inspection.jsonplan import Each, Envelope, Leaf
from gateway.inspection.jsonscan import Items, Piece, Role, scan
from gateway.inspection.jsontext import Container
from gateway.inspection.settings import Limits
from gateway.inspection.source import Source

_PLAN = Envelope(
    {"entry": Each(Container.ARRAY, Leaf.RECORD), "total": Leaf.TOTAL},
    required=None,
    repeated=False,
)
"""A Bundle without entries has none: FHIR knows no empty list."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What must be known of a Bundle before its entries can be read: its type, and which resources
    have names that only hold inside of it (`urn:uuid:…`)."""

    type: str
    entries: dict[str, Meant]


class Around(Enum):
    """What an item in the envelope is; see `pieces`."""

    LINK = "link"
    OTHER = "other"


def survey(source: Source, limits: Limits, patients: Patients) -> Bundle | None:
    """Read a document once; None where it is no Bundle.

    Raises BadUpstream as `jsonscan.scan` does, BODY_AMBIGUOUS also for a name that looks like one
    of a Bundle's and for entries that are no list, BODY_TOO_COMPLEX where the names in it are more
    than limits.record holds.
    """
    kinds: dict[str, Any] = {}
    entries: dict[str, Meant] = {}
    room = limits.record
    for piece in scan(source, _PLAN, limits):
        if not isinstance(piece, Items):
            continue
        if piece.role is not Role.RECORD:
            name = _name(piece, limits)
            if name in ("resourceType", "type"):
                kinds[name] = piece.values[0]
            continue
        for entry in piece.values:
            url = entry.get("fullUrl") if type(entry) is dict else None
            if type(url) is not str or not url.startswith("urn:"):
                continue
            meant = inside(entry.get("resource"), patients, url)
            room -= len(url) + 64
            if isinstance(meant, tuple):
                room -= sum(len(str(owner.value)) + 64 for owner in meant)
            if room < 0:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "more fullUrls than limits.record holds")
            entries[url] = meant if entries.get(url, meant) == meant else Told.PATIENT
    if kinds.get("resourceType") != "Bundle":
        return None
    return Bundle(str(kinds.get("type")), entries)


def pieces(source: Source, limits: Limits) -> Iterator[tuple[Piece, Around]]:
    """The pieces of a Bundle, and which of them are its links."""
    for piece in scan(source, _PLAN, limits):
        around = Around.OTHER
        if isinstance(piece, Items) and piece.role not in (Role.RECORD, Role.TOTAL):
            name, (value,) = _name(piece, limits), piece.values
            if name == "entry":
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a Bundle's entries that are no list")
            if name == "link":
                around = Around.LINK
            if name in _PLAIN and _is_plain(value, _PLAIN[name]):
                piece = replace(piece, role=Role.SCALAR)
        yield piece, around


def _name(piece: Items, limits: Limits) -> str:
    member = jsontext.parse_items(piece.text, Container.OBJECT, limits.depth)
    fhirtypes.check_names(member)
    (name,) = member
    return str(name)


_CODING = {"system": None, "version": None, "code": None, "display": None, "userSelected": None}
_PLAIN: dict[str, dict[str, Any]] = {
    "link": {"relation": None, "url": None},
    "meta": {
        "versionId": None, "lastUpdated": None, "source": None, "profile": None,
        "security": _CODING, "tag": _CODING,
    },
    "identifier": {"use": None, "system": None, "value": None},
}  # fmt: skip
"""The elements of what may stand around the entries, and theirs."""


def _is_plain(value: Any, shape: dict[str, Any] | None) -> bool:
    """Whether a value, or each of a list, has the elements of its shape only, and texts in them."""
    if type(value) is list:
        return all(type(each) is not list and _is_plain(each, shape) for each in value)
    if shape is None:
        return type(value) in (str, bool)
    return type(value) is dict and all(
        name in shape and _is_plain(each, shape[name]) for name, each in value.items()
    )
