"""What follows from a setting is found once, and never for another one."""

import gc
import sys

import pytest

from gateway.inspection.compiled import Compiled


def test_a_setting_is_compiled_once() -> None:
    asked: list[dict[str, str]] = []

    def compile(setting: dict[str, str]) -> list[str]:
        asked.append(setting)
        return [*setting]

    compiled, setting = Compiled(compile), {"account": "$.id"}
    assert compiled(setting) is compiled(setting)
    assert asked == [setting]


def test_one_that_is_equal_is_another_one() -> None:
    compiled = Compiled(list[str])
    one, other = {"a": "b"}, {"a": "b"}
    assert compiled(one) == compiled(other)
    assert compiled(one) is not compiled(other)


def test_no_later_setting_is_taken_for_one_that_is_gone() -> None:
    compiled = Compiled(lambda setting: setting["account"])
    for number in range(5_000):  # more than are remembered, each soon free for the next one
        assert compiled({"account": number}) == number
        gc.collect(0)


def test_few_are_remembered() -> None:
    compiled = Compiled(lambda setting: setting["account"])
    first = {"account": object()}
    before = sys.getrefcount(first)
    assert compiled(first)
    for number in range(1_000):
        assert compiled({"account": number}) == number
    assert sys.getrefcount(first) == before


def test_what_can_not_be_compiled_is_refused_each_time() -> None:
    compiled = Compiled(int)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            compiled("x")
