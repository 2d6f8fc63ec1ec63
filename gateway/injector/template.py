"""The sidecar as the chart rendered it: a YAML file, checked before any pod gets what is in it.

container   the gateway's, a native sidecar
opa         OPA's, a native sidecar that starts before it; may be missing
volumes     what the two mount
terminationGracePeriodSeconds   what the gateway's drain needs; may be missing
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.config.faults import ConfigFaults
from gateway.config.file import parse

CONTAINER = "privacy-gateway"
CONFIG_MOUNT = "/etc/privacy-gateway"
UPSTREAM_VARIABLES = ("PRIVACY_GATEWAY_UPSTREAM", "PRIVACY_GATEWAY_UPSTREAM__URL")
"""Two names of one setting."""

_KEYS = frozenset({"container", "opa", "shipper", "volumes", "terminationGracePeriodSeconds"})


class Unfit(ValueError):
    """What is wrong with the file: one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Template:
    """What is put into a pod. `containers` are in the order in which they start."""

    containers: Sequence[Mapping[str, Any]]
    volumes: Sequence[Mapping[str, Any]]
    grace: int

    @property
    def ports(self) -> Iterator[tuple[int, str, str]]:
        """Number, protocol and name (or an empty text) of each port that the containers take."""
        for container in self.containers:
            for port in container.get("ports") or ():
                yield port["containerPort"], port.get("protocol", "TCP"), port.get("name", "")

    @property
    def needs_fs_group(self) -> bool:
        """Whether a volume belongs to root until a pod's fsGroup is applied to it."""
        return any("ephemeral" in each or "persistentVolumeClaim" in each for each in self.volumes)


def load(content: bytes) -> Template:
    """Raises Unfit."""
    try:
        document = parse(content.decode(), "sidecar")
    except UnicodeDecodeError:
        raise Unfit("not UTF-8") from None
    except ConfigFaults as faults:
        raise Unfit(str(faults.faults[0])) from None
    if document.faults:
        raise Unfit(str(document.faults[0]))
    value = document.value
    if not isinstance(value, dict):
        raise Unfit("not a mapping")
    unknown = sorted(map(str, value.keys() - _KEYS))
    if unknown:
        raise Unfit(f"unknown keys: {', '.join(unknown)}")
    gateway = _container(value.get("container"), "container")
    if gateway["name"] != CONTAINER:
        raise Unfit(f"container: its name must be {CONTAINER}")
    containers = [_container(value[key], key) for key in ("shipper", "opa") if key in value]
    containers.append(gateway)
    grace = value.get("terminationGracePeriodSeconds", 0)
    if type(grace) is not int or grace < 0:
        raise Unfit("terminationGracePeriodSeconds: not a number of seconds")
    volumes = _named(value.get("volumes"), "volumes")
    _check_mounts(containers, volumes)
    template = Template(tuple(containers), tuple(volumes), grace)
    if len({each["name"] for each in containers}) < len(containers):
        raise Unfit("two containers have one name")
    numbers = [(number, protocol) for number, protocol, _ in template.ports]
    if len(set(numbers)) < len(numbers):
        raise Unfit("two ports have one number")
    config_source(volumes, gateway)
    return template


def config_source(
    volumes: Sequence[Mapping[str, Any]], gateway: Mapping[str, Any]
) -> tuple[int, str]:
    """Where the gateway's configuration comes from: the volume's place, and its kind.

    The kind is `projected` (then the first source counts) or `configMap`. Raises Unfit.
    """
    mounts = gateway["volumeMounts"]
    name = next((each["name"] for each in mounts if each.get("mountPath") == CONFIG_MOUNT), None)
    for place, volume in enumerate(volumes):
        if volume["name"] != name:
            continue
        projected = volume.get("projected")
        if isinstance(projected, dict) and isinstance(projected.get("sources"), list):
            sources = projected["sources"]
            if sources and isinstance(sources[0], dict):
                return place, "projected"
        if isinstance(volume.get("configMap"), dict):
            return place, "configMap"
    raise Unfit(f"container: no projected or configMap volume is mounted at {CONFIG_MOUNT}")


def _container(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unfit(f"{place}: not a container")
    for key in ("name", "image"):
        if not isinstance(value.get(key), str) or not value[key]:
            raise Unfit(f"{place}: no {key}")
    if value.get("restartPolicy") != "Always":
        raise Unfit(f"{place}: no native sidecar; restartPolicy must be Always")
    if place != "shipper" and not isinstance(value.get("startupProbe"), dict):
        raise Unfit(f"{place}: no startupProbe, so that the pod's containers would not wait for it")
    for port in _mappings(value.get("ports", []), f"{place}.ports"):
        number = port.get("containerPort")
        if type(number) is not int or not 0 < number < 65536:
            raise Unfit(f"{place}.ports: no containerPort")
    _named(value.get("env", []), f"{place}.env")
    _mappings(value.get("volumeMounts", []), f"{place}.volumeMounts")
    if not isinstance(value.get("securityContext", {}), dict):
        raise Unfit(f"{place}.securityContext: not a mapping")
    return {**value, "volumeMounts": value.get("volumeMounts", [])}


def _check_mounts(
    containers: Sequence[Mapping[str, Any]], volumes: Sequence[Mapping[str, Any]]
) -> None:
    names = {volume["name"] for volume in volumes}
    for container in containers:
        for mount in container["volumeMounts"]:
            if mount.get("name") not in names:
                raise Unfit(f"{container['name']}: a mount has no volume: {mount.get('name')}")


def _named(value: Any, place: str) -> list[dict[str, Any]]:
    """A list of mappings, each with a name of its own."""
    found = _mappings(value, place)
    names = [each.get("name") for each in found]
    if not all(isinstance(name, str) and name for name in names):
        raise Unfit(f"{place}: one has no name")
    if len(set(names)) < len(names):
        raise Unfit(f"{place}: two have one name")
    return found


def _mappings(value: Any, place: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Unfit(f"{place}: not a list of mappings")
    return value
