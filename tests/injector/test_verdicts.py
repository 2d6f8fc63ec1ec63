"""The closed set of results."""

import re

from gateway.injector.verdicts import Refused, Result, Unanswerable


def test_results_are_label_values_of_their_own() -> None:
    assert len({result.value for result in Result}) == len(Result)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", result.value) for result in Result)


def test_both_kinds_of_refusal_carry_a_result_and_a_sentence() -> None:
    refused = Refused(Result.WINDOWS, "why")
    unanswerable = Unanswerable(413, Result.REVIEW_TOO_LARGE, "how much")
    assert (refused.result, refused.message) == (Result.WINDOWS, "why")
    assert (unanswerable.status, unanswerable.result) == (413, Result.REVIEW_TOO_LARGE)
