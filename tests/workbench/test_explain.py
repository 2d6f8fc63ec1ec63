"""An explanation says whose each record is, who may have it and why not, and which rules acted."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.inspection.settings import BodySpec
from gateway.model import Effect, Format
from gateway.policy.contract import encode_question
from gateway.policy.decisions import PolicyDecisions
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.engine import EngineKind
from gateway.policy.settings import PolicySettings
from gateway.stored import InMemory
from gateway.workbench import modules
from gateway.workbench.account import Account, Ask
from gateway.workbench.bench import RegoBench
from gateway.workbench.desk import Desk, Trial
from gateway.workbench.explain import explain, member_names, permitted_by
from gateway.workbench.samples import sample
from gateway.workbench.unusable import Unusable
from tests.policy.deployments import GROUNDS
from tests.policy.support import AMPLE, shipped_bundle, write_bundle
from tests.policy.test_differential import GRID, SOUND
from tests.support.multiparts import files
from tests.support.opa import running_opa
from tests.support.tars import tarred
from tests.support.zips import M, archive


def lines(*owners: Any) -> bytes:
    return b"".join(json.dumps({"id": owner} if owner else {}).encode() + b"\n" for owner in owners)


def voice(*owners: Any) -> Trial:
    return Trial("voice", {"sub": "A1"}, sample(lines(*owners), Format.NDJSON))


async def test_each_subject_has_its_records_its_fate_and_its_ground(desk: Desk) -> None:
    explained = await explain(desk, voice("A1", "A9", "A1", None), "body")
    foreign, mine = explained.subjects
    assert (mine.value, mine.records, mine.released, mine.permitted) == ("A1", 2, 2, True)
    assert [each.ground for each in mine.grounds] == ["self_access"]
    assert (foreign.value, foreign.records, foreign.released) == ("A9", 1, 0)
    assert not foreign.permitted and foreign.grounds == []
    assert (explained.unattributed.records, explained.unattributed.released) == (1, 0)
    assert (explained.outcome, explained.effect) == ("redacted", "redact")


async def test_why_no_ground_permits_is_the_statement_or_that_it_is_not_enabled(
    desk: Desk,
) -> None:
    explained = await explain(desk, voice("A9"), "body")
    why = {each.ground: each for each in explained.subjects[0].why_not}
    assert why["self_access"].enabled and why["self_access"].rule is not None
    assert why["self_access"].rule.file.endswith("self_access.rego")
    assert not why["linked_account"].enabled and why["linked_account"].rule is None


async def test_the_rules_that_acted_have_their_places(desk: Desk) -> None:
    explained = await explain(desk, voice("A1", "A9"), "body")
    assert explained.effect_rule is not None and "redact" in explained.effect_rule.text
    spots = {each.name: each.rule for each in explained.reasons}
    own, stranger = spots["self_access"], spots["subject_not_permitted"]
    assert own is not None and own.text.startswith("permits contains")
    assert stranger is not None and "subject_not_permitted" in stranger.text
    (ground,) = [each for each in explained.grounds if each.permits]
    assert (ground.name, ground.permits) == ("self_access", 1) and "GDPR" in ground.legal_basis
    assert explained.doubt == ""


async def test_which_records_leave_is_said_by_their_places(desk: Desk) -> None:
    records = (await explain(desk, voice("A1", "A9", "A1"), "body")).records
    assert (records.released_places, records.withheld_places) == ([0, 2], [1])
    assert (records.seen, records.released, records.redacted, records.blocked) == (3, 2, 1, 0)


async def test_of_a_block_nothing_leaves_though_a_ground_permits(desk: Desk) -> None:
    body = json.dumps({"orders": [{"customer": {"id": each}} for each in ("A1", "A9")]}).encode()
    trial = Trial("orders", {"sub": "A1"}, sample(body, Format.JSON))
    explained = await explain(desk, trial, "body")
    assert (explained.outcome, explained.code) == ("blocked", "blocked_by_policy")
    mine = explained.subjects[-1]
    assert mine.permitted and mine.released == 0


async def test_many_subjects_are_listed_up_to_the_limit_strangers_first(desk: Desk) -> None:
    explained = await explain(desk, voice("A1", *(f"B{n}" for n in range(30))), "body", limit=5)
    assert explained.subjects_total == 31 and len(explained.subjects) == 5
    assert all(each.why_not for each in explained.subjects)


async def test_the_members_of_an_archive_are_compared_by_name(desk: Desk) -> None:
    manifest = {
        "recordings": [
            {"customer_id": "A1", "file": "recordings/1.wav"},
            {"customer_id": "A9", "file": "recordings/2.wav"},
        ]
    }
    body = archive(
        M("manifest.json", json.dumps(manifest).encode()),
        M("recordings/1.wav", b"RIFF1"),
        M("recordings/2.wav", b"RIFF2"),
    )
    trial = Trial("archive", {"sub": "A1"}, sample(body, Format.ZIP))
    members = (await explain(desk, trial, "body")).members
    assert members is not None
    assert members.released == ["manifest.json", "recordings/1.wav"]
    assert members.withheld == ["recordings/2.wav"]
    packed = gzip.compress(tarred({"a": b"1"}))
    spec = BodySpec(Format.TAR, compression="gzip")
    assert member_names(InMemory(packed), spec) == ["a"]
    assert member_names(InMemory(packed[:-1]), spec) == []
    assert member_names(trial.sample.stored, BodySpec(Format.ZIP))[0] == "manifest.json"
    form = InMemory(files({"a": b"", "b/c": b""}))
    assert member_names(form, BodySpec(Format.MULTIPART)) == ["a", "b/c"]


async def test_a_body_that_is_refused_is_shown_where_it_is_wrong(desk: Desk) -> None:
    trial = replace(voice(), sample=sample(b'{"id": "A1"}\n{"id": }\n', Format.NDJSON))
    explained = await explain(desk, trial, "export.ndjson")
    assert (explained.code, explained.subjects) == ("body_malformed", [])
    assert explained.fault is not None
    assert (explained.fault.source, explained.fault.line) == ("export.ndjson", 2)
    assert explained.fault.excerpt.split("\n")[1].index("^") - 4 == 7


async def test_an_identifier_that_cannot_be_asked_about_is_a_refusal(desk: Desk) -> None:
    explained = await explain(desk, voice(2**70), "body")
    assert (explained.code, explained.grounds) == ("body_ambiguous", [])


async def test_claims_that_are_refused_explain_nothing_more(desk: Desk) -> None:
    explained = await explain(desk, replace(voice("A1"), claims={"sub": "A1", "exp": 1}), "body")
    assert (explained.code, explained.status, explained.grounds) == ("token_expired", 401, [])


async def test_a_bundle_of_another_shape_is_explained_as_far_as_it_goes(
    config: Config, tmp_path: Path
) -> None:
    decision = """package privacy.decision

effect := "allow"

permitted := [{"kind": each.kind, "value": each.value} | some each in input.payload.subjects]

unattributed := "withhold"

withhold := []

mask := []

reasons := ["everybody"]
"""
    bundle = write_bundle(tmp_path / "bundle", {"privacy/decision.rego": decision})
    async with Desk(config, bundle) as desk:
        explained = await explain(desk, voice("A9"), "body")
    assert explained.outcome == "released"
    assert explained.effect_rule is not None and explained.effect_rule.line == 3
    assert "no packages privacy.grounds" in explained.doubt


async def test_a_decision_that_its_grounds_do_not_carry_is_doubted(
    config: Config, tmp_path: Path
) -> None:
    modules = {
        "privacy/decision.rego": """package privacy.decision

effect := "allow"

permitted := [{"kind": each.kind, "value": each.value} | some each in input.payload.subjects]

unattributed := "withhold"

withhold := []

mask := []

reasons := []
""",
        "privacy/grounds/own.rego": "package privacy.grounds.own\n\npermits := set()\n",
    }
    async with Desk(config, write_bundle(tmp_path / "bundle", modules)) as desk:
        explained = await explain(desk, voice("A9"), "body")
    assert "permits other subjects" in explained.doubt


async def test_a_rule_that_fails_is_named_with_its_line(config: Config, tmp_path: Path) -> None:
    failing = "package privacy.decision\n\neffect := 1 / to_number(input.caller.id)\n"
    bundle = write_bundle(tmp_path / "bundle", {"privacy/decision.rego": failing})
    async with Desk(config, bundle) as desk:
        explained = await explain(desk, replace(voice("A1"), claims={"sub": "0"}), "body")
    assert explained.code == "policy_unavailable"
    assert explained.doubt == "privacy/decision.rego:3: divide by zero"


async def test_what_a_restriction_takes_away_is_named_with_its_rule(
    config: Config, tmp_path: Path
) -> None:
    modules = {
        "privacy/decision.rego": """package privacy.decision

effect := "redact"

permitted := data.privacy.grounds.own.permits

unattributed := "withhold"

withhold := []

mask := data.privacy.restrictions.secrets.masks

reasons := ["secrets"]
""",
        "privacy/grounds/own.rego": """package privacy.grounds.own

permits contains {"kind": each.kind, "value": each.value} if some each in input.payload.subjects
""",
        "privacy/restrictions/secrets.rego": """# METADATA
# title: Secrets
package privacy.restrictions.secrets

usable if data.privacy.deployment.nothing

masks contains "$.secret"
""",
    }
    async with Desk(config, write_bundle(tmp_path / "bundle", modules)) as desk:
        explained = await explain(desk, voice("A9"), "body")
    (restriction,) = explained.restrictions
    assert (restriction.title, restriction.enabled, restriction.usable) == ("Secrets", True, False)
    (rule,) = restriction.rules
    assert (rule.name, rule.rule.line) == ("masks", 7)
    assert explained.mask == ["$.secret"]
    assert explained.reasons[0].rule == rule.rule


@pytest.mark.opa
async def test_the_decision_of_a_real_opa_is_explained_by_the_modules_it_has_loaded(
    config: Config, opa_binary: str, tmp_path: Path
) -> None:
    deployment = {"grounds": {"self_access": True}, "partial": {"voice": "redact"}}
    async with running_opa(opa_binary, tmp_path, deployment) as opa:
        policy = PolicySettings(engine=EngineKind.OPA, opa=opa.url)
        async with Desk(replace(config, policy=policy)) as desk:
            explained = await explain(desk, voice("A1", "A9"), "body")
    assert (explained.engine, explained.effect, explained.doubt) == ("opa", "redact", "")
    foreign, mine = explained.subjects
    assert mine.grounds[0].rule is not None and mine.grounds[0].rule.line > 0
    why_not = {each.ground: each.enabled for each in foreign.why_not}
    assert why_not["self_access"] and not why_not["linked_account"]


async def test_an_opa_that_is_not_there_is_unusable(config: Config) -> None:
    policy = PolicySettings(engine=EngineKind.OPA, opa="http://127.0.0.1:9")
    async with Desk(replace(config, policy=policy)) as desk:
        with pytest.raises(Unusable, match="OPA can't be asked"):
            await explain(desk, voice("A1"), "body")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("deployment", SOUND, ids=map(str, range(len(SOUND))))
async def test_the_account_never_contradicts_the_decision(
    deployment: dict[str, Any], tmp_path: Path
) -> None:
    """Over the whole library: whom the decision permits has a ground, of those that are enabled,
    and whom it doesn't has a statement of each of them that didn't hold."""
    policy = PolicySettings(bundle=shipped_bundle(tmp_path / "bundle", deployment), deadline=AMPLE)
    decisions = PolicyDecisions(engine := EmbeddedEngine(policy))
    await engine.start()
    try:
        async with RegoBench(modules.of_bundle(policy)) as bench:
            for asked in GRID:
                decision = await decisions.decide(asked)
                everyone = [*range(len(asked.subjects))]
                account = await bench.ask(Ask(encode_question(asked), everyone))
                assert isinstance(account, Account)
                permits = {
                    part.name: permitted_by(part) & asked.subjects for part in account.grounds
                }
                assert {each.name for each in account.grounds if each.ran} == {
                    *deployment["grounds"]
                }
                assert {name for name in permits if permits[name]} == {*GROUNDS} & {
                    *decision.reasons
                }
                if decision.effect is not Effect.BLOCK:
                    assert decision.permitted == frozenset().union(*permits.values())
                for stop in account.stops:
                    stopped = stop.spot is not None
                    assert stopped is not bool(permits[stop.ground]), stop
                    assert stop.spot is None or f"/{stop.ground}/" in stop.spot.file
    finally:
        await engine.stop()
