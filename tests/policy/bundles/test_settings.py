"""How bundles get here: what is refused before anything is fetched."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.policy.bundles.settings import DeliverySettings, SigningAlgorithm

SETTINGS = TypeAdapter(DeliverySettings)
SIGNING = {"key_file": "key.pem", "key_id": "prod", "algorithm": "ES256"}


def test_the_defaults_poll_as_opa_does_and_forget_after_a_day() -> None:
    settings = SETTINGS.validate_python({})
    assert (settings.polling.min, settings.polling.max) == (60, 120)
    assert settings.polling.long_poll is None
    assert settings.signing is None
    assert settings.max_age == 86_400
    assert settings.max_size == 32 << 20


def test_everything_can_be_said() -> None:
    settings = SETTINGS.validate_python(
        {
            "signing": SIGNING | {"scope": "read"},
            "polling": {"min": "10s", "max": "20s", "long_poll": "30s", "files": "500ms"},
            "state": "state",
            "max_age": "1h",
            "max_size": "1MiB",
            "timeout": "5s",
            "token_file": "token",
            "ca_file": "ca.pem",
            "allow_http": True,
        }
    )
    assert settings.signing is not None
    assert settings.signing.algorithm is SigningAlgorithm.ES256
    assert settings.state == Path("state")
    assert settings.polling.long_poll == 30


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"signing": {"key_file": "k", "algorithm": "RS256"}}, "key_id"),
        ({"signing": SIGNING | {"key_id": ""}}, "at least 1 character"),
        ({"signing": SIGNING | {"algorithm": "none"}}, "RS256"),
        ({"signing": SIGNING | {"scope": ""}}, "at least 1 character"),
        ({"signing": SIGNING | {"exclude_files": ["*"]}}, "nexpected keyword"),
        ({"polling": {"min": "2m", "max": "1m"}}, "min must not be more than polling.max"),
        ({"polling": {"min": "0s"}}, "greater than or equal to 1"),
        ({"polling": {"long_poll": "11m"}}, "less than or equal to 600"),
        ({"max_age": "2m"}, "max_age must be longer"),
        ({"max_age": "5m", "polling": {"long_poll": "10m"}}, "max_age must be longer"),
        ({"max_size": "257MiB"}, "less than or equal"),
        ({"max_size": 1024}, "expected a size"),
        ({"timeout": "0s"}, "greater than 0"),
        ({"verify": False}, "nexpected keyword"),
    ],
)
def test_what_cannot_be_meant_is_refused(value: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SETTINGS.validate_python(value)
