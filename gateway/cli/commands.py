"""All commands, as one command line."""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli.console import NAME

COMMANDS = (
    "run", "drain", "check", "infer", "explain", "test", "mutate", "replay", "log", "injector",
    "demo",
)  # fmt: skip
"""In the order of the help; each is a function, or a group of commands, in the file of its name."""


def made(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """The command line, with no commands but these: what others need is not even imported."""
    commands = typer.Typer(
        name=NAME,
        help="An async reverse proxy that releases an export only to the person whose data it is.",
        epilog="Exit codes: 0 all is well, 1 it is not, 2 the input can't be used.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    commands.callback()(_root)
    for name in names:
        command = getattr(import_module(f"gateway.cli.{name}"), name)
        if isinstance(command, typer.Typer):
            commands.add_typer(command, name=name)
        else:
            commands.command()(command)
    return commands


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say the version, and stop."
        ),
    ] = False,
) -> None:
    pass
