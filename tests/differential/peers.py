"""Readers in Node and in Go: programs that read one body after the other."""

import base64
import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

from tests.conftest import missing

READER = Path(__file__).parent / "reader"


class Unreadable(Exception):
    """A reader refused a body."""


class Program:
    """A process that answers each line with a line; it ends with its input."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, form: str, body: bytes) -> dict[str, Any]:
        """What the program read. Raises Unreadable."""
        assert self._process.stdin and self._process.stdout
        asked = {"form": form, "body": base64.b64encode(body).decode()}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "error" in said:
            raise Unreadable(said["error"])
        return said

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@cache
def node() -> Program:
    return Program(which("node") or missing("there is no node on PATH"), str(READER / "reader.js"))


@cache
def go() -> Program:
    compiler = which("go") or missing("there is no go on PATH")
    folder = tempfile.TemporaryDirectory()
    _FOLDERS.append(folder)
    program = str(Path(folder.name) / "reader")
    subprocess.run([compiler, "build", "-o", program, "."], cwd=READER, check=True, timeout=110)
    return Program(program)


_FOLDERS = list[tempfile.TemporaryDirectory[str]]()


def close() -> None:
    """End what was started."""
    for program in (node, go):
        if program.cache_info().currsize:
            program().close()
            program.cache_clear()
    while _FOLDERS:
        _FOLDERS.pop().cleanup()
