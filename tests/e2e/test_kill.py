"""`kill -9` under load, fifty times: no released response without its entry in the log."""

import asyncio
import random
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from tests.e2e.conftest import EXPORTS, ME, endpoints
from tests.support.gateway import (
    ExportService,
    RunningGateway,
    configuration,
    running,
    serving,
)
from tests.support.issuer import TestIssuer

KILLS = 50
CALLERS = 8


async def load(gateway: RunningGateway, released: list[str], enough: asyncio.Event, n: int) -> None:
    """Ask until the gateway dies; note the exchange id of each response as its head arrives."""
    headers = {"Authorization": f"Bearer {gateway.token}"}
    paths = [EXPORTS[name].path for name in ("json", "csv", "zip")]
    async with ClientSession(auto_decompress=False) as session:
        while True:
            try:
                async with session.get(gateway.url + random.choice(paths), headers=headers) as got:
                    assert got.status == 200
                    released.append(got.headers["X-Exchange-Id"])
                    if len(released) >= n:
                        enough.set()
                    await got.read()
            except (ClientError, OSError):
                return


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_released_response_has_its_entry_whenever_the_gateway_is_killed(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    service = ExportService()
    for export in EXPORTS.values():
        service.answer(export.path, export.of(ME, ME, ME), export.media_type)
    every: list[str] = []
    async with serving(service) as upstream:
        config = configuration(tmp_path, issuer, upstream, endpoints())
        for _ in range(KILLS):
            async with running(config) as gateway:
                gateway.token = issuer.token(sub=ME)
                released: list[str] = []
                enough = asyncio.Event()
                n = random.randint(1, 60)
                callers = [
                    asyncio.create_task(load(gateway, released, enough, n)) for _ in range(CALLERS)
                ]
                await enough.wait()
                gateway.process.kill()
                await asyncio.gather(*callers)
                every += released
            assert list((tmp_path / "spool").iterdir()) == []
        async with running(config) as gateway:
            assert gateway.verify().ok, gateway.verify().report
            logged = {
                entry["decision_id"]
                for entry in gateway.entries()
                if entry["outcome"] == "released"
            }
        missing = set(every) - logged
        assert not missing, f"{len(missing)} of {len(every)} released responses are not in the log"
        assert len(every) >= KILLS
