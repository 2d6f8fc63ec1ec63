"""What a shadow would change: counted by closed labels, logged without payload.

A line of the log names the records that would go another way: how many, the places of the first few
(counted from 0, as they stand in the body), their owners as the decision log's pseudonyms.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from gateway.decisionlog.entry import Evidence
from gateway.decisionlog.pseudonyms import Pseudonyms
from gateway.decisionlog.spellings import Spelt, spellings, spells
from gateway.errors import Code
from gateway.log import Log
from gateway.model import Decision
from gateway.policy.comparison import Change, Difference
from gateway.policy.contract import Question
from gateway.policy.shadow import Shadow, ShadowFacts, State
from gateway.telemetry.catalogue import (
    SHADOW_COMPARISONS,
    SHADOW_DIFFERENCES,
    SHADOW_FAILURES,
    SHADOW_INFO,
    SHADOW_READY,
    SHADOW_RESTARTS,
    SHADOW_WAITING,
)
from gateway.telemetry.exposition import Family
from gateway.telemetry.metrics import Reading
from gateway.telemetry.reasons import NONE, ReasonLabels

_LOG = Log(__name__)

_RESULTS = SHADOW_COMPARISONS.labels[-1].values
_CHANGES, _OWNERS = 16, 4
"""Groups of records in one line of the log, and owners of each."""
_QUIET = 60.0
"""Seconds in which one failure at one endpoint is logged once; all are counted."""


class Observer(Protocol):
    """As `exchange.Observer`."""

    def exchange(self, evidence: Evidence) -> None: ...


class WithShadow:
    """An observer, and behind it the shadow: offered each decision whose outcome is settled."""

    def __init__(self, observer: Observer, shadow: Shadow) -> None:
        self._observer, self._shadow = observer, shadow

    def exchange(self, evidence: Evidence) -> None:
        self._observer.exchange(evidence)
        if evidence.question is not None and evidence.decision is not None:
            self._shadow.offer(evidence.question, evidence.decision)


class ShadowReport:
    """The shadow's listener. What it will count for `endpoints` begins at 0."""

    def __init__(self, pseudonyms: Pseudonyms, endpoints: Iterable[str] = ()) -> None:
        self._pseudonyms, self._reasons = pseudonyms, ReasonLabels()
        self._comparisons: Counter[tuple[str, str]] = Counter(
            {(endpoint, result): 0 for endpoint in endpoints for result in _RESULTS}
        )
        self._differences: Counter[tuple[str, str, str, str]] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._said: dict[tuple[str, Code], float] = {}

    def compared(
        self, question: Question, active: Decision, shadow: Decision, found: Difference | None
    ) -> None:
        result = "differed" if found else "agreed"
        self._comparisons[question.endpoint, result] += 1
        if found is None:
            return
        spelt = spellings(question)
        labels = {self._reasons.label(reason, spelt) for reason in found.why} or {NONE}
        for label in labels:
            self._differences[question.endpoint, found.active, found.shadow, label] += 1
        say = _LOG.warning if found.opens else _LOG.info
        say(
            "the shadow differs",
            exchange_id=question.exchange_id,
            endpoint=question.endpoint,
            phase=question.phase.value,
            active=found.active.value,
            shadow=found.shadow.value,
            active_revision=active.revision,
            shadow_revision=shadow.revision,
            gained=self._shown(found.gained, spelt),
            lost=self._shown(found.lost, spelt),
            leaving=found.leaving,
            staying=found.staying,
            masked=len(found.masked),
            unmasked=len(found.unmasked),
            changes=[self._change(change) for change in found.changes[:_CHANGES]],
            more_changes=max(0, len(found.changes) - _CHANGES),
        )

    def failed(self, question: Question, code: Code) -> None:
        endpoint, now = question.endpoint, time.monotonic()
        self._comparisons[endpoint, "failed"] += 1
        self._failures[endpoint, code.value] += 1
        if now - self._said.get((endpoint, code), -_QUIET) >= _QUIET:
            self._said[endpoint, code] = now
            _LOG.warning("the shadow has no decision", endpoint=endpoint, code=code.value)

    def dropped(self, question: Question) -> None:
        self._comparisons[question.endpoint, "dropped"] += 1

    def changed(self, facts: ShadowFacts) -> None:
        if facts.state is State.BROKEN:
            _LOG.error("the shadow can't be used; nothing is compared", reason=facts.fault)
        else:
            _LOG.info("the shadow is compared", revision=facts.revision)

    def families(self) -> Iterator[Family]:
        """The counters."""
        yield Family(SHADOW_COMPARISONS, self._comparisons.items())
        yield Family(SHADOW_DIFFERENCES, self._differences.items())
        yield Family(SHADOW_FAILURES, self._failures.items())

    def _change(self, change: Change) -> dict[str, Any]:
        group = change.group
        return {
            "leave": change.leave,
            "records": group.records,
            "first": list(group.first),
            "owners": [self._pseudonyms.subject(owner) for owner in group.owners[:_OWNERS]],
            "category": group.category,
        }

    def _shown(self, reasons: Sequence[str], spelt: Spelt) -> list[str]:
        """As they are; one that spells an identifier as its pseudonym."""
        return [
            self._pseudonyms.text(reason) if spells(reason, spelt) else reason for reason in reasons
        ]


def shadow_readings(facts: ShadowFacts) -> Iterator[Reading]:
    """What is read of it."""
    yield Reading(SHADOW_READY, facts.state is State.READY)
    yield Reading(SHADOW_WAITING, facts.waiting)
    yield Reading(SHADOW_RESTARTS, facts.restarts)
    yield Reading(SHADOW_INFO, 1, (facts.revision,))


def shadow_details(facts: ShadowFacts) -> dict[str, str]:
    """What `/readyz` shows: a shadow makes nothing unready."""
    details = {"state": facts.state.value, "revision": facts.revision, "fault": facts.fault}
    return {name: text for name, text in details.items() if text}
