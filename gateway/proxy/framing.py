"""An upstream's response head → what it claims about its body, or a refusal. Pure.

aiohttp's parser lets through status 999, HTTP/2.0, two Content-Types, `gzip, chunked` and bodies
whose end nothing proves. Here only a 200 over HTTP/1.x passes, with a body that ends where its
head said (RFC 9112 section 6.3), one media type and known content codings. To the caller goes
what the gateway spells itself; of the upstream's own fields nothing is copied.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import msgspec

from gateway.endpoints import Endpoint
from gateway.errors import BadUpstream, Code, UpstreamError
from gateway.inspection.codings import CODINGS, MOST
from gateway.inspection.formats import FORMATS
from gateway.inspection.mediatypes import boundary_of
from gateway.model import SubjectRef
from gateway.proxy import fields
from gateway.response import Payload

MAX_LINE = 8 * 2**10
MAX_FIELDS = 128
MAX_HEAD = 64 * 2**10
"""Bytes of one field line, number of lines, bytes of all: as for requests, but not configurable."""

_REASON = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_MEDIA_TYPE = re.compile(rb"([!#$&^_.+0-9A-Za-z-]{1,127})/([!#$&^_.+0-9A-Za-z-]{1,127})")
_PARAMETER = re.compile(
    rb"""[ \t]*;[ \t]*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)"""
    rb"""=(?:(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z-]+)|"(?P<quoted>[^"\\]*)")"""
)
_CHARSET = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")

_IDENTIFIER = re.compile(rb"[!#-+\--\[\]-~]{1,1024}")
"""Visible ASCII without quotes, backslashes and commas, which would be syntax."""

_GZIP = frozenset({b"gzip", b"x-gzip"})
"""RFC 9110 section 8.4.1.3: `x-gzip` is the same coding."""


class Head(msgspec.Struct, frozen=True):
    """What the head claims: the body's type, and its length in bytes (None where chunked)."""

    payload: Payload
    length: int | None


def read_head(
    version: tuple[int, int],
    status: int,
    reason: str,
    headers: fields.RawHeaders,
    subject: Mapping[str, str] = MappingProxyType({}),
) -> Head:
    """`subject` are the fields that name the owners of the body, by identifier kind.

    Raises UpstreamError for 4xx and 5xx, BadUpstream for everything else but a sound 200."""
    if version not in ((1, 0), (1, 1)):
        raise _protocol("neither HTTP/1.0 nor HTTP/1.1")
    if not 100 <= status <= 599 or not _REASON.fullmatch(reason):
        raise _protocol("the status line is malformed")
    if status >= 400:
        raise UpstreamError(status)
    if status != 200:
        raise BadUpstream(Code.UPSTREAM_STATUS, f"the upstream answered {status}")
    # aiohttp's limit of a line leaves out most names, and it has none for the head.
    if not fields.are_within(headers, line=MAX_LINE, lines=MAX_FIELDS, head=MAX_HEAD):
        raise _protocol("the head is too large")
    if not fields.are_named(headers) or not fields.are_free_of_controls(headers):
        raise _protocol("a field has a character it can't have")
    named = fields.gather(headers)
    if b"content-range" in named:
        raise _protocol("a part of a body that was asked for whole")
    length = _length(version, named.get(b"content-length", ()), named.get(b"transfer-encoding", ()))
    media_type, charset, boundary = _media_type(tuple(named.get(b"content-type", ())))
    codings = _codings(named.get(b"content-encoding", ()))
    owners = _owners(named, subject) if subject else ()
    return Head(Payload(media_type, charset, codings, owners, boundary), length)


def client_headers(
    payload: Payload, endpoint: Endpoint, exchange_id: str
) -> tuple[tuple[str, str], ...]:
    """The fields of a release, for the caller; Content-Length comes when it is sent.

    The media type is spelled from what was understood, without the upstream's other parameters,
    and the file name from the configuration: both could carry somebody's identifier.
    """
    reader = FORMATS.get(endpoint.body.format)
    media_type, charset = payload.media_type or "application/octet-stream", payload.charset
    if payload.media_type and reader and not endpoint.body.compression:
        charset = charset or reader.charset
    suffix = reader.ending(endpoint.body) if reader else "bin"
    parameters = f"; charset={charset}" if charset else ""
    parameters += f'; boundary="{payload.boundary}"' if payload.boundary else ""
    spelled = {
        "Content-Type": media_type + parameters,
        "Content-Disposition": f'attachment; filename="{endpoint.name}.{suffix}"',
        **({"Content-Encoding": ", ".join(payload.codings)} if payload.codings else {}),
        **FIXED,
        "X-Exchange-Id": exchange_id,
    }
    return tuple(spelled.items())


FIXED = {
    "Cache-Control": "private, no-store",
    "Vary": "Authorization",
    "X-Content-Type-Options": "nosniff",
}
"""Fields of every answer: no cache may keep one caller's data for another, no browser may guess."""


def _length(
    version: tuple[int, int], lengths: Sequence[bytes], codings: Sequence[bytes]
) -> int | None:
    try:
        length, chunked = fields.content_length(lengths), fields.is_chunked(codings)
    except ValueError:
        raise _protocol("unclear where the body ends") from None
    if chunked and (length is not None or version == (1, 0)):
        raise _protocol("unclear where the body ends")
    if length is None and not chunked:
        # A lost connection looks the same as the end, and a CSV can't show that rows are missing.
        raise BadUpstream(Code.BODY_INCOMPLETE, "nothing proves where the body ends")
    return length


@lru_cache(maxsize=256)
def _media_type(values: tuple[bytes, ...]) -> tuple[str | None, str | None, str | None]:
    """Media type and charset, both lower-case, and the boundary of a multipart type. One line, one
    type, no parameter twice."""
    if not values:
        return None, None, None
    match = _MEDIA_TYPE.match(values[0])
    if len(values) > 1 or match is None:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "Content-Type isn't one media type")
    parameters: dict[bytes, bytes] = {}
    rest, end = values[0], match.end()
    while parameter := _PARAMETER.match(rest, end):
        name, end = parameter["name"].lower(), parameter.end()
        if name in parameters:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "Content-Type has a parameter twice")
        parameters[name] = parameter["quoted"] if parameter["token"] is None else parameter["token"]
    charset = parameters.get(b"charset")
    if rest[end:].strip(b" \t;") or (charset is not None and not _CHARSET.fullmatch(charset)):
        raise BadUpstream(Code.BODY_AMBIGUOUS, "Content-Type isn't one media type")
    media_type = match[0].lower().decode("ascii")
    boundary: str | None = None
    if media_type.startswith("multipart/"):
        given = {name.decode("ascii"): text.decode("latin-1") for name, text in parameters.items()}
        boundary = boundary_of(given).decode("ascii")
    return media_type, charset.lower().decode("ascii") if charset is not None else None, boundary


def _codings(values: Sequence[bytes]) -> tuple[str, ...]:
    """Content codings in the order they were applied, `identity` left out."""
    if not values:
        return ()
    applied = [coding.lower() for coding in fields.members(values)]
    applied = [
        b"gzip" if coding in _GZIP else coding for coding in applied if coding != b"identity"
    ]
    named = tuple(coding.decode("latin-1") for coding in applied)
    if len(named) > MOST or not CODINGS.keys() >= {*named}:
        raise BadUpstream(Code.CODING_UNSUPPORTED, "a content coding that can't be read, or a pile")
    return named


def _owners(
    named: Mapping[bytes, Sequence[bytes]], subject: Mapping[str, str]
) -> tuple[SubjectRef, ...]:
    """Whom the fields name; nobody where one of them is missing.

    A field that comes twice, or is a list that somebody may have joined, names no one.
    """
    found: list[SubjectRef] = []
    for kind, name in subject.items():
        values = named.get(name.lower().encode("ascii"), ())
        if not values:
            return ()
        if len(values) > 1 or not _IDENTIFIER.fullmatch(values[0]):
            raise BadUpstream(Code.BODY_AMBIGUOUS, f"{name} isn't one identifier")
        found.append(SubjectRef(kind, values[0].decode("ascii")))
    return tuple(found)


def _protocol(note: str) -> BadUpstream:
    return BadUpstream(Code.UPSTREAM_PROTOCOL, note)
