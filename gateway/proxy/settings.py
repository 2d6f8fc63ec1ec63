"""Where the gateway listens, what it stands in front of, and how long and how much it bears."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le

from gateway.constraints import STRICT, After, Before, Shown
from gateway.quantities import Duration, Size

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._:-]+", re.ASCII)

Positive = Annotated[Duration, Gt(0)]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. Port 0 lets the system choose (tests and the demo do)."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: Any) -> Address:
    """`"0.0.0.0:8080"` or `"[::1]:8080"` → Address. Raises ValueError."""
    if isinstance(text, Address):
        return text
    match = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match["port"]) > 65535:
        raise ValueError("expected an address and a port such as 127.0.0.1:8080")
    return Address(match["host"].strip("[]"), int(match["port"]))


Listen = Annotated[
    Address,
    Before(parse_address),
    Shown({"type": "string", "examples": ["0.0.0.0:8080"]}),
]


def check_upstream(url: str) -> str:
    """The base of every upstream URL, without a trailing slash. Raises ValueError.

    It has no path: the path the policy decides on is the path the upstream gets.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in ("http", "https") or not host or not _HOST.fullmatch(host) or port == 0:
        raise ValueError("expected http or https, a host, and perhaps a port")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials don't belong in a URL")
    if parts.path not in ("", "/") or "?" in url or "#" in url:
        raise ValueError("a base URL has no path, no query and no fragment")
    return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Security limits of one request; beyond them it is refused with 400.

    `target` bounds the request-target, `field` one field line (name and value), `head` all field
    lines, `fields` their number, `body` the request's body.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    target: Annotated[Size, Ge(64), Le(2**16)] = 8 * 2**10
    field: Annotated[Size, Ge(64), Le(2**16)] = 8 * 2**10
    head: Annotated[Size, Ge(256), Le(2**20)] = 64 * 2**10
    fields: Annotated[int, Ge(1), Le(1024)] = 128
    body: Size = 64 * 2**20


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The callers' side. Durations are in seconds.

    `idle` ends a connection without a request, `head` a request whose head doesn't arrive, `body`
    one whose body stalls, `send` an answer that the caller doesn't read (256 KiB within it).
    Beyond `exchanges` in flight the answer is 503; beyond a first one, no caller gets more of them
    than it leaves free, and so one alone has half at the most. Beyond `connections` a connection is
    closed at once.

    After SIGTERM the gateway is not ready, but takes connections for `drain_delay` more, for as
    long as whoever balances the load may need to notice; in Kubernetes five to ten seconds. Then
    exchanges in flight may go on for `drain`.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    idle: Positive = 75.0
    head: Positive = 10.0
    body: Positive = 30.0
    send: Positive = 30.0
    drain_delay: Duration = 0.0
    drain: Duration = 25.0
    connections: Annotated[int, Ge(1)] = 1_024
    exchanges: Annotated[int, Ge(1)] = 512
    limits: RequestLimits = field(default_factory=RequestLimits)


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """The service's side. Durations are in seconds.

    `connect` bounds the wait for a connection, `read` the first byte and every pause after it,
    `total` the whole response. `ca_file` replaces the system's trust anchors.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    url: Annotated[str, After(check_upstream)]
    ca_file: Path | None = None
    connect: Positive = 5.0
    read: Positive = 30.0
    total: Positive = 600.0
    connections: Annotated[int, Ge(1)] = 512


def _as_upstream(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


Upstream = Annotated[
    UpstreamSettings,
    Before(_as_upstream, shown=str | UpstreamSettings),
]
"""In a configuration a bare URL will do: `upstream: http://127.0.0.1:3000`."""


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Both sides together."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    listen: Listen
    upstream: Upstream
    client: ClientSettings = field(default_factory=ClientSettings)
