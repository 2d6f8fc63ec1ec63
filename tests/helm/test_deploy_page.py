"""docs/deploy.md: what somebody pastes from it works.

```yaml file=NAME              whole values, or a gateway.yaml
```yaml file=NAME over=OTHER   values that go on top of those of another block
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gateway.injector import template
from tests.conftest import REPOSITORY
from tests.helm.pods import checked, lay_out, started
from tests.helm.rendering import CHART, CI, VERSIONS, Helm, Rendered
from tests.helm.test_schemas import check
from tests.support.issuer import TestIssuer

PAGE = (REPOSITORY / "docs" / "deploy.md").read_text()
BLOCKS = {
    words["file"]: (words.get("over"), text)
    for line, text in re.findall(r"^```yaml([^\n]*)\n(.*?)^```$", PAGE, re.M | re.S)
    if (words := dict(word.split("=", 1) for word in line.split()))
}
VALUES = [name for name in BLOCKS if "/" not in name]
GATEWAYS = [name for name in VALUES if name != "injector.yaml"]


def render(helm: Helm, folder: Path, name: str, version: str = VERSIONS[-1]) -> Rendered:
    """A block of values, with what it goes on top of."""
    files = []
    below, text = BLOCKS[name]
    for file, content in ((below, BLOCKS[below][1] if below else ""), (name, text)):
        if file:
            files.append(folder / file)
            files[-1].write_text(content)
    return helm.render(*files, version=version)


def test_every_block_of_yaml_is_tried() -> None:
    assert PAGE.count("```yaml") == len(BLOCKS)
    modes = [yaml.safe_load(BLOCKS[name][1]).get("mode", "gateway") for name in VALUES]
    assert set(modes) == {"gateway", "sidecar", "injector"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", VALUES)
def test_values_render_to_what_kubernetes_takes(
    helm: Helm, tmp_path: Path, name: str, version: str
) -> None:
    for manifest in render(helm, tmp_path, name, version).manifests:
        check(manifest, version)


@pytest.mark.parametrize("name", GATEWAYS)
def test_the_gateway_takes_what_they_configure(helm: Helm, tmp_path: Path, name: str) -> None:
    (tmp_path / "pod").mkdir()
    done = checked(render(helm, tmp_path, name), tmp_path / "pod")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_injected_gateway_takes_the_configuration_of_its_namespace(
    helm: Helm, tmp_path: Path
) -> None:
    rendered = render(helm, tmp_path, "injector.yaml")
    (configmap,) = [each for each in rendered.all("ConfigMap") if "sidecar.yaml" in each["data"]]
    sidecar = template.load(configmap["data"]["sidecar.yaml"].encode())
    gateway = sidecar.containers[-1]
    (tmp_path / "gateway.yaml").write_text(BLOCKS["shop/gateway.yaml"][1])
    (tmp_path / "pseudonym-key").write_bytes(b"k" * 32)
    (tmp_path / "pseudonym-key").chmod(0o400)
    places = (
        "/var/spool/privacy-gateway",
        "/var/log/privacy-gateway",
        "/run/secrets/privacy-gateway",
    )
    given = {each["name"]: each["value"] for each in gateway["env"]}
    for place in places:
        given = {key: value.replace(place, str(tmp_path)) for key, value in given.items()}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "check", "--config", str(tmp_path / "gateway.yaml")],
        capture_output=True, text=True, cwd=REPOSITORY, env={"PATH": "/usr/bin:/bin", **given},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


# --- what it says ---------------------------------------------------------------------------------


def test_the_first_steps_fit_the_first_values(helm: Helm, tmp_path: Path) -> None:
    """The names in its commands are those of a release `guard` in the namespace `shop`."""
    (tmp_path / "gateway.yaml").write_text(BLOCKS["gateway.yaml"][1])
    said = helm.run(
        "template", "guard", str(CHART), "--namespace", "shop", "--kube-version", VERSIONS[-1],
        "--values", str(tmp_path / "gateway.yaml"),
    )  # fmt: skip
    things = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(said)}
    service = things["Service", "guard-privacy-gateway"]
    assert "http://guard-privacy-gateway.shop.svc`" in PAGE
    assert f"service/guard-privacy-gateway 8080:{service['spec']['ports'][0]['port']}" in PAGE
    pod = things["StatefulSet", "guard-privacy-gateway"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert f"docker push {container['image']}\n" in PAGE
    (keys,) = [each for each in pod["volumes"] if each["name"] == "gateway-secrets"]
    secret = keys["projected"]["sources"][0]["secret"]
    key = secret["items"][0]["key"]
    assert f"create secret generic {secret['name']} --from-file={key}\n" in PAGE
    assert f"head -c 32 /dev/urandom > {key}\n" in PAGE


async def test_a_policy_is_not_rolled_back_by_an_older_configmap(
    helm: Helm, tmp_path: Path
) -> None:
    """A pod that starts with it, on the log's volume of the one before."""
    inline = next(path for path in CI if path.stem == "gateway-inline-policy")
    values = yaml.safe_load(inline.read_text())
    values["configFiles"]["jwks.json"] = json.dumps(TestIssuer().jwks())
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    rendered = helm.render(tmp_path / "values.yaml")
    container = dict(rendered.container())
    (tmp_path / "pod").mkdir()
    pod = lay_out(rendered, container, tmp_path / "pod")
    pod.config()
    manifest = pod.mounts["/etc/privacy-gateway"] / "..data" / "policies" / ".manifest"
    manifest.write_text('{"revision": "2", "roots": ["privacy"]}')
    async with started(pod, container, tmp_path):
        pass
    manifest.write_text('{"revision": "1", "roots": ["privacy"]}')
    with pytest.raises(AssertionError, match="its revision is older than the active one"):
        async with started(pod, container, tmp_path):
            pass
    assert "its revision is older\nthan the active one" in PAGE
    manifest.write_text('{"revision": "3", "roots": ["privacy"]}')
    async with started(pod, container, tmp_path):
        pass
