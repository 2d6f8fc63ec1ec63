"""A bomb is refused within ten times the work of an honest body at the limit, and 32 MiB.

The work is the processor's time of a process of its own, held against that for an honest body of
the shortest records: it says something about the code, and nothing about the machine.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from gateway.inspection.formats import FORMATS
from gateway.model import Format
from tests.bombs.bodies import SHAPES
from tests.bombs.child import LIMITS

SEEDS = range(30)
MEMORY = 32 << 20
TICK = 0.05
"""Seconds that any body may take: a few thousand bytes are read in less than can be measured."""


def gone_off(form: Format) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the honest body and each of the bombs took."""
    command = [sys.executable, "-m", "tests.bombs.child", form, str(SEEDS[0]), str(SEEDS[-1] + 1)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr[-2000:]
    first, *bombs = map(json.loads, done.stdout.splitlines())
    return first, bombs


@pytest.mark.parametrize("form", [form for form in FORMATS if form in SHAPES])
def test_a_bomb_is_refused_while_it_is_small(form: Format) -> None:
    first, bombs = gone_off(form)
    assert first["code"] == "ok"
    at_the_limit = first["seconds"] * LIMITS.decoded / first["content"]
    for seed, found in zip(SEEDS, bombs, strict=True):
        assert found["seconds"] <= 10 * at_the_limit + TICK, (seed, found, first)
        assert found["memory"] <= MEMORY, (seed, found)
        if form is not Format.ZIP:  # which adds up what the members claim, before any is inflated
            assert found["produced"] <= 10 * LIMITS.decoded, (seed, found)
        assert found["code"] != "ok" or found["content"] <= LIMITS.decoded, (seed, found)
    assert {"ok"} != {found["code"] for found in bombs}
    assert len(bombs) == len(SEEDS)


def test_a_reader_that_holds_everything_would_be_noticed() -> None:
    """The measure itself: memory that is taken and given back is seen."""
    program = (
        "from tests.bombs.child import _forget_the_peak, _status\n"
        "before = _forget_the_peak()\n"
        "taken = bytearray(b'x') * (64 << 20)\n"
        "del taken\n"
        "print(_status('VmHWM') - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 60 << 20
