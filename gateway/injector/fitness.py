"""What stands against a gateway in this pod: each is refused, with its reason.

A pod that can't have the gateway must not run without it because of that.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.injector.pods import containers, mapping, objects
from gateway.injector.template import Template
from gateway.injector.verdicts import Refused, Result
from gateway.injector.wishes import UPSTREAM_PORT, Wishes

_MIRROR = "kubernetes.io/config.mirror"
"""The annotation of the API server's image of a static pod: changing it changes nothing."""


def check(
    pod: Mapping[str, Any], template: Template, wishes: Wishes, *, injected: bool = False
) -> None:
    """Raises Refused. Where the pod is `injected`, others may have changed it since: all of it is
    looked at again but what is ours."""
    spec = mapping(pod, "spec")
    if not objects(spec, "containers"):
        raise Refused(Result.POD_MALFORMED, "the pod has no containers")
    if _MIRROR in mapping(mapping(pod, "metadata"), "annotations"):
        raise Refused(Result.STATIC_POD, "a static pod: its kubelet runs it as its file says")
    if spec.get("hostNetwork") not in (None, False):
        raise Refused(
            Result.HOST_NETWORK,
            "hostNetwork: the gateway would listen on the node, and everybody there could reach"
            " what it stands in front of",
        )
    system = mapping(spec, "os").get("name")
    node = mapping(spec, "nodeSelector").get("kubernetes.io/os")
    if "windows" in (system, node):
        raise Refused(Result.WINDOWS, "a Windows pod: the gateway runs on Linux")
    if not injected:
        _check_names(spec, template)
    ours = {container["name"] for container in template.containers} if injected else set()
    _check_ports([each for each in containers(spec) if each.get("name") not in ours], template)
    if wishes.upstream_port in {number for number, _, _ in template.ports}:
        raise Refused(
            Result.PORT_TAKEN, f"{UPSTREAM_PORT} is the gateway's own port: it would ask itself"
        )
    if template.needs_fs_group and mapping(spec, "securityContext").get("fsGroup") is None:
        raise Refused(
            Result.NO_FS_GROUP,
            "spec.securityContext.fsGroup is missing: without it the gateway may not write to its"
            " volume",
        )


def _check_names(spec: Mapping[str, Any], template: Template) -> None:
    ours = {container["name"] for container in template.containers}
    for taken in sorted(ours & _names(containers(spec))):
        raise Refused(Result.NAME_TAKEN, f"the pod has a container named {taken} already")
    volumes = {volume["name"] for volume in template.volumes}
    for taken in sorted(volumes & _names(objects(spec, "volumes"))):
        raise Refused(Result.NAME_TAKEN, f"the pod has a volume named {taken} already")


def _check_ports(others: Iterable[Mapping[str, Any]], template: Template) -> None:
    numbers = [(number, protocol) for number, protocol, _ in template.ports]
    names = [name for _, _, name in template.ports if name]
    for container in others:
        for port in objects(container, "ports"):
            number, name = port.get("containerPort"), port.get("name")
            if port.get("hostPort"):
                raise Refused(
                    Result.HOST_PORT,
                    "a container of the pod has a hostPort: everybody on the node could reach it"
                    " past the gateway, and past the pod's NetworkPolicies",
                )
            if (number, port.get("protocol") or "TCP") in numbers:
                raise Refused(
                    Result.PORT_TAKEN, f"a container of the pod has port {number}, the gateway's"
                )
            if name in names:
                raise Refused(
                    Result.PORT_TAKEN,
                    f"a container of the pod has a port named {name}, as the gateway has: a Service"
                    " that names it would go past the gateway",
                )


def _names(items: Any) -> set[str]:
    found = set()
    for item in items:
        name = item.get("name")
        if not isinstance(name, str):
            raise Refused(Result.POD_MALFORMED, "a container or volume of the pod has no name")
        found.add(name)
    return found
