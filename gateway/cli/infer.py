"""`infer`: a proposed `body:` block, from sample bodies."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console import WRONG, unusable
from gateway.cli.options import JsonOption
from gateway.model import Format
from gateway.workbench.unusable import Unusable


def infer(
    body: Annotated[
        list[Path],
        typer.Argument(metavar="BODY", help="Sample bodies of one endpoint, gzip or not."),
    ],
    form: Annotated[
        Format | None,
        typer.Option("--format", help="The format, where the first bytes don't tell it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Propose an endpoint's `body:` block: where the owners' identifiers seem to be, and how sure.

    Reads the samples as the gateway would, and touches nothing else. Values of the samples are
    shown only shortened. Exit code 1 where the owner is not clear: then there is a block for each
    owner that is nearly as likely, or none that is likely at all. 2 for samples that the gateway
    would refuse.
    """
    from gateway.workbench.infer.proposal import infer as proposed

    try:
        proposal = proposed(body, form)
    except Unusable as error:
        unusable(error)
    from gateway.cli.inferred import document, show

    if as_json:
        typer.echo(json.dumps(document(proposal), indent=2))
    else:
        show(proposal)
    raise typer.Exit(0 if proposal.sure else WRONG)
