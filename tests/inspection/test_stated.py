"""What a manifest states of a member is held against its bytes."""

import base64
import hashlib
from typing import Any

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import stated
from gateway.inspection.stated import NOTHING, Stated, Verified
from tests.support.containers import Shelf

DATA = b"RIFF own"
SHA = hashlib.sha256(DATA)


def verified(said: Stated, data: bytes = DATA) -> Verified:
    contents = Verified(Shelf({"a": data}).contents(1), said)
    assert b"".join(contents.chunks()) == data
    return contents


def refused(call: Any, *args: Any) -> Code:
    with pytest.raises(BadUpstream) as caught:
        call(*args)
    assert "RIFF" not in caught.value.note
    return caught.value.code


@pytest.mark.parametrize(
    "said",
    [
        Stated(8),
        Stated(digests=(("sha256", SHA.digest()),)),
        Stated(8, (("sha256", SHA.digest()), ("md5", hashlib.md5(DATA).digest()))),
    ],
)
def test_a_member_that_is_what_is_stated_is_proven(said: Stated) -> None:
    contents = verified(said)
    assert contents.proven and contents.entry.name == "a" and said


@pytest.mark.parametrize(
    "said",
    [
        Stated(7),
        Stated(0),
        Stated(digests=(("sha256", bytes(32)),)),
        Stated(8, (("sha256", SHA.digest()), ("sha1", bytes(20)))),
    ],
)
def test_a_member_that_is_something_else_is_refused(said: Stated) -> None:
    assert refused(verified, said) is Code.MANIFEST_MISMATCH


def test_nothing_may_be_stated() -> None:
    assert not NOTHING and verified(NOTHING).proven


def test_a_member_that_breaks_off_is_not_proven() -> None:
    contents = Verified(Shelf({"a": b"BROKEN"}).contents(1), Stated(6))
    assert refused(list, contents.chunks()) is Code.BODY_MALFORMED
    assert not contents.proven


@pytest.mark.parametrize(("value", "size"), [(0, 0), (7, 7), ("7", 7), ("0", 0)])
def test_a_size_is_a_whole_number(value: Any, size: int) -> None:
    assert stated.size(value) == size


@pytest.mark.parametrize("value", [-1, 1.0, True, None, "", "07", "7 ", "0x7", "7_0", "\u0667", []])
def test_another_size_is_refused(value: Any) -> None:
    assert refused(stated.size, value) is Code.BODY_AMBIGUOUS


def test_a_hash_is_hexadecimal_or_base64() -> None:
    for value in (
        SHA.hexdigest(),
        SHA.hexdigest().upper(),
        base64.b64encode(SHA.digest()).decode(),
    ):
        assert stated.digest("sha256", value) == SHA.digest()


@pytest.mark.parametrize("value", ["", "00", SHA.hexdigest()[:-2], SHA.hexdigest() + "=", None, 7])
def test_another_hash_is_refused(value: Any) -> None:
    assert refused(stated.digest, "sha256", value) is Code.BODY_AMBIGUOUS
