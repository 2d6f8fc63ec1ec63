"""The chart's README names what is there."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.helm.rendering import CHART, CI, MINIMAL, VERSIONS, Helm

README = (CHART / "README.md").read_text()
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def test_every_value_that_it_names_is_one() -> None:
    names = re.findall(r"`([a-z][A-Za-z]*(?:\.[A-Za-z]+)+)(?:: \w+)?`", README)
    ours = [name for name in names if name.split(".")[0] in VALUES]
    assert len(ours) > 10
    for name in ours:
        value: Any = VALUES
        for key in name.split("."):
            assert key in value, name
            value = value[key]


def test_every_file_that_it_names_is_there() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        assert (CHART / link).exists(), link
    for name in re.findall(r"`(files/[^`]+)`", README):
        assert (CHART / name).exists(), name


def test_its_first_values_install(helm: Helm, tmp_path: Path) -> None:
    (block,) = [
        each for each in re.findall(r"```yaml\n(.*?)```", README, re.S) if "values.yaml" in each
    ]
    file = tmp_path / "values.yaml"
    file.write_text(block)
    assert helm.render(file).workload["kind"] == "StatefulSet"


def test_the_values_that_the_page_about_traces_shows_are_the_charts(
    helm: Helm, tmp_path: Path
) -> None:
    page = (REPOSITORY / "docs" / "tracing-and-logs.md").read_text()
    (block,) = [each for each in re.findall(r"```yaml\n(.*?)```", page, re.S) if "fieldRef" in each]
    file = tmp_path / "values.yaml"
    file.write_text(block)
    rendered = helm.render(MINIMAL, file)
    (gateway,) = rendered.workload["spec"]["template"]["spec"]["containers"]
    names = [each["name"] for each in gateway["env"]]
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in names
    assert names.index("POD_NAME") < names.index("OTEL_RESOURCE_ATTRIBUTES")  # else not replaced


def test_its_network_policy_is_one() -> None:
    (block,) = [each for each in re.findall(r"```yaml\n(.*?)```", README, re.S) if "apiV" in each]
    for version in VERSIONS:
        kubernetes_validate.validate(yaml.safe_load(block), version, strict=True)


@pytest.mark.parametrize("mode", ["gateway", "sidecar", "injector"])
def test_there_is_an_example_of_each_mode(mode: str) -> None:
    modes = [yaml.safe_load(path.read_text()).get("mode", "gateway") for path in CI]
    assert mode in modes
