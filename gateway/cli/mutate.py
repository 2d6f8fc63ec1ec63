"""`mutate`: mutation testing of a policy, for leaks."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gateway.cli.console import WRONG, ConfigOption, loaded, unusable
from gateway.cli.options import (
    AtOption,
    BundleOption,
    ClaimsOption,
    EndpointOption,
    JsonOption,
    ParamOption,
    moment,
    pairs,
)
from gateway.workbench.unusable import Unusable

if TYPE_CHECKING:
    from gateway.workbench.mutate.baselines import Wanted
    from gateway.workbench.mutate.mutation import Report


def mutate(
    config: ConfigOption,
    endpoint: EndpointOption,
    claims: ClaimsOption,
    body: Annotated[
        list[Path],
        typer.Option(
            "--body", metavar="FILE", help="A body that this caller gets; may be repeated."
        ),
    ],
    bundle: BundleOption = None,
    param: ParamOption = None,
    at: AtOption = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="Mutants to try.")
    ] = 200,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Another choice where there are more.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Change one thing at a time in real bodies, and demand that the policy notices.

    The bodies are of this caller: each must leave, whole or in part. Then one owner, one entry of
    a manifest, one member's name, one identifier, role or claim, one actor or one end of a grant
    is another, and exactly what was changed must stay behind (or all of it). Also lists the fields
    that nothing compares or masks, and what of the caller nothing rests on.

    The output holds what the bodies hold: it is for your eyes. Exit code 0 where every mutant was
    killed, 1 where one survived, took others with it, or could not be told (the policy failed), 2
    where the input can't be used, or where nothing leaves in the first place.
    """
    settings = loaded(config)
    from gateway.workbench.mutate.baselines import Wanted
    from gateway.workbench.tokens import given_claims

    try:
        wanted = Wanted(
            settings,
            endpoint,
            given_claims(claims),
            tuple(body),
            bundle,
            limit,
            seed,
            moment(at),
            {name: values[-1] for name, values in pairs(param, "--param").items()},
        )
        report = _tried(wanted)
    except Unusable as error:
        unusable(error)
    from gateway.cli.mutated import document, show

    if as_json:
        typer.echo(json.dumps(document(report), indent=2, ensure_ascii=False))
    else:
        show(report)
    raise typer.Exit(0 if report.well else WRONG)


def _tried(wanted: "Wanted") -> "Report":
    """The report; meanwhile, at a terminal, how far it is."""
    from gateway.workbench.mutate.mutation import mutate

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("mutants", total=None)
        return asyncio.run(
            mutate(
                wanted,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
        )
