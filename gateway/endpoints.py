"""Endpoints: what the configuration guards, and which one a request means.

A path that no endpoint names is refused: what nobody configured, nobody inspects.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from gateway.constraints import STRICT, After, Pattern
from gateway.errors import Code, MethodNotAllowed, NotFound
from gateway.inspection.settings import BodySpec, Limits
from gateway.quantities import Instant

_PARAMETER = re.compile(r"\{([a-z][a-z0-9_]{0,62})\}", re.ASCII)
_LITERAL = re.compile(r"[A-Za-z0-9._~$!&'()*+,=:@-]+", re.ASCII)


def split_template(path: str) -> tuple[str, ...]:
    """`"/exports/{id}/archive"` → `("exports", "{id}", "archive")`.

    Raises ValueError for a template that a request path could match in two ways.
    """
    if not path.startswith("/") or path == "/":
        raise ValueError("a path starts with / and names at least one segment")
    segments = tuple(path[1:].split("/"))
    names = [match[1] for segment in segments if (match := _PARAMETER.fullmatch(segment))]
    if len(names) != len(set(names)):
        raise ValueError("a path parameter is named twice")
    for segment in segments:
        if not _PARAMETER.fullmatch(segment) and not (
            _LITERAL.fullmatch(segment) and segment not in (".", "..")
        ):
            raise ValueError(f"segment {segment!r} is neither plain text nor one {{parameter}}")
    return segments


def _check_template(path: str) -> str:
    split_template(path)
    return path


class ReleaseMode(StrEnum):
    """When the records of a response leave."""

    HOLD = "hold"  # when all of it was read, and decided at once
    STREAM = "stream"  # as they come, each when it is decided


class Enforcement(StrEnum):
    """Whether what the policy says is done."""

    ENFORCE = "enforce"
    OBSERVE = "observe"  # recorded, and the response released whole: for onboarding


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One guarded export. `labels` are handed to the policy; they are not metric labels.

    `release: stream` is for exports that must not wait for their end, such as events or very large
    tables: the policy is asked whenever something new appears, and records leave as soon as they
    are decided. What is refused in the midst breaks the connection. See docs/stream-release.md.

    `enforcement: observe` is for an endpoint that is being onboarded: what the policy would block
    or redact is recorded and **released whole**, until `observe_until`, which is required then and
    at most 90 days ahead. From that instant on (a date: from its end, UTC) the policy is enforced,
    also for an exchange that is under way, and in a gateway that is started later. What can't be
    told is refused all the same: a body that can't be read, a policy that doesn't answer, a token
    that isn't good. Both keys can be set in the file only, not by the environment.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    name: Annotated[str, Pattern(r"^[a-z][a-z0-9-]{0,62}$")]
    path: Annotated[str, After(_check_template)]
    body: BodySpec
    methods: tuple[Literal["GET", "POST"], ...] = ("GET",)
    release: ReleaseMode = ReleaseMode.HOLD
    limits: Limits = field(default_factory=Limits)
    labels: Mapping[str, str] = field(default_factory=dict)
    enforcement: Enforcement = Enforcement.ENFORCE
    observe_until: Instant | None = None

    def __post_init__(self) -> None:
        if self.enforcement is Enforcement.OBSERVE and self.observe_until is None:
            raise ValueError(
                "enforcement: observe needs the day on which it ends, as in"
                " observe_until: 2026-12-31"
            )
        if self.enforcement is Enforcement.ENFORCE and self.observe_until is not None:
            raise ValueError(
                "observe_until is set, but nothing is observed:"
                " say enforcement: observe, or drop it"
            )

    def observes(self, at: datetime) -> bool:
        """Whether an exchange received at `at` is only observed."""
        return self.observe_until is not None and at < self.observe_until

    @property
    def enforced(self) -> "Endpoint":
        """The same endpoint as it is when it is enforced."""
        return replace(self, enforcement=Enforcement.ENFORCE, observe_until=None)


class Route(msgspec.Struct, frozen=True):
    """The endpoint that a request means, and its path parameters."""

    endpoint: Endpoint
    params: Mapping[str, str]


class Endpoints:
    """The route table. A literal segment goes before a parameter, from the left."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._routes = sorted(
            ((split_template(endpoint.path), endpoint) for endpoint in endpoints),
            key=lambda route: [segment.startswith("{") for segment in route[0]],
        )
        # A template without a parameter goes before all others, and needs no search.
        self._literal = {
            template: endpoint
            for template, endpoint in reversed(self._routes)
            if not any(map(_PARAMETER.fullmatch, template))
        }

    def match(self, method: str, path: Sequence[str]) -> Route:
        """Raises NotFound or MethodNotAllowed."""
        literal = self._literal.get(tuple(path))
        if literal is not None and method in literal.methods:
            return Route(literal, {})
        for template, endpoint in self._routes:
            params = _params(template, path)
            if params is not None:
                if method not in endpoint.methods:
                    raise MethodNotAllowed(Code.METHOD_NOT_ALLOWED, f"endpoint {endpoint.name}")
                return Route(endpoint, params)
        raise NotFound(Code.ENDPOINT_UNKNOWN)


def _params(template: Sequence[str], path: Sequence[str]) -> dict[str, str] | None:
    if len(template) != len(path):
        return None
    params: dict[str, str] = {}
    for pattern, segment in zip(template, path, strict=True):
        if pattern.startswith("{"):
            params[pattern[1:-1]] = segment
        elif pattern != segment:
            return None
    return params
