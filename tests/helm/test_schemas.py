"""Every file in ci/ is rendered, linted, and held against three Kubernetes releases."""

import functools
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from kubernetes_validate import utils

from tests.helm.rendering import CHART, CI, VERSIONS, Helm, Manifest

SKIPPED = {
    "Certificate": "cert-manager's; its definitions are in no package that we can have",
    "Issuer": "cert-manager's; its definitions are in no package that we can have",
}
"""Kinds that are looked at by nobody here, and why."""


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


_TEXT, _TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
_SELECTOR = _object([], matchLabels={"type": "object"}, matchExpressions={"type": "array"})
_ENDPOINT = _object(
    ["port"], port=_TEXT, path=_TEXT, interval={"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
    honorLabels={"const": True},
    relabelings={
        "type": "array",
        "items": _object(
            ["action"], action={"enum": ["keep", "drop", "replace"]}, sourceLabels=_TEXTS,
            regex=_TEXT, targetLabel=_TEXT, replacement=_TEXT,
        ),
    },
)  # fmt: skip
_SCRAPE = {
    "selector": _SELECTOR,
    "namespaceSelector": _object([], any={"type": "boolean"}, matchNames=_TEXTS),
    "scrapeProtocols": {
        "type": "array",
        "items": {
            "enum": [
                "PrometheusProto", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1",
                "PrometheusText0.0.4", "PrometheusText1.0.0",
            ]
        },
    },
    "scrapeNativeHistograms": {"type": "boolean"},
    "scrapeClassicHistograms": {"type": "boolean"},
}  # fmt: skip
_RULE = _object(
    ["expr"], expr=_TEXT, record=_TEXT, alert=_TEXT, labels={"type": "object"},
    annotations={"type": "object"}, **{"for": _TEXT, "keep_firing_for": _TEXT},
)  # fmt: skip
_GROUP = _object(
    ["name", "rules"], name=_TEXT, interval=_TEXT, rules={"type": "array", "items": _RULE}
)
CUSTOM = {
    "ServiceMonitor": _object(
        ["selector", "endpoints"], endpoints={"type": "array", "items": _ENDPOINT}, **_SCRAPE
    ),
    "PodMonitor": _object(
        ["selector", "podMetricsEndpoints"],
        podMetricsEndpoints={"type": "array", "items": _ENDPOINT},
        **_SCRAPE,
    ),
    "PrometheusRule": _object(["groups"], groups={"type": "array", "items": _GROUP}),
}
"""The part of the Prometheus operator's API that the chart uses, from its reference (v1)."""


@pytest.fixture(autouse=True, scope="module")
def _read_once() -> Any:
    """The schemas of one release are a megabyte of JSON, read anew for each manifest otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


def check(manifest: Manifest, version: str) -> None:
    kind = manifest["kind"]
    if kind in SKIPPED:
        return
    if kind in CUSTOM:
        jsonschema.validate(manifest["spec"], CUSTOM[kind])
        return
    kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_what_is_rendered_is_what_kubernetes_takes(helm: Helm, values: Path, version: str) -> None:
    manifests = helm.render(values, version=version).manifests
    assert manifests
    for manifest in manifests:
        check(manifest, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_key_would_be_seen(helm: Helm, version: str) -> None:
    """The pass twin's other half: these schemas do refuse something."""
    rendered = helm.render(CI[0], version=version)
    (manifest,) = [each for each in rendered.manifests if each["kind"] == "Deployment"] or [
        rendered.workload
    ]
    manifest["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        check(manifest, version)


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_helm_lint_has_nothing_to_say(helm: Helm, values: Path) -> None:
    said = helm.run(
        "lint", str(CHART), "--strict", "--kube-version", VERSIONS[-1], "--values", str(values)
    )
    assert "0 chart(s) failed" in said
    assert "[WARNING]" not in said and "[ERROR]" not in said


def test_no_two_manifests_of_a_release_have_one_name(helm: Helm) -> None:
    for values in CI:
        names = [(each["kind"], each["metadata"]["name"]) for each in helm.render(values).manifests]
        assert len(set(names)) == len(names), values
