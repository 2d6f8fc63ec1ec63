"""What masked values become, and where that can't be."""

import hmac
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsontext
from gateway.inspection.jsontext import parse, places
from gateway.inspection.locators import compile, find
from gateway.inspection.masking import (
    LONGEST,
    check_apart,
    derive,
    erased,
    longest,
    naming,
    of_json,
    of_text,
    of_xml,
    spliced,
    strictest_first,
)
from gateway.inspection.settings import BodySpec, EmbeddedSpec, InnerMemberSpec, MemberSpec
from gateway.model import Format, Mask
from tests.support.reading import spaced

KEY = derive(b"0123456789abcdef0123456789abcdef")
NULL, TEXT, KEEP = Mask("$.a"), Mask("$.a", text="[removed] é<&>"), Mask("$.a", keep=3)
PSEUDONYM = Mask("$.a", pseudonym=True)
KINDS = (NULL, TEXT, KEEP, PSEUDONYM)
SCALARS = [b'"x"', b'"\\u00e9\\ud83d\\ude00\\n"', b"0", b"-12", b"1.5", b"1e3", b"true", b"false"]


def refused(mask: Mask, value: bytes, key: bytes | None = KEY) -> None:
    with pytest.raises(BadUpstream) as caught:
        of_json(mask, value, key)
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    assert value.decode() not in caught.value.note


# --- JSON


@pytest.mark.parametrize("value", [*SCALARS, b"{}", b"[]", b'{"a":"x"}', b'["x"]', b"null", b'""'])
def test_null_takes_the_place_of_everything(value: bytes) -> None:
    assert of_json(NULL, value, None) == b"null"


@pytest.mark.parametrize("value", SCALARS)
def test_a_text_takes_the_place_of_every_single_value(value: bytes) -> None:
    assert json.loads(of_json(TEXT, value, None)) == TEXT.text


def test_a_text_is_written_in_ascii_so_that_no_frame_breaks() -> None:
    assert of_json(Mask("$.a", text="é\u00a0𝒳"), b"1", None).isascii()


@pytest.mark.parametrize("mask", [TEXT, KEEP, PSEUDONYM])
def test_a_list_or_an_object_becomes_null_or_nothing_leaves(mask: Mask) -> None:
    for value in (b"{}", b"[]", b'{"a":"canary"}', b'["canary"]'):
        refused(mask, value)
    assert of_json(mask, b'"x"', KEY) != b"null"


@pytest.mark.parametrize("mask", [TEXT, KEEP, PSEUDONYM])
def test_null_and_an_empty_text_hide_nothing_and_stay(mask: Mask) -> None:
    assert of_json(mask, b"null", KEY) == b"null"
    assert of_json(mask, b'""', KEY) == b'""'
    assert of_text(mask, "", KEY) == ""


def test_what_has_no_first_characters_is_refused() -> None:
    for value in (b"1234", b"-1", b"1.5", b"true", b"false"):
        refused(KEEP, value)


def test_what_has_two_values_or_many_spellings_has_no_pseudonym() -> None:
    for value in (b"true", b"false", b"1.0", b"1e3", b"-0.0"):
        refused(PSEUDONYM, value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (b'"abcdef"', b'"abc"'),
        (b'"ab"', b'"ab"'),
        (rb'"\u00e9\"\\x"', rb'"\u00e9\"\\"'),
        (rb'"\ud83d\uDE00\/\u2028x"', rb'"\ud83d\uDE00\/\u2028"'),
        ('"é😀\u2028x"'.encode(), '"é😀\u2028"'.encode()),
    ],
)
def test_what_is_kept_is_spelt_as_it_came(value: bytes, kept: bytes) -> None:
    assert of_json(KEEP, value, None) == kept


@given(text=st.text(max_size=20), keep=st.integers(1, 25), ascii=st.booleans())
def test_the_first_characters_stay_and_no_others(text: str, keep: int, ascii: bool) -> None:
    mask = Mask("$.a", keep=keep)
    written = json.dumps(text, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    assert json.loads(of_json(mask, written, None).decode("utf-8", "surrogatepass")) == text[:keep]
    assert of_text(mask, text, None) == text[:keep]


# --- pseudonyms


def test_a_pseudonym_is_a_keyed_hash_of_the_type_and_the_value() -> None:
    expected = "m" + hmac.new(KEY, b"text\0" + "é".encode(), "sha256").hexdigest()[:32]
    assert of_text(PSEUDONYM, "é", KEY) == expected
    assert of_json(PSEUDONYM, b'"\\u00e9"', KEY) == of_json(PSEUDONYM, '"é"'.encode(), KEY)
    assert json.loads(of_json(PSEUDONYM, '"é"'.encode(), KEY)) == expected
    assert of_xml(PSEUDONYM, b"&#233;", False, KEY).decode() == expected
    assert len(expected) == LONGEST and re.fullmatch("m[0-9a-f]{32}", expected)


def test_equal_values_have_equal_pseudonyms_and_no_others_have() -> None:
    values = [b'"1"', b"1", b"-1", b'"-1"', b'" 1"', b'"\\u00001"', b'"A"', b'"a"', b"10"]
    made = [of_json(PSEUDONYM, value, KEY) for value in values]
    assert made == [of_json(PSEUDONYM, value, KEY) for value in values]
    assert len(set(made)) == len(values)
    assert of_json(PSEUDONYM, b"-0", KEY) == of_json(PSEUDONYM, b"0", KEY)


def test_another_key_makes_other_pseudonyms() -> None:
    other = derive(b"another secret of some thirty two bytes")
    assert of_text(PSEUDONYM, "x", KEY) != of_text(PSEUDONYM, "x", other)


def test_an_integer_of_any_length_has_a_pseudonym() -> None:
    assert of_json(PSEUDONYM, b"9" * 5000, KEY) != of_json(PSEUDONYM, b"9" * 5001, KEY)


@pytest.mark.parametrize("value", [b'"canary"', b"42"])
def test_without_a_key_there_is_no_pseudonym(value: bytes) -> None:
    refused(PSEUDONYM, value, None)
    assert of_json(PSEUDONYM, value, KEY)


# --- XML


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (b"abcd", b"abc"),
        (b"&lt;&#x26;&quot;&apos;", b"&#60;&#38;&#34;"),
        (b"&#128;b&#13;d", b"\xc2\x80b&#13;"),  # in HTML the first would be U+20AC
        (b"&amp;lt;", b"&#38;lt"),
        (b"a&gt;", b"a&gt;"),
        (b"a\r\nbc", b"a&#10;b"),
    ],
)
def test_what_is_kept_of_an_element_is_what_its_text_is(value: bytes, kept: bytes) -> None:
    assert of_xml(KEEP, value, False, None) == kept


def test_an_attribute_has_spaces_for_line_ends_and_tabs() -> None:
    spaced = of_xml(PSEUDONYM, b"a\tb\r\nc\nd", True, KEY)
    assert spaced == of_xml(PSEUDONYM, b"a b c d", True, KEY)
    assert of_xml(PSEUDONYM, b"a&#9;b", True, KEY) == of_xml(PSEUDONYM, b"a\tb", False, KEY)


@pytest.mark.parametrize("value", [b"<b>x</b>", b"x<!-- c -->", b"<![CDATA[x]]>"])
def test_an_element_with_more_than_text_in_it_becomes_nothing_or_stays_behind(value: bytes) -> None:
    assert of_xml(NULL, value, False, KEY) == b""
    for mask in (TEXT, KEEP, PSEUDONYM):
        with pytest.raises(BadUpstream) as caught:
            of_xml(mask, value, False, KEY)
        assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_a_text_is_escaped_in_xml() -> None:
    assert of_xml(TEXT, b"x", True, None) == "[removed] é&#60;&#38;&#62;".encode()


# --- several masks, and their places


def test_the_mask_that_tells_the_least_comes_first() -> None:
    masks = [KEEP, Mask("$.a", keep=2), PSEUDONYM, TEXT, NULL]
    assert strictest_first(masks) == [NULL, TEXT, PSEUDONYM, Mask("$.a", keep=2), KEEP]


def test_where_values_can_only_go_something_in_their_place_is_refused() -> None:
    assert erased([NULL, Mask("$.b")]) == ["$.a", "$.b"]
    assert erased([NULL, KEEP, PSEUDONYM]) == ["$.a"]  # it goes anyhow
    for mask in (TEXT, KEEP, PSEUDONYM):
        with pytest.raises(BadUpstream) as caught:
            erased([Mask("$.b"), mask])
        assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_of_places_in_one_another_the_outer_one_counts() -> None:
    def numbered(value: bytes, number: int) -> bytes:
        return b"%d" % number

    assert spliced(b"abcdef", [(2, 3, 0), (1, 4, 1), (5, 6, 3), (5, 6, 2)], numbered) == b"a1e2"
    assert spliced(b"abcdef", [], numbered) == b"abcdef"


LOCATORS = ["$", "$.a", "$[*]", "$.*", "$.a.b", "$[*].a", "$.*.*", "$.a[*].b"]


@given(
    value=st.recursive(
        st.integers(), lambda v: st.lists(v) | st.dictionaries(st.sampled_from("abc"), v)
    ),
    seed=st.integers(0, 99),
    masks=st.lists(st.sampled_from(LOCATORS)),
)
@example(value={"a": "x", "b": [{"a": 1}, {"a": '"},'}]}, seed=0, masks=["$.b[*].a"])
def test_what_locators_find_becomes_null_in_its_place(
    value: Any, seed: int, masks: list[str]
) -> None:
    text = spaced(value, seed)
    begin, end = jsontext.trimmed(text)
    spans = [(*span, 0) for mask in masks for span in places(text, begin, end, compile(mask))]
    blanked = spliced(text, spans, lambda _value, _number: b"null")
    for mask in masks:
        assert all(found is None for found in find(parse(blanked, 100), compile(mask)))
    if not spans:
        assert blanked == text


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=64))
def test_no_value_becomes_longer_than_is_reckoned(text: str) -> None:
    for mask in (Mask("$.a", text=text), PSEUDONYM):
        made = [
            of_json(mask, b"1", KEY),
            of_xml(mask, b"1", True, KEY),
            of_text(mask, "1", KEY).encode("utf-16-le"),
        ]
        assert max(map(len, made)) <= longest(mask)


# --- what names the owners, as a body comes -----------------------------------------------------


def _owned(*subject: dict[str, tuple[str, ...]]) -> BodySpec:
    return BodySpec(Format.NDJSON, subject=subject)


@pytest.mark.parametrize(
    ("locator", "path"),
    [
        ("$.owner", "$.owner"),
        ("$.owner", "$['owner']"),
        ("$.owner.id", "$.owner"),
        ("$.owner", "$.owner.id"),
        ("$.owners[*].id", "$.owners.*.id"),
        ("$.owner.id", "$.*.id"),
        ("$.owners[*].id", "$.owners[*]"),
        ("owner", "$.owner"),  # a column
        ("$.owner", "$"),
        ("$", "$.owner"),
    ],
)
def test_a_mask_on_the_way_to_an_owner_is_refused(locator: str, path: str) -> None:
    spec = _owned({"account": ("$.other",)}, {"account": (locator,)})
    for mask in (Mask(path), Mask(path, text="x")):
        with pytest.raises(BadUpstream) as refused:
            check_apart((Mask("$.iban"), mask), naming(spec))
        assert refused.value.code is Code.REDACTION_UNSUPPORTED


def test_a_mask_beside_the_owners_is_none_of_theirs() -> None:
    masks = tuple(map(Mask, ("$.iban", "$.owner.name", "$.owners", "$.orders[*].id")))
    check_apart(masks, naming(_owned({"account": ("$.owner.id",), "order": ("$.id",)})))
    check_apart(masks, naming(_owned()))


def test_owners_above_the_records_are_out_of_reach_of_masks() -> None:
    """Such records are held, and read again behind their masks."""
    spec = _owned({"account": ("$^^.id",)}, {"map": ("$~",)}, {"order": ("$.order",)})
    check_apart((Mask("$.id"),), naming(spec))
    with pytest.raises(BadUpstream):
        check_apart((Mask("$.order"),), naming(spec))


def test_a_mask_on_a_document_that_names_owners_is_refused_as_it_comes() -> None:
    spec = BodySpec(Format.NDJSON, embedded=(EmbeddedSpec(("$.a.payload",), Format.JSON),))
    for path in ("$.a", "$.a.payload", "$.a.payload.owner"):
        with pytest.raises(BadUpstream) as refused:
            check_apart((Mask(path),), naming(spec))
        assert refused.value.code is Code.REDACTION_UNSUPPORTED
    check_apart((Mask("$.b"), Mask("$.a.b")), naming(spec))


def test_what_names_the_owners_of_fhir_and_of_members_is_found() -> None:
    fhir = BodySpec(Format.FHIR, subject=({"fhir": ("Patient",)},), lines=True)
    member = MemberSpec("*", Format.NDJSON, subject=({"account": ("$.owner",)},))
    parts = BodySpec(Format.MULTIPART, members=(member,))
    mail = MemberSpec("*", Format.EML, members=(InnerMemberSpec("*", subject=member.subject),))
    letters = BodySpec(Format.MULTIPART, members=(mail,))
    refused = [
        *((fhir, path) for path in (
            "$.id", "$.subject", "$.subject.reference", "$.participant[*].actor.reference",
            "$.participant[*].actor", "$.contained[*].name", "$.identifier[*].value",
            "$.subject.identifier.value", "$.resourceType", "$.*", "$.participant[*].*.type",
        )),
        (parts, "$.owner"),
        (letters, "$.owner"),
    ]  # fmt: skip
    for spec, path in refused:
        with pytest.raises(BadUpstream) as caught:
            check_apart((Mask(path),), naming(spec))
        assert caught.value.code is Code.REDACTION_UNSUPPORTED, path
    for path in ("$.note[*].text", "$.subject.display", "$.name[*].given", "$.birthDate"):
        check_apart((Mask(path),), naming(fhir))
    for spec in (parts, letters):
        check_apart((Mask("$.n"),), naming(spec))


def test_what_is_no_path_is_refused_before_anything_flows() -> None:
    with pytest.raises(BadUpstream) as refused:
        check_apart((Mask("$.a["),), naming(_owned()))
    assert refused.value.code is Code.REDACTION_UNSUPPORTED
