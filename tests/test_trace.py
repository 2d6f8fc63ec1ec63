"""W3C Trace Context: read strictly, spelled anew, dropped and never refused."""

import ast
import inspect
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import exchange
from gateway.model import Admitted
from gateway.trace import (
    CURRENT,
    STEPS,
    UNTRACED,
    Parent,
    Trace,
    Untraced,
    read,
    spelled,
    step_id,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01".encode()
HEX = "0123456789abcdef"
ids = st.tuples(
    st.text(HEX, min_size=32, max_size=32).filter(lambda text: text.strip("0")),
    st.text(HEX, min_size=16, max_size=16).filter(lambda text: text.strip("0")),
)


def parent(*lines: bytes, state: tuple[bytes, ...] = ()) -> Parent | None:
    headers = [(b"Accept", b"*/*")]
    headers += [(b"Traceparent", line) for line in lines]
    return read([*headers, *((b"tracestate", line) for line in state)])


def test_a_callers_place_is_read() -> None:
    assert parent(TRACEPARENT) == Parent(TRACE, SPAN, 1)
    quiet = parent(TRACEPARENT[:-2] + b"00")
    assert quiet is not None and not quiet.sampled


def test_of_the_flags_only_those_that_are_known_go_on() -> None:
    assert parent(TRACEPARENT[:-2] + b"ff") == Parent(TRACE, SPAN, 3)


def test_a_later_version_is_read_as_far_as_this_one_goes() -> None:
    assert parent(b"cc" + TRACEPARENT[2:] + b"-what-the-future-holds") == Parent(TRACE, SPAN, 1)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"00",
        TRACEPARENT[:-1],
        TRACEPARENT + b"0",
        TRACEPARENT + b"-",
        TRACEPARENT + b"-more",
        b" " + TRACEPARENT,
        TRACEPARENT + b"\n",
        TRACEPARENT.upper(),
        b"ff" + TRACEPARENT[2:],
        b"cc" + TRACEPARENT[2:] + b"more",
        b"cc" + TRACEPARENT[2:] + b"-" + b"x" * 256,
        TRACEPARENT.replace(TRACE.encode(), b"0" * 32),
        TRACEPARENT.replace(SPAN.encode(), b"0" * 16),
        TRACEPARENT.replace(b"4", b"g"),
        TRACEPARENT.replace(b"4", b"\xd9"),
        TRACEPARENT.replace(b"-", b"_"),
        b"\r\nX-Evil: 1",
    ],
)
def test_what_is_malformed_is_as_good_as_none(line: bytes) -> None:
    assert parent(line) is None


def test_two_places_are_as_good_as_none() -> None:
    assert parent(TRACEPARENT, TRACEPARENT) is None


@given(st.lists(st.tuples(st.sampled_from([b"traceparent", b"TRACESTATE", b"x"]), st.binary())))
def test_nothing_that_a_caller_sends_raises_or_goes_on_unless_it_is_well_formed(
    headers: list[tuple[bytes, bytes]],
) -> None:
    trace = Untraced().begin("x1", headers)
    for name, value in trace.headers:
        if name == "traceparent":
            assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]", value)
        else:
            assert len(value) <= 512 and set(value) <= set(string.printable) - set("\r\n\t\x0b\x0c")


@given(ids, st.integers(0, 255), st.integers(0, 254))
def test_what_is_well_formed_is_read_in_one_way(
    pair: tuple[str, str], flags: int, version: int
) -> None:
    found = parent(f"{version:02x}-{pair[0]}-{pair[1]}-{flags:02x}".encode())
    assert found == Parent(*pair, flags & 3)


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ((b"congo=t61rcWkgMzE",), "congo=t61rcWkgMzE"),
        ((b"a=1", b"b=2"), "a=1,b=2"),
        ((b" a=1 ,\t, b=2,",), "a=1,b=2"),
        ((b"fw529a3039@dt=FfAVo,a-b_c*d/e=x y",), "fw529a3039@dt=FfAVo,a-b_c*d/e=x y"),
        ((b"a=" + b"v" * 256,), "a=" + "v" * 256),
        ((b",".join(b"k%d=v" % n for n in range(32)),), ",".join(f"k{n}=v" for n in range(32))),
    ],
)
def test_a_well_formed_state_goes_on(lines: tuple[bytes, ...], state: str) -> None:
    found = parent(TRACEPARENT, state=lines)
    assert found is not None and found.state == state
    assert spelled(TRACE, SPAN, found)[-1] == ("tracestate", state)


@pytest.mark.parametrize(
    "lines",
    [
        (b"a",),
        (b"=1",),
        (b"A=1",),
        (b"a=",),
        (b"a=1=2",),
        (b"a=1\x00",),
        (b"a=\xc3\xa4",),
        (b"a=1\r\nX-Evil: 1",),
        (b"a=1,a=2",),
        (b"a=1", b"a=2"),
        (b"a=" + b"v" * 257,),
        (b"a=" + b"v" * 200, b"b=" + b"v" * 200, b"c=" + b"v" * 200),
        (b",".join(b"k%d=v" % n for n in range(33)),),
        (b"," * 513,),
    ],
)
def test_a_state_that_is_malformed_or_too_long_is_dropped_and_the_place_is_kept(
    lines: tuple[bytes, ...],
) -> None:
    found = parent(TRACEPARENT, state=lines)
    assert found == Parent(TRACE, SPAN, 1) and found.state == ""
    assert len(spelled(TRACE, SPAN, found)) == 1


def test_a_state_without_a_place_is_dropped() -> None:
    assert UNTRACED.begin("x1", [(b"tracestate", b"a=1")]).headers == ()


def test_a_gateway_that_traces_nothing_hands_on_what_it_is_sent_unless_it_trusts_nobody() -> None:
    headers = [(b"traceparent", TRACEPARENT), (b"tracestate", b"a=1")]
    passed = UNTRACED.begin("x1", headers)
    assert passed.headers == (("traceparent", TRACEPARENT.decode()), ("tracestate", "a=1"))
    assert not passed.kept and passed.trace_id == ""
    assert Untraced(trusted=False).begin("x1", headers).headers == ()


def test_whatever_is_begun_is_the_exchange_of_its_task() -> None:
    trace = UNTRACED.begin("x1", ())
    assert CURRENT.get() == ("x1", trace)
    CURRENT.set(None)


def test_a_request_carries_its_place_behind_its_other_fields() -> None:
    request = Admitted("GET", (), {}, "/", (("Accept", "*/*"),), ())
    carried = Trace(headers=(("traceparent", "t"),)).carried_by(request)
    assert carried.headers == (("Accept", "*/*"), ("traceparent", "t"))
    assert Trace().carried_by(request) is request


@given(st.integers(1, 2**64 - 1))
def test_the_steps_of_an_exchange_have_ids_of_their_own(number: int) -> None:
    span = f"{number:016x}"
    made = [step_id(span, step) for step in STEPS]
    assert len({span, *made}) == len(STEPS) + 1
    assert all(re.fullmatch("[0-9a-f]{16}", each) and each.strip("0") for each in made)


def test_the_steps_are_those_of_guard() -> None:
    """In `guard` itself, and in how a body is read: held, or as it comes."""
    tree = ast.parse(inspect.getsource(exchange))
    called = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "begin"
        and isinstance(node.args[0], ast.Constant)
    }
    assert called == {*STEPS}
