"""`infer`: a proposed `body:` block, from sample bodies."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gateway.cli.console import WRONG, give_up
from gateway.model import Format
from gateway.workbench.infer.looks import plain
from gateway.workbench.infer.proposal import Finding, Proposal, as_document, as_yaml
from gateway.workbench.infer.proposal import infer as proposed
from gateway.workbench.unusable import Unusable

_SHOWN = 4


def infer(
    body: Annotated[
        list[Path],
        typer.Argument(metavar="BODY...", help="Sample bodies of one endpoint, gzip or not."),
    ],
    form: Annotated[
        Format | None,
        typer.Option("--format", help="The format, where the first bytes don't tell it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Propose an endpoint's `body:` block: where the owners' identifiers seem to be, and how sure.

    Reads the samples as the gateway would, and touches nothing else. Values of the samples are
    shown only shortened. Exit code 1 where the owner is not clear: then there is a block for each
    owner that is nearly as likely, or none that is likely at all. 2 for samples that the gateway
    would refuse.
    """
    try:
        proposal = proposed(body, form)
    except Unusable as error:
        give_up(plain(str(error)))
    if as_json:
        typer.echo(json.dumps(as_document(proposal), indent=2))
    else:
        _show(proposal)
    raise typer.Exit(0 if proposal.sure else WRONG)


def _show(proposal: Proposal) -> None:
    console = Console(highlight=False)
    for finding in proposal.findings:
        if finding.candidates:
            console.print(_table(finding))
    for warning in proposal.warnings:
        console.print(f"[yellow]![/yellow] {escape(plain(warning))}", soft_wrap=True)
    trial = proposal.trial
    if not trial.refusal:
        typer.echo(
            f"tried on the samples: {trial.records} records of {trial.subjects} subjects,"
            f" {trial.unattributed} without an owner"
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
    where = f"{finding.where}: {finding.records}" if finding.where else finding.records
    table = Table("", "locator", "kind", "sure", "evidence", "values", title_justify="left")
    table.title = Text(plain(f"records at {where}"))
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
