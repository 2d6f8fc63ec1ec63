"""What a scrape costs: a hundred endpoints that have counted everything they can, in each format.

    python -m bench.scrape

Everything: every code that can end an exchange before and after its inspection, every effect, and
all histograms, each with tens of thousands of durations around its own (log-normal: the slowest is
a thousand times the fastest) and a trace in each of their buckets. Between two scrapes every number
changes.
"""

import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.decisionlog.entry import Evidence
from gateway.endpoints import Endpoint
from gateway.errors import Code
from gateway.inspection.settings import BodySpec
from gateway.model import Attribution, Decision, Effect, Group, Inspection, SubjectRef
from gateway.model import Format as BodyFormat
from gateway.telemetry.exposition import Format
from gateway.telemetry.metrics import Metrics
from gateway.trace import STEPS

ENDPOINTS = 100
GATE = 20.0
_LATE = (
    None, Code.BLOCKED_BY_POLICY, Code.REDACTION_UNSUPPORTED, Code.POLICY_TIMEOUT,
    Code.LOG_UNAVAILABLE, Code.SHUTTING_DOWN, Code.INTERNAL_ERROR,
)  # fmt: skip
"""How an exchange can end once its body was inspected."""
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_OWNER = SubjectRef("account", "A1")


def _evidence(endpoint: Endpoint, number: int, **changes: Any) -> Evidence:
    seconds = 1e-3 * 1.3 ** (number % 10)
    return Evidence(
        "x", _AT, endpoint=endpoint.name, trace_id=f"{number:032x}",
        durations={step: seconds * (place + 1) for place, step in enumerate(STEPS)}, **changes,
    )  # fmt: skip


def evidences(endpoint: Endpoint) -> Iterator[Evidence]:
    """One exchange of each way to end."""
    number = 0
    for code in Code:
        number += 1
        yield _evidence(endpoint, number, code=code)
    groups = (Group((_OWNER,), Attribution.DIRECT, "", 3), Group((), Attribution.NONE, "", 1))
    inspection = Inspection(endpoint.body.format, groups, ("id",), 900, 900, 900)
    for effect in (None, *Effect):
        decision = None
        if effect:
            decision = Decision(effect, frozenset({_OWNER}), False, frozenset(), (), (), "r1")
        for late in _LATE:
            number += 1
            yield _evidence(endpoint, number, code=late, inspection=inspection, decision=decision)


def populated(endpoints: int = ENDPOINTS) -> tuple[Metrics, list[Evidence]]:
    """Metrics that have counted everything, and what they counted."""
    formats = (*BodyFormat,)
    configured = [
        Endpoint(f"endpoint-{n}", f"/exports/{n}", BodySpec(formats[n % len(formats)]))
        for n in range(endpoints)
    ]
    metrics = Metrics(endpoints=configured)
    played = [each for endpoint in configured for each in evidences(endpoint)]
    for each in played:
        metrics.exchange(each)
    counted, chance = metrics.counted, random.Random(1)
    for histogram in (*counted.steps.values(), *counted.whole.values(), *counted.added.values()):
        usual = 10 ** chance.uniform(-3.5, -0.5)
        for number in range(1_000):
            seconds = usual * chance.lognormvariate(0, 1)
            histogram.observe(seconds)
            histogram.trace(seconds, f"{number:032x}")
        histogram.cells = [count * chance.randrange(50, 100) for count in histogram.cells]
    return metrics, played


def run(rounds: int = 15) -> dict[str, dict[str, float]]:
    """By format: the milliseconds of CPU time of a scrape (a median), its bytes and its lines."""
    metrics, played = populated()
    lines = metrics.render().count(b"\n")
    found: dict[str, dict[str, float]] = {}
    for exposition in Format:
        taken = []
        for _ in range(rounds):
            for each in played:
                metrics.exchange(each)
            start = time.process_time()
            scrape = metrics.render(exposition)
            taken.append((time.process_time() - start) * 1e3)
        found[exposition.name.lower()] = {
            "ms": round(statistics.median(taken), 2), "bytes": len(scrape), "lines": lines,
        }  # fmt: skip
    return found


def library(rounds: int = 5) -> float:
    """Milliseconds of CPU time (a median) in which prometheus_client writes the same text."""
    metrics, _ = populated()
    families = [*text_string_to_metric_families(metrics.render().decode())]
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        generate_latest(_Registry(families))
        taken.append((time.process_time() - start) * 1e3)
    return round(statistics.median(taken), 2)


class _Registry(CollectorRegistry):
    """What was read already: only its writing is measured."""

    def __init__(self, families: list[Metric]) -> None:
        super().__init__()
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


if __name__ == "__main__":
    for name, figures in run().items():
        print(f"{name}: {figures}")
    print(f"prometheus_client, text: {library()} ms")
