"""There must be something to leak, or there is nothing to test."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config import Config
from gateway.workbench.desk import Desk
from gateway.workbench.mutate.baselines import Wanted, baseline
from gateway.workbench.unusable import Unusable
from tests.workbench.mutate.support import exported, lines


async def found(desk: Desk, config: Config, file: Path, endpoint: str = "voice") -> object:
    return await baseline(desk, Wanted(config, endpoint, {"sub": "A1"}, (file,)), file)


async def test_what_leaves_is_known_by_its_numbers(
    desk: Desk, config: Config, tmp_path: Path
) -> None:
    file = tmp_path / "x"
    file.write_bytes(lines("A1", "A9", "A1"))
    wanted = Wanted(config, "voice", {"sub": "A1"}, (file,))
    base = await baseline(desk, wanted, file)
    assert base.fixture.kept == {0, 2}
    assert [(number, unit.text) for number, unit in base.left] == [
        (0, b'{"id": "A1", "text": "x"}'),
        (2, b'{"id": "A1", "text": "x"}'),
    ]


async def test_gzip_is_read_through(desk: Desk, config: Config, tmp_path: Path) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(gzip.compress(lines("A1")))
    assert await found(desk, config, file)


@pytest.mark.parametrize(
    ("body", "endpoint", "said"),
    [
        (lines("A9"), "voice", "nothing of it leaves, so that nothing can leak: blocked_by_policy"),
        (lines("A9"), "voice", ": subject_not_permitted"),
        (b"", "voice", "no record of it leaves"),
        (b'{"id": 1, "id": 2}\n', "voice", "body_ambiguous"),
        (exported("A9"), "archive", "blocked_by_policy"),
        (gzip.compress(lines("A1"))[:-2], "voice", "gzip ends before its trailer"),
        (b"\x1f\x8b\x08\0" + b"x" * 20, "voice", "not valid gzip"),
        (lines("A1"), "vioce", "did you mean `voice`?"),
    ],
)
async def test_where_nothing_leaves_it_is_said_why(
    desk: Desk, config: Config, tmp_path: Path, body: bytes, endpoint: str, said: str
) -> None:
    file = tmp_path / "x"
    file.write_bytes(body)
    with pytest.raises(Unusable) as unusable:
        await found(desk, config, file, endpoint)
    assert said in str(unusable.value) and "\n" not in str(unusable.value)


async def test_claims_that_would_be_refused_are_said_to_be(
    desk: Desk, config: Config, tmp_path: Path
) -> None:
    file = tmp_path / "x"
    file.write_bytes(lines("A1"))
    wanted = replace(Wanted(config, "voice", {"sub": ""}, (file,)))
    with pytest.raises(Unusable, match="token_claims"):
        await baseline(desk, wanted, file)
    with pytest.raises(Unusable, match="can't be read"):
        await baseline(desk, wanted, tmp_path / "nothing")
