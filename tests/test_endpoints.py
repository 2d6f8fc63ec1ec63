"""Which endpoint a request means, and that none is the answer to all others."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.endpoints import Endpoint, Endpoints, Enforcement, ReleaseMode, split_template
from gateway.errors import Code, MethodNotAllowed, NotFound
from gateway.inspection.settings import BodySpec
from gateway.model import Format

ADAPTER = TypeAdapter(Endpoint)


def endpoint(name: str, path: str, *methods: str) -> Endpoint:
    body = BodySpec(format=Format.JSON)
    return Endpoint(name=name, path=path, body=body, methods=methods or ("GET",))  # type: ignore[arg-type]


TABLE = Endpoints(
    [
        endpoint("any", "/exports/{id}"),
        endpoint("orders", "/exports/orders", "GET", "POST"),
        endpoint("archive", "/exports/{id}/archive"),
        endpoint("own", "/exports/me/{part}"),
        endpoint("deep", "/{a}/{b}/{c}/{d}"),
    ]
)


@pytest.mark.parametrize(
    ("path", "name", "params"),
    [
        ("/exports/orders", "orders", {}),
        ("/exports/42", "any", {"id": "42"}),
        ("/exports/Orders", "any", {"id": "Orders"}),
        ("/exports/42/archive", "archive", {"id": "42"}),
        ("/exports/me/archive", "own", {"part": "archive"}),
        ("/a/b/c/d", "deep", {"a": "a", "b": "b", "c": "c", "d": "d"}),
        ("/exports/{id}", "any", {"id": "{id}"}),
    ],
)
def test_a_literal_segment_goes_before_a_parameter(
    path: str, name: str, params: dict[str, str]
) -> None:
    route = TABLE.match("GET", path[1:].split("/"))
    assert (route.endpoint.name, route.params) == (name, params)


@pytest.mark.parametrize("path", [[], ["exports"], ["EXPORTS", "orders"], ["x", "orders"],
                                  ["exports", "42", "archive", "x", "y"]])  # fmt: skip
def test_what_nobody_configured_is_not_found(path: list[str]) -> None:
    with pytest.raises(NotFound) as caught:
        TABLE.match("GET", path)
    assert caught.value.code is Code.ENDPOINT_UNKNOWN
    assert caught.value.note == ""


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "get", "POST"])
def test_a_method_that_is_not_named_is_not_allowed(method: str) -> None:
    with pytest.raises(MethodNotAllowed):
        TABLE.match(method, ["exports", "42"])
    assert TABLE.match("POST", ["exports", "orders"]).endpoint.name == "orders"


def test_the_order_in_the_file_does_not_matter() -> None:
    endpoints = [endpoint("literal", "/a/b"), endpoint("parameter", "/a/{b}")]
    for order in (endpoints, endpoints[::-1]):
        assert Endpoints(order).match("GET", ["a", "b"]).endpoint.name == "literal"


def test_a_literal_path_is_not_another_endpoints_for_the_methods_it_lacks() -> None:
    endpoints = [endpoint("literal", "/a/b"), endpoint("parameter", "/a/{b}", "GET", "POST")]
    for order in (endpoints, endpoints[::-1]):
        with pytest.raises(MethodNotAllowed):
            Endpoints(order).match("POST", ["a", "b"])
        assert Endpoints(order).match("POST", ["a", "c"]).endpoint.name == "parameter"


def test_of_two_endpoints_with_one_path_the_first_is_meant() -> None:
    table = Endpoints([endpoint("first", "/a"), endpoint("second", "/a", "POST")])
    assert table.match("GET", ["a"]).endpoint.name == "first"
    with pytest.raises(MethodNotAllowed):
        table.match("POST", ["a"])


@pytest.mark.parametrize("path", ["/a", "/a/b", "/{a}", "/a/{b_2}/c", "/a.b/~c/d:e@f", "/a/..."])
def test_a_template_is_literals_and_parameters(path: str) -> None:
    assert split_template(path) == tuple(path[1:].split("/"))


@pytest.mark.parametrize(
    "path",
    ["", "/", "a", "a/b", "//", "/a//b", "/a/", "/a/.", "/../a", "/a b", "/a%20b", "/ä", "/a;b",
     "/a?b", "/a#b", "/a\\b", "/{a}{b}", "/x{a}", "/{A}", "/{}", "/{a", "/{a}/{a}", "/*", "/a\n"],
)  # fmt: skip
def test_a_template_that_a_path_could_match_in_two_ways_is_an_error(path: str) -> None:
    if path == "/*":  # a literal: there are no wildcards
        assert split_template(path) == ("*",)
        return
    with pytest.raises(ValueError, match=r"path|segment"):
        split_template(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Orders"},
        {"name": ""},
        {"name": "a b"},
        {"name": 'a"b'},
        {"path": "orders"},
        {"methods": ["DELETE"]},
        {"release": "at-once"},
        {"upstream": "http://a"},
    ],
)
def test_what_cannot_be_meant_is_an_error(wrong: dict[str, object]) -> None:
    sound: dict[str, object] = {"name": "orders", "path": "/orders", "body": {"format": "json"}}
    read = ADAPTER.validate_python(sound)
    assert (read.methods, read.release) == (("GET",), "hold")
    assert ADAPTER.validate_python(sound | {"release": "stream"}).release is ReleaseMode.STREAM
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(sound | wrong)


@given(st.lists(st.text(min_size=1), max_size=5))
def test_a_match_accounts_for_every_segment(path: list[str]) -> None:
    try:
        route = TABLE.match("GET", path)
    except NotFound:
        return
    template = split_template(route.endpoint.path)
    spelled = [
        route.params[segment[1:-1]] if segment.startswith("{") else segment for segment in template
    ]
    assert spelled == path


# --- what is only observed ----------------------------------------------------------------------

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)


def onboarded(**settings: str) -> Endpoint:
    document = {"name": "orders", "path": "/orders", "body": {"format": "json"}, **settings}
    return ADAPTER.validate_python(document)


def test_an_endpoint_is_enforced_unless_it_says_otherwise() -> None:
    assert onboarded().enforcement is Enforcement.ENFORCE
    assert not onboarded().observes(datetime.min.replace(tzinfo=UTC))
    assert not onboarded(enforcement="enforce").observes(UNTIL)


def test_observing_ends_at_the_instant_that_the_configuration_gives() -> None:
    observed = onboarded(enforcement="observe", observe_until="2026-06-01T02:00:00+02:00")
    assert observed.observes(UNTIL - timedelta(microseconds=1))
    assert not observed.observes(UNTIL)


def test_a_date_is_observed_to_its_end_in_utc() -> None:
    assert onboarded(enforcement="observe", observe_until="2026-05-31").observe_until == UNTIL


def test_observing_without_an_end_and_an_end_without_observing_are_faults() -> None:
    """D25"""
    with pytest.raises(ValidationError, match="observe needs the day on which it ends"):
        onboarded(enforcement="observe")
    with pytest.raises(ValidationError, match="nothing is observed"):
        onboarded(observe_until="2026-05-31")
    with pytest.raises(ValidationError, match="nothing is observed"):
        onboarded(enforcement="enforce", observe_until="2026-05-31")


@pytest.mark.parametrize("flag", ["Observe", "obsrve", "off", "", "true"])
def test_a_typo_in_the_flag_is_a_fault(flag: str) -> None:
    """D25"""
    with pytest.raises(ValidationError):
        onboarded(enforcement=flag, observe_until="2026-05-31")
