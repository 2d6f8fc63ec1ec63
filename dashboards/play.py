"""An incident, played in some minutes: what the picture in docs/ shows.

share of the time
0.20 to 0.45    the archive's upstream mixes people up: each of its answers holds a stranger's
0.25 to 0.45    the issuer does not answer: its keys grow old
0.55            a new policy goes live
0.60 to 0.80    the upstream is slow, and many want much: what is held grows
0.85            one of the two gateways is restarted
"""

import asyncio
import random
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from dashboards.scene import DEPLOYMENT, FORMATS, Scene
from tests.policy.support import shipped_bundle

CALLERS, PAUSE = 6, 0.35
USUAL = {
    "own": 86.0,
    "big": 4.0,
    "mixed": 4.0,
    "foreign": 0.6,
    "broken": 0.1,
    "no token": 2.0,
    "an old token": 0.8,
}


async def play(scene: Scene, seconds: float, *, seed: int = 2018) -> None:
    """Callers, and what happens to them. The parts are real; their choices repeat."""
    random.seed(seed)
    ends = time.monotonic() + seconds
    acts: list[tuple[float, Callable[[], Awaitable[None]]]] = [
        (0.20, lambda: _mix_up(scene, 4)),
        (0.25, lambda: _issuer(scene, answers=False)),
        (0.45, lambda: _mix_up(scene, 0)),
        (0.45, lambda: _issuer(scene, answers=True)),
        (0.55, lambda: _release_policy(scene.folder / "policies")),
        (0.60, lambda: _slow(scene, 0.25)),
        (0.75, lambda: _slow(scene, 0.004)),
        (0.80, lambda: scene.restart(1)),
    ]
    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(_call(scene, ends))
        for _ in range(4):
            callers.create_task(_export_much(scene, ends, ends - 0.4 * seconds, 0.15 * seconds))
        for share, act in acts:
            await asyncio.sleep(max(0.0, ends - (1 - share) * seconds - time.monotonic()))
            await act()


async def _call(scene: Scene, ends: float) -> None:
    while time.monotonic() < ends:
        endpoint = random.choice([*FORMATS, "orders", "orders", "messages"])
        (case,) = random.choices([*USUAL], [*USUAL.values()])
        if case == "no token":
            await scene.ask(endpoint, "own", "")
        elif case == "an old token":
            await scene.ask(endpoint, "own", scene.issuer.expired())
        else:
            await scene.ask(endpoint, case)
        await asyncio.sleep(random.expovariate(1 / PAUSE))


async def _export_much(scene: Scene, ends: float, begins: float, lasting: float) -> None:
    await asyncio.sleep(max(0.0, begins - time.monotonic()))
    while time.monotonic() < min(ends, begins + lasting):
        await scene.ask(random.choice(["orders", "messages", "visits"]), "big")


async def _mix_up(scene: Scene, strangers: int) -> None:
    scene.upstream.fill("voice-archive", "own", strangers)
    scene.upstream.fill("voice-archive", "big", strangers)


async def _issuer(scene: Scene, *, answers: bool) -> None:
    async def fail(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=scene.issuer.jwks_bytes(), content_type="application/json")

    scene.jwks.answer = answer if answers else fail


async def _release_policy(folder: Path) -> None:
    """The next revision in the place of this one: the same rules, another name."""
    beside = folder.with_name("policies-released")
    shipped_bundle(beside, DEPLOYMENT, "shipped-2")
    shutil.copytree(beside, folder, dirs_exist_ok=True)


async def _slow(scene: Scene, pause: float) -> None:
    scene.upstream.pause = pause
