"""A whole log against a bundle: verified first, then compared, and never nothing for something."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.decisionlog.entry import Evidence
from gateway.decisionlog.file import anchor_path
from gateway.model import Attribution, Decision, Effect, Group
from gateway.workbench.replay.asking import Rules
from gateway.workbench.replay.entries import Selection
from gateway.workbench.replay.run import Replay, Request, replay
from gateway.workbench.replay.verdicts import Direction
from gateway.workbench.unusable import Unusable
from tests.decisionlog.support import KEY, OTHER_KEY
from tests.policy.support import FOREIGN, ME, question, shipped_bundle
from tests.workbench.replay.support import NOON, block, evidence, rendered, write

OWN = Decision(Effect.ALLOW, frozenset({ME}), False, frozenset(), (), ("self_access",), "shipped-1")
DEPLOYMENT: dict[str, Any] = {"grounds": {"self_access": True}}


def entries(count: int = 4) -> list[Evidence]:
    """Own exports that were allowed and mixed ones that were blocked, in turn."""
    own = evidence(question(Group((ME,), Attribution.DIRECT, "", 3)), OWN)
    mixed = evidence(question(ME, FOREIGN), block("self_access", "subject_not_permitted"))
    return [replace((own, mixed)[number % 2], exchange_id=f"e{number}") for number in range(count)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "decisions.jsonl", *rendered(*entries()))


async def against(log: Path, deployment: Any, **changes: Any) -> Replay:
    folder = Path(tempfile.mkdtemp(dir=log.parent)) / "bundle"
    fields: dict[str, Any] = {
        "log": log, "key": KEY, "candidate": Rules(shipped_bundle(folder, deployment))
    }  # fmt: skip
    return await replay(Request(**{**fields, **changes}))


async def test_the_policy_that_decided_changes_nothing(log: Path) -> None:
    found = await against(log, DEPLOYMENT)
    assert (found.plan.unchanged, found.plan.differences) == (4, 0)
    assert (found.revision, found.against, found.verified.sealed) == ("shipped-1", None, True)
    assert found.readers == {}


async def test_a_policy_that_permits_more_is_found_out(log: Path) -> None:
    link = {"kind": "account", "value": "A9", "expires_at": None}
    links = {"account": {"string": {"A1": [link]}}}
    grounds = {"self_access": True, "linked_account": {"links": links}}
    plan = (await against(log, {"grounds": grounds})).plan
    assert plan.exchanges(Direction.RELEASES) == 2
    assert plan.newly_leaving == 2 * 2  # both records of the body that was blocked


async def test_a_policy_that_permits_less_is_found_out(log: Path) -> None:
    plan = (await against(log, {**DEPLOYMENT, "scopes": {"orders": ["export"]}})).plan
    assert (plan.exchanges(Direction.BLOCKS), plan.newly_staying) == (2, 6)
    assert plan.exchanges(Direction.REASONS) == 2


async def test_two_bundles_are_compared_with_each_other(log: Path, tmp_path: Path) -> None:
    stricter = {**DEPLOYMENT, "scopes": {"orders": ["export"]}}
    old = Rules(shipped_bundle(tmp_path / "old", stricter, "stricter"))
    found = await against(log, DEPLOYMENT, against=old)
    assert found.against == "stricter"
    assert found.plan.exchanges(Direction.RELEASES) == 2
    assert (await against(log, stricter, against=old)).plan.differences == 0


async def test_more_exchanges_than_are_decided_at_once_are_all_counted_in_order(
    tmp_path: Path,
) -> None:
    log = write(tmp_path / "many.jsonl", *rendered(*entries(300)))
    seen: list[int] = []
    request = Request(log, KEY, Rules(shipped_bundle(tmp_path / "b", {"grounds": {}})))
    found = await replay(request, seen.append)
    assert sum(seen) == log.stat().st_size
    assert found.plan.differences == 300
    kind, group = found.plan.groups[0]
    assert kind.direction is Direction.BLOCKS
    assert group.examples == ["e0", "e2", "e4"]


async def test_a_part_of_a_log_is_enough(log: Path) -> None:
    assert (await against(log, DEPLOYMENT, selection=Selection(limit=1))).plan.unchanged == 1


async def test_a_changed_log_is_not_replayed(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b'"allow"', b'"block"', 1))
    with pytest.raises(Unusable, match=r"line 1: entry 1 was changed.*proves nothing"):
        await against(log, DEPLOYMENT)


async def test_a_log_that_was_cut_off_is_not_replayed(log: Path) -> None:
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(Unusable, match="cut off"):
        await against(log, DEPLOYMENT)
    anchor_path(log).unlink()
    assert (await against(log, DEPLOYMENT)).verified.anchored is None


async def test_a_line_that_is_being_written_is_left_out(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b'{"seq":5,"prev":"00')
    assert (await against(log, DEPLOYMENT)).plan.unchanged == 4


async def test_another_key_is_noticed_with_the_anchor_and_without(log: Path) -> None:
    with pytest.raises(Unusable, match="another key"):
        await against(log, DEPLOYMENT, key=OTHER_KEY)
    anchor_path(log).unlink()
    with pytest.raises(Unusable, match="nothing to replay: 4 its pseudonyms were made with"):
        await against(log, DEPLOYMENT, key=OTHER_KEY)


async def test_an_anchor_kept_elsewhere_counts(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "kept-elsewhere"
    anchor_path(log).rename(copy)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(Unusable, match="cut off"):
        await against(log, DEPLOYMENT, anchor=copy)


async def test_a_plan_about_nothing_is_no_plan(tmp_path: Path) -> None:
    log = write(tmp_path / "log", *rendered(replace(entries()[0], probe=True)))
    with pytest.raises(Unusable, match="nothing to replay: no exchange in it"):
        await against(log, DEPLOYMENT)


async def test_a_bundle_that_is_not_there_is_unusable(log: Path, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="not a folder"):
        await replay(Request(log, KEY, Rules(tmp_path / "nowhere")))


async def test_builtins_that_read_inside_texts_are_told_of_each_bundle(
    log: Path, tmp_path: Path
) -> None:
    bundle = shipped_bundle(tmp_path / "reads", DEPLOYMENT)
    module = bundle / "privacy" / "grounds" / "mine" / "mine.rego"
    module.parent.mkdir()
    module.write_text('package privacy.grounds.mine\n\na if startswith(input.caller.id, "A")\n')
    plain = Rules(shipped_bundle(tmp_path / "plain", DEPLOYMENT))
    found = await replay(Request(log, KEY, Rules(bundle), against=plain))
    assert found.readers == {"startswith": ("privacy/grounds/mine/mine.rego:3",)}


def everywhere(document: Any, put: Any) -> Iterator[Any]:
    """The document with `put` in the place of each of its parts, one at a time; and without it."""
    if isinstance(document, dict):
        for name, part in document.items():
            rest = {each: other for each, other in document.items() if each != name}
            yield rest
            yield {**rest, name: put}
            yield from ({**document, name: changed} for changed in everywhere(part, put))
    elif isinstance(document, list):
        for place, part in enumerate(document):
            before, after = document[:place], document[place + 1 :]
            yield [*before, *after]
            yield [*before, put, *after]
            yield from ([*before, changed, *after] for changed in everywhere(part, put))


async def test_no_entry_however_odd_ends_a_replay(tmp_path: Path) -> None:
    """A log may be somebody else's, and lie: what can't be replayed is counted."""
    (own,) = (json.loads(each) for each in rendered(entries(1)[0]))
    odd: list[Any] = [
        None,
        -1,
        2**70,
        1.5,
        "x",
        [],
        ["x"],
        {},
        {"x": "x"},
        True,
        "2026-07-01T12:00:00",
        f"n1:{'0' * 32}",
    ]
    lines = [each for put in odd for each in everywhere(own, put) if isinstance(each, dict)]
    for number, line in enumerate(lines):
        line.setdefault("decision_id", "")
        if line["decision_id"] == "e0":
            line["decision_id"] = f"odd-{number}"
    bodies = [json.dumps(each).encode() for each in [*lines, own]]
    found = await against(write(tmp_path / "odd.jsonl", *bodies), DEPLOYMENT)
    assert found.plan.unchanged >= 1
    selection = Selection(since=NOON.replace(year=2000), until=NOON.replace(year=2100))
    assert (await against(tmp_path / "odd.jsonl", DEPLOYMENT, selection=selection)).plan.unchanged
