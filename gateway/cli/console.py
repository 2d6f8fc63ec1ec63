"""What all commands share: options, exit codes, and one clear line for wrong input."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gateway.workbench.wording import counted, plain

if TYPE_CHECKING:  # most of a second, which not every command needs
    from gateway.config import Config, ConfigFaults
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


def answered(commands: typer.Typer, name: str) -> int:
    """Run what was typed. Returns the exit code; options that can't be used are one line, too, and
    so is an output that can't be written. Ctrl-C is 130, as for any command of a shell."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that isn't UTF-8 is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        code = commands(prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except typer.Abort:
        return WRONG
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else name
        if said := error.format_message().replace("Value error, ", ""):  # else it was the help
            typer.echo(plain(f"{command}: {said} See {command} --help"), err=True)
        return UNUSABLE
    except OSError as error:
        # What is still in the buffer would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        where = error.filename or "standard output"
        typer.echo(plain(f"{where}: {error.strerror or error}"), err=True)
        return UNUSABLE
    return code if isinstance(code, int) else 0


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
