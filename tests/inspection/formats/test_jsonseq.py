"""JSON text sequences: every text is whole, and exactly the permitted ones are kept."""

import json as stdlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Code
from gateway.inspection.formats import jsonseq
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Counts, SubjectRef
from gateway.model import Format as Name
from tests.support.reading import Format, permit, spaced

SEQUENCE = Format(jsonseq)
ME = SubjectRef("account", "me")
BY_ID = BodySpec(Name.JSON_SEQ, subject=({"account": ("$.id",)},))


def text(value: Any) -> bytes:
    return b"\x1e" + stdlib.dumps(value).encode() + b"\n"


def texts(*owners: Any) -> bytes:
    return b"".join(text({"id": owner}) for owner in owners)


def test_each_text_is_a_record() -> None:
    body = texts("me", "foreign", "me") + text([1]) + text("x")
    assert SEQUENCE.owners(body, BY_ID) == {("me",): 2, ("foreign",): 1, (): 2}


def test_an_empty_body_is_an_empty_sequence() -> None:
    assert SEQUENCE.owners(b"", BY_ID) == {}
    assert SEQUENCE.rewrite(b"", BY_ID, permit(ME)) == (b"", Counts())


def test_a_text_may_go_over_several_lines() -> None:
    body = b'\x1e{\n "id": "me"\n}\n\n\x1e{"id":\n"foreign"}\n'
    assert SEQUENCE.owners(body, BY_ID) == {("me",): 1, ("foreign",): 1}
    assert SEQUENCE.rewrite(body, BY_ID, permit(ME))[0] == b'\x1e{\n "id": "me"\n}\n\n'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"id":"me"}\n', Code.BODY_AMBIGUOUS),
        (b'\n\x1e{"id":"me"}\n', Code.BODY_AMBIGUOUS),
        (b'\xef\xbb\xbf\x1e{"id":"me"}\n', Code.BODY_AMBIGUOUS),
        (b'\x1e\x1e{"id":"me"}\n', Code.BODY_AMBIGUOUS),
        (b'\x1e{"id":"foreign"}\x1e{"id":"me"}\n', Code.BODY_AMBIGUOUS),
        (b'\x1e{"id":"fore\x1e{"id":"me"}\n', Code.BODY_AMBIGUOUS),
        (b'\x1e{"id":"me"}', Code.BODY_INCOMPLETE),
        (b"\x1e", Code.BODY_INCOMPLETE),
        (b"\x1e\n", Code.BODY_MALFORMED),
        (b'\x1e{"id":"me"}{"id":"foreign"}\n', Code.BODY_MALFORMED),
        (b'\x1e{"id":"me"}\n{"id":"foreign"}\n', Code.BODY_MALFORMED),
        (b'\x1e{"id":"me","id":"foreign"}\n', Code.BODY_AMBIGUOUS),
        (b'\x1e{"id":"me"\n', Code.BODY_MALFORMED),
        (b"\x1e" + b"[" * 200 + b"]" * 200 + b"\n", Code.BODY_TOO_COMPLEX),
    ],
)
def test_what_a_reader_would_step_over_is_refused(body: bytes, code: Code) -> None:
    assert SEQUENCE.refusal(body, BY_ID) is code
    if body.startswith(b"\x1e"):
        assert SEQUENCE.refusal(texts("me") + body, BY_ID) is code


def test_a_record_is_bounded() -> None:
    small = Format(jsonseq, Limits(record=64), chunk=7)
    assert small.owners(text("x" * 50), BY_ID) == {(): 1}
    assert small.refusal(text("x" * 70), BY_ID) is Code.BODY_TOO_LARGE
    assert small.refusal(texts("me") + text("x" * 70) + texts("me"), BY_ID) is Code.BODY_TOO_LARGE


def test_a_masked_value_is_the_only_change() -> None:
    body = b'\x1e{"id": "me",  "phone": "123"}\n' + texts("foreign")
    assert SEQUENCE.rewrite(body, BY_ID, permit(ME, mask=("$.phone",))) == (
        b'\x1e{"id": "me",  "phone": null}\n',
        Counts(seen=2, released=1, redacted=1),
    )


@settings(max_examples=150, deadline=None)
@given(
    owners=st.lists(st.sampled_from(["me", "foreign", "other"]), max_size=8),
    chunk=st.integers(1, 50),
    seed=st.integers(),
)
def test_kept_texts_are_byte_identical_however_the_body_is_cut(
    owners: list[str], chunk: int, seed: int
) -> None:
    whole = [b"\x1e" + spaced({"id": owner}, seed) + b"\n" for owner in owners]
    body = b"".join(whole)
    reader = Format(jsonseq, Limits(record=400), chunk)
    kept, counts = reader.rewrite(body, BY_ID, permit(ME))
    assert kept == b"".join(
        text for text, owner in zip(whole, owners, strict=True) if owner == "me"
    )
    assert (counts.seen, counts.released) == (len(owners), owners.count("me"))
    assert reader.inspect(body, BY_ID).groups == SEQUENCE.inspect(body, BY_ID).groups
