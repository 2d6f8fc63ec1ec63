"""The keys of each issuer: fetched, kept while they are fresh, never waited for without need.

The room's only outside: everything here that touches the network or a file is in `read_url` and
`read_file`. The rest decides when to read:

    every `jwks_refresh`     in the background; after a failure sooner, with growing pauses
    an unknown `kid`         once in `jwks_cooldown`, however many such tokens arrive
    a failed read            the last good set stays in use until it is `jwks_max_age` old

One read at a time for each issuer; whoever needs its outcome waits for the same one, and requests
whose key is known never wait.
"""

import asyncio
import os
import random
import stat
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp

from gateway.errors import Code, Unauthenticated, Unavailable
from gateway.identity.jwks import (
    KeyFault,
    KeyFlaw,
    KeySet,
    KeySetUnusable,
    VerifyingKey,
    parse_key_set,
)
from gateway.identity.settings import IssuerSettings
from gateway.locations import is_url
from gateway.log import Log

_LOG = Log(__name__)

_FIRST_RETRY = 1.0
"""Seconds until the second attempt; each further one waits twice as long, up to the cool-down."""

_HEADERS = {
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "privacy-gateway",
}


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What an operator sees of one issuer's keys.

    `age` is in seconds since the last good read began, None if there was none; at `max_age` the
    keys stop counting. `ignored` counts the keys left out, by flaw. `fault` says why the last read
    failed; None if it didn't.
    """

    issuer: str
    keys: int
    ignored: Mapping[KeyFlaw, int]
    age: float | None
    live: bool
    reads: int
    failures: int
    fault: KeyFault | None
    max_age: float


class IssuerKeys:
    """One issuer's key set over time. Single-threaded: belongs to one event loop."""

    def __init__(self, settings: IssuerSettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        read = read_url if is_url(settings.jwks) else read_file
        self._read: Callable[[], Awaitable[bytes]] = partial(
            read, settings.jwks, settings.jwks_timeout, settings.jwks_max_size
        )
        self._keys: KeySet | None = None
        self._loaded = self._tried = float("-inf")
        self._fault: KeyFault | None = None
        self._reads = self._failures = 0
        self._flight: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> VerifyingKey:
        """The key of this name.

        Raises Unavailable(KEYS_UNAVAILABLE) without fresh keys, Unauthenticated(TOKEN_UNTRUSTED)
        if the issuer has no such key.
        """
        key = self._known(kid)
        if key is None and (kid is not None or not self.live):
            await self._read_again()
            key = self._known(kid)
        if not self.live:
            raise Unavailable(Code.KEYS_UNAVAILABLE, "the issuer's keys are missing or too old")
        if key is None:
            raise Unauthenticated(Code.TOKEN_UNTRUSTED, "the issuer has no key of this kid")
        return key

    @property
    def live(self) -> bool:
        """Whether there are keys, read recently enough to count."""
        return self._monotonic() - self._loaded <= self._settings.jwks_max_age

    @property
    def loaded(self) -> bool:
        """Whether a key set was ever read."""
        return self._keys is not None

    def facts(self) -> KeyFacts:
        keys = self._keys
        return KeyFacts(
            issuer=self._settings.issuer,
            keys=len(keys.keys) if keys else 0,
            ignored=keys.flaws if keys else {},
            age=self._monotonic() - self._loaded if keys else None,
            live=self.live,
            reads=self._reads,
            failures=self._failures,
            fault=self._fault,
            max_age=self._settings.jwks_max_age,
        )

    async def refresh(self) -> None:
        """Read the set now, or wait for the read under way. Its outcome is in the facts."""
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._load())
        # Not awaited itself: neither side's cancellation is the other's.
        await asyncio.wait({self._flight})

    async def keep_fresh(self) -> None:
        """Refresh for ever, starting with a pause: `Authenticator.start` does the first read."""
        retry = _FIRST_RETRY
        while True:
            if self._fault is None and self.loaded:
                pause, retry = self._settings.jwks_refresh, _FIRST_RETRY
            else:
                pause, retry = retry, min(2 * retry, self._settings.jwks_cooldown)
            # A tenth of chance, so that a fleet doesn't ask in step.
            await asyncio.sleep(pause * random.uniform(0.9, 1.0))  # noqa: S311
            await self.refresh()

    async def stop(self) -> None:
        """End a read that is under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait({self._flight})

    def _known(self, kid: str | None) -> VerifyingKey | None:
        return self._keys.find(kid) if self._keys is not None and self.live else None

    async def _read_again(self) -> None:
        reading = self._flight is not None and not self._flight.done()
        if reading or self._monotonic() - self._tried >= self._settings.jwks_cooldown:
            await self.refresh()

    async def _load(self) -> None:
        began = self._tried = self._monotonic()
        self._reads += 1
        try:
            keys = parse_key_set(await self._read(), self._settings.algorithms)
        except KeySetUnusable as unusable:
            self._fault = unusable.fault
            self._failures += 1
            _LOG.debug(
                "keys were not read", issuer=self._settings.issuer, fault=unusable.fault.value
            )
        else:
            self._keys, self._loaded, self._fault = keys, began, None
            _LOG.debug(
                "keys were read", issuer=self._settings.issuer, ignored=sum(keys.flaws.values())
            )


async def read_url(url: str, timeout: float, max_size: int) -> bytes:  # noqa: ASYNC109
    """GET a document in at most `timeout` seconds and `max_size` bytes. Raises KeySetUnusable.

    Redirects are not followed: the configuration names who may name the keys.
    """
    session = aiohttp.ClientSession(
        headers=_HEADERS,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=aiohttp.ClientTimeout(total=timeout),
    )
    try:
        async with session, session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise KeySetUnusable(KeyFault.STATUS)
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise KeySetUnusable(KeyFault.MALFORMED)
            document = bytearray()
            async for chunk in response.content.iter_any():
                document += chunk
                if len(document) > max_size:
                    raise KeySetUnusable(KeyFault.TOO_LARGE)
            return bytes(document)
    except TimeoutError:
        raise KeySetUnusable(KeyFault.TIMEOUT) from None
    except (aiohttp.ClientError, OSError):
        raise KeySetUnusable(KeyFault.UNREACHABLE) from None


async def read_file(path: str, timeout: float, max_size: int) -> bytes:  # noqa: ASYNC109
    """Read a file in at most `timeout` seconds and `max_size` bytes. Raises KeySetUnusable."""
    try:
        async with asyncio.timeout(timeout):
            document = await asyncio.to_thread(_read_regular_file, Path(path), max_size + 1)
    except TimeoutError:
        raise KeySetUnusable(KeyFault.TIMEOUT) from None
    except OSError:
        raise KeySetUnusable(KeyFault.UNREACHABLE) from None
    if len(document) > max_size:
        raise KeySetUnusable(KeyFault.TOO_LARGE)
    return document


def _read_regular_file(path: Path, size: int) -> bytes:
    # Non-blocking, because opening a pipe would wait for its other end for ever.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("not a regular file")
        return os.read(fd, size)
    finally:
        os.close(fd)
