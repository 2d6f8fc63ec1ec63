"""The runbooks and the page on service levels: complete, and every name in them is a real one."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway.config.schema import json_schema
from gateway.decisionlog.entry import Outcome
from gateway.errors import Code
from gateway.telemetry.catalogue import CHECKS
from tests.conftest import REPOSITORY
from tests.rules.test_shipped import METRICS, NAMES, RAISED, RECORDED, exposed
from tests.support.promql import Selector, names

FOLDER = REPOSITORY / "docs" / "runbooks"
SLO = REPOSITORY / "docs" / "slo.md"
PAGES = [FOLDER / f"{name}.md" for name in NAMES]
HEADINGS = [
    "What it means", "Impact", "First look", "Likely causes", "What to do", "Never", "How it ends",
]  # fmt: skip
OTHERS_METRICS = {"up", "scrape_duration_seconds"}


def fenced(text: str, language: str) -> list[str]:
    """The lines of all code blocks in a language."""
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_there_is_a_runbook_for_every_alert_and_for_nothing_else() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} - {"README"} == set(NAMES)
    index = (FOLDER / "README.md").read_text()
    assert re.findall(r"\[(PrivacyGateway\w+)\]\(\1\.md\)", index) == list(
        dict.fromkeys(alert.name for alert in RAISED)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_has_all_its_parts(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    for part in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]:
        assert part.strip()
    urgency = {alert.labels["severity"] for alert in RAISED if alert.name == page.stem}
    said = {word.lower() for word in re.findall(r"\*\*(Page|Ticket|ticket)\.?\*\*", text)}
    assert said == urgency
    assert fenced(text, "promql")


@pytest.mark.parametrize("page", [*PAGES, FOLDER / "README.md", SLO], ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_query_names_what_is_recorded_or_exposed(page: Path) -> None:
    recorded = {rule.name for rule in RECORDED}
    for line in fenced(page.read_text(), "promql"):
        for selector in names(line).selectors:
            if ":" in selector.metric:
                assert selector.metric in recorded, line
            elif selector.metric not in OTHERS_METRICS:
                exposed(without_blanks(selector))


def without_blanks(selector: Selector) -> Selector:
    """Without what the reader puts in."""
    return Selector(
        selector.metric, tuple(each for each in selector.matchers if each.value != "ENDPOINT")
    )


@cache
def offered(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *command, "--help"],
        capture_output=True, text=True, check=True, cwd=REPOSITORY,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "TERM": "dumb"},
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("page", [*PAGES, FOLDER / "README.md"], ids=lambda page: page.stem)
def test_every_command_of_ours_exists_with_its_options(page: Path) -> None:
    prose = " ".join(page.read_text().split())
    lines = re.findall(r"`([^`]+)`", prose)
    lines += fenced(page.read_text(), "sh")
    for line in lines:
        found = re.search(r"(?:^|-- )privacy-gateway ((?:log )?[a-z]+)(.*)$", line)
        if found is None:
            continue
        text = offered(*found.group(1).split())
        for option in re.findall(r"(?<!\S)--[a-z-]+", found.group(2)):
            assert re.search(rf"{option}\b", text), f"{line}: {option}"


@pytest.mark.parametrize("page", [*PAGES, SLO], ids=lambda page: page.stem)
def test_every_word_in_code_is_a_name_of_ours(page: Path) -> None:
    """Configuration keys, refusal codes, metrics, checks, admin paths, alerts, log lines."""
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    prose = " ".join(prose.split())
    for word in re.findall(r"`([^`]+)`", prose):
        assert word.startswith("privacy-gateway ") or known(word), word


def known(word: str) -> bool:
    return (
        word in keys()
        or word in METRICS
        or word in {rule.name for rule in RECORDED}
        or word in CODES_AND_NAMES
        or (
            re.fullmatch(r"[a-z]+_[…*]", word) is not None
            and any(code.startswith(word[:-1]) for code in Code)
        )
        or is_said_in_the_code(word)
        or in_the_chart(word)
        or (REPOSITORY / word).is_file()
    )


CODES_AND_NAMES = {
    *Code, *CHECKS, *Outcome, "allow", "redact", "block", "observe", "enforcement: observe",
    "effect", "partial: redact",
    "/readyz", "/healthz", "recording.yaml", "alerts.yaml", "sidecar.yaml", "unrecorded", "outcome",
    "privacy-gateway.dev/inject", "privacy-gateway.dev/injection", "fault",
    "seen = released + redacted + blocked",
    # labels and their values, targets
    "active", "shadow", "stage", "source", "load", "proof", "dropped", "failed", "check",
    "endpoint",
    "exported_endpoint", "long", "upstream", "inspection", "policy", "log", "revision",
    "slo: latency", "privacy_gateway:…", "latency_bound", "freshness_bound", "misdelivery_floor",
    # other people's
    "jq", "helm rollback", "helm upgrade", "failurePolicy: Ignore", "Secret", "caBundle",
    "honorLabels: true", "honor_labels: true", "ruleSelector", "histogram_quantile(0.99, …)",
    "policy.engine: opa",
}  # fmt: skip


def in_the_chart(word: str) -> bool:
    """A value of the chart, by its path."""
    return word.startswith(("monitoring.", "networkPolicy."))


@cache
def sources() -> str:
    return "\n".join(path.read_text() for path in (REPOSITORY / "gateway").rglob("*.py"))


def is_said_in_the_code(word: str) -> bool:
    """A line of the log, or a reason."""
    return " " in word and f'"{word}' in sources()


@cache
def keys() -> frozenset[str]:
    """Every configuration key, by its path, by its end, and by its own name."""
    schema: dict[str, Any] = json.loads(json.dumps(json_schema()))
    found: set[str] = set()

    def walk(node: Any, path: tuple[str, ...], depth: int) -> None:
        if not isinstance(node, dict) or depth > 12:
            return
        if "$ref" in node:
            target: Any = schema
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            walk(target, path, depth + 1)
        for variant in ("anyOf", "oneOf", "allOf"):
            for each in node.get(variant, ()):
                walk(each, path, depth + 1)
        if "items" in node:
            walk(node["items"], (*path[:-1], f"{path[-1]}[]") if path else path, depth + 1)
        for name, each in node.get("properties", {}).items():
            here = (*path, name)
            found.update(".".join(here[start:]) for start in range(len(here)))
            walk(each, here, depth + 1)

    walk(schema, (), 0)
    return frozenset(found)


def test_the_page_on_service_levels_names_the_targets_and_their_defaults() -> None:
    text = SLO.read_text()
    for rule in RECORDED:
        if rule.name.startswith("privacy_gateway:") and "misdelivery" not in rule.name:
            assert f"| `{rule.name}` | {rule.expression} |" in text
    for alert in RAISED:
        if "long" in alert.labels:
            factor = re.search(r"> ([\d.]+) \*", alert.expression)
            assert factor
            row = f"| {alert.labels['severity']} | {factor.group(1)} | {alert.labels['long']}, "
            assert row + alert.labels["short"] in text
