"""Prometheus metrics: one call per exchange, and gauges read from the rooms at each scrape.

Names follow the Prometheus conventions (base units, `_total`), prefix `privacy_gateway_`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.decisionlog.entry import Evidence, Outcome
from gateway.model import Effect, Inspection

_STEP_BUCKETS: tuple[float, ...] = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025)
_STEP_BUCKETS += (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Reading:
    """One gauge value: metric name (without prefix), what it means, its labels, its value."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Metrics:
    """Counts exchanges. `readings` are asked for their gauges when somebody scrapes.

    Counting is on the way of every exchange, so that it is plain integers in closed sets of keys;
    they become metrics when somebody scrapes.
    """

    def __init__(self, readings: Iterable[Callable[[], Iterable[Reading]]] = ()) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        build = Gauge(
            "privacy_gateway_build_info",
            "The running version.",
            ("version",),
            registry=self.registry,
        )
        build.labels(__version__).set(1)
        self._exchanges: Counter[tuple[str, str, str, str]] = Counter()
        self._volumes: dict[tuple[str, str], _Volume] = {}
        self._steps: dict[str, _Durations] = {}
        self._uninspected = 0
        self._observed: Counter[tuple[str, str]] = Counter()
        self._against: Counter[tuple[str, str]] = Counter()
        self.registry.register(_Counts(self._counted))
        self.registry.register(_Readings(tuple(readings)))

    def exchange(self, evidence: Evidence) -> None:
        """Count one exchange, after its log entry."""
        endpoint = evidence.endpoint or _NONE
        inspection, decision = evidence.inspection, evidence.decision
        kind = inspection.format.value if inspection else _NONE
        effect = decision.effect.value if decision else _NONE
        code = evidence.code.value if evidence.code else _NONE
        self._exchanges[endpoint, kind, effect, code] += 1
        for step, seconds in evidence.durations.items():
            durations = self._steps.get(step)
            if durations is None:
                durations = self._steps[step] = _Durations()
            durations.observe(seconds)
        if inspection is None:
            return
        volume = self._volumes.get((endpoint, kind))
        if volume is None:
            volume = self._volumes[endpoint, kind] = _Volume()
        volume.add(evidence, inspection)
        if evidence.bytes_released:
            self._uninspected += inspection.bytes_received - inspection.bytes_inspected
        if evidence.outcome is Outcome.OBSERVED:
            self._observed[endpoint, effect] += 1
            self._against[endpoint, effect] += evidence.against_policy

    def render(self) -> bytes:
        """The text exposition format, version 0.0.4."""
        return generate_latest(self.registry)

    def _counted(self) -> Iterable[Metric]:
        where = ("endpoint", "format", "effect", "code")
        exchanges = _counter(
            "exchanges",
            "Exchanges ended, by what the policy said and why they were refused.",
            where,
        )
        for labels, count in self._exchanges.items():
            exchanges.add_metric(labels, count)
        yield exchanges
        yield from self._counted_volumes(where[:2])
        yield from self._counted_observed()
        uninspected = _counter(
            "uninspected_bytes",
            "Bytes received that no parser accounted for in a released body. Must stay 0: page.",
            (),
        )
        uninspected.add_metric((), self._uninspected)
        yield uninspected
        steps = HistogramMetricFamily(
            "privacy_gateway_step_duration_seconds",
            "Time an exchange spent in each step.",
            labels=("step",),
        )
        for step, durations in self._steps.items():
            steps.add_metric((step,), durations.cumulated(), durations.sum)
        yield steps

    def _counted_volumes(self, where: tuple[str, ...]) -> Iterable[Metric]:
        records = _counter(
            "records", "Records seen in responses, by where they went.", (*where, "went")
        )
        subjects = _counter(
            "subjects",
            "Distinct subjects in responses: permitted, withheld, or observed (released anyhow).",
            (*where, "went"),
        )
        sizes = _counter(
            "bytes", "Bytes of bodies received, inspected and released.", (*where, "stage")
        )
        for labels, volume in self._volumes.items():
            for went in ("seen", "released", "redacted", "blocked"):
                records.add_metric((*labels, went), getattr(volume, went))
            for went in ("permitted", "withheld", "observed"):
                subjects.add_metric((*labels, went), getattr(volume, went))
            for stage in ("received", "inspected", "sent"):
                name = "released" if stage == "sent" else stage
                sizes.add_metric((*labels, name), getattr(volume, stage))
        return records, subjects, sizes

    def _counted_observed(self) -> Iterable[Metric]:
        exchanges = _counter(
            "observed_exchanges",
            "Exchanges released whole against the policy, by what it would have done: onboarding.",
            ("endpoint", "would"),
        )
        records = _counter(
            "observed_records",
            "Records released only because their endpoint is observed: the policy holds them back.",
            ("endpoint", "would"),
        )
        for metric, counted in ((exchanges, self._observed), (records, self._against)):
            for labels, count in counted.items():
                metric.add_metric(labels, count)
        return exchanges, records


class _Volume:
    """What passed through one endpoint in one format."""

    __slots__ = (
        "blocked", "inspected", "observed", "permitted", "received", "redacted", "released", "seen",
        "sent", "withheld",
    )  # fmt: skip

    def __init__(self) -> None:
        self.seen = self.released = self.redacted = self.blocked = 0
        self.permitted = self.withheld = self.observed = 0
        self.received = self.inspected = self.sent = 0

    def add(self, evidence: Evidence, inspection: Inspection) -> None:
        counts, decision = evidence.counts, evidence.decision
        self.seen += counts.seen
        self.released += counts.released
        self.redacted += counts.redacted
        self.blocked += counts.blocked
        self.received += inspection.bytes_received
        self.inspected += inspection.bytes_inspected
        self.sent += evidence.bytes_released
        if decision:
            subjects = {owner for group in inspection.groups for owner in group.owners}
            blocked = decision.effect is Effect.BLOCK
            permitted = 0 if blocked else len(subjects & decision.permitted)
            self.permitted += permitted
            if evidence.outcome is Outcome.OBSERVED:
                self.observed += len(subjects) - permitted
            else:
                self.withheld += len(subjects) - permitted


class _Durations:
    """A histogram of seconds."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(_STEP_BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(_STEP_BUCKETS, seconds)] += 1
        self.sum += seconds

    def cumulated(self) -> list[tuple[str, float]]:
        """`le` → how many took at most so long."""
        bounds = [*map(str, _STEP_BUCKETS), "+Inf"]
        return list(zip(bounds, accumulate(self.counts), strict=True))


def _counter(name: str, help_text: str, labels: tuple[str, ...]) -> CounterMetricFamily:
    return CounterMetricFamily(f"privacy_gateway_{name}", help_text, labels=labels)


class _Counts(Collector):
    """Counters that are read, not kept."""

    def __init__(self, counted: Callable[[], Iterable[Metric]]) -> None:
        self._counted = counted

    def collect(self) -> Iterable[Metric]:
        return self._counted()


class _Readings(Collector):
    """Gauges that are read, not kept."""

    def __init__(self, readings: tuple[Callable[[], Iterable[Reading]], ...]) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for read in self._readings:
            for reading in read():
                family = families.setdefault(
                    reading.name,
                    GaugeMetricFamily(
                        f"privacy_gateway_{reading.name}", reading.help, labels=list(reading.labels)
                    ),
                )
                family.add_metric(list(reading.labels.values()), reading.value)
        return families.values()
