"""The image: what its Dockerfile copies is all that a gateway and an injector need.

There is no container engine in these tests. The Dockerfile's instructions are replayed
(`tests/support/image.py`); the result runs as the image's user, read-only, without a shell.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.injector.generations import issue
from tests.conftest import REPOSITORY, missing
from tests.e2e.conftest import EXPORTS, ME
from tests.support.dockerfile import parse, sent
from tests.support.enclosure import Enclosure, Mount, require_enclosures
from tests.support.gateway import ExportService, serving
from tests.support.image import Image, replay
from tests.support.issuer import TestIssuer
from tests.support.pods import sidecar
from tests.support.waiting import until_ok

RUN_LOCK = REPOSITORY / "requirements" / "run.lock"
FOREIGN = "A9-canary-foreign"
SHELLS = ("sh", "bash", "dash", "env", "cat", "busybox")
WHEELS = [f"manylinux_2_{minor}" for minor in range(17, 37)]
"""What runs on the base's glibc, 2.36."""


def require_index(folder: Path) -> None:
    """Skip, or fail where parts are required, if packages can't be had."""
    (folder / "one.lock").write_text(_pinned("attrs"))
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
            "--dest", str(folder / "index"), "-r", str(folder / "one.lock"),
        ],
        capture_output=True, check=False, timeout=110,
    )  # fmt: skip
    if done.returncode:
        missing("the package index can't be reached")


def _pinned(name: str) -> str:
    blocks = re.split(r"\n(?=\S)", RUN_LOCK.read_text())
    return next(block for block in blocks if block.startswith(f"{name}=="))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    require_enclosures()
    if not (Path(sys.base_prefix) / "bin" / "python").exists():
        missing("a Python with a prefix of its own, as the base image has it")
    folder = tmp_path_factory.mktemp("image")
    require_index(folder)
    yield replay(REPOSITORY, folder, {"VERSION": "9.9.9", "REVISION": "abc", "SOURCE": "here"})
    shutil.rmtree(folder)


# --- the Dockerfile as it is written ------------------------------------------------------------


def test_the_final_stage_runs_nothing_and_nothing_in_it_needs_a_shell() -> None:
    final = parse((REPOSITORY / "Dockerfile").read_text()).final
    assert not final.all("RUN")
    assert final.last("ENTRYPOINT").exec_form
    assert final.last("CMD").exec_form
    assert re.search(r"\bCMD \[", final.last("HEALTHCHECK").text)
    assert final.last("USER").text == "65532:65532"
    assert [each.flags for each in final.all("COPY")] == [{"from": "build"}]


def test_every_stage_has_the_one_base_that_a_release_pins() -> None:
    dockerfile = parse((REPOSITORY / "Dockerfile").read_text())
    assert {stage.base for stage in dockerfile.stages} == {"${BASE}"}
    for base in (dockerfile.arguments["BASE"], ""):
        done = subprocess.run(
            ["make", "image", f"BASE={base}"],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "by its digest" in done.stderr


def test_the_image_has_the_version_of_the_package() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    final = parse((REPOSITORY / "Dockerfile").read_text()).final
    defaults = {k: v for each in final.all("ARG") for k, v in each.pairs.items()}
    assert defaults["VERSION"] == project["version"]


def test_the_context_holds_code_and_locks_and_nothing_else(tmp_path: Path) -> None:
    for name in (
        "gateway/app.py", "gateway/__pycache__/app.pyc", "policies/.manifest", "Dockerfile",
        "requirements/run.lock", "requirements/notes.txt", ".git/config", "decisions.jsonl",
        ".env", "pseudonym-key", "tests/test_x.py", "pyproject.toml",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert set(map(str, sent(tmp_path, (REPOSITORY / ".dockerignore").read_text()))) == {
        "gateway/app.py", "policies/.manifest", "requirements/run.lock", "pyproject.toml",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("lock", ["run.lock", "build.lock"])
def test_every_locked_package_has_a_wheel_for_arm64_with_a_locked_hash(
    tmp_path: Path, lock: str
) -> None:
    """For amd64 the replay shows it: it installs nothing else."""
    require_index(tmp_path)
    platforms = [f"--platform={wheel}_aarch64" for wheel in ("manylinux2014", *WHEELS)]
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet",
            "--target", str(tmp_path / "t"), *platforms, "--implementation=cp",
            "--python-version=3.11", "--only-binary=:all:", "--no-deps", "--require-hashes",
            "--report", str(tmp_path / "report.json"), "-r", str(RUN_LOCK.with_name(lock)),
        ],
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "report.json").read_text())["install"]
    assert len(found) > 20
    for package in found:
        sha256 = package["download_info"]["archive_info"]["hashes"]["sha256"]
        assert f"sha256:{sha256}" in RUN_LOCK.with_name(lock).read_text()


# --- the image as it is built -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_labels_say_what_it_is(image: Image) -> None:
    labels = {k.removeprefix("org.opencontainers.image."): v for k, v in image.labels.items()}
    assert labels | {"version": "9.9.9", "revision": "abc", "source": "here"} == labels
    assert labels["licenses"] == "Apache-2.0"
    base = parse((REPOSITORY / "Dockerfile").read_text()).arguments["BASE"]
    assert labels["base.name"] == base


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_image_holds_the_locked_packages_and_its_bill_says_so(image: Image) -> None:
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", RUN_LOCK.read_text(), re.MULTILINE))
    del locked["colorama"]  # for Windows only
    bill = json.loads((image.root / "opt/gateway/share/sbom.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "privacy-gateway"
    packages = {
        re.sub(r"[._]", "-", component["name"].lower()): component["version"]
        for component in bill["components"]
    }
    packages.pop("privacy-gateway", None)
    assert packages == locked
    scripts = {path.name for path in (image.root / "opt/gateway/bin").iterdir()}
    assert not {"pip", "pip3", "ruff", "pytest", "hatchling"} & scripts


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_no_shell_in_the_root_that_the_gateway_is_tried_in(
    image: Image, shell: str
) -> None:
    done = subprocess.run(
        image.enclosure().command(shell, "--version"),
        env=dict(image.environment), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert "FileNotFoundError" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_the_image_guards_an_export_read_only_as_a_stranger_to_the_system(
    image: Image, tmp_path: Path, issuer: TestIssuer
) -> None:
    service, export = ExportService(), EXPORTS["json"]
    async with serving(service) as upstream:
        enclosure, admin = _mounted(image, tmp_path, issuer, upstream)
        before = _tree(image.root)
        async with _running(image, enclosure, image.command) as (process, words):
            listen = words["listen"]
            await _until_ready(f"http://127.0.0.1:{admin}", process)
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert re.search(r"^Uid:\t65532\t65532\t65532\t65532$", status, re.MULTILINE)
            assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
            assert await _called(image, enclosure, *image.healthcheck) == (0, "")
            async with ClientSession(headers={"Authorization": issuer.bearer(sub=ME)}) as session:
                own = export.of(ME, ME)
                service.answer(export.path, own, export.media_type)
                async with session.get(listen + export.path) as answer:
                    assert (answer.status, await answer.read()) == (200, own)
                service.answer(export.path, export.of(ME, FOREIGN), export.media_type)
                async with session.get(listen + export.path) as answer:
                    assert answer.status == 403
                    assert FOREIGN not in await answer.text()
            hook = ("privacy-gateway", "drain", "--admin", f"127.0.0.1:{admin}")
            assert await _called(image, enclosure, *hook) == (0, ""), "a sidecar's preStop"
            async with (
                ClientSession() as session,
                session.get(f"http://127.0.0.1:{admin}/readyz") as answer,
            ):
                assert answer.status == 503
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            assert (await _called(image, enclosure, *image.healthcheck))[0] == 1
        assert _tree(image.root) == before
        entries = map(json.loads, (tmp_path / "log" / "decisions.jsonl").read_text().splitlines())
        outcomes = [entry["outcome"] for entry in entries if not entry.get("probe")]
        assert outcomes == ["released", "blocked"]
        assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_the_image_is_the_injector_too(image: Image, tmp_path: Path) -> None:
    """As the chart runs it, with a certificate that is mounted."""
    certificate = tmp_path / "certificate"
    certificate.mkdir()
    made = issue(["injector.example.svc"], datetime.now(UTC), timedelta(days=1)).serving
    key, begin, chain = made.partition(b"-----BEGIN CERTIFICATE-----")
    (certificate / "tls.key").write_bytes(key)
    (certificate / "tls.crt").write_bytes(begin + chain)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "sidecar.yaml").write_bytes(sidecar())
    enclosure = image.enclosure(
        Mount(str(tmp_path / "config"), "/etc/privacy-gateway"),
        Mount(str(certificate), "/run/secrets/privacy-gateway"),
    )
    command = [
        "privacy-gateway", "injector", "--sidecar=/etc/privacy-gateway/sidecar.yaml",
        "--certificate=/run/secrets/privacy-gateway", "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0", "--drain=0s",
    ]  # fmt: skip
    async with _running(image, enclosure, command) as (process, words):
        await _until_ready(words["admin"], process)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def _mounted(
    image: Image, folder: Path, issuer: TestIssuer, upstream: str
) -> tuple[Enclosure, int]:
    """The image with the mounts that a deployment gives it, and the port of its admin server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        admin = probe.getsockname()[1]
    for name in ("config", "secrets", "spool", "log"):
        (folder / name).mkdir()
    for name in ("spool", "log"):
        os.chown(folder / name, image.uid, image.uid)
    issuer.write_jwks(folder / "secrets" / "jwks.json")
    key = folder / "secrets" / "pseudonym-key"
    key.write_bytes(secrets.token_bytes(32))
    key.chmod(0o400)
    os.chown(key, image.uid, image.uid)
    export = EXPORTS["json"]
    log = {
        "file": "/var/log/privacy-gateway/decisions.jsonl",
        "pseudonym_key_file": "/run/secrets/privacy-gateway/pseudonym-key",
    }
    config = {
        "listen": "127.0.0.1:0",
        "admin": f"0.0.0.0:{admin}",
        "upstream": upstream,
        "identity": {"issuers": [
            issuer.config("/run/secrets/privacy-gateway/jwks.json", identifiers={"account": "sub"})
        ]},
        "decision_log": log,
        "spool": {"directory": "/var/spool/privacy-gateway", "memory": "1KiB"},
        "endpoints": [{"name": "orders", "path": export.path, "body": export.body}],
    }  # fmt: skip
    (folder / "config" / "gateway.yaml").write_text(json.dumps(config))
    return image.enclosure(
        Mount(str(folder / "config"), "/etc/privacy-gateway"),
        Mount(str(folder / "secrets"), "/run/secrets/privacy-gateway"),
        Mount(str(folder / "spool"), "/var/spool/privacy-gateway", read_only=False),
        Mount(str(folder / "log"), "/var/log/privacy-gateway", read_only=False),
    ), admin


@asynccontextmanager
async def _running(
    image: Image, enclosure: Enclosure, command: Sequence[str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, str]]]:
    """A command in the image, and the addresses that it listens on."""
    process = await asyncio.create_subprocess_exec(
        *enclosure.command(*command),
        env=dict(image.environment), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        line = await process.stdout.readline()
        assert line, "it didn't start"
        yield process, json.loads(line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # or its pipe warns at exit


async def _called(image: Image, enclosure: Enclosure, *command: str) -> tuple[int, str]:
    """Another command beside it, as a kubelet would: its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *enclosure.command(*command),
        env=dict(image.environment), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def _until_ready(admin: str, process: asyncio.subprocess.Process) -> None:
    async with ClientSession() as session:
        await until_ok(session, f"{admin}/readyz", lambda: "", process)


def _tree(root: Path) -> set[tuple[str, int, int]]:
    """Every file with its size and time of change."""
    return {
        (str(path), path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file() or path.is_symlink()
    }
