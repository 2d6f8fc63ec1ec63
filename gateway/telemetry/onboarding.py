"""Endpoints that are only observed (`enforcement: observe`), said loudly for as long as they are.

A warning in the log at the start, every hour and when it is over; two gauges; a list in `/readyz`,
which stays ready. The answers themselves say it too (`gateway.enforcement`).
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from gateway.endpoints import Endpoint
from gateway.log import Log
from gateway.telemetry.catalogue import OBSERVING, OBSERVING_UNTIL
from gateway.telemetry.metrics import Reading

_PERIOD, _SHORTEST = 3600.0, 1.0
_LOG = Log(__name__)


class Onboarding:
    """The endpoints that are or were being observed; `now` tells the time, with its zone."""

    def __init__(self, endpoints: Iterable[Endpoint], now: Callable[[], datetime]) -> None:
        self._untils = {
            endpoint.name: endpoint.observe_until
            for endpoint in endpoints
            if endpoint.observe_until is not None
        }
        self._now = now
        self._over: set[str] = set()

    def observing(self) -> list[dict[str, str]]:
        """What is being observed now, for `/readyz`: `endpoint` and `until`."""
        now = self._now()
        return [
            {"endpoint": name, "until": _spelled(until)}
            for name, until in self._untils.items()
            if now < until
        ]

    def readings(self) -> Iterator[Reading]:
        """The gauges; none where no endpoint was ever to be observed."""
        now = self._now()
        for name, until in self._untils.items():
            yield Reading(OBSERVING, now < until, (name,))
            yield Reading(OBSERVING_UNTIL, until.timestamp(), (name,))

    def announce(self) -> float | None:
        """Write the log lines that are due. Returns seconds to the next ones, None if none come."""
        now = self._now()
        waits: list[float] = []
        for name, until in self._untils.items():
            if now < until:
                _LOG.warning(
                    "observing, not enforcing: what the policy holds back is released",
                    endpoint=name,
                    until=_spelled(until),
                )
                waits.append(min(_PERIOD, max(_SHORTEST, (until - now).total_seconds())))
            elif name not in self._over:
                self._over.add(name)
                _LOG.warning("observing is over: enforcing", endpoint=name, since=_spelled(until))
        return min(waits, default=None)

    async def keep_announcing(self) -> None:
        """Announce until the last endpoint is enforced."""
        wait = self.announce()
        while wait is not None:
            await asyncio.sleep(wait)
            wait = self.announce()


def _spelled(until: datetime) -> str:
    return until.isoformat().replace("+00:00", "Z")
