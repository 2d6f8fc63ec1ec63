"""Decision → Release. The only place where a Release is made.

What reaches a client is either a `Release`, made here from a `Decision`, or a `Denial`, which has
room for a status, a code and the exchange id, and for nothing else.
"""

from typing import Protocol, assert_never

from gateway.errors import Code, Forbidden, InternalError, Refusal
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Counts, Decision, Effect, Inspection
from gateway.response import Response
from gateway.spool import Spooled

_PERMIT = object()


class Release:
    """What may reach the client: an allow-listed head and a body, untouched or redacted."""

    __slots__ = ("body", "counts", "effect", "headers")

    def __init__(
        self,
        permit: object,
        *,
        effect: Effect,
        headers: tuple[tuple[str, str], ...],
        body: Spooled,
        counts: Counts,
    ) -> None:
        if permit is not _PERMIT:
            raise TypeError("only gateway.enforcement makes a Release")
        self.effect, self.headers, self.body, self.counts = effect, headers, body, counts


class Denial:
    """The answer to a refused exchange: the same for every caller."""

    __slots__ = ("code", "exchange_id", "status")

    def __init__(self, refusal: Refusal, exchange_id: str) -> None:
        self.status = refusal.http_status
        self.code = refusal.public_code
        self.exchange_id = exchange_id


class Rewriter(Protocol):
    """Makes a redacted body."""

    async def rewrite(
        self,
        response: Response,
        spec: BodySpec,
        limits: Limits,
        inspection: Inspection,
        decision: Decision,
    ) -> tuple[Spooled, Counts]: ...


async def enforce(
    decision: Decision,
    inspection: Inspection,
    response: Response,
    spec: BodySpec,
    limits: Limits,
    rewriter: Rewriter,
) -> Release:
    """Release untouched, release redacted, or raise Forbidden.

    The decision was already held against the contract; what is checked here again is that an
    `allow` leaves nothing behind, because this is the last place where it can be.
    """
    match decision.effect:
        case Effect.BLOCK:
            raise Forbidden(Code.BLOCKED_BY_POLICY)
        case Effect.ALLOW:
            if decision.mask or not all(decision.releases(group) for group in inspection.groups):
                raise InternalError(Code.INTERNAL_ERROR, "allow, but something must stay behind")
            counts = Counts(seen=inspection.records, released=inspection.records)
            return Release(
                _PERMIT,
                effect=decision.effect,
                headers=response.headers,
                body=response.body,
                counts=counts,
            )
        case Effect.REDACT:
            body, counts = await rewriter.rewrite(response, spec, limits, inspection, decision)
            return Release(
                _PERMIT,
                effect=decision.effect,
                headers=response.headers,
                body=body,
                counts=counts,
            )
        case _:
            assert_never(decision.effect)
