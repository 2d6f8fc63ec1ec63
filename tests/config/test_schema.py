"""The JSON Schema, and the reference manual that is written from it."""

import importlib.util
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from gateway.config import json_schema
from gateway.config.file import parse, read
from tests.config.conftest import MINIMAL
from tests.conftest import REPOSITORY

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_the_schema_is_a_valid_one_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_no_object_takes_a_key_that_nobody_named() -> None:
    for each in objects(SCHEMA):
        assert "additionalProperties" in each
        if "properties" in each or "patternProperties" in each:
            assert each["additionalProperties"] is False


@pytest.mark.parametrize("name", ["gateway.yaml", "minimal.yaml"])
def test_the_examples_are_valid(name: str) -> None:
    VALIDATOR.validate(read(REPOSITORY / "docs" / "examples" / name).value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("upstream:", "upstraem:"),
        ("RS256", "none"),
        ("format: json", "format: jsno"),
        ("name: orders", "name: Orders"),
        ("{account: sub}", "{'e mail': sub}"),
        ("path: /exports/orders", "path: /exports/orders\n    limits: {body: 2000}"),
        ("path: /exports/orders", "path: /exports/orders\n    limits: {body: 2 gigs}"),
        ("path: /exports/orders", "path: /exports/orders\n    release: at-once"),
        ("path: /exports/orders", "path: /exports/orders\n    labels: {n: 5}"),
        ("path: /exports/orders", "path: /exports/orders\n    enforcement: obsreve"),
        ("path: /exports/orders", "path: /exports/orders\n    observe_until: tomorrow"),
        ("decision_log:", "policy: {deadline: 5}\ndecision_log:"),
        ("endpoints:", "endpoints: []\nother:"),
    ],
)
def test_what_the_gateway_refuses_the_schema_refuses(before: str, after: str) -> None:
    assert VALIDATOR.is_valid(parse(MINIMAL, "x").value)
    document = parse(MINIMAL.replace(before, after), "x").value
    assert document != parse(MINIMAL, "x").value
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("audience: data-export", "audience: [a, b]"),
        ('{account: "$.customer.id"}', "[{account: [$.a, $.b]}, {email: $.c}]"),
        ("upstream: http://127.0.0.1:3000", "upstream: {url: 'http://127.0.0.1:3000', read: 5s}"),
        ("{account: sub}", "{account: {claim: n, type: integer}, fhir: 'Patient/{p}'}"),
        ("path: /exports/orders", "path: /exports/orders\n    limits: {body: 2.5 GiB}"),
        ("path: /exports/orders", "path: /exports/orders\n    observe_until: 2026-12-31"),
        (
            "path: /exports/orders",
            "path: /exports/orders\n    observe_until: '2026-12-31T12:00:00Z'",
        ),
        ("decision_log:", "policy: {bundle: null, deadline: 250ms}\ndecision_log:"),
        ("decision_log:", "policy: {shadow: next/}\ndecision_log:"),
        ("decision_log:", "policy: {shadow: {bundle: next/, queue: 5}}\ndecision_log:"),
    ],
)
def test_every_form_that_the_gateway_takes_the_schema_takes(before: str, after: str) -> None:
    document = parse(MINIMAL.replace(before, after), "x").value
    assert document != parse(MINIMAL, "x").value
    VALIDATOR.validate(document)


def test_defaults_are_as_they_would_be_written() -> None:
    limits = SCHEMA["$defs"]["Limits"]["properties"]
    assert limits["body"]["default"] == "2GiB"
    assert SCHEMA["$defs"]["PolicySettings"]["properties"]["deadline"]["default"] == "200ms"
    assert SCHEMA["properties"]["listen"]["default"] == "0.0.0.0:8080"


def test_the_reference_manual_is_up_to_date() -> None:
    script = REPOSITORY / "docs" / "generate_configuration.py"
    spec = importlib.util.spec_from_file_location("generate_configuration", script)
    assert spec and spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    written = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert written == generator.page(), "run: python docs/generate_configuration.py"
