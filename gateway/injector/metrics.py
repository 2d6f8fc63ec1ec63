"""The injector's metrics: reviews by result, and what it needs to answer them."""

from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.injector.verdicts import Result

PREFIX = "privacy_gateway_injector_"

_GAUGES = {
    "ready": "1 if /readyz answers 200. Where no replica is, no pod that asks for the gateway and"
    " no pod of a labelled namespace can be made.",
    "certificate_expiry_timestamp_seconds": "When the certificate that is served expires; 0 without"
    " one. Less than a quarter of its lifetime left: see the log for why it isn't renewed.",
    "sidecar_current": "1 if the mounted sidecar.yaml is in use; 0 if it is unfit, and pods get the"
    " last one that was fit.",
    "upkeep_ok": "1 if the Secret and the webhooks' caBundle could be kept at the last look (or"
    " cert-manager's files read); else see the log for the fault.",
}
Gauges = Callable[[], dict[str, float]]
"""A value for each of the gauges."""


class InjectorMetrics:
    """Counts reviews; the gauges are asked for at each scrape."""

    def __init__(self, gauges: Gauges) -> None:
        self._reviews: Counter[Result] = Counter()
        self._registry = CollectorRegistry(auto_describe=False)
        build = Gauge(
            "privacy_gateway_build_info",
            "The running version.",
            ("version",),
            registry=self._registry,
        )
        build.labels(__version__).set(1)
        for name, help_ in _GAUGES.items():
            gauge = Gauge(PREFIX + name, help_, registry=self._registry)
            gauge.set_function(lambda name=name: gauges()[name])  # type: ignore[misc]
        self._registry.register(_Reviews(self._reviews))
        ProcessCollector(registry=self._registry)

    def count(self, result: Result) -> None:
        self._reviews[result] += 1

    def render(self) -> bytes:
        """The text exposition format, version 0.0.4."""
        return generate_latest(self._registry)


class _Reviews(Collector):
    def __init__(self, reviews: Counter[Result]) -> None:
        self._reviews = reviews

    def collect(self) -> Iterable[Metric]:
        """Every result from the start, so that the first of its kind is an increase."""
        reviews = CounterMetricFamily(
            PREFIX + "reviews",
            "Requests on the webhook's port, by how they ended. Many refusals of one kind: somebody"
            " deploys pods that can't be guarded.",
            labels=("result",),
        )
        for result in Result:
            reviews.add_metric((result.value,), self._reviews[result])
        yield reviews
