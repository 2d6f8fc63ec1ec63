"""What OPA's own compiled modules call, as a real OPA shows them."""

import json
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from gateway.policy.opa_modules import module_fault
from tests.policy.conftest import StartOpa
from tests.policy.support import POLICIES, write_bundle

DECISION = "package privacy\n\ndecision := data.privacy.lib.f(input)\n"
LIB = "package privacy.lib\n\nimport data.privacy.far as g\n\nf(x) := x.y if g.h(x)\n"
FAR = "package privacy.far\n\nh(x) if EXPRESSION\n"
ASIDE = "package privacy.aside\n\nx := http.send({})\n"


def modules_of(url: str) -> bytes:
    direct = build_opener(ProxyHandler({}))
    with direct.open(f"{url}/v1/policies") as answer:
        body: bytes = answer.read()
        return body


@pytest.mark.opa
@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("x.y == 1", None),
        ("count(x) == 1", None),
        ("time.parse_rfc3339_ns(x.t) > 1", None),
        ('x.http.send == "http.send"', None),
        ("time.now_ns() > 1", "time.now_ns is not allowed: a decision must be replayable"),
        ('http.send({"method": "get", "url": x}).body', "http.send is not allowed"),
        ("opa.runtime().env.HOME == x", "opa.runtime is not allowed"),
        ('net.lookup_ip_addr("localhost")', "net.lookup_ip_addr is not allowed"),
        ("count([y | y := rand.intn(x, 2)]) > 0", "rand.intn is not allowed"),
    ],
)
def test_what_the_decision_can_reach_is_checked_and_nothing_else(
    start_opa: StartOpa, tmp_path: Path, expression: str, says: str | None
) -> None:
    files = {
        "privacy/d.rego": DECISION,
        "privacy/lib.rego": LIB,
        "privacy/far.rego": FAR.replace("EXPRESSION", expression),
        "privacy/aside.rego": ASIDE,
    }
    fault = module_fault(modules_of(start_opa(write_bundle(tmp_path / "b", files)).url))
    if says is None:
        assert fault is None
    else:
        assert fault is not None
        assert fault.split(": ")[0].endswith("privacy/far.rego")
        assert says in fault


@pytest.mark.opa
def test_the_policies_that_ship_pass(start_opa: StartOpa) -> None:
    assert module_fault(modules_of(start_opa(POLICIES).url)) is None


def module(package: list[str], *references: list[str]) -> dict[str, object]:
    def terms(names: list[str]) -> list[dict[str, str]]:
        return [{"type": "var" if n == 0 else "string", "value": v} for n, v in enumerate(names)]

    rules = [{"body": [{"terms": [{"type": "ref", "value": terms(each)}]}]} for each in references]
    return {
        "id": "m.rego\n",
        "raw": "",
        "ast": {"package": {"path": terms(["data", *package])}, "rules": rules},
    }


def test_a_rule_above_the_decision_and_one_reached_by_a_variable_count() -> None:
    bad = ["http", "send"]
    above = {"result": [module(["privacy"], bad)]}
    assert "http.send" in (module_fault(json.dumps(above).encode()) or "")
    dynamic = {"result": [module(["privacy", "decision"], ["data", "x"]), module(["x", "y"], bad)]}
    assert "a module: http.send" in (module_fault(json.dumps(dynamic).encode()) or "")
    elsewhere = {"result": [module(["privacy", "decision"], ["data", "x"]), module(["y"], bad)]}
    assert module_fault(json.dumps(elsewhere).encode()) is None


@pytest.mark.parametrize("body", [b"{}", b"[]", b"{", b'{"result": [{"id": 1}]}', b"<html>"])
def test_what_opa_never_answers_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        module_fault(body)
