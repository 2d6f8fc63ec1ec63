"""Policy settings: what is refused before anything starts."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.policy.bundles.settings import DeliverySettings
from gateway.policy.engine import EngineKind
from gateway.policy.settings import PolicySettings, ShadowSettings

SETTINGS = TypeAdapter(PolicySettings)


def test_the_defaults_are_the_embedded_engine_on_the_shipped_policies() -> None:
    settings = SETTINGS.validate_python({})
    assert settings == PolicySettings()
    assert (settings.engine, settings.bundle) == (EngineKind.EMBEDDED, None)
    assert settings.deadline == 0.2
    assert not settings.request_phase


def test_everything_can_be_said() -> None:
    settings = SETTINGS.validate_python(
        {
            "bundle": "policies/",
            "data": "deployment.yaml",
            "deadline": "50ms",
            "request_phase": True,
            "workers": 2,
        }
    )
    assert settings.bundle == Path("policies")
    assert settings.data == Path("deployment.yaml")
    assert settings.delivery == DeliverySettings()
    assert (settings.deadline, settings.request_phase, settings.workers) == (0.05, True, 2)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8181", "https://opa.example.org/", "http://[::1]:8181"]
)
def test_the_opa_engine_takes_a_base_url(url: str) -> None:
    assert SETTINGS.validate_python({"engine": "opa", "opa": url}).opa == url


def test_a_bundle_is_a_path_or_the_url_of_a_server() -> None:
    url = "https://bundles.example.org/privacy.tar.gz"
    server = {"token_file": "token", "ca_file": "ca.pem", "polling": {"long_poll": "30s"}}
    settings = SETTINGS.validate_python({"bundle": url, "delivery": server})
    assert settings.bundle == url
    assert settings.delivery.token_file == Path("token")
    assert SETTINGS.validate_python({"bundle": "b.tar.gz"}).bundle == Path("b.tar.gz")
    in_cluster = {"bundle": "http://bundles/b.tar.gz", "delivery": {"allow_http": True}}
    assert SETTINGS.validate_python(in_cluster).bundle == "http://bundles/b.tar.gz"
    loopback = "http://127.0.0.1:8888/b.tar.gz"
    assert SETTINGS.validate_python({"bundle": loopback}).bundle == loopback


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            {
                "engine": "opa",
                "opa": "http://127.0.0.1:8181",
                "delivery": {"signing": {"key_file": "k", "key_id": "prod", "algorithm": "ES256"}},
            },
            "OPA verifies by its own keys",
        ),
        ({"bundle": "http://bundles/b.tar.gz"}, "lets the network choose the policy"),
        ({"bundle": "s3://bundles/b.tar.gz"}, "bundle is an https:// URL"),
        ({"bundle": "https://name:secret@b/b.tar.gz"}, "no credentials"),
        ({"bundle": ""}, "expected a path or a URL"),
        ({"delivery": {"token_file": "token"}}, "are for a bundle server's URL"),
        ({"bundle": "b", "delivery": {"ca_file": "ca.pem"}}, "are for a bundle server's URL"),
        ({"engine": "opa"}, "needs the URL of OPA"),
        ({"opa": "http://127.0.0.1:8181"}, "the engine is embedded"),
        ({"engine": "opa", "opa": "http://127.0.0.1", "data": "d.json"}, "embedded engine only"),
        ({"engine": "opa", "opa": "127.0.0.1:8181"}, "expected a URL"),
        ({"engine": "opa", "opa": "unix:///run/opa.sock"}, "expected a URL"),
        ({"engine": "opa", "opa": "http://opa/v1/data"}, "scheme, host and port only"),
        ({"engine": "opa", "opa": "http://opa/?pretty"}, "scheme, host and port only"),
        ({"engine": "opa", "opa": "http://name:secret@opa"}, "scheme, host and port only"),
        ({"engine": "opa", "opa": "http://opa:99999"}, "out of range"),
        ({"engine": "regorus"}, "embedded"),
        ({"deadline": 200}, "expected a duration"),
        ({"deadline": "0s"}, "greater than 0"),
        ({"deadline": "61s"}, "less than or equal to 60"),
        ({"workers": 0}, "greater than or equal to 1"),
        ({"enfocement": "observe"}, "nexpected keyword"),
    ],
)
def test_what_cannot_be_meant_is_refused(value: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SETTINGS.validate_python(value)


# --- the shadow ---------------------------------------------------------------------------------


def test_there_is_no_shadow_unless_somebody_says_so() -> None:
    assert PolicySettings().shadow is None
    assert PolicySettings().shadowing is None


def test_a_shadow_may_be_written_as_its_bundle_alone() -> None:
    short = SETTINGS.validate_python({"shadow": "next/"})
    assert short.shadow == ShadowSettings(bundle=Path("next"))
    assert short == SETTINGS.validate_python({"shadow": {"bundle": "next/"}})


def test_a_shadow_is_evaluated_by_the_embedded_engine_whichever_engine_decides() -> None:
    settings = SETTINGS.validate_python(
        {
            "engine": "opa",
            "opa": "http://127.0.0.1:8181",
            "deadline": "2s",
            "delivery": {"state": "/var/lib/state"},
            "shadow": {"bundle": "next", "data": "d.json", "deadline": "50ms", "workers": 2},
        }
    )
    shadowing = settings.shadowing
    assert shadowing is not None
    assert (shadowing.engine, shadowing.opa, shadowing.shadow) == (EngineKind.EMBEDDED, None, None)
    assert (shadowing.bundle, shadowing.data) == (Path("next"), Path("d.json"))
    assert (shadowing.deadline, shadowing.workers) == (0.05, 2)
    assert shadowing.delivery.state is None  # what was active last is the policy's to remember


def test_a_shadow_without_data_of_its_own_has_the_policys() -> None:
    settings = SETTINGS.validate_python({"bundle": "a", "data": "d.json", "shadow": "next"})
    assert settings.shadowing is not None and settings.shadowing.data == Path("d.json")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"shadow": {"queue": 0}}, "greater than or equal to 1"),
        ({"shadow": {"queue": 10_001}}, "less than or equal to 10000"),
        ({"shadow": {"workers": 17}}, "less than or equal to 16"),
        ({"shadow": {"deadline": "0s"}}, "greater than 0"),
        ({"shadow": {"enforce": True}}, "nexpected keyword"),
        ({"shadow": "http://bundles.example.org/x.tar.gz"}, "shadow.bundle over plain http"),
        ({"delivery": {"token_file": "t"}, "shadow": "next"}, "bundle server's URL"),
    ],
)
def test_a_shadow_that_cannot_be_meant_is_refused(value: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SETTINGS.validate_python(value)
    assert says in str(refused.value)


def test_a_token_may_be_for_the_server_of_the_shadow_only() -> None:
    SETTINGS.validate_python(
        {
            "bundle": "policies/",
            "delivery": {"token_file": "token"},
            "shadow": "https://bundles.example.org/next.tar.gz",
        }
    )
