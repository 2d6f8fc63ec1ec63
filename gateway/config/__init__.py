"""The configuration: a YAML file and the environment → frozen settings, or every fault at once.

settings     `Config`: every setting, put together
loading      `load`: reads, merges, validates, and reports everything that is wrong
file         YAML text → plain values that know their lines
environment  variables in the place of single values
keys         what may stand where, read off the settings classes
checks       what no single setting can know: files, endpoints side by side
bodies       locators, patterns and dialects: whether they fit their format and each other
faults       what is wrong, and where
wording      ... in plain words
schema       the JSON Schema
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.config.faults import ConfigFaults, Fault
from gateway.config.settings import Config

__all__ = ["Config", "ConfigFaults", "Fault", "json_schema", "load"]


def load(path: Path, environ: Mapping[str, str], *, thorough: bool = False) -> Config:
    """`loading.load`, which is imported with the first: it takes pydantic and a reader of YAML."""
    from gateway.config import loading

    return loading.load(path, environ, thorough=thorough)


def json_schema() -> dict[str, Any]:
    """`schema.json_schema`; imported with the first, too."""
    from gateway.config import schema

    return schema.json_schema()
