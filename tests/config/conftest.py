"""A folder with everything that a small configuration names."""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.config import Config, ConfigFaults, load

MINIMAL = """\
upstream: http://127.0.0.1:3000
identity:
  issuers:
    - issuer: https://id.example.org
      audience: data-export
      jwks: https://id.example.org/jwks.json
      algorithms: [RS256]
      identifiers: {account: sub}
decision_log: {file: decisions.jsonl, pseudonym_key_file: pseudonym-key}
endpoints:
  - name: orders
    path: /exports/orders
    body: {format: json, records: "$.orders[*]", subject: {account: "$.customer.id"}}
"""

Loaded = Callable[..., Config]
Faults = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pseudonym key."""
    key = tmp_path / "pseudonym-key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(32))
    return tmp_path


@pytest.fixture
def loaded(folder: Path) -> Loaded:
    """Loads a configuration text."""

    def from_text(text: str = MINIMAL, environ: Mapping[str, str] | None = None) -> Config:
        (folder / "gateway.yaml").write_text(text)
        return load(folder / "gateway.yaml", environ or {})

    return from_text


@pytest.fixture
def faults(loaded: Loaded, folder: Path) -> Faults:
    """The faults of a configuration text, without the folder; none if it loads."""

    def of_text(text: str = MINIMAL, environ: Mapping[str, str] | None = None) -> list[str]:
        try:
            loaded(text, environ)
        except ConfigFaults as found:
            return [str(fault).removeprefix(f"{folder}/") for fault in found.faults]
        return []

    return of_text


BODY = '{format: json, records: "$.orders[*]", subject: {account: "$.customer.id"}}'
SUBJECT = 'subject: {account: "$.a"}'
COLUMN = "subject: {account: a}"


def of_body(faults: Faults, body: str) -> list[str]:
    """The faults of an endpoint's body: path inside it and message."""
    text = MINIMAL.replace(BODY, body)
    assert text != MINIMAL
    return [fault.split(": endpoints[0].body", 1)[1].lstrip(".") for fault in faults(text)]
