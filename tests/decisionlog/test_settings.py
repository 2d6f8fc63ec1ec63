"""What the configuration may say about the decision log."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.decisionlog.settings import DecisionLogSettings

ADAPTER = TypeAdapter(DecisionLogSettings)
LEAST = {"file": "decisions.jsonl", "pseudonym_key_file": "/run/secrets/pseudonym-key"}


def test_two_paths_are_enough() -> None:
    settings = ADAPTER.validate_python(LEAST)
    assert settings.file == Path("decisions.jsonl")
    assert settings.pseudonym_key_file == Path("/run/secrets/pseudonym-key")
    assert (settings.queue, settings.deadline) == (10_000, 5.0)


def test_a_deadline_takes_a_unit() -> None:
    assert ADAPTER.validate_python(LEAST | {"deadline": "250ms", "queue": 1}).deadline == 0.25


@pytest.mark.parametrize(
    "change",
    [
        {"file": ""},
        {"file": "/"},
        {"file": "log\0"},
        {"pseudonym_key_file": ""},
        {"queue": 0},
        {"queue": 1_000_001},
        {"deadline": "0s"},
        {"deadline": 5},
        {"files": "decisions.jsonl"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_a_fault(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(LEAST | change)


@pytest.mark.parametrize("missing", sorted(LEAST))
def test_neither_path_has_a_default(missing: str) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python({name: LEAST[name] for name in LEAST if name != missing})
