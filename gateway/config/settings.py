"""Every setting, put together: each room declares its own beside its code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le

from gateway.constraints import STRICT, After, Besides
from gateway.decisionlog.settings import DecisionLogSettings
from gateway.endpoints import Endpoint
from gateway.identity.settings import IdentitySettings
from gateway.inspection.settings import InspectionSettings
from gateway.policy.settings import PolicySettings
from gateway.proxy.settings import Address, ClientSettings, Listen, ProxySettings, Upstream
from gateway.spool import SpoolSettings
from gateway.telemetry.settings import TelemetrySettings

_LISTEN = Address("0.0.0.0", 8080)  # noqa: S104 - a container's data port
_ADMIN = Address("127.0.0.1", 8282)


def _some(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    if not endpoints:
        raise ValueError("at least one endpoint is needed")
    return endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that a gateway is told.

    `listen` is the data port, `admin` the port of /metrics, /healthz, /readyz and /log-levels.
    `upstream` is the service behind the gateway; a bare URL will do. A request that none of
    `endpoints` names is refused.

    `workers` are the processes that serve the data port, each with an event loop; `auto` is one for
    each core that the gateway may use. Every other number is for the whole gateway: several
    processes have their parts of the connections, the exchanges and the inspecting and policy
    processes (at least one each), and share the spool and the decision log.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    listen: Listen = _LISTEN
    admin: Listen = _ADMIN
    upstream: Upstream
    identity: IdentitySettings
    policy: PolicySettings = field(default_factory=PolicySettings)
    decision_log: DecisionLogSettings
    endpoints: Annotated[tuple[Endpoint, ...], After(_some), Besides({"minItems": 1})]
    client: ClientSettings = field(default_factory=ClientSettings)
    inspection: InspectionSettings = field(default_factory=InspectionSettings)
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    workers: Annotated[int, Ge(1), Le(64)] | Literal["auto"] = 1
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def proxy(self) -> ProxySettings:
        """Both sides of the proxy."""
        return ProxySettings(self.listen, self.upstream, self.client)
