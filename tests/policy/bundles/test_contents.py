"""The files of a bundle: which count, and how one is told from another."""

import json

import pytest

from gateway.policy.bundles.contents import Bundle, Overlay, counts, parse
from gateway.policy.bundles.faults import BundleError
from tests.policy.bundles.support import RULE, files


@pytest.mark.parametrize(
    "name",
    [
        ".manifest",
        "a.rego",
        "a/b.rego",
        "data.json",
        "a/data.yaml",
        "a/data.yml",
        "schemas/deployment.json",
        "patch.json",
        "a/plan.json",
        "policy.wasm",
        "a/.manifest",
    ],
)
def test_what_means_something_to_us_or_to_opa_counts(name: str) -> None:
    assert counts(name)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "a/b_test.rego",
        "a/b.json",
        "schemas/question.json",
        ".signatures.json",
        "data.json.bak",
        "b/schemas/deployment.json",
        ".regal/config.yaml",
    ],
)
def test_what_means_nothing_does_not(name: str) -> None:
    assert not counts(name)


def test_two_bundles_are_told_apart_by_their_digests() -> None:
    one = parse(files("1"), "origin")
    assert parse(files("1") | {"README.md": b"x"}, "elsewhere").digest == one.digest
    assert parse(files("2"), "origin").digest != one.digest
    assert parse(files("1", RULE + "\n"), "origin").digest != one.digest
    assert one.edition.revision == "1"
    assert one.edition.digest == one.digest


def overlaid(content: bytes, digest: str) -> Bundle:
    document = json.loads(content)
    return parse(files("1"), "origin", Overlay("d.json", document, digest))


def test_an_overlay_makes_another_bundle_of_the_same_edition() -> None:
    plain = parse(files("1"), "origin")
    one, other = overlaid(b'{"a": 1}', "a" * 64), overlaid(b'{"a": 2}', "b" * 64)
    assert plain.edition == one.edition == other.edition
    assert len({plain.digest, one.digest, other.digest}) == 3
    assert one.revision == "1+sha256:" + "a" * 16


def test_a_file_is_named_for_people() -> None:
    assert parse(files(), "b.tar.gz").file("privacy/p.rego") == "b.tar.gz/privacy/p.rego"


def test_a_fault_names_the_origin_and_the_file() -> None:
    with pytest.raises(BundleError) as refusal:
        parse(files() | {"privacy/q.rego": b"\xff"}, "https://b.example.org/b.tar.gz")
    told = "https://b.example.org/b.tar.gz/privacy/q.rego: not UTF-8 at byte 0"
    assert str(refusal.value) == told
