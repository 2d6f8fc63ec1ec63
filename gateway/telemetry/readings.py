"""The gauges: what the rooms say of themselves at each scrape → readings.

A room says it as facts; here is what each of them is called, and what it means to an operator.
"""

from collections.abc import Iterable, Iterator

from gateway.decisionlog import append
from gateway.identity.keys import KeyFacts
from gateway.policy.engine import EngineFacts, Stage
from gateway.spool import Spool
from gateway.telemetry.metrics import Reading
from gateway.workers import WorkerFacts


def data_port(exchanges: int, connections: int) -> Iterator[Reading]:
    yield Reading("in_flight_exchanges", "Exchanges not yet ended.", exchanges)
    yield Reading("connections", "Open connections of callers.", connections)


def spool(held: Spool) -> Iterator[Reading]:
    yield Reading("spool_bytes", "Bytes of responses held on disk.", held.bytes_used)
    yield Reading("spool_limit_bytes", "The most the spool may hold.", held.limit)
    yield Reading("spool_files", "Responses held on disk.", held.files_open)


def decision_log(log: append.Facts) -> Iterator[Reading]:
    yield Reading("log_entries", "Sequence number of the last durable entry.", log.entries)
    yield Reading("log_bytes", "Size of the decision log.", log.bytes)
    yield Reading("log_queue", "Entries waiting to be durable.", log.queue)
    yield Reading("log_syncs", "Groups made durable since the start.", log.syncs)
    yield Reading("log_sync_seconds", "Duration of the last sync.", log.last_sync_seconds)
    yield Reading("log_failed", "1 while the log can't be written: page.", bool(log.fault))
    yield Reading(
        "log_unrecorded_entries",
        "Refused exchanges that the log could not record since the start.",
        log.unrecorded,
    )


def inspection(workers: WorkerFacts) -> Iterator[Reading]:
    yield Reading("inspection_workers_ready", "Inspecting processes.", workers.ready)
    yield Reading("inspection_worker_restarts", "Inspecting processes lost.", workers.restarts)
    yield Reading("inspection_jobs", "Bodies waiting or being inspected.", workers.jobs)


def policy(engine: EngineFacts) -> Iterator[Reading]:
    """All stages of a rejection from the start, so that a first one is seen as a change."""
    yield Reading("policy_restarts", "Policy engines lost.", engine.restarts)
    yield Reading("policy_questions_waiting", "Questions not yet answered.", engine.waiting)
    yield Reading(
        "policy_info",
        "The active policy, as labels.",
        1,
        {"engine": engine.kind.value, "revision": engine.revision},
    )
    yield Reading("policy_activations", "Policies that went live.", engine.activations)
    for stage in Stage:
        yield Reading(
            "policy_rejections",
            "Policies that did not go live, by how far they came. The one before stays.",
            engine.rejections.get(stage, 0),
            {"stage": stage.value},
        )
    if engine.activated_at is not None:
        yield Reading(
            "policy_activated_timestamp_seconds",
            "When the active policy went live.",
            engine.activated_at,
        )
    if engine.age is not None:
        yield Reading(
            "policy_age_seconds", "Since its source confirmed the active policy.", engine.age
        )


def keys(issuers: Iterable[KeyFacts]) -> Iterator[Reading]:
    for facts in issuers:
        issuer = {"issuer": facts.issuer}
        yield Reading("keys", "Usable keys of an issuer.", facts.keys, issuer)
        yield Reading("keys_ignored", "Keys left out.", sum(facts.ignored.values()), issuer)
        yield Reading("keys_live", "1 if an issuer's keys count.", facts.live, issuer)
        if facts.age is not None:
            yield Reading("keys_age_seconds", "Since the last good read.", facts.age, issuer)
