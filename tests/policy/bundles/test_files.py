"""Files: regular ones only, bounded, and told apart by their stamps."""

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.files import read, read_secret, stamp


def test_a_file_is_read_with_its_stamp(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    content, seen = read(path, 3)
    assert content == b"abc"
    assert seen == stamp(path)


def test_another_content_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    before = stamp(path)
    (tmp_path / "g").write_bytes(b"abd")
    (tmp_path / "g").replace(path)
    assert stamp(path) != before
    path.unlink()
    assert stamp(path) is None
    assert stamp(Path("a\0b")) is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "No such file"),
        (os.mkfifo, "not a regular file"),
        (os.mkdir, "Is a directory"),
        (lambda path: path.write_bytes(b"abcd"), "too large"),
        (lambda path: path.symlink_to(path), "Too many levels"),
    ],
    ids=["none", "a pipe", "a folder", "too large", "a loop"],
)
def test_anything_else_is_refused(tmp_path: Path, make: object, says: str) -> None:
    assert callable(make)
    make(tmp_path / "f")
    with pytest.raises(BundleError, match=says):
        read(tmp_path / "f", 3)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(BundleError, match="not the name of a file"):
        read(Path("a\0b"), 3)


def test_a_secret_is_not_open_to_everybody(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"abc")
    path.chmod(0o644)
    with pytest.raises(BundleError, match="open to everybody") as refusal:
        read_secret(path)
    assert "abc" not in str(refusal.value)
    path.chmod(0o440)
    assert read_secret(path) == b"abc"


def test_a_secret_is_judged_by_the_very_file_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name may lead elsewhere by then, or nowhere: secrets are swapped under our hands."""
    path = tmp_path / "secret"
    path.write_bytes(b"abc")
    path.chmod(0o600)
    real = os.fdopen

    def opened(*given: Any) -> Any:
        file = real(*given)
        path.unlink()
        return file

    monkeypatch.setattr(os, "fdopen", opened)
    assert read_secret(path) == b"abc"
