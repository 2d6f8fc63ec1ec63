"""A clock that stands still, and an issuer that lives by it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway.identity.authenticator import Authenticator
from gateway.identity.settings import IdentitySettings, IssuerSettings
from tests.support.issuer import TestIssuer


@dataclass
class Clock:
    """Moves only when told to."""

    wall: float = 1_800_000_000.0
    monotonic: float = 5_000.0

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> TestIssuer:
    return TestIssuer(clock=lambda: clock.wall)


def pins(issuer: TestIssuer, jwks: str = "/nowhere", **settings: Any) -> IssuerSettings:
    """The issuer's settings, as the configuration file would give them."""
    return TypeAdapter(IssuerSettings).validate_python(issuer.config(jwks, **settings))


@pytest.fixture
def door(clock: Clock, tmp_path: Path) -> Callable[..., Authenticator]:
    """Makes an Authenticator for issuers, with their keys in files."""

    def make(*issuers: TestIssuer, **settings: Any) -> Authenticator:
        return Authenticator(
            IdentitySettings(
                tuple(
                    pins(each, str(each.write_jwks(tmp_path / f"{n}.json")), **settings)
                    for n, each in enumerate(issuers)
                )
            ),
            wall=lambda: clock.wall,
            monotonic=lambda: clock.monotonic,
        )

    return make
