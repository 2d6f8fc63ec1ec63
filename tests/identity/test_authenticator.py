"""The steps together: from field lines to a caller, for several issuers and over time."""

import asyncio
import json
from collections.abc import Callable

import pytest
from aiohttp import web

from gateway.errors import Code, Refusal, Unauthenticated, Unavailable
from gateway.identity.authenticator import Authenticator
from gateway.identity.settings import IdentitySettings
from gateway.model import Identifier
from tests.identity.conftest import Clock, pins
from tests.support.issuer import ABSENT, SigningKey, TestIssuer

Door = Callable[..., Authenticator]


async def code_of(authenticator: Authenticator, *lines: str) -> Code:
    with pytest.raises(Refusal) as caught:
        await authenticator.authenticate([line.encode() for line in lines])
    return caught.value.code


async def test_a_good_token_names_its_caller(issuer: TestIssuer, door: Door) -> None:
    line = issuer.bearer(sub="A1", email="x@y.org", email_verified=True, scope="export.read")
    caller = await door(issuer).authenticate([line.encode()])
    assert (caller.issuer, caller.id) == (issuer.issuer, "A1")
    assert caller.identifiers == (Identifier("account", "A1"), Identifier("email", "x@y.org"))
    assert caller.scopes == ("export.read",)


async def test_each_cause_has_its_code_and_all_read_the_same(
    issuer: TestIssuer, door: Door
) -> None:
    """B32: the caller reads one code and status; the log reads the cause."""
    authenticator = door(issuer)
    causes: list[tuple[list[str], Code]] = [
        ([], Code.TOKEN_MISSING),
        (["Basic dTpw"], Code.TOKEN_MISSING),
        (["Bearer x"], Code.TOKEN_MALFORMED),
        ([f"Bearer {issuer.forged()}"], Code.TOKEN_UNTRUSTED),
        ([issuer.bearer(header={"alg": "none"})], Code.TOKEN_UNTRUSTED),
        ([issuer.bearer(header={"kid": "other"})], Code.TOKEN_UNTRUSTED),
        ([issuer.bearer(iss="https://evil.example")], Code.TOKEN_UNTRUSTED),
        ([f"Bearer {issuer.expired()}"], Code.TOKEN_EXPIRED),
        ([issuer.bearer(sub=ABSENT)], Code.TOKEN_CLAIMS),
        ([issuer.bearer(act={"sub": "a", "act": {"sub": "b"}})], Code.TOKEN_CLAIMS),
    ]
    seen = set()
    for lines, code in causes:
        with pytest.raises(Unauthenticated) as caught:
            await authenticator.authenticate([line.encode() for line in lines])
        assert caught.value.code is code
        seen.add((caught.value.http_status, caught.value.public_code))
    assert seen == {(401, Code.TOKEN_REJECTED)}


async def test_a_key_of_one_issuer_never_verifies_for_another(clock: Clock, door: Door) -> None:
    """B16: same `kid`, same audience, both keys valid: each for its own issuer."""
    ours = TestIssuer("https://a.example", clock=lambda: clock.wall)
    theirs = TestIssuer(
        "https://b.example", key=SigningKey(ours.key.kid, serial=1), clock=lambda: clock.wall
    )
    authenticator = door(ours, theirs)
    assert (await authenticator.authenticate([ours.bearer().encode()])).issuer == ours.issuer
    assert (await authenticator.authenticate([theirs.bearer().encode()])).issuer == theirs.issuer
    crossed = ours.bearer(signed_by=theirs.key)
    assert await code_of(authenticator, crossed) is Code.TOKEN_UNTRUSTED


async def test_each_issuer_keeps_its_own_algorithms_and_audience(clock: Clock) -> None:
    """B14, B34: what one issuer may do is no permission for another."""
    async with TestIssuer("https://a.example", clock=lambda: clock.wall).serve() as server:
        issuers = [
            TestIssuer("https://a.example", "aud-a", clock=lambda: clock.wall),
            TestIssuer(
                "https://b.example",
                "aud-b",
                key=SigningKey("ec", "ES256"),
                clock=lambda: clock.wall,
            ),
        ]
        everything = {"keys": [each.key.jwk() for each in issuers]}

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response(everything)

        server.answer = answer
        authenticator = Authenticator(
            IdentitySettings(tuple(pins(each, server.url) for each in issuers)),
            wall=lambda: clock.wall,
            monotonic=lambda: clock.monotonic,
        )
        a, b = issuers
        for each in issuers:
            assert (await authenticator.authenticate([each.bearer().encode()])).id == "A1"
        assert await code_of(authenticator, a.bearer(aud="aud-b")) is Code.TOKEN_CLAIMS
        es256 = a.bearer(header={"alg": "ES256", "kid": "ec"}, signed_by=b.key)
        assert await code_of(authenticator, es256) is Code.TOKEN_UNTRUSTED


async def test_a_token_makes_us_connect_nowhere(issuer: TestIssuer, door: Door) -> None:
    """B07, B08: neither `kid` nor `jku`, `x5u` or `iss` is an address to us."""
    stranger = TestIssuer(key=SigningKey(issuer.key.kid, serial=99))
    async with stranger.serve() as server:
        authenticator = door(issuer)
        brought = {"jku": server.url, "x5u": server.url, "jwk": stranger.key.jwk()}
        for token in (
            issuer.bearer(header=brought, signed_by=stranger.key),
            issuer.bearer(header=brought | {"kid": server.url}, signed_by=stranger.key),
            issuer.bearer(iss=server.url, signed_by=stranger.key),
        ):
            assert await code_of(authenticator, token) is Code.TOKEN_UNTRUSTED
        assert (await authenticator.authenticate([issuer.bearer(header=brought).encode()])).id
        assert server.hits == 0


async def test_a_refused_token_costs_no_key_fetch(issuer: TestIssuer, clock: Clock) -> None:
    """B17, B25: what its shape, issuer, type or algorithm exclude is refused before that."""
    async with issuer.serve() as server:
        authenticator = Authenticator(
            IdentitySettings((pins(issuer, server.url),)), wall=lambda: clock.wall
        )
        for line in (
            "Bearer x.y.z",
            issuer.bearer(filler="x" * 1_000_000),
            issuer.bearer(iss="https://evil.example"),
            issuer.bearer(header={"alg": "HS256"}),
            issuer.bearer(header={"typ": "logout+jwt"}),
            issuer.bearer(header={"crit": ["x"]}),
        ):
            assert isinstance(await code_of(authenticator, line), Code)
        assert server.hits == 0
        assert (await authenticator.authenticate([issuer.bearer().encode()])).id == "A1"
        assert server.hits == 1


async def test_the_gateway_is_ready_when_every_issuer_has_delivered_keys(
    issuer: TestIssuer, clock: Clock
) -> None:
    """B21: unreachable at the start is not ready; unreachable later is an outage of that issuer."""
    late = TestIssuer("https://late.example", clock=lambda: clock.wall)
    async with issuer.serve() as first, late.serve() as second:
        good = second.answer

        async def down(request: web.Request) -> web.StreamResponse:
            return web.Response(status=503)

        second.answer = down
        authenticator = Authenticator(
            IdentitySettings((pins(issuer, first.url), pins(late, second.url))),
            wall=lambda: clock.wall,
            monotonic=lambda: clock.monotonic,
        )
        assert not authenticator.ready
        await authenticator.start()
        assert not authenticator.ready
        assert "https://late.example" in authenticator.unready
        assert (await authenticator.authenticate([issuer.bearer().encode()])).id == "A1"
        assert await code_of(authenticator, late.bearer()) is Code.KEYS_UNAVAILABLE

        clock.advance(30)
        second.answer = good
        assert (await authenticator.authenticate([late.bearer().encode()])).id == "A1"
        assert authenticator.ready
        assert authenticator.unready == ""

        clock.advance(3585)  # the first issuer's keys are too old now, the second one's not yet
        first.answer = down
        assert await code_of(authenticator, issuer.bearer()) is Code.KEYS_UNAVAILABLE
        assert (await authenticator.authenticate([late.bearer().encode()])).id == "A1"
        assert authenticator.ready
        clock.advance(30)
        assert not authenticator.ready
        await authenticator.stop()


async def test_the_facts_tell_an_operator_about_each_issuer(
    issuer: TestIssuer, door: Door, clock: Clock
) -> None:
    authenticator = door(issuer)
    await authenticator.start()
    clock.advance(7)
    (facts,) = authenticator.key_facts()
    assert (facts.issuer, facts.keys, facts.age, facts.live) == (issuer.issuer, 1, 7, True)
    assert facts.ignored == {}
    await authenticator.stop()


async def test_start_and_stop_leave_no_task_behind(issuer: TestIssuer, door: Door) -> None:
    before = asyncio.all_tasks()
    authenticator = door(issuer)
    await authenticator.start()
    await authenticator.stop()
    await authenticator.stop()
    assert asyncio.all_tasks() == before


async def test_the_keys_age_by_another_clock_than_the_tokens(
    issuer: TestIssuer, door: Door, clock: Clock
) -> None:
    """A wall clock that is set back or ahead must not bring keys back, or take them away."""
    authenticator = door(issuer)
    await authenticator.start()
    clock.wall += 10**6
    assert (await authenticator.authenticate([issuer.bearer().encode()])).id == "A1"
    clock.wall -= 2 * 10**6
    assert (await authenticator.authenticate([issuer.bearer().encode()])).id == "A1"
    await authenticator.stop()


async def test_stale_keys_refuse_even_a_token_that_was_accepted_before(
    issuer: TestIssuer, clock: Clock
) -> None:
    async with issuer.serve() as server:
        authenticator = Authenticator(
            IdentitySettings((pins(issuer, server.url),)),
            wall=lambda: clock.wall,
            monotonic=lambda: clock.monotonic,
        )
        line = issuer.bearer(exp=int(clock.wall) + 10_000).encode()
        assert (await authenticator.authenticate([line])).id == "A1"
        issuer.rotate("key-2", keep=False)
        clock.advance(3601)
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate([line])

        async def down(request: web.Request) -> web.StreamResponse:
            return web.Response(body=json.dumps({"keys": []}).encode())

        server.answer = down
        clock.advance(3601)
        with pytest.raises(Unavailable):
            await authenticator.authenticate([line])
