"""`log verify`: whether a decision log is as it was written."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console import WRONG, give_up, log_at
from gateway.decisionlog.file import anchor_path
from gateway.decisionlog.key import read_key
from gateway.decisionlog.verify import verify as verify_file

log = typer.Typer(help="Work with decision logs.", no_args_is_help=True)


@log.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The decision log.")],
    anchor: Annotated[
        Path | None,
        typer.Option(
            "--anchor",
            metavar="FILE",
            help="What says how far the log reached: best a copy kept elsewhere. Without this"
            " option, the one beside the log.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="The pseudonym key of the log: checks the anchor's seal, too.",
        ),
    ] = None,
) -> None:
    """Check that no entry of a decision log was changed, deleted, inserted, moved or cut off.

    Exit code 0 if the log is intact, 1 if it isn't, 2 if a file can't be read.
    """
    log_at(file)
    beside = anchor_path(file)
    if anchor is None and beside.is_file():
        anchor = beside
    if anchor is None and key_file is not None:
        give_up(f"{beside}: there is no anchor whose seal the key could check")
    try:
        key = read_key(key_file) if key_file is not None else None
        found = verify_file(file, anchor=anchor, key=key)
    except ValueError as error:
        give_up(str(error))
    except OSError as error:
        give_up(f"{error.filename or file}: {error.strerror}")
    typer.echo(found.report)
    raise typer.Exit(0 if found.ok else WRONG)
