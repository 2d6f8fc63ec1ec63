"""Run a program in a root file system of its own: mounts that nobody else sees, then chroot.

    enclosure = Enclosure(root, mounts=[Mount("/usr/lib", "/usr/lib")], read_only=True, uid=65532)
    subprocess.run(enclosure.command("privacy-gateway", "--version"), env={...})

The program takes the place of the one that is started, so that signals reach it. Needs to be root.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.conftest import missing


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine at a place inside."""

    source: str
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Enclosure:
    """`root` itself is mounted read-only where that is asked for."""

    root: Path
    mounts: Sequence[Mount]
    read_only: bool
    uid: int = 0
    folder: str = "/"

    def command(self, *words: str) -> list[str]:
        """What to start; the environment it gets is the program's, PATH included."""
        spec = asdict(self) | {"root": str(self.root), "words": words}
        unshare = shutil.which("unshare") or "unshare"
        return [
            unshare, "--mount", "--propagation", "private", "--",
            sys.executable, "-I", "-S", str(Path(__file__).with_name("enclosed.py")),
            json.dumps(spec),
        ]  # fmt: skip


def require_enclosures() -> None:
    """Skip, or fail where parts are required, if this machine doesn't let us make them."""
    if os.geteuid() != 0:
        missing("a root file system of its own needs root")
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "true"],
            capture_output=True,
            check=False,
        ).returncode
    ):
        missing("mounts of its own (unshare --mount) are not allowed here")
