"""What an endpoint's configuration says about its body, and the limits it is read under."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from gateway.inspection.charset import known_label
from gateway.model import Attribution, Format
from gateway.quantities import Duration, Size
from gateway.response import Payload

__all__ = ["BodySpec", "InspectionSettings", "Limits", "MemberSpec", "Owners", "Payload"]

STRICT = ConfigDict(extra="forbid", frozen=True)

Locator = Annotated[str, Field(min_length=1, max_length=1024)]
Encoding = Annotated[str, AfterValidator(known_label)]
Punctuation = Annotated[str, Field(pattern=r"^[\t!-/:-@\[\]^_`{-~]$")]
"""What may part or quote the cells of a CSV: one ASCII punctuation character, or a tab."""


MediaType = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$")
]
"""Lower case, without parameters (RFC 6838 section 4.2)."""


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_AnyLocators = Locator | Annotated[tuple[Locator, ...], Field(min_length=1)]
Locators = Annotated[
    tuple[Locator, ...],
    BeforeValidator(_as_tuple, json_schema_input_type=_AnyLocators),
    Field(min_length=1),
]
"""Several locators of one identifier kind must all find the same values."""

Namespaces = Mapping[
    Annotated[str, Field(pattern=r"^(?:[A-Za-z_][A-Za-z0-9_.-]*)?$", max_length=64)],
    Annotated[str, Field(pattern=r"^[!-~]+$", max_length=1024)],
]
"""Prefix → namespace, for the locators of XML; the empty prefix is for elements without one."""

Owner = Annotated[Mapping[str, Locators], Field(min_length=1)]
"""Identifier kind → where it stands, relative to the record."""


def _as_owners(value: Any) -> Any:
    return (value,) if isinstance(value, Mapping) else value


Owners = Annotated[
    tuple[Owner, ...],
    BeforeValidator(_as_owners, json_schema_input_type=Owner | tuple[Owner, ...]),
]
"""One map, or a list of maps where a record has several owners."""


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """How to read the archive members whose name matches `match`; the first match counts.

    `match` is a pattern over the whole name: `*` stands for any text inside one segment, `**` for
    any number of segments, `{kind}` for one non-empty run without `/` that is an identifier of
    that kind (used with `attribution: path`).
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    match: Locator
    format: Format = Format.OPAQUE
    records: Locator = "$"
    subject: Owners = ()
    vouches_for: Locator | None = None
    attribution: Attribution = Attribution.DIRECT
    category: str = ""
    delimiter: Punctuation | None = None
    encoding: Encoding | None = None
    quote: Punctuation | None = None
    totals: Locators | tuple[()] = ()
    namespaces: Namespaces = field(default_factory=dict)
    doctype: bool = False


@dataclass(frozen=True, slots=True)
class BodySpec:
    """How to read one endpoint's response body.

    `records` locates the records (JSONPath subset: `$`, `.name`, `['name']`, `[*]`, `.*`),
    `subject` their owners relative to each record, `totals` numbers in the JSON envelope that
    count the records and are lowered when some are dropped. `delimiter`, `encoding` and `quote`
    describe a CSV; left out, the defaults of RFC 4180 hold and a byte order mark may prove UTF-16.
    XML has locators of its own (XPath subset: `/export/order`, `customer/@id`, `../Acct/Id/IBAN`,
    `id/@root^@extension`), with the prefixes of `namespaces`; the empty prefix is for elements
    without one. `doctype` lets a document type pass that only declares elements and attributes.
    `media_type` is the one type that the response must declare, where it isn't one of the format's
    well-known ones, such as `application/vnd.acme.export+json`; it goes on to the caller.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: Format
    records: Locator = "$"
    subject: Owners = ()
    category: str = ""
    members: tuple[MemberSpec, ...] = ()
    delimiter: Punctuation | None = None
    encoding: Encoding | None = None
    quote: Punctuation | None = None
    totals: Locators | tuple[()] = ()
    namespaces: Namespaces = field(default_factory=dict)
    doctype: bool = False
    media_type: MediaType | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Security limits of one body. Each is a refusal when passed, never a pass uninspected.

    `body` bounds the bytes as received, `decoded` those after content decoding and inflating,
    `ratio` decoded to received (beyond the first MiB), `record` one record held in memory,
    `depth` nesting, `fields` distinct field names.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    body: Size = 2 * 2**30
    decoded: Size = 8 * 2**30
    ratio: Annotated[int, Field(ge=1)] = 200
    record: Size = 16 * 2**20
    depth: Annotated[int, Field(ge=1, le=128)] = 100
    subjects: Annotated[int, Field(ge=1)] = 10_000
    members: Annotated[int, Field(ge=1)] = 100_000
    fields: Annotated[int, Field(ge=1)] = 4_096
    columns: Annotated[int, Field(ge=1)] = 4_096


@dataclass(frozen=True, slots=True)
class InspectionSettings:
    """Where bodies are inspected: up to `inline` bytes of plain text in the event loop, all others
    in `workers` processes, each body within `deadline`. At most `streams` bodies at a time are
    released as they come (`release: stream`), each with a process of its own; `deadline` is then
    for each step of the inspection."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    workers: Annotated[int, Field(ge=1, le=64)] = 2
    inline: Size = 64 * 2**10
    streams: Annotated[int, Field(ge=1, le=1024)] = 16
    deadline: Duration = 60.0
