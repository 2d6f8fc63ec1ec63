"""From a place to a bundle: what is signed is proven first."""

from pathlib import Path

import pytest

from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.reading import Glance, glance, read_archive, read_overlay, read_path
from gateway.policy.bundles.settings import SigningAlgorithm, SigningSettings
from tests.policy.bundles.support import (
    delivery,
    files,
    folder,
    opa_build,
    signed_by,
    signing_key,
    tarball,
)


def test_a_folder_and_an_archive_of_the_same_files_are_the_same_bundle(tmp_path: Path) -> None:
    archive = tmp_path / "b.tar.gz"
    archive.write_bytes(tarball(files("1")))
    one = read_path(archive, None, delivery())
    other = read_path(folder(tmp_path / "b", files("1")), None, delivery())
    assert one.digest == other.digest
    assert (one.origin, other.origin) == (str(archive), str(tmp_path / "b"))


def test_a_name_that_no_file_can_have_is_a_fault_like_any(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="name too long"):
        read_path(tmp_path / ("x" * 300), None, delivery())


def test_an_overlay_lies_over_either(tmp_path: Path) -> None:
    overlay = tmp_path / "deployment.yaml"
    overlay.write_text("grounds: {}\n")
    bundle = read_archive(tarball(files("1")), "origin", overlay, delivery())
    assert bundle.data == {"privacy": {"deployment": {"grounds": {}}}}
    assert bundle.revision.startswith("1+sha256:")
    overlay.write_text("[]")
    with pytest.raises(BundleError, match=r"deployment\.yaml: expected an object"):
        read_overlay(overlay, 1000)


@pytest.mark.opa
def test_a_bundle_is_proven_before_it_is_believed(opa_binary: str, tmp_path: Path) -> None:
    key = signing_key(tmp_path, "ES256")
    signing = SigningSettings(key.public, "prod", SigningAlgorithm.ES256)
    source = folder(tmp_path / "b", files())
    archive = tmp_path / "b.tar.gz"
    opa_build(opa_binary, source, archive, *signed_by(key), revision="1")
    assert read_path(archive, None, delivery(signing=signing)).revision == "1"
    with pytest.raises(BundleError, match="signed, but no key is configured"):
        read_path(archive, None, delivery())
    for unsigned in (source, archive):
        archive.write_bytes(tarball(files() | {"privacy/data.json": b"not even JSON"}))
        with pytest.raises(BundleError, match="missing: the configuration asks for a signed"):
            read_path(unsigned, None, delivery(signing=signing))
    key.public.unlink()
    with pytest.raises(BundleError, match="No such file"):
        read_path(source, None, delivery(signing=signing))


def test_a_glance_changes_with_what_counts(tmp_path: Path) -> None:
    overlay, place = tmp_path / "d.json", folder(tmp_path / "b", files())
    seen = [glance(place, overlay, delivery())]
    overlay.write_text("{}")
    seen.append(glance(place, overlay, delivery()))
    folder(place, {"privacy/q.rego": b""})
    seen.append(glance(place, overlay, delivery()))
    archive = tmp_path / "b.tar.gz"
    archive.write_bytes(b"x")
    seen.append(glance(archive, overlay, delivery()))
    assert len({repr(each) for each in seen}) == 4
    assert glance(archive, overlay, delivery()) == seen[-1]
    assert glance(tmp_path / "none", None, delivery()).place is None


def test_a_name_that_no_folder_has_is_said_and_glanced_at_as_nothing(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 300)
    assert glance(path, path, delivery()) == Glance(None, None)
    with pytest.raises(BundleError, match="File name too long"):
        read_path(path, None, delivery())
