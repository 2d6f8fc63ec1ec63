"""How long a gateway takes to be ready: from `exec` until its /readyz says so.

    python -m bench.startup

The embedded engine with the library's policy, in the configuration of the contest; everything is
compiled and in the system's cache, as on a node that has run the image before. Ready means proven:
the planted exchanges have passed through the policy, an inspecting process and the log.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.guarded import gateway_config, token_and_keys
from bench.servers import ROOT, free_port, workspace
from bench.watching import processor

STARTS = 5
_LOOK, _PATIENCE = 0.01, 60.0


def measure(starts: int = STARTS) -> dict[str, Any]:
    """Medians of so many starts: seconds, and seconds of processor time of all its processes.

    Raises TimeoutError where one ends, or isn't ready within a minute.
    """
    with workspace() as folder:
        token_and_keys(folder)
        config = gateway_config(folder, free_port(), free_port(), free_port())
        file = folder / "gateway.yaml"
        file.write_text(json.dumps(config))
        # Whoever runs this may keep Python from writing bytecode, as tests do.
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        start(file, str(config["admin"]), environ)
        taken = [start(file, str(config["admin"]), environ) for _ in range(starts)]
    seconds = [each for each, _ in taken]
    return {
        "starts": starts,
        "seconds": round(statistics.median(seconds), 3),
        "slowest": round(max(seconds), 3),
        "processor": round(statistics.median(spent for _, spent in taken), 3),
    }


def start(file: Path, admin: str, environ: Mapping[str, str]) -> tuple[float, float]:
    """Seconds until it is ready, and of processor time until then. Raises as `measure` does."""
    command = [sys.executable, "-m", "gateway", "run", "--config", str(file)]
    quiet = subprocess.DEVNULL
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=quiet, stderr=quiet) as gateway:
        try:
            while not _ready(admin):
                if gateway.poll() is not None or time.monotonic() - began > _PATIENCE:
                    raise TimeoutError("the gateway does not become ready")
                time.sleep(_LOOK)
            return time.monotonic() - began, processor(gateway.pid)
        finally:
            gateway.terminate()


def _ready(admin: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{admin}/readyz", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
