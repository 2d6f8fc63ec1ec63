"""Prometheus metrics: one call per exchange, and gauges read from the rooms at each scrape.

    exchange ─▶ counting (plain numbers) ─┐
    rooms ─▶ readings ────────────────────┴─▶ families ─▶ text or protobuf, when somebody scrapes

`catalogue` says what each is called and means.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway import __version__
from gateway.decisionlog.entry import Evidence
from gateway.endpoints import Endpoint
from gateway.errors import Code
from gateway.model import Effect
from gateway.telemetry import catalogue as names
from gateway.telemetry.catalogue import NONE
from gateway.telemetry.counting import Counted, Volume
from gateway.telemetry.exposition import Family, Format
from gateway.telemetry.histogram import Histogram
from gateway.telemetry.merging import merged
from gateway.telemetry.metric import Metric
from gateway.telemetry.protobuf import Protobuf
from gateway.telemetry.text import Text


@dataclass(frozen=True, slots=True)
class Reading:
    """One number, read when somebody scrapes; `labels` are values in the metric's order."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


Readings = Callable[[], Iterable[Reading]]


class Metrics:
    """Counts exchanges; asks `readings` and `families` for the rest when somebody scrapes.

    What `endpoints` will count begins at 0, so that the first misdelivery that is stopped is seen
    as a change: Prometheus can't tell a new series from an old one that it never saw. `others` are
    the families of the processes that serve beside this one.
    """

    def __init__(
        self,
        readings: Iterable[Readings] = (),
        endpoints: Iterable[Endpoint] = (),
        families: Iterable[Callable[[], Iterable[Family]]] = (),
        others: Callable[[], Sequence[Iterable[Family]]] = tuple,
    ) -> None:
        self.counted, self._others = Counted(), others
        self._readings, self._families = tuple(readings), tuple(families)
        self._text, self._openmetrics = Text(), Text(openmetrics=True)
        self._protobuf = Protobuf()
        for result in ("passed", "failed"):
            self.counted.proofs[result,] = 0
        for endpoint in endpoints:
            self._begin(endpoint)

    def _begin(self, endpoint: Endpoint) -> None:
        counted, name, kind = self.counted, endpoint.name, endpoint.body.format.value
        for effect in Effect:
            code = Code.BLOCKED_BY_POLICY if effect is Effect.BLOCK else NONE
            counted.exchanges[name, kind, effect, code] = 0
        counted.volumes[name, kind] = Volume()
        counted.added[name] = Histogram()
        if endpoint.observe_until is not None:
            for would in (Effect.REDACT, Effect.BLOCK):
                counted.observed[name, would] = counted.against[name, would] = 0

    def exchange(self, evidence: Evidence) -> None:
        """Count one exchange, after its log entry."""
        self.counted.exchange(evidence)

    def self_proof(self, *, passed: bool) -> None:
        """Count one self-proof."""
        self.counted.proofs["passed" if passed else "failed",] += 1

    def log_synced(self, seconds: float) -> None:
        """Count one group of entries made durable."""
        self.counted.syncs.observe(seconds)

    def render(self, exposition: Format = Format.TEXT, more: Iterable[Reading] = ()) -> bytes:
        """Everything, and `more`, which only the asking side knows."""
        families = self.families(more)
        if others := self._others():
            families = merged((families, *others))
        match exposition:
            case Format.TEXT:
                return self._text.render(families)
            case Format.OPENMETRICS:
                return self._openmetrics.render(families)
            case Format.PROTOBUF:
                return self._protobuf.render(families)

    def families(self, more: Iterable[Reading] = ()) -> Iterator[Family]:
        """Everything of this process."""
        yield from exchanges(self.counted)
        for family in self._families:
            yield from family()
        build = Reading(names.BUILD_INFO, 1, (__version__,))
        yield from read(build, *more, *(each for read in self._readings for each in read()))


def read(*readings: Reading) -> Iterator[Family]:
    """Readings, by family."""
    families: dict[str, tuple[Metric, list[tuple[tuple[str, ...], float]]]] = {}
    for reading in readings:
        metric = reading.metric
        _, series = families.setdefault(metric.name, (metric, []))
        series.append((reading.labels, reading.value))
    for metric, series in families.values():
        yield Family(metric, series)


_VOLUMES = (
    (names.RECORDS, ("seen", "released", "redacted", "blocked")),
    (names.SUBJECTS, ("permitted", "withheld", "observed")),
    (names.BYTES, ("received", "inspected", "sent")),
)


def exchanges(counted: Counted) -> Iterator[Family]:
    """What was counted, by family."""
    yield Family(names.EXCHANGES, counted.exchanges.items())
    volumes = counted.volumes.items()
    for metric, fields in _VOLUMES:
        values = metric.labels[-1].values
        yield Family(
            metric,
            [
                ((*labels, value), getattr(volume, field))
                for labels, volume in volumes
                for field, value in zip(fields, values, strict=True)
            ],
        )
    yield Family(
        names.UNATTRIBUTED_RECORDS, [(labels, volume.unattributed) for labels, volume in volumes]
    )
    yield Family(names.UNINSPECTED_BYTES, [((), counted.uninspected)])
    yield Family(names.OBSERVED_EXCHANGES, counted.observed.items())
    yield Family(names.OBSERVED_RECORDS, counted.against.items())
    yield Family(names.SELF_PROOFS, counted.proofs.items())
    yield Family(names.STEP_DURATION, histograms=_one(counted.steps))
    yield Family(names.EXCHANGE_DURATION, histograms=_one(counted.whole))
    yield Family(names.ADDED_DURATION, histograms=_one(counted.added))
    yield Family(names.LOG_SYNC_DURATION, histograms=[((), counted.syncs)])


def _one(histograms: dict[str, Histogram]) -> Iterator[tuple[tuple[str], Histogram]]:
    """The series of a metric with one label."""
    for value, histogram in histograms.items():
        yield (value,), histogram
