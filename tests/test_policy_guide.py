"""docs/policy-guide.md is run from top to bottom: every block of code in it is a file or a command.

    ```yaml file=gateway.yaml       the block is written to this file, folders included
    ```console                      commands, and what they print
    ```console needs=regal          ... where there is such a program; elsewhere they are skipped

In a console block a line that begins with `$ ` is a command, one with `> ` after it continues it,
and all others are what it prints. There `…` stands for anything in a line and, on a line of its
own, for any number of lines. A last line `(exit 1)` is the exit code of a command; without one, it
is 0. Whatever differs fails the test of its section.

One shell in one temporary folder runs it all, so that a section builds on those before it. It knows
`privacy-gateway` (this checkout's), `$CHECKOUT` (where this checkout is) and a terminal that is 100
columns wide. The guide's ports are exchanged for free ones.
"""

import json
import os
import re
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema
import pytest
import ruamel.yaml

from gateway.cli.commands import made
from gateway.errors import Code
from gateway.policy.engine import Stage
from gateway.telemetry.catalogue import METRICS
from tests.conftest import REPOSITORY, missing
from tests.support.gateway import POLICIES

GUIDE = REPOSITORY / "docs" / "policy-guide.md"
PORTS = ("3000", "8080", "8282")
_PATIENCE = 120.0
"""Seconds for one command."""
_MARK = "--- done"

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command, what it must print, and its exit code."""

    line: str
    expected: tuple[str, ...]
    code: int

    def matches(self, printed: str) -> bool:
        pattern = "".join(
            r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
            for line in self.expected
        )
        lines = (f"{line.rstrip()}\n" for line in printed.splitlines())
        return re.fullmatch(pattern, "".join(lines)) is not None


@dataclass(frozen=True)
class Block:
    """A block of the guide: a file's text, or commands; `line` is where it begins."""

    line: int
    file: str
    needs: str
    text: str

    def commands(self) -> Iterator[Command]:
        typed: list[str] = []
        printed: list[str] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                if typed:
                    yield _command(typed, printed)
                typed, printed = [line[2:]], []
            elif line.startswith("> ") and not printed:
                typed.append(line[2:])
            else:
                assert typed, f"line {self.line}: output without a command"
                printed.append(line)
        yield _command(typed, printed)


def _command(typed: list[str], printed: list[str]) -> Command:
    code = re.fullmatch(r"\(exit (\d+)\)", printed[-1]) if printed else None
    return Command(
        "\n".join(typed), tuple(printed[:-1] if code else printed), int(code[1]) if code else 0
    )


@dataclass(frozen=True)
class Section:
    """A section of the guide."""

    title: str
    blocks: tuple[Block, ...]


def sections(text: str) -> list[Section]:
    """The guide's sections that hold blocks."""
    found: dict[str, list[Block]] = {}
    for fence in _FENCE.finditer(text):
        title = re.findall(r"^## (.*)$", text[: fence.start()], re.MULTILINE)[-1]
        words = dict(word.split("=", 1) for word in fence[2].split())
        assert words.keys() <= {"file", "needs"}, fence[0]
        assert (fence[1] == "console") is ("file" not in words), fence[0]
        line = text.count("\n", 0, fence.start()) + 1
        block = Block(line, words.get("file", ""), words.get("needs", ""), fence[3])
        found.setdefault(title, []).append(block)
    return [Section(title, tuple(blocks)) for title, blocks in found.items()]


SECTIONS = sections(GUIDE.read_text())


class Shell:
    """One bash for the whole guide, and all that it starts."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, line: str) -> tuple[str, int]:
        """What a command printed, and its exit code."""
        assert self._process.stdin and self._process.stdout
        ending = f"(code=$?; printf '\\n{_MARK} %s\\n' $code; exit $code)"
        self._process.stdin.write(f"{{ {line}\n}} </dev/null\n{ending}\n".encode())
        self._process.stdin.flush()
        printed = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            last = time.monotonic() + _PATIENCE
            while not (done := re.search(rf"\n{_MARK} (\d+)\n\Z".encode(), printed)):
                if not selector.select(max(0.0, last - time.monotonic())):
                    raise AssertionError(f"{line}\nends not in time:\n{printed.decode()}")
                data = os.read(self._process.stdout.fileno(), 65536)
                assert data, f"{line}\nended the shell:\n{printed.decode()}"
                printed += data
        return printed[: done.start()].decode(), int(done[1])

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


@dataclass
class Reader:
    """Somebody who reads the guide from the top, and does what it says."""

    folder: Path
    shell: Shell
    ports: dict[str, str]
    done: dict[str, str | None] = field(default_factory=dict)

    def reach(self, title: str) -> None:
        """Read up to this section. Fails where it, or one before it, isn't true."""
        for section in SECTIONS:
            if section.title not in self.done:
                self.done[section.title] = "was not finished"
                self.done[section.title] = self._read(section)
            fault = self.done[section.title]
            if section.title == title:
                assert fault is None, fault
                return
            if fault is not None:
                pytest.fail(f"the section “{section.title}” before it is not true")

    def _read(self, section: Section) -> str | None:
        for block in section.blocks:
            if block.file:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self._ported(block.text))
            elif not block.needs or shutil.which(block.needs):
                for command in block.commands():
                    printed, code = self.shell.run(self._ported(command.line))
                    for port, free in self.ports.items():
                        printed = re.sub(rf"\b{free}\b", port, printed)
                    if code != command.code or not command.matches(printed):
                        expected = "\n".join(command.expected)
                        return (
                            f"{GUIDE.name}:{block.line}: $ {command.line}\n"
                            f"must print (exit {command.code}):\n{expected}\n"
                            f"but prints (exit {code}):\n{printed}"
                        )
        return None

    def _ported(self, text: str) -> str:
        for port, free in self.ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        return text


@pytest.fixture(scope="module")
def reader(opa_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    for program in ("bash", "curl", "git", "openssl"):
        if shutil.which(program) is None:
            missing(f"there is no {program} on PATH")
    folder = tmp_path_factory.mktemp("guide")
    programs = tmp_path_factory.mktemp("bin")
    for name, words in {
        "privacy-gateway": [sys.executable, "-m", "gateway"],
        "python3": [sys.executable],
        "opa": [opa_binary],
    }.items():
        shim = programs / name
        shim.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        shim.chmod(0o755)
    kept = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
    shell = Shell(
        folder,
        {
            **kept,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "CHECKOUT": str(REPOSITORY),
            "COLUMNS": "100",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
        },
    )
    yield Reader(folder, shell, dict(zip(PORTS, _free_ports(len(PORTS)), strict=True)))
    shell.close()


def _free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.mark.opa
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("title", [section.title for section in SECTIONS])
def test_what_the_guide_says_is_true(reader: Reader, title: str) -> None:
    reader.reach(title)


def test_the_deployments_of_the_library_match_its_schema_and_use_all_of_it() -> None:
    schema = json.loads((POLICIES / "schemas" / "deployment.json").read_text())
    used: dict[str, set[str]] = {"grounds": set(), "restrictions": set()}
    for block in (block for section in SECTIONS for block in section.blocks):
        if re.fullmatch(r"library/\w+\.yaml", block.file):
            deployment = ruamel.yaml.YAML(typ="safe").load(block.text)
            jsonschema.validate(deployment, schema)
            for group, names in used.items():
                names.update(deployment.get(group, {}))
    for group, names in used.items():
        assert names == schema["properties"][group]["properties"].keys()


def test_what_the_guide_names_is_there() -> None:
    text = GUIDE.read_text()
    assert {*re.findall(r"`(privacy_gateway_[a-z_]+)", text)} <= METRICS.keys()
    for refusal in set(re.findall(r"(?:403|50[0-9]) `(\w+)`", text)):
        assert refusal in {*Code}
    assert {*re.findall(r'stage="(\w+)"', text)} == {*Stage}
    told = set(re.findall(r"^\| `([a-z ]+)` \|", text, re.MULTILINE))
    commands = made()
    groups = [*commands.registered_groups]
    assert told == {
        *(each.callback.__name__ for each in commands.registered_commands if each.callback),
        *(f"{group.name} verify" for group in groups),
    } - {"demo", "drain", "injector"}  # nothing that a policy's author types


def test_every_program_that_a_block_needs_is_there() -> None:
    wanted = {block.needs for section in SECTIONS for block in section.blocks if block.needs}
    for program in sorted(wanted):
        if shutil.which(program) is None:
            missing(f"there is no {program} on PATH: a block of the guide was skipped")
