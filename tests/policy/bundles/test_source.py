"""Which source fits the settings."""

from pathlib import Path

from gateway.policy.bundles.server import ServerSource
from gateway.policy.bundles.source import Source, make_source
from gateway.policy.bundles.watched import WatchedSource
from gateway.policy.settings import PolicySettings
from tests.policy.bundles.support import bundle_server, files, folder, tarball


async def started(source: Source) -> str:
    try:
        return (await source.start()).revision
    finally:
        await source.stop()


async def test_a_path_is_watched(tmp_path: Path) -> None:
    source = make_source(PolicySettings(bundle=folder(tmp_path, files("1"))))
    assert isinstance(source, WatchedSource)
    assert await started(source) == "1"


async def test_without_a_bundle_the_shipped_policies_are() -> None:
    assert (await started(make_source(PolicySettings()))).startswith("sha256:")


async def test_a_url_is_asked() -> None:
    async with bundle_server(tarball(files("1"))) as server:
        source = make_source(PolicySettings(bundle=server.url))
        assert isinstance(source, ServerSource)
        assert await started(source) == "1"


async def test_the_overlay_is_the_one_of_the_settings(tmp_path: Path) -> None:
    overlay = tmp_path / "d.json"
    overlay.write_text("{}")
    bundle = folder(tmp_path / "b", files("1"))
    revision = await started(make_source(PolicySettings(bundle=bundle, data=overlay)))
    assert revision.startswith("1+sha256:")
