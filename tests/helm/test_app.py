"""Mode `sidecar`: what the chart adds to an app's own pod, and what it leaves alone."""

from tests.helm.rendering import SIDECAR, Helm

APP = {"name": "orders", "image": "registry.example.org/orders:1"}
OWN = {"exec": {"command": ["orders", "drain"]}}
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_an_app_serves_on_while_its_pod_is_forgotten(helm: Helm) -> None:
    orders = helm.render(SIDECAR, app__podSpec={"containers": [APP]}).container("orders")
    assert orders["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


def test_an_app_keeps_its_own_pre_stop_and_has_no_second_one(helm: Helm) -> None:
    spec = {"containers": [{**APP, "lifecycle": {"preStop": OWN}}]}
    orders = helm.render(SIDECAR, app__podSpec=spec).container("orders")
    assert orders["lifecycle"] == {"preStop": OWN}
    assert orders["securityContext"] == RESTRICTED


def test_init_containers_are_restricted_too_and_get_no_lifecycle(helm: Helm) -> None:
    spec = {"containers": [APP], "initContainers": [{**APP, "name": "migrate"}]}
    migrate = helm.render(SIDECAR, app__podSpec=spec).container("migrate")
    assert migrate["securityContext"] == RESTRICTED
    assert "lifecycle" not in migrate
