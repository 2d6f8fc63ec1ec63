"""The patch: whatever the pod, all of it is still there, and the sidecar once."""

import copy
from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from gateway.injector.patch import is_injected, make
from gateway.injector.template import load
from gateway.injector.wishes import INJECTED, Wishes
from tests.injector.pods import pods, wishes
from tests.support.pods import SIDECAR, pod, sidecar

TEMPLATE = load(sidecar())


def patched(
    pod_: dict[str, Any], wanted: Wishes | None = None, file: bytes | None = None
) -> dict[str, Any]:
    operations = list(make(pod_, load(file) if file else TEMPLATE, wanted or Wishes()))
    found: dict[str, Any] = jsonpatch.apply_patch(pod_, operations)
    return found


def gateway(pod_: dict[str, Any]) -> dict[str, Any]:
    return next(c for c in pod_["spec"]["initContainers"] if c["name"] == "privacy-gateway")


def names(pod_: dict[str, Any], key: str) -> list[str]:
    return [each["name"] for each in pod_["spec"][key]]


def test_the_sidecar_comes_first_and_opa_before_it() -> None:
    done = patched(pod(initContainers=[{"name": "migrate"}, {"name": "proxy"}]))
    assert names(done, "initContainers") == ["opa", "privacy-gateway", "migrate", "proxy"]
    alone = patched(pod(initContainers=[{"name": "migrate"}]), file=sidecar(opa=None))
    assert names(alone, "initContainers") == ["privacy-gateway", "migrate"]


def test_lists_that_are_missing_null_or_empty_are_made() -> None:
    for missing in ({}, {"initContainers": None, "volumes": None},
                    {"initContainers": [], "volumes": []}):  # fmt: skip
        done = patched(pod(**missing))
        assert names(done, "initContainers") == ["opa", "privacy-gateway"]
        assert names(done, "volumes") == ["gateway-config", "gateway-spool"]


def test_the_volumes_of_the_pod_stay_before_ours() -> None:
    done = patched(pod(volumes=[{"name": "config"}, {"name": "data"}]))
    assert names(done, "volumes") == ["config", "data", "gateway-config", "gateway-spool"]


def test_a_label_marks_what_is_injected_whether_or_not_there_were_labels() -> None:
    assert patched(pod())["metadata"]["labels"] == {"app": "x", INJECTED: "true"}
    for labels in ({}, None):
        bare = pod()
        bare["metadata"]["labels"] = labels
        assert patched(bare)["metadata"]["labels"] == {INJECTED: "true"}
    del bare["metadata"]["labels"]
    assert patched(bare)["metadata"]["labels"] == {INJECTED: "true"}


def test_the_time_to_end_is_raised_and_never_lowered() -> None:
    assert patched(pod())["spec"]["terminationGracePeriodSeconds"] == 45
    for before, after in ((0, 45), (30, 45), (44, 45), (45, 45), (600, 600), (None, 45)):
        done = patched(pod(terminationGracePeriodSeconds=before))
        assert done["spec"]["terminationGracePeriodSeconds"] == after
    untouched = patched(pod(), file=sidecar(terminationGracePeriodSeconds=None))
    assert "terminationGracePeriodSeconds" not in untouched["spec"]


def test_the_upstreams_port_takes_the_place_of_the_templates() -> None:
    env = [
        {"name": "A", "value": "1"},
        {"name": "PRIVACY_GATEWAY_UPSTREAM__URL", "value": "http://x"},
        {"name": "PRIVACY_GATEWAY_UPSTREAM", "value": "http://x"},
    ]
    file = sidecar(container={**SIDECAR["container"], "env": env})
    assert gateway(patched(pod(), Wishes(3000), file))["env"] == [
        {"name": "A", "value": "1"},
        {"name": "PRIVACY_GATEWAY_UPSTREAM", "value": "http://127.0.0.1:3000"},
    ]
    assert gateway(patched(pod(), Wishes(), file))["env"] == env
    file = sidecar(container={k: v for k, v in SIDECAR["container"].items() if k != "env"})
    assert len(gateway(patched(pod(), Wishes(3000), file))["env"]) == 1


def test_the_pods_config_map_takes_the_place_of_the_templates_first_source() -> None:
    done = patched(pod(), Wishes(config="mine"))
    assert done["spec"]["volumes"][0]["projected"]["sources"] == [
        {"configMap": {"name": "mine"}}, {"secret": {"name": "policies"}},
    ]  # fmt: skip
    plain = {"name": "gateway-config", "configMap": {"name": "gateway", "defaultMode": 256}}
    done = patched(pod(), Wishes(config="mine"), sidecar(volumes=[plain, SIDECAR["volumes"][1]]))
    assert done["spec"]["volumes"][0]["configMap"] == {"name": "mine"}
    assert TEMPLATE.volumes == tuple(SIDECAR["volumes"])


def test_without_the_pods_fs_group_the_sidecar_is_of_the_group_of_its_secret_files() -> None:
    assert gateway(patched(pod()))["securityContext"] == {"runAsUser": 65532, "runAsGroup": 0}
    grouped = patched(pod(securityContext={"fsGroup": 2000}))
    assert gateway(grouped)["securityContext"] == {"runAsUser": 65532, "runAsGroup": 65532}
    assert "securityContext" not in patched(pod())["spec"]


def test_what_was_injected_is_known_although_others_changed_it_since() -> None:
    done = patched(pod())
    gateway(done)["image"] = "mirror.example/privacy-gateway@sha256:1"
    gateway(done)["volumeMounts"].append({"name": "kube-api-access-x", "mountPath": "/var/run"})
    done["spec"]["initContainers"].insert(0, {"name": "istio-proxy", "restartPolicy": "Always"})
    assert is_injected(done, TEMPLATE)


def test_a_mark_alone_or_a_part_of_the_sidecar_is_not_the_sidecar() -> None:
    assert not is_injected(pod(), TEMPLATE)
    marked = pod()
    marked["metadata"]["labels"][INJECTED] = "true"
    assert not is_injected(marked, TEMPLATE)
    without_volume, without_opa, plain, unmarked = (patched(pod()) for _ in range(4))
    del without_volume["spec"]["volumes"][1]
    del without_opa["spec"]["initContainers"][0]
    del gateway(plain)["restartPolicy"]
    del unmarked["metadata"]["labels"][INJECTED]
    for part in (without_volume, without_opa, plain, unmarked):
        assert not is_injected(part, TEMPLATE)


@given(pods, wishes, st.booleans())
def test_everything_of_the_pod_is_still_there_and_the_sidecar_is_once(
    original: dict[str, Any], wanted: Wishes, with_opa: bool
) -> None:
    template = load(sidecar() if with_opa else sidecar(opa=None))
    before = copy.deepcopy(original)
    done = jsonpatch.apply_patch(original, list(make(original, template, wanted)))
    assert original == before, "the patch is made, not applied"
    ours = [container["name"] for container in template.containers]
    count = len(ours)
    assert names(done, "initContainers")[:count] == ours
    assert done["spec"]["initContainers"][count:] == (before["spec"].get("initContainers") or [])
    theirs = before["spec"].get("volumes") or []
    assert done["spec"]["volumes"][: len(theirs)] == theirs
    assert names(done, "volumes")[len(theirs) :] == ["gateway-config", "gateway-spool"]
    assert done["spec"]["terminationGracePeriodSeconds"] == max(
        before["spec"].get("terminationGracePeriodSeconds") or 0, 45
    )
    labels = before["metadata"].get("labels") or {}
    assert done["metadata"]["labels"] == {**labels, INJECTED: "true"}
    assert is_injected(done, template)
    for changed in ("initContainers", "volumes", "terminationGracePeriodSeconds"):
        done["spec"].pop(changed, None)
        before["spec"].pop(changed, None)
    done["metadata"].pop("labels")
    before["metadata"].pop("labels", None)
    assert done == before
