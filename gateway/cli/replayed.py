"""What `replay` prints: a table at a terminal, or JSON."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, assert_never

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.workbench.replay.plan import Change, Group, Kind, Plan
from gateway.workbench.replay.run import Replay
from gateway.workbench.replay.verdicts import Direction
from gateway.workbench.wording import counted

_SHOWN_GROUPS, _SHOWN_PLACES = 50, 3


def show(found: Replay, log: Path) -> None:
    """What the log was, every kind of difference, what could not be replayed, and the sum."""
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
            Text(
                f"! Up to {counted(plan.newly_leaving, 'record')} would newly leave.",
                style="bold red",
            ),
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


def document(found: Replay, log: Path) -> dict[str, Any]:
    """The plan as JSON."""
    plan, verified = found.plan, found.verified
    return {
        "schema": "privacy-gateway/plan/v1",
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
