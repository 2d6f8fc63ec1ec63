"""The JSON of an explanation has stable keys, whatever there is to explain."""

import json

import msgspec

from gateway.model import Format
from gateway.workbench.desk import Desk, Trial
from gateway.workbench.explain import explain
from gateway.workbench.explanation import Explanation
from gateway.workbench.samples import sample

KEYS = {
    "schema", "endpoint", "method", "path", "at", "engine", "revision", "caller", "outcome",
    "effect", "effect_rule", "code", "status", "note", "fault", "reasons", "subjects",
    "subjects_total", "unattributed", "withhold", "mask", "grounds", "restrictions", "records",
    "members", "rules_of", "doubt",
}  # fmt: skip


async def test_every_key_is_there_whatever_came_of_it(desk: Desk) -> None:
    for body in (b'{"id": "A1"}\n{"id": "A9"}\n', b'{"id": '):
        trial = Trial("voice", {"sub": "A1"}, sample(body, Format.NDJSON))
        shown = json.loads(msgspec.json.encode(await explain(desk, trial, "body")))
        assert set(shown) == KEYS == set(Explanation.__struct_fields__)
        assert shown["schema"] == "privacy-gateway/explanation/v1"
        assert shown["caller"]["identifiers"][0]["value"] == "A1"
