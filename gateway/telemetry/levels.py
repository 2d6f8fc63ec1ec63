"""The log level of each room, while the gateway runs: `/log-levels` on the admin port.

    GET /log-levels                                              all rooms
    PUT /log-levels/identity  {"level": "debug", "for": "10m"}   one; `for` may be left out

Prometheus scrapes the admin port over the network, so that levels are shown and changed only from
the loopback address of the pod itself, which is where `kubectl port-forward` comes from. Both ends
of the connection must have that address: a service mesh brings strangers in from 127.0.0.6.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import StreamReader, web

from gateway.log import Log
from gateway.quantities import parse_duration
from gateway.telemetry.loopback import is_local

PATH = "/log-levels"
ROOMS = (
    "app",
    "decisionlog",
    "fleet",
    "identity",
    "inspection",
    "life",
    "policy",
    "proxy",
    "selfproof",
    "single",
    "spool",
    "telemetry",
    "workers",
)
"""The rooms that say something."""
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_MAX_BODY = 1024
_LONGEST = 7 * 86400.0
_LOG = Log(__name__)

Answer = tuple[int, dict[str, Any]]


class LogLevels:
    """Shows and changes levels. `configured` is what each room goes back to; `changed` hears of
    every change, for the processes that serve beside this one."""

    def __init__(
        self,
        configured: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        changed: Callable[[str, str], None] = lambda _room, _level: None,
    ) -> None:
        self._configured, self._now, self._tell = configured, now, changed
        self._changed: dict[str, tuple[str, datetime | None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def serve(self, request: web.BaseRequest) -> Answer:
        """A status and a JSON object; what is wrong with a request is said in our own words."""
        if not is_local(request):
            return 403, {"error": "log levels are shown and changed from the loopback address only"}
        room = request.path.removeprefix(PATH).removeprefix("/")
        if not room and request.method in ("GET", "HEAD"):
            return 200, self.shown()
        if request.method != "PUT" or not room:
            return 405, {"error": f"GET {PATH}, or PUT {PATH}/<room>"}
        if room not in ROOMS:
            return 404, {"error": f"the rooms are {', '.join(ROOMS)}"}
        try:
            level, seconds = _asked(await _read(request.content))
        except ValueError as fault:
            return 400, {"error": str(fault)}
        self.set(room, level, seconds)
        return 200, self.shown()

    def shown(self) -> dict[str, Any]:
        """What is configured, and each room's level, with the moment at which it ends."""
        rooms: dict[str, dict[str, str]] = {}
        for room in ROOMS:
            level, until = self._changed.get(room, (self._configured, None))
            rooms[room] = {"level": level}
            if until:
                rooms[room]["until"] = until.isoformat(timespec="seconds").replace("+00:00", "Z")
        return {"configured": self._configured, "rooms": rooms}

    def set(self, room: str, level: str, seconds: float | None = None) -> None:
        """Change a room's level, for so many seconds or until it is changed again."""
        self._put(room, level)
        self._changed[room] = (level, None)
        if seconds is not None:
            self._changed[room] = (level, self._now() + timedelta(seconds=seconds))
            later = asyncio.get_running_loop().call_later
            self._timers[room] = later(seconds, self._end, room)
        _LOG.warning("log level changed", room=room, level=level, seconds=seconds)

    def current(self) -> dict[str, str]:
        """The rooms that have another level than the configured one."""
        return {room: level for room, (level, _) in self._changed.items()}

    def stop(self) -> None:
        """Every room is as configured again."""
        for room in tuple(self._changed):
            self._end(room)

    def _end(self, room: str) -> None:
        self._put(room, self._configured)
        self._changed.pop(room, None)

    def _put(self, room: str, level: str) -> None:
        timer = self._timers.pop(room, None)
        if timer:
            timer.cancel()
        put(room, level, self._configured)
        self._tell(room, level)


def put(room: str, level: str, configured: str) -> None:
    """Change a room's level in this process."""
    # As configured is what "gateway" has: the room's own level would be in the way of that.
    own = logging.NOTSET if level == configured else LEVELS[level]
    logging.getLogger(f"gateway.{room}").setLevel(own)


async def _read(content: StreamReader) -> bytes:
    """A body, or so much of it that it is seen to be too long. It may come in pieces."""
    body = b""
    while len(body) <= _MAX_BODY and (piece := await content.read(_MAX_BODY + 1 - len(body))):
        body += piece
    return body


def _asked(body: bytes) -> tuple[str, float | None]:
    """The level, and the seconds it is to last. Raises ValueError."""
    try:
        asked = json.loads(body) if len(body) <= _MAX_BODY else None
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or not set(asked) <= {"level", "for"}:
        raise ValueError('expected {"level": "debug", "for": "10m"}; "for" may be left out')
    level, seconds = asked.get("level"), asked.get("for")
    if not isinstance(level, str) or level not in LEVELS:
        raise ValueError(f"the levels are {', '.join(LEVELS)}")
    if seconds is None:
        return level, None
    try:
        seconds = parse_duration(seconds)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise ValueError('"for" is a duration such as 10m, at most 7d')
    return level, seconds
