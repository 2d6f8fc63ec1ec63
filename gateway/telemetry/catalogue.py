"""Every metric that the gateway exposes: what it is called, what it means, and what to do about it.

Names follow the Prometheus conventions (base units, `_total`), prefix `privacy_gateway_`. A label's
values come from a closed set or from the configuration, never from a caller, a body or a policy's
data: how many series there can be follows from the configuration (`Metric.most`).
docs/metrics.md is written from this table.
"""

from gateway.endpoints import Enforcement, ReleaseMode
from gateway.errors import Code
from gateway.model import Effect, Format
from gateway.policy.engine import EngineKind, Stage
from gateway.telemetry.metric import Kind, Label, Merge, Metric
from gateway.telemetry.reasons import LABELS, OTHER
from gateway.trace import STEPS

PREFIX = "privacy_gateway_"
NONE = "none"
CHECKS = ("accepting", "keys", "policy", "decision_log", "spool", "inspection", "self_proof")
PARTS = ("serving", "inspection", "streams", "policy", "log", "shadow", "spans")


_ENDPOINT = Label("endpoint", (NONE,), "endpoints")
_NAMED_ENDPOINT = Label("endpoint", (), "endpoints")
_FORMAT = Label("format", (*Format, NONE), "outside formats")
_EFFECT = Label("effect", (*Effect, NONE))
_CODE = Label("code", (*Code, NONE))
_WOULD = Label("would", (Effect.REDACT, Effect.BLOCK))
_ISSUER = Label("issuer", (), "issuers")
_REVISION = Label("revision", (), "active bundles")
_PART = Label("part", PARTS)

METRICS: dict[str, Metric] = {}
"""By name, in the order in which they are shown."""


def _add(
    kind: Kind,
    name: str,
    labels: tuple[Label, ...],
    means: str,
    do: str,
    merge: Merge = Merge.SUM,
) -> Metric:
    metric = METRICS[name] = Metric(name, kind, labels, means, do, merge)
    return metric


def _counter(
    name: str, means: str, do: str = "", *labels: Label, merge: Merge = Merge.SUM
) -> Metric:
    return _add(Kind.COUNTER, f"{PREFIX}{name}_total", labels, means, do, merge)


def _histogram(name: str, means: str, do: str = "", *labels: Label) -> Metric:
    return _add(Kind.HISTOGRAM, f"{PREFIX}{name}", labels, means, do)


def _gauge(name: str, means: str, do: str = "", *labels: Label, merge: Merge = Merge.SUM) -> Metric:
    return _add(Kind.GAUGE, f"{PREFIX}{name}", labels, means, do, merge)


# --- exchanges ----------------------------------------------------------------------------------

EXCHANGES = _counter(
    "exchanges",
    "Exchanges ended, by what the policy said and why they were refused (code none: released).",
    "code blocked_by_policy is a misdelivery that was stopped: above its baseline, page. "
    "Runbook PrivacyGatewayMisdeliveryStopped. Other codes: the decision log's note.",
    _ENDPOINT, _FORMAT, _EFFECT, _CODE,
)  # fmt: skip
RECORDS = _counter(
    "records",
    "Records seen in responses, by where they went; seen = released + redacted + blocked.",
    "A jump of redacted or blocked: an upstream mixes people up, see the decision log. "
    "Runbook PrivacyGatewayBlockRateJump.",
    _ENDPOINT, _FORMAT, Label("went", ("seen", "released", "redacted", "blocked")),
)  # fmt: skip
SUBJECTS = _counter(
    "subjects",
    "Distinct subjects in responses: permitted, withheld, or observed (released anyhow).",
    "A jump of withheld: an upstream answers with strangers' data.",
    _ENDPOINT, _FORMAT, Label("went", ("permitted", "withheld", "observed")),
)  # fmt: skip
BYTES = _counter(
    "bytes",
    "Bytes of bodies received, inspected and released.",
    "inspected below received: see uninspected_bytes_total.",
    _ENDPOINT, _FORMAT, Label("stage", ("received", "inspected", "released")),
)  # fmt: skip
UNATTRIBUTED_RECORDS = _counter(
    "unattributed_records",
    "Records in which no owner was found where the configuration looks for one.",
    "Appearing where there were none: the upstream's format changed, adapt the endpoint's body. "
    "Runbook PrivacyGatewayUnattributedRecords.",
    _ENDPOINT, _FORMAT,
)  # fmt: skip
UNINSPECTED_BYTES = _counter(
    "uninspected_bytes",
    "Bytes received that no parser accounted for in a released body.",
    "Must stay 0: page, and stop the endpoint. Runbook PrivacyGatewayUninspectedBytes.",
)
OBSERVED_EXCHANGES = _counter(
    "observed_exchanges",
    "Exchanges released whole against the policy, by what it would have done: onboarding.",
    "Mend the policy or the configuration until none comes, then enforce. "
    "Runbook PrivacyGatewayObservedMisdelivery.",
    _NAMED_ENDPOINT, _WOULD,
)  # fmt: skip
OBSERVED_RECORDS = _counter(
    "observed_records",
    "Records released only because their endpoint is observed: the policy holds them back.",
    "As observed_exchanges_total.",
    _NAMED_ENDPOINT, _WOULD,
)  # fmt: skip
STEP_DURATION = _histogram(
    "step_duration_seconds",
    "Time an exchange spent in each step.",
    "Shows which room is slow: the upstream, the inspection, the policy or the log's disk.",
    Label("step", STEPS),
)
EXCHANGE_DURATION = _histogram(
    "exchange_duration_seconds",
    "The whole time of an exchange: the sum of its steps, up to the durable log entry.",
    "Slow: see step_duration_seconds. Refusals are in it: added_duration_seconds has the exports.",
    _ENDPOINT,
)
ADDED_DURATION = _histogram(
    "added_duration_seconds",
    "What the gateway itself adds to an answered exchange: all its steps but the upstream's.",
    "The latency that is ours; slow: see step_duration_seconds and event_loop_lag_seconds. "
    "Runbook PrivacyGatewayLatencyBudgetBurn.",
    _NAMED_ENDPOINT,
)
FIRST_RECORD_DURATION = _histogram(
    "first_record_duration_seconds",
    "Time until the first record of a stream release could leave; nothing is held after it.",
    "Slow: the upstream's first record, the policy or the log's disk; see step_duration_seconds.",
    _NAMED_ENDPOINT,
)
IN_FLIGHT_EXCHANGES = _gauge(
    "in_flight_exchanges",
    "Exchanges not yet ended.",
    "Near client.exchanges: more replicas, or a slow upstream.",
)
LARGEST_SHARE = _gauge(
    "in_flight_exchanges_largest_share",
    "Exchanges not yet ended of the caller that has most of them.",
    "Near in_flight_exchanges: one caller asks for much at once, or reads slowly; beyond what"
    " it leaves free it is refused, and nobody else is.",
    merge=Merge.MAX,
)
IN_FLIGHT_BYTES = _gauge(
    "in_flight_bytes",
    "Bytes of bodies held for their verdict or for a slow caller, in memory and on disk.",
    "What replicas are scaled on.",
)
CONNECTIONS = _gauge(
    "connections", "Open connections of callers.", "At client.connections no more are accepted."
)
ENDPOINT_INFO = _gauge(
    "endpoint_info",
    "1 for each configured endpoint, with how it releases and whether it is enforced, as labels.",
    "",
    _NAMED_ENDPOINT, Label("release", (*ReleaseMode,)), Label("enforcement", (*Enforcement,)),
    merge=Merge.MAX,
)  # fmt: skip
OBSERVING = _gauge(
    "observing",
    "1 while the policy of an endpoint is recorded and not enforced.",
    "1 is failing open: it must end on its date. Runbook PrivacyGatewayObservingPastItsDate.",
    _NAMED_ENDPOINT,
    merge=Merge.MAX,
)
OBSERVING_UNTIL = _gauge(
    "observing_until_timestamp_seconds",
    "From when on the policy of an endpoint is enforced (Unix time).",
    "In the past: take enforcement: observe out of the configuration.",
    _NAMED_ENDPOINT,
    merge=Merge.MAX,
)

# --- whether it can work ------------------------------------------------------------------------

BUILD_INFO = _gauge(
    "build_info", "The running version.", "", Label("version", (), "versions"), merge=Merge.MAX
)
READY = _gauge(
    "ready",
    "1 if /readyz answers 200.",
    "0: see check_ok. Runbook PrivacyGatewayNotReady.",
    merge=Merge.MIN,
)
CHECK_OK = _gauge(
    "check_ok",
    "1 if this check of /readyz holds.",
    "0 of self_proof: page. 0 of the others: exports are refused, find what is missing.",
    Label("check", CHECKS),
    merge=Merge.MIN,
)
SELF_PROOFS = _counter(
    "self_proofs",
    "Self-proofs played: a planted foreign record was blocked and an own one passed, or not.",
    "failed: page, the policy would let a stranger's record pass or the gateway can't tell. "
    "Runbook PrivacyGatewaySelfProofFailing.",
    Label("result", ("passed", "failed")),
)
EVENT_LOOP_LAG = _gauge(
    "event_loop_lag_seconds",
    "The longest that the event loop was late in the last 15 seconds.",
    "Above 0.1: the machine has too few cores for its exports, or inspection.inline is too big.",
    merge=Merge.MAX,
)

# --- spool, log, inspection ---------------------------------------------------------------------

SPOOL_BYTES = _gauge(
    "spool_bytes",
    "Bytes of responses held on disk.",
    "Near spool_limit_bytes: exports are refused with spool_full. "
    "Runbook PrivacyGatewaySpoolNearLimit.",
)
SPOOL_LIMIT = _gauge(
    "spool_limit_bytes", "The most the spool may hold (spool.limit).", merge=Merge.MAX
)
SPOOL_FILES = _gauge("spool_files", "Responses held on disk.")
LOG_SEQUENCE = _gauge(
    "log_sequence", "Sequence number of the last durable log entry.", merge=Merge.MAX
)
LOG_BYTES = _gauge(
    "log_bytes",
    "Size of the decision log.",
    "Ship and rotate before the disk ends.",
    merge=Merge.MAX,
)
LOG_QUEUE = _gauge(
    "log_queue_entries",
    "Log entries waiting to be durable.",
    "Near log_queue_limit_entries: the disk is too slow. Runbook PrivacyGatewayLogBackpressure.",
)
LOG_QUEUE_LIMIT = _gauge(
    "log_queue_limit_entries",
    "Log entries that may wait for one sync (decision_log.queue); more wait for a place.",
)
LOG_FAILED = _gauge(
    "log_failed",
    "1 while the decision log can't be written.",
    "1: page, every export is refused. Runbook PrivacyGatewayLogFailed.",
    merge=Merge.MAX,
)
LOG_SYNCS = _counter("log_syncs", "Groups of log entries made durable.", merge=Merge.MAX)
LOG_SYNC_DURATION = _histogram(
    "log_sync_duration_seconds",
    "Time to make one group of log entries durable.",
    "Slow: every exchange waits for it; the log needs a faster disk.",
)
LOG_UNRECORDED = _counter(
    "log_unrecorded_entries",
    "Refused exchanges that the log could not record.",
    "Above 0: the log says where the gap is; find out why the disk failed. "
    "Runbook PrivacyGatewayLogUnrecorded.",
)
INSPECTION_WORKERS = _gauge(
    "inspection_workers_ready",
    "Inspecting processes that run; those that nothing waits for are ended.",
    "0: big bodies are refused.",
)
INSPECTION_RESTARTS = _counter(
    "inspection_worker_restarts",
    "Inspecting processes lost.",
    "A body that kills its reader: see the exchanges with inspection_failed. "
    "Runbook PrivacyGatewayInspectionWorkersLost.",
)
INSPECTION_JOBS = _gauge(
    "inspection_jobs",
    "Bodies waiting or being inspected.",
    "More than inspection.workers for long: more workers or replicas.",
)
STREAMS_OPEN = _gauge(
    "streams_open",
    "Bodies that are released as they come, at this moment.",
    "Near inspection.streams: more of them are refused with overloaded.",
)
STREAM_PROCESSES_LOST = _counter(
    "stream_processes_lost",
    "Processes of stream releases that died, or were killed: late, or out of turn.",
    "See the exchanges' codes; with inspection_failed a body killed its reader.",
)

# --- policy -------------------------------------------------------------------------------------

POLICY_INFO = _gauge(
    "policy_info",
    "The active policy, as labels.",
    "",
    Label("engine", (*EngineKind,)), _REVISION,
    merge=Merge.MAX,
)  # fmt: skip
POLICY_ACTIVATED = _gauge(
    "policy_activated_timestamp_seconds",
    "When the active policy went live (Unix time).",
    merge=Merge.MIN,
)
POLICY_AGE = _gauge(
    "policy_age_seconds",
    "Since its source confirmed the active policy.",
    "Near policy_max_age_seconds: mend the bundle server, or every export is refused. "
    "Runbook PrivacyGatewayPolicyStale.",
    merge=Merge.MAX,
)
POLICY_MAX_AGE = _gauge(
    "policy_max_age_seconds",
    "When a policy stops counting (policy.delivery.max_age).",
    merge=Merge.MAX,
)
POLICY_ACTIVATIONS = _counter("policy_activations", "Policies that went live.")
POLICY_REJECTIONS = _counter(
    "policy_rejections",
    "Policies that did not go live, by how far they came. The one before stays.",
    "Above 0: the log line policy rejected says why; proof: the candidate releases to strangers. "
    "Runbook PrivacyGatewayPolicyRejected.",
    Label("stage", (*Stage,)),
)
POLICY_RESTARTS = _counter(
    "policy_restarts",
    "Policy processes lost.",
    "A rule that runs away: see the exchanges with policy_timeout. "
    "Runbook PrivacyGatewayPolicyEngineLost.",
)
POLICY_WAITING = _gauge(
    "policy_questions_waiting",
    "Questions to the policy that are not yet answered.",
    "Growing: more policy.workers, or a faster policy.",
)

# --- keys ---------------------------------------------------------------------------------------

KEYS = _gauge(
    "keys", "Usable keys of an issuer.", "0: its callers are refused.", _ISSUER, merge=Merge.MIN
)
KEYS_IGNORED = _gauge(
    "keys_ignored",
    "Keys of an issuer that can't be used.",
    "See the issuer's JWKS.",
    _ISSUER,
    merge=Merge.MAX,
)
KEYS_LIVE = _gauge(
    "keys_live",
    "1 if an issuer's keys were read recently enough to count.",
    "0: its callers are refused with keys_unavailable. Runbook PrivacyGatewayKeysExpired.",
    _ISSUER,
    merge=Merge.MIN,
)
KEYS_AGE = _gauge(
    "keys_age_seconds",
    "Since an issuer's keys were last read.",
    "Near keys_max_age_seconds: reach its JWKS again, or its callers are refused. "
    "Runbook PrivacyGatewayKeysStale.",
    _ISSUER,
    merge=Merge.MAX,
)
KEYS_MAX_AGE = _gauge(
    "keys_max_age_seconds",
    "When an issuer's keys stop counting (jwks_max_age).",
    "",
    _ISSUER,
    merge=Merge.MAX,
)

# --- shadow -------------------------------------------------------------------------------------

SHADOW_COMPARISONS = _counter(
    "shadow_comparisons",
    "Decisions that the shadow was to be compared with.",
    "differed: the candidate would change something, see the log line the shadow differs. "
    "Runbook PrivacyGatewayShadowDiffers.",
    _NAMED_ENDPOINT, Label("result", ("agreed", "differed", "failed", "dropped")),
)  # fmt: skip
SHADOW_DIFFERENCES = _counter(
    "shadow_differences",
    "What the shadow would change, once for each reason that only one of the two gives.",
    "Not to be activated before each is understood.",
    _NAMED_ENDPOINT, Label("active", (*Effect,)), Label("shadow", (*Effect,)),
    Label("reason", (*(f"reason {n}" for n in range(1, LABELS + 1)), OTHER, NONE)),
)  # fmt: skip
SHADOW_FAILURES = _counter(
    "shadow_failures",
    "Answers of the shadow that the contract doesn't accept, or that didn't come.",
    "As the policy it would refuse these exports.",
    _NAMED_ENDPOINT, Label("code", (*Code,)),
)  # fmt: skip
SHADOW_RESTARTS = _counter("shadow_restarts", "The shadow's processes lost.", "As policy_restarts.")
SHADOW_READY = _gauge(
    "shadow_ready",
    "1 while there is a shadow to compare with.",
    "0: nothing is compared, /readyz says why. Runbook PrivacyGatewayShadowNotComparing.",
    merge=Merge.MIN,
)
SHADOW_WAITING = _gauge("shadow_waiting", "Decisions that wait to be compared.")
SHADOW_INFO = _gauge(
    "shadow_info", "The shadow's policy, as a label.", "", _REVISION, merge=Merge.MAX
)

# --- traces -------------------------------------------------------------------------------------

TRACE_SPANS = _counter(
    "trace_spans",
    "Spans of exchanges that are traced, by what became of them.",
    "failed: the collector did not take them, the log line spans are not exported says why. "
    "dropped: the queue was full, sample less or raise OTEL_BSP_MAX_QUEUE_SIZE. No export notices.",
    Label("result", ("exported", "failed", "dropped")),
)

# --- processes ----------------------------------------------------------------------------------

SERVING_RESTARTS = _counter(
    "serving_process_restarts",
    "Serving processes lost, where `workers` asks for several.",
    "Its exchanges were cut off: the line a serving process is replaced says why.",
)
CHILD_PROCESSES = _gauge(
    "child_processes", "Processes of the gateway's parts that run now.", "", _PART
)
CHILD_MEMORY = _gauge(
    "child_resident_memory_bytes",
    "Resident memory of the processes of a part.",
    "With process_resident_memory_bytes, an upper bound of what the container's limit is held "
    "against: pages that processes share are counted in each.",
    _PART,
)
CHILD_CPU = _counter(
    "child_cpu_seconds",
    "CPU time of the processes of a part.",
    "With process_cpu_seconds_total, what the container's limit is held against.",
    _PART,
)


def _process(name: str, means: str, kind: Kind = Kind.GAUGE) -> Metric:
    return _add(kind, name, (), f"{means} of the gateway's main process.", "")


PROCESS = (
    _process("process_virtual_memory_bytes", "Virtual memory"),
    _process("process_resident_memory_bytes", "Resident memory"),
    _process("process_start_time_seconds", "Start (Unix time)"),
    _process("process_cpu_seconds_total", "User and system CPU time", Kind.COUNTER),
    _process("process_open_fds", "Open file descriptors"),
    _process("process_max_fds", "The most open file descriptors"),
)
