"""`run`: serve."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from gateway.cli.console import WRONG, ConfigOption, loaded


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        typer.echo(f"no room for another process: {error.strerror}", err=True)
        raise typer.Exit(WRONG) from None


def run(config: ConfigOption) -> None:
    """Guard the configured endpoints until SIGTERM or SIGINT.

    Standard output gets one line of JSON with the two addresses as soon as they are open; the logs
    go to standard error. /readyz on the admin port says when the gateway has proven itself.
    """
    from gateway.early import begin_certain, begin_others

    with _room():
        begin_certain()  # they start while the configuration is read ...
    settings = loaded(config)
    with _room():
        begin_others(settings)
    from gateway import life  # ... and while this, which takes as long, is imported

    raise typer.Exit(life.run(settings))
