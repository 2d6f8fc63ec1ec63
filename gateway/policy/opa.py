"""A real OPA over HTTP, as an engine.

OPA loads, verifies and reloads its bundles itself; each answer says which revision gave it. The
client is opa-python-client, with a session of our own (`opa_session`).
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import aiohttp
import jiter
import msgspec
from opa_client.opa_async import AsyncOpaClient

from gateway.deadlines import Deadlines
from gateway.errors import Code, Unavailable
from gateway.policy.engine import QUERY, EngineFacts, EngineKind, Evaluation
from gateway.policy.opa_session import Answer, BrokenOff, NotAnAnswer, Session
from gateway.policy.settings import PolicySettings

_ASKED = QUERY.removeprefix("data.").replace(".", "/") + (
    "?strict-builtin-errors=true&provenance=true"
)
"""Path and parameters as one constant: encoding the same two names each time takes 10 µs."""
_HEALTH_DEADLINE = 0.5
"""Seconds. A probe of Kubernetes waits one, and must read which check it is that fails."""
_MODULES_DEADLINE = 10.0
_MAX_MODULES = 64 << 20
"""Bytes of OPA's modules: it shows their syntax trees, some twenty times the size of their text."""

UNVERSIONED = "unversioned"
"""The revision where OPA runs without a bundle, or its bundle has none."""


class OpaEngine:
    """An `Engine`. Starting it doesn't need OPA to be there: it becomes ready when OPA is."""

    def __init__(self, settings: PolicySettings) -> None:
        parts = urlsplit(settings.opa or "")
        host, encrypted = parts.hostname or "", parts.scheme == "https"
        self._client = _Client(
            host=f"[{host}]" if ":" in host else host,
            port=parts.port or (443 if encrypted else 80),
            ssl=encrypted,
            retries=0,
        )
        self._in_time = Deadlines(settings.deadline)
        self._revision, self._ready = "", False
        self.outages = 0
        """How often OPA could not be reached, or went away before its answer ended."""

    async def start(self) -> None:
        await self._client._init_session()

    async def stop(self) -> None:
        self._ready = False
        await self._client.close_connection()

    async def evaluate(self, question: bytes) -> Evaluation:
        try:
            with self._in_time():
                # Any: our session's responses answer `json()` with the bytes.
                body: Any = await self._client.query_rule(
                    input_data=msgspec.Raw(question),
                    package_path=_ASKED,
                )
            reply = _read_reply(body)
        except TimeoutError:
            self._ready = False
            raise Unavailable(Code.POLICY_TIMEOUT, "policy.deadline passed") from None
        except NotAnAnswer as problem:
            if isinstance(problem, BrokenOff):
                self._gone()
            raise Unavailable(Code.POLICY_UNAVAILABLE, problem.note) from None
        except (aiohttp.ClientError, OSError) as error:
            self._gone()
            note = f"OPA: {type(error).__name__}"
            raise Unavailable(Code.POLICY_UNAVAILABLE, note) from None
        self._ready, self._revision = True, _revision(reply.provenance.bundles)
        return Evaluation(bytes(reply.result) or None, self._revision)

    def _gone(self) -> None:
        self._ready = False
        self.outages += 1

    async def modules(self) -> bytes:
        """The modules that OPA runs, as GET /v1/policies answers it. Raises Unavailable, also where
        OPA doesn't let us read them."""
        try:
            async with asyncio.timeout(_MODULES_DEADLINE):
                session, url = self._client._session, f"{self._client.root_url}/policies"
                answer: Answer = await session.request("GET", url, most=_MAX_MODULES)
                return answer.body
        except TimeoutError:
            raise Unavailable(Code.POLICY_TIMEOUT, "reading OPA's modules") from None
        except NotAnAnswer as problem:
            raise Unavailable(Code.POLICY_UNAVAILABLE, problem.note) from None
        except (aiohttp.ClientError, OSError) as error:
            note = f"OPA: {type(error).__name__}"
            raise Unavailable(Code.POLICY_UNAVAILABLE, note) from None

    async def ready(self) -> bool:
        """Whether OPA is healthy and has activated its bundles."""
        try:
            async with asyncio.timeout(_HEALTH_DEADLINE):
                self._ready = await self._client.check_health({"bundles": True})
        except TimeoutError:
            self._ready = False
        return self._ready

    def facts(self) -> EngineFacts:
        return EngineFacts(EngineKind.OPA, self._revision, self._ready)


class _BundleState(msgspec.Struct):
    revision: Annotated[str, msgspec.Meta(max_length=256, pattern=r"^[ -~]*\Z")] = ""


class _Provenance(msgspec.Struct):
    bundles: dict[str, _BundleState] = {}


class _Reply(msgspec.Struct):
    """What POST /v1/data answers; other keys (`decision_id`, `metrics`) don't matter here."""

    result: msgspec.Raw = msgspec.Raw(b"")
    provenance: _Provenance = msgspec.field(default_factory=_Provenance)


_REPLY = msgspec.json.Decoder(_Reply)


def _read_reply(body: bytes) -> _Reply:
    try:
        jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
        return _REPLY.decode(body)
    except (ValueError, RecursionError):  # both libraries' errors are ValueErrors
        raise NotAnAnswer("OPA's answer is not strict JSON of the data API") from None


def _revision(bundles: Mapping[str, _BundleState]) -> str:
    match sorted((name, state.revision) for name, state in bundles.items()):
        case []:
            return UNVERSIONED
        case [(_, revision)]:
            return revision or UNVERSIONED
        case several:
            return " ".join(f"{name}={revision or UNVERSIONED}" for name, revision in several)


class _Client(AsyncOpaClient):  # type: ignore[misc]  # the library has no types
    """The library's client, asking through a session of ours."""

    async def _init_session(self) -> None:
        self._session = Session(f"{self.schema}{self.host}:{self.port}")
