"""The nouns. Frozen values that every room shares; nothing here does anything.

    Request ─▶ Caller ─▶ Question ─▶ Decision ─▶ Release (made in `enforcement`, and only there)
                 Inspection ┘

Text that comes from a body, a token or a path is personal data: it may be compared and asked
about, never written down. `Inspection` keeps identifiers because the policy needs them; the
decision log turns them into keyed hashes before it writes.
"""

import re
from collections.abc import AsyncIterable, Callable, Hashable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

import msgspec

from gateway.errors import Code

OUTSIDE = r"[a-z][a-z0-9-]{0,31}\.[a-z][a-z0-9-]{0,31}"
"""The name of a format that an installed package brings."""


class Effect(StrEnum):
    """What a policy may say."""

    ALLOW = "allow"
    REDACT = "redact"
    BLOCK = "block"


class Attribution(StrEnum):
    """How a record got its owner."""

    DIRECT = "direct"  # an identifier in the record itself
    MANIFEST = "manifest"  # a manifest in the same archive vouches for it
    CONTAINER = "container"  # the archive or envelope around it names the owner
    PATH = "path"  # its name in the archive names the owner
    NONE = "none"  # unattributed


class Format(StrEnum):
    """The body formats the gateway can read. `opaque` is a body read only by its name.

    A format that an installed package brings has a name with a dot in it, `acme.fixed-width`, which
    no format of ours will ever have. Whether there is one is known to `inspection.formats` only.
    """

    JSON = "json"
    NDJSON = "ndjson"
    JSON_SEQ = "json-seq"
    SSE = "sse"
    JAVASCRIPT = "javascript"
    CSV = "csv"
    XML = "xml"
    PARQUET = "parquet"
    XLSX = "xlsx"
    VCARD = "vcard"
    ICALENDAR = "icalendar"
    MT940 = "mt940"
    OFX = "ofx"
    FHIR = "fhir"
    ZIP = "zip"
    MBOX = "mbox"
    EML = "eml"
    TAR = "tar"
    MULTIPART = "multipart"
    OPAQUE = "opaque"

    @classmethod
    def _missing_(cls, value: object) -> "Format | None":
        if not isinstance(value, str) or not re.fullmatch(OUTSIDE, value):
            return None
        known = cls._value2member_map_
        if value not in known:
            member = str.__new__(cls, value)
            member._name_ = member._value_ = value
            known[value] = member
        return cast("Format", known[value])


class Phase(StrEnum):
    """Which of its two questions the gateway asks."""

    REQUEST = "request"
    RESPONSE = "response"


class SubjectRef(msgspec.Struct, frozen=True):
    """A data subject, named by one identifier, e.g. `account:A1` or `fhir:Patient/23`.

    `value` is exact and typed: `42` and `"42"` are two subjects, and so are `ME` and `me`.
    A boolean is never a value (in Python `True == 1`; whoever makes a SubjectRef checks the type).
    """

    kind: str
    value: str | int

    @property
    def key(self) -> tuple[str, str, str | int]:
        """A key under which equal means equal in kind, type and value."""
        return (self.kind, type(self.value).__name__, self.value)


class Identifier(msgspec.Struct, frozen=True):
    """One identifier of the caller; `basis` says where it came from (`claim`)."""

    kind: str
    value: str | int
    basis: str = "claim"


class Actor(msgspec.Struct, frozen=True):
    """The party acting for the caller (RFC 8693 section 4.1, claim `act`)."""

    id: str
    issuer: str | None = None


class Caller(msgspec.Struct, frozen=True):
    """The authenticated requester. `claims` are verified claims, those that configuration names."""

    issuer: str
    id: str
    identifiers: tuple[Identifier, ...]
    actor: Actor | None = None
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Any] = msgspec.field(default_factory=dict)
    expires_at: datetime | None = None


def _unclaimed(_caller: Hashable) -> None:
    """Where nobody counts places."""


class Request(msgspec.Struct, frozen=True):
    """A request as it arrived: raw and untrusted.

    `target` is the request-target and `headers` are the field lines, byte for byte and in order.
    `fault` is set where the HTTP parser already refused it; nothing else is to be believed then.
    `claim` makes the place that it takes a caller's (`places`); it raises Unavailable where
    that caller has its share.
    """

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: AsyncIterable[bytes] | None = None
    version: tuple[int, int] = (1, 1)
    fault: Code | None = None
    claim: Callable[[Hashable], None] = _unclaimed


class Admitted(msgspec.Struct, frozen=True):
    """A request that can be read in one way only.

    `path` are the decoded segments, `query` every value of every name in order, `target` the
    request-target for the upstream, spelled from `path` and the checked query. `headers` are those
    that may go to the upstream; `authorization` are all Authorization field values.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, tuple[str, ...]]
    target: str
    headers: tuple[tuple[str, str], ...]
    authorization: tuple[bytes, ...]
    body: AsyncIterable[bytes] | None = None


class Group(msgspec.Struct, frozen=True, eq=False):
    """Records that share owners, attribution and category. `owners` is empty if unattributed.

    `first` are the places of the first few of them, counted from 0 over all records in the order
    they were read. They say where to look, not what is there, so that two groups are equal without
    them.
    """

    owners: tuple[SubjectRef, ...]
    attribution: Attribution
    category: str
    records: int
    first: tuple[int, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and self._counted == other._counted

    def __hash__(self) -> int:
        return hash(self._counted)

    @property
    def _counted(self) -> tuple[tuple[SubjectRef, ...], Attribution, str, int]:
        return self.owners, self.attribution, self.category, self.records


class Inspection(msgspec.Struct, frozen=True):
    """What was seen in one body: counts and distinct subjects, never another value.

    `bytes_received` counts the bytes of the response as they came over the wire (after the
    transfer coding), `bytes_inspected` those a parser has read to the end; they are equal, or the
    body was refused. `fields` are the names of the records' fields. `sealed` unless there are bytes
    beside the content in a content coding, which nobody has read.
    """

    format: Format
    groups: tuple[Group, ...]
    fields: tuple[str, ...]
    bytes_received: int
    bytes_inspected: int
    bytes_decoded: int
    members: int = 0
    sealed: bool = True

    @property
    def records(self) -> int:
        groups = self.groups  # asked for several times, and nearly always of one
        return groups[0].records if len(groups) == 1 else sum(group.records for group in groups)

    @property
    def subjects(self) -> tuple[SubjectRef, ...]:
        """The distinct subjects, in a stable order."""
        distinct = {owner.key: owner for group in self.groups for owner in group.owners}
        return tuple(distinct[key] for key in sorted(distinct, key=repr))


class Mask(msgspec.Struct, frozen=True):
    """A field whose value stays behind: `path` is its locator, relative to a record.

    null stands in its place, or what one of the others says: a fixed `text`, its own first `keep`
    characters, or its `pseudonym`, a keyed hash that equal values share.
    """

    path: str
    text: str | None = None
    keep: int | None = None
    pseudonym: bool = False

    def __str__(self) -> str:
        """As the tools and the decision log write it: `$.iban keep 4`; no two are written alike."""
        if self.text is not None:
            return f'{self.path} text "{self.text}"'
        if self.keep is not None:
            return f"{self.path} keep {self.keep}"
        return f"{self.path} pseudonym" if self.pseudonym else self.path

    @property
    def erases(self) -> bool:
        """Whether null stands in its place."""
        return self.text is None and self.keep is None and not self.pseudonym


class Decision(msgspec.Struct, frozen=True):
    """A policy's answer, checked against the question: consistent, and about these subjects only.

    A record is released if all of its owners are in `permitted` (or, for an unattributed one, if
    `release_unattributed`) and its category isn't in `withhold`.
    """

    effect: Effect
    permitted: frozenset[SubjectRef]
    release_unattributed: bool
    withhold: frozenset[str]
    mask: tuple[Mask, ...]
    reasons: tuple[str, ...]
    revision: str

    def releases(self, group: Group) -> bool:
        """Whether the records of `group` may leave."""
        if self.effect is Effect.BLOCK or group.category in self.withhold:
            return False
        if not group.owners:
            return self.release_unattributed
        return all(owner in self.permitted for owner in group.owners)


class Counts(msgspec.Struct, frozen=True):
    """Where the records of one exchange went: seen = released + redacted + blocked."""

    seen: int = 0
    released: int = 0
    redacted: int = 0
    blocked: int = 0
