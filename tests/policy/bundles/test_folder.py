"""Folders: read as they were at one moment, also while a ConfigMap is swapped."""

import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from gateway.policy.bundles import folder as folder_module
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.folder import look, read_folder
from tests.policy.bundles.support import files, folder

LIMIT = 1 << 20


def config_map(root: Path, version: str, text: bytes) -> None:
    """Put a version in place as Kubernetes does: a new folder, then one rename of `..data`."""
    made = root / f"..{version}"
    folder(made, {".manifest": b"{}", **{f"{name}.rego": text for name in "abcdefgh"}})
    link = root / "..data_tmp"
    link.symlink_to(made.name)
    link.replace(root / "..data")
    for path in made.iterdir():
        if not (root / path.name).is_symlink():
            (root / path.name).symlink_to(Path("..data") / path.name)


def test_what_counts_is_read_with_its_look(tmp_path: Path) -> None:
    folder(tmp_path, files() | {"README.md": b"x", "privacy/p_test.rego": b"x"})
    contents, seen = read_folder(tmp_path, LIMIT)
    assert contents == files()
    assert seen == look(tmp_path)
    assert seen.stamps.keys() == files().keys()


def test_everything_is_read_where_everything_is_signed(tmp_path: Path) -> None:
    more = {"README.md": b"x", ".regal/config.yaml": b"y", ".signatures.json": b"z"}
    folder(tmp_path, files() | more | {"..data/x": b"", ".git/HEAD": b""})
    contents, seen = read_folder(tmp_path, LIMIT, whole=True)
    assert contents == files() | more
    assert seen == look(tmp_path, whole=True)


@pytest.mark.parametrize("name", ["privacy/p.rego", ".manifest"])
def test_a_change_of_what_counts_changes_the_look(tmp_path: Path, name: str) -> None:
    folder(tmp_path, files())
    before = look(tmp_path)
    (tmp_path / "README.md").write_text("doesn't count")
    assert look(tmp_path) == before
    (tmp_path / "new").write_bytes(b"x")
    (tmp_path / "new").replace(tmp_path / name)
    assert look(tmp_path) != before


def test_a_swap_between_two_files_gives_the_new_version_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_map(tmp_path, "v1", b"one")
    read, swapped = folder_module.read, []

    def swap_in_the_middle(path: Path, limit: int) -> object:
        if path.name == "c.rego" and not swapped:
            swapped.append(config_map(tmp_path, "v2", b"two"))
        return read(path, limit)

    monkeypatch.setattr(folder_module, "read", swap_in_the_middle)
    contents, _ = read_folder(tmp_path, LIMIT)
    assert swapped
    assert {contents[f"{name}.rego"] for name in "abcdefgh"} == {b"two"}


def test_a_version_that_vanishes_in_the_middle_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_map(tmp_path, "v1", b"one")
    read, swapped = folder_module.read, []

    def vanish_in_the_middle(path: Path, limit: int) -> object:
        if path.name == "c.rego" and not swapped:
            swapped.append(config_map(tmp_path, "v2", b"two"))
            for old in (tmp_path / "..v1").iterdir():
                old.unlink()
            raise BundleError(path, "No such file or directory")
        return read(path, limit)

    monkeypatch.setattr(folder_module, "read", vanish_in_the_middle)
    contents, _ = read_folder(tmp_path, LIMIT)
    assert {contents[f"{name}.rego"] for name in "abcdefgh"} == {b"two"}


def test_many_swaps_never_give_a_mix(tmp_path: Path) -> None:
    """D06."""
    config_map(tmp_path, "v0", b"0")
    done = threading.Event()

    def swap() -> None:
        for number in range(1, 200):
            config_map(tmp_path, f"v{number}", str(number).encode())
        done.set()

    thread = threading.Thread(target=swap)
    thread.start()
    reads, seen = 0, set()
    try:
        while not done.is_set() or not reads:
            try:
                contents, _ = read_folder(tmp_path, LIMIT)
            except BundleError as fault:
                assert "changes again and again" in str(fault)
                continue
            versions = {contents[f"{name}.rego"] for name in "abcdefgh"}
            assert len(versions) == 1
            seen |= versions
            reads += 1
    finally:
        thread.join()
    contents, _ = read_folder(tmp_path, LIMIT)
    assert contents["a.rego"] == b"199"


def test_a_folder_that_never_rests_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, files())
    read = folder_module.read

    def restless(path: Path, limit: int) -> object:
        (tmp_path / "new").write_bytes(b"x")
        (tmp_path / "new").replace(tmp_path / "privacy" / "p.rego")
        return read(path, limit)

    monkeypatch.setattr(folder_module, "read", restless)
    with pytest.raises(BundleError, match="changes again and again while it is read"):
        read_folder(tmp_path, LIMIT)


def test_a_release_behind_a_symlink_is_read_where_it_is(tmp_path: Path) -> None:
    for version in ("1", "2"):
        folder(tmp_path / version, files(version))
    current = tmp_path / "current"
    current.symlink_to("1")
    before = look(current)
    assert read_folder(current, LIMIT)[0] == files("1")
    current.unlink()
    current.symlink_to("2")
    assert look(current) != before
    assert read_folder(current, LIMIT)[0] == files("2")


def test_a_huge_document_is_refused_without_being_read_to_its_end(tmp_path: Path) -> None:
    """D16: 500 MB."""
    folder(tmp_path, files() | {"privacy/data.json": b""})
    os.truncate(tmp_path / "privacy" / "data.json", 500 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match=r"privacy/data\.json: too large"):
            read_folder(tmp_path, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 8 * LIMIT
    finally:
        tracemalloc.stop()


def test_a_folder_is_bounded(tmp_path: Path) -> None:
    folder(tmp_path, files())
    with pytest.raises(BundleError, match="too large"):
        read_folder(tmp_path, 10)
    with pytest.raises(BundleError, match="File name too long"):
        look(tmp_path / ("n" * 300))
    with pytest.raises(BundleError, match="not a folder"):
        look(tmp_path / "none")
    with pytest.raises(BundleError, match="not a folder"):
        look(Path("a\0b"))
