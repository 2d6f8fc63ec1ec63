"""Writes docs/metrics.md from the catalogue: `python docs/generate_metrics.py`.

The tests fail where the file is not what this writes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from gateway.telemetry.catalogue import METRICS
from gateway.telemetry.histogram import CLASSIC, SCHEMA
from gateway.telemetry.metric import Kind, Label, Metric

PAGE = Path(__file__).with_name("metrics.md")
_MANY = 8
"""Values of a label that are listed in a row of the table; more are listed below it."""

INTRODUCTION = """\
# Metrics

<!-- Written by docs/generate_metrics.py from gateway/telemetry/catalogue.py. Don't edit. -->

`GET /metrics` on the admin port: text (0.0.4), OpenMetrics 1.0 or protobuf, as the scraper asks.
All labels have values of closed sets, or names from the configuration; nothing of a caller, a token
or a body becomes one. So the number of series follows from the configuration: about two hundred
lines for an endpoint in use.

**Histograms** are in seconds. Their classic buckets end at {bounds} and +Inf. In protobuf they are
native histograms, too (schema {schema}: each bucket is {growth:.0f} % wider than the one before).
A server that is started with `--enable-feature=native-histograms` keeps the native ones only,
unless its scrape configuration says `scrape_classic_histograms: true` (Prometheus 3:
`always_scrape_classic_histograms`); the shipped rules read either.

**Exemplars** (OpenMetrics and protobuf; `--enable-feature=exemplar-storage`) carry the `trace_id`
of the last sampled exchange in each bucket.

**Counters** of a configured endpoint begin at 0 for what matters (released, redacted, blocked,
observed, compared, held up), so that the first event is a change that `increase` sees. All begin
anew when the gateway does.

**Memory and CPU** of a pod are `process_*` plus `privacy_gateway_child_*`: bodies and policies are
in processes of their own.

"""


def page() -> str:
    return "".join(_parts())


def _parts() -> Iterator[str]:
    bounds = ", ".join(f"{bound:g}" for bound in CLASSIC)
    growth = (2 ** (2**-SCHEMA) - 1) * 100
    yield INTRODUCTION.format(bounds=bounds, schema=SCHEMA, growth=growth)
    yield "| metric | type, unit | labels | what it means | what to do |\n|---|---|---|---|---|\n"
    for metric in METRICS.values():
        labels = "<br>".join(map(_label, metric.labels))
        kind = ", ".join(filter(None, (metric.kind, _unit(metric))))
        yield f"| `{metric.name}` | {kind} | {labels} | {metric.means} | {_linked(metric.do)} |\n"
    yield "\n"
    long = {label.name: label for each in METRICS.values() for label in each.labels if _long(label)}
    for label in long.values():
        yield f"**{label.name}** is one of {', '.join(f'`{value}`' for value in label.values)}.\n\n"
    yield (
        "**reason** is what the policy gives as its reason. The first 64 different ones become"
        " labels, none that spells an identifier; the rest is `other`.\n"
    )


def _long(label: Label) -> bool:
    return len(label.values) > _MANY and label.name != "reason"


def _label(label: Label) -> str:
    if label.name == "reason":
        return "reason: a policy's"
    if _long(label):
        return f"{label.name}: below"
    sources = {
        "endpoints": "an endpoint's name", "issuers": "an issuer of the configuration",
        "versions": "the version", "active bundles": "the active revision",
        "outside formats": "a format that an installed package brings",
    }  # fmt: skip
    values = ", ".join(filter(None, (sources.get(label.source, ""), *label.values)))
    return f"{label.name}: {values}"


def _unit(metric: Metric) -> str:
    """A counter's is before its `_total`; a timestamp's is Unix seconds."""
    name = metric.name.removesuffix("_total") if metric.kind is Kind.COUNTER else metric.name
    if name.endswith("_timestamp_seconds") or name == "process_start_time_seconds":
        return "Unix seconds"
    unit = name.rsplit("_", 1)[1]
    return unit if unit in {"seconds", "bytes", "entries"} else ""


def _linked(text: str) -> str:
    return re.sub(r"Runbook (\w+)", r"Runbook [\1](runbooks/\1.md)", text)


if __name__ == "__main__":
    PAGE.write_text(page())
