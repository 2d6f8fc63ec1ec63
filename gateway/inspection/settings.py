"""What an endpoint's configuration says about its body, and the limits it is read under."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le

from gateway.constraints import STRICT
from gateway.inspection.writable import (
    Bases,
    Beside,
    Categories,
    Compression,
    Delimiter,
    Encoding,
    FieldName,
    Hashes,
    Locator,
    Locators,
    MediaType,
    MemberName,
    Namespaces,
    Owners,
    Preamble,
    Quote,
    Transfer,
    Undeclared,
)
from gateway.locations import FilePath
from gateway.model import Attribution, Format
from gateway.quantities import Duration, Size
from gateway.response import Payload

__all__ = [
    "AlsoSpec",
    "BodySpec",
    "EmbeddedSpec",
    "InspectionSettings",
    "Limits",
    "MemberSpec",
    "Owners",
    "Payload",
]


@dataclass(frozen=True, slots=True)
class AlsoSpec:
    """Other records of a JSON document: `records`, `subject` and `category` as for the first ones.
    There may be none where `records` says."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    records: Locator
    subject: Owners = ()
    category: str = ""


@dataclass(frozen=True, slots=True)
class EmbeddedSpec:
    """A document in a text of a JSON record: where it stands, and how it is read.

    `at` locates the text in the record. Where the document is in another one, `at` lists the way
    there: `["$.payload", "$.attachment.data"]` is in the records of the document at `$.payload`,
    which has an entry of its own. `when` says what stands beside the text, such as
    `contentType: application/json`; of several entries for one place the first that fits counts,
    and a text that none fits is refused. `transfer` is how the document is written in the text:
    `base64`, `base64url`, `hex`, or `data` (a data URI in base64); left out, it is the text itself.
    `compression` says that what this makes is compressed. All other keys are those of a body of
    that `format`. Whoever owns something in the document owns the record, too. `opaque` is a
    document that belongs to its record and isn't read, such as a PDF.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    at: Locators
    format: Format
    when: Beside = field(default_factory=dict)
    transfer: Transfer | None = None
    compression: Literal["gzip", "xz", "zstd"] | None = None
    records: Locator = "$"
    subject: Owners = ()
    delimiter: Delimiter | None = None
    encoding: Encoding | None = None
    quote: Quote | None = None
    preamble: Preamble = 0
    namespaces: Namespaces = field(default_factory=dict)
    doctype: bool = False
    base: Bases = ()
    lines: bool = False


@dataclass(frozen=True, slots=True)
class InnerMemberSpec:
    """How to read the members of an archive inside an archive: the same as `members` above."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    match: Locator
    format: Format = Format.OPAQUE
    records: Locator = "$"
    subject: Owners = ()
    vouches_for: Locator | None = None
    attribution: Attribution = Attribution.DIRECT
    category: str = ""
    delimiter: Delimiter | None = None
    encoding: Encoding | None = None
    quote: Quote | None = None
    totals: Locators | tuple[()] = ()
    also: tuple[AlsoSpec, ...] = ()
    namespaces: Namespaces = field(default_factory=dict)
    doctype: bool = False
    base: Bases = ()
    categories: Categories = field(default_factory=dict)
    lines: bool = False
    preamble: Preamble = 0
    compression: Compression | None = None
    sizes: Locator | None = None
    hashes: Hashes = field(default_factory=dict)
    owns_archive: bool = False
    embedded: tuple[EmbeddedSpec, ...] = ()
    undeclared: Undeclared = "keep"


@dataclass(frozen=True, slots=True)
class MemberSpec(InnerMemberSpec):
    """How to read the archive members whose name matches `match`; the first match counts.

    `match` is a pattern over the whole name: `*` stands for any text inside one segment, `**` for
    any number of segments, `{kind}` for one non-empty run without `/` that is an identifier of
    that kind (used with `attribution: path`).

    `vouches_for` makes it a manifest: it locates the names of members, which belong to their
    record's owner; `sizes` and `hashes` locate what the manifest states of them, which must be so
    (a member with such a statement can't be redacted in part). `owns_archive` says that the owner
    it names is the owner of the archive, which counts for members with `attribution: container`.
    `compression` says that the member is a compressed
    file, and `members` what is in it where it is an archive; archives are read two deep.

    A part of a multipart body has a header of its own: `subject_header` names the fields in it that
    hold the identifiers of its owner, and `media_type` is the one type that it may declare, where
    that isn't one of the well-known ones.
    """

    members: tuple[InnerMemberSpec, ...] = ()
    subject_header: Mapping[str, FieldName] = field(default_factory=dict)
    media_type: MediaType | None = None

    @property
    def inner(self) -> tuple["MemberSpec", ...]:
        """The specifications of what is in an archive, for the same readers."""
        return tuple(
            MemberSpec(**{each.name: getattr(spec, each.name) for each in fields(spec)})
            for spec in self.members
        )


@dataclass(frozen=True, slots=True)
class BodySpec:
    """How to read one endpoint's response body.

    `records` locates the records (JSONPath subset: `$`, `.name`, `['name']`, `[*]`, `.*`),
    `subject` their owners relative to each record, `totals` numbers in the JSON envelope that
    count the records and are lowered when some are dropped. In JSON an owner may stand above the
    records, and before them: `$^^.id` is in what is two containers up (past the records' own list),
    `$~` the record's name in a map, `$^~` the name of what it stands in. `also` are other records
    in the document, such as the `included` of JSON:API, which no `totals` count. `delimiter`,
    `encoding` and `quote` describe a CSV, `encoding` an MT940, too; left out, the defaults of
    RFC 4180 hold and a byte order mark may prove UTF-16. `delimiter: auto` is proven by the header
    row, `encoding: auto` by the charset that the response declares; with `quote: none` no cell may
    be quoted. `preamble` is the number of rows before the header, in which `preamble:Account` finds
    the cell beside the one that says `Account`. XML has locators of its own (XPath subset:
    `/export/order`, `customer/@id`, `../Acct/Id/IBAN`, `id/@root^@extension`), with the prefixes of
    `namespaces`; the empty prefix is for elements without one. `doctype` lets a document type pass
    that only declares elements and attributes. In vCard and iCalendar the name of a property is a
    locator (`EMAIL`, `../X-WR-CALNAME`), in MT940 `:25:`, in OFX 1 a path from the statement
    (`ACCTID`). FHIR knows its records and owners by itself: its locators are `Patient` and the
    systems of patients' identifiers, `base` are the URLs of the server whose patients they are,
    `categories` are by resource type (`category` for all others), and `lines` says that each line
    is a resource, as in a bulk export, instead of one Bundle.
    A message (`mbox`, `eml`) has the fields of its header: `Delivered-To`, or `To|Cc` for the
    addresses of both; its `members` are attachments to be read, matched by media type.
    `compression` says that the body is a compressed file (`format: tar` with `compression: gzip` is
    a TAR.GZ, `format: csv` with it a plain GZIP file). It leaves under the same compression: as it
    came, or written anew where it has bytes beside its content, as a file name in a GZIP (and
    BZIP2 always may).
    An `opaque` body has its own metadata: `pdf:Subject`, `png:Author`, `exif:Artist`.
    `subject_header` names fields of the upstream's response that hold the identifiers of the owner
    of an `opaque` body, or of an archive as a whole (`attribution: container`). `removed_notice`
    is the name of what tells that something was left out, and of how many records: a text in an
    archive, such as `REMOVED.txt`, in JSON a last member of the document's root, which must be an
    object around the records.
    `embedded` are documents in texts of the records, which are read with them; with
    `undeclared: refuse` a JSON body is refused where any other text looks like a document.
    `media_type` is the one type that the response must declare, where it isn't one of the format's
    well-known ones, such as `application/vnd.acme.export+json`; it goes on to the caller.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    format: Format
    records: Locator = "$"
    subject: Owners = ()
    category: str = ""
    members: tuple[MemberSpec, ...] = ()
    delimiter: Delimiter | None = None
    encoding: Encoding | None = None
    quote: Quote | None = None
    totals: Locators | tuple[()] = ()
    also: tuple[AlsoSpec, ...] = ()
    namespaces: Namespaces = field(default_factory=dict)
    doctype: bool = False
    base: Bases = ()
    categories: Categories = field(default_factory=dict)
    lines: bool = False
    media_type: MediaType | None = None
    compression: Compression | None = None
    subject_header: Mapping[str, FieldName] = field(default_factory=dict)
    removed_notice: MemberName | None = None
    preamble: Preamble = 0
    embedded: tuple[EmbeddedSpec, ...] = ()
    undeclared: Undeclared = "keep"


@dataclass(frozen=True, slots=True)
class Limits:
    """Security limits of one body. Each is a refusal when passed, never a pass uninspected.

    `body` bounds the bytes as received, `decoded` those after content decoding and inflating,
    `ratio` decoded to received (beyond the first MiB), `record` one record held in memory,
    `depth` nesting, `fields` distinct field names, `embedding_depth` documents in documents.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    body: Size = 2 * 2**30
    decoded: Size = 8 * 2**30
    ratio: Annotated[int, Ge(1)] = 200
    record: Size = 16 * 2**20
    depth: Annotated[int, Ge(1), Le(128)] = 100
    subjects: Annotated[int, Ge(1)] = 10_000
    members: Annotated[int, Ge(1)] = 100_000
    fields: Annotated[int, Ge(1)] = 4_096
    columns: Annotated[int, Ge(1)] = 4_096
    embedding_depth: Annotated[int, Ge(1), Le(8)] = 3


@dataclass(frozen=True, slots=True)
class InspectionSettings:
    """Where bodies are inspected: up to `inline` bytes of plain text in the event loop, all others
    in at most `workers` processes (those beyond the first are there while bodies wait), each body
    within `deadline`. Two that have nothing else to do read a large NDJSON body in halves (each
    within `deadline`, and the whole again where one is refused); one that inflates a large ZIP uses
    a second core, where it is free. Of bodies that leave as they come (`release: stream`) there are
    at most `streams` at a time, each with a process of its own; beyond a first one, no caller has
    more than it leaves free; `deadline` is then for each step of the inspection. An archive behind
    a compression or inside another is decoded into a file of at most `scratch` bytes, nor a quarter
    of `spool.limit`, out of which it is taken; there is one for each worker. `pseudonym_key_file`
    holds the secret (32 bytes or more) for the pseudonyms of masked values; without one, no policy
    can ask for them."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    workers: Annotated[int, Ge(1), Le(64)] = 2
    inline: Size = 64 * 2**10
    streams: Annotated[int, Ge(1), Le(1024)] = 16
    scratch: Size = 2**30
    deadline: Duration = 60.0
    pseudonym_key_file: FilePath | None = None
