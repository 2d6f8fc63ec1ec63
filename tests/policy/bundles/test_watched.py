"""A folder or an archive on this machine, watched: what changes is offered, once, when it rests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.bundles import watched as watched_module
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.watched import WatchedSource
from tests.policy.bundles.support import RULE, Time, delivery, files, folder, soon, tarball

Make = Callable[..., WatchedSource]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[WatchedSource] = []

    def source(
        path: Path, overlay: Path | None = None, time: Time | None = None, **settings: Any
    ) -> WatchedSource:
        made.append(WatchedSource(path, overlay, delivery(**settings), (time or Time()).clocks))
        return made[-1]

    yield source
    for each in made:
        await each.stop()


async def said(waiting: Awaitable[object]) -> str:
    with pytest.raises(BundleError) as refusal:
        async with asyncio.timeout(20):
            await waiting
    return str(refusal.value)


async def ticks(source: WatchedSource, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the source look so many times; nothing may come of it."""
    looks, enough = 0, asyncio.Event()
    real = watched_module.glance
    loop = asyncio.get_running_loop()

    def count(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == number:
            loop.call_soon_threadsafe(enough.set)
        return real(*arguments)

    monkeypatch.setattr(watched_module, "glance", count)
    waiting = asyncio.create_task(source.next())
    async with asyncio.timeout(20):
        await enough.wait()
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait({waiting})
    monkeypatch.setattr(watched_module, "glance", real)


async def test_a_change_is_offered_and_no_change_is_not(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(folder(tmp_path, files("1")))
    first = await source.start()
    source.activated(first)
    await ticks(source, monkeypatch, 5)
    folder(tmp_path, files("2"))
    assert (await soon(source.next())).revision == "2"
    await ticks(source, monkeypatch, 5)


async def test_an_archive_is_watched_in_the_same_way(tmp_path: Path, make: Make) -> None:
    archive = tmp_path / "b.tar.gz"
    archive.write_bytes(tarball(files("1")))
    source = make(archive)
    assert (await source.start()).revision == "1"
    archive.write_bytes(tarball(files("2")))
    assert (await soon(source.next())).revision == "2"


async def test_the_overlay_is_watched_too(tmp_path: Path, make: Make) -> None:
    overlay = tmp_path / "d.json"
    overlay.write_text('{"a": 1}')
    source = make(folder(tmp_path / "b", files("1")), overlay)
    first = await source.start()
    overlay.write_text('{"a": 2}')
    second = await soon(source.next())
    assert second.data["privacy"]["deployment"] == {"a": 2}
    assert second.edition == first.edition
    overlay.write_text("{")
    assert "not strict JSON" in await said(source.next())
    overlay.write_text('{"a": 3}')
    third = await soon(source.next())
    assert third.data["privacy"]["deployment"] == {"a": 3}


async def test_a_config_map_is_swapped_in_one_step(tmp_path: Path, make: Make) -> None:
    for version in ("1", "2"):
        made = folder(tmp_path / f"..{version}", {})
        contents = files(version)
        folder(made, {".manifest": contents[".manifest"], "p.rego": contents["privacy/p.rego"]})
    (tmp_path / "..data").symlink_to("..1")
    for name in (".manifest", "p.rego"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    source = make(tmp_path)
    assert (await source.start()).revision == "1"
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert (await soon(source.next())).revision == "2"


async def test_touching_a_file_is_no_change(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(folder(tmp_path, files("1")))
    await source.start()
    folder(tmp_path, files("1"))
    await ticks(source, monkeypatch, 5)


async def test_a_copy_under_way_is_not_half_a_policy(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look sees another file until the copy is complete."""
    source = make(folder(tmp_path, files("1")))
    await source.start()
    real, copied = watched_module.glance, 0

    def copy_one_more(*arguments: Any) -> Any:
        nonlocal copied
        if copied < 6:
            folder(tmp_path, {f"privacy/q{copied}.rego": RULE.encode()})
            copied += 1
        return real(*arguments)

    monkeypatch.setattr(watched_module, "glance", copy_one_more)
    folder(tmp_path, {".manifest": files("2")[".manifest"]})
    candidate = await soon(source.next())
    assert candidate.revision == "2"
    assert len(candidate.modules) == 7


async def test_a_fault_is_said_once_until_it_looks_otherwise_or_its_time_has_come(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    source = make(folder(tmp_path, files("1")), time=time)
    await source.start()
    folder(tmp_path, {"privacy/q.rego": b"no package"})
    assert "expected to begin with a line" in await said(source.next())
    await ticks(source, monkeypatch, 5)
    time.now += 1000
    assert "expected to begin with a line" in await said(source.next())
    folder(tmp_path, {"privacy/q.rego": b"still no package"})
    assert "expected to begin with a line" in await said(source.next())
    (tmp_path / "privacy" / "q.rego").unlink()
    folder(tmp_path, files("2"))
    assert (await soon(source.next())).revision == "2"


async def test_a_folder_that_is_gone_is_a_fault_and_comes_back(tmp_path: Path, make: Make) -> None:
    place = folder(tmp_path / "b", files("1"))
    source = make(place)
    assert (await source.start()).revision == "1"
    place.rename(tmp_path / "away")
    assert "not a folder" in await said(source.next())
    folder(tmp_path / "away", files("2"))
    (tmp_path / "away").rename(place)
    assert (await soon(source.next())).revision == "2"


async def test_an_unusable_folder_is_no_start(tmp_path: Path, make: Make) -> None:
    assert "not a folder" in await said(make(tmp_path / "none").start())
    source = make(folder(tmp_path / "b", {}))
    assert "not a folder" in await said(source.start())
    folder(tmp_path / "b", files())
    assert await source.start()
    assert "the files themselves are all there is" in await said(source.last_good())


# --- age ----------------------------------------------------------------------------------------


async def test_what_is_active_and_unchanged_is_confirmed_at_every_look(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    source = make(folder(tmp_path, files("1")), time=time)
    assert source.age == float("inf")
    first = await source.start()
    assert source.age == float("inf")
    source.activated(first)
    assert source.age == 0
    time.now += 50
    assert source.age == 50
    await ticks(source, monkeypatch, 3)
    assert source.age == 0


async def test_a_candidate_that_never_becomes_active_lets_the_active_one_age(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    source = make(folder(tmp_path, files("1")), time=time)
    source.activated(await source.start())
    folder(tmp_path, files("2"))
    second = await soon(source.next())
    time.now += 50
    await ticks(source, monkeypatch, 3)
    assert source.age == 50
    source.activated(second)
    assert source.age == 0


async def test_a_fault_lets_the_active_one_age(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    source = make(folder(tmp_path, files("1")), time=time)
    source.activated(await source.start())
    (tmp_path / ".manifest").unlink()
    assert "missing" in await said(source.next())
    time.now += 0.1
    await ticks(source, monkeypatch, 3)
    assert source.age == pytest.approx(0.1, abs=1e-3)
    folder(tmp_path, files("1"))
    time.now += 50
    await ticks(source, monkeypatch, 6)
    assert source.age == 0


# --- order --------------------------------------------------------------------------------------


async def test_an_older_revision_is_refused_and_a_newer_one_is_not(
    tmp_path: Path, make: Make
) -> None:
    source = make(folder(tmp_path, files("2")))
    source.activated(await source.start())
    folder(tmp_path, files("1"))
    assert "its revision is older than the active one" in await said(source.next())
    folder(tmp_path, files("2", RULE + "\n"))
    assert "has the revision of the active bundle, but other content" in await said(source.next())
    folder(tmp_path, files("3"))
    assert (await soon(source.next())).revision == "3"


async def test_a_restart_remembers_what_was_active(tmp_path: Path, make: Make) -> None:
    state = tmp_path / "state"
    place = folder(tmp_path / "b", files("2"))
    source = make(place, state=state)
    source.activated(await source.start())
    await source.stop()
    folder(place, files("1"))
    assert "its revision is older" in await said(make(place, state=state).start())
    assert (await make(place).start()).revision == "1"  # without a state there is no memory
    folder(place, files("2"))
    assert (await make(place, state=state).start()).revision == "2"


async def test_what_cannot_be_remembered_is_not_taken_for_nothing(
    tmp_path: Path, make: Make
) -> None:
    state, place = tmp_path / "state", folder(tmp_path / "b", files("2"))
    source = make(place, state=state)
    source.activated(await source.start())
    await source.stop()
    (record,) = state.glob("*.json")
    record.write_text("{")
    folder(place, files("1"))
    again = make(place, state=state)
    for attempt in (again.start, again.next):
        assert "damaged" in await said(attempt())


async def test_what_was_not_activated_is_not_remembered(tmp_path: Path, make: Make) -> None:
    state = tmp_path / "state"
    place = folder(tmp_path / "b", files("2"))
    source = make(place, state=state)
    await source.start()
    await source.stop()
    folder(place, files("1"))
    assert (await make(place, state=state).start()).revision == "1"


async def test_a_state_that_cannot_be_written_is_said_once_and_stops_nothing(
    tmp_path: Path, make: Make
) -> None:
    state, place = tmp_path / "state", folder(tmp_path / "b", files("1"))
    source = make(place, state=state)
    first = await source.start()
    state.rmdir()
    state.write_text("in the way")
    source.activated(first)
    assert "File exists" in await said(source.next())
    folder(place, files("2"))
    assert (await soon(source.next())).revision == "2"
