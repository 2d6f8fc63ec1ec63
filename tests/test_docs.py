"""What the pages name exists: for every *.md, NOTES, and the comments of the chart's values.

Links and their anchors, metrics and recorded series, commands and their options, configuration keys
and chart values, labels and annotations, variables, make targets, files. The pages that are run or
generated have tests of their own besides.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from gateway.config import json_schema
from gateway.injector import metrics as injector
from gateway.injector import wishes
from gateway.telemetry.catalogue import METRICS
from tests.conftest import REPOSITORY
from tests.support.rules import ALERTS, RECORDING, rules

CHART = REPOSITORY / "helm" / "privacy-gateway"
_FILES = (".yaml", ".json", ".jsonl", ".rego", ".md", ".py", ".lock")


def _listed(*patterns: str) -> list[Path]:
    said = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        capture_output=True, text=True, cwd=REPOSITORY, check=True,
    ).stdout  # fmt: skip
    return [REPOSITORY / line for line in said.splitlines()]


PAGES = _listed("*.md")
TEXTS = [*PAGES, CHART / "values.yaml", *CHART.glob("templates/_*s.tpl")]
"""All that speaks to people."""


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=_name)
every_text = pytest.mark.parametrize("page", TEXTS, ids=_name)

_FENCE = re.compile(r"^[ ]*```(\w*)([^\n]*)\n(.*?)^[ ]*```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    """But for those that are files, which the tests of their pages use."""
    return [
        block
        for name, said, block in _FENCE.findall(text)
        if name == language and "file=" not in said
    ]


def words(text: str) -> list[str]:
    """What stands in `code` within the prose."""
    return re.findall(r"`([^`]+)`", " ".join(_FENCE.sub("", text).split()))


# --- links ----------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in plain}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", page.read_text())):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


# --- metrics, labels, variables -------------------------------------------------------------------


@cache
def series() -> frozenset[str]:
    exposed = {*METRICS, *(metric.name for metric in injector.METRICS)}
    parts = {f"{name}_{part}" for name in exposed for part in ("bucket", "sum", "count")}
    return frozenset(exposed | parts | {rule.name for rule in rules(RECORDING)})


@every_text
def test_every_series_is_exposed_or_recorded(page: Path) -> None:
    for name in re.findall(r"\b(?:\w+:)?privacy_gateway[_:][\w:]*(?:\.\*)?", page.read_text()):
        part = name.removesuffix(".*")
        is_part = part != name or part.endswith(("_", ":"))
        assert any(each.startswith(part) if is_part else each == name for each in series()), name


@every_text
def test_every_alert_is_raised(page: Path) -> None:
    raised = {rule.name for rule in rules(ALERTS) if rule.alerts}
    assert set(re.findall(r"\bPrivacyGateway[A-Z]\w+", page.read_text())) <= raised


@every_text
def test_every_label_and_annotation_is_read_or_written(page: Path) -> None:
    known = {wishes.INJECT, wishes.UPSTREAM_PORT, wishes.CONFIG, wishes.INJECTED}
    named = set(re.findall(r"\bprivacy-gateway\.dev/[a-z-]+", page.read_text()))
    assert named <= {*known, "privacy-gateway.dev/injection"}


@every_text
def test_every_variable_is_a_setting(page: Path) -> None:
    for name in re.findall(r"\bPRIVACY_GATEWAY_([A-Z_]*[A-Z])\b", page.read_text()):
        assert name.lower().replace("__", ".") in settings(), name


# --- keys -----------------------------------------------------------------------------------------


def paths(schema: Mapping[str, Any]) -> frozenset[str]:
    """Every key that a JSON Schema has, by its path; one that takes any keys ends in `.*`."""
    found: set[str] = set()

    def walk(node: Any, path: tuple[str, ...], seen: tuple[str, ...] = ()) -> None:
        if reference := node.get("$ref"):
            if reference in seen:
                return
            target: Any = schema
            for step in reference.removeprefix("#/").split("/"):
                target = target[step]
            walk(target, path, (*seen, reference))
        for variant in ("anyOf", "oneOf", "allOf"):
            for each in node.get(variant, ()):
                walk(each, path, seen)
        if isinstance(node.get("items"), dict):
            walk(node["items"], path, seen)
        if node.get("additionalProperties", False) is not False or (
            node.get("type") == "object" and "properties" not in node
        ):
            found.add(".".join((*path, "*")))
        for name, each in node.get("properties", {}).items():
            found.add(".".join((*path, name)))
            walk(each, (*path, name), seen)

    walk(schema, ())
    return frozenset(found)


@cache
def settings() -> frozenset[str]:
    return paths(json_schema())


@cache
def values() -> frozenset[str]:
    return paths(json.loads((CHART / "values.schema.json").read_text()))


def is_key(name: str) -> bool:
    """Of the gateway's configuration or of the chart's values, from the top or from below."""

    def in_(known: frozenset[str]) -> bool:
        steps = name.split(".")
        free = {".".join((*steps[:end], "*")) for end in range(1, len(steps))}
        return name in known or bool(free & known) or any(k.endswith(f".{name}") for k in known)

    return in_(settings()) or in_(values())


@every_text
def test_every_key_is_one(page: Path) -> None:
    """Names with a dot whose first part is a key at the top."""
    tops = {name for name in settings() | values() if "." not in name}
    text = page.read_text()
    named = words(text) if page.suffix == ".md" else re.findall(r"`([^`\n]+)`", text)
    for word in named:
        name, _, _ = word.partition(": ")
        if re.fullmatch(r"\w+(?:\.\w+)+", name) and name.split(".")[0] in tops:
            assert is_key(name) or name.endswith(_FILES), word


# --- blocks of YAML -------------------------------------------------------------------------------

_OTHERS = ("receivers",)
"""Keys at the top of what other programs read."""


@every_page
def test_every_block_of_yaml_is_for_somebody_who_takes_it(page: Path) -> None:
    """The gateway's configuration, the chart's values, or Kubernetes; in whole or in part."""
    for block in blocks(page.read_text(), "yaml"):
        if "{{" in block:  # a template, which a test of the chart renders
            continue
        content = yaml.safe_load(block)
        keys = set(content) if isinstance(content, dict) else set()
        if "apiVersion" in keys:
            kubernetes_validate.validate(content, "1.37.0", strict=True)
        elif not keys & set(_OTHERS):
            chart = json.loads((CHART / "values.schema.json").read_text())
            faults = [_fault(content, schema) for schema in (json_schema(), chart)]
            assert None in faults, faults


def _fault(content: Any, schema: Mapping[str, Any]) -> str | None:
    errors = jsonschema.Draft202012Validator(_in_part(schema)).iter_errors(content)
    return next((error.message for error in errors), None)


def _in_part(schema: Any) -> Any:
    """Nothing is required."""
    if isinstance(schema, list):
        return [_in_part(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _in_part(each) for key, each in schema.items() if key != "required"}


# --- commands -------------------------------------------------------------------------------------


@cache
def helped(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *command, "--help"],
        capture_output=True, text=True, cwd=REPOSITORY,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "TERM": "dumb"},
    )  # fmt: skip
    assert done.returncode == 0, f"privacy-gateway {' '.join(command)}"
    return done.stdout


def typed(text: str) -> Iterator[list[str]]:
    """Every line that calls the program, from its name on."""
    lines = [line for name in ("sh", "console") for each in blocks(text, name)
             for line in re.sub(r"\\\n[> ]*", " ", each).splitlines()]  # fmt: skip
    for line in [*lines, *words(text)]:
        for call in re.split(r"[|;&]|-- ", line):
            if found := re.match(r"\s*(?:\$ )?privacy-gateway ([a-z].*)", call):
                yield found[1].split()


@every_page
def test_every_command_of_ours_is_one_with_its_options(page: Path) -> None:
    for line in typed(page.read_text()):
        command = line[:2] if line[0] == "log" else line[:1]
        said = helped(*command)
        for option in (word.split("=")[0] for word in line if word.startswith("--")):
            assert re.search(rf"{option}\b", said), (line, option)


@every_page
def test_every_target_of_make_is_one(page: Path) -> None:
    made = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    lines = [line for each in blocks(page.read_text(), "sh") for line in each.splitlines()]
    for line in [*lines, *words(page.read_text())]:
        if found := re.match(r"make ([a-z-]+)(?: |$)", line):
            assert found[1] in made, line


# --- files ----------------------------------------------------------------------------------------

_PLACES = "gateway|docs|tests|helm|bench|dashboards|policies|tools"


@every_page
def test_every_file_of_ours_is_there(page: Path) -> None:
    for word in words(page.read_text()):
        if re.fullmatch(rf"(?:{_PLACES})/[\w./-]+", word):
            assert any((base / word).exists() for base in (REPOSITORY, CHART, page.parent)), word


# --- a fault would be seen ------------------------------------------------------------------------

FAULTS = [
    (test_every_link_leads_somewhere, "see [there](gone.md)"),
    (test_every_link_leads_somewhere, "# Here\n\nsee [there](#elsewhere)"),
    (test_every_series_is_exposed_or_recorded, "`privacy_gateway_log_entries` grows"),
    (test_every_alert_is_raised, "PrivacyGatewayOnFire"),
    (test_every_label_and_annotation_is_read_or_written, "`privacy-gateway.dev/injected-port`"),
    (test_every_variable_is_a_setting, "`PRIVACY_GATEWAY_CLIENT__DRAINING`"),
    (test_every_key_is_one, "set `spool.sise`"),
    (test_every_key_is_one, "set `networkPolicy.upstream.ports`"),
    (test_every_block_of_yaml_is_for_somebody_who_takes_it, "```yaml\nspool: {sise: 1Gi}\n```"),
    (test_every_command_of_ours_is_one_with_its_options, "`privacy-gateway verify`"),
    (test_every_command_of_ours_is_one_with_its_options, "`privacy-gateway drain --wait`"),
    (test_every_target_of_make_is_one, "`make coffee`"),
    (test_every_file_of_ours_is_there, "`tests/e2e/test_gone.py`"),
]


@pytest.mark.parametrize(("look", "text"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_wrong_name_is_found(look: Callable[[Path], None], text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text + "\n")
    with pytest.raises(AssertionError):
        look(page)
