"""What the rooms say of themselves at each scrape → readings.

A room says it as facts; here is which metric each of them is.
"""

from collections.abc import Iterable, Iterator, Mapping

from gateway.decisionlog import append
from gateway.endpoints import Endpoint
from gateway.identity.keys import KeyFacts
from gateway.policy.engine import EngineFacts, Stage
from gateway.spool import Spool
from gateway.telemetry import catalogue as names
from gateway.telemetry.metrics import Reading
from gateway.workers.pool import WorkerFacts


def checks(held: Mapping[str, bool]) -> Iterator[Reading]:
    """The same truth as /readyz tells."""
    yield Reading(names.READY, all(held.values()))
    for check, holds in held.items():
        yield Reading(names.CHECK_OK, holds, (check,))


def endpoints(configured: Iterable[Endpoint]) -> Iterator[Reading]:
    for each in configured:
        labels = (each.name, each.release, each.enforcement.value)
        yield Reading(names.ENDPOINT_INFO, 1, labels)


def data_port(exchanges: int, largest_share: int, connections: int) -> Iterator[Reading]:
    yield Reading(names.IN_FLIGHT_EXCHANGES, exchanges)
    yield Reading(names.LARGEST_SHARE, largest_share)
    yield Reading(names.CONNECTIONS, connections)


def spool(held: Spool) -> Iterator[Reading]:
    yield Reading(names.IN_FLIGHT_BYTES, held.bytes_held)
    yield Reading(names.SPOOL_BYTES, held.bytes_used)
    yield Reading(names.SPOOL_LIMIT, held.limit)
    yield Reading(names.SPOOL_FILES, held.files_open)


def decision_log(log: append.Facts) -> Iterator[Reading]:
    yield Reading(names.LOG_SEQUENCE, log.entries)
    yield Reading(names.LOG_BYTES, log.bytes)
    yield Reading(names.LOG_QUEUE, log.queue)
    yield Reading(names.LOG_QUEUE_LIMIT, log.queue_limit)
    yield Reading(names.LOG_SYNCS, log.syncs)
    yield Reading(names.LOG_FAILED, bool(log.fault))
    yield Reading(names.LOG_UNRECORDED, log.unrecorded)


def serving(restarts: int) -> Iterator[Reading]:
    yield Reading(names.SERVING_RESTARTS, restarts)


def inspection(workers: WorkerFacts) -> Iterator[Reading]:
    yield Reading(names.INSPECTION_WORKERS, workers.ready)
    yield Reading(names.INSPECTION_RESTARTS, workers.restarts)
    yield Reading(names.INSPECTION_JOBS, workers.jobs)


def streams(processes: WorkerFacts) -> Iterator[Reading]:
    yield Reading(names.STREAMS_OPEN, processes.jobs)
    yield Reading(names.STREAM_PROCESSES_LOST, processes.restarts)


def policy(engine: EngineFacts) -> Iterator[Reading]:
    """All stages of a rejection from the start, so that a first one is seen as a change."""
    yield Reading(names.POLICY_RESTARTS, engine.restarts)
    yield Reading(names.POLICY_WAITING, engine.waiting)
    yield Reading(names.POLICY_INFO, 1, (engine.kind.value, engine.revision))
    yield Reading(names.POLICY_ACTIVATIONS, engine.activations)
    for stage in Stage:
        yield Reading(names.POLICY_REJECTIONS, engine.rejections.get(stage, 0), (stage.value,))
    if engine.activated_at is not None:
        yield Reading(names.POLICY_ACTIVATED, engine.activated_at)
    if engine.age is not None:
        yield Reading(names.POLICY_AGE, engine.age)
    if engine.max_age is not None:
        yield Reading(names.POLICY_MAX_AGE, engine.max_age)


def keys(issuers: Iterable[KeyFacts]) -> Iterator[Reading]:
    for facts in issuers:
        issuer = (facts.issuer,)
        yield Reading(names.KEYS, facts.keys, issuer)
        yield Reading(names.KEYS_IGNORED, sum(facts.ignored.values()), issuer)
        yield Reading(names.KEYS_LIVE, facts.live, issuer)
        yield Reading(names.KEYS_MAX_AGE, facts.max_age, issuer)
        if facts.age is not None:
            yield Reading(names.KEYS_AGE, facts.age, issuer)
