"""The sidecar's file is checked before any pod gets what is in it."""

import copy
from typing import Any

import pytest

from gateway.injector.template import Unfit, config_source, load
from tests.support.pods import SIDECAR, sidecar


def container(**changed: Any) -> dict[str, Any]:
    merged = {**copy.deepcopy(SIDECAR["container"]), **changed}
    return {key: each for key, each in merged.items() if each is not None}


def opa(**changed: Any) -> dict[str, Any]:
    merged = {**copy.deepcopy(SIDECAR["opa"]), **changed}
    return {key: each for key, each in merged.items() if each is not None}


def test_containers_come_in_the_order_in_which_they_start() -> None:
    shipper = {"name": "shipper", "image": "vector", "restartPolicy": "Always"}
    assert [each["name"] for each in load(sidecar(shipper=shipper)).containers] == [
        "shipper", "opa", "privacy-gateway",
    ]  # fmt: skip
    alone = load(sidecar(opa=None, terminationGracePeriodSeconds=None))
    assert [each["name"] for each in alone.containers] == ["privacy-gateway"]
    assert alone.grace == 0


def test_ports_are_those_of_all_containers() -> None:
    assert list(load(sidecar()).ports) == [
        (8283, "TCP", "opa-health"), (8080, "TCP", "http"), (8282, "TCP", "admin"),
    ]  # fmt: skip


def test_a_claim_needs_a_group() -> None:
    assert not load(sidecar()).needs_fs_group
    claim = {"name": "gateway-spool", "ephemeral": {"volumeClaimTemplate": {}}}
    assert load(sidecar(volumes=[SIDECAR["volumes"][0], claim])).needs_fs_group


def test_the_configuration_may_be_a_plain_config_map() -> None:
    plain = {"name": "gateway-config", "configMap": {"name": "gateway"}}
    template = load(sidecar(volumes=[SIDECAR["volumes"][1], plain]))
    assert config_source(template.volumes, template.containers[-1]) == (1, "configMap")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "UTF-8"),
        (b"", "not a mapping"),
        (b"[]", "not a mapping"),
        (b"container: {", "sidecar"),
        (b"container: {}\ncontainer: {}", "sidecar"),
        (sidecar(containers=[]), "unknown keys: containers"),
        (sidecar(container=None), "container: not a container"),
        (sidecar(container=[]), "container: not a container"),
        (sidecar(container=container(name="gateway")), "must be privacy-gateway"),
        (sidecar(container=container(image=None)), "no image"),
        (sidecar(container=container(image="")), "no image"),
        (sidecar(container=container(restartPolicy=None)), "native sidecar"),
        (sidecar(container=container(restartPolicy="OnFailure")), "native sidecar"),
        (sidecar(container=container(startupProbe=None)), "startupProbe"),
        (sidecar(container=container(ports=[{"name": "http"}])), "containerPort"),
        (sidecar(container=container(ports=[{"containerPort": "8080"}])), "containerPort"),
        (sidecar(container=container(ports={})), "not a list"),
        (sidecar(container=container(env=[{"value": "x"}])), "has no name"),
        (sidecar(container=container(volumeMounts=[{"name": "nowhere"}])), "nowhere"),
        (sidecar(container=container(volumeMounts=None)), "/etc/privacy-gateway"),
        (sidecar(container=container(securityContext="root")), "securityContext"),
        (sidecar(opa=opa(name="privacy-gateway")), "one name"),
        (sidecar(opa=opa(restartPolicy=None)), "opa: no native sidecar"),
        (sidecar(opa=opa(startupProbe=None)), "opa: no startupProbe"),
        (sidecar(opa=opa(ports=[{"containerPort": 8080}])), "one number"),
        (sidecar(opa=1), "opa: not a container"),
        (sidecar(volumes=None), "volumes: not a list"),
        (sidecar(volumes=["x"]), "volumes: not a list"),
        (sidecar(volumes=[*SIDECAR["volumes"], SIDECAR["volumes"][0]]), "two have one name"),
        (sidecar(volumes=[{"name": "gateway-config", "emptyDir": {}}, SIDECAR["volumes"][1]]),
         "/etc/privacy-gateway"),
        (sidecar(terminationGracePeriodSeconds="45"), "terminationGracePeriodSeconds"),
        (sidecar(terminationGracePeriodSeconds=True), "terminationGracePeriodSeconds"),
        (sidecar(terminationGracePeriodSeconds=-1), "terminationGracePeriodSeconds"),
    ],
)  # fmt: skip
def test_an_unfit_sidecar_is_refused_in_one_sentence(content: bytes, said: str) -> None:
    with pytest.raises(Unfit) as caught:
        load(content)
    assert said in str(caught.value)


def test_octal_modes_come_as_the_chart_writes_them() -> None:
    volumes = copy.deepcopy(SIDECAR["volumes"])
    volumes[0]["projected"]["defaultMode"] = 288
    assert load(sidecar(volumes=volumes)).volumes[0]["projected"]["defaultMode"] == 0o440
