"""The rule files that ship: right for Prometheus, each alert proven to fire and to stay quiet, and
every name in them a name of the code."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from gateway.errors import (
    BadRequest,
    CallerLeft,
    Code,
    MethodNotAllowed,
    NotFound,
    Refusal,
    Unauthenticated,
    UpstreamError,
)
from gateway.injector.metrics import METRICS as OF_THE_INJECTOR
from gateway.telemetry.catalogue import CHECKS
from gateway.telemetry.catalogue import METRICS as OF_A_GATEWAY
from gateway.telemetry.histogram import CLASSIC
from gateway.telemetry.metric import Kind
from tests.conftest import missing
from tests.support.promql import Matcher, Selector, names
from tests.support.rules import ALERTS, RECORDING, Rule, load, rules, scaled

METRICS = {**OF_A_GATEWAY, **{metric.name: metric for metric in OF_THE_INJECTOR}}
CASES = sorted(Path(__file__).parent.glob("*.yaml"))
RECORDED = rules(RECORDING)
RAISED = rules(ALERTS)
NAMES = sorted({alert.name for alert in RAISED})
OF_THE_TARGET = {"namespace", "job", "instance"}
"""Labels that the scrape gives; `namespace` only where there is one."""
ASKED = re.compile(r'ALERTS\{alertname="(\w+)", alertstate="firing"\}')


def promtool(*arguments: str | Path) -> str:
    binary = shutil.which("promtool")
    if binary is None:
        missing("there is no promtool on PATH")
    done = subprocess.run([binary, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", [RECORDING, ALERTS], ids=lambda path: path.name)
def test_the_rules_are_right_for_prometheus(path: Path) -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", path)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_cases_hold(path: Path) -> None:
    promtool("test", "rules", path)


def test_what_an_endpoint_is_used_to_is_the_week_that_ended_a_day_ago(tmp_path: Path) -> None:
    """Nine days of one stopped in every hour, a bad hour in the midst of them, and a day of fifty.

    The bad hour is outside the 99th percentile, and the last day outside the week. Before a whole
    day of it is a day old, nothing is learned."""
    groups = load(RECORDING)["groups"]
    baselines = [group for group in groups if group["name"] == "privacy-gateway-baselines"]
    (tmp_path / "baselines.yaml").write_text(json.dumps({"groups": baselines}))
    of_it = '{%sjob="exports", endpoint="orders"}'

    def series(name: str, values: str, more: str = "") -> dict[str, str]:
        name = f"endpoint:privacy_gateway_{name}:increase1h{of_it % more}"
        return {"series": name, "values": values}

    def sample(name: str, *values: float, at: str = "9d23h", more: str = "") -> dict[str, object]:
        labels = f"endpoint:privacy_gateway_{name}{of_it % more}"
        expected = [{"labels": labels, "value": value} for value in values]
        return {"expr": labels, "eval_time": at, "exp_samples": expected}

    case = {
        "interval": "5m",
        "input_series": [
            series("exchanges_stopped", "1x1439 40x11 1x1151 50x290", 'effect="block",'),
            series("exchanges_stopped", "20x2893", 'effect="redact",'),
            series("exchanges_blocked", "1x2603 9x290"),
            series("exchanges_decided", "10x2603 10x290"),
            series("records_unattributed", "0x2603 7x290"),
        ],
        "promql_expr_test": [
            sample("exchanges_stopped:baseline1w", 1, more='effect="block",'),
            sample("exchanges_stopped:baseline1w", at="1d23h", more='effect="redact",'),
            sample("exchanges_stopped:baseline1w", 20, at="2d1h", more='effect="redact",'),
            sample("exchanges_decided:baseline1w", 10),
            sample("exchanges_blocked:ratio1w", 0.1),
            sample("records_unattributed:max1w", 0),
        ],
    }
    path = tmp_path / "case.yaml"
    content = {"rule_files": ["baselines.yaml"], "evaluation_interval": "5m", "tests": [case]}
    path.write_text(json.dumps(content))
    promtool("test", "rules", path)


def played(folder: Path, rule_files: list[Path], interval: str, **case: object) -> None:
    path = folder / "case.yaml"
    content = {
        "rule_files": [str(each) for each in rule_files],
        "evaluation_interval": interval,
        "tests": [{"interval": interval, **case}],
    }
    path.write_text(json.dumps(content))
    promtool("test", "rules", path)


def of_two(name: str, values: str, labels: str = "") -> list[dict[str, str]]:
    """A series of two gateways that were not there before."""
    more = labels and f", {labels}"
    return [
        {"series": f'{name}{{job="exports", instance="{each}"{more}}}', "values": f"_x9 {values}"}
        for each in "ab"
    ]


ORDERS = 'endpoint="orders", format="json"'


def counted(values: str) -> list[dict[str, str]]:
    """What an endpoint counts that redacts by design."""
    total, records = "privacy_gateway_exchanges_total", "privacy_gateway_records_total"
    return [
        *of_two(total, values, f'{ORDERS}, effect="allow", code="none"'),
        *of_two(total, values, f'{ORDERS}, effect="redact", code="none"'),
        *of_two(records, values, f'{ORDERS}, went="redacted"'),
    ]


@pytest.mark.timeout(200)
def test_the_first_hours_of_a_healthy_gateway_raise_one_ticket(tmp_path: Path) -> None:
    """It is unready for two minutes, and an endpoint redacts by design."""
    gateway, issuer = "privacy_gateway", 'issuer="https://id.example.org"'
    added = f"{gateway}_added_duration_seconds"
    series = [
        *counted("0+1x200"),
        *of_two("up", "1x200"),
        *of_two(f"{gateway}_build_info", "1x200", 'version="1"'),
        *of_two(f"{gateway}_ready", "0x1 1x200"),
        *(each for check in CHECKS
          for each in of_two(f"{gateway}_check_ok", "0x1 1x200", f'check="{check}"')),
        *of_two("process_start_time_seconds", "600x200"),
        *of_two(f"{gateway}_self_proofs_total", "0 1 2x200", 'result="failed"'),
        *of_two(f"{gateway}_policy_age_seconds", "60x200"),
        *of_two(f"{gateway}_policy_max_age_seconds", "86400x200"),
        *of_two(f"{gateway}_keys_age_seconds", "200x200", issuer),
        *of_two(f"{gateway}_keys_max_age_seconds", "3600x200", issuer),
        *of_two(f"{gateway}_keys_live", "0x1 1x200", issuer),
        *of_two(f"{added}_count", "0+2x200", 'endpoint="orders"'),
        *of_two(f"{added}_bucket", "0+2x200", 'endpoint="orders", le="0.25"'),
    ]  # fmt: skip
    expected = "PrivacyGatewayMisdeliveryStopped"
    asked = [
        {"expr": f'ALERTS{{alertname!="{expected}"}}', "eval_time": moment, "exp_samples": []}
        for moment in ("15m", "20m", "30m", "1h", "2h", "3h")
    ]
    played(tmp_path, [RECORDING, ALERTS], "1m", input_series=series, promql_expr_test=asked)


def test_what_an_endpoint_redacts_by_design_is_quiet_when_it_is_known(tmp_path: Path) -> None:
    """Three days in steps of five minutes. On the third one there are four times the callers."""
    files = []
    for path in (RECORDING, ALERTS):
        groups = [
            group for group in load(path)["groups"]
            if group["name"].endswith(("-targets", "-endpoints", "-baselines", "-misdelivery"))
        ]  # fmt: skip
        files.append(tmp_path / f"{path.stem}.json")
        files[-1].write_text(json.dumps({"groups": groups}))
    name = "PrivacyGatewayMisdelivery"
    asked = [
        {
            "expr": f'count(ALERTS{{alertname=~"{name}.*", severity="{severity}"}}) or vector(0)',
            "eval_time": moment,
            "exp_samples": [{"labels": "{}", "value": value}],
        }
        for moment, pages, tickets in (
            ("5h", 0, 1), ("26h", 0, 1), ("47h", 0, 1), ("50h", 0, 0), ("56h", 0, 0), ("70h", 0, 0),
        )
        for severity, value in (("page", pages), ("ticket", tickets))
    ]  # fmt: skip
    series = counted("0+5x620 3120+20x250")
    played(tmp_path, files, "5m", input_series=series, promql_expr_test=asked)


# --- each alert ---------------------------------------------------------------------------------


def cases() -> tuple[Counter[str], Counter[str], set[tuple[str, str, str]]]:
    """Alerts by how often a case has them firing and quiet, and what fires with its labels."""
    fires, quiet, seen = Counter[str](), Counter[str](), set[tuple[str, str, str]]()
    for path in CASES:
        for case in load(path)["tests"]:
            for asked in case["promql_expr_test"]:
                found = ASKED.fullmatch(asked["expr"])
                assert found, f"{path.name}: {asked['expr']}"
                expected = asked.get("exp_samples") or []
                (fires if expected else quiet)[found.group(1)] += 1
                for sample in expected:
                    labels = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
                    seen.add((labels["alertname"], labels["severity"], labels.get("long", "")))
    return fires, quiet, seen


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_case_that_fires_and_a_quiet_twin(name: str) -> None:
    fires, quiet, _ = cases()
    assert fires[name], f"no case of {name} fires"
    assert quiet[name], f"no case of {name} stays quiet"


def test_every_severity_and_window_of_an_alert_fires_in_some_case() -> None:
    shipped = {
        (alert.name, alert.labels["severity"], alert.labels.get("long", "")) for alert in RAISED
    }
    assert cases()[2] == shipped


@pytest.mark.parametrize("alert", RAISED, ids=lambda alert: alert.name)
def test_an_alert_says_how_urgent_it_is_what_it_means_and_where_to_read(alert: Rule) -> None:
    assert alert.name.startswith("PrivacyGateway")
    assert alert.labels["severity"] in {"page", "ticket"}
    assert set(alert.annotations) == {"summary", "description", "runbook_url", "dashboard"}
    assert alert.annotations["runbook_url"] == f"docs/runbooks/{alert.name}.md"
    assert not alert.annotations["summary"].endswith(".")
    assert alert.annotations["description"].endswith(".")


@pytest.mark.parametrize("alert", RAISED, ids=lambda alert: alert.name)
def test_an_alert_says_nothing_but_closed_labels_and_its_value(alert: Rule) -> None:
    closed = {"endpoint", "effect", "check", "issuer", *OF_THE_TARGET}
    for text in alert.annotations.values():
        for said in re.findall(r"\{\{(.*?)\}\}", text):
            found = re.fullmatch(r" \$(?:value|labels\.(\w+))(?: \| \w+)? ", said)
            assert found, said
            assert found.group(1) is None or found.group(1) in closed, said


@pytest.mark.parametrize("alert", [a for a in RAISED if "long" in a.labels], ids=str)
def test_a_burn_rate_spends_what_its_summary_says(alert: Rule) -> None:
    """Google SRE workbook, chapter 5, table 5-8: the factor is the share of 30 days' budget."""
    hours = {"1h": 1, "6h": 6, "1d": 24, "3d": 72}[alert.labels["long"]]
    factors = {float(found) for found in re.findall(r"> ([\d.]+) \*", alert.expression)}
    (factor,) = factors
    assert f"{factor * hours / (30 * 24):.0%} of the month's budget" in alert.annotations["summary"]
    assert f":ratio{alert.labels['long']}" in alert.expression
    assert f":ratio{alert.labels['short']}" in alert.expression


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RECORDED + RAISED, ids=lambda rule: rule.name)
def test_every_name_in_a_rule_is_recorded_or_exposed_with_these_labels(rule: Rule) -> None:
    recorded = {each.name for each in RECORDED}
    known = {label.name for metric in METRICS.values() for label in metric.labels}
    found = names(rule.expression)
    assert found.labels <= known | OF_THE_TARGET | {"revision"}
    for selector in found.selectors:
        if selector.metric == "up":
            assert not selector.matchers
        elif ":" in selector.metric:
            assert selector.metric in recorded
            assert {matcher.label for matcher in selector.matchers} <= {"slo", "effect"}
        else:
            exposed(selector)


def exposed(selector: Selector) -> None:
    """The selector is of a metric in the code's table, with labels and values of closed sets."""
    stem = re.sub(r"_(bucket|count|sum)$", "", selector.metric)
    metric = METRICS.get(selector.metric) or METRICS.get(stem)
    assert metric, f"no such metric: {selector.metric}"
    assert metric.name == selector.metric or metric.kind is Kind.HISTOGRAM
    labels = {label.name: label for label in metric.labels}
    for matcher in selector.matchers:
        if matcher == Matcher("exported_endpoint", "!=", ""):
            continue  # what a scrape without honor_labels makes of ours
        if matcher.label == "le":
            assert any(re.fullmatch(matcher.value, str(bound)) for bound in CLASSIC)
            continue
        assert matcher.label in labels, f"{metric.name} has no label {matcher.label}"
        closed = labels[matcher.label].values
        named = matcher.value.split("|") if "~" in matcher.sign else [matcher.value]
        for value in named:
            assert any(re.fullmatch(value, each) for each in closed), f"{matcher}: {value}"


def test_a_rule_names_only_what_is_recorded_before_or_elsewhere() -> None:
    """Within a group, rules are evaluated in order: one that reads a later one reads the past."""
    for group in load(RECORDING)["groups"]:
        recorded = [rule["record"] for rule in group["rules"]]
        for place, rule in enumerate(group["rules"]):
            read = {each.metric for each in names(rule["expr"]).selectors}
            assert not read & set(recorded[place:]) - set(recorded[:place]), rule["record"]


def test_every_series_of_the_rules_is_read_by_an_alert_or_meant_for_graphs() -> None:
    read = {each.metric for rule in RECORDED + RAISED for each in names(rule.expression).selectors}
    for_graphs = {
        "endpoint:privacy_gateway_exchanges:rate5m",
        "privacy_gateway:latency_bound:seconds",
    }
    assert {rule.name for rule in RECORDED} - read == for_graphs


# --- the service levels -------------------------------------------------------------------------


def kinds(code: Code) -> type[Refusal]:
    return next(kind for kind in Refusal.__subclasses__() if code in kind.codes)


def availability(name: str) -> re.Pattern[str]:
    """The codes that the rule leaves out."""
    (rule,) = [r for r in RECORDED if r.name == name and r.labels.get("slo") == "availability"]
    (selector,) = {s for s in names(rule.expression).selectors if s.matchers}
    (matcher,) = selector.matchers
    assert (matcher.label, matcher.sign) == ("code", "!~")
    return re.compile(matcher.value)


def test_availability_burns_on_every_refusal_but_the_callers_and_the_services_own() -> None:
    events = availability("job:privacy_gateway_slo_events:count5m")
    failures = availability("job:privacy_gateway_slo_failures:count5m")
    not_ours = {
        code
        for code in Code
        if code is not Code.TOKEN_REJECTED
        and kinds(code)
        in (BadRequest, Unauthenticated, NotFound, MethodNotAllowed, CallerLeft, UpstreamError)
    } | {Code.UPSTREAM_UNREACHABLE, Code.UPSTREAM_TIMEOUT}
    for code in set(Code) - {Code.TOKEN_REJECTED}:
        ours = code not in not_ours
        assert bool(events.fullmatch(code)) is not ours, code
        burns = ours and code is not Code.BLOCKED_BY_POLICY
        assert bool(failures.fullmatch(code)) is not burns, code
    assert failures.fullmatch("none") and not events.fullmatch("none")
    assert not failures.fullmatch("a_code_of_tomorrow")


def test_the_latency_bound_is_one_number_and_a_boundary_of_the_histogram() -> None:
    (bound,) = [r.expression for r in RECORDED if r.name == "privacy_gateway:latency_bound:seconds"]
    (rule,) = [r for r in RECORDED if "slo_failures" in r.name and r.labels.get("slo") == "latency"]
    assert float(bound) in CLASSIC
    assert re.findall(r"\d+\.\d+", rule.expression) == [bound, bound]


# --- shorter days -------------------------------------------------------------------------------


def test_an_hour_is_a_minute_and_numbers_stay() -> None:
    rule = {"alert": "A", "expr": "max_over_time(x[1w] offset 1d) > 3 * 86400", "for": "5m"}
    (group,) = scaled({"groups": [{"name": "g", "interval": "1m", "rules": [rule]}]}, 60)["groups"]
    assert group["interval"] == "1s"
    (short,) = group["rules"]
    assert short["expr"] == "max_over_time(x[10080s] offset 1440s) > 3 * 86400"
    assert (short["alert"], short["for"]) == ("A", "5s")


@pytest.mark.parametrize("path", [RECORDING, ALERTS], ids=lambda path: path.name)
def test_scaled_rules_are_the_same_but_for_durations(path: Path, tmp_path: Path) -> None:
    content = load(path)
    short = tmp_path / "short.yaml"
    short.write_text(json.dumps(scaled(content, 60)))
    promtool("check", "rules", short)
    for ours, shipped in zip(rules(short), rules(path), strict=True):
        assert without_durations(ours.expression) == without_durations(shipped.expression)
        assert (ours.name, ours.labels, ours.annotations) == (
            shipped.name, shipped.labels, shipped.annotations,
        )  # fmt: skip
        assert not re.search(r"(\[|offset )\d+[mhdw]", ours.expression)


def without_durations(expression: str) -> str:
    return re.sub(r"\[\d+[a-z]\]|\[\d+s\]|offset \d+[a-z]", "", expression)
