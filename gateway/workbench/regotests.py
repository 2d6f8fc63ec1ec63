"""A bundle's Rego tests, run by the engine that is configured.

OPA runs them with `opa test`. Embedded, every rule whose name starts with `test_` is evaluated by
regorus in a process of its own, and only the value true passes. What differs from `opa test`: a
builtin that fails is an error, as it is in production, and of a rule with a case for each key
(`test_x[name]`), or of several with the same name, it can't be told that one failed, so that they
never pass.
"""

import asyncio
import base64
import binascii
import contextlib
import shutil
from enum import StrEnum
from pathlib import Path

import msgspec

from gateway.policy.settings import PolicySettings
from gateway.workbench.account import Broken, Find, Found, Spot, Tried, Try
from gateway.workbench.bench import RegoBench
from gateway.workbench.modules import folder_of, with_tests
from gateway.workbench.unusable import Unusable

DEADLINE = 10.0
"""Seconds for one test."""

_OPA_DEADLINE = 600.0
_REPEATED = (
    "several tests of this name: the embedded engine can't tell that one of them failed; give each"
    " its own name"
)


class Ending(StrEnum):
    """How a test ended. A test named `todo_test_…` is skipped."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    ERROR = "error"
    SKIPPED = "skipped"


class RegoTest(msgspec.Struct, frozen=True):
    """One test and its end; `file` is a path inside the bundle."""

    name: str
    file: str
    line: int
    outcome: Ending
    note: str = ""
    printed: list[str] = []

    @property
    def holds(self) -> bool:
        return self.outcome in (Ending.PASS, Ending.SKIPPED)


async def run_embedded(policy: PolicySettings) -> list[RegoTest]:
    """Every test of a bundle, by regorus. Raises Unusable where the bundle can't be used."""
    folder = folder_of(policy)
    async with RegoBench(with_tests(policy)) as bench:
        match await bench.ask(Find()):
            case Found(tests, repeated):
                return [
                    await _tried(bench, query, spot, repeated=query in repeated)
                    for query, spot in tests.items()
                ]
            case Broken(message, spot):
                where = f"{folder / spot.file}:{spot.line}" if spot else str(folder)
                raise Unusable(f"{where}: {message}")
            case other:
                raise AssertionError(other)


async def _tried(bench: RegoBench, query: str, spot: Spot, *, repeated: bool) -> RegoTest:
    outcome, note, printed = Ending.SKIPPED, "", list[str]()
    if repeated:
        outcome, note = Ending.ERROR, _REPEATED
    elif not query.rpartition(".")[2].startswith("todo_"):
        match await bench.ask(Try(query), DEADLINE):
            case Tried(value, printed):
                outcome, note = _judged(value)
            case Broken(message, place):
                at = f"{place.file}:{place.line}: " if place else ""
                outcome, note = Ending.ERROR, at + message
            case other:
                raise AssertionError(other)
    return RegoTest(query.removeprefix("data."), spot.file, spot.line, outcome, note, printed)


def _judged(value: str | None) -> tuple[Ending, str]:
    if value is None:
        return Ending.FAIL, "undefined"
    match msgspec.json.decode(value):
        case True:
            return Ending.PASS, ""
        case dict() | list():
            return Ending.ERROR, (
                "a test with several cases: the embedded engine can't tell that one of them"
                " failed; write a rule for each, or test with OPA"
            )
        case _:
            return Ending.FAIL, f"its value is {value[:80]}, not true"


# --- OPA ----------------------------------------------------------------------------------------


class _Location(msgspec.Struct):
    file: str = ""
    row: int = 0


class _Error(msgspec.Struct):
    message: str = ""
    location: _Location | None = None


class _Reported(msgspec.Struct):
    """One test as `opa test --format json` reports it."""

    package: str
    name: str
    location: _Location = msgspec.field(default_factory=_Location)
    fail: bool = False
    skip: bool = False
    error: msgspec.Raw = msgspec.Raw(b"")
    output: str = ""
    sub_results: dict[str, msgspec.Raw] = {}


async def run_opa(policy: PolicySettings) -> list[RegoTest]:
    """Every test of a bundle, by the `opa` on PATH. Raises Unusable where there is none, or where
    it can't use the bundle."""
    folder = folder_of(policy)
    binary = shutil.which("opa")
    if binary is None:
        raise Unusable("the configured engine is OPA, and there is no opa on PATH to run its tests")
    process = await asyncio.create_subprocess_exec(
        binary, "test", "--bundle", "--format=json", str(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_OPA_DEADLINE):
            out, err = await process.communicate()
    except TimeoutError:
        raise Unusable(f"opa test {folder}: still running after {_OPA_DEADLINE:g}s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        reported = msgspec.json.decode(out or b"[]", type=list[_Reported] | None) or []
    except msgspec.DecodeError:
        raise Unusable(f"opa test {folder}: its report can't be read") from None
    if process.returncode not in (0, 2) or (not reported and err):
        said = next((line for line in err.decode(errors="replace").splitlines() if line), "")
        raise Unusable(f"opa test {folder}: {said or f'exit code {process.returncode}'}")
    return sorted(
        (_from_opa(each, folder) for each in reported), key=lambda each: (each.file, each.line)
    )


def _from_opa(reported: _Reported, folder: Path) -> RegoTest:
    failed = [name for name, raw in reported.sub_results.items() if b'"fail":' in bytes(raw)]
    error = _error(bytes(reported.error), folder)
    if reported.skip:
        outcome = Ending.SKIPPED
    elif error:
        outcome = Ending.ERROR
    else:
        outcome = Ending.FAIL if reported.fail else Ending.PASS
    return RegoTest(
        name=f"{reported.package.removeprefix('data.')}.{reported.name}",
        file=str(_inside(reported.location.file, folder)),
        line=reported.location.row,
        outcome=outcome,
        note=error or (f"the cases {', '.join(failed)}" if failed else ""),
        printed=_printed(reported.output),
    )


def _error(raw: bytes, folder: Path) -> str:
    """One line of what OPA says of an error, with its place."""
    if not raw:
        return ""
    try:
        error = msgspec.json.decode(raw, type=_Error)
    except msgspec.DecodeError:
        error = _Error()
    place = error.location
    at = f"{_inside(place.file, folder)}:{place.row}: " if place and place.row else ""
    return at + (error.message or "an error")[:300]


def _inside(name: str, folder: Path) -> Path:
    file = Path(name)
    return file.relative_to(folder) if file.is_relative_to(folder) else file


def _printed(output: str) -> list[str]:
    try:
        return base64.b64decode(output).decode(errors="replace").splitlines()[:100]
    except (binascii.Error, ValueError):
        return []
