"""The words of an expression: what the other tests rest on."""

import pytest

from tests.support.promql import Matcher, names


def test_metrics_matchers_and_grouping_labels_are_told_apart() -> None:
    found = names(
        'sum by (job, endpoint) (rate(a_total{code=~"x|y", le!="0.5"}[5m] offset 1d)) '
        "/ on (job) group_left (version) max(level:b:max) > bool 0.5 unless absent(c)"
    )
    assert [selector.metric for selector in found.selectors] == ["a_total", "level:b:max", "c"]
    assert found.selectors[0].matchers == (Matcher("code", "=~", "x|y"), Matcher("le", "!=", "0.5"))
    assert found.labels == {"job", "endpoint", "version"}


def test_words_in_quotes_are_no_metrics() -> None:
    found = names('label_replace(up, "how", "blocked $1", "", "(.*)") or vector(1e3)')
    assert [selector.metric for selector in found.selectors] == ["up"]


def test_what_is_no_word_is_an_error() -> None:
    with pytest.raises(ValueError, match="no PromQL from here"):
        names("up ; down")
