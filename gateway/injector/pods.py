"""Reading a pod that nobody has checked.

An absent and a null member are the same; one of another type is Refused, never skipped. The API
server has checked what it sends; a review from elsewhere gets no answer that allows anything.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.injector.verdicts import Refused, Result


def mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A member that is an object; `{}` where there is none. Raises Refused."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(Result.POD_MALFORMED, f"the pod's {key} is not an object")
    return value


def objects(parent: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """A member that is a list of objects; `[]` where there is none. Raises Refused."""
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Refused(Result.POD_MALFORMED, f"the pod's {key} are not a list of objects")
    return value


def containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All of a pod's, whenever they run. Raises Refused."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from objects(spec, key)
