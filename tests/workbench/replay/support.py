"""Logged exchanges, made the way the gateway makes them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.decisionlog.entry import Evidence, Renderer
from gateway.decisionlog.file import Disk, LogFile
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.decisionlog.verify import verify
from gateway.model import Decision, Effect
from gateway.policy.contract import Question
from gateway.workbench.replay.entries import Exchange, Selection, Step, read
from tests.decisionlog.support import KEY, LABELS

NAMES = Pseudonyms(KEY.pseudonym)
SECRET = b"a test key of at least 32 bytes."
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def evidence(asked: Question, decision: Decision | None, **changes: Any) -> Evidence:
    fields: dict[str, Any] = {
        "endpoint": asked.endpoint,
        "method": asked.method,
        "caller": asked.caller,
        "question": asked,
        "inspection": asked.inspection,
        "decision": decision,
    }
    return Evidence(asked.exchange_id, asked.received_at, **fields | changes)


def block(*reasons: str) -> Decision:
    return Decision(Effect.BLOCK, frozenset(), False, frozenset(), (), reasons, "r1")


def rendered(*evidences: Evidence) -> list[bytes]:
    return [Renderer(NAMES, KEY.id, LABELS).render(each) for each in evidences]


def write(path: Path, *bodies: bytes) -> Path:
    """A log and its anchor."""
    file = LogFile(path, KEY, Disk())
    file.open()
    file.commit(list(bodies))
    file.close()
    return path


def steps(
    path: Path, selection: Selection | None = None, *, recorded: bool = True, key_id: str = KEY.id
) -> list[Step]:
    chosen = selection or Selection()
    return list(read(path, verify(path), key_id, chosen, recorded=recorded))


def exchange(folder: Path, evidence_: Evidence, *, recorded: bool = True) -> Exchange:
    """One entry, written and read."""
    path = folder / "one.jsonl"
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".anchor").unlink(missing_ok=True)
    (step,) = steps(write(path, *rendered(evidence_)), recorded=recorded)
    assert step.exchange, step
    return step.exchange


def key_file(folder: Path) -> Path:
    path = folder / "pseudonym-key"
    path.touch(0o600)
    path.write_bytes(SECRET)
    return path


def written_json(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path
