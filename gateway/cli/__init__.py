"""The command line: a file for each command, and nothing here that works by itself.

commands.py  all of them, as one command line
console.py   what they share: options, exit codes, how wrong input is answered
output.py    what is said, where it can be written
run.py       run: its options; serving.py is the process that serves
drain.py     drain
check.py     check
explain.py   explain; explained.py prints what it found
log.py       log verify
test.py      test
replay.py    replay; replayed.py prints what it found
infer.py     infer; inferred.py prints what it found
mutate.py    mutate; mutated.py prints what it found
options.py   what several of them take
injector.py  injector
demo.py      demo

Exit codes: 0 all is well, 1 it is not (a gateway that can't start, a log that was changed, a demo
that failed, a plan with differences), 2 the input can't be used (options, configuration, files),
130 it was interrupted.
"""

import gc
import sys

__all__ = ["main"]


def main() -> None:
    """The console script."""
    # What is imported stays; to look through it for garbage takes much of the time of a start.
    gc.set_threshold(50_000, 20, 50)
    if [word for word in sys.argv[1:] if word != "--"][:1] == ["run"]:
        from gateway.cli.serving import serve

        sys.exit(serve())
    from gateway.cli.commands import COMMANDS, made
    from gateway.cli.console import NAME, answered

    asked = [name for name in sys.argv[1:2] if name in COMMANDS]
    code = answered(made(asked or COMMANDS), NAME)
    sys.exit(code if isinstance(code, int) else 0)
