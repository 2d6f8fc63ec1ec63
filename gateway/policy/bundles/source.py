"""What a source of bundles is.

    start() ─▶ first candidate ─▶ activated() ─▶ next() ─▶ changed candidate ─▶ activated() ─▶ ...

A source yields candidates: whole, bounded, signed by the right key, not older than what was active.
Whether one goes live is decided elsewhere; the source is told, and remembers it as the last good.
"""

from pathlib import Path
from typing import Protocol, assert_never

from gateway.policy.bundles.contents import Bundle
from gateway.policy.bundles.pauses import Clocks
from gateway.policy.bundles.server import ServerSource
from gateway.policy.bundles.watched import WatchedSource
from gateway.policy.settings import PolicySettings
from gateway.policy.shipped import shipped


class Source(Protocol):
    """Where bundles come from. Belongs to one event loop; `start` before, `stop` after."""

    async def start(self) -> Bundle:
        """The first candidate.

        Where a server is down or serves something unusable, the persisted last good with `stale`
        set, if it is younger than `max_age`. Raises BundleError where there is none.
        """
        ...

    async def next(self) -> Bundle:
        """Wait for a candidate whose content differs from the one before.

        Raises BundleError when the source fails or serves something unusable; the caller reports
        that and calls again, and the source paces itself. May be cancelled at any time.
        """
        ...

    async def last_good(self) -> Bundle:
        """The persisted last good, `stale` set, for a first candidate that proves unfit.

        Raises BundleError where there is none, or it is older than `max_age`.
        """
        ...

    def activated(self, bundle: Bundle) -> None:
        """This candidate is active now. It is persisted by the next `next` or `stop`."""
        ...

    @property
    def age(self) -> float:
        """Seconds since the source last confirmed what is active; infinite before there is any."""
        ...

    async def stop(self) -> None: ...


def make_source(settings: PolicySettings, clocks: Clocks | None = None) -> Source:
    """The source of `policy.bundle`; without one, the policies that ship with the gateway."""
    delivery, clocks = settings.delivery, clocks or Clocks()
    match settings.bundle or shipped():
        case Path() as path:
            return WatchedSource(path, settings.data, delivery, clocks)
        case str() as url:
            return ServerSource(url, settings.data, delivery, clocks)
        case location:
            assert_never(location)
