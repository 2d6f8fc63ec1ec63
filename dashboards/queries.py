"""PromQL, said once: which series, summed how, over what time.

Metrics are named without their prefix. Histograms are asked for their classic buckets, which every
Prometheus stores; the native ones are there for whoever wants to zoom in.
"""

from gateway.injector.metrics import METRICS as INJECTOR
from gateway.telemetry.catalogue import METRICS as GATEWAY_METRICS
from gateway.telemetry.catalogue import PREFIX

METRICS = {**GATEWAY_METRICS, **{metric.name: metric for metric in INJECTOR}}
"""Every metric of the gateway and of its injector, by name."""
GATEWAY = 'job=~"$job",namespace=~"$namespace",instance=~"$instance"'
"""Whose series: what the variables at the top of the screen choose. A label that is not there
matches `.*`, so that a Prometheus without namespaces needs no other dashboard."""
ENDPOINT = 'endpoint=~"$endpoint"'
_PARTS = ("_bucket", "_sum", "_count")


def series(name: str, match: str = "") -> str:
    """A selector: `series("exchanges_total", 'code="none"')`. Raises KeyError for a metric that the
    gateway doesn't have. One that knows its endpoint is chosen by it, too."""
    whole = PREFIX + name
    stems = [whole.removesuffix(part) for part in _PARTS if whole.endswith(part)]
    metric = METRICS[next((stem for stem in stems if stem in METRICS), whole)]
    knows = any(label.name == "endpoint" for label in metric.labels)
    return f"{whole}{{{','.join(filter(None, (GATEWAY, ENDPOINT if knows else '', match)))}}}"


def recorded(rule: str, match: str = "") -> str:
    """A series of a recording rule, as `level:metric:operation`: it has no `instance`."""
    endpoint = ENDPOINT if rule.startswith("endpoint:") else ""
    matchers = ['job=~"$job"', 'namespace=~"$namespace"', endpoint, match]
    return f"{rule}{{{','.join(filter(None, matchers))}}}"


def total(value: str, by: str = "", how: str = "sum") -> str:
    """All gateways together, or one series for each label in `by`."""
    return f"{how} by ({by}) ({value})" if by else f"{how}({value})"


def rates(name: str, match: str = "") -> str:
    """How fast each counter grows, per second."""
    return f"rate({series(name, match)}[$__rate_interval])"


def rate(name: str, match: str = "", by: str = "") -> str:
    """How fast they grow together, per second."""
    return total(rates(name, match), by)


def per_minute(name: str, match: str = "", by: str = "") -> str:
    """The same of what is rare."""
    return f"60 * {rate(name, match, by)}"


def grown(name: str, match: str = "", by: str = "") -> str:
    """By how much a counter grew, over the time that the screen shows."""
    return total(f"increase({series(name, match)}[$__range])", by)


def now(name: str, match: str = "", by: str = "", how: str = "sum") -> str:
    """A gauge, as it is."""
    return total(series(name, match), by, how)


def quantile(share: float, name: str, by: str = "", over: str = "$__rate_interval") -> str:
    """Of a histogram in seconds, from its classic buckets."""
    buckets = total(f"rate({series(f'{name}_bucket')}[{over}])", f"{by}, le" if by else "le")
    return f"histogram_quantile({share:g}, {buckets})"


def or_nought(value: str) -> str:
    """Nothing counted yet is nought."""
    return f"({value}) or vector(0)"


def divided(value: str, whole: str) -> str:
    """Each series of `value` by the one number `whole`; nothing where that is nought."""
    return f"({value}) / on () group_left () ({whole} > 0)"


def less(value: str, part: str) -> str:
    """`value` without a part of it that may not be there at all; never below nought."""
    return f"clamp_min(({value}) - (({part}) or vector(0)), 0)"


def share(part: str, whole: str, by: str = "job, instance") -> str:
    """The fullest one's share of its limit; limits that are not set are not there to divide by."""
    return f"max(max by ({by}) ({series(part)}) / (max by ({by}) ({series(whole)}) > 0))"


def spent(level: str) -> str:
    """The share of a service level's error budget that went in the time shown."""
    slo = f'slo="{level}"'
    failures, events = (
        f"sum(sum_over_time({recorded(f'job:privacy_gateway_slo_{what}:count5m', slo)}[$__range]))"
        for what in ("failures", "events")
    )
    objective = f"scalar(privacy_gateway:{level}_objective:ratio)"
    return f"{failures} / ({events} > 0) / (1 - {objective})"
