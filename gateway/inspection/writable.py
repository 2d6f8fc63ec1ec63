"""What may be written at the keys of a body's configuration, as types."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from gateway.constraints import After, Before, Pattern
from gateway.inspection.charset import known_label
from gateway.inspection.fhirtypes import known_type

Locator = Annotated[str, MinLen(1), MaxLen(1024)]
AUTO, NONE = "auto", "none"


def _known_encoding(label: str) -> str:
    return label if label == AUTO else known_label(label)


# One text each, not a choice of two types: what is wrong with it is then said of both.
Encoding = Annotated[str, After(_known_encoding)]
_PUNCTUATION = r"[\t!-/:-@\[\]^_`{-~]"
Delimiter = Annotated[str, Pattern(rf"^(?:{AUTO}|{_PUNCTUATION})$")]
Quote = Annotated[str, Pattern(rf"^(?:{NONE}|{_PUNCTUATION})$")]
"""What may part or quote the cells of a CSV: one ASCII punctuation character, or a tab."""

Preamble = Annotated[int, Ge(0), Le(100)]
"""How many rows stand before the header of a CSV."""

MediaType = Annotated[
    str, Pattern(r"^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$")
]
"""Lower case, without parameters (RFC 6838 section 4.2)."""


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_AnyLocators = Locator | Annotated[tuple[Locator, ...], MinLen(1)]
Locators = Annotated[
    tuple[Locator, ...],
    Before(_as_tuple, shown=_AnyLocators),
    MinLen(1),
]
"""Several locators of one identifier kind must all find the same values."""

Namespaces = Mapping[
    Annotated[str, Pattern(r"^(?:[A-Za-z_][A-Za-z0-9_.-]*)?$"), MaxLen(64)],
    Annotated[str, Pattern(r"^[!-~]+$"), MaxLen(1024)],
]
"""Prefix → namespace, for the locators of XML; the empty prefix is for elements without one."""

_Base = Annotated[str, Pattern(r"^https?://[!-~]+$"), MaxLen(1024)]
Bases = Annotated[
    tuple[_Base, ...],
    Before(_as_tuple, shown=_Base | tuple[_Base, ...]),
]
"""The URLs that a FHIR server is known by."""

Categories = Mapping[Annotated[str, After(known_type)], str]
"""FHIR resource type → category."""

Owner = Annotated[Mapping[str, Locators], MinLen(1)]
"""Identifier kind → where it stands, relative to the record."""


def _as_owners(value: Any) -> Any:
    return (value,) if isinstance(value, Mapping) else value


Owners = Annotated[
    tuple[Owner, ...],
    Before(_as_owners, shown=Owner | tuple[Owner, ...]),
]
"""One map, or a list of maps where a record has several owners."""


Hashes = Mapping[Literal["md5", "sha1", "sha256", "sha512"], Locator]
"""Algorithm → where a manifest has the hash of a member, in hexadecimal or base64."""

FieldName = Annotated[str, Pattern(r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]

MemberName = Annotated[str, Pattern(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,60}(?:\.[A-Za-z0-9]{1,8})?$")]

Compression = Literal["gzip", "bzip2", "xz", "zstd"]

Transfer = Literal["base64", "base64url", "hex", "data"]
Undeclared = Literal["keep", "refuse"]
Beside = Mapping[Annotated[str, MinLen(1), MaxLen(256)], Locators]
"""Name of a member → the texts that it may be."""
