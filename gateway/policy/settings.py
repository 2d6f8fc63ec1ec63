"""Which policy decides, and which engine evaluates it."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, assert_never
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from gateway.locations import Location, check_url
from gateway.policy.bundles.settings import DeliverySettings
from gateway.quantities import Duration

_INSECURE = (
    "lets the network choose the policy; use https, or set delivery.allow_http where the network"
    " itself is trusted"
)


class EngineKind(StrEnum):
    """What evaluates the Rego."""

    EMBEDDED = "embedded"  # regorus, in a worker process of ours
    OPA = "opa"  # a real OPA beside us; it loads its bundles itself


def _check_base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as http://127.0.0.1:8181")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected scheme, host and port only, as in http://127.0.0.1:8181")
    _ = parts.port  # raises ValueError where it is no port
    return url


BaseURL = Annotated[str, Field(max_length=1024), AfterValidator(_check_base_url)]


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The policy plane.

    `bundle` is a folder, a `.tar.gz` as `opa build` writes it, or the URL of one on a bundle
    server; left out, the policies that ship with the gateway are used. `delivery` says how it gets
    here and what proves it. `data` is a JSON or YAML file that takes the place of the bundle's
    `data.privacy.deployment`, so that a deployment can keep the shipped rules and bring only its
    own settings. A change of the bundle or of `data` is noticed while the gateway runs. All three
    are the embedded engine's: with `engine: opa`, OPA itself is configured with a bundle.

    `deadline` bounds one evaluation. `request_phase` asks the policy also before the upstream is
    asked: it releases nothing that the response phase wouldn't, but spares the upstream an export
    that its caller could never get, for the price of a second evaluation. `workers` are the
    processes of the embedded engine.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    bundle: Location | None = None
    engine: EngineKind = EngineKind.EMBEDDED
    opa: BaseURL | None = None
    data: Path | None = None
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    deadline: Annotated[Duration, Field(gt=0, le=60)] = 0.2
    request_phase: bool = False
    workers: Annotated[int, Field(ge=1, le=16)] = 1

    def __post_init__(self) -> None:
        if self.engine is EngineKind.OPA and self.opa is None:
            raise ValueError("engine: opa needs the URL of OPA, as in opa: http://127.0.0.1:8181")
        if self.engine is EngineKind.EMBEDDED and self.opa is not None:
            raise ValueError("opa is set, but the engine is embedded: say engine: opa, or drop it")
        if self.engine is EngineKind.OPA and self.data is not None:
            raise ValueError("data is read by the embedded engine only: give OPA its data itself")
        match self.bundle:
            case str() as url:
                allow_http = self.delivery.allow_http
                check_url(url, "bundle", allow_http=allow_http, insecure=_INSECURE)
            case Path() | None if self.delivery.token_file or self.delivery.ca_file:
                raise ValueError("delivery.token_file and ca_file are for a bundle server's URL")
            case Path() | None:
                pass
            case _:
                assert_never(self.bundle)
