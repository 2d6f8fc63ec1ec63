"""Template and wishes → JSON Patch (RFC 6902), and whether a pod has had it.

`add` replaces a member that is there (RFC 6902 section 4.1), so that a null list is a missing one.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.injector.pods import mapping, objects
from gateway.injector.template import CONTAINER, UPSTREAM_VARIABLES, Template, config_source
from gateway.injector.wishes import INJECTED, Wishes

Operations = Sequence[Mapping[str, Any]]


def is_injected(pod: Mapping[str, Any], template: Template) -> bool:
    """Whether the sidecar is there, by what makes it one: others may have changed the rest of it
    since (a registry's name, its resources), and the API server writes in its defaults."""
    spec = mapping(pod, "spec")
    if mapping(mapping(pod, "metadata"), "labels").get(INJECTED) != "true":
        return False
    sidecars = [
        each.get("name")
        for each in objects(spec, "initContainers")
        if each.get("restartPolicy") == "Always"
    ]
    volumes = [each.get("name") for each in objects(spec, "volumes")]
    return all(each["name"] in sidecars for each in template.containers) and all(
        volume["name"] in volumes for volume in template.volumes
    )


def make(pod: Mapping[str, Any], template: Template, wishes: Wishes) -> Operations:
    """The operations that put the sidecar into a pod that is fit for it."""
    return tuple(_operations(pod, template, wishes))


def _operations(
    pod: Mapping[str, Any], template: Template, wishes: Wishes
) -> Iterator[Mapping[str, Any]]:
    spec = mapping(pod, "spec")
    if mapping(mapping(pod, "metadata"), "labels"):
        yield _add("/metadata/labels/" + _escaped(INJECTED), "true")
    else:
        yield _add("/metadata/labels", {INJECTED: "true"})
    grouped = mapping(spec, "securityContext").get("fsGroup") is not None
    containers = [_fitted(each, wishes, grouped) for each in template.containers]
    if objects(spec, "initContainers"):
        for place, container in enumerate(containers):
            yield _add(f"/spec/initContainers/{place}", container)
    else:
        yield _add("/spec/initContainers", containers)
    volumes = _configured(template, wishes)
    if objects(spec, "volumes"):
        for volume in volumes:
            yield _add("/spec/volumes/-", volume)
    elif volumes:
        yield _add("/spec/volumes", volumes)
    grace = spec.get("terminationGracePeriodSeconds")
    if template.grace and (type(grace) is not int or grace < template.grace):
        yield _add("/spec/terminationGracePeriodSeconds", template.grace)


def _fitted(container: Mapping[str, Any], wishes: Wishes, grouped: bool) -> Mapping[str, Any]:
    fitted = dict(container)
    if not grouped:
        # Without a pod's fsGroup its secret files are root's and of group 0, mode 0440. The pod's
        # own fsGroup isn't set for this: it would change whose the files of all its volumes are.
        fitted["securityContext"] = {**container.get("securityContext", {}), "runAsGroup": 0}
    if container["name"] == CONTAINER and wishes.upstream_port is not None:
        upstream = {
            "name": UPSTREAM_VARIABLES[0],
            "value": f"http://127.0.0.1:{wishes.upstream_port}",
        }
        others = [
            each for each in container.get("env", ()) if each["name"] not in UPSTREAM_VARIABLES
        ]
        fitted["env"] = [*others, upstream]
    return fitted


def _configured(template: Template, wishes: Wishes) -> list[Mapping[str, Any]]:
    """The volumes, with the ConfigMap that the pod named in the place of the template's."""
    volumes = list(template.volumes)
    if wishes.config is None:
        return volumes
    place, kind = config_source(volumes, template.containers[-1])
    if kind == "configMap":
        volumes[place] = {**volumes[place], "configMap": {"name": wishes.config}}
        return volumes
    projected = volumes[place]["projected"]
    sources = [{"configMap": {"name": wishes.config}}, *projected["sources"][1:]]
    volumes[place] = {**volumes[place], "projected": {**projected, "sources": sources}}
    return volumes


def _add(path: str, value: Any) -> Mapping[str, Any]:
    return {"op": "add", "path": path, "value": value}


def _escaped(name: str) -> str:
    """A reference token of a JSON Pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
