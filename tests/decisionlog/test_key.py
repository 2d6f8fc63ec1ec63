"""The secret file: what is accepted, what is said where it isn't, and what it never tells."""

import os
from pathlib import Path

import pytest

from gateway.decisionlog.key import derive, read_key
from gateway.secretfile import MIN_BYTES

SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_a_file_closed_to_others_is_read(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    assert read_key(key_file) == derive(SECRET)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o666])
def test_a_file_open_to_everybody_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(ValueError, match="open to everybody; chmod 0600"):
        read_key(key_file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent: No such file"):
        read_key(tmp_path / "absent")


def test_a_secret_of_31_bytes_is_too_short_and_one_of_32_is_not(key_file: Path) -> None:
    key_file.write_bytes(SECRET[: MIN_BYTES - 1])
    with pytest.raises(ValueError, match="needs 32 bytes or more, this has 31") as caught:
        read_key(key_file)
    assert "0123456789" not in str(caught.value)
    key_file.write_bytes(SECRET[:MIN_BYTES])
    read_key(key_file)


def test_every_byte_counts_a_final_newline_too(key_file: Path) -> None:
    before = read_key(key_file)
    key_file.write_bytes(SECRET + b"\n")
    assert read_key(key_file).id != before.id


def test_an_endless_file_is_not_read(key_file: Path) -> None:
    key_file.write_bytes(b"x" * 65_537)
    with pytest.raises(ValueError, match="larger than 65536 bytes"):
        read_key(key_file)


def test_a_named_pipe_neither_hangs_nor_counts(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ValueError, match="not a regular file"):
        read_key(tmp_path / "pipe")


def test_a_folder_is_not_a_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a regular file"):
        read_key(tmp_path)


def test_a_link_to_the_secret_is_followed(key_file: Path, tmp_path: Path) -> None:
    """A mounted Kubernetes secret is a link to a link."""
    (tmp_path / "link").symlink_to(key_file)
    assert read_key(tmp_path / "link") == derive(SECRET)


def test_the_two_derived_keys_and_the_id_have_nothing_in_common() -> None:
    key = derive(SECRET)
    public = bytes.fromhex(key.id.removeprefix("k1:"))
    assert len({key.pseudonym, key.anchor, SECRET}) == 3
    assert public not in key.pseudonym + key.anchor + SECRET


def test_a_key_prints_its_id_only() -> None:
    key = derive(SECRET)
    assert repr(key) == f"Key(id='{key.id}')"
