"""A body as an upstream would send it."""

import gzip
import io
import os
import sys
from pathlib import Path

import pytest

from gateway.inspection.settings import BodySpec
from gateway.model import Format
from gateway.stored import InMemory, OnDisk
from gateway.workbench.samples import declared, opened, plain_bytes, sample, whole
from gateway.workbench.unusable import Unusable


def test_what_is_not_declared_is_declared_as_the_endpoint_expects() -> None:
    assert sample(b"{}", Format.JSON).headers == (
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"2"),
    )
    given = sample(b"{}", Format.JSON, content_type="text/csv", coding="gzip").headers
    assert (b"Content-Type", b"text/csv") in given
    assert (b"Content-Encoding", b"gzip") in given


def test_an_endpoint_may_expect_another_type_than_the_first_of_its_format() -> None:
    assert declared(BodySpec(Format.FHIR)) is None
    assert declared(BodySpec(Format.FHIR, lines=True)) == "application/fhir+ndjson"
    own = BodySpec(Format.FHIR, lines=True, media_type="application/ndjson")
    assert declared(own) == "application/ndjson"


def test_a_multipart_body_declares_the_boundary_that_it_has() -> None:
    body = b"--=_b\r\n\r\n\r\n--=_b--\r\n"
    for given, spelled in (
        (None, b'multipart/mixed; boundary="=_b"'),
        ("multipart/form-data", b'multipart/form-data; boundary="=_b"'),
        ('multipart/form-data; boundary="x"', b'multipart/form-data; boundary="x"'),
    ):
        headers = sample(body, Format.MULTIPART, content_type=given).headers
        assert (b"Content-Type", spelled) in headers
    assert sample(b"", Format.MULTIPART).headers[0][1].startswith(b"multipart/mixed; boundary=")


@pytest.mark.parametrize("value", ["a\r\nb", "ä"])
def test_a_declaration_that_no_head_can_hold_is_unusable(value: str) -> None:
    with pytest.raises(Unusable, match="can't stand in the head"):
        sample(b"", Format.JSON, content_type=value)


def test_a_small_file_is_held_in_memory_and_a_big_one_is_read_where_it_lies(
    tmp_path: Path,
) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"abc")
    with opened(file) as stored:
        assert stored == InMemory(b"abc")
    os.truncate(file, 20 * 2**20)
    with opened(file) as stored:
        assert isinstance(stored, OnDisk) and stored.size == 20 * 2**20
        fd = stored.fd
    with pytest.raises(OSError):
        os.fstat(fd)


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc")))
    with opened(Path("-")) as stored:
        assert stored == InMemory(b"abc")


def test_what_is_no_readable_file_is_unusable_in_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "nothing", "No such file"),
        (tmp_path, "a folder, not a file"),
        (tmp_path / "pipe", "not a regular file"),
        (Path("a\0b"), "not a path"),
    ):
        with pytest.raises(Unusable, match=words) as caught, opened(path):
            pass
        assert "\n" not in str(caught.value)


def test_a_whole_file_has_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"abc")
    assert whole(file, 3) == b"abc"
    with pytest.raises(Unusable, match="more than 0 MiB"):
        whole(file, 2)


def test_gzip_is_inflated_as_the_gateway_does_or_refused() -> None:
    coded = gzip.compress(b"abc") + gzip.compress(b"def")
    assert plain_bytes("x", coded, 6) == b"abcdef"
    assert plain_bytes("x", b"abc", 6) == b"abc"
    for broken, words in (
        (coded[:-1], "before its trailer"),
        (b"\x1f\x8b\x08\x00" + b"x" * 20, "not valid gzip"),
        (gzip.compress(b"x" * 2000), "more decoded bytes"),
    ):
        with pytest.raises(Unusable, match=words):
            plain_bytes("x", broken, 1000)
