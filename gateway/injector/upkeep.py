"""Keeping the generations: a Secret that all replicas share, and the caBundle of the webhooks.

No leader: whoever finds that something is due does it, and of two that do, one gets a conflict and
looks again. The webhooks are read before the Secret, and both are replaced only as they were read:
so whoever changes a caBundle has seen every generation that was in the Secret when he read it, and
none that is trusted is ever taken out by somebody who didn't know of it.
"""

import asyncio
import base64
import binascii
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from gateway.errors import place
from gateway.injector import generations
from gateway.injector.generations import Generation
from gateway.injector.kubernetes import ApiError, Fault, Object
from gateway.injector.tls import Certificate, Handshakes
from gateway.log import Log

_ATTEMPTS = 5
_FIRST_RETRY, _LAST_RETRY, _LOOK = 1.0, 30.0, 60.0
_LOG = Log(__name__)


class Api(Protocol):
    """Reads and replaces objects, or raises ApiError. (`kubernetes`)"""

    async def get(self, path: str) -> Object: ...

    async def replace(self, path: str, value: Mapping[str, Any]) -> Object: ...


@dataclass(frozen=True, slots=True)
class Places:
    """The two objects: the Secret of a namespace, and the MutatingWebhookConfiguration."""

    namespace: str
    secret: str
    webhook: str

    @property
    def secret_path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets/{self.secret}"

    @property
    def webhook_path(self) -> str:
        group = "/apis/admissionregistration.k8s.io/v1"
        return f"{group}/mutatingwebhookconfigurations/{self.webhook}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast things go, in parts of a certificate's lifetime where that is short.

    `period` between looks and `settle` from a trusted CA to its certificate's use are in seconds.
    """

    lifetime: timedelta

    @property
    def period(self) -> float:
        return min(30.0, self.lifetime.total_seconds() / 20)

    @property
    def settle(self) -> float:
        return min(60.0, self.lifetime.total_seconds() / 10)


class Upkeep:
    """One replica's part in it."""

    def __init__(
        self,
        api: Api,
        places: Places,
        names: frozenset[str],
        pace: Pace,
        handshakes: Handshakes,
        now: Callable[[], datetime] = generations.now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api, self._places, self._names, self._pace = api, places, names, pace
        self._handshakes, self._now, self._monotonic = handshakes, now, monotonic
        self._generations: Sequence[Generation] = ()
        self._trusted: Mapping[str, float] = {}
        self.fault: Fault | None = None

    @property
    def trusted(self) -> bool:
        """Whether the API servers were last seen to trust what is served."""
        return bool(self._trusted)

    @property
    def well(self) -> bool:
        """Whether the last look went well."""
        return self.trusted and self.fault is None

    async def keep(self) -> None:
        """For ever; what goes wrong is tried again, sooner than what went well."""
        retry = _FIRST_RETRY
        while True:
            if await self.look():
                pause, retry = self._pace.period, _FIRST_RETRY
            else:
                pause, retry = min(retry, self._pace.period), min(2 * retry, _LAST_RETRY)
            # Replicas that start together don't stay in step.
            await asyncio.sleep(pause * random.uniform(0.8, 1.0))  # noqa: S311

    async def look(self) -> bool:
        """One look at both objects, with what follows from it. Says whether it went well."""
        fault, path = None, ""
        try:
            async with asyncio.timeout(_LOOK):
                await self._reconcile()
            self._serve()
        except ApiError as error:
            fault, path = error.fault, error.path
        except TimeoutError:
            fault = Fault.UNREACHABLE
        except Exception as error:  # noqa: BLE001 - looking again is all that may mend it
            fault, path = Fault.INTERNAL, place(error)
        if fault and fault is not self.fault:
            _LOG.warning("certificate upkeep failed", fault=fault.value, at=path)
        elif self.fault and not fault:
            _LOG.info("certificate upkeep works again")
        self.fault = fault
        return fault is None

    async def _reconcile(self) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                if await self._attempt():
                    return
            except ApiError as error:
                if error.fault is not Fault.CONFLICT or attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(random.uniform(0.0, 0.1))  # noqa: S311
        raise ApiError(Fault.CONFLICT, self._places.secret_path)

    async def _attempt(self) -> bool:
        """Both objects as they must be; False where the Secret was changed: look again."""
        webhook = await self._api.get(self._places.webhook_path)
        secret = await self._api.get(self._places.secret_path)
        now = self._now()
        found = generations.unexpired(_stored(secret), now)
        if generations.is_due(found, self._names, now, self._pace.lifetime):
            issued = await asyncio.to_thread(
                generations.issue, self._names, now, self._pace.lifetime
            )
            await self._api.replace(self._places.secret_path, _storing(secret, [*found, issued]))
            _LOG.info("issued a certificate", not_after=issued.not_after.isoformat())
            return False
        known = _trusted_by(webhook, self._places.webhook_path)
        wanted = generations.bundle(found)
        if any(each != wanted for each in known):
            await self._api.replace(self._places.webhook_path, _trusting(webhook, wanted))
        # A CA that had been taken out must settle again.
        stayed = {one.id for one in found if all(one.ca in each for each in known)}
        before = {id_: since for id_, since in self._trusted.items() if id_ in stayed}
        seen = self._monotonic()
        self._generations = found
        self._trusted = {one.id: before.get(one.id, seen) for one in found}
        return True

    def _serve(self) -> None:
        settled = self._monotonic() - self._pace.settle
        one = generations.chosen(
            self._generations, self._names, self._now(), self._trusted, settled
        )
        if one:
            self._handshakes.use(Certificate(one.serving, one.not_after))


def _stored(secret: Object) -> Iterator[Generation]:
    """What can't be read is left out, and the next one takes its place."""
    data = secret.get("data")
    for text in data.values() if isinstance(data, dict) else ():
        with suppress(binascii.Error, ValueError, TypeError, generations.Unreadable):
            yield generations.parse(base64.b64decode(text, validate=True))


def _storing(secret: Object, found: Iterable[Generation]) -> Object:
    data = {each.file: base64.b64encode(each.text).decode() for each in found}
    return {**secret, "data": data}


def _trusted_by(webhook: Object, path: str) -> list[bytes]:
    """The caBundle of each webhook; empty bytes for one that has none. Raises ApiError."""
    try:
        configs = [each["clientConfig"] for each in webhook["webhooks"]]
        if not configs:
            raise ApiError(Fault.MALFORMED, path)
        return [base64.b64decode(each.get("caBundle") or "") for each in configs]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ApiError(Fault.MALFORMED, path) from None


def _trusting(webhook: Object, wanted: bytes) -> Object:
    ca = base64.b64encode(wanted).decode()
    webhooks = [
        {**each, "clientConfig": {**each["clientConfig"], "caBundle": ca}}
        for each in webhook["webhooks"]
    ]
    return {**webhook, "webhooks": webhooks}
