"""The last good on disk: durable, private, never another source's, never silently forgotten."""

import json
import os
import stat
from pathlib import Path

import pytest

from gateway.policy.bundles.contents import Edition
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.lastgood import LastGood, Shelf

LIMIT = 1 << 20
GOOD = LastGood(Edition("42", "a" * 64), "b" * 64, 1_780_000_000.5, '"etag"', b"archive")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "a" / "state", "https://b.example.org/b.tar.gz")
    assert shelf.load(LIMIT) is None
    shelf.save(GOOD)
    assert Shelf(tmp_path / "a" / "state", "https://b.example.org/b.tar.gz").load(LIMIT) == GOOD


def test_an_edition_alone_is_kept_too(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "policies")
    bare = LastGood(Edition("", "a" * 64), "b" * 64, 1.0)
    shelf.save(bare)
    assert shelf.load(LIMIT) == bare
    assert len(names(tmp_path)) == 1


def test_the_next_one_takes_its_place_and_nothing_is_left(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "here")
    shelf.save(GOOD)
    later = LastGood(Edition("43", "c" * 64), "d" * 64, 2.0, "", b"another")
    shelf.save(later)
    assert shelf.load(LIMIT) == later
    assert len(names(tmp_path)) == 2


def test_sources_share_a_folder_without_taking_each_others(tmp_path: Path) -> None:
    one, other = Shelf(tmp_path, "here"), Shelf(tmp_path, "there")
    one.save(GOOD)
    assert other.load(LIMIT) is None
    other.save(LastGood(Edition("", "c" * 64), "d" * 64, 2.0, "", b"x"))
    assert one.load(LIMIT) == GOOD


def test_only_we_can_read_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o777)
    state.chmod(0o777)
    Shelf(state, "here").save(GOOD)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()} == {0o600}


def test_a_place_says_nothing_of_its_url(tmp_path: Path) -> None:
    Shelf(tmp_path, "https://b.example.org/?token=secret").save(GOOD)
    assert not [name for name in names(tmp_path) if "secret" in name]
    assert not [path for path in tmp_path.iterdir() if b"secret" in path.read_bytes()]


def said(shelf: Shelf) -> str:
    with pytest.raises(BundleError) as refusal:
        shelf.load(LIMIT)
    return refusal.value.message


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: b"",
        lambda content: b"[]",
        lambda content: content.replace(b'"edition":"a', b'"edition":"x'),
        lambda content: content.replace(b'"version":1', b'"version":"1"'),
        lambda content: content.replace(b'"archive":"', b'"archive":"../'),
        lambda content: content.replace(b'"etag"', b'"unknown"'),
    ],
)
def test_a_damaged_record_is_not_taken_for_none(tmp_path: Path, change: object) -> None:
    assert callable(change)
    shelf = Shelf(tmp_path, "here")
    shelf.save(GOOD)
    (record,) = tmp_path.glob("*.json")
    record.write_bytes(change(record.read_bytes()))
    assert said(shelf) == "damaged; remove it to forget the last good"


def test_a_record_of_another_version_is_not_read(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "here")
    shelf.save(GOOD)
    (record,) = tmp_path.glob("*.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"version": 2}))
    assert "another version" in said(shelf)


def test_a_damaged_or_missing_archive_is_not_taken(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "here")
    shelf.save(GOOD)
    (archive,) = tmp_path.glob("*.tar.gz")
    archive.write_bytes(b"archivE")
    assert said(shelf) == "damaged: not what was written"
    archive.unlink()
    assert said(shelf) == "No such file or directory"


def test_a_folder_that_is_not_ours_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert said(Shelf(tmp_path / "file", "here")) == "File exists"
    (tmp_path / "link").symlink_to(tmp_path)
    assert "not a folder of our own" in said(Shelf(tmp_path / "link", "here"))


def test_a_full_disk_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path, "here")
    shelf.save(GOOD)
    before = names(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    later = LastGood(Edition("43", "c" * 64), "d" * 64, 2.0, "", b"another")
    with pytest.raises(BundleError, match="No space left on device"):
        shelf.save(later)
    assert names(tmp_path) == before
    assert shelf.load(LIMIT) == GOOD


def test_a_file_left_by_a_crash_is_in_nobodys_way(tmp_path: Path) -> None:
    """A kill between writing and renaming: the record before counts."""
    shelf = Shelf(tmp_path, "here")
    shelf.save(GOOD)
    (record,) = tmp_path.glob("*.json")
    record.with_name(f".{record.name}.{os.getpid()}").write_bytes(b"half")
    assert shelf.load(LIMIT) == GOOD
    shelf.save(GOOD)
    assert shelf.load(LIMIT) == GOOD
