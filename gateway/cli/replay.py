"""`replay`: a decision log against a candidate bundle, like a plan before an apply."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, assert_never

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gateway.cli.console import WRONG, give_up
from gateway.decisionlog.key import read_key
from gateway.workbench.replay.asking import Rules
from gateway.workbench.replay.entries import Selection
from gateway.workbench.replay.plan import Change, Group, Kind, Plan
from gateway.workbench.replay.run import Replay, Request
from gateway.workbench.replay.run import replay as replayed
from gateway.workbench.replay.verdicts import Direction
from gateway.workbench.unusable import Unusable

_SHOWN_GROUPS, _SHOWN_PLACES = 50, 3


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
            metavar="FOLDER",
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
            metavar="FOLDER",
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
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
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
        give_up("say what to replay against: --bundle FOLDER, or --data FILE for the shipped rules")
    old = None
    if against is not None or against_data is not None:
        old = Rules(against, against_data or data)
    try:
        request = Request(
            log=log,
            key=read_key(key_file),
            candidate=Rules(bundle, data),
            against=old,
            anchor=anchor,
            selection=Selection(_moment("--since", since), _moment("--until", until), limit),
        )
        if log.is_dir():
            give_up(f"{log}: a folder, not a log")
        found = _run(request)
    except (Unusable, ValueError) as error:
        give_up(str(error))
    except OSError as error:
        give_up(f"{error.filename or log}: {error.strerror}")
    if as_json:
        typer.echo(json.dumps(_document(found, log), indent=2))
    else:
        _print(found, log)
    raise typer.Exit(WRONG if found.plan.differences else 0)


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        give_up(f"{option}: expected a date or time such as 2026-07-01 or 2026-07-01T12:00:00Z")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _run(request: Request) -> Replay:
    """With a bar on standard error, if somebody sits there."""
    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=request.log.stat().st_size)
        return asyncio.run(replayed(request, lambda size: bar.advance(task, size)))


# --- for people ---------------------------------------------------------------------------------


def _print(found: Replay, log: Path) -> None:
    console, plan = Console(highlight=False), found.plan
    for line in _about(found, log):
        console.print(line, soft_wrap=True)
    if plan.groups:
        console.print(_table(plan))
    if len(plan.groups) > _SHOWN_GROUPS:
        hidden = len(plan.groups) - _SHOWN_GROUPS
        console.print(f"… and {hidden:,} more kinds of difference: see --json", style="dim")
    for reason, count in plan.not_replayed:
        console.print(Text(f"not replayed: {count:,}  {reason.meaning}"), soft_wrap=True)
    if plan.missing:
        console.print(f"not in the log: {plan.missing:,}  refused while it could not be written")
    if found.readers:
        called = "; ".join(f"{name} ({_places(at)})" for name, at in found.readers.items())
        console.print(
            Text(f"can't be followed: {called}: what reads inside texts sees pseudonyms here",
                 style="yellow"),
            soft_wrap=True,
        )  # fmt: skip
    if plan.newly_leaving:
        console.print(
            Text(f"! Up to {plan.newly_leaving:,} records would newly leave.", style="bold red"),
            soft_wrap=True,
        )
    console.print(Text(plan.summary, style="bold"), soft_wrap=True)


def _places(places: Sequence[str]) -> str:
    more = f" and {len(places) - _SHOWN_PLACES} more" if len(places) > _SHOWN_PLACES else ""
    return ", ".join(places[:_SHOWN_PLACES]) + more


def _about(found: Replay, log: Path) -> Iterator[Text]:
    yield Text(f"log        {log}: {found.verified.message}")
    yield Text(f"candidate  {found.revision}")
    yield Text(f"against    {found.against or 'the decisions in the log'}")


def _table(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("endpoint", overflow="fold")
    table.add_column("change", no_wrap=True)
    table.add_column("exchanges", justify="right", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("why, and an example", overflow="fold")
    for kind, group in plan.groups[:_SHOWN_GROUPS]:
        mark, style = _mark(kind.direction)
        change = kind.before if kind.before == kind.after else f"{kind.before} → {kind.after}"
        cells = (mark, kind.endpoint, change, f"{group.exchanges:,}", _records(group))
        why = Text(f"{_why(kind)}\n", style=style).append(group.examples[0], style="not bold dim")
        table.add_row(*(Text(each, style=style) for each in cells), why)
    return table


def _mark(direction: Direction) -> tuple[str, str]:
    match direction:
        case Direction.RELEASES:
            return "!", "bold red"
        case Direction.BLOCKS:
            return "-", "yellow"
        case Direction.REASONS:
            return "~", ""
        case _:
            assert_never(direction)


def _records(group: Group) -> str:
    moved = {"leave": group.newly_leaving, "stay": group.newly_staying}
    return "\n".join(f"{count:,} {verb}" for verb, count in moved.items() if count)


def _why(kind: Kind) -> str:
    parts = {"reasons": kind.reasons, "mask": kind.mask, "withhold": kind.withhold}
    said = [f"{name} {' '.join(change.signed)}" for name, change in parts.items() if change.signed]
    return "\n".join(said) or "other subjects"


# --- for machines -------------------------------------------------------------------------------


def _document(found: Replay, log: Path) -> dict[str, Any]:
    plan, verified = found.plan, found.verified
    return {
        "version": 1,
        "log": {
            "file": str(log),
            "entries": verified.entries,
            "anchored": verified.anchored,
            "sealed": verified.sealed,
            "missing": plan.missing,
        },
        "candidate": found.revision,
        "against": found.against,
        "unchanged": plan.unchanged,
        "newly_releasing": plan.exchanges(Direction.RELEASES),
        "newly_blocking": plan.exchanges(Direction.BLOCKS),
        "other_reasons": plan.exchanges(Direction.REASONS),
        "records": {"newly_leaving": plan.newly_leaving, "newly_staying": plan.newly_staying},
        "differences": [
            {
                "direction": kind.direction,
                "endpoint": kind.endpoint,
                "before": kind.before,
                "after": kind.after,
                "reasons": _changed(kind.reasons),
                "mask": _changed(kind.mask),
                "withhold": _changed(kind.withhold),
                "exchanges": group.exchanges,
                "records": {
                    "newly_leaving": group.newly_leaving,
                    "newly_staying": group.newly_staying,
                },
                "examples": group.examples,
            }
            for kind, group in plan.groups
        ],
        "not_replayed": {reason.value: count for reason, count in plan.not_replayed},
        "reads_inside_texts": {name: list(places) for name, places in found.readers.items()},
        "summary": plan.summary,
    }


def _changed(change: Change) -> dict[str, list[str]]:
    return {"added": list(change.added), "removed": list(change.removed)}
