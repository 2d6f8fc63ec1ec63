"""What all commands share: options, exit codes, and one clear line for wrong input."""

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gateway.config import Config, ConfigFaults, load

WRONG, UNUSABLE = 1, 2
"""Exit codes: it is not well; the input can't be used."""

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration, in YAML. PRIVACY_GATEWAY_… variables set single values of it.",
    ),
]


def loaded(path: Path, *, thorough: bool = False) -> Config:
    """The configuration, or every fault of it on standard error and exit code 2. `thorough` has
    the policy's Rego compiled, too."""
    try:
        return load(path, os.environ, thorough=thorough)
    except ConfigFaults as faults:
        for fault in faults.faults:
            typer.echo(fault, err=True)
            if fault.place.excerpt:
                typer.echo(fault.place.excerpt, err=True)
        count = len(faults.faults)
        typer.echo(f"{path}: {count} fault{'s' if count > 1 else ''}", err=True)
        raise typer.Exit(UNUSABLE) from None


def give_up(reason: str) -> NoReturn:
    """One line on standard error, and exit code 2."""
    typer.echo(reason, err=True)
    raise typer.Exit(UNUSABLE)
