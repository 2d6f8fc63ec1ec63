"""The dashboard: four questions, one row each, and folded rows with the parts beneath.

Read it as documentation: a panel's `good` is the text behind its little "i". The folded rows are
for whoever has seen on the first four that something is wrong, and asks where.
"""

from dashboards.beneath import BENEATH, INJECTOR
from dashboards.panels import Colour, Kind, Limits, Moment, Panel, Query, Row, Unit, Variable
from dashboards.queries import (
    GATEWAY,
    divided,
    grown,
    less,
    now,
    or_nought,
    quantile,
    rate,
    rates,
    recorded,
    series,
    share,
    spent,
)
from gateway.telemetry.catalogue import PREFIX

TITLE, UID = "Privacy gateway", "privacy-gateway"
ABOUT = (
    "Are we releasing what we should, to whom we should, how fast, and is anything near its limit?"
)
RUNBOOKS = "docs/runbooks"
"""Where the runbooks are read, as in the alerts: a hidden variable. The chart puts the value
`monitoring.rules.runbookBase` before it, as it does there."""

BUILD, ENDPOINTS = f"{PREFIX}build_info", f"{PREFIX}endpoint_info"
VARIABLES = (
    Variable("job", "Job", BUILD),
    Variable("namespace", "Namespace", f'{BUILD}{{job=~"$job"}}'),
    Variable("instance", "Instance", f'{BUILD}{{job=~"$job",namespace=~"$namespace"}}'),
    Variable("endpoint", "Endpoint", f"{ENDPOINTS}{{{GATEWAY}}}"),
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
UNUSUAL = (
    f"{grown('unattributed_records_total', by='namespace, job, endpoint')} unless last_over_time("
    f"{recorded('endpoint:privacy_gateway_records_unattributed:max1w')}[1h]) > 0.5"
)
"""As the alert has it: an export that always has some, as a readme in an archive, is known."""


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
                Query(or_nought(f"sum({UNUSUAL})"), "records unattributed"),
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
            " what the endpoint was used to last week. Good: short bars. Anything blocked is a"
            " ticket all the same. Redactions have no bar in their first two days.",
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

ROWS = (RELEASING, TO_WHOM, HOW_FAST, LIMITS, BENEATH, INJECTOR)
