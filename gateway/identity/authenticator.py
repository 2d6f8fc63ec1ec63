"""Who asks: the steps from the Authorization field lines to a `Caller`, for every issuer."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import Code, Refusal, Unauthenticated
from gateway.identity import claims, tokens
from gateway.identity.jwks import VerifyingKey
from gateway.identity.keys import IssuerKeys, KeyFacts
from gateway.identity.proven import Proven, ProvenTokens, digest_of
from gateway.identity.settings import IdentitySettings, IssuerSettings
from gateway.log import Log
from gateway.model import Caller

_LOG = Log(__name__)


@dataclass(frozen=True, slots=True)
class _Issuer:
    """An issuer's pins and its own keys: a key never verifies another issuer's token."""

    pins: IssuerSettings
    keys: IssuerKeys


class Authenticator:
    """Authenticates requests. `wall` tells the time of tokens, `monotonic` the age of keys."""

    def __init__(
        self,
        settings: IdentitySettings,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._issuers = {
            pins.issuer: _Issuer(pins, IssuerKeys(pins, monotonic)) for pins in settings.issuers
        }
        self._proven = ProvenTokens()
        self._tasks: list[asyncio.Task[None]] = []

    async def authenticate(self, authorization: Sequence[bytes]) -> Caller:
        """The caller, proven by the raw values of *all* Authorization field lines of a request.

        A token counts from that field only. Raises Unauthenticated, with one of the TOKEN codes
        for the log, and Unavailable(KEYS_UNAVAILABLE).
        """
        try:
            digest = digest_of(authorization)
            proven = self._proven.take(digest)
            if proven is not None:
                return await self._again(digest, proven)
            return await self._first(authorization, digest)
        except Refusal as refusal:
            _LOG.debug("a token was refused", code=refusal.code.value, check=refusal.note)
            raise

    async def _first(self, authorization: Sequence[bytes], digest: bytes) -> Caller:
        token = tokens.read(authorization)
        issuer = self._issuers.get(token.issuer)
        if issuer is None:
            raise Unauthenticated(Code.TOKEN_UNTRUSTED, "an issuer that is not configured")
        tokens.admit(token, issuer.pins)
        key = await issuer.keys.find(token.kid)
        return self._prove(digest, token, key, issuer.pins)

    async def _again(self, digest: bytes, proven: Proven) -> Caller:
        token, pins = proven.token, self._issuers[proven.token.issuer].pins
        key = await self._issuers[token.issuer].keys.find(token.kid)
        if key is not proven.key:
            return self._prove(digest, token, key, pins)
        tokens.check_times(token.claims, pins.leeway, self._wall())
        self._proven.remember(digest, proven)
        return proven.caller

    def _prove(
        self,
        digest: bytes,
        token: tokens.UnverifiedToken,
        key: VerifyingKey,
        pins: IssuerSettings,
    ) -> Caller:
        verified = tokens.verify(token, key, pins, self._wall())
        caller = claims.caller(verified, pins)
        self._proven.remember(digest, Proven(token, key, caller))
        _LOG.debug("a token was proven", issuer=pins.issuer, identifiers=len(caller.identifiers))
        return caller

    async def start(self) -> None:
        """Read every issuer's keys once, then keep them fresh in the background.

        An issuer that can't be reached doesn't raise: `unready` names it until it can.
        """
        keys = [issuer.keys for issuer in self._issuers.values()]
        await asyncio.gather(*(each.refresh() for each in keys))
        self._tasks = [asyncio.create_task(each.keep_fresh()) for each in keys]

    async def stop(self) -> None:
        """End the background reads."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for issuer in self._issuers.values():
            await issuer.keys.stop()

    @property
    def ready(self) -> bool:
        """Whether requests can be authenticated."""
        return not self.unready

    @property
    def unready(self) -> str:
        """Why not `ready`, for operators; empty if ready.

        At first every issuer must have delivered keys, so that a wrong address is noticed before
        traffic comes. Later one live issuer is enough: another one's outage refuses its own tokens
        (503), and must not take the gateway from everybody else.
        """
        for name, issuer in self._issuers.items():
            if not issuer.keys.loaded:
                return f"no keys yet of the issuer {name}"
        if not any(issuer.keys.live for issuer in self._issuers.values()):
            return "the keys of every issuer are too old"
        return ""

    def key_facts(self) -> tuple[KeyFacts, ...]:
        """The state of each issuer's keys, in the order of the configuration."""
        return tuple(issuer.keys.facts() for issuer in self._issuers.values())
