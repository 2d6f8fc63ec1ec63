"""`demo`: the incident of 2018."""

from typing import Annotated

import typer


def demo(
    serve: Annotated[
        bool, typer.Option("--serve", help="Leave everything running, and say how to ask it.")
    ] = False,
) -> None:
    """Play the incident of 2018, happening and not happening, on this machine alone."""
    from gateway import demo as story

    raise typer.Exit(story.run(serve))
