"""Server-sent events: what a client would drop is refused, what it dispatches is a record."""

import json as stdlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Code
from gateway.inspection.formats import sse
from gateway.inspection.jsonreader import WINDOW
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Counts, SubjectRef
from gateway.model import Format as Name
from tests.support.reading import Format, permit

EVENTS = Format(sse)
ME = SubjectRef("account", "me")
BY_ID = BodySpec(Name.SSE, subject=({"account": ("$.id",)},))


def event(owner: Any, before: bytes = b"") -> bytes:
    return before + b"data: " + stdlib.dumps({"id": owner}).encode() + b"\n\n"


def dispatched(body: bytes) -> list[Any]:
    """What a client sees: WHATWG HTML section 9.2.6, for comparison."""
    found, data = [], list[str]()
    for line in body.decode().replace("\r\n", "\n").split("\n"):
        if not line:
            if data:
                found.append(stdlib.loads("\n".join(data)))
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return found


def test_each_event_is_a_record() -> None:
    body = event("me") + event("foreign", b"event: order\nid: 7\n") + event("me", b"retry: 10\n")
    assert EVENTS.owners(body, BY_ID) == {("me",): 2, ("foreign",): 1}
    kept, counts = EVENTS.rewrite(body, BY_ID, permit(ME))
    assert kept == event("me") + event("me", b"retry: 10\n")
    assert counts == Counts(seen=3, released=2, redacted=1)


def test_an_empty_body_is_a_stream_without_events() -> None:
    assert EVENTS.owners(b"", BY_ID) == {}


def test_several_data_lines_are_one_text() -> None:
    """A39."""
    body = b'data: {"id":\ndata:"me",\nevent: a\ndata: "phone": "123"}\n\n'
    assert EVENTS.owners(body, BY_ID) == {("me",): 1}
    kept, _ = EVENTS.rewrite(body, BY_ID, permit(ME, mask=("$.phone",)))
    assert kept == b'data: {"id":\ndata: "me",\ndata: "phone": null}\nevent: a\n\n'
    assert dispatched(kept) == [{"id": "me", "phone": None}]


@pytest.mark.parametrize("comment", [b":\n\n", b": keep-alive\n\n", b":ping\n\n", b"retry: 5\n\n"])
def test_what_keeps_a_connection_alive_is_no_record_and_stays(comment: bytes) -> None:
    body = comment + event("foreign") + comment
    assert EVENTS.owners(body, BY_ID) == {("foreign",): 1}
    assert EVENTS.rewrite(body, BY_ID, permit(ME))[0] == comment * 2


@pytest.mark.parametrize(
    "part",
    [
        b": canary@example.org\n",
        b": keep-alive canary\n",
        b"canary: x\n",
        b"Data: x\n",
        b" data: x\n",
        b"data\n",
        b"event: two words\n",
        b"event: a\nevent: b\n",
        b"id: 1\nid: 2\n",
        b"id: \x00\n",
        b"retry: soon\n",
        b"\xef\xbb\xbf",
        b"\n",
    ],
)
def test_what_a_client_drops_or_reads_differently_is_ambiguous(part: bytes) -> None:
    """A39."""
    assert EVENTS.refusal(event("me", part), BY_ID) is Code.BODY_AMBIGUOUS
    assert EVENTS.refusal(event("me") + event("me", part), BY_ID) is Code.BODY_AMBIGUOUS
    assert EVENTS.owners(event("me") * 2, BY_ID) == {("me",): 2}


@pytest.mark.parametrize("body", [b"id: 7\n\n", b"event: x\n\n", b"event: x\nretry: 1\n\n"])
def test_an_event_without_data_is_ambiguous(body: bytes) -> None:
    assert EVENTS.refusal(event("me") + body, BY_ID) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"id":"me"}\r\rdata: {"id":"foreign"}\r\r',
        b'data: {"id":"me"}\r\r\n\n',
        b'data: {"id":"me"}\n\ndata: {"id":"foreign"}\r\n\r\n',
        b'data: {"id":"me"}\r\n\r\ndata: {"id":"foreign"}\n\n',
        b'data: {"id":"me"}\n\n\rdata: {"id":"foreign"}\n\n',
    ],
)
def test_one_line_end_holds_for_the_whole_body(body: bytes) -> None:
    """A39: a client takes CR, LF and CRLF for line ends, wherever they stand."""
    assert EVENTS.refusal(body, BY_ID) in (Code.BODY_AMBIGUOUS, Code.BODY_INCOMPLETE)
    windows = event("me").replace(b"\n", b"\r\n")
    assert EVENTS.owners(windows * 2, BY_ID) == {("me",): 2}
    assert EVENTS.rewrite(windows, BY_ID, permit(ME, mask=("$.id",)))[0] == (
        b'data: {"id": null}\r\n\r\n'
    )


def test_a_cut_stream_is_incomplete() -> None:
    """A client drops the last event where its blank line is missing; a cut is not to be told
    from an end."""
    body = event("me") * 2
    for length in range(1, len(body)):
        if length != len(event("me")):
            assert EVENTS.refusal(body[:length], BY_ID) is Code.BODY_INCOMPLETE, length


def test_data_that_is_not_json_is_malformed() -> None:
    assert EVENTS.refusal(event("me") + b"data: [DONE]\n\n", BY_ID) is Code.BODY_MALFORMED
    assert EVENTS.refusal(b"data:\n\n", BY_ID) is Code.BODY_MALFORMED


def test_a_record_is_bounded() -> None:
    small = Format(sse, Limits(record=64), chunk=7)
    assert small.owners(b"data: " + b"1" * 50 + b"\n\n", BY_ID) == {(): 1}
    long = b"data: " + b"1" * 80 + b"\n\n"
    assert small.refusal(event("me") + long + event("me"), BY_ID) is Code.BODY_TOO_LARGE


@settings(max_examples=150, deadline=None)
@given(
    owners=st.lists(st.sampled_from(["me", "foreign", "other"]), max_size=8),
    before=st.lists(st.sampled_from([b"", b"id: 1\n", b"event: a\n", b": ping\n"]), min_size=8),
    crlf=st.booleans(),
    chunk=st.integers(1, 50),
)
def test_kept_events_are_byte_identical_however_the_body_is_cut(
    owners: list[str], before: list[bytes], crlf: bool, chunk: int
) -> None:
    whole = [event(owner, head) for owner, head in zip(owners, before, strict=False)]
    if crlf:
        whole = [each.replace(b"\n", b"\r\n") for each in whole]
    reader = Format(sse, Limits(record=200), chunk)
    kept, counts = reader.rewrite(b"".join(whole), BY_ID, permit(ME))
    assert kept == b"".join(each for each, who in zip(whole, owners, strict=True) if who == "me")
    assert dispatched(kept) == [{"id": "me"}] * owners.count("me")
    assert (counts.seen, counts.released) == (len(owners), owners.count("me"))


@pytest.mark.parametrize("line", [b": \n", b"data: \n", b"\n", b"data:1\n"])
def test_an_event_of_a_million_lines_is_refused_before_it_is_taken_apart(line: bytes) -> None:
    """Each line is a value of its own in memory: sixteen megabytes of them took 350 MiB."""
    many = event("me", b": \n" * 60_000)
    assert EVENTS.owners(many, BY_ID) == {("me",): 1}
    code = EVENTS.refusal(b"data: {\n" + line * (1 << 20) + event("me"), BY_ID)
    assert code in (Code.BODY_TOO_COMPLEX, Code.BODY_AMBIGUOUS)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("shift", range(-6, 7))
def test_a_blank_line_is_found_across_the_edge_of_a_window(end: bytes, shift: int) -> None:
    lead = event("me").replace(b"\n", end)
    fill = WINDOW + shift - len(b'data: ""' + end + end)
    body = b'data: "' + b"x" * fill + b'"' + end + end + lead + b'data: "y"' + end + end
    assert EVENTS.owners(body, BY_ID) == {(): 2, ("me",): 1}
    assert EVENTS.rewrite(body, BY_ID, permit(ME))[0] == lead
