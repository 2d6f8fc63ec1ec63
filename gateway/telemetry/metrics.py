"""Prometheus metrics: one call per exchange, and gauges read from the rooms at each scrape.

Names follow the Prometheus conventions (base units, `_total`), prefix `privacy_gateway_`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.decisionlog.entry import Evidence, Outcome
from gateway.model import Effect

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
    """Counts exchanges. `readings` are asked for their gauges when somebody scrapes."""

    def __init__(self, readings: Iterable[Callable[[], Iterable[Reading]]] = ()) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        where = ("endpoint", "format", "effect", "code")
        self._exchanges = self._counter(
            "exchanges",
            "Exchanges ended, by what the policy said and why they were refused.",
            where,
        )
        self._records = self._counter(
            "records", "Records seen in responses, by where they went.", (*where[:2], "went")
        )
        self._subjects = self._counter(
            "subjects",
            "Distinct subjects in responses: permitted, withheld, or observed (released anyhow).",
            (*where[:2], "went"),
        )
        self._bytes = self._counter(
            "bytes", "Bytes of bodies received, inspected and released.", (*where[:2], "stage")
        )
        self._observed = self._counter(
            "observed_exchanges",
            "Exchanges released whole against the policy, by what it would have done: onboarding.",
            ("endpoint", "would"),
        )
        self._against = self._counter(
            "observed_records",
            "Records released only because their endpoint is observed: the policy holds them back.",
            ("endpoint", "would"),
        )
        self._uninspected = Counter(
            "privacy_gateway_uninspected_bytes",
            "Bytes received that no parser accounted for in a released body. Must stay 0: page.",
            registry=self.registry,
        )
        self._steps = Histogram(
            "privacy_gateway_step_duration_seconds",
            "Time an exchange spent in each step.",
            ("step",),
            buckets=_STEP_BUCKETS,
            registry=self.registry,
        )
        build = Gauge(
            "privacy_gateway_build_info",
            "The running version.",
            ("version",),
            registry=self.registry,
        )
        build.labels(__version__).set(1)
        # The label sets are closed, so these stay small; looking one up in the library costs more
        # than counting in it.
        self._counted: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
        self._timed: dict[str, Histogram] = {}
        self.registry.register(_Readings(tuple(readings)))

    def exchange(self, evidence: Evidence) -> None:
        """Count one exchange, after its log entry."""
        endpoint = evidence.endpoint or _NONE
        inspection, decision = evidence.inspection, evidence.decision
        kind = inspection.format.value if inspection else _NONE
        effect = decision.effect.value if decision else _NONE
        code = evidence.code.value if evidence.code else _NONE
        self._add(self._exchanges, (endpoint, kind, effect, code), 1)
        for step, seconds in evidence.durations.items():
            timed = self._timed.get(step)
            if timed is None:
                timed = self._timed[step] = self._steps.labels(step)
            timed.observe(seconds)
        if inspection is None:
            return
        counts = evidence.counts
        for went, records in (
            ("seen", counts.seen),
            ("released", counts.released),
            ("redacted", counts.redacted),
            ("blocked", counts.blocked),
        ):
            self._add(self._records, (endpoint, kind, went), records)
        for stage, size in (
            ("received", inspection.bytes_received),
            ("inspected", inspection.bytes_inspected),
            ("released", evidence.bytes_released),
        ):
            self._add(self._bytes, (endpoint, kind, stage), size)
        if evidence.bytes_released:
            self._uninspected.inc(inspection.bytes_received - inspection.bytes_inspected)
        if decision:
            permitted = 0
            if decision.effect is not Effect.BLOCK:
                permitted = sum(subject in decision.permitted for subject in inspection.subjects)
            withheld = len(inspection.subjects) - permitted
            observed = evidence.outcome is Outcome.OBSERVED
            self._add(self._subjects, (endpoint, kind, "permitted"), permitted)
            self._add(
                self._subjects, (endpoint, kind, "observed" if observed else "withheld"), withheld
            )
            if observed:
                self._add(self._observed, (endpoint, effect), 1)
                self._add(self._against, (endpoint, effect), evidence.against_policy)

    def render(self) -> bytes:
        """The text exposition format, version 0.0.4."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help_text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"privacy_gateway_{name}", help_text, labels, registry=self.registry)

    def _add(self, counter: Counter, labels: tuple[str, ...], amount: int) -> None:
        if amount:
            key = (counter, labels)
            counted = self._counted.get(key)
            if counted is None:
                counted = self._counted[key] = counter.labels(*labels)
            counted.inc(amount)


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
