"""Frames with a JSON value each: the values decide, the frames stay as they came."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import jsonframes
from gateway.inspection.jsonframes import Frame
from gateway.inspection.locators import LocatorError
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import MemorySink
from gateway.inspection.tally import Tally
from gateway.model import Counts, Format, SubjectRef
from tests.support.reading import permit

ME = SubjectRef("account", "me")
SPEC = BodySpec(Format.SSE, subject=({"account": ("$.id",)},))
BATCHES = [
    [Frame(1, b"<1>", b'{"id":"me","x":1}'), Frame(2, b"<2>", None)],
    [Frame(3, b"<3>", b'{"id":"foreign"}')],
]


def test_frames_without_a_record_count_nothing_and_stay() -> None:
    tally, sink = Tally(Limits()), MemorySink()
    jsonframes.inspect(BATCHES, SPEC, Limits(), tally)
    assert [group.records for group in tally.groups] == [1, 1]
    counts = jsonframes.rewrite(BATCHES, SPEC, Limits(), permit(ME), sink, lambda *_: b"")
    assert sink.getvalue() == b"<1><2>"
    assert counts == Counts(seen=2, released=1, redacted=1)


def test_a_masked_frame_is_made_of_its_bytes_and_its_new_text() -> None:
    sink = MemorySink()
    verdict = permit(ME, mask=("$.x",))
    jsonframes.rewrite(BATCHES, SPEC, Limits(), verdict, sink, lambda whole, text: whole + text)
    assert sink.getvalue() == b'<1>{"id":"me","x":null}<2>'


def test_a_refusal_names_the_record() -> None:
    batches = [[Frame(7, b"", b"1"), Frame(8, b"", None), Frame(9, b"", b'{"a":1,"a":2}')]]
    with pytest.raises(BadUpstream, match="record 9") as caught:
        list(jsonframes.values(batches, Limits()))
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_a_record_is_a_frame_and_nothing_in_it() -> None:
    spec = BodySpec(Format.SSE, records="$.items[*]")
    with pytest.raises(LocatorError):
        jsonframes.inspect(BATCHES, spec, Limits(), Tally(Limits()))
