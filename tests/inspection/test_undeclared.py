"""Texts that look like documents where none is declared."""

import base64
import gzip
import hashlib
import json
import random
import textwrap
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonplan import plan
from gateway.inspection.jsonscan import scan
from gateway.inspection.locators import compile
from gateway.inspection.settings import Limits
from gateway.inspection.source import Body, InMemory
from gateway.inspection.undeclared import check, is_division, is_document, watched

FOREIGN = '{"owner": "foreign"}'
BASE64 = base64.b64encode(FOREIGN.encode()).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(range(256)) * 16).decode()
JWT = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")


def refusal(value: Any, depth: int = 3) -> Code | None:
    try:
        check(value, (), depth)
    except BadUpstream as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    "text",
    [
        FOREIGN, f" \n{FOREIGN}\n{FOREIGN}", f"\ufeff{FOREIGN}", f"[{FOREIGN}]", '["foreign"]',
        "{'owner': 'foreign'}", "{owner: 1}", f"{FOREIGN} and more", "[1, 2]", "[true]", "[[1]]",
        '{"a', "<a><b/></a>", "<?xml version='1.0'?><a/>", "<!DOCTYPE html>", "<p class='x'>",
        "<a/>",
        "</p>", "<x:y z='1'/>",
        BASE64, BASE64.rstrip("="), BASE64.replace("=", ""), f"{BASE64[:8]}\r\n{BASE64[8:]}",
        base64.urlsafe_b64encode(FOREIGN.encode()).decode(), base64.b64encode(b"<a>b</a>").decode(),
        base64.b64encode(BASE64.encode()).decode(), FOREIGN.encode().hex(),
        FOREIGN.encode().hex().upper(), BASE64.encode().hex(), quote(FOREIGN),
        base64.b64encode(FOREIGN.encode("utf-16-le")).decode(),
        base64.b64encode(FOREIGN.encode("utf-16")).decode(),
        base64.urlsafe_b64encode(gzip.compress(FOREIGN.encode())).decode(),
        base64.b64encode(b"%PDF-1.7 and so on").decode(),
        base64.b64encode(b"PK\x03\x04" + bytes(26)).decode(),
        "A" * 4096, "ab" * 2048, ("A" * 76 + "\r\n") * 60,
        "data:application/json;base64,e30=", "data:text/plain,foreign", "DATA:;base64,e30=",
        json.dumps(FOREIGN), f"\n{json.dumps(FOREIGN)} ", "\x1e" + FOREIGN,
        json.dumps(json.dumps(FOREIGN)), json.dumps(BASE64),
        f"{JWT}.e30.", f"{JWT}.{JWT}.c2ln", f"{JWT}.{'A' * 5000}.c2ln",
    ],
)  # fmt: skip
def test_what_a_reader_may_take_for_a_document_is_refused(text: str) -> None:
    """A53."""
    for value in (text, [text], {"a": {"b": [None, text]}}, {text: 1}, {"a": {text: 1}}):
        assert refusal(value) is Code.MEMBER_UNSUPPORTED


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "me", "Dear Mr. Smith, [see 1] {x}", "[redacted]", "[2026-01-01] called", "{}",
        "[]", "{{name}}", "{name}", "[x] done", "<3", "<john@x.org> wrote", "a < b",
        "<- here", "\u2014",
        "international", "0123456789abcdef0123456789abcdef", "data: hello, world", "data",
        "5f2b7c1e-8f1d-4c63-9d1e-0b6a3f1c2d4e", "https://x.org/a?b=%7B%22", "%41%42%43", '"quoted"',
        '"', '"half', "H4s", "H4sICODE", "R0lGCODE", "me@x.org", "1.2.3.4", "www.example.org",
        base64.b64encode(bytes(range(128, 160))).decode(),
        base64.b64encode(b"hello world").decode(),
        "word " * 2000, "x" * 4095,
    ],
)  # fmt: skip
def test_ordinary_texts_pass(text: str) -> None:
    assert refusal({"a": [text], "b": text}) is None


WRITTEN = {
    "base64": BASE64, "unpadded": BASE64.rstrip("="), "hex": FOREIGN.encode().hex(),
    "token": f"{JWT}.e30.", "file": PDF[:400], "long file": PDF,
    "long": base64.b64encode(hashlib.shake_256(b"any").digest(4000)).decode(),
    "JSON text": json.dumps(FOREIGN), "JSON text of base64": json.dumps(f" {BASE64}"),
    "percent": quote(FOREIGN), "percent of a blank": quote(f" {FOREIGN}"),
    "data": f"data:,{FOREIGN}", "data with a charset": f"data:;charset=utf-8,{FOREIGN}",
}  # fmt: skip


@pytest.mark.parametrize(
    "blank", [" ", "\t", "\n", "\r\n\t", "\u00a0", "\u2003", "\ufeff", " \ufeff "]
)
@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_white_space_hides_nothing(text: str, blank: str) -> None:
    for value in (blank + text, text + blank, blank + text + blank):
        assert refusal(value) is Code.MEMBER_UNSUPPORTED


@pytest.mark.parametrize("blank", [" ", "\t", "\n ", "\u00a0", "\ufeff"])
@pytest.mark.parametrize(
    "kind", ["base64", "unpadded", "hex", "token", "file", "long file", "long"]
)
def test_nor_does_it_between_letters_that_lenient_readers_put_together(
    kind: str, blank: str
) -> None:
    text = WRITTEN[kind]
    for value in (text[:9] + blank + text[9:], blank.join(textwrap.wrap(text, 10))):
        assert refusal(value) is Code.MEMBER_UNSUPPORTED
        assert refusal(json.dumps(value)) is Code.MEMBER_UNSUPPORTED


@pytest.mark.parametrize(
    "text",
    [
        "data:,x", "data: ;base64, e30=", "data:text/json; charset=utf-8,x", "data: text/json,x",
        "data:;base64 ,e30=",
    ],
)  # fmt: skip
def test_a_data_uri_needs_no_type_and_may_have_blanks(text: str) -> None:
    assert refusal(text) is Code.MEMBER_UNSUPPORTED
    assert refusal(text.replace("data:", "data: is ").replace(";", " ")) is None


def test_words_and_numbers_with_blanks_between_them_are_ordinary() -> None:
    """SampledData of FHIR is one long text of numbers; `Wyc` and `eye` are base64 of `['`, `{'`."""
    numbers = random.Random(1)
    for text in (
        "eye drops as needed", "Wycombe Wanderers", "PDF file of the contract", "Jane Q Public",
        "Year in order to address all of them", "0151 2345 6789 01", "DE89 3704 0044 0532 0130 00",
        " ".join(str(numbers.randint(1900, 2300)) for _ in range(2000)),
        " ".join(str(numbers.randint(50, 140)) for _ in range(2000)),
        "no full stop in what was said on the 5th of May " * 200, "word " * 2000,
    ):  # fmt: skip
        for value in (text, f" {text} ", text.strip().replace(" ", "\t")):
            assert refusal(value) is None
            assert refusal(json.dumps(value)) is None


def test_only_a_division_is_one() -> None:
    for text in ("<div>x</div>", ' <div xmlns="http://www.w3.org/1999/xhtml">', "<div/>"):
        assert is_division(text)
    for text in ("", "div", "<divine>", "<p>", FOREIGN, BASE64, "data:,<div>", f"{FOREIGN}<div>"):
        assert not is_division(text)


@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1), st.integers(0, 2))
def test_no_object_passes_however_it_is_written(value: dict[str, str], times: int) -> None:
    text = json.dumps(value)
    for _ in range(times):
        text = base64.b64encode(text.encode()).decode()
    assert refusal(text) is Code.MEMBER_UNSUPPORTED


@given(st.integers() | st.floats() | st.none() | st.booleans() | st.lists(st.integers()))
def test_what_is_no_text_passes(value: Any) -> None:
    assert refusal({"a": value}) is None


def test_what_is_declared_is_for_others_to_read() -> None:
    value = {"payload": FOREIGN, "files": [{"data": BASE64}], "by": {"x": FOREIGN}}
    places = [compile(at) for at in ("$.payload", "$.files[*].data", "$.by.*")]
    check(value, places, 3)
    for left in range(3):
        with pytest.raises(BadUpstream):
            check(value, places[:left] + places[left + 1 :], 3)
    with pytest.raises(BadUpstream):
        check({"payload": {"payload": FOREIGN}}, places, 3)
    check(FOREIGN, [()], 3)


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_a_text_written_beyond_the_depth_is_refused(depth: int) -> None:
    text = "foreign and others"
    for _ in range(depth):
        text = base64.b64encode(text.encode()).decode()
    assert refusal(text, depth) is None
    for _ in range(1, 4):
        text = base64.b64encode(text.encode()).decode()
        assert refusal(text, depth) is Code.BODY_TOO_COMPLEX


def test_a_thousand_texts_in_each_other_are_little_work() -> None:
    """Each JSON text in another doubles what escapes it, base64 grows by a third."""
    text = FOREIGN
    for _ in range(12):
        text = json.dumps(text)
    assert refusal(text) is Code.BODY_TOO_COMPLEX
    text = FOREIGN
    for _ in range(40):
        text = base64.b64encode(text.encode()).decode()
    assert refusal(text) is Code.MEMBER_UNSUPPORTED  # it is long
    assert refusal("{" * 1_000_000) is None
    assert refusal('"' * 1_000_000) is None
    assert refusal("[ " * 500_000) is Code.MEMBER_UNSUPPORTED
    assert refusal("<a" + "b" * 1_000_000) is None
    assert refusal("%7b" * 100_000) is None


def pieces(document: str, records: str) -> int:
    body = Body(InMemory(document.encode()), (), Limits())
    return len([*watched(scan(body, plan(records), Limits()), Limits())])


@pytest.mark.parametrize(
    ("document", "records"),
    [
        ({"note": FOREIGN, "a": []}, "$.a[*]"),
        ({"a": [], "note": {"b": [FOREIGN]}}, "$.a[*]"),
        ({FOREIGN: 1, "a": []}, "$.a[*]"),
        ({FOREIGN: {}}, "$.*"),
        ({FOREIGN: [{"b": 1}]}, "$.*[*]"),
        ({FOREIGN: {"b": []}, "x": {"b": []}}, "$.*.b[*]"),
        ([{"b": [], "note": FOREIGN}], "$[*].b[*]"),
    ],
)
def test_around_the_records_nothing_looks_like_a_document(document: Any, records: str) -> None:
    with pytest.raises(BadUpstream) as caught:
        pieces(json.dumps(document), records)
    assert caught.value.code is Code.MEMBER_UNSUPPORTED
    honest = json.dumps(document).replace(json.dumps(FOREIGN), '"x: y"')
    assert pieces(honest, records) > 0


def test_the_values_of_records_are_for_whoever_knows_what_is_declared_in_them() -> None:
    assert pieces(json.dumps({"a": [{"payload": FOREIGN}]}), "$.a[*]") > 0


def test_bytes_are_a_document_whatever_their_encoding() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"):
        assert is_document(FOREIGN.encode(encoding))
    assert not is_document(b"%PDF-1.7")
    assert not is_document(b"")
