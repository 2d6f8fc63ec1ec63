"""Archives: bombs are stopped while they are inflated, and a gzip stream is whole or refused."""

import gzip
import json
import tracemalloc
import zlib
from pathlib import Path

import pytest

from gateway.policy.bundle import load
from gateway.policy.bundles.archive import unpack
from gateway.policy.bundles.faults import BundleError
from gateway.policy.contract import encode_question
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.settings import PolicySettings
from tests.policy.bundles.support import RULE, files, folder, opa_build, tar, tarball
from tests.policy.support import AMPLE, FOREIGN, ME, POLICIES, question

LIMIT = 1 << 25


def said(archive: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(BundleError) as refusal:
        unpack(archive, "b.tar.gz", limit)
    told = str(refusal.value)
    assert told.startswith("b.tar.gz: ")
    assert "\n" not in told
    return told.removeprefix("b.tar.gz: ")


def test_an_archive_is_unpacked() -> None:
    assert unpack(tarball(files()), "b.tar.gz", LIMIT) == files()


@pytest.mark.opa
def test_what_opa_builds_is_the_bundle_of_the_folder(opa_binary: str, tmp_path: Path) -> None:
    archive = tmp_path / "b.tar.gz"
    opa_build(opa_binary, POLICIES, archive, revision="42")
    built, plain = load(archive), load(POLICIES)
    assert built.modules == plain.modules
    assert built.data == plain.data
    assert built.revision == "42"


@pytest.mark.opa
async def test_what_opa_builds_decides_as_the_folder_does(opa_binary: str, tmp_path: Path) -> None:
    opa_build(opa_binary, POLICIES, tmp_path / "b.tar.gz")
    answers = []
    for location in (POLICIES, tmp_path / "b.tar.gz"):
        engine = EmbeddedEngine(PolicySettings(bundle=location, deadline=AMPLE))
        await engine.start()
        try:
            for asked in (question(ME), question(FOREIGN), question(ME, FOREIGN)):
                answers.append((await engine.evaluate(encode_question(asked))).raw)
        finally:
            await engine.stop()
    assert all(answers)
    assert answers[:3] == answers[3:]
    assert len({*answers}) > 1


@pytest.mark.opa
def test_what_opa_builds_from_outside_the_folder_has_the_same_modules(
    opa_binary: str, tmp_path: Path
) -> None:
    folder(tmp_path / "b", files())
    archive = tmp_path / "b.tar.gz"
    opa_build(opa_binary, tmp_path, archive)
    assert load(archive).modules == {"b/privacy/p.rego": RULE}


@pytest.mark.parametrize(
    ("archive", "says"),
    [
        (b"", "not a .tar.gz"),
        (tar(files()), "not a .tar.gz"),
        (b"PK\3\4" + b"\0" * 100, "not a .tar.gz"),
        (tarball(files()) + b"x", "something after the end of the gzip stream"),
        (tarball(files()) + tarball(files()), "something after the end of the gzip stream"),
        (tarball(files()) + b"\0" * 200_000, "something after the end of the gzip stream"),
        (gzip.compress(b"no tar"), "the archive ends early"),
        (gzip.compress(b""), "the archive ends early"),
    ],
    ids=["nothing", "no gzip", "a ZIP", "a byte more", "two streams", "zeros", "no tar", "empty"],
)
def test_what_is_no_archive_is_refused(archive: bytes, says: str) -> None:
    assert says in said(archive)


def test_no_part_of_an_archive_is_an_archive() -> None:
    archive = tarball(files())
    for length in range(2, len(archive)):
        assert said(archive[:length]) == "the gzip stream ends early"


def test_a_damaged_archive_is_refused_or_has_the_same_content() -> None:
    """Some bits mean nothing: the time, the padding of the last block."""
    archive = tarball(files())
    refused = 0
    for at in range(len(archive)):
        damaged = archive[:at] + bytes([archive[at] ^ 1]) + archive[at + 1 :]
        try:
            assert unpack(damaged, "b.tar.gz", LIMIT) == files()
        except BundleError:
            refused += 1
    assert refused > len(archive) - 20


def test_a_wrong_checksum_and_a_wrong_length_are_refused() -> None:
    archive = bytearray(tarball(files()))
    for trailer in (-8, -4):
        damaged = archive.copy()
        damaged[trailer] ^= 1
        assert said(bytes(damaged)) == "the gzip stream is damaged"


@pytest.mark.parametrize("size", [5 << 20, 300 << 20])
def test_a_bomb_is_refused_in_bounded_memory(size: int) -> None:
    """D14."""
    packer = zlib.compressobj(9, wbits=31)
    chunk = b"\0" * (1 << 20)
    bomb = b"".join([*(packer.compress(chunk) for _ in range(size >> 20)), packer.flush()])
    tracemalloc.start()
    try:
        assert "a bomb" in said(bomb) or "when inflated" in said(bomb)
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()


def test_what_is_monotonous_but_no_bomb_is_read() -> None:
    links = [{"caller": f"A{n:07}", "subject": f"B{n:07}", "until": n} for n in range(40_000)]
    data = json.dumps({"links": links}).encode()
    archive = tarball(files() | {"privacy/data.json": data})
    assert len(data) > 2 << 20
    assert unpack(archive, "b.tar.gz", LIMIT)["privacy/data.json"] == data


def test_the_size_is_bounded() -> None:
    archive = tarball(files() | {"privacy/data.json": bytes(range(256)) * 40})
    assert unpack(archive, "b.tar.gz", 30_000)
    assert said(archive, 9_000) == "more than 9000 bytes when inflated"


def test_all_that_comes_out_is_read_where_it_ends_at_a_chunk() -> None:
    for size in range(65_536 - 2_048 - 600, 65_536 - 2_048 + 600, 100):
        contents = {"a": b"x" * size}
        assert unpack(gzip.compress(tar(contents)), "b.tar.gz", LIMIT) == contents
