"""A bundle server as a source: polled, proven, confirmed, and missed for a while (D13, D15)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.pauses import Clocks
from gateway.policy.bundles.server import ServerSource
from gateway.policy.bundles.settings import PollingSettings, SigningAlgorithm, SigningSettings
from tests.policy.bundles.support import (
    RULE,
    BundleServer,
    Time,
    bundle_server,
    delivery,
    files,
    folder,
    opa_build,
    signed_by,
    signing_key,
    soon,
    tarball,
)

Make = Callable[..., ServerSource]

ONE, TWO, THREE = (tarball(files(revision)) for revision in "123")


@pytest.fixture
async def server() -> AsyncIterator[BundleServer]:
    async with bundle_server(ONE, '"1"') as server:
        yield server


@pytest.fixture
async def make(server: BundleServer) -> AsyncIterator[Make]:
    made: list[ServerSource] = []

    def source(
        overlay: Path | None = None, clocks: Clocks | None = None, **settings: Any
    ) -> ServerSource:
        given = delivery(**settings)
        made.append(ServerSource(server.url, overlay, given, clocks or Time().clocks))
        return made[-1]

    yield source
    for each in made:
        await each.stop()


async def said(waiting: Awaitable[object]) -> str:
    with pytest.raises(BundleError) as refusal:
        async with asyncio.timeout(20):
            await waiting
    assert "\n" not in str(refusal.value)
    return refusal.value.message


async def polls(source: ServerSource, server: BundleServer, number: int) -> None:
    """Let the source poll so many times and read the answers; nothing may come of it."""
    waiting = asyncio.create_task(source.next())
    async with asyncio.timeout(20):
        # The answer to the last but one is read before the last is asked for.
        await server.until_asked(len(server.asked) + number + 1)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait({waiting})


# --- polling ------------------------------------------------------------------------------------


async def test_a_change_is_offered_and_no_change_is_asked_for_by_its_etag(
    server: BundleServer, make: Make
) -> None:
    source = make()
    first = await source.start()
    assert (first.revision, first.stale) == ("1", False)
    assert first.origin == server.url
    source.activated(first)
    await polls(source, server, 3)
    assert all(asked["If-None-Match"] == '"1"' for asked in server.asked[1:])
    server.serve(TWO, '"2"')
    assert (await soon(source.next())).revision == "2"
    await polls(source, server, 1)
    assert server.asked[-1]["If-None-Match"] == '"2"'


async def test_a_304_under_another_etag_is_about_the_archive_that_was_asked_for(
    server: BundleServer, make: Make
) -> None:
    """A cache may name a newer archive there, which would never be asked for again."""
    source = make()
    source.activated(await source.start())
    server.fail(304, {"ETag": '"2"'})
    await polls(source, server, 2)
    assert server.asked[-1]["If-None-Match"] == '"1"'
    server.serve(TWO, '"2"')
    assert (await soon(source.next())).revision == "2"


async def test_the_same_archive_under_another_etag_is_no_change(
    server: BundleServer, make: Make
) -> None:
    source = make()
    source.activated(await source.start())
    server.serve(ONE, '"other"')
    await polls(source, server, 2)
    server.serve(ONE, "")
    await polls(source, server, 2)
    server.serve(TWO, "")
    assert (await soon(source.next())).revision == "2"


@pytest.mark.parametrize(
    ("archive", "says"),
    [
        (b"", "not a .tar.gz"),
        (b"<html>", "not a .tar.gz"),
        (TWO[:-1], "the gzip stream ends early"),
        (tarball(files("2") | {"../x.rego": b"package privacy"}, ""), "leads elsewhere"),
        (tarball({"privacy/p.rego": RULE.encode()}), "missing: a bundle needs one"),
        (tarball({"privacy/data.json": b"0" * (5 << 20)}), "a bomb"),
    ],
    ids=["nothing", "HTML", "cut", "a way up", "no manifest", "a bomb"],
)
async def test_what_cannot_be_used_is_said_and_asked_for_again(
    server: BundleServer, make: Make, archive: bytes, says: str
) -> None:
    source = make()
    source.activated(await source.start())
    server.serve(archive, '"2"')
    for _ in range(2):
        assert says in await said(source.next())
    assert server.asked[-1]["If-None-Match"] == '"1"'
    server.serve(TWO, '"3"')
    assert (await soon(source.next())).revision == "2"


async def test_a_server_that_fails_is_asked_again_and_recovers(
    server: BundleServer, make: Make
) -> None:
    """D15."""
    source = make()
    source.activated(await source.start())
    for status in (500, 302, 404):
        server.fail(status)
        assert f"answered {status}" in await said(source.next())
    server.serve(TWO, '"2"')
    assert (await soon(source.next())).revision == "2"


async def test_a_cancelled_wait_loses_nothing(server: BundleServer, make: Make) -> None:
    source = make()
    await source.start()
    for _ in range(5):
        waiting = asyncio.create_task(source.next())
        await server.until_asked(len(server.asked) + 1)
        waiting.cancel()
        await asyncio.wait({waiting})
    server.serve(TWO, '"2"')
    assert (await soon(source.next())).revision == "2"


async def test_a_stop_in_the_middle_of_a_poll_ends_it(server: BundleServer, make: Make) -> None:
    server.waits = True
    source = make(polling=PollingSettings(min=0.001, max=0.002, long_poll=30))
    await source.start()
    waiting = asyncio.create_task(source.next())
    await server.until_asked(2)
    waiting.cancel()
    await asyncio.wait({waiting})
    async with asyncio.timeout(20):
        await source.stop()


# --- long polling -------------------------------------------------------------------------------


def passing() -> Clocks:
    """Each look at the clock is a second later, so that no long poll has to pause."""
    time = Time()

    def look() -> float:
        time.now += 1
        return time.now

    return Clocks(wall=look, monotonic=look, chance=lambda: 0.5)


LONG = PollingSettings(min=0.001, max=0.002, long_poll=30, files=0.001)


async def test_a_server_that_can_wait_is_left_to_wait(server: BundleServer, make: Make) -> None:
    server.waits = True
    source = make(polling=LONG, clocks=passing())
    source.activated(await source.start())
    waiting = asyncio.create_task(source.next())
    await server.until_asked(2)
    assert server.asked[1]["Prefer"] == "modes=snapshot;wait=30"
    assert not waiting.done()
    server.serve(TWO, '"2"')
    assert (await soon(waiting)).revision == "2"
    assert len(server.asked) == 2


async def test_a_server_that_cannot_wait_is_polled(server: BundleServer, make: Make) -> None:
    source = make(polling=LONG, clocks=passing())
    source.activated(await source.start())
    await polls(source, server, 3)
    assert not [asked for asked in server.asked if "wait" in asked["Prefer"]]


async def test_the_overlay_is_watched_while_the_server_waits(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    server.waits = True
    overlay = tmp_path / "d.json"
    overlay.write_text('{"a": 1}')
    source = make(overlay, polling=LONG, clocks=passing())
    first = await source.start()
    source.activated(first)
    overlay.write_text('{"a": 2, "b": 1}')
    second = await soon(source.next())
    assert second.data["privacy"]["deployment"] == {"a": 2, "b": 1}
    assert second.edition == first.edition
    assert len(server.asked) <= 2
    overlay.write_text("{")
    assert "not strict JSON" in await said(source.next())
    overlay.write_text('{"a": 3, "b": 2, "c": 1}')
    assert (await soon(source.next())).data["privacy"]["deployment"]["a"] == 3


# --- age ----------------------------------------------------------------------------------------


async def test_only_the_server_confirms_and_only_what_is_active(
    server: BundleServer, make: Make
) -> None:
    time = Time()
    source = make(clocks=time.clocks)
    assert source.age == float("inf")
    source.activated(await source.start())
    assert source.age == 0
    time.now += 50
    assert source.age == 50
    await polls(source, server, 1)
    assert source.age == 0
    server.fail(503)
    time.now += 50
    assert "503" in await said(source.next())
    assert source.age == 50
    server.serve(TWO, '"2"')
    second = await soon(source.next())
    await polls(source, server, 2)  # 304 for the second, while the first is active
    assert source.age == 50
    source.activated(second)
    assert source.age == 0


async def test_an_overlay_that_cannot_be_read_lets_what_is_active_age(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    time, overlay = Time(), tmp_path / "d.json"
    overlay.write_text("{}")
    source = make(overlay, clocks=time.clocks)
    source.activated(await source.start())
    overlay.unlink()
    assert "No such file" in await said(source.next())
    time.now += 50
    await polls(source, server, 2)
    assert source.age == 50


# --- the last good ------------------------------------------------------------------------------


async def activated(make: Make, state: Path, **settings: Any) -> None:
    source = make(state=state, **settings)
    source.activated(await source.start())
    await source.stop()


async def test_a_start_without_the_server_is_with_the_last_good(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    time = Time()
    await activated(make, tmp_path / "s", clocks=time.clocks)
    server.fail(503)
    time.now += 50
    source = make(state=tmp_path / "s", clocks=time.clocks)
    kept = await source.start()
    assert (kept.revision, kept.stale) == ("1", True)
    source.activated(kept)
    assert source.age == 50
    assert "503" in await said(source.next())
    server.serve(ONE, '"1"')
    await polls(source, server, 1)
    assert source.age == 0
    server.serve(TWO, '"2"')
    fresh = await soon(source.next())
    assert (fresh.revision, fresh.stale) == ("2", False)


async def test_the_last_good_is_too_old_at_last(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    """D15."""
    time = Time()
    await activated(make, tmp_path / "s", clocks=time.clocks)
    server.fail(503)
    time.now += 60
    assert (await make(state=tmp_path / "s", clocks=time.clocks).start()).stale
    time.now += 0.1
    told = await said(make(state=tmp_path / "s", clocks=time.clocks).start())
    assert told == "answered 503; the last good bundle is older than max_age"


async def test_a_last_good_from_the_future_is_none(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    time = Time()
    await activated(make, tmp_path / "s", clocks=time.clocks)
    server.fail(503)
    time.now -= 1
    told = await said(make(state=tmp_path / "s", clocks=time.clocks).start())
    assert "from the future" in told


async def test_without_a_state_there_is_no_last_good(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    source = make()
    source.activated(await source.start())
    server.fail(503)
    assert await said(make().start()) == "answered 503; no last good bundle is kept"
    told = await said(make(state=tmp_path / "s").start())
    assert told == "answered 503; no last good bundle is kept"


async def test_the_last_good_serves_where_the_first_candidate_proves_unfit(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    await activated(make, tmp_path / "s")
    server.serve(TWO, '"2"')
    source = make(state=tmp_path / "s")
    assert (await source.start()).revision == "2"
    kept = await source.last_good()
    assert (kept.revision, kept.stale) == ("1", True)
    source.activated(kept)
    assert (await soon(source.next())).revision == "2"


async def test_a_start_asks_only_for_what_is_not_here_already(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    await activated(make, tmp_path / "s")
    first = await make(state=tmp_path / "s").start()
    assert (first.revision, first.stale) == ("1", False)
    assert server.asked[-1]["If-None-Match"] == '"1"'


async def test_what_was_not_activated_is_not_kept(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    source = make(state=tmp_path / "s")
    await source.start()
    await source.stop()
    server.fail(503)
    assert "no last good" in await said(make(state=tmp_path / "s").start())


async def test_confirmations_are_written_down_once_in_a_while(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    time = Time()
    source = make(state=tmp_path / "s", clocks=time.clocks, max_age=10_000.0)
    source.activated(await source.start())
    await polls(source, server, 1)
    time.now += 5_000
    await polls(source, server, 2)
    await source.stop()
    server.fail(503)
    time.now += 6_000
    kept = make(state=tmp_path / "s", clocks=time.clocks, max_age=10_000.0)
    kept.activated(await kept.start())
    assert kept.age == 6_000


async def test_a_damaged_state_is_no_start(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    await activated(make, tmp_path / "s")
    (record,) = (tmp_path / "s").glob("*.json")
    record.write_text("{")
    source = make(state=tmp_path / "s")
    for attempt in (source.start, source.next, source.next):
        assert await said(attempt()) == "damaged; remove it to forget the last good"
    record.unlink()
    assert (await soon(source.next())).revision == "1"


async def test_a_source_that_could_not_start_goes_on_by_itself(
    server: BundleServer, make: Make
) -> None:
    server.fail(503)
    source = make()
    assert "503" in await said(source.start())
    assert "503" in await said(source.next())
    server.serve(ONE, '"1"')
    assert (await soon(source.next())).revision == "1"


async def test_a_state_that_cannot_be_written_stops_nothing(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    source = make(state=tmp_path / "s")
    first = await source.start()
    (tmp_path / "s").rmdir()
    (tmp_path / "s").write_text("in the way")
    source.activated(first)
    assert "File exists" in await said(source.next())
    server.serve(TWO, '"2"')
    assert (await soon(source.next())).revision == "2"


# --- order and signatures -----------------------------------------------------------------------


async def test_an_older_revision_is_refused_after_a_restart_as_well(
    server: BundleServer, make: Make, tmp_path: Path
) -> None:
    """D13."""
    server.serve(TWO, '"2"')
    source = make(state=tmp_path / "s")
    source.activated(await source.start())
    server.serve(ONE, '"1"')
    assert await said(source.next()) == "its revision is older than the active one"
    await source.stop()
    again = make(state=tmp_path / "s")
    kept = await again.start()
    assert (kept.revision, kept.stale) == ("2", True)
    assert await said(again.next()) == "its revision is older than the active one"
    server.serve(THREE, '"3"')
    assert (await soon(again.next())).revision == "3"


async def test_the_same_revision_with_other_content_is_refused(
    server: BundleServer, make: Make
) -> None:
    source = make()
    source.activated(await source.start())
    server.serve(tarball(files("1", RULE + "\n")), '"2"')
    assert "other content" in await said(source.next())


@pytest.mark.opa
async def test_only_what_is_signed_is_offered_and_what_is_kept_is_proven_again(
    opa_binary: str, server: BundleServer, make: Make, tmp_path: Path
) -> None:
    key, other = (signing_key(tmp_path, "ES256", name) for name in ("one", "other"))
    signing = SigningSettings(key.public, "prod", SigningAlgorithm.ES256)
    source_folder = folder(tmp_path / "b", files())

    def build(by: Any, revision: str) -> bytes:
        out = tmp_path / "b.tar.gz"
        return opa_build(opa_binary, source_folder, out, *signed_by(by), revision=revision)

    server.serve(build(key, "1"), '"1"')
    source = make(state=tmp_path / "s", signing=signing)
    source.activated(await source.start())
    server.serve(build(other, "2"), '"2"')
    assert await said(source.next()) == "the signature is wrong"
    server.serve(TWO, '"3"')
    assert "missing: the configuration asks for a signed bundle" in await said(source.next())
    server.serve(build(key, "2"), '"4"')
    second = await soon(source.next())
    assert second.revision == "2"
    source.activated(second)
    await source.stop()
    server.fail(503)
    assert (await make(state=tmp_path / "s", signing=signing).start()).revision == "2"
    changed = SigningSettings(other.public, "prod", SigningAlgorithm.ES256)
    told = await said(make(state=tmp_path / "s", signing=changed).start())
    assert told == "answered 503; the signature is wrong"
