"""What is counted of the exchanges: one call each, plain numbers under closed sets of keys.

Counting is on the way of every exchange, so that nothing here knows how it is shown (`metrics`
does). The counts of several processes add up where they are shown (`merging`).
"""

from collections import Counter
from dataclasses import dataclass, field

from gateway.decisionlog.entry import Evidence, Outcome
from gateway.model import Effect, Inspection, SubjectRef
from gateway.telemetry.catalogue import NONE
from gateway.telemetry.histogram import Histogram


@dataclass(slots=True)
class Volume:
    """What passed through one endpoint in one format: records, subjects, bytes."""

    seen: int = 0
    released: int = 0
    redacted: int = 0
    blocked: int = 0
    unattributed: int = 0
    permitted: int = 0
    withheld: int = 0
    observed: int = 0
    received: int = 0
    inspected: int = 0
    sent: int = 0

    def count(self, evidence: Evidence, inspection: Inspection) -> None:
        counts, decision = evidence.counts, evidence.decision
        self.seen += counts.seen
        self.released += counts.released
        self.redacted += counts.redacted
        self.blocked += counts.blocked
        self.received += inspection.bytes_received
        self.inspected += inspection.bytes_inspected
        self.sent += evidence.bytes_released
        subjects: set[SubjectRef] = set()
        for group in inspection.groups:
            if group.owners:
                subjects.update(group.owners)
            else:
                self.unattributed += group.records
        if decision:
            blocked = decision.effect is Effect.BLOCK
            permitted = 0 if blocked else len(subjects & decision.permitted)
            self.permitted += permitted
            if evidence.outcome is Outcome.OBSERVED:
                self.observed += len(subjects) - permitted
            else:
                self.withheld += len(subjects) - permitted


@dataclass(slots=True)
class Counted:
    """All of it. Keys are label values: endpoint, format, effect, code; endpoint, would; a step."""

    exchanges: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    volumes: dict[tuple[str, str], Volume] = field(default_factory=dict)
    observed: Counter[tuple[str, str]] = field(default_factory=Counter)
    against: Counter[tuple[str, str]] = field(default_factory=Counter)
    uninspected: int = 0
    steps: dict[str, Histogram] = field(default_factory=dict)
    whole: dict[str, Histogram] = field(default_factory=dict)
    added: dict[str, Histogram] = field(default_factory=dict)
    proofs: Counter[tuple[str]] = field(default_factory=Counter)
    syncs: Histogram = field(default_factory=Histogram)

    def exchange(self, evidence: Evidence) -> None:
        """Count one exchange, after its log entry."""
        endpoint = evidence.endpoint or NONE
        inspection, decision = evidence.inspection, evidence.decision
        kind = inspection.format.value if inspection else NONE
        effect = decision.effect.value if decision else NONE
        code = evidence.code.value if evidence.code else NONE
        self.exchanges[endpoint, kind, effect, code] += 1
        self._time(endpoint, evidence)
        if inspection is None:
            return
        volume = self.volumes.get((endpoint, kind))
        if volume is None:
            volume = self.volumes[endpoint, kind] = Volume()
        volume.count(evidence, inspection)
        if evidence.bytes_released:
            self.uninspected += inspection.bytes_received - inspection.bytes_inspected
        if evidence.outcome is Outcome.OBSERVED:
            self.observed[endpoint, effect] += 1
            self.against[endpoint, effect] += evidence.against_policy

    def _time(self, endpoint: str, evidence: Evidence) -> None:
        """Nothing waits between two steps, so that an exchange is as long as its steps are.

        What the gateway adds is told of exchanges that the upstream answered: a rejected token is
        quick, and would make the exports look so.
        """
        durations, whole = evidence.durations, 0.0
        for step, seconds in durations.items():
            whole += seconds
            histogram = self.steps.get(step)
            if histogram is None:
                histogram = self.steps[step] = Histogram()
            histogram.observe(seconds)
        histogram = self.whole.get(endpoint)
        if histogram is None:
            histogram = self.whole[endpoint] = Histogram()
        histogram.observe(whole)
        if "inspection" in durations:
            histogram = self.added.get(endpoint)
            if histogram is None:
                histogram = self.added[endpoint] = Histogram()
            histogram.observe(whole - durations.get("upstream", 0.0))
        if evidence.trace_id:
            self._trace(endpoint, evidence, whole)

    def _trace(self, endpoint: str, evidence: Evidence, whole: float) -> None:
        """Keep the trace beside what `_time` counted."""
        trace_id, durations = evidence.trace_id, evidence.durations
        for step, seconds in durations.items():
            self.steps[step].trace(seconds, trace_id)
        self.whole[endpoint].trace(whole, trace_id)
        if "inspection" in durations:
            self.added[endpoint].trace(whole - durations.get("upstream", 0.0), trace_id)
