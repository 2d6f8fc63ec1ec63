"""`replay`: a decision log against a candidate bundle, like a plan before an apply."""

import asyncio
import json
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from gateway.cli.console import WRONG, give_up, log_at, unusable
from gateway.cli.options import JsonOption, moment
from gateway.workbench.unusable import Unusable

if TYPE_CHECKING:
    from gateway.workbench.replay.run import Replay, Request


def replay(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The decision log.")],
    key_file: Annotated[
        Path,
        typer.Option("--key-file", metavar="FILE", help="The pseudonym key of the log."),
    ],
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="BUNDLE",
            help="The candidate. Without this option, the policies that ship with the gateway.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="The deployment's own data, as in `policy.data`: takes the place of the bundle's.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="BUNDLE",
            help="Another bundle to compare with, instead of the decisions that the log recorded.",
        ),
    ] = None,
    against_data: Annotated[
        Path | None,
        typer.Option(
            "--against-data",
            metavar="FILE",
            help="That bundle's deployment data. Without this option, that of --data.",
        ),
    ] = None,
    anchor: Annotated[
        Path | None,
        typer.Option(
            "--anchor",
            metavar="FILE",
            help="What says how far the log reached. Without this option, the one beside the log.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="From this date or time on (UTC)."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Before this date or time (UTC)."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="The first N exchanges only."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a candidate policy every question of a decision log again, and show what would change.

    The log's chain is verified first. Its questions hold pseudonyms: with the log's key, the words
    that the bundle itself names are put back, and everything else keeps what it equals. An entry
    where the policy looks at more than that (an order, a length) is counted, not replayed; see
    the warnings for builtins that read inside texts.

    Exit code 0 if nothing would change, 1 if something would, 2 if the input can't be used: a log
    that was changed, a bundle that doesn't load, another key.
    """
    if bundle is None and data is None:
        give_up("say what to replay against: --bundle BUNDLE, or --data FILE for the shipped rules")
    from gateway.decisionlog.key import read_key
    from gateway.workbench.replay.asking import Rules
    from gateway.workbench.replay.entries import Selection
    from gateway.workbench.replay.run import Request

    old = None
    if against is not None or against_data is not None:
        old = Rules(against, against_data or data)
    log_at(log)
    try:
        request = Request(
            log=log,
            key=read_key(key_file),
            candidate=Rules(bundle, data),
            against=old,
            anchor=anchor,
            selection=Selection(
                moment(since, "--since", UTC), moment(until, "--until", UTC), limit
            ),
        )
        found = _run(request)
    except Unusable as error:
        unusable(error)
    except ValueError as error:
        give_up(str(error))
    except OSError as error:
        give_up(f"{error.filename or log}: {error.strerror}")
    from gateway.cli.replayed import document, show

    if as_json:
        typer.echo(json.dumps(document(found, log), indent=2))
    else:
        show(found, log)
    raise typer.Exit(WRONG if found.plan.differences else 0)


def _run(request: "Request") -> "Replay":
    """With a bar on standard error, if somebody sits there."""
    from gateway.workbench.replay.run import replay as replayed

    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=request.log.stat().st_size)
        return asyncio.run(replayed(request, lambda size: bar.advance(task, size)))
