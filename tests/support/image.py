"""The image without a container engine: the Dockerfile's own instructions, replayed.

The base is this machine's Python, laid out as in the official image: at /usr/local, on the shared
libraries of /usr/lib. The first stage runs its RUN lines on top of this machine's tools, with the
files that COPY takes from the context through `.dockerignore`; the last stage gets Python, the
libraries, what COPY takes from the first, and nothing else: no shell, no /bin, no /etc.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.dockerfile import Dockerfile, Instruction, Stage, expanded, parse, sent
from tests.support.enclosure import Enclosure, Mount

_OF_THE_BUILDER = ("PIP_", "SSL_", "REQUESTS_", "HTTP_", "HTTPS_", "NO_", "http_", "https_", "no_")
"""Variables that say how this machine reaches the index: what a builder hands to its RUN lines."""
_BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """A root file system, and how the image starts."""

    root: Path
    environment: Mapping[str, str]
    uid: int
    labels: Mapping[str, str]
    command: Sequence[str]
    healthcheck: Sequence[str]

    def enclosure(self, *mounts: Mount) -> Enclosure:
        return Enclosure(self.root, [*_runtime(), *mounts], read_only=True, uid=self.uid)


def replay(context: Path, folder: Path, arguments: Mapping[str, str]) -> Image:
    """Build every stage in `folder`. Raises CalledProcessError where a RUN fails."""
    dockerfile = parse((context / "Dockerfile").read_text())
    roots: dict[str, Path] = {}
    for number, stage in enumerate(dockerfile.stages):
        root = folder / (stage.name or f"stage-{number}")
        root.mkdir()
        roots[stage.name] = root
        environment = _stage(dockerfile, stage, root, roots, context, arguments)
    return _image(dockerfile, root, environment, arguments)


def _stage(
    dockerfile: Dockerfile,
    stage: Stage,
    root: Path,
    roots: Mapping[str, Path],
    context: Path,
    arguments: Mapping[str, str],
) -> dict[str, str]:
    """The stage's ENV."""
    assert expanded(stage.base, dockerfile.arguments) == dockerfile.arguments["BASE"]
    environment, variables, here = {"PATH": _BASE_PATH}, dict(dockerfile.arguments), "/"
    for instruction in stage.instructions:
        match instruction.name:
            case "WORKDIR":
                here = instruction.text
                (root / here.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "ARG":
                given = {name: value for name, value in arguments.items() if name in variables}
                variables |= instruction.pairs | given
            case "ENV":
                known = variables | environment
                environment |= {k: expanded(v, known) for k, v in instruction.pairs.items()}
            case "COPY":
                _copy(instruction, root / here.lstrip("/"), root, roots, context)
            case "RUN":
                _run(instruction, root, here, environment)
            case _:
                pass  # about how the image is started: `_image` reads them
    return environment


def _copy(
    instruction: Instruction, here: Path, root: Path, roots: Mapping[str, Path], context: Path
) -> None:
    *sources, target = instruction.words
    to = root / target.lstrip("/") if target.startswith("/") else here / target
    if stage := instruction.flags.get("from"):
        (source,) = sources
        shutil.copytree(roots[stage] / source.lstrip("/"), to, symlinks=True)
        return
    ignore = (context / ".dockerignore").read_text()
    files = list(sent(context, ignore))
    for source in sources:
        found = [path for path in files if path == Path(source) or Path(source) in path.parents]
        assert found, f"COPY {source}: .dockerignore leaves nothing of it"
        for path in found:
            # A folder's contents go into the target, a file keeps its name.
            inside = path.relative_to(source) if path != Path(source) else Path(path.name)
            (to / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(context / path, to / inside)


def _run(instruction: Instruction, root: Path, here: str, environment: Mapping[str, str]) -> None:
    mounts = [Mount(path, path) for path in ("/usr", "/bin", "/lib", "/lib64", "/etc")]
    mounts += [Mount("/proc", "/proc"), *_devices(), *_python()]
    (root / "tmp").mkdir(exist_ok=True)
    if mount := instruction.flags.get("mount"):
        options = dict(option.split("=", 1) for option in mount.split(","))
        assert options["type"] == "cache"
        mounts.append(Mount(_pip_cache(), options["target"], read_only=False))
    builder = {k: v for k, v in os.environ.items() if k.startswith(_OF_THE_BUILDER)}
    words = ("/bin/sh", "-c", instruction.text)
    done = subprocess.run(
        Enclosure(root, mounts, read_only=False, folder=here).command(*words),
        env={"HOME": "/root", **builder, **environment}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, f"RUN {instruction.text}\n{done.stdout}{done.stderr}"


def _image(
    dockerfile: Dockerfile, root: Path, environment: Mapping[str, str], arguments: Mapping[str, str]
) -> Image:
    stage = dockerfile.final
    uid, gid = stage.last("USER").text.split(":")
    assert uid == gid
    health = stage.last("HEALTHCHECK")
    asked = health.text.partition("CMD ")[2]
    defaults = {k: v for each in stage.all("ARG") for k, v in each.pairs.items()}
    variables = {**dockerfile.arguments, **defaults, **arguments}
    return Image(
        root,
        environment,
        int(uid),
        {k: expanded(v, variables) for k, v in stage.last("LABEL").pairs.items()},
        [*stage.last("ENTRYPOINT").words, *stage.last("CMD").words],
        Instruction("CMD", {}, asked).words,
    )


# --- the base -----------------------------------------------------------------------------------


def _runtime() -> list[Mount]:
    """What the base gives to a program that runs: Python and its libraries."""
    libraries = [path for path in ("/usr/lib", "/lib", "/lib64") if Path(path).exists()]
    return [
        *(Mount(path, path) for path in libraries),
        *_python(),
        Mount("/proc", "/proc"),
        *_devices(),
    ]


def _devices() -> list[Mount]:
    return [Mount(f"/dev/{name}", f"/dev/{name}", read_only=False) for name in ("null", "urandom")]


def _python() -> list[Mount]:
    """Where the image has it, and where its binary looks for its own library (RUNPATH)."""
    return [Mount(sys.base_prefix, place) for place in ("/usr/local", sys.base_prefix)]


def _pip_cache() -> str:
    words = [sys.executable, "-m", "pip", "cache", "dir"]
    folder = Path(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)
