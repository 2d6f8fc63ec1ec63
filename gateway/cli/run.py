"""`run`: serve."""

import typer

from gateway.cli.console import ConfigOption, loaded


def run(config: ConfigOption) -> None:
    """Guard the configured endpoints until SIGTERM or SIGINT.

    Standard output gets one line of JSON with the two addresses as soon as they are open; the logs
    go to standard error. /readyz on the admin port says when the gateway has proven itself.
    """
    settings = loaded(config)
    from gateway import life

    raise typer.Exit(life.run(settings))
