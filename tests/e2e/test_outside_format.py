"""The format of a package that somebody else wrote, installed beside a real gateway."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.conftest import FOREIGN, ME
from tests.support.gateway import ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer

PACKAGE = REPOSITORY / "docs" / "examples" / "fixed-width"
TYPE = "text/vnd.acme.fixed-width"
BODY = {"format": "acme.fixed-width", "subject": {"account": "1-24"}}
DATA = {"grounds": {"self_access": True}, "partial": {"ledger-partial": "redact"}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps",
         "--no-index", "--disable-pip-version-check", "--target", folder, PACKAGE],
        check=True,
    )  # fmt: skip
    return folder


def lines(*owners: str) -> bytes:
    return b"".join(b"%-24s%8d\n" % (owner.encode(), n) for n, owner in enumerate(owners))


@pytest.mark.parametrize("rows", [1, 4000], ids=["in the event loop", "in a worker"])
async def test_it_passes_redacts_and_blocks_like_ours(
    site: Path, tmp_path: Path, rows: int
) -> None:
    service, issuer = ExportService(), TestIssuer()
    async with serving(service) as upstream:
        endpoints = [
            {"name": name, "path": f"/{name}", "body": BODY}
            for name in ("ledger", "ledger-partial")
        ]
        config = configuration(tmp_path, issuer, upstream, endpoints, deployment=DATA)
        path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
        async with running(config, environ={"PYTHONPATH": path}) as gateway:
            gateway.token = issuer.token(sub=ME)
            own, mixed = lines(*[ME] * rows), lines(*[ME] * rows, FOREIGN)
            service.answer("/ledger", own, TYPE)
            answer = await gateway.get("/ledger")
            assert (answer.status, answer.body) == (200, own)
            assert answer.headers["Content-Type"] == TYPE
            service.answer("/ledger", mixed, TYPE)
            assert (await gateway.get("/ledger")).code == "blocked_by_policy"
            service.answer("/ledger-partial", mixed, TYPE)
            assert (await gateway.get("/ledger-partial")).body == own
            service.answer("/ledger", own[:-1], TYPE)
            assert (await gateway.get("/ledger")).code == "body_incomplete"
            assert 'format="acme.fixed-width"' in await gateway.metrics()


def test_a_format_that_is_not_installed_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    endpoint = {"name": "ledger", "path": "/ledger", "body": BODY}
    config = configuration(tmp_path, TestIssuer(), "http://127.0.0.1:1", [endpoint])
    checked = subprocess.run(
        [sys.executable, "-m", "gateway", "check", "--config", config],
        capture_output=True, text=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert checked.returncode != 0
    assert "endpoints[0].body.format: no installed package brings it" in (
        checked.stdout + checked.stderr
    )
