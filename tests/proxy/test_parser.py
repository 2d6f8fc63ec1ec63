"""The gateway parses responses strictly, or not at all."""

import asyncio
import importlib
import os
import subprocess
import sys
from typing import Any

import pytest

from gateway.proxy import parser
from gateway.proxy.parser import UnfitParserError, require_strict_parsing

COMPILED: Any = importlib.import_module("aiohttp._http_parser")

START = """
import asyncio
from gateway.proxy.parser import UnfitParserError, require_strict_parsing
async def main():
    try:
        require_strict_parsing()
    except UnfitParserError as error:
        print("refused:", error)
    else:
        print("strict")
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What aiohttp does by itself."""
    monkeypatch.setattr(COMPILED, "DEBUG", False)


@pytest.mark.parametrize("response", parser._LAX)
async def test_the_switch_makes_the_difference(response: bytes) -> None:
    """C04"""
    assert parser._parses(response)
    require_strict_parsing()
    assert not parser._parses(response)


async def test_a_sound_response_parses_either_way() -> None:
    assert parser._parses(parser._SOUND)
    require_strict_parsing()
    assert parser._parses(parser._SOUND)


async def test_a_switch_without_effect_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "_LAX", (parser._SOUND,))
    with pytest.raises(UnfitParserError, match="strict"):
        require_strict_parsing()


async def test_a_parser_that_refuses_everything_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "_SOUND", b"HTTP/1.1 200 OK\n\n")
    with pytest.raises(UnfitParserError, match="sound"):
        require_strict_parsing()


@pytest.mark.parametrize(("disabled", "said"), [("1", "refused: aiohttp"), ("", "strict")])
def test_the_parser_written_in_python_is_not_enough(disabled: str, said: str) -> None:
    """C28"""
    environ = {**os.environ, "AIOHTTP_NO_EXTENSIONS": disabled}
    done = subprocess.run(
        [sys.executable, "-c", START], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(said)


def test_a_missing_parser_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """C28"""

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(UnfitParserError, match="C parser"):
        asyncio.run(_require())


async def _require() -> None:
    require_strict_parsing()
