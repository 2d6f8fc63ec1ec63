"""The numbers of several processes, as one gateway's."""

import msgspec
import pytest

from gateway.model import Effect
from gateway.telemetry import catalogue as names
from gateway.telemetry.exposition import Family
from gateway.telemetry.histogram import Exemplar, Histogram
from gateway.telemetry.merging import Gone, hear, merged, tell
from gateway.telemetry.metric import Merge
from gateway.telemetry.metrics import Metrics, Reading, read
from tests.telemetry.test_metrics import evidence


def took(*seconds: float, trace: str = "") -> Histogram:
    histogram = Histogram()
    for each in seconds:
        histogram.observe(each)
        if trace:
            histogram.trace(each, trace)
    return histogram


def numbers(families: "list[Family] | tuple[Family, ...]") -> dict[str, dict[object, float]]:
    return {each.metric.name: dict(each.series) for each in families if each.series}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (names.EXCHANGES, 5), (names.IN_FLIGHT_BYTES, 5), (names.EVENT_LOOP_LAG, 3),
        (names.LOG_SYNCS, 3), (names.SPOOL_LIMIT, 3), (names.KEYS_LIVE, 2),
    ],
)  # fmt: skip
def test_numbers_are_summed_or_one_of_them_counts(metric: names.Metric, expected: float) -> None:
    labels = tuple(label.name for label in metric.labels)
    one, other = Family(metric, [(labels, 2.0)]), Family(metric, [(labels, 3.0)])
    (family,) = merged([[one], [other]])
    assert dict(family.series) == {labels: expected}


def test_series_that_only_one_process_has_are_there() -> None:
    one = Family(names.POLICY_INFO, [(("embedded", "r1"), 1.0)])
    other = Family(names.POLICY_INFO, [(("embedded", "r2"), 1.0)])
    (family,) = merged([[one], [other]])
    assert dict(family.series) == {("embedded", "r1"): 1.0, ("embedded", "r2"): 1.0}


def test_histograms_add_up_and_no_process_is_changed_by_it() -> None:
    mine, theirs = took(0.1, 0.2), took(5.0)
    families = [[Family(names.LOG_SYNC_DURATION, (), [((), each)])] for each in (mine, theirs)]
    (family,) = merged(families)
    assert dict(family.histograms)[()].classic()[-1] == 3
    assert (mine.classic()[-1], theirs.classic()[-1]) == (2, 1)


def test_what_is_told_is_heard() -> None:
    metrics = Metrics()
    metrics.exchange(evidence())
    metrics.log_synced(0.01)
    told = [*metrics.families(), *read(Reading(names.LOG_FAILED, True))]
    heard = hear(tell(told))
    assert [each.metric for each in heard] == [each.metric for each in told]
    assert numbers(heard) == numbers([*metrics.families(), *read(Reading(names.LOG_FAILED, 1))])
    histograms = [dict(each.histograms) for each in heard]
    assert histograms == [dict(each.histograms) for each in metrics.families()] + [{}]


def test_an_exemplar_crosses() -> None:
    family = Family(names.LOG_SYNC_DURATION, (), [((), took(0.1, trace="ab" * 16))])
    (heard,) = hear(tell([family]))
    (exemplar,) = dict(heard.histograms)[()].exemplars.values()
    assert isinstance(exemplar, Exemplar)
    assert exemplar.trace_id == "ab" * 16


@pytest.mark.parametrize("raw", [b"", b"garbage", b"\x91\x01"])
def test_what_is_not_told_like_that_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        hear(raw)


def test_what_two_processes_count_is_what_one_would_have() -> None:
    one, two, both = Metrics(), Metrics(), Metrics()
    for each, metrics in ((evidence(), one), (evidence(Effect.BLOCK), two), (evidence(), two)):
        metrics.exchange(each)
        both.exchange(each)
    summed = list(merged([hear(tell(one.families())), hear(tell(two.families()))]))
    assert numbers(summed) == numbers(list(both.families()))
    whole = {each.metric.name: dict(each.histograms) for each in both.families()}
    for each in summed:
        for labels, histogram in each.histograms:
            assert histogram.cells == whole[each.metric.name][labels].cells


def test_a_counter_does_not_fall_with_its_process_and_a_gauge_ends_with_it() -> None:
    gone = Gone()
    for _ in range(2):
        gone.add(
            [
                Family(names.SELF_PROOFS, [(("passed",), 2.0)]),
                Family(names.IN_FLIGHT_EXCHANGES, [((), 9.0)]),
                Family(names.LOG_SYNC_DURATION, (), [((), took(0.1))]),
            ]
        )
    assert numbers(gone.families) == {names.SELF_PROOFS.name: {("passed",): 4.0}}
    (durations,) = (each for each in gone.families if each.histograms)
    assert dict(durations.histograms)[()].classic()[-1] == 2


def test_a_scrape_is_of_all_processes() -> None:
    other = Metrics()
    other.self_proof(passed=True)
    metrics = Metrics(others=lambda: [hear(tell(other.families()))])
    metrics.self_proof(passed=True)
    assert 'privacy_gateway_self_proofs_total{result="passed"} 2.0' in metrics.render().decode()
    assert metrics.render().decode().count("# TYPE privacy_gateway_build_info") == 1


def test_facts_about_one_thing_are_never_added_up() -> None:
    """A limit, an age, a date or a yes of two processes is not twice as much."""
    for metric in names.METRICS.values():
        words = ("_limit_bytes", "_age_seconds", "timestamp_seconds", "_info", "_ok", "_ready")
        if metric.name.endswith(words) and metric not in (names.INSPECTION_WORKERS,):
            assert metric.merge is not Merge.SUM, metric.name
