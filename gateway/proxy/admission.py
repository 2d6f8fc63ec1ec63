"""A raw request → the one way to read it, or BadRequest. Nothing is repaired.

What goes on to the upstream is an allow-list: the fields named here and those the gateway sets
itself. So `X-User`, `X_User`, `X-Forwarded-For`, `X-Original-URL`, `X-HTTP-Method-Override`,
cookies, ranges and conditions never arrive there, whatever they are spelled like and whatever
`Connection` says about them. The caller's token does: the service has to know who asks.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

from gateway.errors import BadRequest, Code, Refusal, Unavailable
from gateway.model import Admitted, Request
from gateway.proxy import fields
from gateway.proxy.settings import RequestLimits
from gateway.proxy.target import read_target

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}", re.ASCII)
_HOST = re.compile(rb"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,64}\])(:[0-9]{1,5})?")
_REFUSED_WEIGHT = re.compile(rb"q=0(\.0{0,3})?")
_WEIGHT = re.compile(rb"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")

_FORWARDED = {
    b"accept": "Accept",
    b"accept-language": "Accept-Language",
    b"user-agent": "User-Agent",
}
_FORWARDED_WITH_BODY = {
    **_FORWARDED,
    b"content-type": "Content-Type",
    b"content-length": "Content-Length",
}
_LISTS = frozenset({b"accept", b"accept-language"})
"""Fields whose lines may be joined with a comma (RFC 9110 section 5.3)."""

_UPGRADES = frozenset(
    {b"upgrade", b"http2-settings", b"sec-websocket-key", b"sec-websocket-extensions"}
)


class _Head(NamedTuple):
    """What the fields of a request say, but for its token."""

    forwarded: tuple[tuple[str, str], ...]
    has_body: bool


_Key = tuple[str, tuple[int, int], int, bytes]
_MOST, _LONGEST = 1024, 1024
"""Heads remembered, and how many letters of each: what goes on but for the token, by a digest.
Nobody has to be known to send one."""


class Admission:
    """Admits requests under these limits. A client sends the same fields with each of its requests:
    what was admitted is remembered by their digest, and what was refused is read again."""

    def __init__(self, limits: RequestLimits | None = None) -> None:
        self._limits = limits or RequestLimits()
        self._known: dict[_Key, _Head] = {}

    def __call__(self, request: Request) -> Admitted:
        """Raises BadRequest, or Unavailable for a request the server had no room for."""
        if request.fault:
            raise _faulted(request.fault)
        if len(request.target) > self._limits.target:
            raise BadRequest(Code.REQUEST_TOO_LARGE, "client.limits.target")
        head, headers = self._read(request), request.headers
        target = read_target(request.target)
        authorization = tuple([each for name, each in headers if name.lower() == b"authorization"])
        forwarded = head.forwarded
        # Two tokens are refused by `identity`; none of them should have gone on before that.
        if len(authorization) == 1:
            forwarded = (*forwarded, ("Authorization", authorization[0].decode("ascii")))
        return Admitted(
            method=request.method,
            path=target.path,
            query=target.query,
            target=target.spelled,
            headers=forwarded,
            authorization=authorization,
            body=request.body if head.has_body else None,
        )

    def _read(self, request: Request) -> _Head:
        # No admitted field has a line's end in it: so many parts between so many of them are the
        # same parts.
        digest = sha256(b"\n".join(chain.from_iterable(request.headers))).digest()
        key = (request.method, request.version, len(request.headers), digest)
        head = self._known.get(key)
        if head is None:
            head = self._head(request.method, request.version, request.headers)
            if sum(len(value) for _, value in head.forwarded) <= _LONGEST:
                if len(self._known) >= _MOST:
                    del self._known[next(iter(self._known))]
                self._known[key] = head
        return head

    def _head(self, method: str, version: tuple[int, int], headers: fields.RawHeaders) -> _Head:
        if not _METHOD.fullmatch(method):
            raise BadRequest(Code.REQUEST_MALFORMED, "the method isn't a token")
        if version not in ((1, 0), (1, 1)):
            raise BadRequest(Code.REQUEST_MALFORMED, "neither HTTP/1.0 nor HTTP/1.1")
        named = _fields(headers, self._limits)
        _check_host(named.get(b"host", ()), version)
        _check_connection(method, named)
        has_body = _frames_body(method, version, named, self._limits)
        _check_expectation(named.get(b"expect", ()), version, has_body)
        return _Head(_forwarded(named, has_body), has_body)


def _faulted(fault: Code) -> Refusal:
    if fault in Unavailable.codes:
        return Unavailable(fault)
    return BadRequest(fault, "refused by the HTTP parser")


def _fields(headers: fields.RawHeaders, limits: RequestLimits) -> Mapping[bytes, Sequence[bytes]]:
    allowed = {"line": limits.field, "lines": limits.fields, "head": limits.head}
    if not fields.are_within(headers, **allowed):
        raise BadRequest(Code.REQUEST_TOO_LARGE, "client.limits.field, fields or head")
    if not fields.are_named(headers) or not fields.are_ascii(headers):
        raise BadRequest(Code.REQUEST_MALFORMED, "a field has a character it can't have")
    return fields.gather(headers)


def _check_host(hosts: Sequence[bytes], version: tuple[int, int]) -> None:
    """Nothing is routed by Host; but who sends two, or a path in it, wants to be misread."""
    if len(hosts) > 1:
        raise BadRequest(Code.REQUEST_AMBIGUOUS, "more than one Host")
    if not hosts and version == (1, 1):
        raise BadRequest(Code.REQUEST_MALFORMED, "no Host")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise BadRequest(Code.REQUEST_MALFORMED, "Host isn't a host and a port")


def _check_connection(method: str, named: Mapping[bytes, Sequence[bytes]]) -> None:
    """No tunnels: after a switch of protocols nobody would inspect anything."""
    options = b",".join(named.get(b"connection", ())).lower()
    switches = b"upgrade" in fields.members([options])
    if switches or method == "CONNECT" or not _UPGRADES.isdisjoint(named):
        raise BadRequest(Code.REQUEST_MALFORMED, "asks for another protocol")


def _frames_body(
    method: str,
    version: tuple[int, int],
    named: Mapping[bytes, Sequence[bytes]],
    limits: RequestLimits,
) -> bool:
    """Whether a body follows (RFC 9112 section 6). Only POST may have one."""
    lengths, codings = named.get(b"content-length", ()), named.get(b"transfer-encoding", ())
    try:
        length, chunked = fields.content_length(lengths), fields.is_chunked(codings)
    except ValueError:
        raise BadRequest(Code.REQUEST_AMBIGUOUS, "unclear where the body ends") from None
    if chunked and (length is not None or version == (1, 0)):
        raise BadRequest(Code.REQUEST_AMBIGUOUS, "unclear where the body ends")
    has_body = chunked or bool(length)
    if has_body and method != "POST":
        raise BadRequest(Code.REQUEST_AMBIGUOUS, "a body on a request other than POST")
    if has_body and b"content-encoding" in named:
        raise BadRequest(Code.REQUEST_AMBIGUOUS, "a content coding on a request")
    if length is not None and length > limits.body:
        raise BadRequest(Code.REQUEST_TOO_LARGE, "client.limits.body")
    return has_body


def _check_expectation(
    expectations: Sequence[bytes], version: tuple[int, int], has_body: bool
) -> None:
    """RFC 9110 section 10.1.1: one expectation is defined, and it is about a body."""
    if not expectations:
        return
    known = len(expectations) == 1 and expectations[0].lower() == b"100-continue"
    if not known or not has_body or version != (1, 1):
        raise BadRequest(Code.REQUEST_MALFORMED, "an expectation that can't be met")


def _forwarded(
    named: Mapping[bytes, Sequence[bytes]], has_body: bool
) -> tuple[tuple[str, str], ...]:
    allowed = _FORWARDED_WITH_BODY if has_body else _FORWARDED
    forwarded = {}
    for name, spelled in allowed.items():
        values = named.get(name, ())
        if len(values) > 1 and name not in _LISTS:
            raise BadRequest(Code.REQUEST_AMBIGUOUS, f"more than one {spelled}")
        if values:
            forwarded[spelled] = b", ".join(values).decode("ascii")
    forwarded["Accept-Encoding"] = _codings(tuple(named.get(b"accept-encoding", ())))
    return tuple(forwarded.items())


@lru_cache(maxsize=256)
def _codings(accepted: tuple[bytes, ...]) -> str:
    """What the upstream is asked for: gzip and zstd, where the caller can read them.

    The gateway reads `br` and `deflate`, too, but asks for neither: a body under `br` must be
    written anew, and `deflate` means two things. Without the field RFC 9110 section 12.5.3 allows
    any coding, but who doesn't send it seldom decodes one.
    """
    weights: dict[bytes, bool] = {}
    for element in fields.members(accepted):
        coding, _, weight = [part.strip(b" \t").lower() for part in element.partition(b";")]
        wanted = not weight or bool(_WEIGHT.fullmatch(weight))
        weights[coding] = wanted and not _REFUSED_WEIGHT.fullmatch(weight)
    gzip = next((weights[name] for name in (b"gzip", b"x-gzip", b"*") if name in weights), False)
    asked = ["gzip"] * gzip + ["zstd"] * weights.get(b"zstd", False)
    return ", ".join(asked) or "identity"
