"""What a command says goes where it can be written, or that it can't is one line."""

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import TypeVar

from gateway.workbench.wording import plain

WRONG, UNUSABLE = 1, 2
"""Exit codes: it is not well; the input can't be used."""

Found = TypeVar("Found")


def written(command: Callable[[], Found]) -> Found | int:
    """What a command comes to, or the exit code where its output can't be written."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that isn't UTF-8 is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        return command()
    except OSError as error:
        # What is still in the buffer would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        where = error.filename or "standard output"
        print(plain(f"{where}: {error.strerror or error}"), file=sys.stderr)
        return UNUSABLE
