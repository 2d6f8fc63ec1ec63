"""The processes that a start needs, begun before what it needs them for.

What each of them imports takes about as long as what the gateway has to: they do so at once, as far
as there are cores. Whoever needs one gets it from `child.spawn`, which finds it begun. One that
nobody asks for ends with the gateway, if it isn't given up before.
"""

from typing import TYPE_CHECKING

from gateway import child

if TYPE_CHECKING:  # it takes long to import, and the first ones don't wait for it
    from gateway.config import Config

_WRITER = ("gateway.decisionlog.process",)
_ANSWERING = "gateway.workers.answering"
_POLICY = (_ANSWERING, "gateway.policy.rego_worker:serve", "64", "0")
_READER = (_ANSWERING, "gateway.inspection.process:serve", "1", "10")


def begin_certain() -> None:
    """Those that nearly every configuration asks for. Raises OSError where the system has no room
    for another process."""
    child.begin(*_WRITER)
    child.begin(*_READER)


def begin_others(config: "Config") -> None:
    """The rest of what this one asks for; several serving processes (`fleet`) begin their own.
    Raises as `begin_certain` does."""
    if config.workers != 1:
        child.give_up(*_READER)
        return
    if config.policy.engine == "embedded":
        for _ in range(config.policy.workers):
            child.begin(*_POLICY)
