"""Variables in the place of single values."""

from pathlib import Path

import pytest

from gateway.config.environment import applied, overrides, written_out
from gateway.config.keys import KEYS
from tests.config.conftest import MINIMAL, Faults, Loaded

FILE = {"identity": {"issuers": [{"jwks": "a"}, {"jwks": "b"}]}, "endpoints": [{"name": "x"}]}


def settings(environ: dict[str, str], document: object = None) -> object:
    document = FILE if document is None else document
    found, faults = overrides(environ, KEYS, document)
    assert faults == []
    for override in found:
        document = applied(document, override)
    return document


def test_a_variable_sets_one_value_and_makes_the_mappings_on_the_way() -> None:
    assert settings({"PRIVACY_GATEWAY_POLICY__ENGINE": "opa"}, {"spool": {}}) == {
        "spool": {},
        "policy": {"engine": "opa"},
    }


def test_a_variable_reaches_into_the_items_that_the_file_has() -> None:
    changed = settings({"PRIVACY_GATEWAY_IDENTITY__ISSUERS__1__JWKS": "c"})
    assert changed == {**FILE, "identity": {"issuers": [{"jwks": "a"}, {"jwks": "c"}]}}
    assert FILE["identity"] == {"issuers": [{"jwks": "a"}, {"jwks": "b"}]}


def test_an_item_that_the_file_does_not_have_is_a_fault() -> None:
    _, faults = overrides({"PRIVACY_GATEWAY_IDENTITY__ISSUERS__2__JWKS": "c"}, KEYS, FILE)
    assert "did you mean `PRIVACY_GATEWAY_IDENTITY__ISSUERS__" in faults[0].message


def test_numbers_and_booleans_are_read_as_in_yaml_and_text_stays_text() -> None:
    changed = settings(
        {
            "PRIVACY_GATEWAY_INSPECTION__WORKERS": "4",
            "PRIVACY_GATEWAY_POLICY__REQUEST_PHASE": "false",
            "PRIVACY_GATEWAY_INSPECTION__INLINE": "1KiB",
            "PRIVACY_GATEWAY_ENDPOINTS__0__NAME": "007",
            "PRIVACY_GATEWAY_DECISION_LOG__FILE": "true",
        }
    )
    assert isinstance(changed, dict)
    assert changed["inspection"] == {"workers": 4, "inline": "1KiB"}
    assert changed["policy"] == {"request_phase": False}
    assert changed["endpoints"][0]["name"] == "007"
    assert changed["decision_log"] == {"file": "true"}


def test_a_number_that_is_none_is_left_to_be_reported(faults: Faults) -> None:
    assert faults(environ={"PRIVACY_GATEWAY_INSPECTION__WORKERS": "010"}) == [
        "PRIVACY_GATEWAY_INSPECTION__WORKERS: inspection.workers:"
        " expected a whole number, found text"
    ]


def test_a_short_form_may_be_set_and_set_into() -> None:
    file = written_out({"upstream": "http://a"})
    assert file == {"upstream": {"url": "http://a"}}
    changed = settings({"PRIVACY_GATEWAY_UPSTREAM": "http://b"}, file)
    assert changed == {"upstream": {"url": "http://b"}}
    changed = settings({"PRIVACY_GATEWAY_UPSTREAM__READ": "5s"}, file)
    assert changed == {"upstream": {"url": "http://a", "read": "5s"}}


def test_a_shadow_may_be_set_by_a_variable_as_it_can_change_no_answer(
    loaded: Loaded, folder: Path
) -> None:
    config = loaded(environ={"PRIVACY_GATEWAY_POLICY__SHADOW": "next"})
    assert config.policy.shadow is not None
    assert config.policy.shadow.bundle == folder / "next"
    environ = {
        "PRIVACY_GATEWAY_POLICY__SHADOW__BUNDLE": "next",
        "PRIVACY_GATEWAY_POLICY__SHADOW__QUEUE": "5",
    }
    shadow = loaded(environ=environ).policy.shadow
    assert shadow is not None and (shadow.bundle, shadow.queue) == (folder / "next", 5)


def test_two_variables_for_one_value_are_a_fault() -> None:
    environ = {"PRIVACY_GATEWAY_UPSTREAM": "x", "PRIVACY_GATEWAY_UPSTREAM__URL": "y"}
    _, faults = overrides(environ, KEYS, {})
    assert [str(fault) for fault in faults] == [
        "PRIVACY_GATEWAY_UPSTREAM__URL: upstream.url: PRIVACY_GATEWAY_UPSTREAM already sets this"
    ]


@pytest.mark.parametrize(
    "variable",
    [
        "PRIVACY_GATEWAY_POLICY__ENGIN",
        "PRIVACY_GATEWAY_POLICY_ENGINE",
        "PRIVACY_GATEWAY_policy__engine",
        "PRIVACY_GATEWAY_POLICY",
        "PRIVACY_GATEWAY_ENDPOINTS__0__LABELS__X",
        "PRIVACY_GATEWAY_",
    ],
)
def test_a_variable_that_means_nothing_is_a_fault(faults: Faults, variable: str) -> None:
    (fault,) = faults(environ={variable: "opa"})
    assert fault.startswith(f"{variable}: no setting has this variable")


@pytest.mark.parametrize(
    "variable",
    [
        "PRIVACY_GATEWAY_SERVICE_HOST",
        "PRIVACY_GATEWAY_SERVICE_PORT",
        "PRIVACY_GATEWAY_SERVICE_PORT_HTTP",
        "PRIVACY_GATEWAY_PORT",
        "PRIVACY_GATEWAY_PORT_8080_TCP",
        "PRIVACY_GATEWAY_PORT_8080_TCP_PROTO",
        "PRIVACY_GATEWAY_PORT_8080_TCP_PORT",
        "PRIVACY_GATEWAY_PORT_8080_TCP_ADDR",
        "PRIVACY_GATEWAY_ADMIN_SERVICE_HOST",
        "PRIVACY_GATEWAY_ADMIN_PORT_8282_TCP_ADDR",
        "PATH",
        "privacy_gateway_x",
    ],
)
def test_what_kubernetes_sets_for_a_service_of_this_name_is_ignored(
    faults: Faults, variable: str
) -> None:
    assert faults(environ={variable: "tcp://10.0.0.1:8080"}) == []


def test_the_environment_mends_and_breaks_a_file(faults: Faults, loaded: Loaded) -> None:
    broken = MINIMAL.replace("http://127.0.0.1:3000", "nowhere")
    assert len(faults(broken)) == 1
    config = loaded(broken, {"PRIVACY_GATEWAY_UPSTREAM": "https://exports.internal"})
    assert config.upstream.url == "https://exports.internal"
    assert faults(environ={"PRIVACY_GATEWAY_UPSTREAM": "nowhere"}) == [
        "PRIVACY_GATEWAY_UPSTREAM: upstream.url: expected http or https, a host, and perhaps a port"
    ]
    assert faults("upstream: [1]\n" + MINIMAL.split("\n", 1)[1],
                  {"PRIVACY_GATEWAY_UPSTREAM__READ": "5s"}) == [
        "gateway.yaml:1:11: upstream: expected a mapping, found a list"
    ]  # fmt: skip
