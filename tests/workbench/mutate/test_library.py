"""Every ground that ships kills every mutant, and a hole in any of them is found."""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.config import load
from gateway.policy import bundle
from gateway.workbench.mutate.baselines import Wanted
from gateway.workbench.mutate.fates import Fate
from gateway.workbench.mutate.mutants import Kind
from gateway.workbench.mutate.mutation import Report, mutate
from tests.config.conftest import MINIMAL, folder
from tests.policy.deployments import GROUNDS, IBAN, NOW, RESTRICTIONS

__all__ = ["folder"]

pytestmark = pytest.mark.slow

ENDPOINTS = """\
  - {name: chat, path: /chat, body: {format: ndjson, subject: {conversation: "$.id"}}}
  - {name: ibans, path: /ibans, body: {format: ndjson, subject: {iban: "$.id"}}}
  - {name: voice, path: /voice, body: {format: ndjson, subject: {account: "$.id"}}}
policy: {data: deployment.json}
"""
IDENTIFIERS = "{account: sub, client: client_id}\n      claims: [consent_id, purpose, case]"
ME = {"sub": "A1"}
AGENT = {"sub": "agent-7", "iss": "https://partners.example.org"}
BANK = {"sub": "x", "client_id": "PSDDE-BAFIN-1", "consent_id": "c-1"}
OFFICER = {"sub": "dpo", "roles": ["dpo"], "purpose": "breach-inquiry", "case": "2026-17"}

STORIES: dict[str, tuple[str, dict[str, Any], str]] = {
    "self_access": ("voice", ME, "A1"),
    "linked_account": ("voice", ME, "B7"),
    "representative": ("voice", {**ME, "act": AGENT}, "A1"),
    "guardian": ("voice", ME, "K1"),
    "consent": ("ibans", BANK, IBAN["value"]),
    "case_officer": ("voice", OFFICER, "A9"),
    "participant": ("chat", ME, "C1"),
}
"""Ground → endpoint, claims, and whose record is asked for."""


async def tried(
    folder: Path, ground: str, policies: Path, body: dict[str, Any] | None = None, **more: Any
) -> Report:
    endpoint, claims, owner = STORIES[ground]
    (folder / "body").write_text(json.dumps({"id": owner, **(body or {})}) + "\n")
    deployment = {"grounds": {ground: GROUNDS[ground]}, "partial": {endpoint: "redact"}, **more}
    (folder / "deployment.json").write_text(json.dumps(deployment))
    file = folder / "gateway.yaml"
    file.write_text(MINIMAL.replace("{account: sub}", IDENTIFIERS) + ENDPOINTS)
    at = datetime.fromisoformat(NOW)
    wanted = Wanted(
        load(file, {}), endpoint, claims, (folder / "body",), policies, limit=400, at=at
    )
    return await mutate(wanted)


def with_hole(folder: Path, part: str, old: str, new: str = "true") -> Path:
    copy = folder / "holed"
    shutil.copytree(bundle.shipped(), copy)
    module = copy / "privacy" / part / f"{Path(part).name}.rego"
    text = module.read_text()
    assert text.count(old) == 1, old
    module.write_text(text.replace(old, new))
    return copy


def test_there_is_a_story_for_every_ground() -> None:
    assert STORIES.keys() == GROUNDS.keys()


@pytest.mark.parametrize("ground", STORIES)
async def test_the_ground_kills_every_mutant(folder: Path, ground: str) -> None:
    report = await tried(folder, ground, bundle.shipped())
    assert report.well, [each for each in report.outcomes if each.verdict.fate is not Fate.KILLED]
    kinds = {each.change.kind for each in report.outcomes}
    assert kinds >= {Kind.OWNER, Kind.LOOKALIKE, Kind.ACTOR}
    assert (Kind.EXPIRY in kinds) is (ground != "self_access")
    assert set(report.rests_not_on) <= {"caller.identifiers.account"}


@pytest.mark.parametrize(
    ("ground", "old", "kind"),
    [
        ("case_officer", "is_null(input.caller.actor)", Kind.ACTOR),
        ("linked_account", "data.privacy.lib.moments.open(link.expires_at)", Kind.EXPIRY),
        ("representative", "data.privacy.lib.moments.ahead(end)", Kind.EXPIRY),
        ("guardian", "data.privacy.lib.moments.open(ward.expires_at)", Kind.EXPIRY),
        ("guardian", "_young(ward)\n}", Kind.EXPIRY),
        ("consent", "data.privacy.lib.moments.ahead(consent.expires_at)", Kind.EXPIRY),
        ("consent", "data.privacy.lib.moments.open(consent.revoked_at)", Kind.EXPIRY),
        ("case_officer", "data.privacy.lib.moments.ahead(case.expires_at)", Kind.EXPIRY),
        ("participant", "data.privacy.lib.moments.open(conversation.expires_at)", Kind.EXPIRY),
    ],
)
async def test_a_condition_that_is_gone_is_found(
    folder: Path, ground: str, old: str, kind: Kind
) -> None:
    new = "true\n}" if old.endswith("}") else "true"
    report = await tried(folder, ground, with_hole(folder, f"grounds/{ground}", old, new))
    assert {each.change.kind for each in report.of(Fate.SURVIVED)} == {kind}


SETTINGS = "data.privacy.lib.deployment.settings.grounds.case_officer"


@pytest.mark.parametrize(
    ("ground", "old", "part"),
    [
        ("consent", "_named(id)\n", "caller.claims.consent_id"),
        ("case_officer", f"{SETTINGS}.role in input.caller.roles", "caller.roles.dpo"),
        (
            "case_officer",
            f"case.purpose == input.caller.claims[{SETTINGS}.purpose_claim]",
            "caller.claims.purpose",
        ),
    ],
)
async def test_what_no_rule_asks_for_any_more_is_said(
    folder: Path, ground: str, old: str, part: str
) -> None:
    new = "true\n" if old.endswith("\n") else "true"
    report = await tried(folder, ground, with_hole(folder, f"grounds/{ground}", old, new))
    assert part in report.rests_not_on


NO_MASKS = "\nmasks := set()\n\n_ := "
MASKED = {"ssn": "078-05-1120", "partner": "B2"}


@pytest.mark.parametrize(
    ("restriction", "endpoint", "field"),
    [("never_disclose", "voice", "$.ssn"), ("third_person_fields", "chat", "$.partner")],
)
async def test_a_mask_that_is_not_applied_is_said(
    folder: Path, restriction: str, endpoint: str, field: str
) -> None:
    ground = next(name for name, story in STORIES.items() if story[0] == endpoint)
    enabled = {"restrictions": {restriction: RESTRICTIONS[restriction]}}
    report = await tried(folder, ground, bundle.shipped(), MASKED, **enabled)
    assert report.well and field not in {each.locator for each in report.uncompared}
    holed = with_hole(folder, f"restrictions/{restriction}", "\nmasks := ", NO_MASKS)
    report = await tried(folder, ground, holed, MASKED, **enabled)
    hints = {each.locator: each.hint for each in report.uncompared}
    assert hints[field] == "the policy names it, and left it as it is"
