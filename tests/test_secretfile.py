"""A secret's file; `tests/decisionlog/test_key.py` has the rest of what it may not be."""

from pathlib import Path

import pytest

from gateway.secretfile import MIN_BYTES, check_length, read_secret


def test_every_byte_of_the_file_is_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\0" * MIN_BYTES + b"\n")
    path.chmod(0o600)
    assert read_secret(path, "key") == b"\0" * MIN_BYTES + b"\n"


def test_what_is_wrong_is_said_without_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"canary")
    path.chmod(0o600)
    with pytest.raises(ValueError, match=r"^mask key file .*: a mask key needs 32 bytes") as caught:
        read_secret(path, "mask key")
    assert "canary" not in str(caught.value)
    with pytest.raises(ValueError, match=r"^a mask key needs 32 bytes or more, this has 6$"):
        check_length(b"canary", "mask key")
    check_length(bytes(MIN_BYTES), "mask key")
