"""`run`: what may be typed, and the configuration that it names."""

from gateway.cli.console import ConfigOption, loaded
from gateway.config import Config


def run(config: ConfigOption) -> Config:
    """Guard the configured endpoints until SIGTERM or SIGINT.

    Standard output gets one line of JSON with the two addresses as soon as they are open; the logs
    go to standard error. /readyz on the admin port says when the gateway has proven itself.
    """
    return loaded(config)  # to `serving`, which asked for it
