"""Which policy decides, and which engine evaluates it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, MaxLen

from gateway.constraints import STRICT, After, Before
from gateway.locations import Location, check_url
from gateway.policy.bundles.settings import DeliverySettings, Name
from gateway.policy.engine import EngineKind
from gateway.quantities import Duration

_INSECURE = (
    "lets the network choose the policy; use https, or set delivery.allow_http where the network"
    " itself is trusted"
)


def _check_base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as http://127.0.0.1:8181")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected scheme, host and port only, as in http://127.0.0.1:8181")
    _ = parts.port  # raises ValueError where it is no port
    return url


BaseURL = Annotated[str, MaxLen(1024), After(_check_base_url)]


@dataclass(frozen=True, slots=True)
class ShadowSettings:
    """A second policy that is asked what the active one was asked, to see what would change.

    It decides nothing, whatever it answers, and no exchange waits for it: it is asked once the
    outcome is settled. `bundle` and `data` are as in `policy`; without `data` of its own it has
    `policy.data`. The embedded engine evaluates it, whichever engine decides, in `workers`
    processes of its own at low priority, each evaluation within `deadline`. At most `queue`
    comparisons wait; one more is dropped, and counted. A shadow that can't be used is reported, and
    stops nothing. Metrics and the log say what would change; a bare path or URL will do.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    bundle: Location | None = None
    data: Path | None = None
    deadline: Annotated[Duration, Gt(0), Le(60)] = 0.2
    workers: Annotated[int, Ge(1), Le(16)] = 1
    queue: Annotated[int, Ge(1), Le(10_000)] = 256


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """What every ordinary caller holds, such as a scope that each token has.

    The planted callers hold it, too, before whom a policy is proven: one that asks everybody for it
    could not let their own record pass otherwise. `scopes` and `roles` are as in a token, `claims`
    as the policy sees them. Nothing that opens other people's data belongs here: for these callers,
    every stranger's record must stay behind.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    scopes: tuple[Name, ...] = ()
    roles: tuple[Name, ...] = ()
    claims: Mapping[Name, str | int | bool] = field(default_factory=dict)


def _as_shadow(value: Any) -> Any:
    return {"bundle": value} if isinstance(value, str) else value


Shadow = Annotated[
    ShadowSettings,
    Before(_as_shadow, shown=str | ShadowSettings),
]
"""In a configuration a bare path or URL will do: `shadow: policies-next/`."""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The policy plane.

    `bundle` is a folder, a `.tar.gz` as `opa build` writes it, or the URL of one on a bundle
    server; left out, the policies that ship with the gateway are used. `delivery` says how it gets
    here and what proves it. `data` is a JSON or YAML file that takes the place of the bundle's
    `data.privacy.deployment`, so that a deployment can keep the shipped rules and bring only its
    own settings. A change of the bundle or of `data` is noticed while the gateway runs. All three
    are the embedded engine's: with `engine: opa`, OPA itself is configured with a bundle. A
    `bundle` named beside it is only what `privacy-gateway check` holds against the builtins of OPA.

    `deadline` bounds one evaluation. `request_phase` asks the policy also before the upstream is
    asked: it releases nothing that the response phase wouldn't, but spares the upstream an export
    that its caller could never get, for the price of a second evaluation. `workers` are the
    processes of the embedded engine. `proof` is what the planted callers hold before whom a policy
    is proven; `shadow` is a second policy that is only compared.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    bundle: Location | None = None
    engine: EngineKind = EngineKind.EMBEDDED
    opa: BaseURL | None = None
    data: Path | None = None
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    deadline: Annotated[Duration, Gt(0), Le(60)] = 0.2
    request_phase: bool = False
    workers: Annotated[int, Ge(1), Le(16)] = 1
    proof: ProofSettings = field(default_factory=ProofSettings)
    shadow: Shadow | None = None

    @property
    def shadowing(self) -> "PolicySettings | None":
        """The shadow's settings, as if it were the policy; None where there is no shadow.

        What was active last is nobody's to remember: there is no `state`.
        """
        if self.shadow is None:
            return None
        return replace(
            self,
            engine=EngineKind.EMBEDDED,
            opa=None,
            bundle=self.shadow.bundle,
            data=self.shadow.data or self.data,
            delivery=replace(self.delivery, state=None),
            deadline=self.shadow.deadline,
            workers=self.shadow.workers,
            shadow=None,
        )

    def __post_init__(self) -> None:
        if self.engine is EngineKind.OPA and self.opa is None:
            raise ValueError("engine: opa needs the URL of OPA, as in opa: http://127.0.0.1:8181")
        if self.engine is EngineKind.EMBEDDED and self.opa is not None:
            raise ValueError("opa is set, but the engine is embedded: say engine: opa, or drop it")
        if self.engine is EngineKind.OPA and self.data is not None:
            raise ValueError("data is read by the embedded engine only: give OPA its data itself")
        if self.engine is EngineKind.OPA and self.delivery.signing is not None:
            raise ValueError(
                "delivery.signing is the embedded engine's: OPA verifies by its own keys"
            )
        places = {"bundle": self.bundle}
        if self.shadow is not None:
            places["shadow.bundle"] = self.shadow.bundle
        urls = {name: place for name, place in places.items() if isinstance(place, str)}
        for name, url in urls.items():
            check_url(url, name, allow_http=self.delivery.allow_http, insecure=_INSECURE)
        if not urls and (self.delivery.token_file or self.delivery.ca_file):
            raise ValueError("delivery.token_file and ca_file are for a bundle server's URL")
