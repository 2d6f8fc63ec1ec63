"""What all commands share: options, exit codes, and one clear line for wrong input."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gateway.cli.output import UNUSABLE, WRONG, written
from gateway.workbench.wording import counted, plain

if TYPE_CHECKING:  # most of a second, which not every command needs
    from gateway.config import Config, ConfigFaults
    from gateway.workbench.unusable import Unusable

__all__ = ["NAME", "UNUSABLE", "WRONG", "ConfigOption", "answered"]

NAME = "privacy-gateway"

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration, in YAML. PRIVACY_GATEWAY_… variables set single values of it.",
    ),
]


def answered(commands: typer.Typer, name: str) -> object:
    """Run what was typed. Returns the exit code, or what a command has to hand over; options that
    can't be used are one line, too. Ctrl-C is 130, as for any command of a shell."""

    def command() -> object:
        try:
            found = commands(prog_name=name, standalone_mode=False)
            sys.stdout.flush()
        except typer.Abort:
            return WRONG
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            path = context.command_path if context else name
            if said := error.format_message().replace("Value error, ", ""):  # else it was the help
                typer.echo(plain(f"{path}: {said} See {path} --help"), err=True)
            return UNUSABLE
        return found

    return written(command)


def loaded(path: Path, *, thorough: bool = False) -> "Config":
    """The configuration, or every fault of it on standard error and exit code 2. `thorough` has
    the policy's Rego compiled, too."""
    from gateway.config import ConfigFaults, load

    try:
        return load(path, os.environ, thorough=thorough)
    except ConfigFaults as faults:
        faulty(path, faults)


def faulty(path: Path, faults: "ConfigFaults") -> NoReturn:
    """Every fault of a file on standard error, with its line, and exit code 2."""
    for fault in faults.faults:
        typer.echo(plain(str(fault)), err=True)
        if fault.place.excerpt:
            typer.echo(fault.place.excerpt, err=True)
    typer.echo(plain(f"{path}: {counted(len(faults.faults), 'fault')}"), err=True)
    raise typer.Exit(UNUSABLE)


def log_at(path: Path) -> None:
    """Give up where there is something that can't be a log; what isn't there is told on reading."""
    if path.is_dir():
        give_up(f"{path}: a folder, not a log")
    if path.exists() and not path.is_file():
        give_up(f"{path}: not a regular file")


def give_up(reason: str) -> NoReturn:
    """One line on standard error, and exit code 2."""
    typer.echo(plain(reason), err=True)
    raise typer.Exit(UNUSABLE)


def unusable(error: "Unusable") -> NoReturn:
    """One line on standard error, the offending line below it if there is one, and exit code 2."""
    typer.echo(plain(str(error)), err=True)
    if error.excerpt:
        typer.echo(error.excerpt, err=True)
    raise typer.Exit(UNUSABLE)
