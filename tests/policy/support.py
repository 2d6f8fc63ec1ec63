"""Questions and bundles for the policy tests."""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.model import (
    Actor,
    Attribution,
    Caller,
    Format,
    Group,
    Identifier,
    Inspection,
    Phase,
    SubjectRef,
)
from gateway.policy.contract import Question
from tests.conftest import REPOSITORY

POLICIES = REPOSITORY / "policies"
AMPLE = 30.0
"""Seconds: a deadline that only a hang passes."""

ME, FOREIGN = SubjectRef("account", "A1"), SubjectRef("account", "A9")

ECHO = """package privacy

# Answers what the question carries in a claim, so that one bundle can answer anything.
decision := json.unmarshal(input.caller.claims.answer)

decision := 1 if {
	input.caller.claims.runaway
	many := numbers.range(1, 3000)
	count([1 | some a in many; some b in many; some c in many; (a + b) + c < 0]) == 1
}
"""


def question(
    *groups: Group | SubjectRef,
    identifiers: Sequence[SubjectRef] = (ME,),
    phase: Phase = Phase.RESPONSE,
    endpoint: str = "orders",
    claims: Mapping[str, Any] | None = None,
    scopes: tuple[str, ...] = (),
    roles: tuple[str, ...] = (),
    actor: Actor | None = None,
    issuer: str = "https://id.example.org",
    received_at: datetime = datetime(2026, 6, 1, 12, tzinfo=UTC),
    fields: tuple[str, ...] = ("id",),
    path: tuple[str, ...] = ("exports", "orders"),
    query: Mapping[str, tuple[str, ...]] | None = None,
) -> Question:
    """A question about one record of each subject given; whole groups are taken as they are."""
    caller = Caller(
        issuer=issuer,
        id="A1",
        identifiers=tuple(Identifier(each.kind, each.value) for each in identifiers),
        actor=actor,
        scopes=scopes,
        roles=roles,
        claims=claims or {},
    )
    seen = tuple(
        each if isinstance(each, Group) else Group((each,), Attribution.DIRECT, "", 1)
        for each in groups
    )
    return Question(
        phase=phase,
        exchange_id="0123456789abcdef",
        received_at=received_at,
        endpoint=endpoint,
        labels={},
        method="GET",
        path=path,
        params={},
        query=query or {},
        caller=caller,
        inspection=Inspection(Format.JSON, seen, fields, 100, 100, 100)
        if phase is Phase.RESPONSE
        else None,
    )


def unattributed(records: int = 1, category: str = "") -> Group:
    return Group((), Attribution.NONE, category, records)


def answer(**changes: Any) -> bytes:
    """An answer that allows ME; a change to None leaves the field out."""
    whole: dict[str, Any] = {
        "effect": "allow",
        "permitted": [{"kind": "account", "value": "A1"}],
        "unattributed": "withhold",
        "withhold": [],
        "mask": [],
        "reasons": ["self_access"],
    }
    whole.update(changes)
    return json.dumps({k: v for k, v in whole.items() if v is not None}).encode()


def write_bundle(
    folder: Path, modules: Mapping[str, str], *, revision: str = "", data: Any = None
) -> Path:
    """A bundle folder; `modules` are path → Rego, `data` the deployment document."""
    manifest = {"roots": ["privacy"]} | ({"revision": revision} if revision else {})
    for name, text in {".manifest": json.dumps(manifest), **modules}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if data is not None:
        deployment = folder / "privacy" / "deployment"
        deployment.mkdir(parents=True, exist_ok=True)
        (deployment / "data.json").write_text(json.dumps(data))
    return folder


def shipped_bundle(folder: Path, deployment: Any, revision: str = "shipped-1") -> Path:
    """The policies that ship, with this deployment document; None leaves it out."""
    shutil.copytree(POLICIES, folder, ignore=shutil.ignore_patterns("*_test.rego", "data.json"))
    return write_bundle(folder, {}, revision=revision, data=deployment)
