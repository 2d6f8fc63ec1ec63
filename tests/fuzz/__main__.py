"""`python -m tests.fuzz [--seconds N] [--seed N] [NAME...]`: tries bodies until the time is over.

A name is a format or a content coding; without one, all are tried in turn. What it finds it shows
with the seed that finds it again, and ends with 1.
"""

import argparse
import random
import sys
import time
import traceback

from tests.fuzz.target import NAMES, examine


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=float, default=60, help="for each name")
    parser.add_argument("--seed", type=int, help="try this one body only")
    options = parser.parse_args()
    if unknown := set(options.names) - {*NAMES}:
        parser.error(f"no such format or coding: {', '.join(sorted(unknown))}")
    return max([_fuzz(name, options.seconds, options.seed) for name in options.names or NAMES])


def _fuzz(name: str, seconds: float, only: int | None) -> int:
    end, tried, read = time.monotonic() + seconds, 0, 0
    while tried == 0 or (only is None and time.monotonic() < end):
        seed = random.getrandbits(48) if only is None else only
        tried += 1
        try:
            read += examine(name, random.Random(seed))
        except Exception:  # noqa: BLE001 - that is what is looked for
            traceback.print_exc()
            print(f"{name}: python -m tests.fuzz {name} --seed {seed}", file=sys.stderr)
            return 1
    print(f"{name}: {tried} bodies, {read} of them read to their end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
