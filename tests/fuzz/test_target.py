"""The fuzz target itself: it knows every format, tries honest bodies, and would notice a fault."""

import random
import subprocess
import sys
from unittest import mock

import pytest

from gateway.inspection.codings import CODINGS
from gateway.inspection.formats import FORMATS
from gateway.model import Format
from tests.fuzz import target
from tests.fuzz.seeds import SEEDS
from tests.support.codings import CODED


def test_every_format_and_every_coding_has_seeds() -> None:
    assert SEEDS.keys() == FORMATS.keys() - {Format.OPAQUE}
    assert CODED.keys() == CODINGS.keys()


@pytest.mark.parametrize("form", SEEDS)
def test_every_seed_is_an_honest_body(form: Format) -> None:
    for body in SEEDS[form][1]:
        for chunk in (1, 2, 3, 5, 64):
            assert target.examine_body(form, body, chunk), body


@pytest.mark.parametrize("name", target.NAMES)
def test_some_mutants_are_read_and_some_are_refused(name: str) -> None:
    read = [target.examine(name, random.Random(seed)) for seed in range(150)]
    assert {True, False} == set(read)


def test_a_reader_that_adds_a_byte_is_noticed() -> None:
    reader = FORMATS[Format.JSON]

    def sloppy(source, spec, limits, verdict, sink):  # type: ignore[no-untyped-def]
        counts = reader.rewrite(source, spec, limits, verdict, sink)
        sink.write(b" ")
        return counts

    broken = {**FORMATS, Format.JSON: reader._replace(rewrite=sloppy)}
    body = SEEDS[Format.JSON][1][1]
    assert target.examine_body(Format.JSON, body, 3)
    with (
        mock.patch.dict(FORMATS, broken),
        pytest.raises(AssertionError, match="not as it came"),
    ):
        target.examine_body(Format.JSON, body, 3)


def test_the_command_says_what_it_tried_and_knows_no_other_names() -> None:
    command = [sys.executable, "-m", "tests.fuzz"]
    done = subprocess.run(
        [*command, "sse", "zstd", "--seconds", "0.1"], capture_output=True, text=True, check=True
    )
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["sse", "zstd"]
    assert subprocess.run([*command, "xlsb"], capture_output=True, check=False).returncode == 2
