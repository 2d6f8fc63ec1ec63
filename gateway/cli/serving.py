"""The process that serves: it has `run` understood by another one, which ends.

    serve ──fork──▶ the command line and the configuration are read, and what is wrong is said
      ▲                └── the settings, or an exit code ──┐
      └────────────────────────────────────────────────────┘

What that takes (typer, pydantic, a reader of YAML, and what they made of the settings) is some ten
MiB that no exchange needs.
"""

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from gateway.apart import Apart
from gateway.cli.output import WRONG, written
from gateway.early import begin_certain, begin_others

_INTERRUPTED = 130
_BOTH = ("gateway.config.bodies", "gateway.policy.engines")
"""What takes long to import, and both need: before the fork, so that it is imported once. Nothing
among it may start a thread (see `apart`)."""


def serve() -> int:
    """Serve as the command line asks. Returns the exit code."""
    # Whoever starts us may ignore it, and then no child could be asked how it ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.getpid() == 1:  # in a container: the kernel drops a signal that the first process ignores
        signal.signal(signal.SIGTERM, _leave)
    try:
        return written(_serve)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _serve() -> int:
    with _room():
        begin_certain()
    for module in _BOTH:
        import_module(module)
    with _room():
        reading = Apart(_understood)
    from gateway import life

    try:
        found = pickle.loads(reading.answer())  # noqa: S301 - from our own child
    except EOFError as ended:
        if ended.args[0] < 0:  # else it has said why
            number = -ended.args[0]
            said = f"the process that reads the configuration was killed by signal {number}"
            print(said, file=sys.stderr)
        return WRONG
    if isinstance(found, int):
        return found
    with _room():
        begin_others(found)
    return life.run(found)


def _leave(number: int, _: object) -> None:
    os._exit(128 + number)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        print(f"no room for another process: {error.strerror}", file=sys.stderr)
        raise SystemExit(WRONG) from None


def _understood() -> bytes:
    """The configuration that the command line names, or an exit code."""
    from gateway.cli.commands import made
    from gateway.cli.console import NAME, answered

    try:
        found = answered(made(["run"]), NAME)
        return pickle.dumps(0 if found is None else found)
    except SystemExit as ended:  # what prints the help leaves so where nobody reads on
        return pickle.dumps(ended.code if isinstance(ended.code, int) else WRONG)
    except Exception:
        traceback.print_exc()
        raise
