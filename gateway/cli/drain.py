"""`drain`: for a preStop hook, which knows before SIGTERM that the pod ends."""

import http.client
from typing import Annotated

import typer

from gateway.cli.console import WRONG, give_up
from gateway.proxy.settings import parse_address
from gateway.workbench.wording import plain

_PATIENCE = 5.0


def drain(
    admin: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The gateway's admin port, in this pod.")
    ] = "127.0.0.1:8282",
) -> None:
    """Have the gateway in this pod report unready and close each connection with its next answer.

    It goes on serving until SIGTERM. `client.drain_delay` counts from now.
    """
    try:
        address = parse_address(admin)
    except ValueError as error:
        give_up(f"--admin: {error}")
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_PATIENCE)
    try:
        connection.request("POST", "/drain")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        typer.echo(plain(f"{address}: {type(error).__name__}"), err=True)
        raise typer.Exit(WRONG) from None
    finally:
        connection.close()
    if status != 200:
        typer.echo(plain(f"{address}: answered {status}"), err=True)
        raise typer.Exit(WRONG)
