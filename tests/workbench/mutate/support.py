"""Fixtures for mutation tests: an archive with a manifest, and policies with planted holes."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.config import Config
from gateway.inspection.settings import BodySpec, MemberSpec
from gateway.model import Attribution, Format
from gateway.workbench.mutate.baselines import Wanted
from gateway.workbench.mutate.mutation import Report, mutate
from tests.conftest import REPOSITORY
from tests.support.zips import M, archive

HONEST = """package privacy.grounds.self_access

permits contains {"kind": subject.kind, "value": subject.value} if {
	is_null(input.caller.actor)
	some subject in input.payload.subjects
	some mine in input.caller.identifiers
	mine.kind == subject.kind
	mine.value == subject.value
}
"""
"""A ground that permits the caller's own, and can be spoiled in one place."""

ARCHIVE = BodySpec(
    Format.ZIP,
    members=(
        MemberSpec(
            "manifest.json",
            Format.JSON,
            records="$.recordings[*]",
            subject=({"account": ("$.customer_id",)},),
            vouches_for="$.file",
            category="voice",
        ),
        MemberSpec("recordings/*.wav", attribution=Attribution.MANIFEST, category="voice"),
        MemberSpec("photos/{account}/*", attribution=Attribution.PATH),
        MemberSpec("orders.csv", Format.CSV, subject=({"account": ("customer_id",)},)),
    ),
)


def exported(*owners: str) -> bytes:
    """An archive with one recording and one order of each owner, and photos of the first."""
    names = [f"recordings/{number}.wav" for number in range(len(owners))]
    listed = [
        {"customer_id": owner, "file": name} for owner, name in zip(owners, names, strict=True)
    ]
    rows = "".join(f"{owner},{number}\r\n" for number, owner in enumerate(owners))
    return archive(
        M("manifest.json", json.dumps({"recordings": listed}, indent=1).encode()),
        *(M(name, f"RIFF{name}".encode()) for name in names),
        M("orders.csv", f"customer_id,cents\r\n{rows}".encode(), method=8),
        M(f"photos/{owners[0]}/me.jpg", b"\xff\xd8\xff"),
        M("unknown.bin", b"?"),
    )


def lines(*owners: Any) -> bytes:
    return b"".join(json.dumps({"id": owner, "text": "x"}).encode() + b"\n" for owner in owners)


def spoiled(folder: Path, old: str = "", new: str = "", ground: str = HONEST) -> Path:
    """The shipped policies with another ground in the place of self_access: HONEST, in which one
    line is another."""
    bundle = folder / "spoiled"
    shutil.copytree(REPOSITORY / "policies", bundle)
    (bundle / "schemas" / "deployment.json").unlink()
    assert old in ground
    module = bundle / "privacy" / "grounds" / "self_access" / "self_access.rego"
    module.write_text(ground.replace(old, new) if old else ground)
    return bundle


def with_data(config: Config, folder: Path, data: Mapping[str, Any]) -> Config:
    """The configuration with other data in the deployment."""
    file = folder / "other-deployment.json"
    file.write_text(json.dumps(data))
    return replace(config, policy=replace(config.policy, data=file))


async def tried(config: Config, folder: Path, endpoint: str, body: bytes, **changes: Any) -> Report:
    """What mutation testing finds with this body, for A1."""
    file = folder / "fixture"
    file.write_bytes(body)
    return await mutate(replace(Wanted(config, endpoint, {"sub": "A1"}, (file,)), **changes))
