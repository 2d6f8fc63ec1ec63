"""`python -m dashboards [--picture FILE] [--seconds N]`: writes the dashboard; with `--picture`,
plays some minutes of traffic at real gateways and draws what a real Prometheus answers."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from dashboards.grafana import rendered

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "helm" / "privacy-gateway" / "files" / "dashboards" / "privacy-gateway.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw it, as a PNG")
    parser.add_argument("--seconds", type=float, default=220, help="how long to play for it")
    asked = parser.parse_args()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(rendered())
    if asked.picture:
        asyncio.run(_draw(asked.picture, asked.seconds))
    return 0


async def _draw(target: Path, seconds: float) -> None:
    from dashboards.interpolation import View
    from dashboards.picture import answered, drawn
    from dashboards.play import play
    from dashboards.scene import stage

    board = json.loads(TARGET.read_text())
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as scene:
            await scene.round()
            await scene.scraped()
            begin = time.time()
            await play(scene, seconds)
            await scene.scraped()
            end = time.time()
            view = View(range=end - begin, step=4, scrape=1)
            answers, moments = await answered(board, scene.prometheus, view, end)
    drawn(board, answers, moments, (begin, end), target)


if __name__ == "__main__":
    sys.exit(main())
