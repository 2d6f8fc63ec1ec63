"""A batch that is matched means what it means when it is parsed."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsonmatcher, jsonreader
from gateway.inspection.formats import json as document
from gateway.inspection.formats import ndjson
from gateway.inspection.jsonmatcher import Matcher
from gateway.inspection.jsonrecords import Census
from gateway.inspection.jsontext import parse
from gateway.inspection.locators import Attributor
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import MemorySink
from gateway.inspection.tally import Tally
from gateway.model import Format, SubjectRef
from tests.support.reading import Cut, permit

LIMITS = Limits()
SUBJECT = ({"account": ("$.customer.id",)},)
LINES = BodySpec(Format.NDJSON, subject=SUBJECT)
ARRAY = BodySpec(Format.JSON, "$.orders[*]", SUBJECT)
SMALL = Limits(record=1000)
A1 = SubjectRef("account", "A1")


def record(owner: Any = "A1", note: str = "x", **more: Any) -> dict[str, Any]:
    return {"customer": {"id": owner, "segment": "b"}, "note": note, **more}


def spelled(*records: Any, between: bytes = b"\n") -> bytes:
    return between.join(json.dumps(each, ensure_ascii=False).encode() for each in records)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonmatcher, "_PATIENCE", 0)


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is a few records."""
    for module in (ndjson, jsonreader):
        monkeypatch.setattr(module, "WINDOW", 300)


def learnt(*records: Any, subject: Any = SUBJECT, between: bytes = b"\n") -> Matcher:
    matcher = Matcher(Attributor(subject), between, LIMITS)
    text = spelled(*(records or [record()]), between=between)
    assert matcher.match(text) is None
    matcher.learn(text, list(records or [record()]))
    return matcher


def owners(matcher: Matcher, text: bytes) -> list[Any] | None:
    matched = matcher.match(text)
    if matched is None:
        return None
    assert matched.texts and b"\n".join(matched.texts) == text
    return [tuple(owner.value for owner in matched.owners(key)) for key in matched.keys]


def test_records_like_those_before_are_matched() -> None:
    text = spelled(record("A1"), record("A2", "ünïcode"), record("A\\1", 'es"c'))
    assert owners(learnt(), text) == [("A1",), ("A2",), ("A\\1",)]


def test_an_identifier_keeps_its_type() -> None:
    matcher = learnt(record("1"), record(1))
    assert owners(matcher, spelled(record("42"), record(42))) == [("42",), (42,)]


def test_several_kinds_and_several_locators_of_one() -> None:
    subject = ({"account": ("$.customer.id", "$.note"), "other": ("$.n",)},)
    matcher = learnt(record("A1", "A1", n=1), subject=subject)
    assert owners(matcher, spelled(record("A2", "A2", n=2))) == [("A2", 2)]
    assert owners(matcher, spelled(record("A2", "A3", n=2))) is None  # they disagree


@pytest.mark.parametrize(
    "text",
    [
        spelled(record("")),
        spelled(record("a\u0085")),  # no identifier
        spelled(record(None)),
        spelled(record(1.5)),
        spelled(record("x")) + b"\n",  # a blank line
        spelled(record("x")).replace(b"x", b"\xff"),
        spelled(record("x")).replace(b"x", b"\t"),
        spelled(record("x")).replace(b"x", b"x\ny"),
        spelled(record("x")).replace(b'"}', b'", "note": "y"}'),
        spelled(record("x")).replace(b"}, ", b'}, "customer": {"id": "A2", "segment": "b"}, '),
        spelled(record("x"), record("y")).replace(b"\n", b"\r\n"),
        spelled(record("x"), record("y")).replace(b"\n", b""),
        spelled(record("x", CUSTOMER={"id": 1})),
        spelled({"customer": {"id": "A1"}}),
        b"",
        b"{}",
        b"[]",
    ],
)
def test_anything_else_is_for_the_parser(text: bytes) -> None:
    matcher = learnt(record("A1"), record(1))
    assert matcher.match(text) is None


def test_records_of_an_array_are_parted_by_commas() -> None:
    matcher = Matcher(Attributor(SUBJECT), b",", LIMITS)
    text = b" " + spelled(record(), record(), between=b", ")
    assert matcher.match(text) is None
    matcher.learn(text, [record(), record()])
    matched = matcher.match(text)
    assert matched and b",".join(matched.texts) == text
    for broken in (text + b",", text + b", ", text[1:], text.replace(b"}, ", b"} ")):
        matcher._pause = 0
        assert matcher.match(broken) is None


@pytest.mark.parametrize("locator", ["$", "$.ids[*]", "$.customer.*"])
def test_owners_that_names_alone_do_not_lead_to_are_for_the_parser(locator: str) -> None:
    matcher = learnt(record(ids=["A1"]), subject=({"account": (locator,)},))
    assert matcher.match(spelled(record(ids=["A1"]))) is None


def test_what_is_never_matched_is_soon_tried_no_more() -> None:
    matcher = learnt()
    tried = 0
    for number in range(2_000):
        text = spelled({"customer": {"id": "A1", "segment": "b"}, f"x{number}": 1, "note": ""})
        before = matcher._pause
        assert matcher.match(text) is None
        tried += matcher._ready and before == 0
        matcher.learn(text, [parse(text, 100)])
    assert tried < 100


NAMES = st.sampled_from(["a", "b", "n", "é", 'q"'])
SCALARS = (
    st.none() | st.booleans() | st.integers(-99, 99) | st.sampled_from([0.5, 1e30, 2**70, -1])
    | st.text(max_size=4) | st.sampled_from(["A1", "A2", "\n", '"', "\\", "\x7f", "\u2028"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=3,
)
OWNERS = st.sampled_from(["A1", "A2", "A3", "é", "\\", 1, 7])
ODD = st.sampled_from([None, 1.5, "", [], {}, 2**64, True, "\n"])


@st.composite
def bodies(draw: Any) -> tuple[BodySpec, bytes]:
    """Mostly many records of few shapes, laid out in one of several ways; some have a fault."""
    shapes = draw(st.lists(st.dictionaries(NAMES, VALUES, max_size=2), min_size=1, max_size=2))
    owners = draw(st.lists(OWNERS, min_size=1, max_size=3))
    number = draw(st.integers(8, 40))
    records = [
        {"customer": {"id": owners[each % len(owners)]}, **shapes[each % 3 % len(shapes)]}
        for each in range(number)
    ]
    if draw(st.integers(0, 3)) == 0:
        records[draw(st.integers(0, number - 1))]["customer"] = {"id": draw(ODD)}
    if draw(st.integers(0, 3)) == 0:
        records[draw(st.integers(0, number - 1))] = draw(st.sampled_from([{}, 1, {"ID": 1}]))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (",", " : ")]))
    ascii_only = draw(st.booleans())
    texts = [json.dumps(each, ensure_ascii=ascii_only, separators=separators) for each in records]
    if draw(st.booleans()):
        body = "\n".join(texts) + draw(st.sampled_from(["", "\n", "\r\n"]))
        return LINES, _changed(draw, body.encode())
    between = draw(st.sampled_from([",", ", ", ",\n", " ,"]))
    return ARRAY, _changed(draw, f'{{"orders":[{between.join(texts)}]}}'.encode())


def _changed(draw: Any, body: bytes) -> bytes:
    pieces = [b"", b",", b'"', b"}", b"\n", b"\r", b"\t", b" ", b"\xff", b"\\", b"\\u0041", b"A2",
              b'"id":"A2",', b'"id": "A2", ', b"\xed\xa0\x80", b"\x00", b"1", b"{}"]  # fmt: skip
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(len(body) // 3, len(body)))
        body = body[:at] + draw(st.sampled_from(pieces)) + body[at + draw(st.integers(0, 5)) :]
    return body


def seen(spec: BodySpec, body: bytes) -> Any:
    """Everything that inspecting and rewriting say."""
    module = ndjson if spec is LINES else document
    tally = Tally(SMALL)
    try:
        module.inspect(Cut(body, 300), spec, SMALL, tally)
    except BadUpstream as refusal:
        found: Any = refusal.code, refusal.note
    else:
        found = [(group, group.first) for group in tally.groups], tally.fields
    sink = MemorySink()
    try:
        counts = module.rewrite(Cut(body, 300), spec, SMALL, permit(A1), sink)
    except BadUpstream as refusal:
        return found, refusal.code, refusal.note
    return found, counts, sink.getvalue()


@pytest.mark.usefixtures("_short")
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies())
def test_matching_says_what_parsing_says(drawn: tuple[BodySpec, bytes]) -> None:
    matching = seen(*drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Matcher, "match", lambda _self, _text: None)
        assert matching == seen(*drawn)


def matched_share(spec: BodySpec, body: bytes, monkeypatch: pytest.MonkeyPatch) -> float:
    """How many of the records were not parsed."""
    counted = 0
    count = Census.count_matched

    def counting(census: Census, matched: jsonmatcher.Matched) -> None:
        nonlocal counted
        counted += len(matched.keys)
        count(census, matched)

    monkeypatch.setattr(Census, "count_matched", counting)
    tally = Tally(LIMITS)
    (ndjson if spec is LINES else document).inspect(Cut(body), spec, LIMITS, tally)
    return counted / tally.records


def many() -> Iterator[dict[str, Any]]:
    for number in range(10_000):
        more = {"extra": [number]} if number % 7 == 0 else {}
        yield record(f"A{number % 5}", "été " * (number % 9), **more)


def test_most_of_a_large_body_is_matched(monkeypatch: pytest.MonkeyPatch) -> None:
    assert matched_share(LINES, spelled(*many()) + b"\n", monkeypatch) > 0.9
    array = b'{"orders": [%b]}' % spelled(*many(), between=b", ")
    assert matched_share(ARRAY, array, monkeypatch) > 0.9


@pytest.mark.parametrize("fault", [b'"note": "x", "note": "y"', b'"note": "\xff"', b'"note": x'])
def test_a_fault_among_many_records_is_found(fault: bytes) -> None:
    text = spelled(*many()) + b"\n"
    at = text.rindex(b'"note": ""')
    body = text[:at] + fault + text[at + len(b'"note": ""') :]
    with pytest.raises(BadUpstream) as refused:
        ndjson.inspect(Cut(body), LINES, LIMITS, Tally(LIMITS))
    expected = Code.BODY_AMBIGUOUS if b"y" in fault else Code.BODY_MALFORMED
    assert refused.value.code is expected


def test_a_stranger_among_many_records_is_found() -> None:
    text = spelled(*many())
    at = text.rindex(b'"A3"')
    tally = Tally(LIMITS)
    ndjson.inspect(Cut(text[:at] + b'"B1"' + text[at + 4 :]), LINES, LIMITS, tally)
    assert SubjectRef("account", "B1") in {owner for each in tally.groups for owner in each.owners}


def test_an_identifier_that_is_spelt_long_is_for_the_parser() -> None:
    """It may be spelt in so many ways that what is known of them would fill the memory."""
    face = "\U0001f600" * 80
    assert owners(learnt(record("A1")), spelled(record(face))) is None
    assert owners(learnt(record("A1")), spelled(record("A" * 200))) == [("A" * 200,)]


def test_it_is_learnt_again_only_when_as_much_was_read_as_before() -> None:
    matcher, lessons = learnt(), []
    for number in range(1_000):
        text = spelled(record(**{f"x{number % 50}": 1}))
        if matcher.match(text) is None:
            lessons.append(matcher._lessons)
            matcher.learn(text, [parse(text, 100)])
    assert len(set(lessons)) <= 9


def test_what_was_learnt_of_a_body_is_not_kept_for_the_next() -> None:
    """`re` keeps the patterns that it compiled last."""
    learnt(record(secret=1)).match(spelled(record(secret=2)))
    kept: Any = re._cache  # type: ignore[attr-defined]
    assert not any(b"secret" in pattern for _, pattern, _ in kept if type(pattern) is bytes)
