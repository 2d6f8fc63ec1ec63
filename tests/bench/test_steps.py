"""Each step of a small exchange can be called by itself, again and again."""

from bench.steps import steps


def test_every_step_says_the_same_twice() -> None:
    found = list(steps())
    assert {process for process, _, _ in found} == {"event loop", "decision log"}
    for _, name, step in found:
        assert step() == step(), name
