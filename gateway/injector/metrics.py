"""The injector's metrics: reviews by result, and what it needs to answer them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import assert_never

from gateway import __version__
from gateway.injector.verdicts import Result
from gateway.telemetry.catalogue import BUILD_INFO
from gateway.telemetry.exposition import Family, Format
from gateway.telemetry.metric import Kind, Label, Metric
from gateway.telemetry.metrics import Reading, read
from gateway.telemetry.parts import main_process
from gateway.telemetry.protobuf import Protobuf
from gateway.telemetry.text import Text

PREFIX = "privacy_gateway_injector_"


def _gauge(name: str, means: str, do: str) -> Metric:
    return Metric(PREFIX + name, Kind.GAUGE, (), means, do)


REVIEWS = Metric(
    PREFIX + "reviews_total",
    Kind.COUNTER,
    (Label("result", tuple(result.value for result in Result)),),
    "Requests on the webhook's port, by how they ended.",
    "Many refusals of one kind: somebody deploys pods that can't be guarded.",
)
READY = _gauge(
    "ready",
    "1 if /readyz answers 200.",
    "0 on every replica: page, for no pod that asks for the gateway can be made, and none in a"
    " labelled namespace.",
)
EXPIRY = _gauge(
    "certificate_expiry_timestamp_seconds",
    "When the certificate that is served expires; 0 without one.",
    "Less than a quarter of its lifetime left: the log says why it isn't renewed.",
)
SIDECAR_CURRENT = _gauge(
    "sidecar_current",
    "1 if the mounted sidecar.yaml is in use.",
    "0: it is unfit (the log says why), and pods get the last one that was fit.",
)
UPKEEP_OK = _gauge(
    "upkeep_ok",
    "1 if the Secret and the webhooks' caBundle, or the certificate's files, were kept at the last"
    " look.",
    "0: the log says why; there is time until the certificate expires.",
)
METRICS = (REVIEWS, READY, EXPIRY, SIDECAR_CURRENT, UPKEEP_OK)


class InjectorMetrics:
    """Counts reviews; `readings` are asked for the gauges when somebody scrapes."""

    def __init__(self, readings: Callable[[], Iterable[Reading]]) -> None:
        # Every result from the start: a new series' first increase is none to Prometheus.
        self._reviews = Counter(dict.fromkeys(Result, 0))
        self._readings = readings

    def count(self, result: Result) -> None:
        self._reviews[result] += 1

    def render(self, exposition: Format = Format.TEXT, _more: Iterable[Reading] = ()) -> bytes:
        """Without the admin server's own readings: they are named and alerted on as a gateway's."""
        match exposition:
            case Format.TEXT:
                return Text().render(self._families())
            case Format.OPENMETRICS:
                return Text(openmetrics=True).render(self._families())
            case Format.PROTOBUF:
                return Protobuf().render(self._families())
            case _:
                assert_never(exposition)

    def _families(self) -> Iterator[Family]:
        reviews = [((result.value,), float(count)) for result, count in self._reviews.items()]
        yield Family(REVIEWS, reviews)
        build = Reading(BUILD_INFO, 1, (__version__,))
        yield from read(build, *self._readings(), *main_process())
