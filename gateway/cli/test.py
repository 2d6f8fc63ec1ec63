"""`test`: the bundle's own tests, and cases that anybody can write."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from gateway.cli.console import WRONG, faulty, give_up, loaded, unusable
from gateway.cli.options import BundleOption, JsonOption
from gateway.config import Config, ConfigFaults
from gateway.policy.engine import EngineKind
from gateway.workbench.unusable import Unusable
from gateway.workbench.wording import counted, plain

if TYPE_CHECKING:
    from gateway.workbench.cases import Cases
    from gateway.workbench.judging import Judged
    from gateway.workbench.regotests import RegoTest


def test(
    cases: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CASES.yaml", help="Files of cases."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration.")
    ] = None,
    bundle: BundleOption = None,
    as_json: JsonOption = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of a file of cases instead.")
    ] = False,
) -> None:
    """Test a policy: run its Rego tests on the configured engine, and cases written in YAML.

    A case is a caller and a body, and what must become of them, through everything that a real
    exchange meets:

    ```yaml
    endpoint: orders
    cases:
      - name: the owner gets her orders
        caller: {sub: A1}
        body: bodies/orders.json   # or json: …, or text: …
        expect:
          effect: allow            # allow, redact or block
          kept: 3                  # or whose: [account:A1]; or which, from 0: [0, 2]
          dropped: 0               # likewise
          masked: [$.note]         # all fields whose values stay behind
          reasons: [self_access]   # all reasons of the policy
      - name: a foreign order is blocked
        caller: {sub: A9}
        body: bodies/orders.json
        expect: {refused: blocked_by_policy}
    ```

    What is not said under `expect` doesn't matter. A case may also say `endpoint`, `method`,
    `params`, `query`, `content_type`, `coding`, `at`, and expect `members` of an archive.

    Exit code 0 where everything holds, 1 where something doesn't, 2 where nothing was found to
    test or the input can't be used (options, configuration, cases, files, policy).
    """
    from gateway.workbench.cases import json_schema, load

    if schema:
        typer.echo(json.dumps(json_schema(), indent=2))
        return
    if config is None:
        give_up("say --config FILE (or --schema)")
    settings = loaded(config)
    names = [endpoint.name for endpoint in settings.endpoints]
    files: list[Cases] = []
    for file in cases or ():
        try:
            files.append(load(file, names))
        except ConfigFaults as faults:
            faulty(file, faults)
    try:
        tests, judged = asyncio.run(_played(settings, bundle, files))
    except Unusable as error:
        unusable(error)
    if not judged and all(each.outcome == "skipped" for each in tests):
        found = f"{counted(len(tests), 'test')}, all skipped," if tests else "no test"
        give_up(f"found {found} and no case: nothing proves nothing")
    holds = all(each.holds for each in tests) and all(each.holds for each in judged)
    if as_json:
        report = {
            "schema": "privacy-gateway/tests/v1",
            "holds": holds,
            "tests": tests,
            "cases": [{**msgspec.to_builtins(each), "holds": each.holds} for each in judged],
        }
        typer.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        _show(tests, judged)
    raise typer.Exit(0 if holds else WRONG)


async def _played(
    config: Config, bundle: Path | None, files: "Sequence[Cases]"
) -> "tuple[list[RegoTest], list[Judged]]":
    from gateway.workbench.desk import Desk, settings
    from gateway.workbench.judging import judge
    from gateway.workbench.regotests import run_embedded, run_opa

    policy = settings(config.policy, bundle)
    run = run_opa if config.policy.engine is EngineKind.OPA else run_embedded
    tests = await run(policy)
    judged: list[Judged] = []
    if files:
        async with Desk(config, bundle) as desk:
            for file in files:
                judged += await judge(desk, file)
    return tests, judged


# --- at a terminal ------------------------------------------------------------------------------


def _show(tests: "Sequence[RegoTest]", judged: "Sequence[Judged]") -> None:
    console = Console(highlight=False, soft_wrap=True)
    for test in tests:
        if not test.holds:
            _line(console, test.outcome, "red", test.name, f"{test.file}:{test.line}")
            for line in filter(None, (test.note, *test.printed)):
                console.print(Text(f"      {_shown(line)}"))
    for case in judged:
        style, word = ("green", "holds") if case.holds else ("red", "fails")
        _line(console, word, style, case.name, f"{case.file}:{case.line}")
        if not case.holds:
            console.print(Text(f"    it ended: {plain(case.outcome)}"))
        for each in case.differences:
            said = f"expected {_shown(each.expected)}, found {_shown(each.actual)}"
            console.print(Text(f"{case.file}:{each.line}: {each.key}: {said}"))
            console.print(Text(each.excerpt))
    if not tests:
        console.print(Text("no Rego test in the bundle", style="yellow"))
    else:
        console.print(_summary("test", tests))
    if judged:
        console.print(_summary("case", judged))


def _line(console: Console, word: str, style: str, name: str, where: str) -> None:
    console.print(Text.assemble((f"{word:8}", style), f"{name}  ", (where, "dim")))


def _summary(what: str, results: "Sequence[RegoTest] | Sequence[Judged]") -> Text:
    failed = sum(not each.holds for each in results)
    skipped = sum(getattr(each, "outcome", "") == "skipped" for each in results)
    ran = len(results) - skipped
    said = f"{failed:,} failed" if failed else "holds" if ran == 1 else "all hold"
    parts = [counted(ran, what), said]
    if skipped:
        parts.append(f"{skipped:,} skipped (todo_)")
    return Text(", ".join(parts), style="red" if failed else "green")


def _shown(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]
