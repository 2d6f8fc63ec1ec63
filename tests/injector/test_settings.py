"""The injector's options, checked."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.injector.settings import ACCOUNT, OwnCertificate, own_certificate

GIVEN: dict[str, Any] = {
    "names": ["injector.system.svc"],
    "secret": "system/injector",
    "webhook": "injector",
    "lifetime": "90d",
    "api": None,
    "account": ACCOUNT,
    "environ": {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"},
}


def made(**changed: Any) -> OwnCertificate:
    return own_certificate(**{**GIVEN, **changed})


def test_everything_in_its_place() -> None:
    own = made(names=["injector.system.svc", "127.0.0.1", "0:0::1"], account=Path("/a"))
    assert own.names == {"injector.system.svc", "127.0.0.1", "::1"}
    assert own.places.secret_path == "/api/v1/namespaces/system/secrets/injector"
    assert own.places.webhook_path.endswith("/v1/mutatingwebhookconfigurations/injector")
    assert (own.lifetime, own.api) == (timedelta(days=90), "https://10.0.0.1:6443")


def test_the_api_server_is_where_kubernetes_says_unless_it_is_given() -> None:
    assert made(environ={"KUBERNETES_SERVICE_HOST": "fd00::1"}).api == "https://[fd00::1]:443"
    assert made(api="https://api.example:6443/").api == "https://api.example:6443"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"names": []}, "--name"),
        ({"names": ["a b"]}, "--name"),
        ({"names": ["A.svc"]}, "--name"),
        ({"secret": "injector"}, "--secret"),
        ({"secret": "a/b/c"}, "--secret"),
        ({"secret": "/b"}, "--secret"),
        ({"secret": "../b"}, "--secret"),
        ({"webhook": ""}, "--webhook"),
        ({"webhook": "a/b"}, "--webhook"),
        ({"lifetime": "90"}, "--lifetime"),
        ({"lifetime": "1s"}, "--lifetime"),
        ({"lifetime": "9999d"}, "--lifetime"),
        ({"environ": {}}, "--api"),
        ({"api": "http://api.example"}, "--api"),
        ({"api": "https://"}, "--api"),
        ({"api": "https://user:pass@api.example"}, "--api"),
        ({"api": "https://api.example/path"}, "--api"),
        ({"api": "https://api.example:port"}, "--api"),
        ({"api": "https://[::1"}, "--api"),
    ],
)
def test_what_can_not_be_used_is_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made(**changed)
