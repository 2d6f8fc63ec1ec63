"""What stands against a gateway in a pod; and its twin that may have one."""

from typing import Any

import pytest

from gateway.injector.fitness import check
from gateway.injector.template import load
from gateway.injector.verdicts import Refused, Result
from gateway.injector.wishes import Wishes
from tests.support.pods import CANARY, INJECT, SIDECAR, pod, sidecar

TEMPLATE = load(sidecar())


def with_port(**port: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "app", "ports": [port]}])


@pytest.mark.parametrize(
    "fit",
    [
        pod(),
        pod(hostNetwork=False, os={"name": "linux"}, nodeSelector={"kubernetes.io/os": "linux"}),
        pod(hostNetwork=None, os=None, volumes=None, initContainers=None),
        pod(volumes=[{"name": "config"}], initContainers=[{"name": "init"}]),
        with_port(containerPort=8081, name="web"),
        with_port(containerPort=8080, protocol="UDP"),
        with_port(containerPort=3000, hostPort=0),
        pod(securityContext={"fsGroup": 1000}),
    ],
)
def test_an_ordinary_pod_is_fit(fit: dict[str, Any]) -> None:
    check(fit, TEMPLATE, Wishes(3000))


@pytest.mark.parametrize(
    ("unfit", "result", "said"),
    [
        (pod(hostNetwork=True), Result.HOST_NETWORK, "hostNetwork"),
        (pod(hostNetwork="yes"), Result.HOST_NETWORK, "hostNetwork"),
        (pod(os={"name": "windows"}), Result.WINDOWS, "Windows"),
        (pod(nodeSelector={"kubernetes.io/os": "windows"}), Result.WINDOWS, "Windows"),
        (
            pod({INJECT: "true", "kubernetes.io/config.mirror": CANARY}),
            Result.STATIC_POD, "static pod",
        ),
        (with_port(containerPort=3000, hostPort=3000), Result.HOST_PORT, "past the gateway"),
        (
            pod(initContainers=[{"name": "x", "ports": [{"containerPort": 1, "hostPort": 1}]}]),
            Result.HOST_PORT, "past the gateway",
        ),
        (with_port(containerPort=8080), Result.PORT_TAKEN, "8080"),
        (with_port(containerPort=8282, protocol="TCP"), Result.PORT_TAKEN, "8282"),
        (with_port(containerPort=8283), Result.PORT_TAKEN, "8283"),
        (with_port(containerPort=8080, protocol=None), Result.PORT_TAKEN, "8080"),
        (with_port(containerPort=3000, name="http"), Result.PORT_TAKEN, "go past the gateway"),
        (
            pod(initContainers=[{"name": "x", "ports": [{"containerPort": 8080}]}]),
            Result.PORT_TAKEN, "8080",
        ),
        (
            pod(containers=[{"name": "privacy-gateway"}]),
            Result.NAME_TAKEN, "container named privacy-gateway",
        ),
        (pod(initContainers=[{"name": "opa"}]), Result.NAME_TAKEN, "container named opa"),
        (pod(ephemeralContainers=[{"name": "opa"}]), Result.NAME_TAKEN, "container named opa"),
        (
            pod(volumes=[{"name": "gateway-spool"}]),
            Result.NAME_TAKEN, "volume named gateway-spool",
        ),
        (pod(volumes=[{"emptyDir": {}}]), Result.POD_MALFORMED, "has no name"),
        (pod(containers=[{"name": ["x"]}]), Result.POD_MALFORMED, "has no name"),
        (pod(containers=[]), Result.POD_MALFORMED, "no containers"),
        ({**pod(), "spec": None}, Result.POD_MALFORMED, "no containers"),
        (pod(containers="app"), Result.POD_MALFORMED, "containers"),
        (pod(os="windows"), Result.POD_MALFORMED, "os"),
        ({**pod(), "metadata": []}, Result.POD_MALFORMED, "metadata"),
    ],
)  # fmt: skip
def test_an_unfit_pod_is_refused_with_its_reason(
    unfit: dict[str, Any], result: Result, said: str
) -> None:
    with pytest.raises(Refused) as caught:
        check(unfit, TEMPLATE, Wishes())
    assert caught.value.result is result
    assert said in caught.value.message
    assert CANARY not in caught.value.message


@pytest.mark.parametrize("port", [{"containerPort": {}}, {"containerPort": [8080]}, {"name": {}}])
def test_a_port_that_is_none_is_no_crash(port: dict[str, Any]) -> None:
    check(with_port(**port), TEMPLATE, Wishes())


@pytest.mark.parametrize("port", [8080, 8282, 8283])
def test_the_gateway_is_not_its_own_upstream(port: int) -> None:
    with pytest.raises(Refused) as caught:
        check(pod(), TEMPLATE, Wishes(port))
    assert caught.value.result is Result.PORT_TAKEN


def test_a_claim_of_the_gateways_needs_the_pods_fs_group() -> None:
    claim = {"name": "gateway-spool", "ephemeral": {"volumeClaimTemplate": {}}}
    template = load(sidecar(volumes=[SIDECAR["volumes"][0], claim]))
    check(pod(securityContext={"fsGroup": 0}), template, Wishes())
    with pytest.raises(Refused) as caught:
        check(pod(), template, Wishes())
    assert caught.value.result is Result.NO_FS_GROUP
