"""Decision → Release. The only place where a Release is made.

What reaches a client is either a `Release`, made here from a `Decision`, or a `Denial`, which has
room for a status, a code and the exchange id, and for whether its endpoint is only observed.

At an endpoint that is being onboarded (`enforcement: observe`) every answer says so:

    Privacy-Gateway-Enforcement: observe                    released as the policy says, or refused
    Privacy-Gateway-Enforcement: observe; would=block       released whole, against the policy
    Privacy-Gateway-Enforcement: observe; would=redact

The second part stands only with the whole body, so that it tells its reader nothing about people
whose data they don't have already. A refusal never has it: it would say what the policy thinks of a
body that nobody received.
"""

from dataclasses import dataclass
from typing import Protocol, assert_never

from msgspec.structs import replace

from gateway.errors import Code, Forbidden, InternalError, Refusal
from gateway.inspection import masking
from gateway.inspection.flowmessages import Asked, Ended, Piece
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Counts, Decision, Effect, Inspection
from gateway.response import Response
from gateway.spool import Spooled

ENFORCEMENT = "Privacy-Gateway-Enforcement"
OBSERVING = "observe"
"""The field of an answer from an endpoint that is only observed, and the least that it says."""

_PERMIT = object()


class Release:
    """What may reach the client: an allow-listed head and a body, untouched or redacted.

    `observed` where the body is whole although `effect` says otherwise.
    """

    __slots__ = ("body", "counts", "effect", "headers", "observed")

    def __init__(
        self,
        permit: object,
        *,
        effect: Effect,
        headers: tuple[tuple[str, str], ...],
        body: Spooled,
        counts: Counts,
        observed: bool = False,
    ) -> None:
        if permit is not _PERMIT:
            raise TypeError("only gateway.enforcement makes a Release")
        self.effect, self.headers, self.body, self.counts = effect, headers, body, counts
        self.observed = observed


class InForce:
    """A decision that a stream release goes on under, until the next one. `observed` where it lets
    everything through although `effect` says otherwise."""

    __slots__ = ("decision", "effect", "observed")

    def __init__(
        self, permit: object, *, decision: Decision, effect: Effect, observed: bool = False
    ) -> None:
        if permit is not _PERMIT:
            raise TypeError("only gateway.enforcement puts a decision in force")
        self.decision, self.effect, self.observed = decision, effect, observed


class Session(Protocol):
    """A body that is read as it comes, up to its first question, which is about `seen`.
    (`inspection.streams`)"""

    @property
    def seen(self) -> Inspection: ...

    @property
    def waited(self) -> float:
        """Seconds that the upstream took."""
        ...

    async def next(self) -> Piece | Asked | Ended: ...

    def answer(self, decision: Decision) -> None: ...

    def taken(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Opening:
    """The beginning of a stream release: its head, the decision about its first records, and the
    body that goes on under it."""

    headers: tuple[tuple[str, str], ...]
    in_force: InForce
    session: Session


class Denial:
    """The answer to a refused exchange: the same for every caller of an endpoint."""

    __slots__ = ("code", "exchange_id", "observing", "status")

    def __init__(self, refusal: Refusal, exchange_id: str, observing: bool = False) -> None:
        self.status = refusal.http_status
        self.code = refusal.public_code
        self.exchange_id, self.observing = exchange_id, observing


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
    *,
    observing: bool = False,
) -> Release:
    """Release untouched, release redacted, or raise Forbidden. What has unread bytes in its content
    coding is released as written anew, with nothing left out.

    The decision was already held against the contract; what is checked here again is that an
    `allow` leaves nothing behind, because this is the last place where it can be.
    """
    headers = response.headers
    if observing:
        if decision.effect is not Effect.ALLOW:
            would = f"{OBSERVING}; would={decision.effect.value}"
            everything = _everything(decision, inspection)
            body, counts = await _whole(everything, inspection, response, spec, limits, rewriter)
            return Release(
                _PERMIT,
                effect=decision.effect,
                headers=(*headers, (ENFORCEMENT, would)),
                body=body,
                counts=counts,
                observed=True,
            )
        headers = (*headers, (ENFORCEMENT, OBSERVING))
    match decision.effect:
        case Effect.BLOCK:
            raise Forbidden(Code.BLOCKED_BY_POLICY)
        case Effect.ALLOW:
            _check_allow(decision, inspection)
            body, counts = await _whole(decision, inspection, response, spec, limits, rewriter)
        case Effect.REDACT:
            body, counts = await rewriter.rewrite(response, spec, limits, inspection, decision)
        case _:
            assert_never(decision.effect)
    return Release(_PERMIT, effect=decision.effect, headers=headers, body=body, counts=counts)


def put_in_force(
    decision: Decision, inspection: Inspection, spec: BodySpec, *, observing: bool = False
) -> InForce:
    """What a stream release goes on under: `inspection` is all that was seen of it so far.

    Raises Forbidden for a block, whatever left before, InternalError as `enforce` does, and
    BadUpstream(REDACTION_UNSUPPORTED) for a mask on what names the owners.
    """
    if observing and decision.effect is not Effect.ALLOW:
        everything = _everything(decision, inspection)
        return InForce(_PERMIT, decision=everything, effect=decision.effect, observed=True)
    match decision.effect:
        case Effect.BLOCK:
            raise Forbidden(Code.BLOCKED_BY_POLICY)
        case Effect.ALLOW:
            _check_allow(decision, inspection)
        case Effect.REDACT:
            masking.check_apart(decision.mask, masking.naming(spec))
        case _:
            assert_never(decision.effect)
    return InForce(_PERMIT, decision=decision, effect=decision.effect)


def open_stream(
    decision: Decision,
    session: Session,
    headers: tuple[tuple[str, str], ...],
    spec: BodySpec,
    *,
    observing: bool = False,
) -> Opening:
    """The head of a stream release, if the decision about its first records lets it begin."""
    in_force = put_in_force(decision, session.seen, spec, observing=observing)
    if observing:
        would = f"; would={in_force.effect.value}" if in_force.observed else ""
        headers = (*headers, (ENFORCEMENT, f"{OBSERVING}{would}"))
    return Opening(headers, in_force, session)


def _everything(decision: Decision, inspection: Inspection) -> Decision:
    """The decision that releases all that was seen."""
    return replace(
        decision,
        effect=Effect.ALLOW,
        permitted=frozenset(inspection.subjects),
        release_unattributed=True,
        withhold=frozenset(),
        mask=(),
    )


def _check_allow(decision: Decision, inspection: Inspection) -> None:
    if decision.mask or not all(decision.releases(group) for group in inspection.groups):
        raise InternalError(Code.INTERNAL_ERROR, "allow, but something must stay behind")


async def _whole(
    decision: Decision,
    inspection: Inspection,
    response: Response,
    spec: BodySpec,
    limits: Limits,
    rewriter: Rewriter,
) -> tuple[Spooled, Counts]:
    """All of the body, by a decision that releases all of it."""
    if inspection.sealed:
        return response.body, Counts(seen=inspection.records, released=inspection.records)
    return await rewriter.rewrite(response, spec, limits, inspection, decision)
