"""Who may talk to whom: the upstream only through the gateway."""

from typing import Any

from tests.helm.rendering import CHART, MINIMAL, SIDECAR, Helm, Rendered

FULL = CHART / "ci" / "gateway-full.yaml"


def allowed(policy: dict[str, Any], labels: dict[str, str], namespace: str, port: int) -> bool:
    """Whether the policy's ingress rules let such a pod in. Reads the fields that the chart uses,
    and fails on others."""
    for rule in policy["spec"]["ingress"]:
        assert rule.keys() <= {"from", "ports"}
        ports = [each["port"] for each in rule.get("ports", [])]
        if ports and port not in ports:
            continue
        if "from" not in rule or any(
            _matches(peer, labels, namespace, policy["metadata"]["namespace"])
            for peer in rule["from"]
        ):
            return True
    return False


def _matches(peer: dict[str, Any], labels: dict[str, str], namespace: str, own: str) -> bool:
    assert peer.keys() <= {"namespaceSelector", "podSelector"}
    if "namespaceSelector" in peer:
        wanted = peer["namespaceSelector"]["matchLabels"]
        if wanted != {"kubernetes.io/metadata.name": namespace}:
            return False
    elif namespace != own:
        return False
    return peer.get("podSelector", {}).get("matchLabels", {}).items() <= labels.items()


def gateway_labels(rendered: Rendered) -> dict[str, str]:
    labels: dict[str, str] = rendered.workload["spec"]["template"]["metadata"]["labels"]
    return labels


def test_the_upstream_takes_nobody_but_the_gateway(helm: Helm) -> None:
    rendered = helm.render(FULL)
    policy = rendered.one("NetworkPolicy", "shop-privacy-gateway-upstream")
    assert policy["metadata"]["namespace"] == "orders"
    assert policy["spec"]["podSelector"]["matchLabels"] == {"app": "orders"}
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert allowed(policy, gateway_labels(rendered), "shop", 8443)
    assert not allowed(policy, gateway_labels(rendered), "elsewhere", 8443), "a look-alike"
    assert not allowed(policy, {"app": "orders"}, "shop", 8443)
    assert not allowed(policy, {"app": "web"}, "orders", 8443)
    assert not allowed(policy, gateway_labels(rendered), "shop", 22)
    test = rendered.one("Pod", "shop-privacy-gateway-planted-leak")["metadata"]["labels"]
    assert not allowed(policy, test, "shop", 8443), "not even the test"


def test_the_data_port_is_the_callers_and_the_admin_port_the_monitoring_s(helm: Helm) -> None:
    rendered = helm.render(FULL)
    policy = rendered.one("NetworkPolicy")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= gateway_labels(rendered).items()
    assert allowed(policy, {}, "ingress", 8080)
    assert not allowed(policy, {}, "shop", 8080)
    assert not allowed(policy, {}, "ingress", 8282)
    assert allowed(policy, {}, "monitoring", 8282)
    assert not allowed(policy, {}, "monitoring", 8283), "OPA's health is the kubelet's"
    test = rendered.one("Pod", "shop-privacy-gateway-planted-leak")["metadata"]["labels"]
    assert allowed(policy, test, "shop", 8080) and allowed(policy, test, "shop", 8282)


def test_without_named_callers_everybody_may_ask(helm: Helm) -> None:
    policy = helm.render(MINIMAL).one("NetworkPolicy")
    assert allowed(policy, {"any": "pod"}, "anywhere", 8080)
    assert not allowed(policy, {"any": "pod"}, "anywhere", 8282)


def test_the_gateway_reaches_its_upstream_dns_and_what_is_named(helm: Helm) -> None:
    rules = helm.render(FULL).one("NetworkPolicy")["spec"]["egress"]
    upstream, dns, issuers, telemetry = rules
    assert upstream["to"][0]["podSelector"]["matchLabels"] == {"app": "orders"}
    assert upstream["ports"] == [{"port": 8443, "protocol": "TCP"}]
    assert {each["protocol"] for each in dns["ports"]} == {"UDP", "TCP"}
    assert issuers["to"] == [{"ipBlock": {"cidr": "203.0.113.0/24"}}]
    assert telemetry["ports"][0]["port"] == 4318


def test_beside_an_app_only_the_gateway_s_port_is_open(helm: Helm) -> None:
    """Also where the app listens on all addresses by mistake."""
    rendered = helm.render(SIDECAR)
    (policy,) = rendered.all("NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress"], "whom the app asks is its own affair"
    assert allowed(policy, {}, "anywhere", 8080)
    assert not allowed(policy, {}, "anywhere", 3000)
    services = {port["port"] for each in rendered.all("Service") for port in each["spec"]["ports"]}
    targets = {
        port["targetPort"] for each in rendered.all("Service") for port in each["spec"]["ports"]
    }
    assert services == {80, 8282} and targets == {8080, 8282}


def test_it_can_be_left_to_something_else(helm: Helm) -> None:
    assert not helm.render(MINIMAL, networkPolicy__enabled=False).all("NetworkPolicy")
