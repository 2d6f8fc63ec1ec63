"""The folded rows of the screen: part by part, for whoever asks where something is wrong."""

from dashboards.panels import Colour, Kind, Panel, Query, Row, Unit
from dashboards.queries import (
    GATEWAY,
    now,
    per_minute,
    quantile,
    rate,
    series,
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
