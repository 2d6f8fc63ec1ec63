"""The command line: a file for each command, and nothing here that works by itself.

console.py   what all commands share: options, exit codes, how wrong input is answered
run.py       run
drain.py     drain
check.py     check
explain.py   explain; explained.py prints what it found
log.py       log verify
test.py      test
replay.py    replay; replayed.py prints what it found
infer.py     infer; inferred.py prints what it found
mutate.py    mutate; mutated.py prints what it found
options.py   what several of them take
injector.py  injector
demo.py      demo

Exit codes: 0 all is well, 1 it is not (a gateway that can't start, a log that was changed, a demo
that failed, a plan with differences), 2 the input can't be used (options, configuration, files),
130 it was interrupted.
"""

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli.console import answered

__all__ = ["COMMANDS", "made", "main"]

COMMANDS = (
    "run", "drain", "check", "infer", "explain", "test", "mutate", "replay", "log", "injector",
    "demo",
)  # fmt: skip
"""In the order of the help; each is a function, or a group of commands, in the file of its name."""


def made(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """The command line, with no commands but these: what others need is not even imported."""
    commands = typer.Typer(
        name="privacy-gateway",
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


def main() -> None:
    """The console script."""
    # What is imported stays; to look through it for garbage takes much of the time of a start.
    gc.set_threshold(50_000, 20, 50)
    asked = [name for name in sys.argv[1:2] if name in COMMANDS]
    sys.exit(answered(made(asked or COMMANDS), "privacy-gateway"))


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"privacy-gateway {__version__}")
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
