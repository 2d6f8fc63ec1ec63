"""A pod's annotations → what it asks for, read strictly: a typo must not mean "no gateway".

The API server takes an annotation's prefix in any case, and what stands among the labels: here
both are refused. The label of injected pods is the injector's to set.

privacy-gateway.dev/inject          "true" or "false"
privacy-gateway.dev/upstream-port   the port of the pod that the gateway stands in front of
privacy-gateway.dev/config          a ConfigMap of the pod's namespace: the gateway's configuration
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.injector.verdicts import Refused, Result

PREFIX = "privacy-gateway.dev/"
INJECT, UPSTREAM_PORT = PREFIX + "inject", PREFIX + "upstream-port"
CONFIG = PREFIX + "config"
INJECTED = PREFIX + "injected"
"""The label of injected pods: NetworkPolicies and monitors select it."""

_KNOWN = (INJECT, UPSTREAM_PORT, CONFIG)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
"""RFC 1123 subdomains, as Kubernetes has them for ConfigMaps."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a pod that wants the sidecar wants it like; None leaves the template's."""

    upstream_port: int | None = None
    config: str | None = None


def read(
    annotations: Mapping[str, Any], labels: Mapping[str, Any]
) -> Wishes | Literal[False] | None:
    """What the pod asks for; False where it declines, None where it says nothing.

    Raises Refused for every annotation or label of ours that is unknown or can't be read.
    """
    if any(name.startswith(PREFIX) and name != INJECTED for name in labels):
        raise Refused(
            Result.ANNOTATION_UNKNOWN,
            f"a label under {PREFIX}: {INJECT} is an annotation, not a label",
        )
    ours = {name: value for name, value in annotations.items() if _is_ours(name)}
    if INJECTED in labels and ours.get(INJECT) != "true":
        raise Refused(
            Result.ANNOTATION_INVALID, f'labelled {INJECTED}, but not annotated {INJECT}: "true"'
        )
    if not ours:
        return None
    unknown = ours.keys() - set(_KNOWN)
    if unknown:
        raise Refused(
            Result.ANNOTATION_UNKNOWN,
            f"an annotation under {PREFIX} is unknown; there are {', '.join(_KNOWN)}",
        )
    match ours.get(INJECT):
        case "false":
            return False
        case "true":
            return Wishes(_port(ours), _config(ours))
        case None:
            raise Refused(
                Result.ANNOTATION_INVALID,
                f'annotations under {PREFIX}, but no {INJECT}: it must be "true" or "false"',
            )
        case _:
            raise Refused(Result.ANNOTATION_INVALID, f'{INJECT} must be "true" or "false"')


def _is_ours(name: str) -> bool:
    return name.lower().startswith(PREFIX)


def _port(ours: Mapping[str, Any]) -> int | None:
    value = ours.get(UPSTREAM_PORT)
    if value is None:
        return None
    if not isinstance(value, str) or not _PORT.fullmatch(value) or int(value) > 65535:
        raise Refused(Result.ANNOTATION_INVALID, f"{UPSTREAM_PORT} must be a port, 1 to 65535")
    return int(value)


def _config(ours: Mapping[str, Any]) -> str | None:
    value = ours.get(CONFIG)
    if value is None:
        return None
    if not isinstance(value, str) or not _NAME.fullmatch(value) or ".." in value:
        raise Refused(
            Result.ANNOTATION_INVALID,
            f"{CONFIG} must be the name of a ConfigMap in the pod's namespace",
        )
    return value
