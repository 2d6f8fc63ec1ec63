"""Which engines answer, and which of them is obeyed: what the settings ask for, made."""

from typing import assert_never

from gateway.policy.activation import Activation
from gateway.policy.bundle import Bundle
from gateway.policy.bundles.source import make_source
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import Engine, EngineKind
from gateway.policy.probes import Plan
from gateway.policy.settings import PolicySettings
from gateway.policy.shadow import Listener, Shadow

_SHADOW_NICE = 10


def make_engine(settings: PolicySettings, probes: Plan) -> Engine:
    """The one that answers, which proves every candidate with the probes first."""
    match settings.engine:
        case EngineKind.EMBEDDED:
            return Activation(settings, make_source(settings), probes)
        case EngineKind.OPA:
            # Its client brings a second HTTP library along, a tenth of a start without OPA.
            from gateway.policy.opa import OpaEngine
            from gateway.policy.opa_proof import ProvenOpa

            return ProvenOpa(OpaEngine(settings), probes, settings.deadline)
        case _:
            assert_never(settings.engine)


def make_shadow(policy: PolicySettings, listener: Listener) -> Shadow | None:
    """The second one, at low priority; None where `policy.shadow` names none."""
    settings = policy.shadowing
    if policy.shadow is None or settings is None:
        return None

    def make(bundle: Bundle) -> Engine:
        return EmbeddedEngine(settings, bundle, nice=_SHADOW_NICE)

    return Shadow(policy.shadow, make_source(settings), make, listener)
