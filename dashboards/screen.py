"""The dashboard: four questions, one row each, and folded rows with the parts beneath.

Read it as documentation: a panel's `good` is the text behind its little "i". The folded rows are
for whoever has seen on the first four that something is wrong, and asks where.
"""

from dashboards.panels import Colour, Kind, Limits, Moment, Panel, Query, Row, Unit, Variable
from dashboards.queries import (
    ENDPOINT,
    GATEWAY,
    divided,
    grown,
    less,
    now,
    or_nought,
    per_minute,
    quantile,
    rate,
    rates,
    recorded,
    series,
    share,
    spent,
)

TITLE, UID = "Privacy gateway", "privacy-gateway"
ABOUT = (
    "Are we releasing what we should, to whom we should, how fast, and is anything near its limit?"
)
RUNBOOKS = "https://privacy-gateway.dev/runbooks"
"""Where the runbooks are read: a hidden variable, so that a site can have its own."""

VARIABLES = (
    Variable("job", "Job", series("build_info").partition("{")[0]),
    Variable("namespace", "Namespace", series("build_info").partition("{")[0] + '{job=~"$job"}'),
    Variable(
        "instance",
        "Instance",
        series("build_info").partition("{")[0] + '{job=~"$job",namespace=~"$namespace"}',
    ),
    Variable(
        "endpoint", "Endpoint", series("endpoint_info").partition("{")[0] + "{" + GATEWAY + "}"
    ),
)

MOMENTS = (
    Moment(
        "Policy went live",
        now("policy_activated_timestamp_seconds", by="instance", how="max"),
        "{{instance}}: a policy went live",
        Colour.FIRST,
    ),
    Moment(
        "Gateway started",
        f"max by (instance) (process_start_time_seconds{{{GATEWAY}}})",
        "{{instance}}: the gateway started",
        Colour.REFUSED,
    ),
)

STOPPED, NO_CODE = 'code="blocked_by_policy"', 'code="none"'
REFUSED = 'code!~"none|blocked_by_policy"'
BLOCKED_ANSWER = 'code="blocked_by_policy",format!="none"'
REDACTED = 'effect="redact",code="none"'


RELEASING = Row(
    "Are we releasing what we should?",
    (
        Panel(
            "Exchanges, by how they ended",
            Kind.STACK,
            8,
            "Every export ends in one of five ways. Good: nearly all released, a little redacted"
            " where the policy says so. Blocked means that somebody asked for what is not theirs,"
            " or that the upstream answered with it. Refused means that the gateway could not tell."
            " Observed was released although the policy said no: only while an endpoint is"
            " onboarded.",
            (
                Query(
                    rate("exchanges_total", f'effect="allow",{NO_CODE}'),
                    "released",
                    Colour.RELEASED,
                ),
                Query(
                    less(
                        rate("exchanges_total", REDACTED),
                        rate("observed_exchanges_total", 'would="redact"'),
                    ),
                    "redacted",
                    Colour.REDACTED,
                ),
                Query(rate("exchanges_total", STOPPED), "blocked", Colour.BLOCKED),
                Query(rate("exchanges_total", REFUSED), "refused", Colour.REFUSED),
                Query(rate("observed_exchanges_total"), "observed", Colour.OBSERVED),
            ),
            Unit.EXCHANGES_PER_SECOND,
            alerts=(
                "BlockRateJump",
                "Absent",
            ),
        ),
        Panel(
            "Refused, by cause",
            Kind.STACK,
            6,
            "What could not be vouched for, by refusal code. Good: little, and the same little as"
            " yesterday. token_* is the callers, body_* and format_* the upstream's answers,"
            " upstream_* the upstream itself; policy_*, keys_*, log_* and spool_* are the gateway's"
            " own parts, and count against its availability.",
            (Query(rate("exchanges_total", REFUSED, by="code"), "{{code}}"),),
            Unit.EXCHANGES_PER_SECOND,
            alerts=(
                "UpstreamFailing",
                "InternalError",
            ),
        ),
        Panel(
            "Error budget spent",
            Kind.NUMBERS,
            4,
            "Of the failures that each objective allows in the time shown, so many happened."
            " Availability: exchanges that a part of the gateway failed. Latency: those held up"
            " beyond the bound. Freshness: moments with an old policy or old keys. Good: below"
            " 100 %.",
            [Query(spent(level), level) for level in ("availability", "latency", "freshness")],
            Unit.SHARE,
            limits=Limits(0.5, 1),
            alerts=(
                "AvailabilityBudgetBurn",
                "LatencyBudgetBurn",
                "FreshnessBudgetBurn",
            ),
        ),
        Panel(
            "Must be nought",
            Kind.NUMBERS,
            6,
            "Over the time shown; anything but 0 is an incident. Uninspected: bytes released that"
            " no parser accounted for. Unrecorded: refusals that the decision log could not hold."
            " Unattributed: records without an owner, in an export that used to name all of them."
            " Self-proof failed: a planted foreign record was not stopped.",
            (
                Query(or_nought(grown("uninspected_bytes_total")), "bytes uninspected"),
                Query(or_nought(grown("log_unrecorded_entries_total")), "entries unrecorded"),
                Query(or_nought(grown("unattributed_records_total")), "records unattributed"),
                Query(
                    or_nought(grown("self_proofs_total", 'result="failed"')), "self-proofs failed"
                ),
            ),
            limits=Limits(None, 0.5),
            alerts=(
                "UninspectedBytes",
                "LogUnrecorded",
                "UnattributedRecords",
                "SelfProofFailing",
            ),
        ),
    ),
)

TO_WHOM = Row(
    "To whom we should?",
    (
        Panel(
            "Records, by where they went",
            Kind.STACK,
            8,
            "Records seen in responses: released to the caller, left out of a redacted body, held"
            " back with a blocked or refused one, or let through because the endpoint is only"
            " observed. Good: blue. The four add up to what was seen; nothing is unaccounted for.",
            (
                Query(
                    less(
                        rate("records_total", 'went="released"'),
                        rate("observed_records_total"),
                    ),
                    "released",
                    Colour.RELEASED,
                ),
                Query(rate("records_total", 'went="redacted"'), "redacted", Colour.REDACTED),
                Query(rate("records_total", 'went="blocked"'), "blocked", Colour.BLOCKED),
                Query(rate("observed_records_total"), "observed", Colour.OBSERVED),
            ),
            Unit.PER_SECOND,
        ),
        Panel(
            "Misdeliveries stopped, by endpoint",
            Kind.COLUMNS,
            6,
            "Responses that held somebody else's records, which stayed behind: blocked, or left out"
            " of a redacted body. Good: each endpoint at its own quiet baseline. One that jumps has"
            " an upstream that mixes people up, or a policy that changed: look for the vertical"
            " lines.",
            (
                Query(
                    f"60 * sum by (endpoint) (({rates('exchanges_total', BLOCKED_ANSWER)} or"
                    f" {rates('exchanges_total', REDACTED)}) unless on (job, instance, endpoint)"
                    f" ({series('observing')} > 0))",
                    "{{endpoint}}",
                ),
            ),
            Unit.PER_MINUTE,
            alerts=(
                "MisdeliveryStopped",
                "BlockRateJump",
            ),
        ),
        Panel(
            "Stopped in an hour: share of what pages",
            Kind.BARS,
            5,
            "Misdeliveries stopped in the last hour, as a share of the number that pages: twice"
            " what the endpoint was used to last week. Good: short bars. Any stopped misdelivery is"
            " a ticket all the same.",
            (
                Query(
                    "topk(5, max by (endpoint) ("
                    f"{recorded('endpoint:privacy_gateway_exchanges_stopped:increase1h')} / "
                    f"{recorded('endpoint:privacy_gateway_exchanges_stopped:threshold1h')}))",
                    "{{endpoint}}",
                ),
            ),
            Unit.SHARE,
            limits=Limits(0.5, 1),
            most=1,
            alerts=("MisdeliveryAboveBaseline",),
        ),
        Panel(
            "Failing open: observed endpoints",
            Kind.TABLE,
            5,
            "Endpoints whose policy is recorded and not enforced, until when, and how many records"
            " left against it over the time shown. Good: an empty table, or a date that is near.",
            (
                Query(
                    f"1000 * ({now('observing_until_timestamp_seconds', by='endpoint', how='max')})"
                    f" and on (endpoint) ({now('observing', by='endpoint', how='max')} > 0)",
                    unit=Unit.WHEN,
                    may_be_empty="No endpoint is observed: every policy is enforced.",
                ),
                Query(
                    grown("observed_records_total", by="endpoint"),
                    may_be_empty="No endpoint is observed: every policy is enforced.",
                ),
            ),
            columns=(
                ("endpoint", "Endpoint"),
                ("Value #A", "Enforced from"),
                ("Value #B", "Let through"),
            ),
            alerts=(
                "ObservedMisdelivery",
                "ObservingEndsSoon",
                "ObservingPastItsDate",
            ),
        ),
    ),
)

HOW_FAST = Row(
    "How fast?",
    (
        Panel(
            "Added by the gateway",
            Kind.LINES,
            8,
            "What an exchange took less what the upstream took. Good: flat, the 95th percentile"
            " well under the dashed line, the objective's bound. Dots are"
            " exemplars: a click opens the trace.",
            (
                Query(
                    quantile(0.5, "added_duration_seconds"), "half", Colour.FIRST, exemplars=True
                ),
                Query(quantile(0.95, "added_duration_seconds"), "95 %", Colour.RELEASED),
                Query(quantile(0.99, "added_duration_seconds"), "99 %", Colour.SECOND),
                Query("max(privacy_gateway:latency_bound:seconds)", "bound", bound=True),
            ),
            Unit.SECONDS,
            alerts=("LatencyBudgetBurn",),
        ),
        Panel(
            "Where an exchange's time goes",
            Kind.STACK,
            6,
            "Mean time in each step of one exchange; the steps add up to the whole. Good: the"
            " upstream is most of it. A thick `log` is a slow disk, a thick `policy` waits for"
            " workers, a thick `inspection` reads bigger bodies.",
            (
                Query(
                    divided(
                        rate("step_duration_seconds_sum", by="step"),
                        rate("step_duration_seconds_count", 'step="log"'),
                    ),
                    "{{step}}",
                ),
            ),
            Unit.SECONDS,
        ),
        Panel(
            "Slowest endpoints, added, 95 %",
            Kind.BARS,
            4,
            "The endpoints to which the gateway adds most, over the time shown. Good: those with"
            " the biggest bodies.",
            (
                Query(
                    f"topk(5, {quantile(0.95, 'added_duration_seconds', 'endpoint', '$__range')})",
                    "{{endpoint}}",
                ),
            ),
            Unit.SECONDS,
            limits=Limits(None, 0.25),
        ),
        Panel(
            "Bytes",
            Kind.LINES,
            6,
            "Bodies received from the upstream and released to callers. The gap is what was held"
            " back. Good: the two lines close together.",
            (
                Query(rate("bytes_total", 'stage="received"'), "received", Colour.FIRST),
                Query(rate("bytes_total", 'stage="released"'), "released", Colour.RELEASED),
            ),
            Unit.BYTES_PER_SECOND,
        ),
    ),
)

LIMITS = Row(
    "Is anything near its limit?",
    (
        Panel(
            "Share of each limit",
            Kind.BARS,
            6,
            "The fullest gateway's share of each limit. Good: short bars. At a limit exchanges are"
            " refused, never released: a full spool or log queue, a policy or keys too old, no"
            " descriptors left.",
            (
                Query(share("spool_bytes", "spool_limit_bytes"), "spool"),
                Query(share("log_queue_entries", "log_queue_limit_entries"), "log queue"),
                Query(share("policy_age_seconds", "policy_max_age_seconds"), "policy's age"),
                Query(
                    share("keys_age_seconds", "keys_max_age_seconds", "job, instance, issuer"),
                    "keys' age",
                ),
                Query(
                    f"max(process_open_fds{{{GATEWAY}}} / process_max_fds{{{GATEWAY}}})",
                    "descriptors",
                ),
            ),
            Unit.SHARE,
            limits=Limits(0.7, 0.9),
            most=1,
            alerts=(
                "SpoolNearLimit",
                "LogBackpressure",
                "PolicyStale",
                "PolicyExpired",
                "KeysStale",
                "KeysExpired",
            ),
        ),
        Panel(
            "In flight",
            Kind.LINES,
            6,
            "Exchanges not yet ended, and the bytes held for them in memory and in the spool"
            " (right). Good: both fall back to the floor. The autoscaler follows the bytes.",
            (
                Query(now("in_flight_exchanges"), "exchanges", Colour.FIRST),
                Query(now("in_flight_bytes"), "bytes held", Colour.REDACTED, Unit.BYTES),
                Query(now("spool_bytes"), "of them on disk", Colour.REFUSED, Unit.BYTES),
            ),
        ),
        Panel(
            "Checks behind /readyz",
            Kind.STATES,
            6,
            "Each check, at the gateway where it stands worst. Good: all green, all the time. A gap"
            " is a gateway that could not be scraped.",
            (Query(now("check_ok", by="check", how="min"), "{{check}}"),),
            alerts=(
                "NotReady",
                "NoneReady",
                "SelfProofFailing",
            ),
        ),
        Panel(
            "Alerts",
            Kind.TABLE,
            6,
            "What is firing now. A click on a name opens its runbook. Good: an empty table.",
            (
                Query(
                    "count by (alertname, severity, endpoint) (ALERTS{"
                    'alertname=~"PrivacyGateway.*",alertstate="firing",'
                    'job=~"$job",namespace=~"$namespace",endpoint=~"$endpoint|"})',
                    may_be_empty="No alert fires: all is well.",
                ),
            ),
            columns=(("alertname", "Alert"), ("severity", "Severity"), ("endpoint", "Endpoint")),
        ),
    ),
)

BENEATH = Row(
    "Beneath: part by part",
    (
        Panel(
            "Gateways",
            Kind.TABLE,
            12,
            "One line for each gateway. Good: all ready, one version, one policy revision.",
            (
                Query(
                    f"max by (job, instance, version, engine, revision) ({series('ready')}"
                    " * on (job, instance) group_left (version) "
                    f"{series('build_info')}"
                    " * on (job, instance) group_left (engine, revision) "
                    f"{series('policy_info')})",
                ),
            ),
            columns=(
                ("instance", "Instance"),
                ("Value", "Ready"),
                ("version", "Version"),
                ("engine", "Engine"),
                ("revision", "Policy"),
            ),
            alerts=(
                "PolicyRevisionsDiffer",
                "ScrapeFailing",
            ),
        ),
        Panel(
            "Each step, 95 %",
            Kind.LINES,
            6,
            "Good: flat lines. Which step grew is where to look.",
            (Query(quantile(0.95, "step_duration_seconds", by="step"), "{{step}}"),),
            Unit.SECONDS,
        ),
        Panel(
            "Decision log",
            Kind.LINES,
            6,
            "How long making a group of entries durable takes, and how many entries wait (right)."
            " Good: milliseconds, and none.",
            (
                Query(quantile(0.99, "log_sync_duration_seconds"), "sync, 99 %", Colour.RELEASED),
                Query(now("log_queue_entries"), "waiting", Colour.REDACTED, Unit.COUNT),
            ),
            Unit.SECONDS,
            alerts=(
                "LogBackpressure",
                "LogFailed",
            ),
        ),
        Panel(
            "What the shadow would change",
            Kind.LINES,
            8,
            "Decisions that a second policy, only compared, would make otherwise. Good before a"
            " policy goes live: only the changes that were meant.",
            (
                Query(
                    rate("shadow_differences_total", by="active, shadow, reason"),
                    "{{active}} → {{shadow}}: {{reason}}",
                ),
            ),
            Unit.PER_SECOND,
            alerts=("ShadowDiffers",),
        ),
        Panel(
            "Shadow comparisons",
            Kind.STACK,
            4,
            "Good: agreed. Dropped ones were not compared, because the shadow's queue was full.",
            (Query(rate("shadow_comparisons_total", by="result"), "{{result}}"),),
            Unit.PER_SECOND,
            alerts=("ShadowNotComparing",),
        ),
        Panel(
            "Policies",
            Kind.COLUMNS,
            6,
            "Policies that went live, and candidates that were rejected, by how far they came. The"
            " one before stays. Good: activations only when somebody released a policy.",
            (
                Query(per_minute("policy_activations_total"), "live", Colour.RELEASED),
                Query(
                    per_minute("policy_rejections_total", by="stage"),
                    "rejected: {{stage}}",
                ),
            ),
            alerts=("PolicyRejected",),
        ),
        Panel(
            "Keys' age",
            Kind.LINES,
            6,
            "Since each issuer's keys were last read. Good: a saw blade; one that climbs is an"
            " issuer that does not answer.",
            (Query(now("keys_age_seconds", by="issuer", how="max"), "{{issuer}}"),),
            Unit.SECONDS,
            alerts=(
                "KeysStale",
                "KeysExpired",
            ),
        ),
        Panel(
            "Processes lost",
            Kind.COLUMNS,
            6,
            "Worker processes that were killed at a deadline or died, and were replaced. Good:"
            " none. Each cost one exchange a refusal.",
            (
                Query(per_minute("inspection_worker_restarts_total"), "inspection"),
                Query(per_minute("policy_restarts_total"), "policy"),
                Query(per_minute("shadow_restarts_total"), "shadow"),
            ),
            alerts=(
                "PolicyEngineLost",
                "InspectionWorkersLost",
            ),
        ),
        Panel(
            "Waiting",
            Kind.LINES,
            6,
            "Bodies at the inspecting processes, questions at the policy, open connections. Good:"
            " the first two near nought.",
            (
                Query(now("inspection_jobs"), "bodies"),
                Query(now("policy_questions_waiting"), "questions"),
                Query(now("connections"), "connections"),
            ),
        ),
        Panel(
            "The event loop's lag",
            Kind.LINES,
            6,
            "How late the event loop turns. Good: single milliseconds. It grows when the processor"
            " is throttled.",
            (Query(now("event_loop_lag_seconds", by="instance", how="max"), "{{instance}}"),),
            Unit.SECONDS,
        ),
        Panel(
            "Processor, by part",
            Kind.STACK,
            6,
            "Cores used by the main process and by the processes of each part. Good: well below the"
            " container's limit, and the main process below one: it can't have more"
            " (docs/sizing.md).",
            (
                Query(
                    f"sum(rate(process_cpu_seconds_total{{{GATEWAY}}}[$__rate_interval]))", "main"
                ),
                Query(rate("child_cpu_seconds_total", by="part"), "{{part}}"),
            ),
        ),
        Panel(
            "Memory, by part",
            Kind.STACK,
            6,
            "Resident memory of the main process and of each part's processes. Good: flat. A spool"
            " in memory counts against the container's limit too, and is not in here.",
            (
                Query(f"sum(process_resident_memory_bytes{{{GATEWAY}}})", "main"),
                Query(now("child_resident_memory_bytes", by="part"), "{{part}}"),
            ),
            Unit.BYTES,
        ),
        Panel(
            "Subjects",
            Kind.STACK,
            6,
            "Distinct data subjects in responses. Good: permitted. Withheld ones had nothing"
            " released; observed ones were released although the policy said no.",
            (
                Query(rate("subjects_total", 'went="permitted"'), "permitted", Colour.RELEASED),
                Query(rate("subjects_total", 'went="withheld"'), "withheld", Colour.BLOCKED),
                Query(rate("subjects_total", 'went="observed"'), "observed", Colour.OBSERVED),
            ),
            Unit.PER_SECOND,
        ),
        Panel(
            "Unattributed records",
            Kind.COLUMNS,
            6,
            "Records in which no owner was found where the configuration looks for one. Good: as"
            " ever. Where they appear, the upstream's format changed: adapt the endpoint's body.",
            (Query(per_minute("unattributed_records_total", by="endpoint"), "{{endpoint}}"),),
            Unit.PER_MINUTE,
            alerts=("UnattributedRecords",),
        ),
        Panel(
            "Spool",
            Kind.LINES,
            6,
            "Bytes of responses held on disk, and the most that may be. Good: far apart. At the"
            " limit exports are refused with spool_full.",
            (
                Query(now("spool_bytes"), "held", Colour.RELEASED),
                Query(now("spool_limit_bytes"), "limit", bound=True),
            ),
            Unit.BYTES,
            alerts=("SpoolNearLimit",),
        ),
    ),
    height=6,
    folded=True,
)

INJECTOR = Row(
    "Beneath: the injector",
    (
        Panel(
            "Reviews of pods",
            Kind.STACK,
            8,
            "Pods that the API server asked about, by what was answered. Good: injected and"
            " not_asked. A refusal is a pod that can't be guarded; its text says why to whoever"
            " made it.",
            (Query(rate("injector_reviews_total", by="result"), "{{result}}"),),
            Unit.PER_SECOND,
            alerts=("InjectorNoneReady",),
        ),
        Panel(
            "The injector's state",
            Kind.STATES,
            8,
            "At the replica where it stands worst: ready to answer, certificate and webhook kept,"
            " the mounted sidecar in use. Good: all green.",
            (
                Query(now("injector_ready", how="max"), "a replica is ready"),
                Query(now("injector_upkeep_ok", how="min"), "certificate kept"),
                Query(now("injector_sidecar_current", how="min"), "sidecar current"),
            ),
            alerts=("InjectorUpkeepFailing", "InjectorSidecarUnfit"),
        ),
        Panel(
            "The injector's certificate",
            Kind.LINES,
            8,
            "How long the certificate that is served is good for. Good: a saw blade, renewed when a"
            " third of its lifetime is left.",
            (
                Query(
                    f"{now('injector_certificate_expiry_timestamp_seconds', how='min')} - time()",
                    "left",
                    Colour.RELEASED,
                ),
            ),
            Unit.SECONDS,
            alerts=("InjectorCertificateExpires",),
        ),
    ),
    height=6,
    folded=True,
)

ROWS = (RELEASING, TO_WHOM, HOW_FAST, LIMITS, BENEATH, INJECTOR)

__all__ = ["ABOUT", "ENDPOINT", "MOMENTS", "ROWS", "RUNBOOKS", "TITLE", "UID", "VARIABLES"]
