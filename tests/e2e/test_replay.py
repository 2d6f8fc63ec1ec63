"""What a real gateway logged, replayed: no difference against the bundle that decided, and exactly
the difference that was made against another one."""

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import typed
from tests.e2e.conftest import EXPORTS, endpoints
from tests.support.gateway import POLICIES, ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer

ME, FOREIGN, OLD = "canary-me-51c0", "canary-foreign-9d2e", "canary-old-77aa"


def linked(*subjects: str) -> dict[str, Any]:
    links = [{"kind": "account", "value": each, "expires_at": None} for each in subjects]
    return {"links": {"account": {"string": {ME: links}}}}


DEPLOYMENT: Mapping[str, Any] = {
    "grounds": {"self_access": True, "linked_account": linked(OLD)},
    "partial": {f"{name}-partial": "redact" for name in EXPORTS},
    "scopes": {"json": ["canary:export"]},
}
OWNERS = ((ME,), (FOREIGN,), (ME, OLD), (ME, FOREIGN, OLD))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, issuer: TestIssuer) -> Path:
    """A gateway's folder, after own, foreign, linked and mixed exports, and some refusals."""
    folder = tmp_path_factory.mktemp("gateway")
    asyncio.run(_answered(folder, issuer))
    return folder


async def _answered(folder: Path, issuer: TestIssuer) -> None:
    service = ExportService()
    async with serving(service) as upstream:
        config = configuration(folder, issuer, upstream, endpoints(), deployment=DEPLOYMENT)
        async with running(config) as gateway:
            token = issuer.token(sub=ME, scope="canary:export openid")
            for export in EXPORTS.values():
                for path in (export.path, f"{export.path}-partial"):
                    for owners in OWNERS:
                        service.answer(path, export.of(*owners), export.media_type)
                        await gateway.get(f"{path}?for={ME}", token)
            path = EXPORTS["json"].path
            service.answer(path, EXPORTS["json"].of(ME), "application/json")
            await gateway.get(path, issuer.token(sub=ME))  # blocked: without the scope
            service.answer(path, b"{", "application/json")
            await gateway.get(path, token)
            await gateway.get(path, "")
            await gateway.stop()


def plan(folder: Path, *arguments: str | Path, exit_code: int) -> dict[str, Any]:
    log, key = folder / "decisions.jsonl", folder / "pseudonym-key"
    result = typed("replay", log, "--key-file", key, "--json", *arguments)
    assert result.exit_code == exit_code, result.output
    return dict(json.loads(result.stdout))


def changed(folder: Path, **sections: Any) -> Path:
    """Deployment data with some sections replaced."""
    path = folder / "changed.json"
    path.write_text(json.dumps({**DEPLOYMENT, **sections}))
    return path


def test_no_identifier_is_in_the_log_and_the_bundle_that_decided_changes_nothing(
    folder: Path,
) -> None:
    assert "canary" not in (folder / "decisions.jsonl").read_text()
    found = plan(folder, "--data", folder / "deployment.json", exit_code=0)
    assert found["differences"] == []
    assert found["unchanged"] == len(OWNERS) * 2 * len(EXPORTS) + 1
    assert found["not_replayed"] == {"never_asked": 2}
    assert found["reads_inside_texts"] == {}
    assert found["log"]["sealed"] is True


def test_a_link_that_is_taken_away_blocks_what_it_released(folder: Path, tmp_path: Path) -> None:
    data = changed(tmp_path, grounds={"self_access": True})
    found = plan(folder, "--data", data, exit_code=1)
    assert (found["newly_releasing"], found["newly_blocking"]) == (0, 3 * len(EXPORTS))
    assert found["records"]["newly_leaving"] == 0
    whole = [each for each in found["differences"] if each["endpoint"] == "json"]
    assert [(each["before"], each["after"], each["exchanges"]) for each in whole] == [
        ("allow", "block", 1),
        ("block", "block", 1),  # a foreign record was there anyway: another reason only
    ]
    assert whole[0]["reasons"] == {
        "added": ["subject_not_permitted"],
        "removed": ["linked_account"],
    }


def test_a_link_that_is_added_is_seen_although_the_log_names_nobody(
    folder: Path, tmp_path: Path
) -> None:
    """The word that no old policy knew: put back, since the candidate names it."""
    data = changed(tmp_path, grounds={"self_access": True, "linked_account": linked(OLD, FOREIGN)})
    found = plan(folder, "--data", data, exit_code=1)
    assert (found["newly_releasing"], found["newly_blocking"]) == (4 * len(EXPORTS), 0)
    ids = {each for group in found["differences"] for each in group["examples"]}
    log = [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]
    assert ids <= {entry["decision_id"] for entry in log}
    assert "canary" not in json.dumps(found["differences"])


def test_a_scope_that_is_asked_for_is_compared_exactly(folder: Path, tmp_path: Path) -> None:
    found = plan(folder, "--data", changed(tmp_path, scopes={"csv": ["canary:exp"]}), exit_code=1)
    by_endpoint = {each["endpoint"]: each for each in found["differences"] if each["exchanges"]}
    assert by_endpoint["csv"]["reasons"]["added"] == ["scope_missing"]
    assert by_endpoint["json"]["reasons"]["removed"] == ["scope_missing"]
    assert by_endpoint["json"]["direction"] == "releases"


def test_two_bundles_are_compared_on_recorded_questions(folder: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(POLICIES, rules)
    module = rules / "privacy" / "decision" / "decision.rego"
    module.write_text(module.read_text() + '\nmask contains "$.n" if effect == "redact"\n')
    data = folder / "deployment.json"
    found = plan(folder, "--bundle", rules, "--data", data, "--against", POLICIES, exit_code=1)
    assert {each["mask"]["added"][0] for each in found["differences"]} == {"$.n"}
    assert found["newly_releasing"] == 0
    back = plan(folder, "--bundle", POLICIES, "--data", data, "--against", rules, exit_code=1)
    assert back["newly_releasing"] == found["newly_blocking"] > 0
    same = plan(folder, "--bundle", rules, "--data", data, "--against", rules, exit_code=0)
    assert same["unchanged"] == found["unchanged"] + found["newly_blocking"]
