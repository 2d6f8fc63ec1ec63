"""A Dockerfile as its builder reads it: stages, and in them instructions, one after the other.

Only what ours uses is understood; anything else is a ValueError, so that nothing is replayed as if
it weren't there.
"""

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_KNOWN = ("ARG", "COPY", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "USER", "WORKDIR",
          "ENTRYPOINT", "CMD")  # fmt: skip


@dataclass(frozen=True)
class Instruction:
    """`name` in capitals; `flags` are the `--key=value` before `text`, the rest of it."""

    name: str
    flags: Mapping[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """The exec form's list, or the words of a text."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return shlex.split(self.text)

    @property
    def exec_form(self) -> bool:
        return self.text.startswith("[")

    @property
    def pairs(self) -> dict[str, str]:
        """`KEY=value …` of an ARG, ENV or LABEL; an ARG without a default isn't in it."""
        return dict(word.split("=", 1) for word in self.words if "=" in word)


@dataclass(frozen=True)
class Stage:
    """One FROM and what follows it."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction:
        return self.all(name)[-1]


@dataclass(frozen=True)
class Dockerfile:
    """`arguments` are the defaults of the ARGs before the first FROM."""

    arguments: Mapping[str, str]
    stages: tuple[Stage, ...]

    @property
    def final(self) -> Stage:
        return self.stages[-1]


def parse(text: str) -> Dockerfile:
    """Raises ValueError where there is something that isn't understood."""
    arguments: dict[str, str] = {}
    stages: list[tuple[str, str, list[Instruction]]] = []
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            base, *named = instruction.words
            stages.append((base, named[1] if named else "", []))
        elif stages:
            stages[-1][2].append(instruction)
        elif instruction.name == "ARG":
            arguments |= instruction.pairs
        else:
            raise ValueError(f"{instruction.name} before the first FROM")
    return Dockerfile(arguments, tuple(Stage(b, n, tuple(each)) for b, n, each in stages))


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", "", "\n".join(lines))
    for line in joined.splitlines():
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        if name not in _KNOWN or "<<" in rest:
            raise ValueError(f"not understood: {line}")
        flags: dict[str, str] = {}
        while match := re.match(r"\s*--([a-z-]+)=(\S+)\s+", rest):
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        yield Instruction(name, flags, rest.strip())


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """`$NAME` and `${NAME}` replaced; an unknown one is empty, as the builder has it."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda m: variables.get(m[1] or m[2], ""), text)


def sent(context: Path, ignore: str) -> Iterator[Path]:
    """The files of a build context that a `.dockerignore` lets through, relative to it.

    The last line that matches a path, or a folder above it, decides.
    """
    rules = [line for line in ignore.splitlines() if line and not line.startswith("#")]
    for path in sorted(context.rglob("*")):
        relative = path.relative_to(context)
        if path.is_file() and not _ignored(relative, rules):
            yield relative


def _ignored(path: Path, rules: list[str]) -> bool:
    names = [str(path), *(str(parent) for parent in path.parents if parent.name)]
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!").removesuffix("/")
        anywhere = pattern.removeprefix("**/")
        if any(
            fnmatch.fnmatchcase(name, pattern) and name.count("/") == pattern.count("/")
            for name in names
        ) or (
            anywhere != pattern and any(fnmatch.fnmatchcase(part, anywhere) for part in path.parts)
        ):
            ignored = not rule.startswith("!")
    return ignored
