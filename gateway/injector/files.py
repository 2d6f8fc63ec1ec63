"""Mounted files, read again when they change: the sidecar's template, a certificate.

The kubelet replaces a mounted folder by moving a link, so that only the content tells. What is
unfit changes nothing: the last good one stays in use, and the metrics say so.
"""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from gateway.errors import place
from gateway.log import Log

_PERIOD = 2.0
_MAX_FILE = 1 << 20
_LOG = Log(__name__)


class Watched:
    """Some files that mean one thing. `use` takes their contents, or raises ValueError."""

    def __init__(
        self,
        what: str,
        paths: tuple[Path, ...],
        use: Callable[[tuple[bytes, ...]], None],
        period: float = _PERIOD,
    ) -> None:
        self._what, self._paths, self._use, self._period = what, paths, use, period
        self._seen: object = None
        self.current = False

    async def keep(self) -> None:
        """Look again for ever."""
        while True:
            await asyncio.sleep(self._period)
            self.look()

    def look(self) -> None:
        """Use what is there, if it is new. `current` is whether that is what is in use."""
        try:
            contents = tuple(map(_read, self._paths))
            seen: object = tuple(hashlib.sha256(content).digest() for content in contents)
        except OSError as error:
            seen = fault = f"{error.filename}: {error.strerror}"
        else:
            fault = ""
        if seen == self._seen:
            return
        self._seen = seen
        if not fault:
            try:
                self._use(contents)
            except ValueError as error:
                fault = str(error)
            except Exception as error:  # noqa: BLE001 - the next content may be better
                fault = place(error)
        self.current = not fault
        if fault:
            _LOG.error(f"{self._what} unfit", fault=fault)
        else:
            _LOG.info(f"{self._what} in use")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MAX_FILE + 1)
    if len(content) > _MAX_FILE:
        raise OSError(0, f"more than {_MAX_FILE} bytes", str(path))
    return content
