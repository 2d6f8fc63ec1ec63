"""NDJSON bodies: a line is a record, and exactly the permitted lines are kept."""

import json as stdlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.formats import ndjson
from gateway.inspection.jsonreader import WINDOW
from gateway.inspection.locators import LocatorError
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.tally import Tally
from gateway.model import Counts, SubjectRef
from gateway.model import Format as Name
from tests.inspection.formats.test_json import DECIDED
from tests.support.reading import Format, permit

NDJSON = Format(ndjson)
LIMITS = Limits()
ME = SubjectRef("account", "me")
BY_ID = BodySpec(Name.NDJSON, subject=({"account": ("$.id",)},))


def lines(*owners: Any) -> bytes:
    return b"".join(stdlib.dumps({"id": owner}).encode() + b"\n" for owner in owners)


def test_each_line_is_a_record() -> None:
    body = lines("me", "foreign", "me", 42, "42") + b'{"x":1}\n'
    assert NDJSON.owners(body, BY_ID) == {
        ("me",): 2, ("foreign",): 1, (42,): 1, ("42",): 1, (): 1,
    }  # fmt: skip


def test_a_body_without_lines_has_no_records() -> None:
    assert NDJSON.owners(b"", BY_ID) == {}
    assert NDJSON.rewrite(b"", BY_ID, permit(ME)) == (b"", Counts())


def test_a_line_that_is_no_object_is_a_record_too() -> None:
    """A50: an array line."""
    assert NDJSON.owners(b'[{"id":"me"}]\n7\n"text"\nnull\n', BY_ID) == {(): 4}
    inside = BodySpec(Name.NDJSON, subject=({"account": ("$[*].id",)},))
    assert NDJSON.owners(b'[{"id":"me"},{"id":"foreign"}]\n', inside) == {("me", "foreign"): 1}


@pytest.mark.parametrize("body", [b"\n", b" \n", b"{}\n\n", b"\n{}\n", b"{}\n\r\n{}\n", b"{}\n \t",
                                  b"{}\r\n\r\n", b"\xef\xbb\xbf\n", b"\xef\xbb\xbf"])  # fmt: skip
def test_a_blank_line_is_ambiguous(body: bytes) -> None:
    """A50."""
    assert NDJSON.refusal(body, BY_ID) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("body", [b"{}\r{}\n", b'{"a":\r1}\n', b"\r{}\n", b"{}\r\r\n", b"{}\r \n"])
def test_a_cr_that_some_readers_take_for_a_line_end_is_ambiguous(body: bytes) -> None:
    """A50."""
    assert NDJSON.refusal(body, BY_ID) is Code.BODY_AMBIGUOUS
    assert NDJSON.owners(b"{}\r\n{}\n", BY_ID) == {(): 2}


def test_a_cr_before_the_line_end_is_white_space_and_stays() -> None:
    body = b'{"id":"me"}\r\n{"id":"foreign"}\r\n{"id":"me"}\r\n'
    assert NDJSON.owners(body, BY_ID) == {("me",): 2, ("foreign",): 1}
    assert NDJSON.rewrite(body, BY_ID, permit(ME))[0] == b'{"id":"me"}\r\n{"id":"me"}\r\n'


@pytest.mark.parametrize(
    "line",
    ["{}{}", "{} {}", "{},{}", "1,2", "1],[2", "[1", "]", "{", "{}\x0b", "{}\x0c", "{}\u2028{}",
     "{}\u0085", "\x1e{}", "{}\x00", "data: {}", "NaN", "{'a':1}", "\ufeff{}", "# x", '"a'],
)  # fmt: skip
def test_a_line_that_is_not_one_value_is_malformed(line: str) -> None:
    """A49, A50: no line may be completed by its neighbours, or hide two records."""
    text = line.encode() + b"\n"
    for body in lines("me") + text, lines("me") + text + b"]\n", lines("me") + text + lines("me"):
        assert NDJSON.refusal(body, BY_ID) is Code.BODY_MALFORMED


@pytest.mark.parametrize(
    "parts", [("[1", "2]"), ("[[1", "2]]", "1],[2"), ('"a', 'b"'), ('{"id":', "1}")]
)
def test_a_value_over_several_lines_is_malformed(parts: tuple[str, ...]) -> None:
    assert NDJSON.refusal("\n".join(parts).encode() + b"\n", BY_ID) is Code.BODY_MALFORMED
    joined = "".join(parts[:2]).encode() + b"\n"
    assert sum(NDJSON.owners(joined, BY_ID).values()) == 1


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_line_separators_inside_a_text_are_text(separator: str) -> None:
    """A50: the same character outside a text is refused above."""
    body = f'{{"id":"me","x":"a{separator}b"}}\n'.encode()
    assert NDJSON.owners(body, BY_ID) == {("me",): 1}


def test_a_last_line_without_its_end_counts_if_it_proves_its_own() -> None:
    """A35, A50."""
    assert NDJSON.owners(b'{"id":1}\n{"id":1}', BY_ID) == {(1,): 2}
    assert NDJSON.owners(b'{"id":1}\n[1]', BY_ID) == {(1,): 1, (): 1}
    for cut in b'{"id":1', b'{"id"', b"[1", b"12", b"null", b'"text"', b'"te', b"nul", b"{":
        assert NDJSON.refusal(b'{"id":1}\n' + cut, BY_ID) is Code.BODY_INCOMPLETE


def test_other_faults_of_the_last_line_keep_their_code() -> None:
    assert NDJSON.refusal(b'{"a":1,"a":2}', BY_ID) is Code.BODY_AMBIGUOUS
    assert NDJSON.refusal(b"[" * 1000, BY_ID) is Code.BODY_TOO_COMPLEX


def test_a_byte_order_mark_may_stand_before_the_first_line_only() -> None:
    """A18."""
    mark = b"\xef\xbb\xbf"
    assert NDJSON.owners(mark + lines("me", "foreign"), BY_ID) == {("me",): 1, ("foreign",): 1}
    kept, _ = NDJSON.rewrite(mark + lines("foreign", "me"), BY_ID, permit(ME))
    assert kept == mark + lines("me")
    for body in mark * 2 + lines("me"), lines("me") + mark + lines("me"):
        assert NDJSON.refusal(body, BY_ID) is Code.BODY_MALFORMED
        assert Format(ndjson, Limits(record=20)).refusal(body, BY_ID) is Code.BODY_MALFORMED


def test_a_line_may_be_as_long_as_the_limit_and_no_longer() -> None:
    """A50, A56."""
    small = Format(ndjson, Limits(record=1000), chunk=64)
    longest = b'"' + b"x" * 998 + b'"\n'
    assert small.owners(longest * 3, BY_ID) == {(): 3}
    for body in b" " + longest, longest + b" " + longest, b"x" * 1001, b"x" * 100_000:
        assert small.refusal(body, BY_ID) is Code.BODY_TOO_LARGE
    large = b'{"id":"me","x":"' + b"x" * (5 * WINDOW) + b'"}\n'
    assert NDJSON.owners(lines("me") + large + lines("me"), BY_ID) == {("me",): 3}


def test_a_line_that_never_ends_is_not_read_to_the_end() -> None:
    """A50."""

    class Endless:
        def chunks(self) -> Iterator[bytes]:
            while True:
                yield b"x" * 10_000

    with pytest.raises(BadUpstream) as caught:
        ndjson.inspect(Endless(), BY_ID, LIMITS, Tally(LIMITS))
    assert caught.value.code is Code.BODY_TOO_LARGE


def test_depth_is_limited_in_each_line() -> None:
    """A47."""
    deep = b"[" * 64 + b"]" * 64 + b"\n"
    assert NDJSON.owners(deep * 3, BY_ID) == {(): 3}
    for depth in 1_000, 1_000_000:
        body = b"{}\n" + b"[" * depth + b"]" * depth + b"\n"
        assert NDJSON.refusal(body, BY_ID) is Code.BODY_TOO_COMPLEX


def test_a_duplicate_name_is_ambiguous_in_any_line() -> None:
    """A44."""
    for line in b'{"id":"me","id":"me"}\n', rb'{"id":"me","\u0069d":"x"}' + b"\n":
        assert NDJSON.refusal(lines("me") + line + lines("me"), BY_ID) is Code.BODY_AMBIGUOUS
    assert NDJSON.owners(lines("me") * 3, BY_ID) == {("me",): 3}


def test_a_refusal_names_the_line_and_quotes_nothing() -> None:
    for bad in b'{"canary":1,"canary":2}\n', b"canary\n", b'{"canary"\r:1}\n', b'{"canary":':
        with pytest.raises(BadUpstream) as caught:
            NDJSON.inspect(lines(*range(6_000)) + bad, BY_ID)
        assert "line" in caught.value.note
        assert "canary" not in str(caught.value)
    with pytest.raises(BadUpstream) as caught:
        NDJSON.inspect(lines(*range(6_000)) + b"{}{}\n", BY_ID)
    assert "line 6001 " in caught.value.note


@pytest.mark.parametrize(
    "spec",
    [
        BodySpec(Name.NDJSON, records="$.items[*]"),
        BodySpec(Name.NDJSON, records="$[*]"),
        BodySpec(Name.NDJSON, totals=("$.total",)),
    ],
)
def test_records_inside_a_line_are_a_fault_of_configuration(spec: BodySpec) -> None:
    with pytest.raises(LocatorError):
        NDJSON.inspect(b"{}\n", spec)
    with pytest.raises(LocatorError):
        NDJSON.rewrite(b"{}\n", spec, permit())


# What is kept


def test_kept_lines_are_byte_identical_and_the_rest_is_gone() -> None:
    body = b' {"id" : "me"}\n{"id":"foreign"}\t\n{}\n{"id":"me", "x":1.10}'
    assert NDJSON.rewrite(body, BY_ID, permit(ME)) == (
        b' {"id" : "me"}\n{"id":"me", "x":1.10}',
        Counts(seen=4, released=2, redacted=2),
    )
    everything = permit(ME, SubjectRef("account", "foreign"), unattributed=True)
    assert NDJSON.rewrite(body, BY_ID, everything) == (body, Counts(seen=4, released=4))


def test_nothing_is_left_where_nothing_is_permitted() -> None:
    assert NDJSON.rewrite(lines("a", "b"), BY_ID, permit(ME)) == (b"", Counts(2, 0, 2))


def test_nine_thousand_nine_hundred_and_ninety_nine_stay_and_one_goes() -> None:
    """A96."""
    body = lines(*["me"] * 5_000, "foreign", *["me"] * 4_999)
    kept, counts = NDJSON.rewrite(body, BY_ID, permit(ME))
    assert kept == lines(*["me"] * 9_999)
    assert counts == Counts(seen=10_000, released=9_999, redacted=1)


def test_masked_fields_become_null_in_the_lines_that_have_them() -> None:
    body = (
        b'{"id":"me", "p" : {"q":[1]} }\r\n{"id":"foreign","p":1}\n'
        b'{"id":"me"}\n{"id":"me","p":null}'
    )
    kept, counts = NDJSON.rewrite(body, BY_ID, permit(ME, mask=("$.p",)))
    assert kept == b'{"id":"me", "p" : null }\r\n{"id":"me"}\n{"id":"me","p":null}'
    assert counts == Counts(seen=4, released=3, redacted=1)


@given(
    owners=st.lists(st.sampled_from(["me", "foreign", "é", 1, None]), max_size=30),
    ending=st.sampled_from([b"\n", b"\r\n"]),
    ended=st.booleans(),
    limit=st.sampled_from([40, 200, 1 << 20]),
    chunk=st.sampled_from([1, 7, 100, 1 << 18]),
)
def test_a_redacted_body_has_exactly_the_permitted_lines_however_it_is_cut(
    owners: list[Any], ending: bytes, ended: bool, limit: int, chunk: int
) -> None:
    written = [
        stdlib.dumps({"n": n, **({} if owner is None else {"id": owner})}, ensure_ascii=False)
        for n, owner in enumerate(owners)
    ]
    body = b"".join(line.encode() + ending for line in written)
    body = body if ended else body.removesuffix(ending)
    reading = Format(ndjson, Limits(record=limit), chunk)
    kept, counts = reading.rewrite(body, BY_ID, permit(ME))
    mine = [line for line, owner in zip(written, owners, strict=True) if owner == "me"]
    assert [line.decode() for line in kept.split(b"\n") if line.strip()] == [
        line + "\r" * (ending == b"\r\n" and (ended or line != written[-1])) for line in mine
    ]
    assert counts == Counts(len(owners), len(mine), len(owners) - len(mine))
    assert reading.owners(body, BY_ID) == NDJSON.owners(body, BY_ID)
    assert sum(reading.owners(body, BY_ID).values()) == counts.seen
    assert reading.rewrite(kept, BY_ID, permit(ME)) == (kept, Counts(len(mine), len(mine)))


# Files that nobody here wrote


@pytest.mark.corpus
def test_the_json_test_suite_gets_the_same_verdict_as_a_line(corpus: Path) -> None:
    """A43."""
    as_line = 0
    for path in sorted((corpus / "hostile/jsontestsuite").glob("*/*.json")):
        text, name = path.read_bytes().removesuffix(b"\n"), path.stem
        if b"\n" in text or not text:
            continue
        as_line += 1
        expected = DECIDED.get(name, "ok" if name.startswith("y_") else "refused")
        verdict = NDJSON.verdict(text + b"\n", BY_ID)
        assert (verdict if expected != "refused" or verdict == "ok" else "refused") == expected, (
            name
        )
    assert as_line > 300


CONDITION = "exports/fhir-bulk/Condition.000.ndjson"
PATIENT = SubjectRef("fhir", "Patient/79a66c97-6131-3213-f3c9-4606946ab056")


@pytest.mark.corpus
@pytest.mark.parametrize("chunk", [1_000, 65_537, 1 << 18])
def test_a_patient_keeps_exactly_the_lines_about_her(corpus: Path, chunk: int) -> None:
    body = (corpus / CONDITION).read_bytes()
    spec = BodySpec(Name.NDJSON, subject=({"fhir": ("$.subject.reference",)},))
    reading = Format(ndjson, chunk=chunk)
    owners = reading.owners(body, spec)
    assert owners[(PATIENT.value,)] == 219
    assert (len(owners), sum(owners.values())) == (13, 555)
    kept, counts = reading.rewrite(body, spec, permit(PATIENT))
    assert counts == Counts(seen=555, released=219, redacted=336)
    hers = [
        line
        for line in body.splitlines(keepends=True)
        if stdlib.loads(line)["subject"]["reference"] == PATIENT.value
    ]
    assert kept == b"".join(hers)


@pytest.mark.corpus
def test_other_bulk_files_have_the_subjects_their_manifest_lists(corpus: Path) -> None:
    allergies = (corpus / "exports/fhir-bulk/AllergyIntolerance.000.ndjson").read_bytes()
    spec = BodySpec(Name.NDJSON, subject=({"fhir": ("$.patient.reference",)},))
    assert NDJSON.owners(allergies, spec) == {
        ("Patient/cbc86e51-9eca-3855-76ec-c058f72c5761",): 8,
        ("Patient/a5cb8ce9-cec6-6b23-0990-cbaf753578a4",): 3,
    }
    patients = (corpus / "exports/fhir-bulk/Patient.000.ndjson").read_bytes()
    assert len(NDJSON.owners(patients, BY_ID)) == 13


@pytest.mark.corpus
def test_project_members_have_integer_identifiers_that_agree(corpus: Path) -> None:
    body = (corpus / "exports/gitlab/gitlab_project_members.ndjson").read_bytes()
    spec = BodySpec(Name.NDJSON, subject=({"account": ("$.user_id", "$.user.id")},))
    assert NDJSON.owners(body, spec) == {(16,): 1, (6,): 1, (15,): 1, (26,): 1}
    kept, counts = NDJSON.rewrite(body, spec, permit(SubjectRef("account", 15)))
    assert [stdlib.loads(line)["user_id"] for line in kept.splitlines()] == [15]
    assert counts == Counts(seen=4, released=1, redacted=3)
    assert NDJSON.rewrite(body, spec, permit(SubjectRef("account", "15")))[0] == b""
    disagree = BodySpec(Name.NDJSON, subject=({"account": ("$.id", "$.user_id")},))
    assert NDJSON.refusal(body, disagree) is Code.BODY_AMBIGUOUS


def test_no_byte_order_mark_stays_where_no_line_stays() -> None:
    """A mark alone is a blank line to some readers, and was refused when it was read again."""
    mark = b"\xef\xbb\xbf"
    windowful = mark + b'{"id": "foreign"}\n' * (WINDOW // 8)
    assert NDJSON.rewrite(windowful, BY_ID, permit(ME))[0] == b""
    assert NDJSON.rewrite(windowful + lines("me"), BY_ID, permit(ME))[0] == mark + lines("me")
