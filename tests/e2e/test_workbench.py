"""The tools say what a real gateway does: the same status, code and bytes for the same exchange."""

import gzip
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.config import Config, load
from gateway.stored import InMemory
from gateway.workbench.desk import Desk, Trial
from gateway.workbench.samples import Sample
from tests.e2e.conftest import EXPORTS, FOREIGN, ME, endpoints
from tests.support.gateway import (
    ExportService,
    RunningGateway,
    configuration,
    running,
    serving,
)
from tests.support.issuer import TestIssuer

OWNERS = (ME, ME, ME, FOREIGN, "a1", " A1", "A1\u200b", "Ａ1", "A10", "")
"""Mostly one's own, so that some of most bodies leaves."""

BROKEN = {
    "cut off": lambda body: body[:-3],
    "a byte too many": lambda body: body + b"}",
    "not UTF-8": lambda body: body.replace(b"A1", b"A\xff", 1),
    "empty": lambda body: b"",
}


@dataclass(frozen=True)
class Both:
    """A gateway, its upstream, and a desk of the same configuration."""

    gateway: RunningGateway
    service: ExportService
    desk: Desk
    config: Config

    async def agree(self, name: str, body: bytes, media_type: str, *, coded: bool) -> None:
        """Demand the same end of the same response."""
        endpoint = self.desk.endpoint(name)
        self.service.answer(endpoint.path, body, media_type, codings=("gzip",) if coded else ())
        real = await self.gateway.get(endpoint.path, **{"Accept-Encoding": "gzip"})
        _, headers, sent = self.service.answers[endpoint.path]
        fields = tuple((key.encode(), value.encode()) for key, value in headers.items())
        sample = Sample(InMemory(sent), (*fields, (b"Content-Length", b"%d" % len(sent))))
        trial = await self.desk.judge(Trial(name, {"sub": ME}, sample))
        if trial.refusal is None:
            assert (real.status, real.body) == (200, trial.released())
        else:
            told = (trial.refusal.status, trial.refusal.code.value)
            assert (real.status, real.code) == told, trial.refusal


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    folder, service, issuer = tmp_path_factory.mktemp("both"), ExportService(), TestIssuer()
    async with serving(service) as upstream:
        partial = {f"{name}-partial": "redact" for name in EXPORTS}
        deployment = {"grounds": {"self_access": True}, "partial": partial}
        file: Path = configuration(folder, issuer, upstream, endpoints(), deployment=deployment)
        config = load(file, {})
        async with running(file) as gateway, Desk(config) as desk:
            gateway.token = issuer.token(sub=ME)
            yield Both(gateway, service, desk, config)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("suffix", ["", "-partial"])
@pytest.mark.parametrize("form", EXPORTS)
async def test_a_trial_ends_as_the_exchange_does_byte_for_byte(
    both: Both, form: str, suffix: str, coded: bool
) -> None:
    dice = random.Random(f"{form}{suffix}{coded}")
    export = EXPORTS[form]
    for size in (0, 1, 1, 2, 3, 5, 8):
        owners = [dice.choice(OWNERS if form != "csv" else OWNERS[:6]) for _ in range(size)]
        await both.agree(form + suffix, export.of(*owners), export.media_type, coded=coded)
    await both.agree(form + suffix, export.of(ME, ME), export.media_type, coded=coded)
    for break_it in BROKEN.values():
        body = break_it(export.of(ME, FOREIGN, ME))
        await both.agree(form + suffix, body, export.media_type, coded=coded)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_declared_wrongly_ends_alike_too(both: Both) -> None:
    json = EXPORTS["json"].of(ME)
    await both.agree("json", json, "text/html", coded=False)
    await both.agree("json", json, "application/json; charset=latin-1", coded=False)
    await both.agree("json", gzip.compress(json), "application/json", coded=False)
    await both.agree("json", gzip.compress(json), "application/json", coded=True)
