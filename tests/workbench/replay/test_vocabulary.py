"""What a bundle names, found without running it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.bundle import Bundle, load
from gateway.policy.bundles.contents import Edition
from gateway.workbench.replay.vocabulary import readers, words
from tests.policy.support import POLICIES, shipped_bundle


def bundle(text: str, data: object = None) -> Bundle:
    edition = Edition("r", "")
    return Bundle("b", "r", {"privacy/a.rego": text}, {"privacy": data}, None, edition, "")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('x := "A1"', "A1"),
        ('x := "a \\"quoted\\" word"', 'a "quoted" word'),
        ('x := "J\\u00fcrgen"', "Jürgen"),
        ("x := `raw \\n text`", "raw \\n text"),
        ('x := `a "b` # "c"', 'a "b'),
        ("input.caller.claims.realm_access.roles", "roles"),
        ('input.request.query["page"]', "page"),
        ("x := 18", 18),
        ("x := -7", -7),
        ("x := 1.5e3", 1500.0),
        ('x := "a#b"', "a#b"),
        ("data.privacy.lib.subjects.mine(x)", "subjects"),
    ],
)
def test_a_word_of_a_rule_is_found(text: str, word: str | float) -> None:
    assert word in words(bundle(text))


@pytest.mark.parametrize("text", ['# x := "A9"', 'x := 1 # see "A9"'])
def test_a_word_in_a_comment_is_not(text: str) -> None:
    assert "A9" not in words(bundle(text))


def test_every_key_and_leaf_of_the_data_is_a_word() -> None:
    data = {
        "links": {"A1": [{"subject": "A9", "number": 42, "share": 0.5, "on": True, "no": None}]}
    }
    found = words(bundle("", data))
    assert {"links", "A1", "A9", 42, 0.5} <= found
    assert not any(each is True or each is None for each in found)


@given(st.text(max_size=300))
def test_any_text_has_words(text: str) -> None:
    """Also what is no Rego: the engine says so, and not this."""
    words(bundle(text))
    readers(bundle(text))


def test_a_builtin_that_reads_inside_texts_is_named_with_its_line() -> None:
    text = """package privacy.a

# startswith(x, "in a comment")
allow if startswith(input.caller.id, "svc-")

names contains lower(role) if some role in input.caller.roles

other if regex.match("^a", input.caller.id)
"""
    assert readers(bundle(text)) == {
        "lower": ("privacy/a.rego:6",),
        "regex.match": ("privacy/a.rego:8",),
        "startswith": ("privacy/a.rego:4",),
    }


def test_the_words_of_the_shipped_rules_and_data_are_found(tmp_path: Path) -> None:
    loaded = load(shipped_bundle(tmp_path / "b", {"grounds": {}, "scopes": {"orders": ["export"]}}))
    assert {"self_access", "redact", "export", "orders"} <= words(loaded)
    assert load(POLICIES).modules


def test_the_names_in_a_mask_and_the_numbers_of_a_register_are_words() -> None:
    data = {
        "masks": ["$.contacts[*].phone", "$['tax id']"],
        "links": {"account": {"number": {"42": [], "-7": [], "042": []}}},
    }
    found = words(bundle("", data))
    assert {"contacts", "phone", "tax id", "42", 42, -7} <= found
    assert 42 in {each for each in found if type(each) is int}


def test_the_library_that_ships_reads_inside_the_names_of_fields_only_where_it_masks(
    tmp_path: Path,
) -> None:
    masks = {"never_disclose": {"masks": ["$.ssn"]}}
    plain = load(shipped_bundle(tmp_path / "plain", {"grounds": {}}))
    masking = load(shipped_bundle(tmp_path / "masks", {"grounds": {}, "restrictions": masks}))
    assert readers(plain) == {}
    places = {place for each in readers(masking).values() for place in each}
    assert places and all(place.startswith("privacy/lib/payload/payload.rego:") for place in places)
