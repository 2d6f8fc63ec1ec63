"""Replicas that share a Secret and a caBundle, without a leader and without a failed handshake."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.injector.generations import bundle
from gateway.injector.kubernetes import Api, Fault
from gateway.injector.tls import Handshakes
from gateway.injector.upkeep import Pace, Upkeep
from tests.support.kubernetes import PLACES, FakeApi, serving

NAMES = frozenset({"injector.system.svc"})
LIFETIME = timedelta(days=90)


class Clock:
    """One time for everybody; `wall` and `monotonic` go on together."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC).replace(microsecond=0)
        self._passed = 0.0

    def on(self, **by: float) -> None:
        self._passed += timedelta(**by).total_seconds()

    def wall(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[FakeApi]:
    async with serving(FakeApi(tmp_path)) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


def replica(api: FakeApi, clock: Clock, names: frozenset[str] = NAMES) -> Upkeep:
    return Upkeep(
        Api(api.url, api.account), PLACES, names, Pace(LIFETIME), Handshakes(),
        clock.wall, clock.monotonic,
    )  # fmt: skip


def served(upkeep: Upkeep) -> bytes:
    certificate = upkeep._handshakes.certificate
    return certificate.text if certificate else b""


async def test_the_first_look_makes_a_certificate_has_it_trusted_and_serves_it(
    api: FakeApi, clock: Clock
) -> None:
    one = replica(api, clock)
    assert not one.trusted
    assert await one.look()
    (made,) = api.generations()
    assert made.names == NAMES
    assert api.ca_bundles() == [made.ca, made.ca]
    assert (one.trusted, one.well, served(one)) == (True, True, made.serving)


async def test_another_look_changes_nothing(api: FakeApi, clock: Clock) -> None:
    one = replica(api, clock)
    await one.look()
    api.asked.clear()
    assert await one.look()
    assert [method for method, _ in api.asked] == ["GET", "GET"]


async def test_what_else_is_in_the_objects_stays(api: FakeApi, clock: Clock) -> None:
    api.objects[PLACES.secret_path]["metadata"]["labels"] = {"a": "b"}
    api.objects[PLACES.webhook_path]["webhooks"][1]["timeoutSeconds"] = 5
    await replica(api, clock).look()
    assert api.objects[PLACES.secret_path]["metadata"]["labels"] == {"a": "b"}
    second = api.objects[PLACES.webhook_path]["webhooks"][1]
    assert (second["name"], second["timeoutSeconds"]) == ("enabled", 5)
    assert second["clientConfig"]["service"] == {"name": "injector"}


async def test_replicas_that_ask_at_the_same_moment_get_a_conflict_and_look_again(
    api: FakeApi, clock: Clock
) -> None:
    replicas = [replica(api, clock) for _ in range(4)]
    done = await asyncio.gather(*(each.look() for each in replicas))
    assert all(done), [each.fault for each in replicas]
    (made,) = api.generations()
    assert {served(each) for each in replicas} == {made.serving}
    assert api.ca_bundles() == [made.ca, made.ca]


async def test_endless_conflicts_end(api: FakeApi, clock: Clock) -> None:
    api.before = lambda method, _: 409 if method == "PUT" else 0
    one = replica(api, clock)
    assert not await one.look()
    assert one.fault is Fault.CONFLICT
    assert sum(method == "PUT" for method, _ in api.asked) == 5
    api.before = None
    assert await one.look()


@pytest.mark.parametrize(
    ("status", "fault"), [(403, Fault.FORBIDDEN), (404, Fault.MISSING), (500, Fault.STATUS)]
)
async def test_without_the_api_server_nothing_is_served_and_then_it_is(
    api: FakeApi, clock: Clock, status: int, fault: Fault
) -> None:
    one = replica(api, clock)
    api.before = lambda *_: status
    assert not await one.look()
    assert (one.trusted, one.fault, served(one)) == (False, fault, b"")
    api.before = lambda method, path: status if "webhook" in path and method == "PUT" else 0
    assert not await one.look()
    assert (one.trusted, served(one)) == (False, b""), "what nobody trusts is not served"
    api.before = None
    assert await one.look()
    assert served(one) == api.generations()[0].serving


async def test_a_bug_is_a_fault_and_the_next_look_goes_on(
    api: FakeApi, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replica(api, clock)
    with monkeypatch.context() as broken:
        broken.setattr(one, "_serve", lambda: {}["missing"])
        assert not await one.look()
    assert one.fault is Fault.INTERNAL
    assert await one.look()


async def test_an_api_server_that_is_lost_later_leaves_what_is_served(
    api: FakeApi, clock: Clock
) -> None:
    one = replica(api, clock)
    await one.look()
    before = served(one)
    api.before = lambda *_: 500
    clock.on(days=70)
    assert not await one.look()
    assert (one.trusted, one.well, served(one)) == (True, False, before)


async def test_the_next_certificate_is_trusted_before_it_is_served(
    api: FakeApi, clock: Clock
) -> None:
    replicas = one, two = replica(api, clock), replica(api, clock)
    for each in replicas:
        await each.look()
    clock.on(days=61)
    await one.look()
    old, new = api.generations()
    assert api.ca_bundles() == [old.ca + new.ca] * 2
    assert served(one) == served(two) == old.serving
    clock.on(seconds=59)
    await one.look()
    await two.look()
    assert served(one) == served(two) == old.serving
    clock.on(seconds=1)
    await one.look()
    await two.look()
    assert (served(one), served(two)) == (new.serving, old.serving), "the other saw it later"
    clock.on(seconds=60)
    await two.look()
    assert served(two) == new.serving


async def test_the_old_ca_is_trusted_until_it_expires_and_then_no_more(
    api: FakeApi, clock: Clock
) -> None:
    one = replica(api, clock)
    await one.look()
    (first,) = api.generations()
    clock.on(days=61)
    await one.look()
    clock.on(days=28)
    await one.look()
    assert first.ca in api.ca_bundles()[0]
    clock.on(days=2)
    await one.look()
    assert first.ca not in api.ca_bundles()[0]
    assert served(one) == api.generations()[-1].serving


async def test_whoever_starts_during_a_change_serves_what_all_trust(
    api: FakeApi, clock: Clock
) -> None:
    one = replica(api, clock)
    await one.look()
    clock.on(days=61)
    await one.look()
    late = replica(api, clock)
    await late.look()
    assert served(late) == api.generations()[0].serving


async def test_a_ca_that_somebody_took_out_comes_back_and_settles_again(
    api: FakeApi, clock: Clock
) -> None:
    one = replica(api, clock)
    await one.look()
    clock.on(days=61)
    await one.look()
    clock.on(seconds=60)
    await one.look()
    old, new = api.generations()
    assert served(one) == new.serving
    for webhook in api.objects[PLACES.webhook_path]["webhooks"]:
        webhook["clientConfig"].pop("caBundle")
    await one.look()
    assert api.ca_bundles() == [old.ca + new.ca] * 2


async def test_who_read_before_a_new_ca_was_trusted_can_not_take_it_out(
    api: FakeApi, clock: Clock
) -> None:
    """The slow one has read both objects; meanwhile the other renews; then the slow one writes."""
    one = replica(api, clock)
    await one.look()
    slow = replica(api, clock)
    for webhook in api.objects[PLACES.webhook_path]["webhooks"]:
        webhook["clientConfig"].pop("caBundle")  # so that the slow one has something to write

    class Slow:
        def __init__(self, real: Api) -> None:
            self._real, self._first = real, True

        async def get(self, path: str) -> dict[str, Any]:
            return await self._real.get(path)

        async def replace(self, path: str, value: Any) -> dict[str, Any]:
            if self._first:
                self._first = False
                clock.on(days=61)
                await one.look()
            return await self._real.replace(path, value)

    slow._api = Slow(Api(api.url, api.account))
    assert await slow.look()
    assert api.ca_bundles()[0] == bundle(api.generations())
    assert len(api.generations()) == 2


@pytest.mark.parametrize(
    "data", [None, {}, [], {"x.pem": "bm90IGEga2V5"}, {"x.pem": "%"}, {"x.pem": 7}, {"x": None}]
)
async def test_a_secret_that_holds_nothing_useful_gets_a_new_certificate(
    api: FakeApi, clock: Clock, data: Any
) -> None:
    api.objects[PLACES.secret_path]["data"] = data
    one = replica(api, clock)
    assert await one.look()
    assert served(one) == api.generations()[0].serving


@pytest.mark.parametrize(
    "webhooks",
    [None, [], {}, [1], [{}], [{"clientConfig": None}], [{"clientConfig": {"caBundle": 7}}]],
)
async def test_webhooks_that_are_none_are_malformed(
    api: FakeApi, clock: Clock, webhooks: Any
) -> None:
    api.objects[PLACES.webhook_path]["webhooks"] = webhooks
    one = replica(api, clock)
    assert not await one.look()
    assert one.fault is Fault.MALFORMED


async def test_other_names_get_a_certificate_of_their_own(api: FakeApi, clock: Clock) -> None:
    one, renamed = replica(api, clock), replica(api, clock, frozenset({"other.system.svc"}))
    for each in (one, renamed, one, renamed):
        assert await each.look()
    assert len(api.generations()) == 2
    assert served(one) != served(renamed)


def test_the_pace_follows_a_short_lifetime() -> None:
    assert (Pace(LIFETIME).period, Pace(LIFETIME).settle) == (30.0, 60.0)
    assert Pace(timedelta(seconds=10)).period == 0.5
    assert Pace(timedelta(seconds=10)).settle == 1.0


async def test_it_keeps_looking_and_comes_back_from_a_fault(api: FakeApi) -> None:
    """With real time: the first looks fail."""
    failures = iter([500, 403])
    trusted = asyncio.Event()
    api.before = lambda *_: next(failures, 0)
    api.on_trusted = lambda _: trusted.set()
    one = Upkeep(
        Api(api.url, api.account), PLACES, NAMES, Pace(timedelta(seconds=20)), Handshakes()
    )
    task = asyncio.create_task(one.keep())
    async with asyncio.timeout(30):
        await trusted.wait()
    task.cancel()
