"""`Evidence` of one exchange → its entry, a JSON object without personal data.

OPA's decision-log names are used where they exist (`decision_id`, `trace_id`, `span_id`,
`timestamp`, `path`, `bundles`, `labels`, `input`, `result`, `metrics`, `error`), so that tools for
OPA's log read this one; the rest is ours. What is written comes from configuration, from closed
sets, from counting, or from `Pseudonyms`. Never written: an identifier, a claim, a scope, a path, a
query, a header, a field name (a map keyed by e-mail address makes addresses field names); of a
caller's `traceparent` only the hex digits. `input` is the whole question with pseudonyms in their
places (`question.py`), so that a policy can be asked again; `truncated` says where it is not whole.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.decisionlog.plain import method, text, timestamp
from gateway.decisionlog.pseudonyms import Pseudonyms, Remembered
from gateway.decisionlog.question import MAX_LISTED, Seen, Written, write
from gateway.decisionlog.spellings import NOTHING, Spelt, spellings, spells
from gateway.errors import Code
from gateway.model import (
    Attribution,
    Caller,
    Counts,
    Decision,
    Effect,
    Inspection,
    Phase,
    SubjectRef,
)
from gateway.policy.contract import Question
from gateway.trace import Span

PATH = "privacy/decision"
BUNDLE = "privacy"
MAX_SUBJECTS = MAX_LISTED
"""Subjects listed in one entry, permitted ones first; `subjects_total` counts them all."""

_NONE = Counts()
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)
_MASK = re.compile(
    r"\$[A-Za-z0-9_.*\[\]'-]{0,255}(?: keep [0-9]{1,4}| pseudonym| text \"[ -~]{1,64}\")?", re.ASCII
)


class Outcome(StrEnum):
    """What became of an exchange."""

    RELEASED = "released"
    REDACTED = "redacted"
    BLOCKED = "blocked"
    REFUSED = "refused"
    OBSERVED = "observed"  # released whole, against the policy: the endpoint is being onboarded


class Stage(StrEnum):
    """Which entry of a stream release it is; all of them have the exchange's id."""

    OPENING = "opening"
    CHANGE = "change"  # something new was seen, and decided
    END = "end"


class Evidence(msgspec.Struct, frozen=True):
    """All that is known about one exchange when it ends; personal data included.

    The defaults say "refused, before anything was known". `question` is the last one that was asked
    or was about to be: the one that `decision` answers, if there is one. `durations` are seconds by
    step, `note` is for operators and free of personal data, `probe` marks the gateway's self-proof,
    `observing` an endpoint that is being onboarded. `trace_id` is 32 hex digits (W3C Trace Context)
    where the exchange's trace is kept, else empty; `span` is there with it.

    A stream release has several: `stage` says which one this is, `part` counts them from 1.
    `counts` and `bytes_released` are what left before; where it was cut, `http_status` is the
    code's, although the caller had read 200.
    """

    exchange_id: str
    received_at: datetime
    endpoint: str | None = None
    method: str | None = None
    caller: Caller | None = None
    question: Question | None = None
    inspection: Inspection | None = None
    decision: Decision | None = None
    counts: Counts = _NONE
    code: Code | None = None
    http_status: int = 500
    outcome: Outcome = Outcome.REFUSED
    bytes_released: int = 0
    durations: Mapping[str, float] = msgspec.field(default_factory=dict)
    note: str = ""
    probe: bool = False
    observing: bool = False
    trace_id: str = ""
    span: Span | None = None
    stage: Stage | None = None
    part: int = 0

    @property
    def against_policy(self) -> int:
        """The records that left only because the endpoint is being observed; 0 for all others."""
        if self.outcome is not Outcome.OBSERVED or self.inspection is None or self.decision is None:
            return 0
        releases = self.decision.releases
        return sum(group.records for group in self.inspection.groups if not releases(group))


def withdrawn(evidence: Evidence, code: Code, http_status: int, note: str) -> Evidence:
    """The same exchange, refused at the last moment: nothing left, or nothing more of a stream."""
    refused = replace(
        evidence, outcome=Outcome.REFUSED, code=code, http_status=http_status, note=note
    )
    if evidence.stage:
        return refused
    seen = evidence.counts.seen
    return replace(refused, bytes_released=0, counts=Counts(seen=seen, blocked=seen))


class _Subject(msgspec.Struct, frozen=True):
    subject: str
    kind: str
    records: int
    attribution: list[Attribution]
    categories: list[str]
    permitted: bool


class _Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    decision_id: str
    trace_id: str = ""
    span_id: str = ""
    timestamp: str
    path: str | None = None
    stage: Stage | None = None
    part: int = 0
    outcome: Outcome
    code: Code | None = None
    http_status: int
    endpoint: str | None = None
    method: str | None = None
    caller: str | None = None
    actor: str | None = None
    records: Counts
    bytes: Mapping[str, int]
    members: int = 0
    subjects: list[_Subject] | None = None
    subjects_total: int | None = None
    bundles: Mapping[str, Any] | None = None
    input: Mapping[str, Any] | None = None
    truncated: bool = False
    result: Mapping[str, Any] | None = None
    error: Mapping[str, str] | None = None
    metrics: Mapping[str, int] | None = None
    note: str = ""
    unrecorded: int | None = None
    probe: bool = False
    enforcement: str | None = None
    against_policy: int | None = None
    pseudonym_key: str
    labels: Mapping[str, str]


class Renderer:
    """Renders entries under one pseudonym key; `labels` (`id`, `version`) name this gateway. What
    it was told is remembered until it should `forget`, with each group of entries."""

    def __init__(self, pseudonyms: Pseudonyms, key_id: str, labels: Mapping[str, str]) -> None:
        self._pseudonyms = Remembered(pseudonyms)
        self._key_id, self._labels = key_id, dict(labels)
        self._encode = msgspec.json.Encoder().encode

    def render(self, evidence: Evidence) -> bytes:
        """One JSON object, UTF-8, without a newline."""
        names, caller, decision = self._pseudonyms, evidence.caller, evidence.decision
        inspection, code = evidence.inspection, evidence.code
        listed, total = _listed(inspection, decision) if inspection else ([], 0)
        subjects = self._subjects(listed, decision)
        at = timestamp(evidence.received_at)
        question = self._input(evidence, at, listed, total)
        refused = evidence.outcome is Outcome.REFUSED
        observed = evidence.outcome is Outcome.OBSERVED
        entry = _Entry(
            decision_id=text(evidence.exchange_id),
            trace_id=evidence.trace_id,
            span_id=evidence.span.span_id if evidence.span else "",
            timestamp=at,
            path=PATH if decision else None,
            stage=evidence.stage,
            part=evidence.part,
            outcome=evidence.outcome,
            code=code,
            http_status=evidence.http_status,
            endpoint=text(evidence.endpoint) if evidence.endpoint is not None else None,
            method=method(evidence.method),
            caller=names.caller(caller) if caller else None,
            actor=names.actor(caller.actor, caller) if caller and caller.actor else None,
            records=evidence.counts,
            bytes=_bytes(inspection, evidence.bytes_released),
            members=inspection.members if inspection else 0,
            subjects=subjects if inspection else None,
            subjects_total=total if inspection else None,
            bundles={BUNDLE: {"revision": text(decision.revision)}} if decision else None,
            input=question.question if question else None,
            truncated=question.truncated if question else False,
            result=self._result(evidence, decision, subjects) if decision else None,
            error={"code": code, "message": text(evidence.note)} if refused and code else None,
            metrics=_metrics(evidence.durations),
            note="" if refused and code else text(evidence.note),
            probe=evidence.probe,
            enforcement="observe" if evidence.observing else None,
            against_policy=evidence.against_policy if observed else None,
            pseudonym_key=self._key_id,
            labels=self._labels,
        )
        return self._encode(entry)

    def forget(self) -> None:
        """A group ends: nothing of its exchanges stays here."""
        self._pseudonyms.forget()

    def gap(self, entry_id: str, at: datetime, unrecorded: int) -> bytes:
        """The log's own entry after a fault: so many entries could not be made durable.

        None of their exchanges was released.
        """
        entry = _Entry(
            decision_id=entry_id,
            timestamp=timestamp(at),
            outcome=Outcome.REFUSED,
            code=Code.LOG_UNAVAILABLE,
            http_status=503,
            records=_NONE,
            bytes={"released": 0},
            note="entries that could not be made durable; each of their exchanges was refused",
            unrecorded=unrecorded,
            pseudonym_key=self._key_id,
            labels=self._labels,
        )
        return self._encode(entry)

    def _input(self, evidence: Evidence, at: str, listed: list[Seen], total: int) -> Written | None:
        """The question, as far as it was known; its subjects in the order of `subjects`."""
        question, inspection = evidence.question, evidence.inspection
        if question is None:
            return None
        if question.phase is Phase.REQUEST and evidence.observing:
            # Its block was observed: the body was read, but nobody was asked about it.
            return write(question, None, at, (), 0, self._pseudonyms)
        return write(question, inspection, at, listed, total, self._pseudonyms)

    def _result(
        self, evidence: Evidence, decision: Decision, subjects: list[_Subject]
    ) -> dict[str, Any]:
        question = evidence.question
        spelt = spellings(question, evidence.inspection) if question else NOTHING
        return {
            "effect": decision.effect,
            "permitted": [each.subject for each in subjects if each.permitted],
            "permitted_total": len(decision.permitted),
            "unattributed": "release" if decision.release_unattributed else "withhold",
            "withhold": sorted(self._quoted(text, _WORD, spelt) for text in decision.withhold),
            "mask": [self._quoted(str(mask), _MASK, spelt) for mask in decision.mask],
            "reasons": [self._quoted(text, _WORD, spelt) for text in decision.reasons],
        }

    def _quoted(self, text: str, shape: re.Pattern[str], spelt: Spelt) -> str:
        """A policy's text as it is, if it reads as a name and spells no value of the exchange; else
        its pseudonym: a policy may put whatever it was asked about into its answer.
        """
        plain = shape.fullmatch(text) and not spells(text, spelt)
        return text if plain else self._pseudonyms.text(text)

    def _subjects(self, listed: list[Seen], decision: Decision | None) -> list[_Subject]:
        permitted = _permitted(decision)
        return [
            _Subject(
                subject=self._pseudonyms.subjects[owner],
                kind=text(owner.kind),
                records=records,
                attribution=attribution,
                categories=[text(category) for category in categories],
                permitted=owner in permitted,
            )
            for owner, records, attribution, categories in listed
        ]


def _listed(inspection: Inspection, decision: Decision | None) -> tuple[list[Seen], int]:
    """The distinct subjects, permitted ones first, as many as are listed; and how many in all."""
    seen: dict[SubjectRef, tuple[int, set[Attribution], set[str]]] = {}
    for group in inspection.groups:
        for owner in group.owners:
            records, attributions, categories = seen.get(owner) or (0, set(), set())
            attributions.add(group.attribution)
            categories.add(group.category)
            seen[owner] = (records + group.records, attributions, categories)
    permitted = _permitted(decision)
    listed = []
    for owner in sorted(seen, key=lambda owner: owner not in permitted)[:MAX_SUBJECTS]:
        records, attributions, categories = seen[owner]
        listed.append(Seen(owner, records, sorted(attributions), sorted(categories)))
    return listed, len(seen)


def _permitted(decision: Decision | None) -> frozenset[SubjectRef]:
    return decision.permitted if decision and decision.effect is not Effect.BLOCK else frozenset()


def _bytes(inspection: Inspection | None, released: int) -> dict[str, int]:
    if inspection is None:
        return {"released": released}
    received, inspected = inspection.bytes_received, inspection.bytes_inspected
    return {"received": received, "inspected": inspected, "released": released}


def _metrics(durations: Mapping[str, float]) -> dict[str, int] | None:
    return {f"timer_{step}_ns": int(took * 1e9) for step, took in durations.items()} or None
