"""What all commands share: options, exit codes, and one clear line for wrong input."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gateway.config import Config, ConfigFaults, load

if TYPE_CHECKING:
    from gateway.workbench.unusable import Unusable

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
        faulty(path, faults)


def faulty(path: Path, faults: ConfigFaults) -> NoReturn:
    """Every fault of a file on standard error, with its line, and exit code 2."""
    for fault in faults.faults:
        typer.echo(fault, err=True)
        if fault.place.excerpt:
            typer.echo(fault.place.excerpt, err=True)
    count = len(faults.faults)
    typer.echo(f"{path}: {count} fault{'s' if count > 1 else ''}", err=True)
    raise typer.Exit(UNUSABLE)


def give_up(reason: str) -> NoReturn:
    """One line on standard error, and exit code 2."""
    typer.echo(reason, err=True)
    raise typer.Exit(UNUSABLE)


def unusable(error: "Unusable") -> NoReturn:
    """One line on standard error, the offending line below it if there is one, and exit code 2."""
    typer.echo(error, err=True)
    if error.excerpt:
        typer.echo(error.excerpt, err=True)
    raise typer.Exit(UNUSABLE)
