"""What somebody reads after `helm install`."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.helm.rendering import CHART, CI, MINIMAL, SIDECAR, Helm

IN_A_CONFIGMAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data: {notes: {{ include "privacy-gateway.notes" . | quote }}}
"""


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with one template more: `helm template` leaves NOTES.txt out."""
    copy = tmp_path_factory.mktemp("chart") / "privacy-gateway"
    shutil.copytree(CHART, copy)
    assert (copy / "templates" / "NOTES.txt").read_text().strip() == (
        '{{ include "privacy-gateway.notes" . }}'
    )
    (copy / "templates" / "notes.yaml").write_text(IN_A_CONFIGMAP)
    return copy


def notes(helm: Helm, chart: Path, *files: Path, **values: Any) -> str:
    text: str = helm.render(*files, chart=chart, **values).one("ConfigMap", "notes")["data"][
        "notes"
    ]
    return text


def test_they_say_what_to_try_first(helm: Helm, chart: Path) -> None:
    said = notes(helm, chart, MINIMAL)
    assert said.index("rollout status statefulset/shop-privacy-gateway") < said.index(
        "helm test shop"
    )
    assert "http://127.0.0.1:8080/exports/orders" in said
    assert "port-forward statefulset/shop-privacy-gateway 8282" in said
    assert "http://127.0.0.1:8282/readyz" in said
    assert "http://shop-privacy-gateway.shop.svc:80 from now on" in said
    assert "WARNING" not in said


def test_the_gateway_has_the_commands_that_they_name(helm: Helm, chart: Path) -> None:
    said = notes(helm, chart, MINIMAL)
    command = said[said.index("privacy-gateway log verify") :].replace("\\\n", " ").split()
    known = subprocess.run(
        [sys.executable, "-m", "gateway", "log", "verify", "--help"],
        capture_output=True, text=True, cwd=REPOSITORY, check=True,
    ).stdout  # fmt: skip
    assert all(word in known for word in command if word.startswith("--"))
    assert "--key-file" in command


def test_beside_an_app_they_say_who_reaches_it(helm: Helm, chart: Path) -> None:
    said = notes(helm, chart, SIDECAR)
    assert "rollout status deployment/shop-privacy-gateway" in said
    assert "127.0.0.1:3000" in said


def test_for_the_injector_they_say_how_to_ask_for_a_gateway(helm: Helm, chart: Path) -> None:
    said = notes(helm, chart, CHART / "ci" / "injector-opa.yaml")
    assert 'privacy-gateway.dev/inject: "true"' in said
    assert "label namespace shop privacy-gateway.dev/injection=enabled" in said
    assert "create configmap privacy-gateway --from-file=gateway.yaml" in said


def test_they_warn_of_what_lets_something_through(helm: Helm, chart: Path) -> None:
    assert "can go around the gateway" in notes(helm, chart, MINIMAL, networkPolicy__enabled=False)
    assert "goes with the pod" in notes(helm, chart, MINIMAL, decisionLog__storage="ephemeral")
    body = {"format": "json", "subject": {"account": "$.id"}}
    observed = [{
        "name": "orders", "path": "/orders", "body": body,
        "enforcement": "observe", "observe_until": "2026-12-31",
    }]  # fmt: skip
    said = notes(helm, chart, MINIMAL, config__endpoints=observed)
    assert "orders is only observed until 2026-12-31" in said


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_every_way_to_install_has_notes(helm: Helm, chart: Path, values: Path) -> None:
    said = notes(helm, chart, values)
    assert "<nil>" not in said and "%!" not in said and "no value" not in said
    assert all(len(line) <= 160 for line in said.splitlines())
