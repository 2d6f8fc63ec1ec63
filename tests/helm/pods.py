"""A rendered pod's files on this machine, as a kubelet would lay them out.

Every volume is a folder; ConfigMaps and Secrets are written as Kubernetes' AtomicWriter does it:
each file is a symlink through `..data`, which leads to the version of the day.
"""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.helm.rendering import Rendered

BLOCK_ALL = """package privacy.decision

effect := "block"

permitted := []

unattributed := "withhold"

withhold := []

mask := []

reasons := ["nobody"]
"""
ELSEWHERE: Mapping[str, bytes] = {
    "pseudonym-key": b"k" * 32,
    "pseudonyms": b"k" * 32,
    "token": b"a-token",
    "decision.rego": BLOCK_ALL.encode(),
    "manifest": b'{"revision": "1", "roots": ["privacy"]}',
    "gateway.yaml": (REPOSITORY / "docs" / "examples" / "minimal.yaml").read_bytes(),
}
"""By key, what the ConfigMaps and Secrets hold that the chart only names."""


@dataclass(frozen=True)
class Pod:
    """The mounts of one container."""

    mounts: Mapping[str, Path]

    def here(self, text: str) -> str:
        """The text with the paths in the pod replaced by those on this machine."""
        for path in sorted(self.mounts, key=len, reverse=True):
            text = text.replace(path, str(self.mounts[path]))
        return text

    def config(self) -> Path:
        """gateway.yaml with its absolute paths replaced, beside the files that it names."""
        folder = self.mounts["/etc/privacy-gateway"]
        text = self.here((folder / "gateway.yaml").read_text())
        target = folder / "..data" / "gateway.yaml"
        target.write_text(text)
        return folder / "gateway.yaml"

    def environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        """This process's own, and the container's literal variables."""
        given = {
            each["name"]: self.here(each["value"])
            for each in container.get("env", [])
            if "value" in each
        }
        return os.environ | {"PYTHONPATH": str(REPOSITORY)} | given


def lay_out(rendered: Rendered, container: Mapping[str, Any], folder: Path) -> Pod:
    """Write all that the container mounts into `folder`."""
    volumes = {each["name"]: each for each in rendered.pod["volumes"]}
    for template in rendered.workload["spec"].get("volumeClaimTemplates", []):
        volumes[template["metadata"]["name"]] = {"emptyDir": {}}
    mounts = {}
    for mount in container["volumeMounts"]:
        place = folder / mount["name"]
        place.mkdir(mode=0o770)
        _fill(rendered, volumes[mount["name"]], place)
        mounts[mount["mountPath"]] = place
    return Pod(mounts)


def _fill(rendered: Rendered, volume: Mapping[str, Any], place: Path) -> None:
    if "projected" in volume:
        files: dict[str, bytes] = {}
        for source in volume["projected"]["sources"]:
            files |= _source(rendered, source)
        swap(place, files, volume["projected"].get("defaultMode", 0o644))
    elif "image" in volume:
        shutil.copytree(REPOSITORY / "policies", place / "policies", ignore=_tests)
    else:
        assert volume.keys() & {"emptyDir", "ephemeral", "persistentVolumeClaim"}, volume


def _tests(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith("_test.rego")]


def _source(rendered: Rendered, source: Mapping[str, Any]) -> dict[str, bytes]:
    """Path → content, of one source of a projected volume."""
    ((kind, reference),) = source.items()
    data = ELSEWHERE
    if kind == "configMap":
        for manifest in rendered.all("ConfigMap"):
            if manifest["metadata"]["name"] == reference["name"]:
                data = {key: text.encode() for key, text in manifest["data"].items()}
    if "items" in reference:
        return {each["path"]: data[each["key"]] for each in reference["items"]}
    return dict(data) if data is not ELSEWHERE else {"gateway.yaml": data["gateway.yaml"]}


def swap(place: Path, files: Mapping[str, bytes], mode: int = 0o644) -> None:
    """Put a new version in the place of the old one, in one step."""
    version = place / f"..{secrets.token_hex(4)}"
    for path, content in files.items():
        target = version / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(mode)
    link = place / "..data_tmp"
    link.symlink_to(version.name)
    link.rename(place / "..data")
    for name in {Path(path).parts[0] for path in files}:
        if not (place / name).is_symlink():
            (place / name).symlink_to(Path("..data") / name)


def deployment(data: Mapping[str, Any]) -> bytes:
    """A deployment's data, as the chart writes it."""
    return json.dumps(data).encode()


def checked(rendered: Rendered, folder: Path) -> subprocess.CompletedProcess[str]:
    """`privacy-gateway check` of the rendered gateway's configuration, in its environment."""
    container = rendered.container()
    pod = lay_out(rendered, container, folder)
    return subprocess.run(
        [sys.executable, "-m", "gateway", "check", "--config", str(pod.config())],
        capture_output=True, text=True, env=pod.environment(container), cwd=REPOSITORY,
    )  # fmt: skip


@asynccontextmanager
async def started(pod: Pod, container: dict[str, Any], folder: Path) -> AsyncIterator[str]:
    """The rendered container's command, with ports of its own on the rendered addresses; yields
    the line with its URLs."""
    environment = pod.environment(container) | {
        "PRIVACY_GATEWAY_LISTEN": "0.0.0.0:0",
        "PRIVACY_GATEWAY_ADMIN": "0.0.0.0:0",
        "PRIVACY_GATEWAY_CLIENT__DRAIN_DELAY": "0s",  # nobody balances here
    }
    with (folder / "stderr").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *map(pod.here, container["args"]),
            stdout=asyncio.subprocess.PIPE, stderr=log, env=environment, cwd=REPOSITORY,
        )  # fmt: skip
    assert process.stdout
    try:
        line = await process.stdout.readline()
        assert line, (folder / "stderr").read_text()
        yield line.decode()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]
