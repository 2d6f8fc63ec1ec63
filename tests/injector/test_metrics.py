"""The injector's metrics."""

from prometheus_client.parser import text_string_to_metric_families

from gateway.injector.metrics import InjectorMetrics
from gateway.injector.verdicts import Result


def samples(metrics: InjectorMetrics) -> dict[str, float]:
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def made() -> InjectorMetrics:
    names = ("ready", "certificate_expiry_timestamp_seconds", "sidecar_current", "upkeep_ok")
    return InjectorMetrics(lambda: dict(zip(names, (1.0, 1.8e9, 0.0, 1.0), strict=True)))


def test_every_result_is_there_from_the_start_and_counted() -> None:
    metrics = made()
    found = samples(metrics)
    assert all(found[f"privacy_gateway_injector_reviews_total{each}"] == 0 for each in Result)
    metrics.count(Result.INJECTED)
    metrics.count(Result.INJECTED)
    metrics.count(Result.WINDOWS)
    found = samples(metrics)
    assert found["privacy_gateway_injector_reviews_totalinjected"] == 2
    assert found["privacy_gateway_injector_reviews_totalwindows"] == 1


def test_gauges_are_asked_for_at_each_scrape() -> None:
    found = samples(made())
    assert found["privacy_gateway_injector_ready"] == 1
    assert found["privacy_gateway_injector_certificate_expiry_timestamp_seconds"] == 1.8e9
    assert found["privacy_gateway_injector_sidecar_current"] == 0
    assert "process_resident_memory_bytes" in found
    assert any(name.startswith("privacy_gateway_build_info") for name in found)
