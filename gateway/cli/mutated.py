"""What `mutate` prints: tables at a terminal, or JSON."""

from collections import Counter
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gateway.workbench.mutate.fates import Fate
from gateway.workbench.mutate.mutants import Kind, Where
from gateway.workbench.mutate.mutation import Outcome, Report
from gateway.workbench.wording import counted, plain

_SHOWN = 20
_STYLES = {
    Fate.KILLED: "",
    Fate.SURVIVED: "bold red",
    Fate.OVERKILL: "yellow",
    Fate.UNPROVEN: "yellow",
}
_UNCOMPARED = "never compared, never masked: a mistake here goes unnoticed"


def show(report: Report) -> None:
    """The mutants by kind, each survivor, the fields that nothing compares, and the sum."""
    console = Console(highlight=False)
    console.print(_kinds(report))
    for fate, title in (
        (Fate.SURVIVED, "survived: it was changed, and it left"),
        (Fate.OVERKILL, "overkill: others stayed behind, too"),
        (Fate.UNPROVEN, "unproven: something failed, which says nothing about the change"),
    ):
        found = report.of(fate)
        if found:
            console.print(Text(f"{title} ({len(found)})"), soft_wrap=True)
            console.print(_outcomes(found))
    if report.uncompared:
        console.print(_UNCOMPARED, soft_wrap=True)
        console.print(_uncompared(report))
    if report.rests_not_on:
        names = ", ".join(map(plain, report.rests_not_on))
        console.print(Text(f"nothing rests on {names}"), soft_wrap=True)
    for note in report.notes:
        console.print(f"[yellow]![/yellow] {escape(plain(note))}", soft_wrap=True)
    typer.echo(_sum(report))


def _kinds(report: Report) -> Table:
    fates = [fate for fate in Fate if fate is not Fate.UNPROVEN or report.of(fate)]
    table = Table("changed", "tried", *fates, "killed by")
    for kind in Kind:
        counts = {fate: len(report.of(fate, kind)) for fate in fates}
        if not sum(counts.values()):
            continue
        by = Counter(each.verdict.by for each in report.of(Fate.KILLED, kind))
        table.add_row(
            kind.value,
            str(sum(counts.values())),
            *(Text(str(count), _STYLES[fate] if count else "") for fate, count in counts.items()),
            ", ".join(f"{name} {count}" for name, count in by.most_common()),
        )
    return table


def _outcomes(found: tuple[Outcome, ...]) -> Table:
    table = Table("what", "where", "field", "old → new", "why")
    for each in found[:_SHOWN]:
        change = each.change
        table.add_row(
            f"{change.kind.value}: {change.how}",
            Text(plain(_place(change.where)), overflow="fold"),
            Text(plain(change.where.locator), overflow="fold"),
            Text(f"{plain(change.old)} → {plain(change.new)}", overflow="fold"),
            each.verdict.by,
        )
    if len(found) > _SHOWN:
        table.caption = f"and {len(found) - _SHOWN} more: --json has them all"
    return table


def _place(where: Where) -> str:
    """`orders.json`, `voice.zip: manifest.json, record 3`: records count from 0."""
    record = f"record {where.record}" if where.record is not None else ""
    inside = ", ".join(filter(None, (where.member, record)))
    return ": ".join(filter(None, (where.file, inside))) or "the deployment"


def _uncompared(report: Report) -> Table:
    table = Table("members", "field", "records", "hint")
    hinted = sorted(report.uncompared, key=lambda each: (not each.hint, each.part, each.locator))
    for each in hinted[:_SHOWN]:
        table.add_row(
            Text(plain(each.part), overflow="fold"),
            Text(plain(each.locator or "never read"), overflow="fold"),
            str(each.records or ""),
            Text(plain(each.hint)),
        )
    if len(hinted) > _SHOWN:
        table.caption = f"and {len(hinted) - _SHOWN} more: --json has them all"
    return table


def _sum(report: Report) -> str:
    killed, tried = len(report.of(Fate.KILLED)), len(report.outcomes)
    parts = [f"{killed} of {counted(tried, 'mutant')} killed"]
    if survived := len(report.of(Fate.SURVIVED)):
        parts.append(f"{survived} survived")
    if overkill := len(report.of(Fate.OVERKILL)):
        parts.append(f"{overkill} took others with them")
    if unproven := len(report.of(Fate.UNPROVEN)):
        parts.append(f"{unproven} unproven")
    if report.idle:
        parts.append(f"{len(report.idle)} changed nothing that counts")
    left = report.possible - tried - len(report.idle)
    if left:
        parts.append(f"{left} more are possible: --limit")
    return "; ".join(parts)


def document(report: Report) -> dict[str, Any]:
    """The report as JSON."""
    return {
        "schema": "privacy-gateway/mutation/v1",
        "well": report.well,
        "possible": report.possible,
        "tried": len(report.outcomes),
        "unused": len(report.idle),
        "rests_not_on": report.rests_not_on,
        "kinds": {
            kind.value: {fate.value: len(report.of(fate, kind)) for fate in Fate} for kind in Kind
        },
        "survived": [_told(each) for each in report.of(Fate.SURVIVED)],
        "overkill": [_told(each) for each in report.of(Fate.OVERKILL)],
        "unproven": [_told(each) for each in report.of(Fate.UNPROVEN)],
        "never_compared": [
            {
                "members": each.part or None,
                "field": each.locator or None,
                "records": each.records,
                "hint": each.hint or None,
            }
            for each in report.uncompared
        ],
        "baselines": [
            {
                "file": each.fixture.file,
                "effect": each.decision.effect.value,
                "records": len(each.fixture.owned),
                "leave": len(each.fixture.kept),
                "revision": each.decision.revision,
            }
            for each in report.baselines
        ],
        "notes": report.notes,
    }


def _told(outcome: Outcome) -> dict[str, Any]:
    change = outcome.change
    return {
        "kind": change.kind.value,
        "how": change.how,
        "file": change.where.file or None,
        "member": change.where.member or None,
        "record": change.where.record,
        "field": change.where.locator,
        "old": change.old,
        "new": change.new,
        "why": outcome.verdict.by,
    }
