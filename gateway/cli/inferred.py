"""What `infer` prints: tables and blocks at a terminal, or JSON."""

from collections.abc import Iterator
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gateway.workbench.infer.proposal import Finding, Proposal, as_yaml
from gateway.workbench.wording import counted, plain

_SHOWN = 4


def show(proposal: Proposal) -> None:
    """The candidates with their evidence, what to look at, and each block to choose from."""
    console = Console(highlight=False)
    for finding in proposal.findings:
        if finding.candidates:
            where = f"{finding.where}: {finding.records}" if finding.where else finding.records
            console.print(Text(plain(f"records at {where}")), soft_wrap=True)
            console.print(_table(finding))
    for warning in proposal.warnings:
        console.print(f"[yellow]![/yellow] {escape(plain(warning))}", soft_wrap=True)
    trial = proposal.trial
    if not trial.refusal:
        typer.echo(
            f"tried on the samples: {counted(trial.records, 'record')} of"
            f" {counted(trial.subjects, 'subject')}, {trial.unattributed:,} without an owner"
        )
    for number, body in enumerate(proposal.bodies, start=1):
        typer.echo(f"\n# {_heading(proposal, number)}\n{as_yaml(body)}", nl=False)


def _heading(proposal: Proposal, number: int) -> str:
    if proposal.sure:
        return "sure: paste it into the endpoint"
    if proposal.alternatives:
        return f"AMBIGUOUS, {number} of {len(proposal.bodies)}: choose the one with the owner"
    return "NOT SURE: make sure before you use it"


def _table(finding: Finding) -> Table:
    table = Table("", "locator", "kind", "sure", "evidence", "values")
    table.columns[1].overflow = "fold"
    for each in finding.candidates[:_SHOWN]:
        table.add_row(
            "→" if each is finding.chosen else "",
            Text("\n".join(map(plain, each.locators))),
            Text(each.kind),
            f"{each.belief:.0%}",
            Text("\n".join(plain(str(reason)) for reason in each.reasons)),
            Text("\n".join(each.samples)),
        )
    return table


def document(proposal: Proposal) -> dict[str, Any]:
    """The proposal as JSON. Values of the samples are in it only shortened."""
    return {
        "schema": "privacy-gateway/proposal/v1",
        "sure": proposal.sure,
        "body": proposal.body,
        "alternatives": proposal.alternatives,
        "tried": {
            "records": proposal.trial.records,
            "unattributed": proposal.trial.unattributed,
            "subjects": proposal.trial.subjects,
            "refusal": proposal.trial.refusal or None,
        },
        "candidates": [each for finding in proposal.findings for each in _candidates(finding)],
        "warnings": proposal.warnings,
    }


def _candidates(finding: Finding) -> Iterator[dict[str, Any]]:
    for each in finding.candidates:
        yield {
            "member": finding.where or None,
            "records": finding.records,
            "locators": each.locators,
            "kind": each.kind,
            "belief": round(each.belief, 3),
            "chosen": each is finding.chosen,
            "reasons": [{"points": r.points, "text": r.text} for r in each.reasons],
            "samples": each.samples,
        }
