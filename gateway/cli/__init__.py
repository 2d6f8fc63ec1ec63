"""The command line: a file for each command, and nothing here that works by itself.

console.py   what all commands share: options, exit codes, how wrong input is answered
run.py       run
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

import sys
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli.check import check
from gateway.cli.console import answered
from gateway.cli.demo import demo
from gateway.cli.explain import explain
from gateway.cli.infer import infer
from gateway.cli.injector import injector
from gateway.cli.log import log
from gateway.cli.mutate import mutate
from gateway.cli.replay import replay
from gateway.cli.run import run
from gateway.cli.test import test

__all__ = ["commands", "main"]

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
commands.command()(run)
commands.command()(check)
commands.command()(infer)
commands.command()(explain)
commands.command()(test)
commands.command()(mutate)
commands.command()(replay)
commands.add_typer(log, name="log")
commands.command()(injector)
commands.command()(demo)


def main() -> None:
    """The console script."""
    sys.exit(answered(commands, "privacy-gateway"))


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"privacy-gateway {__version__}")
        raise typer.Exit


@commands.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say the version, and stop."
        ),
    ] = False,
) -> None:
    pass
