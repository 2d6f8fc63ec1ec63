"""What a room tells its operators: an event from the code, and values that name nobody.

    _LOG = Log(__name__)
    _LOG.debug("decided", effect=decision.effect.value)

Each room (`gateway.<room>`) has a level of its own that can be changed while the gateway runs
(`telemetry.levels`). A line below it costs one look into a dictionary, so that debug lines may
stand on the way of an exchange. The lines go through the standard library's `logging`; the values
are the record's `values`, and `telemetry.logs` writes both.
"""

import logging

logging.getLogger("gateway").setLevel(logging.INFO)  # until `telemetry.logs` is told another one


class Log:
    """One module's log. Values are numbers, codes, names from the configuration or exchange ids."""

    __slots__ = ("_logger",)

    def __init__(self, module: str) -> None:
        self._logger = logging.getLogger(module)

    @property
    def debugging(self) -> bool:
        """Whether a debug line would be heard: asked where its values cost something."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def debug(self, event: str, **values: object) -> None:
        self._logger.debug(event, extra={"values": values})

    def info(self, event: str, **values: object) -> None:
        self._logger.info(event, extra={"values": values})

    def warning(self, event: str, **values: object) -> None:
        self._logger.warning(event, extra={"values": values})

    def error(self, event: str, **values: object) -> None:
        self._logger.error(event, extra={"values": values})
