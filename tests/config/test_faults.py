"""What is wrong, and where; without giving away a secret."""

import pytest

from gateway.config.faults import ConfigFaults, Fault, Place, excerpt


def test_a_fault_names_file_line_column_path_and_message() -> None:
    fault = Fault(Place("gateway.yaml", 3, 5), ("endpoints", 0, "body", "format"), "wrong")
    assert str(fault) == "gateway.yaml:3:5: endpoints[0].body.format: wrong"


def test_a_fault_of_the_environment_names_its_variable() -> None:
    fault = Fault(Place("PRIVACY_GATEWAY_POLICY__ENGINE"), ("policy", "engine"), "wrong")
    assert str(fault) == "PRIVACY_GATEWAY_POLICY__ENGINE: policy.engine: wrong"


def test_a_fault_of_the_whole_file_names_the_file() -> None:
    assert str(Fault(Place("gateway.yaml"), (), "can't be read")) == "gateway.yaml: can't be read"


def test_faults_come_in_the_order_of_their_lines() -> None:
    faults = [Fault(Place("f", line, 1), (), str(line)) for line in (7, 3, 5)]
    found = ConfigFaults([*faults, Fault(Place("VARIABLE"), (), "first")])
    assert [fault.message for fault in found.faults] == ["first", "3", "5", "7"]
    assert str(found).splitlines()[1] == "f:3:1: 3"


def test_an_excerpt_has_a_caret_below_the_column() -> None:
    assert excerpt("engine: rego", 9).splitlines() == ["    engine: rego", "            ^"]


@pytest.mark.parametrize(
    "line",
    [
        "pseudonym_key: hunter2",
        "client_secret: x",
        "Password: x",
        "api_token: x",
        "credentials: x",
        "upstream: https://me:hunter2@example.org",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ",
        "x: 5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d6",
        "an escape \x1b[31m",
        "a" * 30 + " b" * 100,
    ],
)
def test_a_line_that_may_hold_a_secret_is_not_shown(line: str) -> None:
    assert excerpt(line, 1) == ""


def test_an_ordinary_line_is_shown() -> None:
    assert excerpt('    body: {format: json, records: "$.orders[*]"}', 11) != ""
    assert excerpt("    jwks: https://id.example.org/jwks.json", 11) != ""
