"""What follows from a setting, found once and not for every body.

A setting is known again by its identity: what holds mappings has no hash, and comparing it would
take longer than most of what is saved.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

_Setting = TypeVar("_Setting")
_Found = TypeVar("_Found")

_MOST = 64
"""Settings that are remembered. A gateway has a few of them; a process that reads for it is sent
new ones with each body, and tools make many."""


class Compiled(Generic[_Setting, _Found]):
    """`compile` makes a value that is never changed of a setting that never changes.

    What is remembered holds its setting, so that no other one can have the same identity.
    """

    def __init__(self, compile: Callable[[_Setting], _Found]) -> None:
        self._compile = compile
        self._known: dict[int, tuple[_Setting, _Found]] = {}

    def __call__(self, setting: _Setting) -> _Found:
        """Raises what `compile` raises, each time."""
        known = self._known.get(id(setting))
        if known is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known[id(setting)] = (setting, self._compile(setting))
        return known[1]
