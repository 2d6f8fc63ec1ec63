import json

import pytest

from gateway.enforcement import Denial
from gateway.errors import (
    BadUpstream,
    Code,
    Forbidden,
    NotFound,
    Refusal,
    Unauthenticated,
    Unavailable,
    UpstreamError,
)
from gateway.proxy.problem import problem


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (Forbidden(Code.BLOCKED_BY_POLICY, "a note"), 403, "blocked_by_policy"),
        (NotFound(Code.ENDPOINT_UNKNOWN), 404, "endpoint_unknown"),
        (BadUpstream(Code.BODY_MALFORMED, "a note"), 502, "body_malformed"),
        (UpstreamError(418), 418, "upstream_refused"),
        (UpstreamError(500), 500, "upstream_error"),
    ],
)
def test_a_problem_is_a_status_a_code_and_an_id(refusal: Refusal, status: int, code: str) -> None:
    answer = problem(Denial(refusal, "e1"))
    assert answer.status == status
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "status": status,
        "code": code,
        "exchange_id": "e1",
    }
    assert answer.headers == {
        "Content-Type": "application/problem+json",
        "Cache-Control": "private, no-store",
        "Vary": "Authorization",
        "X-Content-Type-Options": "nosniff",
        "X-Exchange-Id": "e1",
    }


def test_every_401_is_the_same() -> None:
    """B32"""
    answers = [problem(Denial(Unauthenticated(code, code), "e1")) for code in Unauthenticated.codes]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"


def test_an_endpoint_that_is_only_observed_says_so_in_its_refusals_and_nothing_more() -> None:
    refusal = Forbidden(Code.BLOCKED_BY_POLICY, "a note")
    said, unsaid = (problem(Denial(refusal, "e1", observing)) for observing in (True, False))
    assert said.headers == {**unsaid.headers, "Privacy-Gateway-Enforcement": "observe"}
    assert (said.status, said.body) == (unsaid.status, unsaid.body)


def test_who_is_refused_for_want_of_a_part_may_come_again() -> None:
    """E17"""
    unavailable = problem(Denial(Unavailable(Code.OVERLOADED), "e1"))
    assert unavailable.headers["Retry-After"] == "5"
    assert "Retry-After" not in problem(Denial(Forbidden(Code.BLOCKED_BY_POLICY), "e1")).headers
