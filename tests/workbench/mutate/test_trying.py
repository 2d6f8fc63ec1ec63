"""Mutants are made, played and judged one by one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.config import Config
from gateway.workbench.desk import Desk
from gateway.workbench.mutate.baselines import Wanted, baseline
from gateway.workbench.mutate.fates import Fate
from gateway.workbench.mutate.mutants import Kind
from gateway.workbench.mutate.trying import Mutant, Tries
from tests.workbench.mutate.support import lines, spoiled, with_data

LINKED = """package privacy.grounds.self_access

permits contains {"kind": subject.kind, "value": subject.value} if {
	is_null(input.caller.actor)
	some subject in input.payload.subjects
	some link in data.privacy.deployment.grounds.self_access.links
	some mine in input.caller.identifiers
	link.caller == mine.value
	link.subject == subject.value
	time.parse_rfc3339_ns(input.exchange.received_at) < time.parse_rfc3339_ns(link.expires_at)
}
"""

DATA = {
    "grounds": {
        "self_access": {
            "links": [
                {"caller": "A1", "subject": "B7", "expires_at": "2200-01-01T00:00:00Z"},
                {"caller": "A1", "subject": "C8", "expires_at": "2200-01-01T00:00:00Z"},
            ]
        }
    },
    "partial": {"voice": "redact"},
}


@asynccontextmanager
async def tries(config: Config, bundle: Path, file: Path) -> AsyncIterator[Tries]:
    wanted = Wanted(config, "voice", {"sub": "A1"}, (file,), bundle)
    async with Desk(config, bundle) as desk:
        base = await baseline(desk, wanted, file)
        yield Tries(desk, wanted, [base], DATA)


def ends(found: Tries) -> list[Mutant]:
    return [each for each in found.all() if each.change.kind is Kind.EXPIRY]


async def test_a_grant_that_has_expired_is_worth_no_more_than_none(
    config: Config, tmp_path: Path
) -> None:
    file = tmp_path / "x"
    file.write_bytes(lines("B7"))
    settings = with_data(config, tmp_path, DATA)
    async with tries(settings, spoiled(tmp_path, ground=LINKED), file) as found:
        used, unused = ends(found)
        verdict = await found.fate(used)
        assert verdict is not None and verdict.fate is Fate.KILLED
        assert await found.fate(unused) is None


async def test_an_expiry_that_nobody_looks_at_survives(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(lines("B7"))
    settings = with_data(config, tmp_path, DATA)
    line = next(each for each in LINKED.splitlines() if "parse_rfc3339" in each)
    async with tries(settings, spoiled(tmp_path, line, "\ttrue", LINKED), file) as found:
        verdict = await found.fate(ends(found)[0])
        assert verdict is not None and verdict.fate is Fate.SURVIVED
        assert verdict.by == "1 record left that must stay behind"


async def test_every_kind_is_made(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(lines("B7"))
    settings = with_data(config, tmp_path, DATA)
    async with tries(settings, spoiled(tmp_path, ground=LINKED), file) as found:
        kinds = {each.change.kind for each in found.all()}
    assert kinds == {*Kind} - {Kind.MANIFEST, Kind.MEMBER, Kind.CLAIM}
