"""The levels of a running gateway, changed as docs/tracing-and-logs.md says."""

import asyncio
import json
import re
import shlex
from pathlib import Path

from aiohttp import ClientSession, TCPConnector

from gateway.telemetry import tracing
from gateway.telemetry.levels import LEVELS, ROOMS
from gateway.trace import STEPS
from tests.conftest import REPOSITORY
from tests.e2e.conftest import DEPLOYMENT, EXPORTS, ME, endpoints
from tests.support.gateway import ExportService, RunningGateway, configuration, running, serving
from tests.support.issuer import TestIssuer

EXPORT = EXPORTS["json"]
PAGE = (REPOSITORY / "docs" / "tracing-and-logs.md").read_text()


async def shell(line: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *shlex.split(line), "--silent", "--fail-with-body", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, out
    return out.decode()


def events(gateway: RunningGateway, room: str) -> list[str]:
    lines = map(json.loads, gateway.stderr().splitlines())
    return [line["event"] for line in lines if line["logger"].startswith(f"gateway.{room}.")]


async def test_one_room_is_heard_after_the_pages_curl_line_and_no_stranger_changes_it(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    """The admin port listens on all addresses, as it does in a pod."""
    service = ExportService()
    async with serving(service) as upstream:
        config = configuration(
            tmp_path, issuer, upstream, endpoints(), deployment=DEPLOYMENT, admin="0.0.0.0:0"
        )
        async with running(config) as gateway:
            admin = gateway.admin.replace("0.0.0.0", "127.0.0.1")
            service.answer(EXPORT.path, EXPORT.of(ME), EXPORT.media_type)
            token = issuer.token(sub=ME)
            await gateway.get(EXPORT.path, token)
            assert not events(gateway, "identity") and not events(gateway, "policy.decisions")

            stranger = TCPConnector(local_addr=("127.0.0.2", 0))
            async with ClientSession(connector=stranger) as far:
                path = f"{admin}/log-levels/identity"
                async with far.put(path, data=b'{"level": "debug"}') as refused:
                    assert refused.status == 403
                async with far.get(f"{admin}/metrics") as scraped:
                    assert scraped.status == 200 and await scraped.read()
            await gateway.get(EXPORT.path, issuer.expired(sub=ME))
            assert not events(gateway, "identity")

            lines = re.findall(r"^curl .*$", PAGE, re.MULTILINE)
            assert len(lines) == 2
            for line in lines:
                shown = json.loads(await shell(line.replace("http://127.0.0.1:8282", admin)))
                assert shown["rooms"]["identity"]["level"] == "debug"
                assert "until" in shown["rooms"]["identity"]
            await gateway.get(EXPORT.path, issuer.expired(sub=ME))
            await gateway.get(EXPORT.path, token)
            assert "a token was refused" in events(gateway, "identity")
            assert not events(gateway, "policy.decisions")


def test_the_page_names_every_room_level_step_and_variable() -> None:
    for word in (*ROOMS, *LEVELS, *STEPS):
        assert f"`{word}`" in PAGE
    read = set(re.findall(r"OTEL_[A-Z_]+[A-Z]", Path(tracing.__file__).read_text()))
    for variable in read - {"OTEL_EXPORTER_OTLP", "OTEL_EXPORTER_OTLP_TRACES"}:
        assert variable in PAGE, variable
