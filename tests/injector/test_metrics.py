"""The injector's metrics."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from gateway.injector.metrics import (
    EXPIRY,
    METRICS,
    PREFIX,
    READY,
    SIDECAR_CURRENT,
    UPKEEP_OK,
    InjectorMetrics,
)
from gateway.injector.verdicts import Result
from gateway.telemetry import catalogue
from gateway.telemetry.exposition import Format
from gateway.telemetry.metric import Kind, Metric
from gateway.telemetry.metrics import Reading


def samples(metrics: InjectorMetrics) -> dict[str, float]:
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def made() -> InjectorMetrics:
    return InjectorMetrics(
        lambda: [
            Reading(READY, True), Reading(EXPIRY, 1.8e9), Reading(SIDECAR_CURRENT, False),
            Reading(UPKEEP_OK, 1),
        ]
    )  # fmt: skip


def test_every_result_is_there_from_the_start_and_counted() -> None:
    metrics = made()
    found = samples(metrics)
    assert all(found[f"{PREFIX}reviews_total{each}"] == 0 for each in Result)
    metrics.count(Result.INJECTED)
    metrics.count(Result.INJECTED)
    metrics.count(Result.WINDOWS)
    found = samples(metrics)
    assert found[f"{PREFIX}reviews_totalinjected"] == 2
    assert found[f"{PREFIX}reviews_totalwindows"] == 1


def test_gauges_are_asked_for_at_each_scrape() -> None:
    found = samples(made())
    assert found[f"{PREFIX}ready"] == 1
    assert found[f"{PREFIX}certificate_expiry_timestamp_seconds"] == 1.8e9
    assert found[f"{PREFIX}sidecar_current"] == 0
    assert "process_resident_memory_bytes" in found
    assert any(name.startswith("privacy_gateway_build_info") for name in found)


def test_it_is_not_taken_for_a_gateway() -> None:
    """The alerts about gateways go by their names."""
    text = made().render(Format.TEXT, [Reading(catalogue.READY, 1)]).decode()
    assert f"{catalogue.READY.name} " not in text
    found = {name for name in samples(made()) if name.startswith("privacy_gateway_")}
    assert all(name.startswith((PREFIX, "privacy_gateway_build_info")) for name in found)


def test_every_format_is_written() -> None:
    families = openmetrics(made().render(Format.OPENMETRICS).decode())
    assert f"{PREFIX}reviews" in {family.name for family in families}
    assert PREFIX.encode() in made().render(Format.PROTOBUF)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_and_words_are_as_of_all_metrics(metric: Metric) -> None:
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
    for text in (metric.means, metric.do):
        assert text.endswith(".") and not {*text} & {*'\\\n"'}
