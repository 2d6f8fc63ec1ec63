"""A sample file is read as the gateway would read it, or not at all."""

import gzip
from pathlib import Path

import pytest

from gateway.model import Format
from gateway.workbench.infer.specimens import Specimen, contents, member, read
from gateway.workbench.unusable import Unusable
from tests.support.zips import M, archive


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("x", b'{"a": 1}', Format.JSON),
        ("x", b'\xef\xbb\xbf [{"a": 1}]', Format.JSON),
        ("x", b'{"a": 1}\n{"a": 2}\n', Format.NDJSON),
        ("one.ndjson", b'{"a": 1}\n', Format.NDJSON),
        ("x", b'{\n "a": 1\n}\n', Format.JSON),
        ("x", b"a;b\n1;2\n", Format.CSV),
        ("x.csv", b"a\n1\n", Format.CSV),
        ("x", b"<?xml version='1.0'?><a/>", Format.XML),
        ("x", archive(M("a", b"1")), Format.ZIP),
    ],
)
def test_the_format_is_told_by_the_bytes_and_the_name(
    tmp_path: Path, name: str, data: bytes, expected: Format
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    assert read(file, None).format is expected
    zipped = tmp_path / f"{name}.gz"
    zipped.write_bytes(gzip.compress(data))
    if expected is not Format.ZIP:
        sample = read(zipped, None)
        assert (sample.format, sample.data, sample.coded) == (expected, data, True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html></html>", "neither JSON, NDJSON, CSV nor ZIP"),
        (b"just a text", "neither JSON, NDJSON, CSV nor ZIP"),
        (b"\x89PNG\0", "neither JSON, NDJSON, CSV nor ZIP"),
        (b"", "neither JSON, NDJSON, CSV nor ZIP"),
        (gzip.compress(b'{"a": 1}')[:-3], "gzip ends before its trailer"),
        (b"\x1f\x8bnothing", "not valid gzip"),
        (gzip.compress(archive(M("a", b"1"))), "an archive under a content coding"),
    ],
)
def test_what_is_no_sample_is_one_line(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(data)
    with pytest.raises(Unusable) as unusable:
        read(file, None)
    assert said in str(unusable.value) and "\n" not in str(unusable.value)


def test_a_file_that_is_not_there_or_a_folder_is_unusable(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "no", "No such file"), (tmp_path, "a folder")):
        with pytest.raises(Unusable, match=said):
            read(path, None)


def test_the_named_format_goes_before_the_bytes(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b'{"a": 1}')
    assert read(file, Format.NDJSON).format is Format.NDJSON
    with pytest.raises(Unusable, match="only a member of an archive"):
        read(file, Format.OPAQUE)


def of(form: Format, data: bytes) -> Specimen:
    return Specimen("x", data, form)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"a,b\n1,2\n", {}),
        (b"a;b\n1;2\n", {"delimiter": ";"}),
        (b"a\tb\n1\t2\n", {"delimiter": "\t"}),
        (b"a|b\n1|2\n", {"delimiter": "|"}),
        (b"a,b\n1,\xe9\n", {"encoding": "iso-8859-1"}),
        (b"a,b\n1,\x80\n", {"encoding": "windows-1252"}),
        ("\ufeffa,b\n1,2\n".encode("utf-16-le"), {}),
        (b"'a'';b',c\n'1',2\n", {}),
    ],
)
def test_dialect_and_encoding_are_those_that_the_reader_takes(
    data: bytes, options: dict[str, str]
) -> None:
    assert contents(of(Format.CSV, data)).options == options


def test_a_guessed_encoding_and_a_second_delimiter_are_noted() -> None:
    assert "iso-8859-1" in contents(of(Format.CSV, b"a,b\n1,\xe9\n")).notes[0]
    assert "also read with ';'" in contents(of(Format.CSV, b"a,b;c,d\n1,2;3,4\n")).notes[0]


def test_empty_cells_are_left_out_and_values_are_text() -> None:
    assert contents(of(Format.CSV, b"a,b\n1,\n,2\n")).value == [{"a": "1"}, {"b": "2"}]


@pytest.mark.parametrize(
    ("form", "data", "code"),
    [
        (Format.JSON, b'{"a": 1, "a": 2}', "body_ambiguous"),
        (Format.JSON, b'{"a": ', "body_malformed"),
        (Format.NDJSON, b'{"a": 1}\n\n', "body_ambiguous"),
        (Format.CSV, b"a,b\n1,2,3\n", "body_malformed"),
        (Format.CSV, b"\n\na,b\n1,2\n", "body_ambiguous"),
    ],
)
def test_what_the_gateway_would_refuse_is_no_sample(form: Format, data: bytes, code: str) -> None:
    with pytest.raises(Unusable, match=f"x: the gateway would refuse this body: {code}"):
        contents(of(form, data))


def test_a_member_that_can_not_be_read_into_is_opaque() -> None:
    assert member("a/b.json", b'{"a": 1}').format is Format.JSON
    for data in (b"RIFF\0\0", b"<p>", archive(M("a", b"1")), b"text"):
        assert member("a/b.bin", data).format is Format.OPAQUE
