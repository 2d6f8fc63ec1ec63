"""The gateway proves itself before it reports ready.

A planted foreign record must be blocked and an own record must pass, through `exchange.guard` with
the real policy, the real inspection (in the event loop and in a worker) and the real decision log;
only the caller and the upstream are planted. The entries are marked as probes in the log.
"""

import gzip
import json
import secrets
from dataclasses import dataclass, replace

from gateway.endpoints import Endpoint, Endpoints, Route
from gateway.enforcement import Denial, Release
from gateway.errors import Code
from gateway.exchange import Rooms, guard
from gateway.inspection.settings import BodySpec
from gateway.model import Admitted, Caller, Format, Identifier, Request
from gateway.response import Payload, Response
from gateway.spool import InMemory, Spooled

ENDPOINT = "self-proof"


@dataclass(frozen=True, slots=True)
class _Planted:
    """One caller, one body: stands in for admission, identity and upstream."""

    caller: Caller
    body: bytes
    coding: tuple[str, ...]

    def admit(self, request: Request) -> Admitted:
        return Admitted(request.method, (ENDPOINT,), {}, request.target, (), ())

    async def authenticate(self, authorization: tuple[bytes, ...]) -> Caller:
        return self.caller

    async def fetch(self, request: Admitted, route: Route, exchange_id: str) -> Response:
        payload = Payload("application/json", None, self.coding)
        return Response((), payload, Spooled(InMemory(self.body)))


async def prove(rooms: Rooms, kind: str, issuer: str) -> str | None:
    """Play the planted exchanges for one identifier kind.

    Returns None when all went as they must, or one sentence that says which did not.
    """
    own, foreign = (f"self-proof-{secrets.token_hex(8)}" for _ in range(2))
    caller = Caller(issuer, own, (Identifier(kind, own),))
    spec = BodySpec(Format.JSON, records="$[*]", subject=({kind: ("$.owner",)},))
    planted = replace(
        rooms,
        endpoints=Endpoints([Endpoint(ENDPOINT, f"/{ENDPOINT}", spec)]),
        probe=True,
    )
    for owners, must_pass in (((own,), True), ((own, foreign), False), ((foreign,), False)):
        body = json.dumps([{"owner": owner} for owner in owners]).encode()
        for coded, coding in ((body, ()), (gzip.compress(body, mtime=0), ("gzip",))):
            play = _Planted(caller, coded, coding)
            outcome = await guard(
                Request("GET", f"/{ENDPOINT}", ()),
                replace(planted, admission=play.admit, identity=play, upstream=play),
            )
            if fault := _fault(outcome, must_pass):
                return fault
    return None


def _fault(outcome: Release | Denial, must_pass: bool) -> str | None:
    if isinstance(outcome, Release):
        outcome.body.close()
        if must_pass:
            return None if outcome.counts.released == 1 else "the own record did not pass whole"
        return None if outcome.counts.redacted else "a planted foreign record was released"
    if must_pass:
        return f"the own record did not pass: {outcome.code}"
    if outcome.code is Code.BLOCKED_BY_POLICY:
        return None
    return f"a planted foreign record met {outcome.code}, not the policy"
